/* SPDX-License-Identifier: MIT */
/*
 * ring.h: one direction of bytes in shared memory, one producer and one consumer. Serves lines and Xen's ring page.
 *
 * Spec:  indices as in Xen public/io/console.h: free-running modulo 2^32, slot = index & (size - 1), used = prod -
 *        cons, full when used == size.
 * Owner: the caller places everything; the memory behind struct vc_ring outlives both ends.
 * Lock:  the caller's, one for each end. The two ends need none between them.
 * Trust: whoever shares the memory may write anything at any moment. Each end keeps a private copy of its own index
 *        and publishes from it; the other's index is loaded once for each call, checked, then used. Bytes are copied
 *        out, or handed on as spans whose contents may still change: never parse them in place.
 * Order: every index is stored and loaded seq_cst. The store of prod pairs with the consumer's load of it (the bytes
 *        are visible before the index); the store of cons with the producer's load (the slots are free). That both
 *        are more than release and acquire is for the wait words of line.h.
 */
#ifndef VCONS_RING_H
#define VCONS_RING_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/error.h>

struct vc_ring { /* where a direction lives */
    uint8_t *bytes;
    uint32_t size; /* a power of two, 1..2^31 */
    uint32_t *prod, *cons;
};
struct vc_producer { /* for the caller to place, not to write */
    struct vc_ring ring;
    uint32_t prod; /* ours; the one in memory is theirs to scribble on */
};
struct vc_consumer {
    struct vc_ring ring;
    uint32_t cons;
};
struct vc_span {
    const uint8_t *bytes;
    uint32_t n;
};

/*
 * Take one end, starting from the indices found in memory. VC_EINVAL: size is no power of two. VC_EPEER: the
 * indices claim more than the ring holds. After either the end is unusable. A zeroed ring is empty and legal.
 */
int vc_producer_attach(struct vc_producer *p, const struct vc_ring *ring);
int vc_consumer_attach(struct vc_consumer *c, const struct vc_ring *ring);
/* The same, but from an own index that the caller knows better, as after a crash: VC_EPEER also if it does
 * not lie between the two in memory, for what stood before cons may be overwritten already. */
int vc_consumer_attach_at(struct vc_consumer *c, const struct vc_ring *ring, uint32_t cons);

/* Free bytes into *room. VC_EPEER: *room is 0. */
int vc_producer_room(const struct vc_producer *p, uint32_t *room);
/* Copy as many of n bytes as fit and publish them; how many into *put, 0..n. VC_EPEER: *put is 0, nothing changed. */
int vc_producer_put(struct vc_producer *p, const void *bytes, uint32_t n, uint32_t *put);

/* What is there, without taking it: up to two spans in order, the second possibly empty, their sum in *n. */
int vc_consumer_peek(const struct vc_consumer *c, struct vc_span spans[2], uint32_t *n);
/* Take n bytes that a peek showed, n at most its sum. */
void vc_consumer_commit(struct vc_consumer *c, uint32_t n);
/* Copy up to n bytes and take them; how many into *got. VC_EPEER: *got is 0. */
int vc_consumer_get(struct vc_consumer *c, void *bytes, uint32_t n, uint32_t *got);

#endif
