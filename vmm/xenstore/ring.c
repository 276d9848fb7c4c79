/* SPDX-License-Identifier: MIT */
#include "ring.h"
#include <string.h>
#include <vcons/atomic.h>

static void queued(void *ctx)
{
    struct store_ring *r = ctx;

    if (!r->serving)
        r->env->work(r->ctx);
}

static const struct store_conn_env conn_env = {.queued = queued};

/* The guest broke the protocol: what it had is gone, and the page says why. */
static void die(struct store_ring *r, uint32_t error)
{
    r->dead = true;
    r->error = error;
    r->got = 0;
    store_reset(r->conn);
    vc_store_relaxed(&r->page->error, error);
}

static void attach_indices(struct store_ring *r)
{
    struct xenstore_domain_interface *page = r->page;
    struct vc_ring req = {page->req, sizeof page->req, &page->req_prod, &page->req_cons};
    struct vc_ring rsp = {page->rsp, sizeof page->rsp, &page->rsp_prod, &page->rsp_cons};

    r->dead = false;
    r->error = XENSTORE_ERROR_NONE;
    if (vc_consumer_attach(&r->req, &req) != VC_OK || vc_producer_attach(&r->rsp, &rsp) != VC_OK)
        die(r, XENSTORE_ERROR_RINGIDX);
}

bool store_ring_attach(struct store_ring *r, struct store *s, uint32_t domid, struct xenstore_domain_interface *page,
                       const struct store_ring_env *env, void *ctx)
{
    *r = (struct store_ring){.env = env, .ctx = ctx, .store = s, .page = page};
    r->queue = (struct store_queue){.bytes = r->waiting, .size = sizeof r->waiting};
    r->conn = store_connect(s, domid, &r->queue, &conn_env, r);
    if (r->conn == NULL)
        return false;
    vc_store_relaxed(&page->server_features, XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
    attach_indices(r);
    return true;
}

void store_ring_detach(struct store_ring *r)
{
    store_disconnect(r->conn);
    r->conn = NULL;
}

uint32_t store_ring_error(const struct store_ring *r) { return r->error; }

/* xenstore-ring.txt, "The ring reconnection feature": everything is dropped, then connection says so. */
static void reconnect(struct store_ring *r)
{
    struct xenstore_domain_interface *page = r->page;

    store_reset(r->conn);
    r->got = 0;
    vc_store_seq(&page->req_cons, 0);
    vc_store_seq(&page->req_prod, 0);
    vc_store_seq(&page->rsp_cons, 0);
    vc_store_seq(&page->rsp_prod, 0);
    vc_store_relaxed(&page->error, XENSTORE_ERROR_NONE);
    attach_indices(r);
    vc_store_seq(&page->connection, XENSTORE_CONNECTED); /* pairs with the guest's wait for it */
}

/*
 * Queue to page. The last look at rsp_cons comes after our last rsp_prod was published: a guest that makes room later finds
 * the ring full, and kicks (Linux does so only then).
 */
static bool flush(struct store_ring *r)
{
    struct store_queue *q = &r->queue;
    uint32_t put = 1;
    bool moved = false;

    while (put > 0 && q->prod != q->cons) {
        uint32_t slot = q->cons & (q->size - 1), n = q->prod - q->cons;

        if (vc_producer_put(&r->rsp, q->bytes + slot, n < q->size - slot ? n : q->size - slot, &put) != VC_OK) {
            die(r, XENSTORE_ERROR_RINGIDX);
            return false;
        }
        q->cons += put;
        moved |= put > 0;
        store_drained(r->conn);
    }
    return moved;
}

/* Bytes of the request at hand, until n are there. The last look at req_prod comes after our last req_cons was published. */
static bool fill(struct store_ring *r, uint8_t *to, uint32_t n, uint32_t have, bool *moved)
{
    while (have < n) {
        uint32_t got;

        if (vc_consumer_get(&r->req, to + have, n - have, &got) != VC_OK)
            die(r, XENSTORE_ERROR_RINGIDX);
        if (r->dead || got == 0)
            return false;
        have += got;
        r->got += got;
        *moved = true;
    }
    return true;
}

/* True: a whole request is in head and payload. */
static bool receive(struct store_ring *r, bool *moved)
{
    if (r->got < sizeof r->head && !fill(r, (uint8_t *)&r->head, sizeof r->head, r->got, moved))
        return false;
    if (r->head.len > sizeof r->payload) {
        die(r, XENSTORE_ERROR_PROTO);
        return false;
    }
    if (!fill(r, r->payload, r->head.len, r->got - (uint32_t)sizeof r->head, moved))
        return false;
    r->got = 0;
    return true;
}

bool store_ring_serve(struct store_ring *r)
{
    bool moved = false;
    uint32_t n = 0;

    r->serving = true;
    if (vc_load_seq(&r->page->connection) == XENSTORE_RECONNECT) {
        reconnect(r);
        moved = true;
    }
    if (!r->dead)
        moved |= flush(r);
    while (n < STORE_RING_BUDGET && !r->dead && store_ready(r->conn) && receive(r, &moved)) {
        store_request(r->conn, &r->head, r->payload);
        moved |= flush(r);
        n++;
    }
    r->serving = false;
    if (moved)
        r->env->notify(r->ctx);
    return n == STORE_RING_BUDGET;
}
