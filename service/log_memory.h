/* SPDX-License-Identifier: MIT */
/*
 * log_memory.h: the memory segment: what a console prints while the disk refuses it. History goes on here at its offsets and
 * readers follow it; when the disk takes bytes again these go first, in their order (log_save.c). What does not fit is lost
 * from its oldest end: history then goes on in a segment that begins behind the hole.
 *
 * Spec:  design §5 "Disk full"; docs/vcons-log-format.5, "A disk that is full"; test T9.
 * Owner: the store has one pool for all its logs. A log that holds something has a struct log_memory, at the head of a slot of
 *        its own, and slots for bytes, LOG_MEMORY_SLOTS at most and no more than its share. Nothing is allocated but the pool,
 *        when the store is opened: address space, which costs memory only where a slot is used.
 * Lock:  the appending thread alone changes a log_memory, under the pool's lock, and reads it without. Readers take the lock.
 *        No other lock is taken under it; a console's lock of live viewers may be held by who takes it.
 * Trust: all of it is ours.
 */
#ifndef VCONS_SERVICE_LOG_MEMORY_H
#define VCONS_SERVICE_LOG_MEMORY_H
#include "log_private.h"

#define LOG_SLOT_BYTES   16384u
#define LOG_MEMORY_SLOTS 64u /* of bytes, of one console: 1 MiB */
#define LOG_NO_SLOT      UINT16_MAX

struct log_place { /* what a record says of the source at an offset */
    uint8_t line_id[16];
    uint32_t line_index, boot;
    uint16_t event;
};

struct log_memory {
    uint64_t disk;                /* as far as files go; [disk, begin) is lost */
    uint64_t begin, end;          /* the bytes here */
    struct log_place first, last; /* where begin is, where end is */
    uint64_t marked_offset, marked_mono;
    uint32_t n_slots, n_records;
    uint16_t slots[LOG_MEMORY_SLOTS]; /* by offset / LOG_SLOT_BYTES, modulo their number */
    struct vc_index_record records[]; /* sealed when saved or shown; one whose offset is before begin stands at begin */
};
#define LOG_MEMORY_RECORDS ((LOG_SLOT_BYTES - sizeof(struct log_memory)) / sizeof(struct vc_index_record))
#define LOG_MEMORY_TIMES   (LOG_MEMORY_RECORDS * 3 / 4) /* no time marks are added beyond: what is left is for others */

struct log_place log_place_of(const struct log *l); /* where its files end */
void log_place_set(struct log *l, const struct log_place *at);
/* The record as it stands at that offset, which is its own or behind it, sealed. */
struct vc_index_record log_record_moved(const struct vc_index_record *r, uint64_t offset);

/* log_pool.c */
int log_pool_open(struct log_pool *p, uint64_t bytes);
void log_pool_close(struct log_pool *p); /* accepts a zeroed one */
uint8_t *log_slot_at(const struct log_pool *p, uint16_t slot);
uint16_t log_slot_take(struct log_pool *p); /* LOG_NO_SLOT: none is left. Under the lock */
void log_slot_give(struct log_pool *p, uint16_t slot);
static inline uint16_t *log_slot_of(struct log_memory *m, uint64_t offset)
{
    return &m->slots[offset / LOG_SLOT_BYTES % LOG_MEMORY_SLOTS];
}

/* Go on in memory, from where the files end. False: no slot is free for this log, and all is as it was. */
bool log_memory_begin(struct log *l, const struct log_time *now);
void log_memory_put(struct log *l, const struct vc_span spans[2], uint64_t skip, const struct log_time *now);
/* A record at the end; of what is said there about the source l->memory->last has it already. */
void log_memory_mark(struct log *l, enum vc_index_kind kind, uint64_t value, const struct log_time *now);
bool log_memory_settle(struct log *l, const struct log_time *now); /* a time mark, if bytes came since the last */
/* All before that offset, which is not behind the end, is given up. */
void log_memory_lose(struct log *l, uint64_t offset);
void log_memory_move(struct log *l, uint64_t offset); /* with nothing in it, to an offset behind its end */
/* Files go up to there now: what is before it leaves, and so do n records. */
void log_memory_saved(struct log *l, uint64_t disk, uint32_t n);
void log_memory_end(struct log *l);
/* The bytes at begin that lie in one piece, limit at most. */
struct vc_span log_memory_piece(const struct log *l, uint64_t limit);
/*
 * The record that stands behind the newest on the disk as long as something is in memory: the next start knows by it how far
 * history and its source had come. at: where in the index, or behind it. 0 or a negative errno.
 */
int log_unsaved_write(struct log *l, uint64_t at, const struct log_time *now);

/* log_memory_read.c. LOG_MEMORY_DISK: it is in files meanwhile. */
enum log_memory_answer { LOG_MEMORY_SHOWN, LOG_MEMORY_NOTHING, LOG_MEMORY_DISK };
enum log_memory_answer log_memory_next(struct log_cursor *c, struct log_item *item);
/* Bytes from the cursor's offset on. *n: how many; 0: they became a gap. */
enum log_memory_answer log_memory_read(struct log_cursor *c, const struct log_item *item, void *bytes, size_t size,
                                       ptrdiff_t *n);

#endif
