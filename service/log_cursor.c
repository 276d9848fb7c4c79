/* SPDX-License-Identifier: MIT */
#include "log_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TRIES 8 /* to open a segment while retention deletes them */

static bool has_segment(const struct log_cursor *c) { return c->log_fd >= 0 || c->frames != NULL; }

static void drop_files(struct log_cursor *c)
{
    if (c->log_fd >= 0)
        close(c->log_fd);
    if (c->frames != NULL)
        log_frames_close(c->log->store, c->frames);
    if (c->idx_fd >= 0)
        close(c->idx_fd);
    c->log_fd = c->idx_fd = -1;
    c->frames = NULL;
    c->n_records = c->next_record = 0;
}

/* Its bytes: raw in *fd, or compressed. A raw file goes when the compressed one is there: so in this order one is found. */
static int open_bytes(struct log_cursor *c, int dir, uint64_t start, int *fd, struct log_frames **frames)
{
    int error, packed;

    *frames = NULL;
    *fd = log_file_open(dir, start, ".log", O_RDONLY);
    if (*fd != -ENOENT)
        return *fd < 0 ? *fd : 0;
    packed = log_file_open(dir, start, LOG_COMPRESSED, O_RDONLY);
    if (packed < 0)
        return packed;
    error = log_frames_open(frames, c->log->store, packed);
    if (error != 0)
        close(packed);
    return error;
}

/* The segment is opened anew: keep the last record that was taken of it, for pass_again. */
static void remember(struct log_cursor *c)
{
    uint64_t taken = c->idx_at / VC_INDEX_RECORD_BYTES - (c->n_records - c->next_record);

    if (taken == 0 || c->idx_fd < 0 ||
        log_records_read(c->idx_fd, (taken - 1) * VC_INDEX_RECORD_BYTES, &c->taken, 1) != 1)
        c->taken.kind = 0;
}

/* Where the index goes on behind that record; 0: it is not there. */
static uint64_t pass_again(struct log_cursor *c)
{
    uint64_t at = 0;
    int n;

    while ((n = log_records_read(c->idx_fd, at, c->records, LOG_CURSOR_RECORDS)) > 0)
        for (int i = 0; i < n; i++) {
            at += VC_INDEX_RECORD_BYTES;
            if (memcmp(&c->records[i], &c->taken, sizeof c->taken) == 0)
                return at;
        }
    return 0;
}

static int open_segment(struct log_cursor *c, int dir, uint64_t start, const struct log_view *v)
{
    struct log_frames *frames;
    int fd, error = open_bytes(c, dir, start, &fd, &frames);

    if (error != 0)
        return error;
    drop_files(c);
    c->log_fd = fd < 0 ? -1 : fd;
    c->frames = frames;
    c->idx_fd = log_file_open(dir, start, ".idx", O_RDONLY); /* without: bytes, but no marks */
    c->idx_at = c->taken.kind != 0 && c->segment == start ? pass_again(c) : 0;
    c->taken.kind = 0;
    c->segment = start;
    c->files = v->files;
    c->closed = false;
    if (start > c->offset) {
        c->lost += start - c->offset;
        c->offset = start;
    }
    return 0;
}

static bool has_bytes(int dir, uint64_t start)
{
    return log_file_size(dir, start, ".log", NULL) > 0 || log_file_size(dir, start, LOG_COMPRESSED, NULL) > 0;
}

/*
 * Where a closed segment ends by its neighbour: what somebody wrote behind that is no history. A file without bytes may have
 * been planted, and ends nothing.
 */
static uint64_t next_start(const struct log_cursor *c, const struct log_view *v, uint64_t end)
{
    const struct log *l = c->log;
    int dir = v->segment > c->segment ? log_dir_open(l->store, l->domain, l->console) : -ENOENT;
    uint64_t next = c->segment;

    if (dir < 0)
        return UINT64_MAX;
    if (end == v->segment || (end < v->segment && has_bytes(dir, end)))
        next = end; /* nearly always: no other name need be read */
    else
        do
            next = log_segment_next(dir, next, v->segment);
        while (next < v->segment && !has_bytes(dir, next));
    close(dir);
    return next;
}

/* How far the open segment goes for now. False: its files are others, open them anew. */
static bool refresh(struct log_cursor *c, const struct log_view *v)
{
    int64_t bytes, idx_bytes;
    uint64_t next;

    if (c->closed)
        return true;
    if (c->segment == v->segment && c->frames == NULL) {
        c->end = v->saved;
        c->idx_end = v->idx_bytes;
        return c->files == v->files;
    }
    bytes = c->frames != NULL ? (int64_t)log_frames_bytes(c->frames) : log_file_bytes(c->log_fd);
    idx_bytes = c->idx_fd < 0 ? 0 : log_file_bytes(c->idx_fd);
    c->end = c->segment + (bytes > 0 ? (uint64_t)bytes : 0);
    next = next_start(c, v, c->end);
    c->end = c->end < next ? c->end : next;
    c->idx_end = idx_bytes > 0 ? (uint64_t)idx_bytes : 0;
    c->closed = true;
    return true;
}

void log_cursor_pass(struct log_cursor *c)
{
    if (!c->beyond || c->offset <= c->shown_at)
        return;
    c->shown_at = c->offset;
    c->n_shown = 0;
}

/* True: it was shown while it was in memory. Those that stand where the last of them did are counted off. */
static bool shown_before(struct log_cursor *c, const struct vc_index_record *r)
{
    if (!c->beyond || r->offset > c->shown_at || (r->offset == c->shown_at && c->n_shown == 0))
        return false;
    c->n_shown -= r->offset == c->shown_at;
    return true;
}

static bool shown(struct log_cursor *c, const struct vc_index_record *r)
{
    return r->kind < 32 && (c->kinds & LOG_KIND(r->kind)) != 0 && r->offset >= c->from &&
           log_record_ok(r, c->segment, c->end) && !shown_before(c, r);
}

/* The next record to be shown, or NULL. What is damaged or not asked for is passed over for good. */
static const struct vc_index_record *next_record(struct log_cursor *c)
{
    for (;;) {
        uint64_t left = c->idx_end > c->idx_at ? (c->idx_end - c->idx_at) / VC_INDEX_RECORD_BYTES : 0;
        int n;

        for (; c->next_record < c->n_records; c->next_record++)
            if (shown(c, &c->records[c->next_record]))
                return &c->records[c->next_record];
        c->n_records = c->next_record = 0;
        if (left == 0 || c->idx_fd < 0 || c->kinds == 0)
            return NULL;
        n = log_records_read(c->idx_fd, c->idx_at, c->records,
                             left < LOG_CURSOR_RECORDS ? (unsigned)left : LOG_CURSOR_RECORDS);
        if (n <= 0)
            return NULL;
        c->n_records = (uint32_t)n;
        c->idx_at += (uint64_t)n * VC_INDEX_RECORD_BYTES;
    }
}

/* Pass over the records of bytes before the cursor. Records stand by offset; where one is damaged, all are looked at. */
static void seek_index(struct log_cursor *c)
{
    uint64_t low = 0, high = c->idx_end / VC_INDEX_RECORD_BYTES;
    struct vc_index_record r;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (log_records_read(c->idx_fd, middle * sizeof r, &r, 1) != 1 || !log_record_ok(&r, c->segment, c->end))
            break;
        if (r.offset < c->offset)
            low = middle + 1;
        else
            high = middle;
    }
    c->idx_at = low * sizeof r;
}

/* The segment where the cursor's next byte stands; or the first behind it. -ENOENT: none is left. */
static int find_segment(struct log_cursor *c, int dir, const struct log_view *v)
{
    const struct log_segment *s;
    struct log_segments list;
    int error;

    if (c->offset >= v->segment && open_segment(c, dir, v->segment, v) == 0)
        return 0;
    error = log_segments_recall(&list, c->log->store, dir);
    s = log_segment_at(&list, dir, c->offset);
    if (error == 0)
        error = s == NULL ? -ENOENT : open_segment(c, dir, s->start, v);
    log_segments_finish(&list);
    return error;
}

/* The segment that comes after the open one. -ENOENT: there is none. */
static int follow_segment(struct log_cursor *c, int dir, const struct log_view *v)
{
    struct log_segments list;
    int error;

    if (c->end > c->segment && open_segment(c, dir, c->end, v) == 0)
        return 0;
    error = log_segments_recall(&list, c->log->store, dir);
    for (size_t i = 0; i < list.n && error == 0; i++)
        if (list.at[i].start > c->segment && (i == list.n - 1 || log_segment_has_content(&list, i, dir))) {
            error = open_segment(c, dir, list.at[i].start, v);
            log_segments_finish(&list);
            return error;
        }
    log_segments_finish(&list);
    return error != 0 ? error : -ENOENT;
}

typedef int step(struct log_cursor *c, int dir, const struct log_view *v);

/* -ENOENT means that it is really not there: a segment that retention took while it was opened is tried again. */
static int take_step(struct log_cursor *c, step *how)
{
    const struct log *l = c->log;
    int error = -ENOENT;

    for (int i = 0; i < TRIES && error == -ENOENT; i++) {
        struct log_view v;
        int dir = log_dir_open(l->store, l->domain, l->console);

        if (dir < 0)
            return dir;
        log_view_get(l, &v);
        error = how(c, dir, &v);
        close(dir);
    }
    return error;
}

int log_cursor_open(struct log_cursor *c, const struct log *l, uint64_t offset, uint32_t kinds)
{
    struct log_status status;
    struct log_view v;
    int error;

    log_status_get(l, &status);
    if (offset < status.oldest)
        offset = status.oldest;
    if (offset > status.length)
        offset = status.length;
    *c = (struct log_cursor){
        .log = l, .offset = offset, .from = offset, .kinds = kinds, .log_fd = -1, .idx_fd = -1, .open = true};
    error = take_step(c, find_segment);
    if (error == -ENOENT)
        return 0; /* nothing is there, or yet: looked for again by each next */
    if (error == 0) {
        c->lost = 0; /* retention was faster: it begins where history does now */
        c->from = c->offset;
        log_view_get(l, &v);
        if (refresh(c, &v))
            seek_index(c);
    }
    return error;
}

void log_cursor_close(struct log_cursor *c)
{
    if (c->open)
        drop_files(c);
    *c = (struct log_cursor){.log_fd = -1, .idx_fd = -1};
}

/* History that is gone, or damaged: what the cursor had to pass over (R45). */
void log_cursor_show_lost(struct log_cursor *c, struct log_item *item)
{
    item->kind = LOG_MARK;
    item->record = (struct vc_index_record){.offset = c->offset, .kind = VC_INDEX_GAP, .value = c->lost};
    log_record_seal(&item->record);
    c->lost = 0;
}

/* What stands next in the open segment; false: nothing more in it. */
static bool show(struct log_cursor *c, struct log_item *item)
{
    const struct vc_index_record *r;
    uint64_t until = c->end;

    item->offset = c->offset;
    if (c->lost > 0) {
        log_cursor_show_lost(c, item);
        return true;
    }
    r = next_record(c);
    if (r != NULL && r->offset <= c->offset) {
        item->kind = LOG_MARK;
        item->record = *r;
        c->next_record++;
        return true;
    }
    if (r != NULL && r->offset < until)
        until = r->offset;
    if (c->offset >= until)
        return false;
    item->kind = LOG_BYTES;
    item->n = until - c->offset;
    item->position = c->offset - c->segment;
    item->fd = c->log_fd;
    return true;
}

/* All that is in files was shown, but not what is in memory, if anything. */
static bool beyond_files(const struct log_cursor *c, const struct log_view *v)
{
    return v->saved < v->length && c->offset >= v->saved && has_segment(c) && c->segment == v->segment;
}

/* There is no file behind the cursor: what is before memory is lost. False: nothing is in memory. */
static bool leave_files(struct log_cursor *c, const struct log_view *v)
{
    if (v->saved == v->length)
        return false;
    if (c->offset < v->saved) {
        c->lost += v->saved - c->offset;
        c->offset = v->saved;
    }
    return true;
}

enum looked { LOOKED_DONE, LOOKED_AGAIN, LOOKED_FURTHER }; /* AGAIN: with a new view; FURTHER: in another segment */

static enum looked look(struct log_cursor *c, const struct log_view *v, bool left, struct log_item *item)
{
    if (has_segment(c) && !refresh(c, v)) {
        remember(c);
        drop_files(c); /* made anew under the same name: an index that grew without bytes, or deleted files */
    }
    log_cursor_pass(c);
    if (has_segment(c) && show(c, item))
        return LOOKED_DONE;
    if (left || beyond_files(c, v))
        return log_memory_next(c, item) == LOG_MEMORY_DISK ? LOOKED_AGAIN : LOOKED_DONE; /* it was saved just now */
    return has_segment(c) && !c->closed ? LOOKED_DONE : LOOKED_FURTHER;
}

int log_cursor_next(struct log_cursor *c, struct log_item *item)
{
    bool left = false; /* the files */
    int error = 0;

    *item = (struct log_item){.kind = LOG_NOTHING, .fd = -1};
    while (error == 0 || left) {
        struct log_view v;
        enum looked looked;

        log_view_get(c->log, &v);
        looked = look(c, &v, left, item);
        if (looked == LOOKED_DONE)
            return 0;
        left = false;
        error = looked == LOOKED_AGAIN ? 0 : take_step(c, has_segment(c) ? follow_segment : find_segment);
        left = error == -ENOENT && leave_files(c, &v);
    }
    return error == -ENOENT ? 0 : error;
}

static ptrdiff_t read_raw(const struct log_item *item, void *bytes, size_t size)
{
    ssize_t n;

    do
        n = pread(item->fd, bytes, size, (off_t)item->position);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* What was shown in memory is in a file meanwhile. */
static int find_saved(struct log_cursor *c, struct log_item *item)
{
    struct log_view v;
    int error = 0;

    log_view_get(c->log, &v);
    if (c->log_fd < 0 || c->segment != v.segment) {
        error = take_step(c, find_segment);
        log_view_get(c->log, &v);
        if (error == 0 && refresh(c, &v))
            seek_index(c);
    }
    item->fd = c->log_fd;
    item->position = c->offset - c->segment;
    return error;
}

static ptrdiff_t read_unsaved(struct log_cursor *c, const struct log_item *item, void *bytes, size_t size)
{
    struct log_item saved = *item;
    ptrdiff_t n;
    int error;

    if (log_memory_read(c, item, bytes, size, &n) != LOG_MEMORY_DISK)
        return n;
    error = find_saved(c, &saved);
    if (error != 0)
        return error;
    return c->lost > 0 ? 0 : log_cursor_read(c, &saved, bytes, size);
}

ptrdiff_t log_cursor_read(struct log_cursor *c, const struct log_item *item, void *bytes, size_t size)
{
    uint64_t lost = item->n;
    ptrdiff_t n;

    size = size < item->n ? size : item->n;
    if (item->fd < 0 && c->frames == NULL)
        return read_unsaved(c, item, bytes, size);
    n = c->frames == NULL ? read_raw(item, bytes, size)
                          : log_frames_read(c->log->store, c->frames, item->position, bytes, size, &lost);
    if (n != 0)
        return n;
    lost = lost < item->n ? lost : item->n;
    c->offset += lost; /* forward in any case */
    c->lost += lost;
    return 0;
}

void log_cursor_take(struct log_cursor *c, uint64_t n) { c->offset += n; }
