/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of a long script fails once, each in a run of its own: a reply says so, or the VMM's call does; what was
 * there stays, the books are right, nothing leaks (the address sanitizer looks), and the next request works.
 */
#include "xenstore_client.h"

#include "../../vmm/xenstore/console_backend.h"
#include "../../vmm/xenstore/domain_nodes.h"
#include <errno.h>
#include <stdlib.h>

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static uint32_t until_failure; /* allocations that succeed before the one that does not; 0: all do */
static bool failed;

void *__wrap_calloc(size_t n, size_t size)
{
    if (until_failure > 0 && --until_failure == 0) {
        failed = true;
        return NULL;
    }
    return __real_calloc(n, size);
}

enum { GUEST = 3 };

static void *no_page(void *ctx, uint32_t ref) { return (void)ctx, (void)ref, NULL; }
static const struct console_backend_env backend_env = {.map = no_page};
static const struct domain_nodes nodes = {
    .domid = GUEST, .name = "web", .memory_kib = 65536, .vcpus = 2, .store_gfn = 5, .console_gfn = 4};

static void nothing(void *ctx) { (void)ctx; }

/* What a guest asks: type, and payload; the transaction is the last one that began, if T. */
static const struct {
    uint32_t type;
    bool in_transaction;
    const char *payload;
} script[] = {
    {XS_WRITE, false, "data/a/b/c|value"},
    {XS_WATCH, false, "data|token|"},
    {XS_TRANSACTION_START, false, "|"},
    {XS_READ, true, "data/a/b/c|"},
    {XS_WRITE, true, "data/a/b/c|other"},
    {XS_WRITE, true, "data/x/y|new"},
    {XS_WRITE, false, "data/elsewhere|beside"},
    {XS_SET_PERMS, true, "data/a|n3|r0|"},
    {XS_RM, true, "data/a/b|"},
    {XS_MKDIR, true, "data/a/d|"},
    {XS_WRITE, false, "attr/also|beside"},
    {XS_TRANSACTION_END, true, "T|"},
    {XS_SET_PERMS, false, "data/x|n3|r0|"},
    {XS_WRITE, false, "device/console/1/state|3"},
    {XS_RM, false, "data/x|"},
    {XS_UNWATCH, false, "data|token|"},
};

static void play(struct client *c)
{
    uint32_t tx = 0;

    for (size_t i = 0; i < N_ROWS(script); i++) {
        bool before = failed;

        client_ask(c, script[i].type, script[i].in_transaction ? tx : 0, script[i].payload);
        if (script[i].type == XS_TRANSACTION_START && c->head.type != XS_ERROR)
            tx = (uint32_t)strtoul(c->payload, NULL, 10);
        if (!before && failed && c->head.type == XS_ERROR)
            assert_true(strcmp(c->payload, "ENOMEM|") == 0 || strcmp(c->payload, "ENOSPC|") == 0);
    }
    client_ask(c, XS_RESET_WATCHES, 0, "|");
}

/* Whatever failed, it is over: the next request works, and what goes is gone. */
static void check(struct store *s, struct client *c)
{
    until_failure = 0;
    if (c->conn == NULL)
        return;
    assert_string_equal(client_ask(c, XS_WRITE, 0, "data/after|v"), "OK|");
    assert_string_equal(client_ask(c, XS_READ, 0, "data/after|"), "v");
    assert_int_equal(store_usage(s, GUEST).watches, 0);
}

static void with_nodes(struct store *s, struct client *c)
{
    struct console_backend backend;
    int error = console_backend_add(&backend, s, GUEST, 1, "log", &backend_env, NULL);
    struct store_watch *w = store_watch(s, "/local", nothing, NULL);
    char value[8];

    assert_true(error == 0 || failed);
    c->queue = (struct store_queue){.bytes = c->bytes, .size = sizeof c->bytes};
    c->conn = store_connect(s, GUEST, &c->queue, NULL, NULL);
    if (c->conn != NULL)
        play(c);
    check(s, c);
    store_disconnect(c->conn);
    store_unwatch(s, w);
    console_backend_remove(&backend);
    domain_nodes_remove(s, &nodes);
    assert_int_equal(store_usage(s, GUEST).nodes, 0);
    assert_int_equal(store_usage(s, GUEST).bytes, 0);
    assert_int_equal(store_read(s, "/local/domain/3", value, sizeof value), -ENOENT);
}

/* False: a run without any failure. */
static bool one_run(uint32_t n)
{
    struct client *c = __real_calloc(1, sizeof *c);
    struct store *s;

    failed = false;
    until_failure = n;
    s = store_create(NULL);
    if (s != NULL && domain_nodes_write(s, &nodes) == 0)
        with_nodes(s, c);
    else
        assert_true(failed);
    until_failure = 0;
    store_destroy(s);
    free(c);
    return failed;
}

static void memory_may_run_out_anywhere(void **state)
{
    uint32_t n = 1;

    (void)state;
    while (one_run(n))
        n++;
    print_message("%u allocations, each of which failed once\n", n - 1);
    assert_true(n > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_may_run_out_anywhere)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
