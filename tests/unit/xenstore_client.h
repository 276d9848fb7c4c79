/* SPDX-License-Identifier: MIT */
/* xenstore_client.h: a client of the store without a ring, for unit tests. | in texts is NUL. */
#ifndef VCONS_TESTS_XENSTORE_CLIENT_H
#define VCONS_TESTS_XENSTORE_CLIENT_H
#include "unit.h"

#include "../../vmm/xenstore/store.h"
#include <stdio.h>
#include <string.h>

struct client {
    struct store_conn *conn;
    struct store_queue queue;
    uint32_t woken;
    struct xsd_sockmsg head; /* of the last message taken, with its payload */
    char payload[XENSTORE_PAYLOAD_MAX + 1];
    uint8_t bytes[16384];
};

static inline void client_woken(void *ctx) { ((struct client *)ctx)->woken++; }

static inline void client_connect(struct client *c, struct store *s, uint32_t domid)
{
    static const struct store_conn_env env = {.queued = client_woken};

    memset(c, 0, sizeof *c);
    c->queue = (struct store_queue){.bytes = c->bytes, .size = sizeof c->bytes};
    c->conn = store_connect(s, domid, &c->queue, &env, c);
    assert_non_null(c->conn);
}

static inline void client_take(struct client *c, void *to, uint32_t n)
{
    assert_true(c->queue.prod - c->queue.cons >= n);
    for (uint32_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = c->bytes[c->queue.cons++ & (sizeof c->bytes - 1)];
}

/* The next message, its NULs shown as |; NULL: none waits. */
static inline const char *client_next(struct client *c)
{
    if (c->queue.prod == c->queue.cons)
        return NULL;
    client_take(c, &c->head, sizeof c->head);
    client_take(c, c->payload, c->head.len);
    for (uint32_t i = 0; i < c->head.len; i++)
        if (c->payload[i] == '\0')
            c->payload[i] = '|';
    c->payload[c->head.len] = '\0';
    return c->payload;
}

static inline void client_send(struct client *c, uint32_t type, uint32_t tx, const char *payload)
{
    struct xsd_sockmsg head = {.type = type, .req_id = 1, .tx_id = tx, .len = (uint32_t)strlen(payload)};
    uint8_t bytes[XENSTORE_PAYLOAD_MAX];

    for (uint32_t i = 0; i < head.len; i++)
        bytes[i] = payload[i] == '|' ? 0 : (uint8_t)payload[i];
    store_request(c->conn, &head, bytes);
}

/* The reply; events before it are thrown away, those behind it wait. */
static inline const char *client_ask(struct client *c, uint32_t type, uint32_t tx, const char *payload)
{
    client_send(c, type, tx, payload);
    do
        assert_non_null(client_next(c));
    while (c->head.type == XS_WATCH_EVENT);
    store_drained(c->conn);
    return c->payload;
}

/* How many events wait; they are taken. */
static inline uint32_t client_events(struct client *c)
{
    uint32_t n = 0;

    while (client_next(c) != NULL) {
        assert_int_equal(c->head.type, XS_WATCH_EVENT);
        store_drained(c->conn);
        n++;
    }
    return n;
}

#endif
