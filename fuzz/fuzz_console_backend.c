/* SPDX-License-Identifier: MIT */
/*
 * A guest that writes any state, page and port in any order, within transactions and without, and removes its nodes; a toolstack
 * that unplugs, removes and adds the console at any moment. Pages are mapped, bound and opened in that order, given back in the
 * other, never twice, and none is left at the end.
 */
#include "../vmm/xenstore/console_backend.h"
#include "../vmm/xenstore/domain_nodes.h"
#include "fuzz.h"

enum { GUEST = 3, QUEUE = 16384 };

struct world {
    uint32_t refuse; /* bits: 1 map, 2 bind, 4 open */
    uint32_t ring_ref;
    bool mapped, bound, open;
};

static void *on_map(void *ctx, uint32_t ring_ref)
{
    struct world *w = ctx;

    require(!w->mapped && !w->bound && !w->open);
    w->mapped = (w->refuse & 1) == 0;
    w->ring_ref = ring_ref;
    return w->mapped ? w : NULL;
}

static void on_unmap(void *ctx, uint32_t ring_ref, void *page)
{
    struct world *w = ctx;

    require(w->mapped && !w->bound && !w->open && page == w && ring_ref == w->ring_ref);
    w->mapped = false;
}

static bool on_bind(void *ctx, uint32_t port)
{
    struct world *w = ctx;

    (void)port;
    require(w->mapped && !w->bound);
    w->bound = (w->refuse & 2) == 0;
    return w->bound;
}

static void on_unbind(void *ctx)
{
    struct world *w = ctx;

    require(w->bound && !w->open);
    w->bound = false;
}

static bool on_open(void *ctx, void *page)
{
    struct world *w = ctx;

    require(w->bound && !w->open && page == w);
    w->open = (w->refuse & 4) == 0;
    return w->open;
}

static void on_close(void *ctx)
{
    struct world *w = ctx;

    require(w->open);
    w->open = false;
}

static const struct console_backend_env env = {
    .map = on_map, .unmap = on_unmap, .bind = on_bind, .unbind = on_unbind, .open = on_open, .close = on_close};

struct guest {
    struct store_conn *conn;
    struct store_queue queue;
    uint32_t tx;
    uint8_t bytes[QUEUE];
};

/* The last reply is of use only when it names a transaction: numbers count up from 1. */
static void send(struct guest *g, uint32_t type, uint32_t tx, const char *payload, uint32_t n)
{
    struct xsd_sockmsg head = {.type = type, .tx_id = tx, .len = n};

    g->queue.cons = g->queue.prod;
    store_drained(g->conn);
    g->queue.cons = g->queue.prod;
    store_request(g->conn, &head, (const uint8_t *)payload);
}

static void write_node(struct guest *g, struct input *in, uint32_t tx)
{
    static const char *const keys[] = {"state", "state", "state", "ring-ref", "port", "backend"};
    static const char *const values[] = {"0", "1", "2", "3", "3", "3",          "4",
                                         "5", "6", "7", "",  "x", "4294967295", "4294967296"};
    const char *key = keys[take(in, 1) % 6], *value = values[take(in, 1) % 14];
    char payload[64];
    int n = snprintf(payload, sizeof payload, "device/console/1/%s", key) + 1;

    n += snprintf(payload + n, sizeof payload - (size_t)n, "%s", value);
    send(g, XS_WRITE, tx, payload, (uint32_t)n);
}

/* One step away from a connection, so that the input need not come upon it by itself. */
static void add(struct console_backend *b, struct store *s, struct guest *g, struct world *w)
{
    static const char ring_ref[] = "device/console/1/ring-ref\0008", port[] = "device/console/1/port\00012";

    require(console_backend_add(b, s, GUEST, 1, NULL, &env, w) == 0);
    send(g, XS_WRITE, 0, ring_ref, sizeof ring_ref - 1);
    send(g, XS_WRITE, 0, port, sizeof port - 1);
}

static void guest_acts(struct guest *g, struct input *in)
{
    static const char node[] = "device/console/1", state[] = "device/console/1/state";

    switch (take(in, 1) % 8) {
    case 0: send(g, XS_RM, 0, node, sizeof node); break;
    case 1: send(g, XS_RM, g->tx, state, sizeof state); break;
    case 2:
        send(g, XS_TRANSACTION_START, 0, "", 1);
        g->tx++;
        break;
    case 3: send(g, XS_TRANSACTION_END, g->tx, take(in, 1) & 1 ? "T" : "F", 2); break;
    case 4: write_node(g, in, g->tx); break;
    default: write_node(g, in, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct domain_nodes nodes = {.domid = GUEST, .name = "g", .vcpus = 1};
    struct store *s = store_create(NULL);
    struct guest *g = calloc(1, sizeof *g);
    struct input in = {data, size};
    struct console_backend backend;
    struct world w = {0};

    require(s != NULL && g != NULL && domain_nodes_write(s, &nodes) == 0);
    g->queue = (struct store_queue){.bytes = g->bytes, .size = QUEUE};
    g->conn = store_connect(s, GUEST, &g->queue, NULL, NULL);
    require(g->conn != NULL);
    add(&backend, s, g, &w);
    while (in.left > 0) {
        uint32_t what = (uint32_t)take(&in, 1);

        w.refuse = what < 64 ? what % 8 : 0;
        if (what % 32 == 31)
            console_backend_unplug(&backend);
        else if (what % 32 == 30) {
            console_backend_remove(&backend);
            require(!w.mapped && !w.bound && !w.open);
            add(&backend, s, g, &w);
        } else {
            guest_acts(g, &in);
        }
        require(w.open == console_backend_connected(&backend) && w.mapped == w.open && w.bound == w.open);
    }
    console_backend_remove(&backend);
    require(!w.mapped && !w.bound && !w.open);
    store_disconnect(g->conn);
    domain_nodes_remove(s, &nodes);
    require(store_usage(s, GUEST).nodes == 0);
    store_destroy(s);
    free(g);
    return 0;
}
