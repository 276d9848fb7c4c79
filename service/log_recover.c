/* SPDX-License-Identifier: MIT */
#include "host/crc32c.h"
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH     256u  /* records read at once */
#define LOOK_BACK 4096u /* damaged records that are passed over, at most */

struct repair { /* of one segment */
    struct log_segment segment;
    int log_fd, idx_fd;
    bool verify;                    /* the machine was restarted: believe only what a CRC vouches for */
    uint64_t end;                   /* of the bytes to keep */
    uint64_t idx_bytes;             /* of the records to keep */
    struct vc_index_record last;    /* of those; kind 0: there is none */
    struct vc_index_record unsaved; /* kind 0: none, all was in files */
    uint8_t *buffer;                /* VC_INDEX_CRC_BLOCK, then BATCH records */
    /* while verifying */
    uint64_t block, at; /* the bytes [block, at) have this crc */
    uint32_t crc;
};

/* Move the running checksum on to offset; false: the file ends before, or the block is over. */
static bool feed(struct repair *p, uint64_t offset)
{
    if (offset - p->block > VC_INDEX_CRC_BLOCK)
        return false; /* the record that closes the block is missing */
    while (p->at < offset) {
        ssize_t n = pread(p->log_fd, p->buffer, offset - p->at, (off_t)(p->at - p->segment.start));

        if (n <= 0)
            return false;
        p->crc = crc32c(p->crc, p->buffer, (size_t)n);
        p->at += (uint64_t)n;
    }
    return true;
}

/* True: the record does not speak of bytes, or these bytes are what it says, and then all up to it are good. */
static bool vouch(struct repair *p, const struct vc_index_record *r)
{
    bool closes = r->kind == VC_INDEX_CRC;

    if (r->kind != VC_INDEX_TIME && !closes)
        return true;
    if (!feed(p, r->offset) || p->crc != r->value || (closes && r->offset - p->block != VC_INDEX_CRC_BLOCK))
        return false;
    p->end = r->offset;
    if (closes) {
        p->block = r->offset;
        p->crc = 0;
    }
    return true;
}

/* Walk all records up to the first that is not right, keep those that speak of bytes that are kept. */
static int walk(struct repair *p)
{
    struct vc_index_record *r = (struct vc_index_record *)(p->buffer + VC_INDEX_CRC_BLOCK);
    uint64_t at = 0, low = p->segment.start, high = low + p->segment.bytes;
    int n;

    p->block = p->at = low;
    p->end = p->verify ? low : high;
    while ((n = log_records_read(p->idx_fd, at, r, BATCH)) > 0)
        for (int i = 0; i < n; i++, at += sizeof *r) {
            if (!log_record_ok(&r[i], low, high) || (p->verify && !vouch(p, &r[i])))
                return 0;
            low = r[i].offset;
            if (r[i].offset <= p->end) {
                p->idx_bytes = at + sizeof *r;
                p->last = r[i];
            }
        }
    return n;
}

/* Only this program died: what it wrote is there, at most the newest record is torn. So look at that alone. */
static bool tail_ok(struct repair *p)
{
    uint64_t start = p->segment.start, whole = p->segment.idx_bytes - p->segment.idx_bytes % sizeof p->last;

    if (whole == 0 || log_records_read(p->idx_fd, whole - sizeof p->last, &p->last, 1) != 1 ||
        !log_record_ok(&p->last, start, start + p->segment.bytes)) {
        p->last = (struct vc_index_record){0};
        return false;
    }
    p->end = start + p->segment.bytes;
    p->idx_bytes = whole;
    return true;
}

/*
 * It died while the disk was full: what was in memory only is lost. Offsets do not go back, so history goes on behind that.
 * Where this cannot be said of the bytes before (verify), the lost ones are some more of what is cut.
 */
static bool unsaved_ok(struct repair *p)
{
    uint64_t end = p->segment.start + p->segment.bytes,
             whole = p->segment.idx_bytes - p->segment.idx_bytes % sizeof p->last;

    if (p->verify || whole <= sizeof p->last ||
        log_records_read(p->idx_fd, whole - sizeof p->last, &p->unsaved, 1) != 1 ||
        !log_record_ok(&p->unsaved, end, LOG_OFFSET_MAX) || p->unsaved.kind != VC_INDEX_UNSAVED) {
        p->unsaved.kind = 0;
        return false;
    }
    p->segment.idx_bytes = whole - sizeof p->last; /* for tail_ok */
    return true;
}

static bool first_ok(const struct repair *p, struct vc_index_record *first)
{
    uint64_t start = p->segment.start;

    return log_records_read(p->idx_fd, 0, first, 1) == 1 && log_record_ok(first, start, start) &&
           first->kind == VC_INDEX_START;
}

/* The checksum of the last block, as far as it goes: appending goes on from there. */
static int resume_block(struct log *l, struct repair *p)
{
    p->block = p->at = p->end - (p->end - p->segment.start) % VC_INDEX_CRC_BLOCK;
    p->crc = 0;
    if (!feed(p, p->end))
        return -EIO;
    l->crc = p->crc;
    return 0;
}

static void take_state(struct log *l, const struct vc_index_record *last, uint64_t end)
{
    memcpy(l->line_id, last->line_id, sizeof l->line_id);
    l->line_index = last->line_index + (uint32_t)(end - last->offset);
    l->event = last->event;
    l->boot = last->boot;
}

/* Cut what is not good. The segment is then as long as the log, to the byte. */
static int cut(struct repair *p, uint64_t *lost)
{
    uint64_t claimed = p->segment.start + p->segment.bytes;
    struct vc_index_record r;
    uint64_t whole = p->segment.idx_bytes - p->segment.idx_bytes % sizeof r;

    if (whole > 0 && log_records_read(p->idx_fd, whole - sizeof r, &r, 1) == 1 &&
        log_record_ok(&r, claimed, claimed + INT64_MAX / 2))
        claimed = r.offset; /* the index saw more bytes than there are, or they never came out of memory */
    *lost = claimed - p->end;
    if (p->segment.bytes > p->end - p->segment.start && ftruncate(p->log_fd, (off_t)(p->end - p->segment.start)) != 0)
        return -errno;
    if (p->unsaved.kind == 0 && p->segment.idx_bytes > p->idx_bytes && ftruncate(p->idx_fd, (off_t)p->idx_bytes) != 0)
        return -errno;
    return 0;
}

/*
 * Bytes that had no offset, beside those that are recorded. A gap that came out of memory just before the death may be counted in
 * UNSAVED too, which was written first: the line's own count tells.
 */
static uint64_t missing(const struct repair *p)
{
    const struct vc_index_record *u = &p->unsaved, *last = &p->last;
    uint32_t by_line = u->line_index - last->line_index - (uint32_t)(u->offset - last->offset);
    bool same = last->kind == VC_INDEX_GAP && memcmp(u->line_id, last->line_id, sizeof u->line_id) == 0;

    return same && last->value <= u->value && by_line == u->value - last->value ? by_line : u->value;
}

static void go_behind_unsaved(struct log *l, struct repair *p, uint64_t *lost)
{
    take_state(l, &p->unsaved, p->unsaved.offset);
    *lost = missing(p);
    store64(&l->discarded, p->unsaved.offset - l->length);
    l->length = p->unsaved.offset;
}

/* In the segment itself. False in *keep: appending goes on in another. */
static int repair(struct log *l, struct repair *p, uint64_t *lost, bool *keep)
{
    struct vc_index_record first;
    bool unsaved;
    int error = 0;

    *keep = false;
    l->segment = p->segment.start;
    l->length = p->segment.start + p->segment.bytes;
    if (!first_ok(p, &first))
        return 0; /* nothing tells what these bytes are: they stay as they are, and history goes on behind them */
    p->verify = first.value != l->store->machine_boot || first.value == 0;
    unsaved = unsaved_ok(p);
    if (p->verify || !tail_ok(p))
        error = walk(p);
    if (error == 0)
        error = cut(p, lost);
    if (error != 0)
        return error;
    l->length = p->end;
    take_state(l, p->last.kind != 0 ? &p->last : &first, p->end);
    if (unsaved)
        go_behind_unsaved(l, p, lost); /* UNSAVED stays until the next segment says the same, and then does no harm */
    *keep = !p->verify && !unsaved;
    if (!*keep)
        return 0;
    l->segment_real = first.realtime_ns;
    l->idx_bytes = p->idx_bytes;
    l->marked_offset = p->last.kind == VC_INDEX_TIME ? p->last.offset : p->segment.start;
    return resume_block(l, p);
}

/* A segment that was being made when the program died: no byte, no index. */
static bool unborn(int dir, const struct log_segment *s)
{
    struct vc_index_record first;
    int fd;
    bool born;

    if (s->bytes != 0 || s->compressed)
        return false;
    fd = log_file_open(dir, s->start, ".idx", O_RDONLY);
    born = fd >= 0 && log_records_read(fd, 0, &first, 1) == 1 && log_record_ok(&first, s->start, s->start);
    if (fd >= 0)
        close(fd);
    return !born;
}

/* The state that the newest readable record of a segment tells, where the segment itself is not to be repaired. */
static void state_of(struct log *l, int dir, const struct log_segment *s)
{
    int fd = log_file_open(dir, s->start, ".idx", O_RDONLY);
    struct vc_index_record r;
    unsigned tries = LOOK_BACK;

    if (fd < 0)
        return;
    for (uint64_t at = s->idx_bytes - s->idx_bytes % sizeof r; at > 0 && tries > 0; at -= sizeof r, tries--)
        if (log_records_read(fd, at - sizeof r, &r, 1) == 1 && log_record_ok(&r, s->start, s->start + s->bytes)) {
            take_state(l, &r, s->start + s->bytes);
            break;
        }
    close(fd);
}

/*
 * The newest is closed: what came behind it was deleted. Offsets do not go back, so what is damaged of it counts by what the
 * index says of its end; and no two segments begin at one offset.
 */
static void go_on_behind(struct log *l, int dir, const struct log_segment *closed)
{
    struct log_segment s = *closed;
    uint64_t at = s.idx_bytes - s.idx_bytes % VC_INDEX_RECORD_BYTES;
    int fd = log_file_open(dir, s.start, ".idx", O_RDONLY);
    struct vc_index_record r;

    if (fd >= 0 && at > 0 && log_records_read(fd, at - sizeof r, &r, 1) == 1 &&
        log_record_ok(&r, s.start + s.bytes, LOG_OFFSET_MAX))
        s.bytes = r.offset - s.start;
    if (fd >= 0)
        close(fd);
    if (s.bytes == 0)
        s.bytes = 1;
    state_of(l, dir, &s);
    l->segment = s.start;
    l->length = s.start + s.bytes;
}

static int repair_newest(struct log *l, int dir, const struct log_segments *list, uint64_t *lost)
{
    struct repair p = {.segment = list->at[list->n - 1]};
    bool keep = false;
    int error;

    if (p.segment.compressed) {
        go_on_behind(l, dir, &p.segment);
        return 0;
    }
    if (list->n > 1)
        state_of(l, dir, &list->at[list->n - 2]); /* the boot, should the newest not tell */
    memset(l->line_id, 0, sizeof l->line_id);
    p.log_fd = log_file_open(dir, p.segment.start, ".log", O_RDWR);
    if (p.log_fd < 0)
        return p.log_fd;
    p.idx_fd = log_file_open(dir, p.segment.start, ".idx", O_RDWR | O_CREAT);
    p.buffer = malloc(VC_INDEX_CRC_BLOCK + BATCH * sizeof p.last);
    error = p.idx_fd < 0 ? p.idx_fd : p.buffer == NULL ? -ENOMEM : repair(l, &p, lost, &keep);
    free(p.buffer);
    if (error == 0 && keep) {
        l->log_fd = p.log_fd;
        l->idx_fd = p.idx_fd;
        log_index_reserve(l);
        return 0;
    }
    close(p.log_fd);
    if (p.idx_fd >= 0)
        close(p.idx_fd);
    return error;
}

static int newest(struct log *l, int dir, struct log_segments *list)
{
    int error = log_segments_read(list, dir);

    if (error != 0)
        return error;
    while (list->n > 1 && unborn(dir, &list->at[list->n - 1])) {
        if (l->writes)
            (void)log_segment_delete(dir, &list->at[list->n - 1]);
        list->n--;
    }
    store64(&l->oldest, list->n > 0 ? list->at[0].start : 0); /* tidying may look already */
    store64(&l->bytes, list->bytes);
    return 0;
}

int log_recover(struct log *l, int dir, uint64_t *lost)
{
    struct log_segments list;
    int error = newest(l, dir, &list);

    *lost = 0;
    if (error == 0 && list.n > 0) {
        uint64_t more = log_indices_rebuild(l->store, dir, &list, list.n - 1);

        log_store_account(l->store, l, more);
        error = repair_newest(l, dir, &list, lost);
    }
    if (error == 0 && list.n > 0 && !list.at[list.n - 1].compressed)
        log_point_current(dir, list.at[list.n - 1].start); /* a death may have left it behind */
    log_segments_finish(&list);
    if (error == 0) {
        l->recovered = true;
        l->files++;
    }
    return error;
}

int log_recover_view(struct log *l, int dir)
{
    struct log_segments list;
    int error = newest(l, dir, &list);

    if (error == 0 && list.n == 0)
        error = -ENOENT;
    if (error == 0) {
        const struct log_segment *s = &list.at[list.n - 1];

        state_of(l, dir, s);
        l->segment = s->start;
        l->length = s->start + s->bytes;
        l->idx_bytes = s->idx_bytes - s->idx_bytes % VC_INDEX_RECORD_BYTES;
    }
    log_segments_finish(&list);
    return error;
}
