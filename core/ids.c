/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <vcons/ids.h>

enum { BITS = 64, SHIFT = 6 };

static uint32_t words(uint32_t bits) { return (bits + BITS - 1) / BITS; }

size_t vc_ids_bytes(uint32_t count)
{
    size_t n = 0;

    if (count == 0 || count > VC_IDS_MAX)
        return 0;
    for (uint32_t bits = count; n == 0 || bits > 1; bits = words(bits))
        n += words(bits);
    return n * sizeof(uint64_t);
}

/* Bits past the last number count as taken, so that no search ever ends there. */
static void close_tail(uint64_t *level, uint32_t bits)
{
    if (bits % BITS != 0)
        level[bits / BITS] = ~UINT64_C(0) << (bits % BITS);
}

int vc_ids_init(struct vc_ids *ids, uint32_t start, uint32_t count, void *memory)
{
    uint64_t *level = memory;
    size_t bytes = vc_ids_bytes(count);

    *ids = (struct vc_ids){.start = start, .count = count};
    if (bytes == 0 || start > UINT32_MAX - (count - 1))
        return VC_EINVAL;
    memset(memory, 0, bytes);
    for (uint32_t bits = count; ids->levels == 0 || bits > 1; bits = words(bits)) {
        ids->level[ids->levels++] = level;
        close_tail(level, bits);
        level += words(bits);
    }
    return VC_OK;
}

/* Set a number's bit; a word that is full by it is marked in the level above, and so on up. */
static void take(struct vc_ids *ids, uint32_t n)
{
    for (uint32_t i = 0; i < ids->levels; i++, n >>= SHIFT) {
        uint64_t *word = &ids->level[i][n / BITS];

        *word |= UINT64_C(1) << (n % BITS);
        if (~*word != 0)
            return;
    }
}

int vc_ids_alloc(struct vc_ids *ids, uint32_t *id)
{
    uint32_t n = 0;

    for (uint32_t i = ids->levels; i-- > 0;) {
        uint64_t open = ~ids->level[i][n];

        if (open == 0)
            return VC_ENOSPC; /* only the topmost word can be full: below, the level above would say so */
        n = n * BITS + (uint32_t)__builtin_ctzll(open);
    }
    take(ids, n);
    *id = ids->start + n;
    return VC_OK;
}

static bool ours(const struct vc_ids *ids, uint32_t id) { return id - ids->start < ids->count; }

bool vc_ids_live(const struct vc_ids *ids, uint32_t id)
{
    uint32_t n = id - ids->start;

    return ours(ids, id) && (ids->level[0][n / BITS] >> (n % BITS) & 1) != 0;
}

int vc_ids_claim(struct vc_ids *ids, uint32_t id)
{
    if (!ours(ids, id))
        return VC_EINVAL;
    if (vc_ids_live(ids, id))
        return VC_EBUSY;
    take(ids, id - ids->start);
    return VC_OK;
}

int vc_ids_free(struct vc_ids *ids, uint32_t id)
{
    uint32_t n = id - ids->start;

    if (!ours(ids, id))
        return VC_EINVAL;
    if (!vc_ids_live(ids, id))
        return VC_ENOENT;
    for (uint32_t i = 0; i < ids->levels; i++, n >>= SHIFT) {
        uint64_t *word = &ids->level[i][n / BITS], was = *word;

        *word = was & ~(UINT64_C(1) << (n % BITS));
        if (~was != 0)
            break; /* it had room before: the levels above know */
    }
    return VC_OK;
}
