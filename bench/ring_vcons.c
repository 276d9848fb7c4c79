/* SPDX-License-Identifier: MIT */
/* W3 by the project's ring. */
#include "bench.h"
#include "ring.h"
#include <vcons/ring.h>

static struct vc_producer producer;
static struct vc_consumer consumer;

void ends_open(struct xencons_interface *page)
{
    struct vc_ring out = {page->out, XENCONS_OUT_SIZE, &page->out_prod, &page->out_cons};

    require(vc_producer_attach(&producer, &out) == VC_OK && vc_consumer_attach(&consumer, &out) == VC_OK);
}

uint32_t out_put(const uint8_t *bytes, uint32_t n)
{
    uint32_t put;

    require(vc_producer_put(&producer, bytes, n, &put) == VC_OK);
    return put;
}

uint32_t out_take(uint8_t *bytes)
{
    uint32_t got;

    require(vc_consumer_get(&consumer, bytes, XENCONS_OUT_SIZE, &got) == VC_OK);
    return got;
}
