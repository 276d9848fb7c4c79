/* SPDX-License-Identifier: MIT */
#include "grants.h"
#include <string.h>

#define TRIES 8 /* of a guest that changes an entry while we mark it: Xen gives up too */

void grants_init(struct grants *g) { *g = (struct grants){0}; }

bool grants_add_frame(struct grants *g, void *frame)
{
    if (g->n_frames == GRANTS_FRAMES_MAX)
        return false;
    g->frames[g->n_frames++] = frame;
    return true;
}

void grants_move_frame(struct grants *g, uint32_t i, void *frame) { g->frames[i] = frame; }

static struct grant_entry *entry_of(const struct grants *g, uint32_t ref)
{
    if (ref / GRANTS_PER_FRAME >= g->n_frames)
        return NULL;
    return (struct grant_entry *)g->frames[ref / GRANTS_PER_FRAME] + ref % GRANTS_PER_FRAME;
}

/* Flags and domid in one word, little-endian as the entry is: they are looked at and marked together. */
static uint32_t *word_of(struct grant_entry *e) { return (uint32_t *)(void *)e; }

bool grants_seed(struct grants *g, uint32_t ref, uint64_t gfn)
{
    struct grant_entry *e = entry_of(g, ref);

    if (e == NULL || gfn > UINT32_MAX)
        return false;
    __atomic_store_n(&e->frame, (uint32_t)gfn, __ATOMIC_RELAXED);
    /* domid 0. Pairs with mark(): who sees the permission sees the frame. */
    __atomic_store_n(word_of(e), GTF_PERMIT_ACCESS, __ATOMIC_RELEASE);
    return true;
}

static bool usable(uint32_t word)
{
    return (word & GTF_TYPE_MASK) == GTF_PERMIT_ACCESS && (word & GTF_READONLY) == 0 && word >> 16 == 0;
}

/* grant_table.h: the user sets its marks by the same access that checks what is allowed. */
static bool mark(struct grant_entry *e)
{
    uint32_t word = __atomic_load_n(word_of(e), __ATOMIC_ACQUIRE);

    for (int i = 0; i < TRIES && usable(word); i++)
        if (__atomic_compare_exchange_n(word_of(e), &word, word | GTF_READING | GTF_WRITING, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_ACQUIRE))
            return true;
    return false;
}

static void unmark(struct grant_entry *e)
{
    /* Release: all our accesses to the frame are before the guest may take it back. */
    __atomic_fetch_and(word_of(e), ~(uint32_t)(GTF_READING | GTF_WRITING), __ATOMIC_SEQ_CST);
}

/* The record of ref, or else a free one; NULL: all are taken. */
static int find_pin(const struct grants *g, uint32_t ref)
{
    int empty = -1;

    for (uint32_t i = 0; i < GRANTS_PINS_MAX; i++) {
        if (g->pins[i].uses > 0 && g->pins[i].ref == ref)
            return (int)i;
        if (g->pins[i].uses == 0)
            empty = (int)i;
    }
    return empty;
}

bool grants_pin(struct grants *g, uint32_t ref, uint64_t *gfn)
{
    struct grant_entry *e = entry_of(g, ref);
    int pin = find_pin(g, ref);

    *gfn = 0;
    if (e == NULL || pin < 0 || !mark(e))
        return false;
    g->pins[pin].ref = ref;
    g->pins[pin].uses++;
    *gfn = __atomic_load_n(&e->frame, __ATOMIC_RELAXED); /* once, after the mark */
    return true;
}

void grants_unpin(struct grants *g, uint32_t ref)
{
    struct grant_entry *e = entry_of(g, ref);
    int pin = find_pin(g, ref);

    if (e == NULL || pin < 0 || g->pins[pin].uses == 0)
        return;
    if (--g->pins[pin].uses == 0)
        unmark(e);
}

void grants_reset(struct grants *g)
{
    memset(g->pins, 0, sizeof g->pins);
    for (uint32_t i = 0; i < g->n_frames; i++)
        memset(g->frames[i], 0, GRANTS_FRAME_BYTES);
}
