/* SPDX-License-Identifier: MIT */
/*
 * ids.h: hands out numbers: always the lowest free one from a given start; freed numbers come again.
 *
 * Spec:  ours. A tree of 64-bit words, a set bit meaning "nothing free below": allocate and free touch one word on
 *        each of at most four levels, whether ten numbers are live or a million.
 * Owner: the caller gives vc_ids_bytes() of memory, aligned to 8, and takes it back when it is done.
 * Lock:  the caller's, around every call.
 * Trust: a number to free may be anything; one that is not live is refused.
 */
#ifndef VCONS_IDS_H
#define VCONS_IDS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/error.h>

#define VC_IDS_LEVELS 4u
#define VC_IDS_MAX    (1u << 24) /* 64^4 */

struct vc_ids { /* for the caller to place, not to read */
    uint32_t start, count, levels;
    uint64_t *level[VC_IDS_LEVELS]; /* level[0]: one bit a number; each higher: one bit a word below */
};

/* Bytes of memory for count numbers, 1..VC_IDS_MAX; 0 for any other count. */
size_t vc_ids_bytes(uint32_t count);
/* The numbers start..start + count - 1, all free. VC_EINVAL: count, or the last would pass 2^32 - 1. */
int vc_ids_init(struct vc_ids *ids, uint32_t start, uint32_t count, void *memory);
/* The lowest free number into *id. VC_ENOSPC: all are live, *id unchanged. */
int vc_ids_alloc(struct vc_ids *ids, uint32_t *id);
/* Make this very number live. VC_EBUSY: it is already; VC_EINVAL: not one of these numbers. */
int vc_ids_claim(struct vc_ids *ids, uint32_t id);
/* VC_ENOENT: not live; VC_EINVAL: not one of these numbers. */
int vc_ids_free(struct vc_ids *ids, uint32_t id);
bool vc_ids_live(const struct vc_ids *ids, uint32_t id);

#endif
