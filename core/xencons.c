/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <vcons/atomic.h>
#include <vcons/xencons.h>

static struct vc_ring out_ring(struct xencons_interface *page)
{
    return (struct vc_ring){page->out, XENCONS_OUT_SIZE, &page->out_prod, &page->out_cons};
}

static struct vc_ring in_ring(struct xencons_interface *page)
{
    return (struct vc_ring){page->in, XENCONS_IN_SIZE, &page->in_prod, &page->in_cons};
}

static int first_error(int a, int b) { return a != VC_OK ? a : b; }

void vc_xencons_build(struct xencons_interface *page)
{
    memset(page, 0, XENCONS_PAGE_BYTES);
    page->connection = XENCONSOLE_DISCONNECTED;
}

int vc_xencons_back_attach(struct vc_xencons_back *b, struct xencons_interface *page)
{
    struct vc_ring out = out_ring(page), in = in_ring(page);

    b->page = page;
    return first_error(vc_consumer_attach(&b->out, &out), vc_producer_attach(&b->in, &in));
}

int vc_xencons_front_attach(struct vc_xencons_front *f, struct xencons_interface *page)
{
    struct vc_ring out = out_ring(page), in = in_ring(page);

    f->page = page;
    return first_error(vc_producer_attach(&f->out, &out), vc_consumer_attach(&f->in, &in));
}

void vc_xencons_back_connect(struct vc_xencons_back *b, bool connected)
{
    /* Pairs with the load in vc_xencons_front_connected: who sees DISCONNECTED finds drained what it wrote before. */
    vc_store8_seq(&b->page->connection, connected ? XENCONSOLE_CONNECTED : XENCONSOLE_DISCONNECTED);
}

bool vc_xencons_front_connected(const struct vc_xencons_front *f)
{
    return vc_load8_seq(&f->page->connection) != XENCONSOLE_DISCONNECTED; /* as Linux: any other value is not it */
}
