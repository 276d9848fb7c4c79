/* SPDX-License-Identifier: MIT */
/* XenStore, its ring, a console beyond the first and the grant table, saved and restored: as if nothing had been; or refused. */
#include "unit.h"

#include "vmm/grant_pages.h"
#include "vmm/xenstore/console_backend.h"
#include "vmm/xenstore/domain_nodes.h"
#include "vmm/xenstore/ring.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/xen.h>

enum { GUEST = 3, SAVED_MAX = 1 << 20 };

struct machine { /* one side of a save: a store, and a guest's ring with it */
    struct store *store;
    struct store_ring ring;
    uint32_t notified;
};

static struct xenstore_domain_interface page; /* the guest's: it is the same before and after */
static uint8_t saved[SAVED_MAX];

static void on_notify(void *ctx) { ((struct machine *)ctx)->notified++; }
static void on_work(void *ctx) { (void)ctx; }
static const struct store_ring_env env = {.notify = on_notify, .work = on_work};

static struct machine *boot(void)
{
    const struct domain_nodes nodes = {
        .domid = GUEST, .name = "web", .uuid = {1}, .memory_kib = 65536, .vcpus = 2, .store_gfn = 7, .console_gfn = 8};
    struct machine *m = calloc(1, sizeof *m);

    assert_non_null(m);
    memset(&page, 0, sizeof page);
    m->store = store_create(NULL);
    assert_int_equal(domain_nodes_write(m->store, &nodes), 0);
    assert_true(store_ring_attach(&m->ring, m->store, GUEST, &page, &env, m));
    return m;
}

static void drop(struct machine *m)
{
    store_ring_detach(&m->ring);
    store_destroy(m->store);
    free(m);
}

static size_t save(const struct machine *m)
{
    struct vc_writer w;

    vc_writer_init(&w, saved, sizeof saved);
    store_save(m->store, &w);
    store_ring_save(&m->ring, &w);
    assert_true(vc_writer_ok(&w));
    assert_true(w.n <= store_save_bytes(m->store) + STORE_RING_SAVE_BYTES);
    return w.n;
}

/* NULL: refused. The bytes lie at the end of what is allocated, so that a step behind them is seen. */
static struct machine *restore(const uint8_t *bytes, size_t n)
{
    struct machine *m = calloc(1, sizeof *m);
    uint8_t *copy = malloc(n + (n == 0));
    struct vc_reader r;
    bool right;

    assert_true(m != NULL && copy != NULL);
    memcpy(copy, bytes, n);
    vc_reader_init(&r, copy, n);
    m->store = store_create(NULL);
    right = store_introduce(m->store, GUEST) && store_restore(m->store, GUEST, &r) &&
            store_ring_restore(&m->ring, m->store, GUEST, &page, &env, m, &r) && vc_reader_done(&r);
    free(copy);
    if (right)
        return m;
    drop(m);
    return NULL;
}

/* What goes on stands in a store of its own, in another process say; and saved there, it is what was saved here. */
static struct machine *moved(struct machine *m)
{
    static uint8_t before[sizeof saved];
    size_t n = save(m);

    memcpy(before, saved, n);
    drop(m);
    m = restore(before, n);
    assert_non_null(m);
    assert_int_equal(save(m), n);
    assert_memory_equal(saved, before, n);
    return m;
}

/* ---- The guest's side. ---- */

static void put(const void *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        page.req[page.req_prod++ % XENSTORE_RING_SIZE] = ((const uint8_t *)bytes)[i];
}

/* text: | stands for NUL. */
static uint32_t request(uint8_t *to, uint32_t type, uint32_t tx_id, const char *text)
{
    struct xsd_sockmsg head = {.type = type, .tx_id = tx_id, .len = (uint32_t)strlen(text)};

    memcpy(to, &head, sizeof head);
    for (uint32_t i = 0; i < head.len; i++)
        to[sizeof head + i] = text[i] == '|' ? 0 : (uint8_t)text[i];
    return (uint32_t)sizeof head + head.len;
}

/* The next message; "-": there is none. */
static const char *next_message(struct machine *m)
{
    static char text[XENSTORE_PAYLOAD_MAX + 1];
    struct xsd_sockmsg head;
    uint8_t *to = (uint8_t *)&head;
    uint32_t n = sizeof head;

    text[0] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        while (page.rsp_cons == page.rsp_prod && store_ring_serve(&m->ring))
            continue;
        if (page.rsp_cons == page.rsp_prod)
            return "-";
        to[i] = page.rsp[page.rsp_cons++ % XENSTORE_RING_SIZE];
        if (to == (uint8_t *)&head && i + 1 == n) {
            to = (uint8_t *)text - n;
            n += head.len;
            assert_true(head.len <= XENSTORE_PAYLOAD_MAX);
            text[head.len] = '\0';
        }
    }
    for (uint32_t i = 0; i < head.len; i++)
        text[i] = text[i] == '\0' ? '|' : text[i];
    return text;
}

static const char *ask(struct machine *m, uint32_t type, uint32_t tx_id, const char *text)
{
    uint8_t bytes[XENSTORE_PAYLOAD_MAX];

    put(bytes, request(bytes, type, tx_id, text));
    return next_message(m);
}

/* ---- As if nothing had been. ---- */

static void nodes_come_back(void **state)
{
    static const char *const rows[][2] = {{"data/mine|", "hello"}, {"data/deep/er/est|", "x"}, {"name|", "web"}};
    struct machine *m = boot();
    struct store_usage before, after;

    (void)state;
    assert_string_equal(ask(m, XS_WRITE, 0, "data/mine|hello"), "OK|");
    assert_string_equal(ask(m, XS_WRITE, 0, "data/deep/er/est|x"), "OK|");
    assert_string_equal(ask(m, XS_SET_PERMS, 0, "data/mine|r3|b0|"), "OK|");
    before = store_usage(m->store, GUEST);
    m = moved(m);
    after = store_usage(m->store, GUEST);
    assert_int_equal(before.nodes, after.nodes);
    for (size_t i = 0; i < N_ROWS(rows); i++)
        assert_string_equal(ask(m, XS_READ, 0, rows[i][0]), rows[i][1]);
    assert_string_equal(ask(m, XS_GET_PERMS, 0, "data/mine|"), "r3|b0|");
    assert_string_equal(ask(m, XS_WRITE, 0, "name|other"), "EACCES|");
    assert_string_equal(ask(m, XS_WRITE, 0, "data/mine|again"), "OK|");
    assert_string_equal(ask(m, XS_RM, 0, "data/deep|"), "OK|");
    assert_int_equal(store_usage(m->store, GUEST).nodes, before.nodes - 3);
    drop(m);
}

static void one_state_has_one_form(void **state)
{
    struct machine *m = boot();
    uint8_t *first;
    size_t n;

    (void)state;
    assert_string_equal(ask(m, XS_WATCH, 0, "data|t|"), "OK|");
    assert_string_equal(next_message(m), "data|t|");
    assert_string_equal(ask(m, XS_TRANSACTION_START, 0, "|"), "1|");
    n = save(m);
    first = malloc(n);
    memcpy(first, saved, n);
    m = moved(m);
    assert_int_equal(save(m), n);
    assert_memory_equal(saved, first, n);
    free(first);
    drop(m);
}

static void watches_go_on(void **state)
{
    struct machine *m = boot();

    (void)state;
    assert_string_equal(ask(m, XS_WATCH, 0, "data|mine|"), "OK|");
    assert_string_equal(next_message(m), "data|mine|");
    assert_string_equal(ask(m, XS_WATCH, 0, "/local/domain/3/data|all|"), "OK|");
    assert_string_equal(next_message(m), "/local/domain/3/data|all|");
    assert_string_equal(ask(m, XS_WATCH, 0, "@releaseDomain|gone|"), "OK|");
    assert_string_equal(next_message(m), "@releaseDomain|gone|");
    m = moved(m);
    assert_string_equal(next_message(m), "-"); /* nothing has changed */
    assert_int_equal(store_write(m->store, "/local/domain/3/data/x", "1", 1), 0);
    assert_string_equal(next_message(m), "data/x|mine|");
    assert_string_equal(next_message(m), "/local/domain/3/data/x|all|");
    assert_string_equal(ask(m, XS_WATCH, 0, "data|mine|"), "EEXIST|");
    assert_string_equal(ask(m, XS_UNWATCH, 0, "data|mine|"), "OK|");
    assert_int_equal(store_usage(m->store, GUEST).watches, 2);
    drop(m);
}

/* A driver that is told EAGAIN begins anew: as when somebody had overtaken it. */
static void transactions_begin_anew(void **state)
{
    struct machine *m = boot();

    (void)state;
    assert_string_equal(ask(m, XS_TRANSACTION_START, 0, "|"), "1|");
    assert_string_equal(ask(m, XS_TRANSACTION_START, 0, "|"), "2|");
    assert_string_equal(ask(m, XS_WRITE, 2, "data/mine|inside"), "OK|");
    m = moved(m);
    assert_string_equal(ask(m, XS_WRITE, 2, "data/more|inside"), "OK|");
    assert_string_equal(ask(m, XS_TRANSACTION_END, 2, "T|"), "EAGAIN|");
    assert_string_equal(ask(m, XS_READ, 0, "data/more|"), "ENOENT|");
    assert_string_equal(ask(m, XS_TRANSACTION_END, 1, "F|"), "OK|");
    assert_string_equal(ask(m, XS_TRANSACTION_START, 0, "|"), "3|");
    assert_string_equal(ask(m, XS_WRITE, 3, "data/mine|inside"), "OK|");
    assert_string_equal(ask(m, XS_TRANSACTION_END, 3, "T|"), "OK|");
    assert_string_equal(ask(m, XS_READ, 0, "data/mine|"), "inside");
    drop(m);
}

/* Between any two bytes that the store takes of a request, it is another store. */
static void at_every_byte_of_a_request(void **state)
{
    uint8_t bytes[64];
    uint32_t n = request(bytes, XS_WRITE, 0, "data/mine|hello");
    struct machine *m = boot();

    (void)state;
    for (uint32_t i = 0; i < n; i++) {
        put(bytes + i, 1);
        m = moved(m);
        store_ring_serve(&m->ring);
        m = moved(m);
    }
    assert_string_equal(next_message(m), "OK|");
    assert_string_equal(ask(m, XS_READ, 0, "data/mine|"), "hello");
    drop(m);
}

/* A reply that the page has no room for waits in the queue, and goes with it. */
static void at_every_byte_of_a_reply(void **state)
{
    char value[3000];
    struct machine *m = boot();
    struct xsd_sockmsg head;
    uint8_t bytes[64];

    (void)state;
    memset(value, 'v', sizeof value);
    assert_int_equal(store_write(m->store, "/local/domain/3/large", value, sizeof value), 0);
    put(bytes, request(bytes, XS_READ, 0, "large|"));
    store_ring_serve(&m->ring);
    for (uint32_t i = 0; i < sizeof head + sizeof value; i++) {
        uint8_t byte;

        m = moved(m);
        store_ring_serve(&m->ring);
        assert_int_not_equal(page.rsp_cons, page.rsp_prod);
        byte = page.rsp[page.rsp_cons++ % XENSTORE_RING_SIZE];
        if (i >= sizeof head && byte != 'v')
            fail_msg("byte %u is 0x%x", i, byte);
    }
    assert_string_equal(next_message(m), "-");
    drop(m);
}

static void a_dead_ring_stays_dead(void **state)
{
    struct machine *m = boot();

    (void)state;
    page.req_prod = page.req_cons + 5000;
    store_ring_serve(&m->ring);
    assert_int_equal(store_ring_error(&m->ring), XENSTORE_ERROR_RINGIDX);
    page.req_prod = page.req_cons;
    m = moved(m);
    assert_int_equal(store_ring_error(&m->ring), XENSTORE_ERROR_RINGIDX);
    assert_string_equal(ask(m, XS_READ, 0, "name|"), "-");
    page.connection = XENSTORE_RECONNECT;
    store_ring_serve(&m->ring);
    assert_string_equal(ask(m, XS_READ, 0, "name|"), "web");
    drop(m);
}

/* ---- What is refused. ---- */

static void cut_anywhere(void **state)
{
    struct machine *m = boot();
    uint8_t *whole;
    size_t n;

    (void)state;
    assert_string_equal(ask(m, XS_WATCH, 0, "data|t|"), "OK|");
    assert_string_equal(ask(m, XS_TRANSACTION_START, 0, "|"), "data|t|");
    n = save(m);
    drop(m);
    whole = malloc(n + 1);
    memcpy(whole, saved, n);
    for (size_t cut = 0; cut < n; cut++)
        if (restore(whole, cut) != NULL)
            fail_msg("taken, cut to %zu of %zu", cut, n);
    whole[n] = 0;
    assert_null(restore(whole, n + 1));
    free(whole);
}

struct node {
    uint32_t depth, payer, n_perms;
    const char *name;
    uint32_t n_name, n_value, may;
};

static void write_nodes(struct vc_writer *w, const struct node *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        vc_write_u32(w, nodes[i].depth);
        vc_write_u32(w, nodes[i].payer);
        vc_write_u32(w, nodes[i].n_perms);
        vc_write_u32(w, nodes[i].n_name);
        vc_write_u32(w, nodes[i].n_value);
        for (uint32_t k = 0; k < nodes[i].n_perms && k < 16; k++) {
            vc_write_u32(w, GUEST);
            vc_write_u32(w, nodes[i].may);
        }
        vc_write_bytes(w, nodes[i].name, nodes[i].n_name);
        for (uint32_t k = 0; k < nodes[i].n_value; k++)
            vc_write_u8(w, 'v');
    }
    vc_write_u32(w, UINT32_MAX);
}

/* An empty ring behind it, without watches and transactions. */
static struct machine *restore_nodes(const struct node *nodes, size_t n)
{
    struct vc_writer w;

    vc_writer_init(&w, saved, sizeof saved);
    write_nodes(&w, nodes, n);
    for (int i = 0; i < 6; i++)
        vc_write_u32(&w, 0);
    assert_true(vc_writer_ok(&w));
    memset(&page, 0, sizeof page);
    return restore(saved, w.n);
}

static void trees_that_are_none(void **state)
{
    static char long_name[3000];
    static const struct {
        const char *name;
        bool taken;
        struct node nodes[4];
    } rows[] = {
        {"a root and two children", true, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, "a", 1, 9, 3}, {1, 3, 1, "b", 1, 0, 0}}},
        {"no root", false, {{1, 0, 1, "a", 1, 0, 0}}},
        {"a root with a name", false, {{0, 0, 1, "a", 1, 0, 0}}},
        {"two roots", false, {{0, 0, 1, "", 0, 0, 0}, {0, 0, 1, "", 0, 0, 0}}},
        {"a child of nobody", false, {{0, 0, 1, "", 0, 0, 0}, {2, 0, 1, "a", 1, 0, 0}}},
        {"a depth of 2^31", false, {{0, 0, 1, "", 0, 0, 0}, {1u << 31, 0, 1, "a", 1, 0, 0}}},
        {"twins", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, "a", 1, 0, 0}, {1, 0, 1, "a", 1, 0, 0}}},
        {"a name with a slash", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, "a/b", 3, 0, 0}}},
        {"a name with a NUL", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, "a\0b", 3, 0, 0}}},
        {"a name that no path may have", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, "a b", 3, 0, 0}}},
        {"no name", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, "", 0, 0, 0}}},
        {"a long name", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, long_name, sizeof long_name, 0, 0}}},
        {"a long value", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, "a", 1, 4097, 0}}},
        {"paid by a stranger", false, {{0, 0, 1, "", 0, 0, 0}, {1, 4, 1, "a", 1, 0, 0}}},
        {"no permissions", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 0, "a", 1, 0, 0}}},
        {"nine permissions", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 9, "a", 1, 0, 0}}},
        {"a right that is none", false, {{0, 0, 1, "", 0, 0, 0}, {1, 0, 1, "a", 1, 0, 4}}},
    };

    (void)state;
    memset(long_name, 'n', sizeof long_name);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        size_t n = 0;
        struct machine *m;

        while (n < N_ROWS(rows[i].nodes) && rows[i].nodes[n].name != NULL)
            n++;
        m = restore_nodes(rows[i].nodes, n);
        if ((m != NULL) != rows[i].taken)
            fail_msg("%s: %s", rows[i].taken ? "refused" : "taken", rows[i].name);
        if (m != NULL)
            drop(m);
    }
}

/* Each fits, all together do not: neither what the guest pays for nor what is domain 0's grows without end. */
static void trees_without_end(void **state)
{
    static const struct {
        const char *name;
        uint32_t payer, n, n_value;
    } rows[] = {{"2 MiB of the guest's", GUEST, 2000, 2000}, {"domain 0's nodes", 0, 6000, 1}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct vc_writer w;
        size_t size = 16u << 20;
        uint8_t *bytes = malloc(size);

        assert_non_null(bytes);
        vc_writer_init(&w, bytes, size);
        write_nodes(&w, &(struct node){0, 0, 1, "", 0, 0, 0}, 1);
        w.n -= 4;
        for (uint32_t k = 0; k < rows[i].n; k++) {
            char name[16];
            struct node node = {1, rows[i].payer, 1, name, 0, rows[i].n_value, 0};

            node.n_name = (uint32_t)snprintf(name, sizeof name, "n%u", k);
            write_nodes(&w, &node, 1);
            w.n -= 4;
        }
        vc_write_u32(&w, UINT32_MAX);
        for (int k = 0; k < 6; k++)
            vc_write_u32(&w, 0);
        assert_true(vc_writer_ok(&w));
        if (restore(bytes, w.n) != NULL)
            fail_msg("taken: %s", rows[i].name);
        free(bytes);
    }
}

/* What stands behind an empty tree: error, got and queued bytes; watches; transactions. */
static void rings_that_are_none(void **state)
{
    static const struct {
        const char *name;
        bool taken;
        size_t n;
        uint32_t words[40];
    } rows[] = {
        {"an idle one", true, 6, {0}},
        {"an error that there is not", false, 6, {4}},
        {"a request longer than any", false, 6, {0, 16 + 4097}},
        {"more of a request than it says it has", false, 12, {0, 20, 0, 0, 0, 3, 0, 0}},
        {"a request that says it is longer than any", false, 11, {0, 16, 0, 0, 0, 4097}},
        {"a queue longer than there is room for", false, 6, {0, 0, 16385}},
        {"a watch that was never asked for so", false, 14, {0, 0, 0, 1, 4, 1, 4, 0, 0x2f2f2f2f, 0x74}},
        {"a watch that leaves more out than it has", false, 14, {0, 0, 0, 1, 4, 1, 5, 0, 0x2f2f2f2f, 0x74}},
        {"a million watches", false, 8, {0, 0, 0, 1000000}},
        {"transaction 0", false, 7, {0, 0, 0, 0, 1, 1, 0}},
        {"a transaction twice", false, 8, {0, 0, 0, 0, 2, 2, 2, 2}},
        {"two transactions", true, 8, {0, 0, 0, 0, 2, 2, 2, 1}},
        {"eleven transactions", false, 17, {0, 0, 0, 0, 11, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct vc_writer w;
        struct machine *m;

        memset(&page, 0, sizeof page);
        vc_writer_init(&w, saved, sizeof saved);
        write_nodes(&w, &(struct node){0, 0, 1, "", 0, 0, 0}, 1);
        for (size_t k = 0; k < rows[i].n; k++)
            vc_write_u32(&w, rows[i].words[k]);
        m = restore(saved, w.n);
        if ((m != NULL) != rows[i].taken)
            fail_msg("%s: %s", rows[i].taken ? "refused" : "taken", rows[i].name);
        if (m != NULL)
            drop(m);
    }
}

/* ---- A console beyond the first. ---- */

static uint32_t maps, opens;

static void *on_map(void *ctx, uint32_t ring_ref)
{
    (void)ctx;
    maps += ring_ref == 9;
    return ring_ref == 9 ? &page : NULL;
}
static void on_unmap(void *ctx, uint32_t ring_ref, void *mapped)
{
    (void)ctx, (void)mapped;
    maps -= ring_ref == 9;
}
static bool on_bind(void *ctx, uint32_t port)
{
    (void)ctx;
    return port == 5;
}
static void on_unbind(void *ctx) { (void)ctx; }
static bool on_open(void *ctx, void *opened)
{
    (void)ctx, (void)opened;
    opens++;
    return true;
}
static void on_close(void *ctx)
{
    (void)ctx;
    opens--;
}
static const struct console_backend_env console_env = {
    .map = on_map, .unmap = on_unmap, .bind = on_bind, .unbind = on_unbind, .open = on_open, .close = on_close};

/* Connected it maps its page again and opens nothing: the caller restores that; then the guest closes it as ever. */
static void a_console_goes_on(void **state)
{
    uint8_t bytes[CONSOLE_BACKEND_SAVE_BYTES];
    struct console_backend before, after;
    struct machine *m = boot();
    struct vc_writer w;
    struct vc_reader r;

    (void)state;
    maps = opens = 0;
    assert_int_equal(console_backend_add(&before, m->store, GUEST, 1, "log", &console_env, NULL), 0);
    assert_string_equal(ask(m, XS_WRITE, 0, "device/console/1/ring-ref|9"), "OK|");
    assert_string_equal(ask(m, XS_WRITE, 0, "device/console/1/port|5"), "OK|");
    assert_string_equal(ask(m, XS_WRITE, 0, "device/console/1/state|3"), "OK|");
    assert_true(console_backend_connected(&before) && maps == 1 && opens == 1);
    vc_writer_init(&w, bytes, sizeof bytes);
    console_backend_save(&before, &w);
    assert_int_equal(w.n, sizeof bytes);
    m = moved(m);
    vc_reader_init(&r, bytes, sizeof bytes);
    assert_int_equal(console_backend_restore(&after, m->store, GUEST, 1, &console_env, NULL, &r), 0);
    assert_ptr_equal(console_backend_page(&after), &page);
    assert_true(maps == 2 && opens == 1);
    assert_string_equal(ask(m, XS_WRITE, 0, "device/console/1/state|5"), "OK|");
    assert_true(maps == 1 && opens == 0);
    assert_string_equal(ask(m, XS_READ, 0, "/local/domain/0/backend/console/3/1/state|"), "5");
    console_backend_remove(&after);
    drop(m);
}

static void consoles_refused(void **state)
{
    static const struct {
        const char *name;
        uint32_t words[5];
        size_t n;
    } rows[] = {{"a state that is none", {9, 4, 0, 1, 9}, 5},
                {"our state that is none", {4, 9, 0, 1, 9}, 5},
                {"half unplugged", {4, 4, 2, 1, 9}, 5},
                {"twice connected", {4, 4, 0, 2, 9}, 5},
                {"a page that is not granted", {4, 4, 0, 1, 8}, 5},
                {"cut", {4, 4, 0, 1}, 4}};

    (void)state;
    maps = opens = 0;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct machine *m = boot();
        struct console_backend b;
        struct vc_reader r;

        vc_reader_init(&r, rows[i].words, 4 * rows[i].n);
        if (console_backend_restore(&b, m->store, GUEST, 1, &console_env, NULL, &r) == 0 || maps != 0 || opens != 0)
            fail_msg("taken: %s", rows[i].name);
        console_backend_remove(&b); /* nothing to do */
        drop(m);
    }
}

/* ---- The grant table. ---- */

#define RAM_PAGES 16u
#define OUTSIDE   UINT64_C(0x10000000)
#define TAG       VC_SAVE_TAG('G', 'R', 'N', 'T')

static uint64_t shown_at; /* what the engine shows, and where */
static void *shown;

static int map_page(void *engine, uint64_t gpa, void *what)
{
    (void)engine;
    shown_at = gpa;
    shown = what;
    return gpa == OUTSIDE ? 0 : -XEN_EINVAL;
}
static const struct engine_ops ops = {.map_page = map_page};

static bool restore_grants(struct grant_pages *g, const struct guest_memory *m, const void *bytes, size_t n)
{
    struct vc_section s = {.tag = TAG, .version = 1};

    grant_pages_init(g);
    assert_int_equal(grant_pages_reset(g, m, &ops, NULL, 2, 3), 0);
    vc_reader_init(&s.body, bytes, n);
    return grant_pages_restore(g, &s);
}

static void grants_come_back(void **state)
{
    static uint8_t bytes[GRANT_PAGES_SAVE_BYTES];
    struct guest_memory m;
    struct grant_pages g = {0}, h = {0};
    struct problem p;
    struct vc_writer w;
    struct grant_entry *e;

    (void)state;
    assert_int_equal(memory_create(&m, RAM_PAGES * 4096, 0, &p), 0);
    grant_pages_init(&g);
    assert_int_equal(grant_pages_reset(&g, &m, &ops, NULL, 2, 3), 0);
    assert_int_equal(grant_pages_place(&g, 0, OUTSIDE / 4096), 0);
    assert_int_equal(grant_pages_place(&g, 1, 5), 0);
    assert_true(grant_pages_grow(&g, 3));
    e = shown;
    e[9] = (struct grant_entry){.flags = GTF_PERMIT_ACCESS, .frame = 7};
    e = (void *)(m.base + 5 * 4096);
    e[1] = (struct grant_entry){.flags = GTF_PERMIT_ACCESS, .frame = 8};
    assert_ptr_equal(grant_pages_map(&g, 9), m.base + 7 * 4096);
    vc_writer_init(&w, bytes, sizeof bytes);
    grant_pages_save(&g, TAG, &w);
    assert_true(vc_writer_ok(&w));
    grant_pages_finish(&g);
    assert_true(restore_grants(&h, &m, bytes + VC_SAVE_HEAD_BYTES, w.n - VC_SAVE_HEAD_BYTES));
    assert_int_equal(grant_pages_frames(&h), 3);
    assert_true(shown_at == OUTSIDE && grant_pages_gfn(&h, 1) == 5 && grant_pages_gfn(&h, 2) == UINT64_MAX);
    assert_ptr_equal(grant_pages_map(&h, 9), m.base + 7 * 4096); /* marked as in use already */
    assert_ptr_equal(grant_pages_map(&h, GRANTS_PER_FRAME + 1), m.base + 8 * 4096);
    grant_pages_unmap(&h, 9);
    assert_int_equal(((struct grant_entry *)shown)[9].flags, GTF_PERMIT_ACCESS);
    grant_pages_finish(&h);
    memory_destroy(&m);
}

static void grants_refused(void **state)
{
    static const struct {
        const char *name;
        bool taken;
        uint32_t n, zero;
        uint64_t gpa[2];
        uint32_t outside, pages;
    } rows[] = {{"one in RAM", true, 1, 0, {4096}, 0, 0},
                {"one nowhere", true, 1, 0, {ENGINE_NOWHERE}, 0, 1},
                {"one outside", true, 1, 0, {OUTSIDE}, 1, 1},
                {"none", false, 0, 0, {0}, 0, 0},
                {"five", false, 5, 0, {ENGINE_NOWHERE}, 0, 4},
                {"2^32 - 1", false, UINT32_MAX, 0, {ENGINE_NOWHERE}, 0, 4},
                {"a reserved word", false, 1, 1, {4096}, 0, 0},
                {"in the middle of a page", false, 1, 0, {4097}, 0, 0},
                {"behind RAM", false, 1, 0, {RAM_PAGES * 4096}, 0, 0},
                {"at the end of all addresses", false, 1, 0, {UINT64_MAX - 4095}, 0, 0},
                {"outside, but in RAM", false, 1, 0, {4096}, 1, 1},
                {"outside, where the engine shows nothing", false, 1, 0, {OUTSIDE + 4096}, 1, 1},
                {"nowhere, but outside", false, 1, 0, {ENGINE_NOWHERE}, 1, 1},
                {"neither in nor out", false, 1, 0, {OUTSIDE}, 2, 1},
                {"cut", false, 1, 0, {OUTSIDE}, 1, 0},
                {"with something behind it", false, 1, 0, {4096}, 0, 1},
                {"two in one page", false, 2, 0, {4096, 4096}, 0, 0}};
    static uint8_t bytes[8 + 4 * (16 + 4096)];
    struct guest_memory m;
    struct problem p;

    (void)state;
    assert_int_equal(memory_create(&m, RAM_PAGES * 4096, 0, &p), 0);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct grant_pages g = {0};
        struct vc_writer w;

        vc_writer_init(&w, bytes, sizeof bytes);
        vc_write_u32(&w, rows[i].n);
        vc_write_u32(&w, rows[i].zero);
        for (uint32_t k = 0; k < 2 && k < rows[i].n; k++) {
            vc_write_u64(&w, rows[i].gpa[k]);
            vc_write_u32(&w, rows[i].outside);
            vc_write_u32(&w, 0);
        }
        for (uint32_t k = 0; k < 512 * rows[i].pages; k++)
            vc_write_u64(&w, 0);
        if (restore_grants(&g, &m, bytes, w.n) != rows[i].taken)
            fail_msg("%s: %s", rows[i].taken ? "refused" : "taken", rows[i].name);
        grant_pages_finish(&g);
    }
    memory_destroy(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_come_back),
        cmocka_unit_test(one_state_has_one_form),
        cmocka_unit_test(watches_go_on),
        cmocka_unit_test(transactions_begin_anew),
        cmocka_unit_test(at_every_byte_of_a_request),
        cmocka_unit_test(at_every_byte_of_a_reply),
        cmocka_unit_test(a_dead_ring_stays_dead),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(trees_that_are_none),
        cmocka_unit_test(trees_without_end),
        cmocka_unit_test(rings_that_are_none),
        cmocka_unit_test(a_console_goes_on),
        cmocka_unit_test(consoles_refused),
        cmocka_unit_test(grants_come_back),
        cmocka_unit_test(grants_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
