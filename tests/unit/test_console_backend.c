/* SPDX-License-Identifier: MIT */
/* The handshake of secondary consoles, with guests that do it right, wrong and on purpose; and a domain's nodes. */
#include "xenstore_client.h"

#include "vmm/xenstore/console_backend.h"
#include "vmm/xenstore/domain_nodes.h"
#include <errno.h>
#include <stdlib.h>

enum { GUEST = 3 };

struct rig {
    struct store *store;
    struct client guest;
    struct console_backend backend;
    struct domain_nodes nodes;
    char log[512]; /* what env was asked for */
    bool no_grant, no_port, wild;
    int page;
};

static void note(struct rig *r, const char *what, uint32_t n)
{
    size_t used = strlen(r->log);

    snprintf(r->log + used, sizeof r->log - used, "%s%u ", what, n);
}

static void *on_map(void *ctx, uint32_t ring_ref)
{
    struct rig *r = ctx;

    note(r, "map", ring_ref);
    return r->no_grant ? NULL : &r->page;
}
static void on_unmap(void *ctx, uint32_t ring_ref, void *page)
{
    assert_ptr_equal(page, &((struct rig *)ctx)->page);
    note(ctx, "unmap", ring_ref);
}
static bool on_bind(void *ctx, uint32_t port)
{
    note(ctx, "bind", port);
    return !((struct rig *)ctx)->no_port;
}
static void on_unbind(void *ctx) { note(ctx, "unbind", 0); }
static bool on_open(void *ctx, void *page)
{
    assert_ptr_equal(page, &((struct rig *)ctx)->page);
    note(ctx, "open", 0);
    return !((struct rig *)ctx)->wild;
}
static void on_close(void *ctx) { note(ctx, "close", 0); }

static const struct console_backend_env env = {
    .map = on_map, .unmap = on_unmap, .bind = on_bind, .unbind = on_unbind, .open = on_open, .close = on_close};

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->store = store_create(NULL);
    r->nodes = (struct domain_nodes){.domid = GUEST,
                                     .name = "web",
                                     .uuid = {1, 2, 3},
                                     .memory_kib = 65536,
                                     .vcpus = 2,
                                     .store_gfn = 0xfeffd,
                                     .console_gfn = 0xfeffc,
                                     .store_port = 1,
                                     .console_port = 2,
                                     .rings = {{0xff000, 3}, {0xff001, 4}},
                                     .n_rings = 2};
    assert_int_equal(domain_nodes_write(r->store, &r->nodes), 0);
    assert_int_equal(console_backend_add(&r->backend, r->store, GUEST, 1, "log", &env, r), 0);
    client_connect(&r->guest, r->store, GUEST);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    console_backend_remove(&r->backend);
    store_destroy(r->store);
    free(r);
    return 0;
}

static void guest_writes(struct rig *r, const char *key_and_value)
{
    char payload[128];

    snprintf(payload, sizeof payload, "device/console/1/%s", key_and_value);
    assert_string_equal(client_ask(&r->guest, XS_WRITE, 0, payload), "OK|");
}

static const char *guest_reads(struct rig *r, const char *path)
{
    char payload[128];

    snprintf(payload, sizeof payload, "%s|", path);
    return client_ask(&r->guest, XS_READ, 0, payload);
}

static const char *backend_state(struct rig *r) { return guest_reads(r, "/local/domain/0/backend/console/3/1/state"); }

/* What env was asked for since the last look. */
static void asked(struct rig *r, const char *what)
{
    assert_string_equal(r->log, what);
    r->log[0] = '\0';
}

static void connect(struct rig *r)
{
    guest_writes(r, "ring-ref|8");
    guest_writes(r, "port|12");
    guest_writes(r, "state|3");
    assert_string_equal(backend_state(r), "4");
    asked(r, "map8 bind12 open0 ");
    guest_writes(r, "state|4");
    assert_true(console_backend_connected(&r->backend));
}

/* ---- The nodes ---- */

static void a_guest_finds_what_it_looks_for(void **state)
{
    static const struct {
        const char *path, *value;
    } rows[] = {
        {"name", "web"},
        {"domid", "3"},
        {"vm", "/vm/01020300-0000-0000-0000-000000000000"},
        {"/vm/01020300-0000-0000-0000-000000000000/uuid", "01020300-0000-0000-0000-000000000000"},
        {"memory/target", "65536"},
        {"memory/static-max", "65536"},
        {"cpu/1/availability", "online"},
        {"cpu/2/availability", "ENOENT|"},
        {"control/shutdown", ""},
        {"control/platform-feature-xs_reset_watches", "1"},
        {"console/ring-ref", "1044476"},
        {"console/port", "2"},
        {"console/type", "vcons"},
        {"console/tty", ""},
        {"store/ring-ref", "1044477"},
        {"xen-console", "EACCES|"}, /* the backend's alone */
        {"xen-console/0", "EACCES|"},
        {"xen-console/0/ring-ref", "EACCES|"},
        {"xen-console/0/port", "EACCES|"},
        {"xen-console/1/port", "EACCES|"},
        {"xen-console/2/port", "EACCES|"},
        {"device/console/1/backend", "/local/domain/0/backend/console/3/1"},
        {"device/console/1/backend-id", "0"},
        {"device/console/1/state", "1"},
        {"device/console/1/type", "vcons"},
        {"device/console/1/name", "log"},
        {"/local/domain/0/backend/console/3/1/frontend", "/local/domain/3/device/console/1"},
        {"/local/domain/0/backend/console/3/1/frontend-id", "3"},
        {"/local/domain/0/backend/console/3/1/online", "1"},
        {"/local/domain/0/backend/console/3/1/state", "2"},
        {"/local/domain/0/backend/console/3/0/state", "1"},
        {"/local/domain/0/backend/console/3/0/frontend", "/local/domain/3/console"},
    };
    struct rig *r = *state;
    char value[16];

    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (strcmp(guest_reads(r, rows[i].path), rows[i].value) != 0)
            fail_msg("%s is %s", rows[i].path, r->guest.payload);
    assert_string_equal(client_ask(&r->guest, XS_DIRECTORY, 0, "device|"), "console|");
    assert_string_equal(client_ask(&r->guest, XS_DIRECTORY, 0, "xen-console|"), "EACCES|");
    assert_string_equal(client_ask(&r->guest, XS_DIRECTORY, 0, "xen-console/0|"), "EACCES|");
    assert_int_equal(store_read(r->store, "/local/domain/3/xen-console/1/ring-ref", value, sizeof value), 7);
    assert_memory_equal(value, "1044481", 7);
    assert_int_equal(store_read(r->store, "/local/domain/3/xen-console/0/port", value, sizeof value), 1);
    assert_memory_equal(value, "3", 1);
    assert_string_equal(client_ask(&r->guest, XS_DIRECTORY, 0, "device/console|"), "1|");
}

static void what_a_guest_may_write(void **state)
{
    static const struct {
        const char *path;
        bool may;
    } rows[] = {
        {"name", false},
        {"memory/target", false},
        {"console/tty", false},
        {"console/ring-ref", false},
        {"console/port", false},
        {"console/new", false},
        {"xen-console/0/port", false},
        {"xen-console/0/ring-ref", false},
        {"xen-console/2", false},
        {"xen-console/0/new", false},
        {"device/console/2/state", false},
        {"device/console/1/tty", false},
        {"device/console/1/name", false},
        {"device/console/1/limit", false},
        {"/local/domain/0/backend/console/3/1/state", false},
        {"/local/domain/0/backend/console/3/1/new", false},
        {"/local/domain/0/backend/console/3/0/state", false},
        {"/local/domain/0/name", false},
        {"/local/domain/4/name", false},
        {"/new", false},
        {"control/shutdown", true},
        {"control/feature-poweroff", true},
        {"control/sysrq", true},
        {"control/new", false},
        {"data/new", true},
        {"attr/new", true},
        {"error/device/console/1", true},
        {"device/console/1/new", true},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < N_ROWS(rows); i++) {
        char payload[128];

        snprintf(payload, sizeof payload, "%s|v", rows[i].path);
        if (strcmp(client_ask(&r->guest, XS_WRITE, 0, payload), rows[i].may ? "OK|" : "EACCES|") != 0)
            fail_msg("%s: %s", rows[i].path, r->guest.payload);
    }
}

static void a_domain_goes_with_its_nodes(void **state)
{
    struct rig *r = *state;
    char value[8];

    connect(r);
    console_backend_remove(&r->backend);
    asked(r, "close0 unbind0 unmap8 ");
    assert_int_equal(store_read(r->store, "/local/domain/0/backend/console/3/1", value, sizeof value), -ENOENT);
    store_disconnect(r->guest.conn);
    domain_nodes_remove(r->store, &r->nodes);
    assert_int_equal(store_read(r->store, "/local/domain/3", value, sizeof value), -ENOENT);
    assert_int_equal(store_read(r->store, "/local/domain/0/backend/console/3", value, sizeof value), -ENOENT);
    assert_int_equal(store_usage(r->store, GUEST).bytes, 0);
    /* And comes again, as after a reset. */
    assert_int_equal(domain_nodes_write(r->store, &r->nodes), 0);
    assert_int_equal(console_backend_add(&r->backend, r->store, GUEST, 1, NULL, &env, r), 0);
    client_connect(&r->guest, r->store, GUEST);
    connect(r);
}

/* ---- The handshake ---- */

static void connected_and_closed_and_again(void **state)
{
    struct rig *r = *state;

    for (int i = 0; i < 3; i++) {
        connect(r);
        guest_writes(r, "state|5");
        assert_string_equal(backend_state(r), "5");
        asked(r, "close0 unbind0 unmap8 ");
        assert_false(console_backend_connected(&r->backend));
        guest_writes(r, "state|6");
        assert_string_equal(backend_state(r), "6");
        asked(r, "");
        if (i == 1) { /* a driver that begins at the beginning */
            guest_writes(r, "state|1");
            assert_string_equal(backend_state(r), "2");
        } /* else one that goes from 6 to 3, as Linux does when it is bound again */
    }
}

static void linux_writes_all_of_it_in_a_transaction(void **state)
{
    struct rig *r = *state;
    uint32_t tx = (uint32_t)strtoul(client_ask(&r->guest, XS_TRANSACTION_START, 0, "|"), NULL, 10);

    assert_string_equal(client_ask(&r->guest, XS_WATCH, 0, "/local/domain/0/backend/console/3/1/state|ffff|"), "OK|");
    client_events(&r->guest);
    assert_string_equal(client_ask(&r->guest, XS_WRITE, tx, "device/console/1/ring-ref|8"), "OK|");
    assert_string_equal(client_ask(&r->guest, XS_WRITE, tx, "device/console/1/port|8"), "OK|");
    assert_string_equal(client_ask(&r->guest, XS_TRANSACTION_END, tx, "T|"), "OK|");
    asked(r, "");
    guest_writes(r, "state|3");
    asked(r, "map8 bind8 open0 ");
    assert_string_equal(client_next(&r->guest), "/local/domain/0/backend/console/3/1/state|ffff|");
    assert_string_equal(backend_state(r), "4");
}

static void unplugged(void **state)
{
    struct rig *r = *state;

    connect(r);
    console_backend_unplug(&r->backend);
    assert_string_equal(backend_state(r), "5");
    assert_true(console_backend_connected(&r->backend)); /* until the guest lets go */
    guest_writes(r, "state|6");
    assert_string_equal(backend_state(r), "6");
    asked(r, "close0 unbind0 unmap8 ");
    guest_writes(r, "state|3"); /* for good */
    asked(r, "");
    assert_string_equal(backend_state(r), "6");
    guest_writes(r, "state|1");
    assert_string_equal(backend_state(r), "6");
}

static void unplugged_before_anybody_came(void **state)
{
    struct rig *r = *state;

    console_backend_unplug(&r->backend);
    assert_string_equal(backend_state(r), "6");
}

/* ---- Hostile ones ---- */

static const struct {
    const char *name, *ring_ref, *port; /* NULL: not written */
    bool no_grant, no_port, wild;
    const char *log; /* of env, after which the backend is at 6 */
} bad[] = {
    {"nothing written", NULL, NULL, false, false, false, ""},
    {"no port", "ring-ref|8", NULL, false, false, false, ""},
    {"no number", "ring-ref|8x", "port|12", false, false, false, ""},
    {"nothing in it", "ring-ref|", "port|12", false, false, false, ""},
    {"a sign", "ring-ref|-1", "port|12", false, false, false, ""},
    {"a space", "ring-ref| 8", "port|12", false, false, false, ""},
    {"2^32", "ring-ref|8", "port|4294967296", false, false, false, ""},
    {"far more than a number has digits", "ring-ref|8", "port|00000000000000000000000000012", false, false, false, ""},
    {"a NUL in it", "ring-ref|8|9", "port|12", false, false, false, ""},
    {"no such grant", "ring-ref|4294967295", "port|12", true, false, false, "map4294967295 "},
    {"another's port", "ring-ref|8", "port|1", false, true, false, "map8 bind1 unmap8 "},
    {"a wild ring", "ring-ref|8", "port|12", false, false, true, "map8 bind12 open0 unbind0 unmap8 "},
};

static void what_cannot_be_connected(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(bad); i++) {
        struct rig *r;

        set_up((void **)&r);
        r->no_grant = bad[i].no_grant;
        r->no_port = bad[i].no_port;
        r->wild = bad[i].wild;
        if (bad[i].ring_ref != NULL)
            guest_writes(r, bad[i].ring_ref);
        if (bad[i].port != NULL)
            guest_writes(r, bad[i].port);
        guest_writes(r, "state|3");
        if (strcmp(r->log, bad[i].log) != 0 || strcmp(backend_state(r), "6") != 0)
            fail_msg("%s: %s", bad[i].name, r->log);
        r->log[0] = '\0';
        guest_writes(r, "state|3"); /* no change, no second try */
        guest_writes(r, "anything|");
        asked(r, "");
        r->no_grant = r->no_port = r->wild = false; /* a driver that does better now */
        guest_writes(r, "state|6");
        connect(r);
        tear_down((void **)&r);
    }
}

static void states_that_flap(void **state)
{
    static const char *const nonsense[] = {"state|0", "state|7", "state|99999999999", "state|x",
                                           "state|",  "state|4", "state|-3",          "state|2"};
    struct rig *r = *state;
    char value[8];

    connect(r);
    guest_writes(r, "state|3"); /* with other pages, while connected: nothing happens */
    guest_writes(r, "ring-ref|9");
    guest_writes(r, "state|4");
    guest_writes(r, "state|3");
    asked(r, "");
    assert_true(console_backend_connected(&r->backend));
    for (size_t i = 0; i < N_ROWS(nonsense); i++)
        guest_writes(r, nonsense[i]);
    assert_string_equal(client_ask(&r->guest, XS_RM, 0, "device/console/1|"), "OK|");
    assert_false(console_backend_connected(&r->backend));
    asked(r, "close0 unbind0 unmap8 ");
    assert_string_equal(backend_state(r), "6");
    console_backend_unplug(&r->backend);
    console_backend_remove(&r->backend);
    console_backend_remove(&r->backend);
    assert_int_equal(store_read(r->store, "/local/domain/0/backend/console/3/1", value, sizeof value), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_guest_finds_what_it_looks_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_guest_may_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_domain_goes_with_its_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connected_and_closed_and_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(linux_writes_all_of_it_in_a_transaction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unplugged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unplugged_before_anybody_came, set_up, tear_down),
        cmocka_unit_test(what_cannot_be_connected),
        cmocka_unit_test_setup_teardown(states_that_flap, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
