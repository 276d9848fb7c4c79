/* SPDX-License-Identifier: MIT */
/* Readers of what is in memory only: cursors that have passed the files' end. */
#include "log_memory.h"
#include <string.h>

/* What is lost before the bytes that are here. Under the lock. */
static void pass_hole(struct log_cursor *c, const struct log_memory *m, uint64_t most)
{
    uint64_t lost = m->begin - c->offset < most ? m->begin - c->offset : most;

    c->lost += lost;
    c->offset += lost;
}

/* The first record that the cursor has not shown. Under the lock. */
static const struct vc_index_record *find_record(const struct log_cursor *c, const struct log_memory *m)
{
    for (uint32_t i = 0; i < m->n_records; i++) {
        const struct vc_index_record *r = &m->records[i];
        uint64_t at = r->offset > m->begin ? r->offset : m->begin;

        if ((c->kinds & LOG_KIND(r->kind)) == 0 || at < c->offset || at < c->from ||
            (c->beyond && (int32_t)(r->crc32c - c->next_mark) < 0))
            continue;
        if (i + 1 == m->n_records && r->kind == VC_INDEX_GAP && at == m->end)
            return NULL; /* it may grow */
        return r;
    }
    return NULL;
}

static void show_record(struct log_cursor *c, const struct vc_index_record *r, struct log_item *item)
{
    item->kind = LOG_MARK;
    item->record = log_record_moved(r, c->offset);
    c->next_mark = r->crc32c + 1;
    c->n_shown++;
}

/* Under the lock. */
static enum log_memory_answer show_next(struct log_cursor *c, const struct log_memory *m, struct log_item *item)
{
    const struct vc_index_record *r;
    uint64_t until = m->end;

    if (c->offset < m->begin)
        pass_hole(c, m, UINT64_MAX);
    item->offset = c->offset;
    if (c->lost > 0) {
        log_cursor_show_lost(c, item);
        return LOG_MEMORY_SHOWN;
    }
    r = find_record(c, m);
    if (!c->beyond)
        c->next_mark = m->n_records > 0 ? m->records[0].crc32c : 0;
    c->beyond = true;
    log_cursor_pass(c);
    if (r != NULL && r->offset <= c->offset) {
        show_record(c, r, item);
        return LOG_MEMORY_SHOWN;
    }
    if (r != NULL && r->offset < until)
        until = r->offset;
    if (c->offset >= until)
        return LOG_MEMORY_NOTHING;
    item->kind = LOG_BYTES;
    item->n = until - c->offset;
    return LOG_MEMORY_SHOWN;
}

enum log_memory_answer log_memory_next(struct log_cursor *c, struct log_item *item)
{
    enum log_memory_answer answer = LOG_MEMORY_DISK;
    const struct log_memory *m;

    pthread_mutex_lock(&c->log->store->pool.lock);
    m = c->log->memory;
    if (m != NULL && c->offset >= m->disk)
        answer = show_next(c, m, item);
    pthread_mutex_unlock(&c->log->store->pool.lock);
    return answer;
}

/* Under the lock; all of it is here. */
static size_t copy(const struct log *l, uint64_t offset, uint8_t *to, size_t n)
{
    struct log_memory *m = l->memory;

    for (size_t done = 0; done < n;) {
        uint64_t in = (offset + done) % LOG_SLOT_BYTES;
        size_t take = LOG_SLOT_BYTES - in < n - done ? LOG_SLOT_BYTES - in : n - done;

        memcpy(to + done, log_slot_at(&l->store->pool, *log_slot_of(m, offset + done)) + in, take);
        done += take;
    }
    return n;
}

enum log_memory_answer log_memory_read(struct log_cursor *c, const struct log_item *item, void *bytes, size_t size,
                                       ptrdiff_t *n)
{
    enum log_memory_answer answer = LOG_MEMORY_SHOWN;
    const struct log_memory *m;

    pthread_mutex_lock(&c->log->store->pool.lock);
    m = c->log->memory;
    *n = 0;
    if (m == NULL || c->offset < m->disk)
        answer = LOG_MEMORY_DISK;
    else if (c->offset < m->begin)
        pass_hole(c, m, item->n);
    else
        *n = (ptrdiff_t)copy(c->log, c->offset, bytes, size);
    pthread_mutex_unlock(&c->log->store->pool.lock);
    return answer;
}
