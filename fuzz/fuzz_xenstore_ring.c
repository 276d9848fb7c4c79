/* SPDX-License-Identifier: MIT */
/*
 * The page of a guest that writes what it likes where it likes, between any two calls: indices, bytes, the connection field. The
 * address sanitizer sees every step outside; a second guest's connection works all the time.
 */
#include "../vmm/xenstore/ring.h"
#include "fuzz.h"

struct end {
    struct store_ring ring;
    struct xenstore_domain_interface *page;
    uint32_t notified;
};

static void on_notify(void *ctx) { ((struct end *)ctx)->notified++; }
static void on_work(void *ctx) { (void)ctx; }
static const struct store_ring_env env = {.notify = on_notify, .work = on_work};

static void connect_end(struct store *s, struct end *e, uint32_t domid)
{
    e->page = calloc(1, sizeof *e->page);
    require(e->page != NULL && store_introduce(s, domid));
    require(store_ring_attach(&e->ring, s, domid, e->page, &env, e));
}

static void put(struct end *e, const void *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        e->page->req[e->page->req_prod++ % XENSTORE_RING_SIZE] = ((const uint8_t *)bytes)[i];
}

/* An honest one asks for its own path. */
static void check_other(struct end *e)
{
    struct xsd_sockmsg head = {.type = XS_GET_DOMAIN_PATH, .len = 2}, reply;

    put(e, &head, sizeof head);
    put(e, "2", 2);
    while (store_ring_serve(&e->ring))
        ;
    for (uint32_t i = 0; i < sizeof reply; i++)
        ((uint8_t *)&reply)[i] = e->page->rsp[e->page->rsp_cons++ % XENSTORE_RING_SIZE];
    require(reply.type == XS_GET_DOMAIN_PATH && reply.len == 16 && e->page->rsp_prod - e->page->rsp_cons == 16);
    e->page->rsp_cons += 16;
}

static void put_request(struct end *e, struct input *in)
{
    static const char paths[] = "/g\0t\0T\0F\0data\0n1";
    struct xsd_sockmsg head = {.type = (uint32_t)take(in, 1) % 24, .tx_id = (uint32_t)take(in, 1) % 3};

    head.len = (uint32_t)take(in, 1) % sizeof paths;
    put(e, &head, sizeof head);
    put(e, paths, head.len);
}

static void scribble(struct end *e, struct input *in)
{
    uint32_t *const fields[] = {&e->page->req_cons, &e->page->req_prod,   &e->page->rsp_cons,
                                &e->page->rsp_prod, &e->page->connection, &e->page->error};
    uint32_t *field = fields[take(in, 1) % 6];

    *field = (take(in, 1) & 1) != 0 ? *field + (uint32_t)take(in, 2) : (uint32_t)take(in, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *s = store_create(NULL);
    struct end *ends = calloc(2, sizeof *ends);
    struct input in = {data, size};

    require(s != NULL && ends != NULL);
    connect_end(s, &ends[0], 1);
    connect_end(s, &ends[1], 2);
    require(store_mkdir(s, "/g") == 0 && store_set_perms(s, "/g", "n1") == 0);
    while (in.left > 0) {
        struct end *e = &ends[0];

        switch (take(&in, 1) % 7) {
        case 0:
        case 1: put_request(e, &in); break;
        case 2: scribble(e, &in); break;
        case 3: e->page->rsp_cons = e->page->rsp_prod; break;
        case 4: e->page->req[take(&in, 2) % XENSTORE_RING_SIZE] = (uint8_t)take(&in, 1); break;
        case 5: e->page->connection = XENSTORE_RECONNECT; break;
        default: break;
        }
        for (uint32_t i = 0; i < 100 && store_ring_serve(&e->ring); i++)
            ;
        check_other(&ends[1]);
    }
    for (uint32_t i = 0; i < 2; i++)
        store_ring_detach(&ends[i].ring);
    store_destroy(s);
    free(ends[0].page);
    free(ends[1].page);
    free(ends);
    return 0;
}
