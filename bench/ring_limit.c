/* SPDX-License-Identifier: MIT */
/* The limit of W3: both sides trust each other, nothing is checked, indices are released and acquired and no more. */
#include "bench.h"
#include "ring.h"

static struct xencons_interface *ring;
static uint32_t prod, cons;

void ends_open(struct xencons_interface *page) { ring = page; }

uint32_t out_put(const uint8_t *bytes, uint32_t n)
{
    uint32_t room = XENCONS_OUT_SIZE - (prod - __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE));
    uint32_t slot = prod % XENCONS_OUT_SIZE, first;

    n = n < room ? n : room;
    first = n < XENCONS_OUT_SIZE - slot ? n : XENCONS_OUT_SIZE - slot;
    memcpy(ring->out + slot, bytes, first);
    memcpy(ring->out, bytes + first, n - first);
    prod += n;
    __atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
    return n;
}

uint32_t out_take(uint8_t *bytes)
{
    uint32_t n = __atomic_load_n(&ring->out_prod, __ATOMIC_ACQUIRE) - cons;
    uint32_t slot = cons % XENCONS_OUT_SIZE, first = n < XENCONS_OUT_SIZE - slot ? n : XENCONS_OUT_SIZE - slot;

    memcpy(bytes, ring->out + slot, first);
    memcpy(bytes + first, ring->out, n - first);
    cons += n;
    __atomic_store_n(&ring->out_cons, cons, __ATOMIC_RELEASE);
    return n;
}
