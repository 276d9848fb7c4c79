/* SPDX-License-Identifier: MIT */
/*
 * The PV door under a guest that writes any word of its page at any moment, also inside the door's own env functions, with
 * a line that takes what the input says. While nobody scribbled, what comes out is what went in. A door that is detached
 * looks at nothing, a broken one reports once a second, and nothing steps outside the page.
 */
#include "fuzz.h"
#include <vcons/pvcons.h>

struct world {
    struct input *in;
    struct xencons_interface *page;
    struct vc_pvcons door;
    struct vc_xencons_front front;
    uint64_t now_ms, broken_ms;
    uint8_t written, logged;
    bool honest, bound, racing;
    uint32_t accepts;
};

static void scribble(struct world *w)
{
    uint32_t word = (uint32_t)take(w->in, 1) % 5, value = (uint32_t)take(w->in, 4);

    w->honest = false;
    memcpy((uint8_t *)w->page + 3072 + 4 * word, &value, word == 4 ? 1 : 4);
}

static void race(struct world *w)
{
    if (w->racing && take(w->in, 1) % 4 == 0)
        scribble(w);
}

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct world *w = ctx;

    require(w->bound && n > 0 && n <= XENCONS_OUT_SIZE);
    race(w);
    n = n < w->accepts ? n : w->accepts;
    for (uint32_t i = 0; i < n; i++)
        require(bytes[i] == (uint8_t)(w->logged + i) || !w->honest);
    w->logged = (uint8_t)(w->logged + n);
    return n;
}

static uint32_t give(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct world *w = ctx;

    require(w->door.state == VC_PVCONS_CONNECTED && n > 0 && n <= XENCONS_IN_SIZE);
    race(w);
    n = n < 5 ? n : 5;
    memset(bytes, 'i', n);
    return n;
}

static int bind(void *ctx)
{
    struct world *w = ctx;

    require(!w->bound);
    race(w);
    w->bound = take(w->in, 1) % 8 != 0;
    return w->bound ? VC_OK : VC_ENOSPC;
}

static void unbind(void *ctx)
{
    require(((struct world *)ctx)->bound);
    ((struct world *)ctx)->bound = false;
}

static void notify(void *ctx)
{
    require(((struct world *)ctx)->bound);
    race(ctx);
}

static uint64_t now_ms(void *ctx) { return ((struct world *)ctx)->now_ms; }

static void broken(void *ctx, enum vc_pvcons_reason reason)
{
    struct world *w = ctx;

    require(!w->honest);
    require(reason == VC_PVCONS_OUT_INDICES || reason == VC_PVCONS_IN_INDICES);
    require(w->now_ms - w->broken_ms >= VC_PVCONS_RETRY_MS);
    w->broken_ms = w->now_ms;
}

static const struct vc_pvcons_env env = {out, give, bind, unbind, notify, now_ms, broken, NULL};

static void guest_put(struct world *w)
{
    uint8_t bytes[600];
    uint32_t n = (uint32_t)take(w->in, 2) % sizeof bytes, put;

    for (uint32_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(w->written + i);
    (void)vc_producer_put(&w->front.out, bytes, n, &put);
    require(put <= n);
    w->written = (uint8_t)(w->written + put);
}

static void guest_get(struct world *w)
{
    uint8_t bytes[600];
    uint32_t n;

    (void)vc_consumer_get(&w->front.in, bytes, sizeof bytes, &n);
    for (uint32_t i = 0; i < n; i++)
        require(bytes[i] == 'i' || !w->honest);
}

/* Calls that must not touch the page of a door that is detached. */
static void door_call(struct world *w, uint32_t which)
{
    uint8_t before[XENCONS_PAGE_BYTES];
    bool detached = w->door.state == VC_PVCONS_DETACHED;

    memcpy(before, w->page, sizeof before);
    switch (which) {
    case 0: (void)vc_pvcons_connect(&w->door); break;
    case 1: (void)vc_pvcons_disconnect(&w->door); break;
    case 2: vc_pvcons_detach(&w->door, take(w->in, 1) % 2 != 0); break;
    case 3: (void)vc_pvcons_unread(&w->door); break;
    default: (void)vc_pvcons_serve(&w->door); break;
    }
    require(!detached || memcmp(before, w->page, sizeof before) == 0);
}

static void attach(struct world *w)
{
    int error = vc_pvcons_attach(&w->door, w->page);

    if (error == VC_OK)
        w->broken_ms = 0; /* the host began anew */
    require(error == VC_OK || error == VC_EBUSY || error == VC_ENOSPC || (error == VC_EPEER && !w->honest));
    require((w->door.state == VC_PVCONS_DETACHED) != w->bound);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct world w = {.in = &in, .honest = true, .now_ms = 10000};

    w.page = malloc(XENCONS_PAGE_BYTES);
    require(w.page != NULL);
    vc_xencons_build(w.page);
    w.page->out_prod = w.page->out_cons = (uint32_t)take(&in, 4);
    vc_pvcons_init(&w.door, &env, &w);
    require(vc_xencons_front_attach(&w.front, w.page) == VC_OK);
    w.racing = take(&in, 1) % 2 != 0;
    while (in.left > 0) {
        uint32_t op = (uint32_t)take(&in, 1) % 16;

        w.accepts = (uint32_t)take(&in, 1) * 16;
        switch (op) {
        case 0: attach(&w); break;
        case 1: scribble(&w); break;
        case 2: w.now_ms += take(&in, 2) % 2000; break;
        case 3: guest_get(&w); break;
        case 4:
        case 5:
        case 6: guest_put(&w); break;
        default: door_call(&w, op - 7); break;
        }
    }
    free(w.page);
    return 0;
}
