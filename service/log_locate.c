/* SPDX-License-Identifier: MIT */
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_BACK_BYTES (UINT64_C(16) << 20) /* for lines: a log may be one long line */
#define BLOCK_BYTES     UINT64_C(65536)
#define BATCH           256u

/* Read [offset, offset + n) from over the segments; what is lost there leaves fewer. */
static int read_range(const struct log *l, uint64_t offset, uint8_t *bytes, size_t n, size_t *got)
{
    struct log_cursor c;
    struct log_item item;
    int error = log_cursor_open(&c, l, offset, 0);

    *got = 0;
    while (error == 0 && *got < n) {
        ptrdiff_t r;

        error = log_cursor_next(&c, &item);
        if (error != 0 || item.kind == LOG_NOTHING || item.offset >= offset + n)
            break;
        if (item.kind != LOG_BYTES)
            continue;
        r = log_cursor_read(&c, &item, bytes + *got, n - *got);
        if (r < 0)
            error = (int)r;
        if (r > 0) {
            log_cursor_take(&c, (uint64_t)r);
            *got += (size_t)r;
        }
    }
    log_cursor_close(&c);
    return error;
}

/* The offset behind the line end that precedes the last n lines; as tail -n, an unfinished line counts. */
static int locate_lines(const struct log *l, uint64_t oldest, uint64_t length, uint64_t n, uint64_t *offset)
{
    uint8_t *bytes = malloc(BLOCK_BYTES);
    uint64_t at = length, floor = length > oldest + LOOK_BACK_BYTES ? length - LOOK_BACK_BYTES : oldest;
    int error = bytes == NULL ? -ENOMEM : 0;

    *offset = n == 0 ? length : floor;
    while (error == 0 && n > 0 && at > floor) {
        uint64_t from = at - floor > BLOCK_BYTES ? at - BLOCK_BYTES : floor;
        size_t got;

        error = read_range(l, from, bytes, at - from, &got);
        while (got > 0) {
            uint8_t *end = memrchr(bytes, '\n', got);

            if (end == NULL)
                break;
            got = (size_t)(end - bytes);
            if (from + got + 1 < length && --n == 0) { /* the very last byte ends a line, it begins none */
                *offset = from + got + 1;
                break;
            }
        }
        at = from;
    }
    free(bytes);
    return error;
}

/* Visit the records of an index from one of them on. */
static int visit_from(int fd, uint64_t at, const struct log_segment *s, log_visit *each, void *ctx)
{
    struct vc_index_record *r = calloc(BATCH, sizeof *r);
    uint64_t low = s->start, high = s->start + s->bytes;
    bool more = r != NULL;
    int n = -ENOMEM;

    while (more && (n = log_records_read(fd, at, r, BATCH)) > 0) {
        for (int i = 0; i < n && more; i++)
            if (log_record_ok(&r[i], low, high)) {
                low = r[i].offset;
                more = each(ctx, &r[i]);
            }
        at += (uint64_t)n * sizeof *r;
    }
    free(r);
    return n < 0 ? n : 0;
}

int log_index_visit(int dir, const struct log_segment *s, log_visit *each, void *ctx)
{
    int error = 0, fd = log_file_open(dir, s->start, ".idx", O_RDONLY);

    if (fd >= 0) {
        error = visit_from(fd, 0, s, each, ctx);
        close(fd);
    }
    return error;
}

struct vc_index_record log_index_start(int dir, const struct log_segment *s)
{
    int fd = log_file_open(dir, s->start, ".idx", O_RDONLY);
    struct vc_index_record r;

    if (fd < 0)
        return (struct vc_index_record){0};
    if (log_records_read(fd, 0, &r, 1) != 1 || !log_record_ok(&r, s->start, s->start) || r.kind != VC_INDEX_START)
        r = (struct vc_index_record){0};
    close(fd);
    return r;
}

struct search {
    uint64_t time_ns;
    uint32_t boot;
    uint64_t offset; /* found, or the best so far */
    uint64_t beyond; /* the answer if none is in the newest segment; 0: as far as was looked */
    bool found;
};

/* True of each record from the one that is looked for on, and of none before it: clocks that were set back aside. */
typedef bool log_reached(const struct search *s, const struct vc_index_record *r);

static bool reached_time(const struct search *s, const struct vc_index_record *r)
{
    return r->realtime_ns >= s->time_ns;
}

static bool reached_boot(const struct search *s, const struct vc_index_record *r) { return r->boot >= s->boot; }

static bool visit_time(void *ctx, const struct vc_index_record *r)
{
    struct search *s = ctx;

    s->found = reached_time(s, r);
    if (!s->found)
        s->offset = r->offset; /* bytes behind it were stored later than this, perhaps late enough */
    return !s->found;
}

static bool visit_boot(void *ctx, const struct vc_index_record *r)
{
    struct search *s = ctx;

    s->found = r->kind == VC_INDEX_BOOT && r->boot == s->boot;
    s->offset = r->offset;
    return !s->found;
}

/* Where the last record stands that has not reached; 0 where damage is met: then all are visited. */
static uint64_t bisect_index(int fd, const struct log_segment *segment, const struct search *s, log_reached *reached)
{
    uint64_t low = 0, high = segment->idx_bytes / sizeof(struct vc_index_record);

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct vc_index_record r;

        if (log_records_read(fd, middle * sizeof r, &r, 1) != 1 ||
            !log_record_ok(&r, segment->start, segment->start + segment->bytes))
            return 0;
        if (reached(s, &r))
            high = middle;
        else
            low = middle + 1;
    }
    return (low > 0 ? low - 1 : 0) * sizeof(struct vc_index_record);
}

/* In one segment. */
static int search_index(int dir, struct log_segments *list, size_t i, struct search *s, log_reached *reached,
                        log_visit *each)
{
    int error, fd = log_file_open(dir, list->at[i].start, ".idx", O_RDONLY);

    if (fd < 0)
        return 0;
    log_segment_measure(list, i, dir);
    error = visit_from(fd, bisect_index(fd, &list->at[i], s, reached), &list->at[i], each, s);
    close(fd);
    return error;
}

/* The first segment whose START has reached, or list->n. One without a START is as the one before it. */
static size_t bisect_segments(int dir, const struct log_segments *list, const struct search *s, log_reached *reached)
{
    size_t low = 0, high = list->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2, i = middle;
        struct vc_index_record start = log_index_start(dir, &list->at[i]);

        while (start.kind == 0 && i > low)
            start = log_index_start(dir, &list->at[--i]);
        if (start.kind != 0 && reached(s, &start))
            high = i;
        else
            low = middle + 1;
    }
    return low;
}

/*
 * In the last segment that begins before what is looked for, or behind its last record: bytes of segments without an index may
 * be late enough. False: it is not before any that is kept.
 */
static bool locate_in_segments(int dir, struct log_segments *list, struct search *s, log_reached *reached,
                               log_visit *each, int *error)
{
    size_t i = bisect_segments(dir, list, s, reached);

    while (i > 0 && log_index_start(dir, &list->at[i - 1]).kind == 0)
        i--;
    *error = 0;
    if (i == 0)
        return false;
    *error = search_index(dir, list, i - 1, s, reached, each);
    if (!s->found && (i < list->n || s->beyond > 0))
        s->offset = i < list->n ? list->at[i].start : s->beyond;
    return true;
}

static int locate_time(int dir, struct log_segments *list, struct search *s, uint64_t length)
{
    int error;

    s->beyond = length;
    (void)locate_in_segments(dir, list, s, reached_time, visit_time,
                             &error); /* false: the oldest byte is late enough */
    return error;
}

static int locate_boot(int dir, struct log_segments *list, struct search *s)
{
    int error;

    if (locate_in_segments(dir, list, s, reached_boot, visit_boot, &error))
        return error;
    /* It began before what is kept: all that is left of it begins the log, unless a later boot does. */
    if (list->n == 0 || log_index_start(dir, &list->at[0]).boot != s->boot)
        return -ENOENT;
    s->offset = list->at[0].start;
    return 0;
}

static int locate_by_index(const struct log *l, const struct log_from *from, const struct log_status *status,
                           uint64_t *offset)
{
    int64_t boot = from->value < 0 ? (int64_t)status->boot + 1 + from->value : from->value;
    struct search s = {.time_ns = from->value < 0 ? 0 : (uint64_t)from->value, .offset = status->oldest};
    struct log_segments list;
    int error, dir;

    if (from->kind == LOG_FROM_BOOT && (boot < 1 || boot > (int64_t)status->boot))
        return -ENOENT;
    s.boot = (uint32_t)boot;
    dir = log_dir_open(l->store, l->domain, l->console);
    if (dir < 0)
        return dir;
    error = log_segments_recall(&list, l->store, dir);
    if (error == 0)
        error = from->kind == LOG_FROM_BOOT ? locate_boot(dir, &list, &s) : locate_time(dir, &list, &s, status->length);
    log_segments_finish(&list);
    close(dir);
    *offset = s.offset;
    return error;
}

int log_locate(const struct log *l, const struct log_from *from, uint64_t *offset)
{
    uint64_t value = from->value < 0 ? 0 : (uint64_t)from->value;
    struct log_status status;
    int error = 0;

    log_status_get(l, &status);
    switch (from->kind) {
    case LOG_FROM_START: *offset = status.oldest; break;
    case LOG_FROM_NOW: *offset = status.length; break;
    case LOG_FROM_OFFSET: *offset = value; break;
    case LOG_FROM_TAIL: *offset = value < status.length ? status.length - value : 0; break;
    case LOG_FROM_LINES: error = locate_lines(l, status.oldest, status.length, value, offset); break;
    case LOG_FROM_TIME:
    case LOG_FROM_BOOT: error = locate_by_index(l, from, &status, offset); break;
    default: return -EINVAL;
    }
    if (*offset < status.oldest)
        *offset = status.oldest;
    if (*offset > status.length)
        *offset = status.length;
    return error;
}
