/* SPDX-License-Identifier: MIT */
#include "log_memory.h"
#include <assert.h>
#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct log_memory) + 128 * sizeof(struct vc_index_record) < LOG_SLOT_BYTES, "room for marks");

/* Slots for bytes that one log may have: of a pool that is too small for all each gets as much. */
static uint32_t share(const struct log *l)
{
    uint32_t logs = __atomic_load_n(&l->store->n_logs, __ATOMIC_RELAXED);
    uint32_t each = l->store->pool.n_slots / (logs > 0 ? logs : 1);

    each = each > 2 ? each - 1 : 1; /* one is for struct log_memory */
    return each < LOG_MEMORY_SLOTS ? each : LOG_MEMORY_SLOTS;
}

/* Places and records. */

struct log_place log_place_of(const struct log *l)
{
    struct log_place at = {.line_index = l->line_index, .boot = l->boot, .event = l->event};

    memcpy(at.line_id, l->line_id, sizeof at.line_id);
    return at;
}

void log_place_set(struct log *l, const struct log_place *at)
{
    memcpy(l->line_id, at->line_id, sizeof l->line_id);
    l->line_index = at->line_index;
    l->boot = at->boot;
    l->event = at->event;
}

static struct log_place place_in(const struct vc_index_record *r)
{
    struct log_place at = {.line_index = r->line_index, .boot = r->boot, .event = r->event};

    memcpy(at.line_id, r->line_id, sizeof at.line_id);
    return at;
}

static struct vc_index_record record_at(uint64_t offset, const struct log_place *at, enum vc_index_kind kind,
                                        uint64_t value, const struct log_time *now)
{
    struct vc_index_record r = {.offset = offset,
                                .realtime_ns = now->real_ns,
                                .mono_ns = now->mono_ns,
                                .kind = (uint16_t)kind,
                                .event = at->event,
                                .value = value,
                                .boot = at->boot,
                                .line_index = at->line_index};

    memcpy(r.line_id, at->line_id, sizeof r.line_id);
    log_record_seal(&r);
    return r;
}

struct vc_index_record log_record_moved(const struct vc_index_record *r, uint64_t offset)
{
    struct vc_index_record moved = *r;

    moved.line_index += (uint32_t)(offset - r->offset);
    moved.offset = offset;
    log_record_seal(&moved);
    return moved;
}

static uint64_t gap_sum(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

/* What is missing by the gaps among the first n records. */
static uint64_t gaps_in(const struct log_memory *m, uint32_t n)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        if (m->records[i].kind == VC_INDEX_GAP)
            sum = gap_sum(sum, m->records[i].value);
    return sum;
}

/* Bytes. */

/* Give back what lies wholly before that offset, or all if nothing is behind it; begin is there then. */
static void drop(struct log *l, uint64_t offset)
{
    struct log_memory *m = l->memory;

    for (uint64_t at = m->begin - m->begin % LOG_SLOT_BYTES; at < m->end; at += LOG_SLOT_BYTES) {
        uint16_t *slot = log_slot_of(m, at);

        if (at + LOG_SLOT_BYTES > offset && offset < m->end)
            break;
        if (*slot == LOG_NO_SLOT)
            continue;
        log_slot_give(&l->store->pool, *slot);
        *slot = LOG_NO_SLOT;
        m->n_slots--;
    }
    m->begin = offset;
}

static void lose(struct log *l, uint64_t offset)
{
    l->memory->first.line_index += (uint32_t)(offset - l->memory->begin);
    store64(&l->discarded, l->discarded + (offset - l->memory->begin));
    drop(l, offset);
}

/* A slot for the byte at the end: a free one, or else the oldest of its own, whose bytes are lost. False: there is none. */
static bool find_slot(struct log *l)
{
    struct log_memory *m = l->memory;
    uint16_t *slot = log_slot_of(m, m->end);

    if (m->end % LOG_SLOT_BYTES != 0 && m->begin < m->end)
        return true; /* the newest has room */
    if (m->n_slots >= share(l))
        lose(l, m->begin - m->begin % LOG_SLOT_BYTES + LOG_SLOT_BYTES);
    *slot = log_slot_take(&l->store->pool);
    if (*slot == LOG_NO_SLOT && m->n_slots > 0) {
        lose(l, m->begin - m->begin % LOG_SLOT_BYTES + LOG_SLOT_BYTES);
        *slot = log_slot_take(&l->store->pool);
    }
    m->n_slots += *slot != LOG_NO_SLOT;
    return *slot != LOG_NO_SLOT;
}

static void put(struct log *l, const uint8_t *p, uint64_t n)
{
    struct log_memory *m = l->memory;

    while (n > 0) {
        uint64_t in = m->end % LOG_SLOT_BYTES, take = LOG_SLOT_BYTES - in < n ? LOG_SLOT_BYTES - in : n;
        bool kept = find_slot(l);

        if (kept)
            memcpy(log_slot_at(&l->store->pool, *log_slot_of(m, m->end)) + in, p, take);
        m->end += take;
        m->last.line_index += (uint32_t)take;
        if (!kept)
            lose(l, m->end);
        p += take;
        n -= take;
    }
}

struct vc_span log_memory_piece(const struct log *l, uint64_t limit)
{
    struct log_memory *m = l->memory;
    uint64_t in = m->begin % LOG_SLOT_BYTES, n = LOG_SLOT_BYTES - in;

    n = n < m->end - m->begin ? n : m->end - m->begin;
    n = n < limit ? n : limit;
    if (n == 0)
        return (struct vc_span){NULL, 0};
    return (struct vc_span){log_slot_at(&l->store->pool, *log_slot_of(m, m->begin)) + in, (uint32_t)n};
}

/* Records. */

static void remove_records(struct log_memory *m, uint32_t n)
{
    m->n_records -= n;
    memmove(m->records, m->records + n, m->n_records * sizeof m->records[0]);
}

static void forget_times(struct log_memory *m)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->n_records; i++)
        if (m->records[i].kind != VC_INDEX_TIME)
            m->records[n++] = m->records[i];
    m->n_records = n;
}

/* So many marks that there is no room: the older half is lost, with the bytes before the others. What is missing stays exact. */
static void fold(struct log *l)
{
    struct log_memory *m = l->memory;
    uint32_t n = m->n_records / 2;
    uint64_t offset = m->records[n].offset > m->begin ? m->records[n].offset : m->begin, gaps = gaps_in(m, n);
    struct vc_index_record newest = log_record_moved(&m->records[n - 1], offset);

    newest.crc32c = m->records[n - 1].crc32c;
    lose(l, offset);
    m->first = place_in(&newest);
    l->marks_lost += n;
    remove_records(m, gaps > 0 ? n - 1 : n);
    if (gaps > 0) {
        newest.kind = VC_INDEX_GAP;
        newest.value = gaps;
        m->records[0] = newest;
    }
}

/* Readers tell by numbers which they have shown: records move, and leave from anywhere. */
static struct vc_index_record record_numbered(const struct vc_index_record *r, uint32_t number)
{
    struct vc_index_record numbered = *r;

    numbered.crc32c = number;
    return numbered;
}

static void add_record(struct log *l, const struct vc_index_record *r)
{
    struct log_memory *m = l->memory;
    struct vc_index_record *newest = m->n_records > 0 ? &m->records[m->n_records - 1] : NULL;

    if (newest != NULL && newest->kind == VC_INDEX_GAP && r->kind == VC_INDEX_GAP && newest->offset == r->offset &&
        memcmp(newest->line_id, r->line_id, sizeof r->line_id) == 0) { /* it grows */
        uint64_t value = gap_sum(newest->value, r->value);

        *newest = record_numbered(r, newest->crc32c);
        newest->value = value;
        return;
    }
    if (m->n_records == LOG_MEMORY_RECORDS) {
        forget_times(m);
        if (m->n_records > LOG_MEMORY_TIMES)
            fold(l);
    }
    m->records[m->n_records++] = record_numbered(r, l->n_marks++);
}

/* As log_append does it: not for each of many short ones. */
static void add_time(struct log *l, const struct log_time *now)
{
    struct log_memory *m = l->memory;
    struct vc_index_record r = record_at(m->end, &m->last, VC_INDEX_TIME, 0, now);

    m->marked_offset = m->end;
    m->marked_mono = now->mono_ns;
    if (m->n_records < LOG_MEMORY_TIMES)
        add_record(l, &r);
}

/* The appending thread's. */

static void lock(const struct log *l) { pthread_mutex_lock(&l->store->pool.lock); }
static void unlock(const struct log *l) { pthread_mutex_unlock(&l->store->pool.lock); }

/* What is known of the files' end goes before: a time mark while there may be room for it, and a gap that grew there. */
static void take_over(struct log *l, const struct log_time *now)
{
    struct vc_index_record gap = log_record(l, VC_INDEX_GAP, l->gap, now);

    if (!l->gap_open)
        return;
    add_record(l, &gap);
    if (l->gap_stored)
        log_forget(l->store, l, VC_INDEX_RECORD_BYTES); /* what stands there is overwritten */
    l->gap_open = l->gap_stored = false;
    l->gap = 0;
}

bool log_memory_begin(struct log *l, const struct log_time *now)
{
    struct log_pool *p = &l->store->pool;
    struct log_memory *m;
    uint16_t slot;

    if (p->n_slots == 0)
        return false;
    lock(l);
    slot = log_slot_take(p);
    unlock(l);
    if (slot == LOG_NO_SLOT)
        return false;
    if (!l->gap_open && l->idx_fd >= 0 && l->marked_offset != l->length)
        (void)log_time_mark(l, now);
    m = (struct log_memory *)(void *)log_slot_at(p, slot);
    *m = (struct log_memory){.disk = l->length, .begin = l->length, .end = l->length, .marked_offset = l->length};
    m->first = m->last = log_place_of(l);
    memset(m->slots, 0xff, sizeof m->slots);
    lock(l);
    l->memory = m;
    take_over(l, now);
    unlock(l);
    return true;
}

void log_memory_put(struct log *l, const struct vc_span spans[2], uint64_t skip, const struct log_time *now)
{
    struct log_memory *m = l->memory;

    lock(l);
    for (int i = 0; i < 2; i++) {
        uint64_t from = skip < spans[i].n ? skip : spans[i].n;

        skip -= from;
        put(l, spans[i].bytes + from, spans[i].n - from);
    }
    if (now->mono_ns - m->marked_mono >= LOG_MARK_NS + log_share_ns(l))
        add_time(l, now);
    unlock(l);
    (void)log_unsaved_write(l, l->idx_bytes, now);
}

void log_memory_mark(struct log *l, enum vc_index_kind kind, uint64_t value, const struct log_time *now)
{
    struct log_memory *m = l->memory;
    struct vc_index_record r = record_at(m->end, &m->last, kind, value, now);

    lock(l);
    add_record(l, &r);
    unlock(l);
    (void)log_unsaved_write(l, l->idx_bytes, now);
}

bool log_memory_settle(struct log *l, const struct log_time *now)
{
    bool due = l->memory->marked_offset != l->memory->end;

    lock(l);
    if (due)
        add_time(l, now);
    unlock(l);
    return due;
}

void log_memory_lose(struct log *l, uint64_t offset)
{
    lock(l);
    lose(l, offset);
    unlock(l);
}

void log_memory_move(struct log *l, uint64_t offset)
{
    struct log_memory *m = l->memory;

    assert(m->begin == m->end && m->end <= offset);
    lock(l);
    m->disk = m->begin = m->end = offset;
    unlock(l);
}

void log_memory_saved(struct log *l, uint64_t disk, uint32_t n)
{
    struct log_memory *m = l->memory;

    lock(l);
    drop(l, disk);
    m->disk = disk;
    m->first = log_place_of(l);
    remove_records(m, n);
    unlock(l);
}

void log_memory_end(struct log *l)
{
    struct log_pool *p = &l->store->pool;

    lock(l);
    for (uint32_t i = 0; i < LOG_MEMORY_SLOTS; i++)
        if (l->memory->slots[i] != LOG_NO_SLOT)
            log_slot_give(p, l->memory->slots[i]);
    log_slot_give(p, (uint16_t)(((uint8_t *)l->memory - p->at) / LOG_SLOT_BYTES));
    l->memory = NULL;
    unlock(l);
}

/* The last of the file: where a record was refused, one that was written ahead of it may stand behind the place that is asked for. */
static uint64_t last_place(const struct log *l, uint64_t at)
{
    int64_t bytes = log_file_bytes(l->idx_fd);
    uint64_t whole = bytes > 0 ? (uint64_t)bytes - (uint64_t)bytes % VC_INDEX_RECORD_BYTES : 0;

    return whole > at + VC_INDEX_RECORD_BYTES ? whole - VC_INDEX_RECORD_BYTES : at;
}

int log_unsaved_write(struct log *l, uint64_t at, const struct log_time *now)
{
    const struct log_memory *m = l->memory;
    struct vc_index_record r = record_at(m->end, &m->last, VC_INDEX_UNSAVED, gaps_in(m, m->n_records), now);

    return l->idx_fd < 0 ? -EBADF : log_record_write_at(l, &r, last_place(l, at));
}
