/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <vcons/atomic.h>
#include <vcons/ring.h>

static bool size_ok(uint32_t size) { return size != 0 && (size & (size - 1)) == 0; }

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

int vc_producer_attach(struct vc_producer *p, const struct vc_ring *ring)
{
    uint32_t prod = vc_load_seq(ring->prod);

    *p = (struct vc_producer){.ring = *ring, .prod = prod};
    if (!size_ok(ring->size))
        return VC_EINVAL;
    return prod - vc_load_seq(ring->cons) > ring->size ? VC_EPEER : VC_OK;
}

int vc_consumer_attach_at(struct vc_consumer *c, const struct vc_ring *ring, uint32_t cons)
{
    uint32_t freed, used;

    *c = (struct vc_consumer){.ring = *ring, .cons = cons};
    if (!size_ok(ring->size))
        return VC_EINVAL;
    freed = vc_load_seq(ring->cons);
    used = vc_load_seq(ring->prod) - freed;
    return used > ring->size || cons - freed > used ? VC_EPEER : VC_OK;
}

int vc_consumer_attach(struct vc_consumer *c, const struct vc_ring *ring)
{
    return vc_consumer_attach_at(c, ring, vc_load_seq(ring->cons));
}

int vc_producer_room(const struct vc_producer *p, uint32_t *room)
{
    /* Pairs with the consumer's store of cons: the slots it freed are ours. */
    uint32_t used = p->prod - vc_load_seq(p->ring.cons);

    *room = used > p->ring.size ? 0 : p->ring.size - used;
    return used > p->ring.size ? VC_EPEER : VC_OK;
}

int vc_producer_put(struct vc_producer *p, const void *bytes, uint32_t n, uint32_t *put)
{
    uint32_t room, slot = p->prod & (p->ring.size - 1), first;
    int error = vc_producer_room(p, &room);

    *put = n = smaller(n, room);
    if (n == 0)
        return error;
    first = smaller(n, p->ring.size - slot);
    memcpy(p->ring.bytes + slot, bytes, first);
    memcpy(p->ring.bytes, (const uint8_t *)bytes + first, n - first);
    p->prod += n;
    vc_store_seq(p->ring.prod, p->prod); /* pairs with the load in vc_consumer_peek: bytes before index */
    return VC_OK;
}

int vc_consumer_peek(const struct vc_consumer *c, struct vc_span spans[2], uint32_t *n)
{
    /* Pairs with the producer's store of prod: the bytes up to it are there. */
    uint32_t used = vc_load_seq(c->ring.prod) - c->cons;
    uint32_t slot = c->cons & (c->ring.size - 1), first;
    int error = used > c->ring.size ? VC_EPEER : VC_OK;

    *n = used = error ? 0 : used;
    first = smaller(used, c->ring.size - slot);
    spans[0] = (struct vc_span){c->ring.bytes + slot, first};
    spans[1] = (struct vc_span){c->ring.bytes, used - first};
    return error;
}

void vc_consumer_commit(struct vc_consumer *c, uint32_t n)
{
    c->cons += n;
    vc_store_seq(c->ring.cons, c->cons); /* pairs with the load in vc_producer_room: copied before freed */
}

int vc_consumer_get(struct vc_consumer *c, void *bytes, uint32_t n, uint32_t *got)
{
    struct vc_span spans[2];
    uint32_t used, first;
    int error = vc_consumer_peek(c, spans, &used);

    *got = n = smaller(n, used);
    if (n == 0)
        return error;
    first = smaller(n, spans[0].n);
    memcpy(bytes, spans[0].bytes, first);
    memcpy((uint8_t *)bytes + first, spans[1].bytes, n - first);
    vc_consumer_commit(c, n);
    return VC_OK;
}
