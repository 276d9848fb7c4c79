/* SPDX-License-Identifier: MIT */
#include "host/crc32c.h"
#include "log_memory.h"
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECORDS_MAX  (LOG_CHUNK_BYTES / VC_INDEX_CRC_BLOCK + 2) /* whole blocks that one chunk ends, and a time mark */
#define OVER_SEGMENT 4u /* times its limit, that a segment grows to where no other can be opened */

void log_fail(struct log *l, int error, const struct log_time *now)
{
    if (l->error == 0) {
        __atomic_fetch_add(&l->store->n_failing, 1, __ATOMIC_RELAXED);
        log_tell(l, LOG_TELL_FAIL, now, "%s: output is kept in memory, as far as that goes, until it can be stored",
                 log_error_text(-error));
    }
    l->error = -error;
    l->retry_mono = now->mono_ns + LOG_RETRY_NS;
}

static void stored_again(struct log *l, const struct log_time *now)
{
    if (l->error == 0)
        return;
    l->error = 0;
    __atomic_fetch_sub(&l->store->n_failing, 1, __ATOMIC_RELAXED);
    log_tell(l, LOG_TELL_AGAIN, now, "stores again; %llu bytes were discarded since it was opened",
             (unsigned long long)l->discarded);
}

/*
 * The record of a growing gap is written over and over at the end of the index, in room reserved for that, and counts as
 * part of it once something follows: readers then see it once, with its final length.
 */
static int gap_write(struct log *l, const struct log_time *now)
{
    uint64_t at = l->idx_bytes, bytes = l->bytes;
    struct vc_index_record r = log_record(l, VC_INDEX_GAP, l->gap, now);
    int error = log_records_write(l, &r, 1);

    if (error != 0)
        return error; /* memory still has the count */
    if (l->gap_stored)
        log_forget(l->store, l, l->bytes - bytes);
    l->idx_bytes = at;
    l->gap_stored = true;
    return 0;
}

int log_gap_close(struct log *l, const struct log_time *now)
{
    int error = l->gap_open ? gap_write(l, now) : 0;

    if (!l->gap_open || error != 0)
        return error; /* what stands there may say less */
    l->idx_bytes += VC_INDEX_RECORD_BYTES;
    l->gap_open = l->gap_stored = false;
    l->gap = 0;
    return 0;
}

void log_discard(struct log *l, uint64_t n, const struct log_time *now)
{
    if (!l->gap_open && l->idx_fd >= 0 && l->marked_offset != l->length)
        (void)log_time_mark(l, now); /* vouch for what is stored while there may be room for it */
    l->gap_open = true;
    l->gap += n;
    store64(&l->discarded, l->discarded + n);
    l->line_index += (uint32_t)n;
    (void)gap_write(l, now);
}

/* The disk refused even to look at open. What was said about the line since then is newer than what the files say. */
static int recover_late(struct log *l)
{
    struct log saved = *l;
    uint64_t lost;
    bool empty;
    int error, dir = log_dir_make(l->store, l->domain, l->console, &empty);

    if (dir < 0)
        return dir;
    error = log_recover(l, dir, &lost);
    close(dir);
    memcpy(l->line_id, saved.line_id, sizeof l->line_id);
    l->line_index = saved.line_index;
    l->event = saved.event;
    l->boot = saved.boot > l->boot ? saved.boot : l->boot;
    return error;
}

int log_ensure_files(struct log *l, const struct log_time *now)
{
    int error = l->recovered ? 0 : recover_late(l);

    if (error == 0 && l->log_fd >= 0)
        error = log_check_linked(l, now);
    if (error == 0 && l->log_fd < 0)
        error = log_rotate(l, now);
    return error;
}

/* Far above the caps: retention does not keep up. Then it costs this console's own history, and its time. */
static bool log_over(const struct log *l)
{
    const struct log_limits *limits = &l->store->limits;

    return load64(&l->bytes) / 2 > load64(&l->rules.keep_bytes) || load64(&l->store->bytes) / 2 > limits->total_bytes;
}

/* The bytes that are in the segment have become old enough for one of their own. */
static bool aged(const struct log *l, const struct log_time *now)
{
    uint64_t age = load64(&l->rules.segment_age_ns);

    return age > 0 && l->length > l->segment && now->mono_ns - l->segment_mono >= age;
}

static bool is_full(const struct log *l, uint64_t times)
{
    uint64_t limit = log_segment_limit(l);

    return l->length - l->segment >= times * limit || l->idx_bytes >= times * log_index_limit(limit);
}

/* Whether the next byte is for another segment. */
static bool is_due(const struct log *l, const struct log_time *now)
{
    if (!l->rotate && now->mono_ns < l->patient_mono)
        return is_full(l, OVER_SEGMENT);
    return l->rotate || is_full(l, 1) || aged(l, now);
}

/* There are no descriptors for a new segment, and the old one is as good as it was: on in it, up to a bound. */
static bool goes_on(struct log *l, int error, const struct log_time *now)
{
    if ((error != -EMFILE && error != -ENFILE && error != -ENOMEM) || l->rotate || l->log_fd < 0 || l->idx_fd < 0 ||
        is_full(l, OVER_SEGMENT))
        return false;
    log_tell(l, LOG_TELL_FILES, now, "there is no new segment, %s: it goes on in the one it has", strerror(-error));
    l->patient_mono = now->mono_ns + NS_PER_S;
    return true;
}

/*
 * The index misses a record, and the segment has no byte: another would begin at the same offset, and its index would take the
 * place of all that this one says. So the state is told here, behind what is there.
 */
static int tell_state(struct log *l, const struct log_time *now)
{
    int error = log_gap_close(l, now);

    if (error == 0)
        error = log_time_mark(l, now);
    l->rotate = error != 0;
    return error;
}

static bool is_bare(const struct log *l)
{
    return l->rotate && l->length == l->segment && l->idx_fd >= 0 && l->idx_bytes > VC_INDEX_RECORD_BYTES &&
           !is_full(l, 1);
}

int log_prepare(struct log *l, const struct log_time *now)
{
    int error = log_ensure_files(l, now);

    if (error == 0 && is_bare(l))
        error = tell_state(l, now);
    if (error != 0)
        return error;
    if (is_due(l, now)) {
        (void)log_gap_close(l, now); /* if there is no room here, the new segment has some */
        error = log_rotate(l, now);
        if (error != 0 && goes_on(l, error, now))
            error = 0;
        if (log_over(l))
            log_shed(l);
    }
    return error != 0 ? error : log_gap_close(l, now);
}

/* What was just written, for the index: the end moves on, each block that gets whole yields a record. */
static void account_bytes(struct log *l, const uint8_t *p, uint64_t n, struct vc_index_record *r, unsigned *n_records,
                          const struct log_time *now)
{
    while (n > 0) {
        uint64_t in_block = (l->length - l->segment) % VC_INDEX_CRC_BLOCK, take = VC_INDEX_CRC_BLOCK - in_block;

        if (take > n)
            take = n;
        l->crc = crc32c(l->crc, p, take);
        l->length += take;
        l->line_index += (uint32_t)take;
        if (in_block + take == VC_INDEX_CRC_BLOCK) {
            r[(*n_records)++] = log_record(l, VC_INDEX_CRC, l->crc, now);
            l->crc = 0;
        }
        p += take;
        n -= take;
    }
}

/* The records of one write, in one write; a mark lost here means that the next byte opens a new segment. */
static void index_bytes(struct log *l, const struct iovec *iov, uint64_t n, const struct log_time *now)
{
    struct vc_index_record r[RECORDS_MAX];
    unsigned n_records = 0;
    uint64_t first = n < iov[0].iov_len ? n : iov[0].iov_len;

    account_bytes(l, iov[0].iov_base, first, r, &n_records, now);
    account_bytes(l, iov[1].iov_base, n - first, r, &n_records, now);
    if (n_records > 0 || now->mono_ns - l->marked_mono >= LOG_MARK_NS + log_share_ns(l)) {
        r[n_records++] = log_record(l, VC_INDEX_TIME, l->crc, now);
        l->marked_offset = l->length;
        l->marked_mono = now->mono_ns;
    }
    if (n_records > 0 && log_records_write(l, r, n_records) != 0) {
        l->marks_lost += n_records;
        l->rotate = true;
    }
}

int log_store_chunk(struct log *l, const struct vc_span spans[2], uint64_t *done, const struct log_time *now)
{
    struct iovec iov[2];
    uint64_t skip = *done, room = LOG_CHUNK_BYTES;
    ssize_t n;

    for (int i = 0; i < 2; i++) {
        uint64_t from = skip < spans[i].n ? skip : spans[i].n, take = spans[i].n - from;

        skip -= from;
        take = take < room ? take : room;
        room -= take;
        iov[i].iov_base = take == 0 ? NULL : (void *)(uintptr_t)(spans[i].bytes + from);
        iov[i].iov_len = take;
    }
    do
        n = pwritev(l->log_fd, iov, 2, (off_t)(l->length - l->segment));
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return n < 0 ? -errno : -EIO;
    *done += (uint64_t)n;
    log_account(l, (uint64_t)n);
    index_bytes(l, iov, (uint64_t)n, now);
    return 0;
}

static bool due(const struct log *l, const struct log_time *now)
{
    return l->error == 0 || now->mono_ns >= l->retry_mono;
}

/* What is in memory goes first. */
static void retry(struct log *l, const struct log_time *now)
{
    int error;

    if (l->memory == NULL || !due(l, now))
        return;
    error = log_save(l, now);
    if (error != 0)
        log_fail(l, error, now);
    else
        stored_again(l, now);
}

void log_retry(struct log *l, const struct log_time *now)
{
    retry(l, now);
    log_publish(l);
    log_dirty(l);
}

/* From byte done on the disk takes nothing. Returns how far they are kept. */
static uint64_t keep(struct log *l, const struct vc_span spans[2], uint64_t done, const struct log_time *now)
{
    uint64_t n = (uint64_t)spans[0].n + spans[1].n;

    if (l->memory == NULL && !log_memory_begin(l, now)) {
        log_discard(l, n - done, now);
        return done;
    }
    log_memory_put(l, spans, done, now);
    return n;
}

uint32_t log_append(struct log *l, const struct vc_span spans[2], const struct log_time *now)
{
    uint64_t n = (uint64_t)spans[0].n + spans[1].n, done = 0;
    int error = 0;

    if (n == 0)
        return 0;
    retry(l, now);
    if (l->memory == NULL && due(l, now)) {
        error = log_prepare(l, now);
        while (error == 0 && done < n)
            error = log_store_chunk(l, spans, &done, now);
        if (error != 0)
            log_fail(l, error, now);
        else
            stored_again(l, now);
    }
    if (done < n)
        done = keep(l, spans, done, now);
    log_publish(l);
    log_dirty(l);
    return (uint32_t)done;
}

void log_skip(struct log *l, uint32_t n, const struct log_time *now)
{
    if (l->memory != NULL) {
        l->memory->last.line_index += n;
        store64(&l->discarded, l->discarded + n);
        log_memory_mark(l, VC_INDEX_GAP, n, now);
    } else {
        log_discard(l, n, now);
    }
    log_publish(l);
}

uint64_t log_end(const struct log *l) { return l->memory != NULL ? l->memory->end : l->length; }

static int store_record(struct log *l, enum vc_index_kind kind, uint64_t value, const struct log_time *now)
{
    struct vc_index_record r;
    int error = 0;

    if (due(l, now)) {
        error = log_ensure_files(l, now);
        if (error == 0 && l->idx_bytes >= log_index_limit(log_segment_limit(l)))
            error = log_rotate(l, now);
        if (error != 0 && goes_on(l, error, now))
            error = 0;
        if (error != 0)
            log_fail(l, error, now);
    }
    if (error == 0)
        error = log_gap_close(l, now);
    if (error != 0)
        return error;
    r = log_record(l, kind, value, now);
    return log_records_write(l, &r, 1);
}

/* A record that stands before the next byte. If it cannot, that byte opens a segment, whose START says the same. */
static int put_record(struct log *l, enum vc_index_kind kind, uint64_t value, const struct log_time *now)
{
    int error = l->memory != NULL ? 0 : store_record(l, kind, value, now);

    if (error != 0 && log_memory_begin(l, now)) {
        l->rotate = true; /* what failed may have left something behind the newest record */
        error = 0;
    }
    if (l->memory != NULL) {
        log_memory_mark(l, kind, value, now);
    } else if (error != 0) {
        l->marks_lost++;
        l->rotate = true;
    }
    log_publish(l);
    log_dirty(l);
    return error;
}

/* Of the source, at the end of the history. */
static void place_get(const struct log *l, struct log_place *at)
{
    *at = l->memory != NULL ? l->memory->last : log_place_of(l);
}

static void place_set(struct log *l, const struct log_place *at)
{
    if (l->memory != NULL)
        l->memory->last = *at;
    else
        log_place_set(l, at);
}

int log_attach(struct log *l, const uint8_t line_id[16], uint32_t line_index, const struct log_time *now)
{
    struct log_place at;

    retry(l, now);
    (void)log_gap_close(l, now); /* it is the old line's */
    place_get(l, &at);
    if (memcmp(at.line_id, line_id, sizeof at.line_id) != 0)
        at.event = 0;
    memcpy(at.line_id, line_id, sizeof at.line_id);
    at.line_index = line_index;
    place_set(l, &at);
    return put_record(l, VC_INDEX_ATTACH, 0, now);
}

int log_mark(struct log *l, enum vc_index_kind kind, uint64_t value, uint16_t event, const struct log_time *now)
{
    struct log_place at;

    retry(l, now);
    (void)log_gap_close(l, now); /* before the event: the record of the gap must not claim it */
    place_get(l, &at);
    if (event != 0)
        at.event = event;
    if (kind == VC_INDEX_BOOT)
        at.boot++;
    place_set(l, &at);
    return put_record(l, kind, value, now);
}

bool log_settle(struct log *l, const struct log_time *now)
{
    if (l->memory != NULL) {
        bool settled = log_memory_settle(l, now);

        log_publish(l);
        return settled;
    }
    if (l->idx_fd < 0 || l->marked_offset == l->length || l->gap_open || l->rotate)
        return false;
    if (log_time_mark(l, now) != 0) {
        l->marks_lost++;
        l->rotate = true;
    }
    log_publish(l);
    log_dirty(l);
    return true;
}

bool log_resume(const struct log *l, const uint8_t line_id[16], struct log_point *point)
{
    static const uint8_t none[16];

    struct log_place at;

    place_get(l, &at);
    *point = (struct log_point){at.line_index, at.boot, at.event};
    return memcmp(line_id, none, sizeof none) != 0 && memcmp(at.line_id, line_id, sizeof at.line_id) == 0;
}
