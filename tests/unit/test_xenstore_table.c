/* SPDX-License-Identifier: MIT */
/* The table of tests/xenstore, put to our store. The suite `xen` puts it to a real one. */
#include "unit.h"

#include "../xenstore/runner.h"
#include "vmm/xenstore/store.h"
#include <stdlib.h>
#include <string.h>

enum { GUEST = 7, QUEUE = 65536 };

struct client {
    struct store_conn *conn;
    struct store_queue queue;
    uint8_t bytes[QUEUE];
};
struct server {
    struct client zero, guest;
};

static struct client *client_of(struct server *s, char who) { return who == 'g' ? &s->guest : &s->zero; }

static void send(void *ctx, char who, const struct xsd_sockmsg *head, const char *payload)
{
    store_request(client_of(ctx, who)->conn, head, (const uint8_t *)payload);
}

static void take(struct store_queue *q, void *to, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = q->bytes[q->cons++ & (q->size - 1)];
}

static bool receive(void *ctx, char who, struct xsd_sockmsg *head, char *payload)
{
    struct store_queue *q = &client_of(ctx, who)->queue;

    if (q->cons == q->prod)
        return false;
    take(q, head, sizeof *head);
    take(q, payload, head->len);
    return true;
}

static void connect(struct store *s, struct client *c, uint32_t domid)
{
    c->queue = (struct store_queue){.bytes = c->bytes, .size = sizeof c->bytes};
    c->conn = store_connect(s, domid, &c->queue, NULL, NULL);
    assert_non_null(c->conn);
}

static void say(const char *line) { print_error("%s\n", line); }

static void the_table(void **state)
{
    struct store *s = store_create(NULL);
    struct server *server = calloc(1, sizeof *server);
    struct xt_server xt = {.ctx = server, .guest = GUEST, .send = send, .receive = receive};
    struct xt_result result;

    (void)state;
    assert_true(store_introduce(s, GUEST));
    assert_int_equal(store_mkdir(s, "/local/domain/7"), 0);
    assert_int_equal(store_set_perms(s, "/local/domain/7", "n0 r7"), 0);
    assert_int_equal(store_mkdir(s, "/local/domain/7/data"), 0);
    assert_int_equal(store_set_perms(s, "/local/domain/7/data", "n7"), 0);
    connect(s, &server->zero, 0);
    connect(s, &server->guest, GUEST);
    result = xt_run(&xt, say);
    store_destroy(s);
    free(server);
    assert_int_equal(result.failed, 0);
    assert_int_equal(result.passed, xt_n_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
