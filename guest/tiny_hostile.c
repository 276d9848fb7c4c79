/* SPDX-License-Identifier: MIT */
/* Words of a guest that attacks its hypervisor, for tests that see whether the others notice (rules R4, R8). */
#include "tiny.h"
#include <vcons/atomic.h>

void tiny_storm(struct tiny_console *c, uint64_t n)
{
    const struct platform *platform = c->hvc->platform;
    uint32_t port = c->tiny->has_xen ? c->tiny->xen.hvc.port : c->hvc->port;

    for (; n > 0 && !(n % 4096 == 0 && tiny_interrupted(c)); n--)
        hypercall_notify(platform, port);
}

/* Marsaglia's xorshift: numbers that are the same in each run. */
static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Sometimes near to what is legal: there the checks are. */
static uint32_t bad_index(uint32_t *state, uint32_t legal)
{
    uint32_t r = next(state);

    return r % 4 == 0 ? legal + XENCONS_OUT_SIZE - 2 + r / 4 % 5 : r % 4 == 1 ? legal - r / 4 % 5 : r;
}

void tiny_scribble(struct tiny_console *c, uint64_t n)
{
    struct xen_console *x = &c->tiny->xen;
    struct xencons_interface *page = x->front.page;
    uint32_t *indices[] = {&page->in_cons, &page->in_prod, &page->out_cons, &page->out_prod};
    uint32_t state = 1;

    for (; n > 0; n--) {
        uint32_t *index = indices[next(&state) % 4];

        vc_store_seq(index, bad_index(&state, vc_load_seq(index)));
        vc_store8_seq(&page->connection, (uint8_t)next(&state));
        hypercall_notify(x->hvc.platform, x->hvc.port);
    }
    /* Legal again, both rings empty; the hypervisor takes these up within a second, and then answers an event. */
    vc_store_seq(&page->in_cons, vc_load_seq(&page->in_prod));
    vc_store_seq(&page->out_prod, vc_load_seq(&page->out_cons));
    vc_store8_seq(&page->connection, XENCONSOLE_CONNECTED);
    xen_console_resume(x, x->hvc.port);
}
