/* SPDX-License-Identifier: MIT */
/* What the table of tests/xenstore cannot say: limits, memory, events without room, the VMM's own calls, storms. */
#include "random.h"
#include "xenstore_client.h"

#include "vmm/xenstore/store_private.h"
#include <errno.h>
#include <stdlib.h>

enum { GUEST = 3, OTHER = 4 };

struct rig {
    struct store *store;
    struct client guest, other;
};

static int set_up_with(void **state, const struct store_limits *limits)
{
    struct rig *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->store = store_create(limits);
    assert_non_null(r->store);
    assert_true(store_introduce(r->store, GUEST) && store_introduce(r->store, OTHER));
    store_mkdir(r->store, "/g");
    store_set_perms(r->store, "/g", "n3");
    store_mkdir(r->store, "/o");
    store_set_perms(r->store, "/o", "n4");
    client_connect(&r->guest, r->store, GUEST);
    client_connect(&r->other, r->store, OTHER);
    *state = r;
    return 0;
}

static int set_up(void **state) { return set_up_with(state, NULL); }

static int tear_down(void **state)
{
    struct rig *r = *state;

    store_destroy(r->store);
    free(r);
    return 0;
}

/* ---- The inside of a tree ---- */

struct census {
    uint32_t nodes[5]; /* by owner */
};

static void count(const struct xs_node *node, struct census *c)
{
    uint32_t names = 0;

    assert_true(node->refs >= 1);
    if (node->perms[0].domid < 5)
        c->nodes[node->perms[0].domid]++;
    for (uint32_t i = 0; i < node->n_children; i++) {
        names += (uint32_t)strlen(node->children[i]->name) + 1;
        for (uint32_t k = 0; k < i; k++)
            assert_string_not_equal(node->children[i]->name, node->children[k]->name);
        count(node->children[i], c);
    }
    assert_int_equal(names, node->names_bytes);
}

static void check_census(const struct store *s)
{
    struct census c = {0};

    count(s->root, &c);
    assert_int_equal(c.nodes[GUEST], store_usage(s, GUEST).nodes);
    assert_int_equal(c.nodes[OTHER], store_usage(s, OTHER).nodes);
}

/* ---- Limits ---- */

static uint32_t start(struct client *c)
{
    uint32_t tx = (uint32_t)strtoul(client_ask(c, XS_TRANSACTION_START, 0, "|"), NULL, 10);

    assert_int_equal(c->head.type, XS_TRANSACTION_START);
    return tx;
}

static void nodes_are_limited(void **state)
{
    struct rig *r = *state;
    char path[64];
    uint32_t n;

    for (n = 0; n < 2000; n++) {
        snprintf(path, sizeof path, "/g/%u/%u|v", n % 40, n);
        if (strcmp(client_ask(&r->guest, XS_WRITE, 0, path), "OK|") != 0)
            break;
    }
    assert_string_equal(r->guest.payload, "ENOSPC|");
    assert_int_equal(store_usage(r->store, GUEST).nodes, store_default_limits.nodes);
    check_census(r->store);
    assert_string_equal(client_ask(&r->other, XS_WRITE, 0, "/o/a|v"), "OK|"); /* each has its own */
    assert_string_equal(client_ask(&r->guest, XS_WRITE, 0, "/g/1/1|w"), "OK|");
    assert_string_equal(client_ask(&r->guest, XS_RM, 0, "/g/1|"), "OK|");
    assert_string_equal(client_ask(&r->guest, XS_WRITE, 0, "/g/more|v"), "OK|");
    check_census(r->store);
}

static void nodes_of_a_transaction_count(void **state)
{
    struct rig *r = *state;
    uint32_t tx = start(&r->guest), n;
    char path[64];

    for (n = 0; n < 2000; n++) {
        snprintf(path, sizeof path, "/g/%u/%u|", n % 40, n);
        if (strcmp(client_ask(&r->guest, XS_MKDIR, tx, path), "OK|") != 0)
            break;
    }
    assert_string_equal(r->guest.payload, "ENOSPC|");
    assert_true(n < store_default_limits.nodes);
    assert_string_equal(client_ask(&r->guest, XS_TRANSACTION_END, tx, "T|"), "ENOMEM|");
    assert_int_equal(store_usage(r->store, GUEST).nodes, 1);
    check_census(r->store);
}

static void watches_are_limited(void **state)
{
    struct rig *r = *state;
    char payload[64];

    for (uint32_t n = 0; n <= store_default_limits.watches; n++) {
        snprintf(payload, sizeof payload, "/g|%u|", n);
        assert_string_equal(client_ask(&r->guest, XS_WATCH, 0, payload),
                            n < store_default_limits.watches ? "OK|" : "E2BIG|");
        client_events(&r->guest);
    }
    assert_string_equal(client_ask(&r->guest, XS_RESET_WATCHES, 0, "|"), "OK|");
    assert_int_equal(store_usage(r->store, GUEST).watches, 0);
    assert_string_equal(client_ask(&r->guest, XS_WATCH, 0, "/g|t|"), "OK|");
}

static void transactions_are_limited(void **state)
{
    struct rig *r = *state;
    uint32_t tx = 0;

    for (uint32_t n = 0; n < store_default_limits.transactions; n++)
        tx = start(&r->guest);
    assert_string_equal(client_ask(&r->guest, XS_TRANSACTION_START, 0, "|"), "ENOSPC|");
    client_ask(&r->guest, XS_TRANSACTION_END, tx, "F|");
    start(&r->guest);
}

static void a_transaction_sees_so_much_and_no_more(void **state)
{
    struct rig *r = *state;
    char path[64];
    uint32_t tx = start(&r->guest), n;

    for (n = 0; n < 5000; n++) {
        snprintf(path, sizeof path, "/g/%u|", n);
        if (strcmp(client_ask(&r->guest, XS_READ, tx, path), "ENOENT|") != 0)
            break;
    }
    assert_string_equal(r->guest.payload, "ENOSPC|");
    assert_true(n < store_default_limits.touched);
}

static void fill_memory(struct rig *r)
{
    static char payload[4000];

    for (int i = 0; i < 10; i++) {
        uint32_t tx = (uint32_t)strtoul(client_ask(&r->guest, XS_TRANSACTION_START, 0, "|"), NULL, 10);

        if (r->guest.head.type == XS_ERROR)
            return; /* full */
        for (uint32_t n = 0; n < 200; n++) {
            snprintf(payload, sizeof payload, "/g/%u|%01900d", n, i);
            client_ask(&r->guest, XS_WRITE, tx, payload);
        }
    }
}

static void memory_is_limited(void **state)
{
    struct rig *r = *state;

    fill_memory(r);
    assert_true(store_usage(r->store, GUEST).bytes <= store_default_limits.bytes);
    assert_true(store_usage(r->store, GUEST).bytes > store_default_limits.bytes - 10000);
    /* Nobody else is held up by that: neither another guest, nor the VMM in a node that the guest paid for. */
    assert_string_equal(client_ask(&r->other, XS_WRITE, 0, "/o/a|v"), "OK|");
    client_ask(&r->guest, XS_WRITE, 0, "/g/mine|v");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(store_printf(r->store, "/g/mine", "%01000d", i), 0);
        assert_int_equal(store_printf(r->store, "/g", "%01000d", i), 0);
    }
    assert_string_equal(client_ask(&r->guest, XS_RESET_WATCHES, 0, "|"), "OK|");
    assert_true(store_usage(r->store, GUEST).bytes < 2000);
    check_census(r->store);
}

static void what_is_given_back_is_all(void **state)
{
    struct rig *r = *state;

    fill_memory(r);
    client_ask(&r->guest, XS_WRITE, 0, "/g/a/b|v");
    client_ask(&r->other, XS_TRANSACTION_START, 0, "|"); /* sees it all, and holds it */
    client_ask(&r->guest, XS_WATCH, 0, "/g|t|");
    store_release(r->store, GUEST);
    assert_int_equal(store_usage(r->store, GUEST).nodes, 0);
    client_ask(&r->other, XS_RESET_WATCHES, 0, "|");
    assert_int_equal(store_usage(r->store, GUEST).bytes, 0);
    check_census(r->store);
}

/* ---- Events ---- */

static void events_without_room_are_made_up_for(void **state)
{
    struct rig *r = *state;
    char payload[300];
    uint32_t seen[100] = {0}, reserve;

    for (uint32_t n = 0; n < 100; n++) {
        snprintf(payload, sizeof payload, "/g/%u|token%u|", n % 10, n);
        client_ask(&r->guest, XS_WATCH, 0, payload);
    }
    client_events(&r->guest);
    for (uint32_t n = 0; n < 1000; n++) {
        snprintf(payload, sizeof payload, "/g/%u/%0200u", n % 10, n % 50);
        assert_int_equal(store_write(r->store, payload, "", 0), 0);
        reserve = (uint32_t)sizeof r->guest.bytes - (r->guest.queue.prod - r->guest.queue.cons);
        assert_true(reserve >= STORE_MESSAGE_MAX);
    }
    assert_true(store_ready(r->guest.conn));
    while (client_next(&r->guest) != NULL) {
        const char *token = strstr(r->guest.payload, "token");

        seen[strtoul(token + 5, NULL, 10)]++;
        store_drained(r->guest.conn);
    }
    for (uint32_t n = 0; n < 100; n++)
        assert_true(seen[n] > 0);
}

static void who_is_written_to_is_woken(void **state)
{
    struct rig *r = *state;

    client_ask(&r->guest, XS_WATCH, 0, "/g|t|");
    client_events(&r->guest);
    r->guest.woken = 0;
    store_write(r->store, "/g/a", "v", 1);
    assert_int_equal(r->guest.woken, 1);
    store_write(r->store, "/o/a", "v", 1);
    assert_int_equal(r->guest.woken, 1);
    assert_string_equal(client_next(&r->guest), "/g/a|t|");
}

static void special_watches_tell_who_may_know(void **state)
{
    struct rig *r = *state;
    struct client zero;

    client_connect(&zero, r->store, 0);
    client_ask(&r->guest, XS_WATCH, 0, "@introduceDomain|g|");
    client_ask(&zero, XS_WATCH, 0, "@introduceDomain|z|");
    client_ask(&zero, XS_WATCH, 0, "@releaseDomain|z|");
    client_events(&r->guest);
    client_events(&zero);
    assert_true(store_introduce(r->store, 9));
    assert_string_equal(client_next(&zero), "@introduceDomain|z|");
    store_release(r->store, 9);
    assert_string_equal(client_next(&zero), "@releaseDomain|z|");
    assert_int_equal(client_events(&r->guest), 0);
    assert_string_equal(client_ask(&zero, XS_SET_PERMS, 0, "@introduceDomain|r0|"), "OK|");
    assert_true(store_introduce(r->store, 9));
    assert_string_equal(client_next(&r->guest), "@introduceDomain|g|");
    store_disconnect(zero.conn);
}

/* ---- Domains that go ---- */

static void a_released_domain_leaves_nothing(void **state)
{
    struct rig *r = *state;
    char value[8];

    client_ask(&r->guest, XS_WRITE, 0, "/g/a/b|v");
    client_ask(&r->other, XS_WRITE, 0, "/o/a|v");
    client_ask(&r->other, XS_SET_PERMS, 0, "/o/a|n4|b3|r0|");
    assert_int_equal(store_write(r->store, "/o/gift", "", 0), 0);
    assert_int_equal(store_set_perms(r->store, "/o/gift", "n3"), 0);
    client_ask(&r->guest, XS_WRITE, 0, "/o/gift/x|v");
    assert_string_equal(client_ask(&r->guest, XS_READ, 0, "/o/a|"), "v");
    store_disconnect(r->guest.conn);
    store_release(r->store, GUEST);
    assert_int_equal(store_read(r->store, "/g", value, sizeof value), -ENOENT);
    assert_int_equal(store_read(r->store, "/o/gift", value, sizeof value), -ENOENT);
    assert_int_equal(store_read(r->store, "/o/a", value, sizeof value), 1);
    assert_null(store_connect(r->store, GUEST, &r->guest.queue, NULL, NULL));
    /* The next of its number is another. */
    assert_string_equal(client_ask(&r->other, XS_SET_PERMS, 0, "/o/b|n4|"), "ENOENT|");
    assert_string_equal(client_ask(&r->other, XS_WRITE, 0, "/o/early|v"), "OK|");
    assert_string_equal(client_ask(&r->other, XS_SET_PERMS, 0, "/o/early|n4|b3|"), "OK|");
    assert_true(store_introduce(r->store, GUEST));
    client_connect(&r->guest, r->store, GUEST);
    assert_string_equal(client_ask(&r->guest, XS_READ, 0, "/o/a|"), "EACCES|");
    assert_string_equal(client_ask(&r->guest, XS_READ, 0, "/o/early|"), "EACCES|");
    assert_string_equal(client_ask(&r->other, XS_GET_PERMS, 0, "/o/a|"), "n4|r0|n3|");
}

/* ---- The VMM's calls ---- */

static void calls_say_what_is_wrong(void **state)
{
    static const struct {
        const char *path;
        int error;
    } rows[] = {{"/a/", -EINVAL}, {"a", -EINVAL}, {"", -EINVAL}, {"//", -EINVAL}, {"/none", -ENOENT}};
    struct rig *r = *state;
    char value[4];

    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (store_read(r->store, rows[i].path, value, sizeof value) != rows[i].error || value[0] != '\0')
            fail_msg("%s", rows[i].path);
    assert_int_equal(store_write(r->store, "/v", "value", 5), 0);
    assert_int_equal(store_read(r->store, "/v", value, sizeof value), 5);
    assert_string_equal(value, "val");
    assert_int_equal(store_owner(r->store, "/v"), 0);
    assert_int_equal(store_owner(r->store, "/g"), GUEST);
    assert_int_equal(store_owner(r->store, "/none"), -1);
    assert_int_equal(store_owner(r->store, "none/"), -1);
    assert_int_equal(store_set_perms(r->store, "/v", "x0"), -EINVAL);
    assert_int_equal(store_set_perms(r->store, "/v", "n77"), -ENOENT);
    assert_int_equal(store_remove(r->store, "/none"), 0);
    assert_int_equal(store_remove(r->store, "/none/none"), -ENOENT);
    assert_int_equal(store_write(r->store, "/v", value, XENSTORE_PAYLOAD_MAX + 1), -EINVAL);
    assert_null(store_watch(r->store, "/v/", NULL, NULL));
}

struct looker {
    struct store *store;
    struct store_watch *watch;
    uint32_t calls, depth;
    bool echo, leave;
};

static void looked(void *ctx)
{
    struct looker *l = ctx;

    assert_int_equal(l->depth, 0); /* never within another */
    l->depth++;
    l->calls++;
    if (l->echo && l->calls < 5)
        assert_int_equal(store_write(l->store, "/g/echo", "v", 1), 0);
    if (l->leave && l->calls == 2)
        store_unwatch(l->store, l->watch);
    l->depth--;
}

static void the_vmm_watches(void **state)
{
    struct rig *r = *state;
    struct looker l = {.store = r->store}, m = {.store = r->store, .leave = true},
                  e = {.store = r->store, .echo = true};

    l.watch = store_watch(r->store, "/g/a", looked, &l);
    m.watch = store_watch(r->store, "/g/a", looked, &m);
    assert_int_equal(l.calls, 1); /* at first */
    client_ask(&r->guest, XS_WRITE, 0, "/g/a/b/c|v");
    client_ask(&r->guest, XS_WRITE, 0, "/g/ab|v");
    assert_int_equal(l.calls, 2);
    client_ask(&r->guest, XS_RM, 0, "/g|"); /* its parent is domain 0's: refused */
    assert_int_equal(l.calls, 3);
    assert_int_equal(m.calls, 2);
    e.watch = store_watch(r->store, "/g", looked, &e);
    assert_int_equal(e.calls, 5); /* its own writes call it again, one by one */
    store_unwatch(r->store, e.watch);
    store_unwatch(r->store, l.watch);
    store_write(r->store, "/g/a", "v", 1);
    assert_int_equal(l.calls, 3);
}

static void the_vmm_hears_of_transactions_when_they_end(void **state)
{
    struct rig *r = *state;
    struct looker l = {.store = r->store};
    uint32_t tx = start(&r->guest);

    l.watch = store_watch(r->store, "/g", looked, &l);
    client_ask(&r->guest, XS_WRITE, tx, "/g/a|v");
    client_ask(&r->guest, XS_WRITE, tx, "/g/b|v");
    assert_int_equal(l.calls, 1);
    client_ask(&r->guest, XS_TRANSACTION_END, tx, "T|");
    assert_int_equal(l.calls, 2);
    store_unwatch(r->store, l.watch);
}

/* ---- Storms: three clients do anything, and the books are right at every moment ---- */

static void random_path(uint64_t *seed, char *out, size_t size)
{
    static const char *const tops[] = {"/g", "/o", "/shared", "/", "data", "/local/domain/3"};
    uint32_t depth = random_below(seed, 4);
    size_t n = (size_t)snprintf(out, size, "%s", tops[random_below(seed, N_ROWS(tops))]);

    for (uint32_t i = 0; i < depth; i++)
        n += (size_t)snprintf(out + n, size - n, "/%c", 'a' + (int)random_below(seed, 5));
}

static void random_request(struct client *c, uint64_t *seed, uint32_t *tx)
{
    static const uint32_t types[] = {XS_READ,
                                     XS_WRITE,
                                     XS_WRITE,
                                     XS_WRITE,
                                     XS_MKDIR,
                                     XS_RM,
                                     XS_RM,
                                     XS_WATCH,
                                     XS_UNWATCH,
                                     XS_SET_PERMS,
                                     XS_DIRECTORY,
                                     XS_GET_PERMS,
                                     XS_TRANSACTION_START,
                                     XS_TRANSACTION_END,
                                     XS_RESET_WATCHES};
    static const char *const perms[] = {"n3|", "n4|", "b3|r4|", "n0|b3|b4|", "r4|n3|"};
    uint32_t type = types[random_below(seed, N_ROWS(types))], slot = random_below(seed, 4), n;
    char path[100], payload[1200];

    random_path(seed, path, sizeof path);
    snprintf(payload, sizeof payload, "%s|", path);
    n = (uint32_t)strlen(payload);
    if (type == XS_WRITE)
        snprintf(payload + n, sizeof payload - n, "%0*d", (int)random_below(seed, 1000), 1);
    else if (type == XS_WATCH || type == XS_UNWATCH)
        snprintf(payload + n, sizeof payload - n, "%u|", random_below(seed, 3));
    else if (type == XS_SET_PERMS)
        snprintf(payload + n, sizeof payload - n, "%s", perms[random_below(seed, N_ROWS(perms))]);
    else if (type == XS_TRANSACTION_END)
        snprintf(payload, sizeof payload, "%s", random_below(seed, 3) > 0 ? "T|" : "F|");
    else if (type == XS_RESET_WATCHES && random_below(seed, 50) > 0)
        return;
    client_ask(c, type, type == XS_TRANSACTION_START ? 0 : tx[slot], payload);
    if (c->head.type == XS_TRANSACTION_START)
        tx[slot] = (uint32_t)strtoul(c->payload, NULL, 10);
    else if (type == XS_TRANSACTION_END)
        tx[slot] = 0;
}

static void check_usage(const struct store *s, uint32_t domid, const struct store_limits *limits)
{
    struct store_usage u = store_usage(s, domid);

    assert_true(u.watches <= limits->watches && u.transactions <= limits->transactions && u.bytes <= limits->bytes);
}

static const struct store_limits tight = {
    .nodes = 40, .watches = 12, .transactions = 3, .touched = 60, .perms = 5, .node_bytes = 600, .bytes = 40000};

struct storm {
    struct store *store;
    uint64_t seed;
    struct client clients[3]; /* two guests, and domain 0, which has no limits */
    uint32_t tx[3][4];
};

/* Some read what waits for them and some do not; never so full that a reply had no room. */
static void drain(struct storm *s)
{
    if (random_below(&s->seed, 3) == 0)
        client_events(&s->clients[random_below(&s->seed, 3)]);
    for (uint32_t k = 0; k < 3; k++)
        while (!store_ready(s->clients[k].conn)) {
            client_next(&s->clients[k]);
            store_drained(s->clients[k].conn);
        }
}

static void one_gust(struct storm *s, uint32_t i)
{
    uint32_t who = random_below(&s->seed, 20) % 3;

    random_request(&s->clients[who], &s->seed, s->tx[who]);
    drain(s);
    check_usage(s->store, GUEST, &tight);
    check_usage(s->store, OTHER, &tight);
    if (i % 64 == 0)
        check_census(s->store);
    if (i % 20000 == 19999) { /* a domain goes, and one of its number comes */
        store_release(s->store, GUEST);
        assert_true(store_introduce(s->store, GUEST));
        memset(s->tx[0], 0, sizeof s->tx[0]);
    }
}

static void storm(void **state)
{
    struct storm *s = calloc(1, sizeof *s);

    assert_non_null(s);
    set_up_with(state, &tight);
    s->store = ((struct rig *)*state)->store;
    s->seed = 20261121;
    for (uint32_t k = 0; k < 3; k++)
        client_connect(&s->clients[k], s->store, k == 0 ? GUEST : k == 1 ? OTHER : 0);
    store_mkdir(s->store, "/shared");
    store_set_perms(s->store, "/shared", "b0");
    for (uint32_t i = 0; i < 100000; i++)
        one_gust(s, i);
    for (uint32_t k = 0; k < 3; k++)
        store_disconnect(s->clients[k].conn);
    store_release(s->store, GUEST);
    store_release(s->store, OTHER);
    check_census(s->store);
    assert_int_equal(store_usage(s->store, OTHER).nodes, 0);
    assert_int_equal(store_usage(s->store, GUEST).bytes, 0);
    assert_int_equal(store_usage(s->store, OTHER).bytes, 0);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_are_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nodes_of_a_transaction_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watches_are_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(transactions_are_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_transaction_sees_so_much_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_is_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_given_back_is_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_without_room_are_made_up_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_written_to_is_woken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(special_watches_tell_who_may_know, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_released_domain_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(calls_say_what_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_vmm_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_vmm_hears_of_transactions_when_they_end, set_up, tear_down),
        cmocka_unit_test_teardown(storm, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
