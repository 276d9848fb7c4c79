/* SPDX-License-Identifier: MIT */
/* What is in memory goes into files, now that the disk takes it: byte by byte and mark by mark as it came. */
#include "log_memory.h"
#include <errno.h>
#include <unistd.h>

/* Files that could not be read hold more than was thought: history goes on behind that, and says what had its place here. */
static int go_behind(struct log *l, const struct log_time *now)
{
    struct log_memory *m = l->memory;
    uint64_t lost = (l->length < m->end ? l->length : m->end) - m->begin;
    struct vc_index_record r;

    log_memory_lose(l, m->begin + lost);
    if (l->length > m->end)
        log_memory_move(l, l->length);
    log_place_set(l, &m->first);
    r = log_record(l, VC_INDEX_GAP, lost, now);
    return lost == 0 ? 0 : log_records_write(l, &r, 1);
}

/* A segment without a byte or a mark, which another took the place of. */
static void forget_empty(struct log *l, uint64_t start)
{
    int dir = log_dir_open(l->store, l->domain, l->console);
    struct log_segment empty = {.start = start};

    if (dir < 0)
        return;
    empty.idx_bytes = log_file_size(dir, start, ".idx", NULL);
    log_forget(l->store, l, log_segment_delete(dir, &empty));
    close(dir);
}

/* Over what was lost: history goes on in a segment that begins behind it. */
static int jump(struct log *l, const struct log_time *now)
{
    struct log_place was = log_place_of(l);
    uint64_t length = l->length, segment = l->segment, marked;
    bool empty = l->log_fd >= 0 && length == segment && l->idx_bytes <= VC_INDEX_RECORD_BYTES;
    int error;

    if (l->idx_fd >= 0 && l->marked_offset != l->length)
        (void)log_time_mark(l, now);
    marked = l->marked_offset;
    log_place_set(l, &l->memory->first);
    l->length = l->marked_offset = l->memory->begin;
    error = log_rotate(l, now);
    if (error != 0) {
        log_place_set(l, &was);
        l->length = length;
        l->marked_offset = marked;
        return error;
    }
    log_memory_saved(l, l->length, 0);
    if (empty && segment > load64(&l->oldest)) /* the very first tells who begins there what is lost */
        forget_empty(l, segment);
    return 0;
}

static int save_bytes(struct log *l, uint64_t n, const struct log_time *then, const struct log_time *now)
{
    struct vc_span spans[2] = {log_memory_piece(l, n), {NULL, 0}};
    uint64_t done = 0;
    int error = log_prepare(l, now);

    if (error == 0)
        error = log_store_chunk(l, spans, &done, then);
    log_publish(l); /* before these bytes leave memory: readers find them in one of the two */
    log_memory_saved(l, l->length, 0);
    return error;
}

static int save_record(struct log *l, const struct vc_index_record *r, const struct log_time *then)
{
    struct vc_index_record moved = log_record_moved(r, l->length);
    struct log_place at = {.line_index = moved.line_index, .boot = moved.boot, .event = moved.event};
    int error = 0;

    for (size_t i = 0; i < sizeof at.line_id; i++)
        at.line_id[i] = moved.line_id[i];
    if (r->kind != VC_INDEX_TIME) {
        log_place_set(l, &at);
        error = log_records_write(l, &moved, 1);
    } else if (l->marked_offset != l->length) {
        error = log_time_mark(l, then); /* with the checksum as it is here */
    }
    if (error != 0)
        return error;
    log_publish(l);
    log_memory_saved(l, l->length, 1);
    return 0;
}

/* What stands at begin: bytes up to the next record, or that. They are dated as they were, as near as is known. */
static int save_next(struct log *l, const struct log_time *now)
{
    struct log_memory *m = l->memory;
    struct vc_index_record r = {.offset = m->end, .realtime_ns = now->real_ns, .mono_ns = now->mono_ns};
    struct log_time then;

    if (m->n_records > 0)
        r = m->records[0];
    then = (struct log_time){r.realtime_ns, r.mono_ns};
    if (r.offset > m->begin)
        return save_bytes(l, r.offset - m->begin, &then, now);
    return save_record(l, &r, &then);
}

/* The record that spoke of what was unsaved is behind the newest: it goes, and with it the room that was kept. */
static void end(struct log *l, const struct log_time *now)
{
    struct log_place last = l->memory->last;

    log_memory_end(l);
    log_place_set(l, &last);
    if (l->marked_offset != l->length)
        (void)log_time_mark(l, now);
    if (ftruncate(l->idx_fd, (off_t)l->idx_bytes) == 0)
        l->idx_room = 0;
    log_index_reserve(l);
}

int log_save(struct log *l, const struct log_time *now)
{
    struct log_memory *m = l->memory;
    int error = log_ensure_files(l, now);

    if (error == 0 && m->begin < l->length)
        error = go_behind(l, now);
    if (error == 0 && m->begin > l->length)
        error = jump(l, now);
    while (error == 0 && (m->begin < m->end || m->n_records > 0))
        error = save_next(l, now);
    if (error == 0)
        end(l, now);
    return error;
}
