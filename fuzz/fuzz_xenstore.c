/* SPDX-License-Identifier: MIT */
/*
 * Requests of two guests and domain 0, made of the input: any type, any payload, transactions among them. Whatever comes, limits
 * hold, replies are well-formed, and what is given back is all.
 */
#include "../vmm/xenstore/store.h"
#include "fuzz.h"

enum { CLIENTS = 3, QUEUE = 16384, TRANSACTIONS = 4 };

struct client {
    struct store_conn *conn;
    struct store_queue queue;
    uint32_t tx[TRANSACTIONS];
    uint8_t bytes[QUEUE];
};

static const struct store_limits limits = {
    .nodes = 30, .watches = 8, .transactions = 3, .touched = 40, .perms = 3, .node_bytes = 400, .bytes = 30000};

/* Where paths begin, so that the input need not find them out. */
static const char *const words[] = {
    "/",  "/g", "/g/a", "/g/a/b", "/o", "/shared", "@releaseDomain", "data", "a", "/local/domain/1",
    "n1", "b2", "r0",   "T",      "F",  "0"};

static void get(struct client *c, void *to, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = c->bytes[c->queue.cons++ & (QUEUE - 1)];
}

static void drain(struct client *c)
{
    static char payload[XENSTORE_PAYLOAD_MAX + 1];
    struct xsd_sockmsg head;

    while (c->queue.prod != c->queue.cons) {
        require(c->queue.prod - c->queue.cons >= sizeof head);
        get(c, &head, sizeof head);
        require(head.len <= XENSTORE_PAYLOAD_MAX && c->queue.prod - c->queue.cons >= head.len);
        get(c, payload, head.len);
        payload[head.len] = '\0';
        if (head.type == XS_TRANSACTION_START)
            c->tx[head.req_id % TRANSACTIONS] = (uint32_t)strtoul(payload, NULL, 10);
        if (head.type == XS_ERROR)
            require(payload[0] == 'E' && strlen(payload) + 1 == head.len);
        store_drained(c->conn);
    }
}

static uint32_t make_payload(struct input *in, uint8_t *out)
{
    uint32_t pieces = (uint32_t)take(in, 1) % 5, n = 0;

    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t kind = (uint32_t)take(in, 1);

        if (kind < 200) {
            const char *word = words[kind % (sizeof words / sizeof words[0])];

            memcpy(out + n, word, strlen(word) + 1);
            n += (uint32_t)strlen(word) + (kind < 150); /* with its NUL, or running into what follows */
        } else if (kind < 230) {
            uint32_t bytes = (uint32_t)take(in, 1);

            for (uint32_t k = 0; k < bytes; k++)
                out[n++] = (uint8_t)take(in, 1);
        } else {
            uint32_t bytes = (uint32_t)take(in, 2) % 700;

            memset(out + n, (int)take(in, 1), bytes);
            n += bytes;
        }
    }
    return n;
}

static void check(const struct store *s, uint32_t domid)
{
    struct store_usage u = store_usage(s, domid);

    require(u.nodes < 1000 && u.watches <= limits.watches && u.transactions <= limits.transactions);
    require(u.bytes <= limits.bytes);
}

static struct store *make_store(struct client *clients)
{
    struct store *s = store_create(&limits);

    require(s != NULL && store_introduce(s, 1) && store_introduce(s, 2));
    require(store_mkdir(s, "/g") == 0 && store_set_perms(s, "/g", "n1 r2") == 0);
    require(store_mkdir(s, "/o") == 0 && store_set_perms(s, "/o", "n2") == 0);
    require(store_mkdir(s, "/shared") == 0 && store_set_perms(s, "/shared", "b0") == 0);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i].queue = (struct store_queue){.bytes = clients[i].bytes, .size = QUEUE};
        clients[i].conn = store_connect(s, i, &clients[i].queue, NULL, NULL);
        require(clients[i].conn != NULL);
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client *clients = calloc(CLIENTS, sizeof *clients);
    struct input in = {data, size};
    uint8_t payload[XENSTORE_PAYLOAD_MAX];
    struct store *s;

    require(clients != NULL);
    s = make_store(clients);
    while (in.left > 0) {
        uint32_t what = (uint32_t)take(&in, 1), slot = (uint32_t)take(&in, 1);
        struct client *c = &clients[slot % 8 == 0 ? 0 : 1 + slot % 2]; /* mostly guests */
        struct xsd_sockmsg head = {
            .type = what % 24, .req_id = slot, .tx_id = slot & 16 ? c->tx[slot % TRANSACTIONS] : 0};

        head.len = make_payload(&in, payload);
        for (uint32_t i = 0; i < CLIENTS; i++)
            if ((what & 32) != 0 || !store_ready(clients[i].conn))
                drain(&clients[i]);
        store_request(c->conn, &head, payload);
        check(s, 1);
        check(s, 2);
    }
    for (uint32_t i = 0; i < CLIENTS; i++)
        store_disconnect(clients[i].conn);
    store_release(s, 1);
    store_release(s, 2);
    require(store_usage(s, 1).nodes == 0 && store_usage(s, 2).nodes == 0);
    store_destroy(s);
    free(clients);
    return 0;
}
