/* SPDX-License-Identifier: MIT */
/* The ring page: a guest that is honest, slow, broken or hostile. test_xenstore_ring_stress.c has a guest's thread. */
#include "xenstore_client.h"

#include "vmm/xenstore/ring.h"
#include <stdlib.h>

enum { GUEST = 3, OTHER = 4 };

struct end { /* one guest: the VMM's ring, and its own view of the page */
    struct store_ring ring;
    struct xenstore_domain_interface *page;
    uint32_t notified, work;
    uint32_t n; /* of the reply at hand */
    struct xsd_sockmsg head;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};
struct rig {
    struct store *store;
    struct end guest, other;
};

static void on_notify(void *ctx) { ((struct end *)ctx)->notified++; }
static void on_work(void *ctx) { ((struct end *)ctx)->work++; }
static const struct store_ring_env env = {.notify = on_notify, .work = on_work};

static void connect_end(struct rig *r, struct end *e, uint32_t domid, uint32_t first_index)
{
    e->page = calloc(1, sizeof *e->page);
    assert_non_null(e->page);
    e->page->req_prod = e->page->req_cons = e->page->rsp_prod = e->page->rsp_cons = first_index;
    assert_true(store_ring_attach(&e->ring, r->store, domid, e->page, &env, e));
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);

    assert_non_null(r);
    r->store = store_create(NULL);
    assert_true(store_introduce(r->store, GUEST) && store_introduce(r->store, OTHER));
    assert_int_equal(store_mkdir(r->store, "/g"), 0);
    assert_int_equal(store_set_perms(r->store, "/g", "n3 b4"), 0);
    connect_end(r, &r->guest, GUEST, 0);
    connect_end(r, &r->other, OTHER, 0xfffffff0); /* wraps at once */
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;

    store_ring_detach(&r->guest.ring);
    store_ring_detach(&r->guest.ring); /* again: nothing to do */
    store_ring_detach(&r->other.ring);
    store_destroy(r->store);
    free(r->guest.page);
    free(r->other.page);
    free(r);
    return 0;
}

/* ---- The guest's side, written for these tests: no code of ours ---- */

static void put_byte(struct xenstore_domain_interface *p, uint8_t byte)
{
    p->req[p->req_prod % XENSTORE_RING_SIZE] = byte;
    p->req_prod++;
}

static uint32_t room(const struct xenstore_domain_interface *p)
{
    return XENSTORE_RING_SIZE - (p->req_prod - p->req_cons);
}

/* Everything into the ring, the server being called whenever it is full. */
static void put(struct end *e, const void *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while (room(e->page) == 0)
            store_ring_serve(&e->ring);
        put_byte(e->page, ((const uint8_t *)bytes)[i]);
    }
}

static void put_request(struct end *e, uint32_t type, const char *text)
{
    struct xsd_sockmsg head = {.type = type, .req_id = 7, .len = (uint32_t)strlen(text)};
    uint8_t bytes[XENSTORE_PAYLOAD_MAX];

    for (uint32_t i = 0; i < head.len; i++)
        bytes[i] = text[i] == '|' ? 0 : (uint8_t)text[i];
    put(e, &head, sizeof head);
    put(e, bytes, head.len);
}

static void get(struct end *e, void *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (e->page->rsp_prod == e->page->rsp_cons)
            store_ring_serve(&e->ring);
        assert_int_not_equal(e->page->rsp_prod, e->page->rsp_cons);
        ((uint8_t *)bytes)[i] = e->page->rsp[e->page->rsp_cons++ % XENSTORE_RING_SIZE];
    }
}

static const char *get_message(struct end *e)
{
    get(e, &e->head, sizeof e->head);
    assert_true(e->head.len <= XENSTORE_PAYLOAD_MAX);
    get(e, e->payload, e->head.len);
    for (uint32_t i = 0; i < e->head.len; i++)
        if (e->payload[i] == '\0')
            e->payload[i] = '|';
    e->payload[e->head.len] = '\0';
    return e->payload;
}

static const char *ask(struct end *e, uint32_t type, const char *text)
{
    put_request(e, type, text);
    store_ring_serve(&e->ring);
    get_message(e);
    return e->payload;
}

/* ---- Honest guests ---- */

static void requests_go_round_and_round(void **state)
{
    struct rig *r = *state;
    char payload[1200], value[1100];

    for (uint32_t i = 0; i < 300; i++) {
        struct end *e = i % 2 == 0 ? &r->guest : &r->other;

        snprintf(value, sizeof value, "%0*u", (int)(1 + 7 * i % 1000), i);
        snprintf(payload, sizeof payload, "/g|%s", value);
        assert_string_equal(ask(e, XS_WRITE, payload), "OK|");
        assert_string_equal(ask(e, XS_READ, "/g|"), value);
        assert_int_equal(e->head.req_id, 7);
    }
    assert_int_equal(store_ring_error(&r->guest.ring), XENSTORE_ERROR_NONE);
}

static void messages_may_be_larger_than_the_ring(void **state)
{
    static char value[4001], payload[4096];
    struct rig *r = *state;

    memset(value, 'x', sizeof value - 1);
    assert_int_equal(store_write(r->store, "/g/large", value, sizeof value - 1), 0);
    assert_string_equal(ask(&r->guest, XS_READ, "/g/large|"), value);
    value[2000] = '\0';
    snprintf(payload, sizeof payload, "/g/mine|%s", value);
    assert_string_equal(ask(&r->guest, XS_WRITE, payload), "OK|");
    assert_string_equal(ask(&r->guest, XS_READ, "/g/mine|"), value);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    struct rig *r = *state;
    struct xsd_sockmsg head = {.type = XS_WRITE, .len = 5};
    uint8_t bytes[sizeof head + 5];

    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, "/g\0v1", 5);
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(r->guest.page->rsp_prod, 0);
        put_byte(r->guest.page, bytes[i]);
        assert_false(store_ring_serve(&r->guest.ring));
        assert_int_equal(r->guest.page->req_cons, i + 1);
    }
    assert_string_equal(get_message(&r->guest), "OK|");
    assert_string_equal(ask(&r->guest, XS_READ, "/g|"), "v1");
}

static void it_notifies_when_something_moved_and_only_then(void **state)
{
    struct rig *r = *state;

    store_ring_serve(&r->guest.ring);
    store_ring_serve(&r->guest.ring);
    assert_int_equal(r->guest.notified, 0);
    put_request(&r->guest, XS_READ, "/g|");
    put_request(&r->guest, XS_READ, "/g|");
    assert_false(store_ring_serve(&r->guest.ring));
    assert_int_equal(r->guest.notified, 1); /* once for all of it */
    store_ring_serve(&r->guest.ring);
    assert_int_equal(r->guest.notified, 1);
    assert_int_equal(r->guest.work, 0);
}

static void an_event_from_elsewhere_asks_to_be_served(void **state)
{
    struct rig *r = *state;

    assert_string_equal(ask(&r->guest, XS_WATCH, "/g|t|"), "OK|");
    assert_string_equal(get_message(&r->guest), "/g|t|");
    r->guest.work = r->guest.notified = 0;
    assert_string_equal(ask(&r->other, XS_WRITE, "/g/a|v"), "OK|");
    assert_int_equal(r->guest.work, 1);
    assert_int_equal(r->guest.notified, 0);
    assert_false(store_ring_serve(&r->guest.ring));
    assert_int_equal(r->guest.notified, 1);
    assert_string_equal(get_message(&r->guest), "/g/a|t|");
    assert_int_equal(r->guest.head.req_id, 0);
}

static void one_call_serves_so_many_and_no_more(void **state)
{
    struct rig *r = *state;
    uint32_t served = 0;

    for (uint32_t i = 0; i < STORE_RING_BUDGET + 4; i++)
        put_request(&r->guest, XS_MKDIR, "/g|");
    assert_true(store_ring_serve(&r->guest.ring));
    assert_false(store_ring_serve(&r->guest.ring));
    while (r->guest.page->rsp_cons != r->guest.page->rsp_prod) {
        assert_string_equal(get_message(&r->guest), "OK|");
        served++;
    }
    assert_int_equal(served, STORE_RING_BUDGET + 4);
}

/* It asks and asks, and does not read: its own requests wait, nothing is lost, nobody else notices. */
static void a_guest_that_does_not_read(void **state)
{
    static char value[1501];
    struct rig *r = *state;
    uint32_t sent = 0, i;

    memset(value, 'y', sizeof value - 1);
    assert_int_equal(store_write(r->store, "/g/v", value, sizeof value - 1), 0);
    for (;;) {
        bool more = store_ring_serve(&r->guest.ring);

        if (!more && room(r->guest.page) < 100)
            break;
        if (room(r->guest.page) >= 100) {
            put_request(&r->guest, XS_READ, "/g/v|");
            sent++;
        }
    }
    assert_true(sent > 10 && sent < 100);
    assert_string_equal(ask(&r->other, XS_READ, "/g/v|"), value);
    for (i = 0; i < sent; i++)
        assert_string_equal(get_message(&r->guest), value);
    assert_int_equal(r->guest.page->rsp_cons, r->guest.page->rsp_prod);
}

/* ---- Hostile ones ---- */

static const struct {
    const char *name;
    uint32_t req_prod, req_cons, rsp_prod, rsp_cons; /* added to what is there */
    bool dead;
} scribbles[] = {
    {"more requests than the ring holds", XENSTORE_RING_SIZE + 1, 0, 0, 0, true},
    {"far more", 0x80000000, 0, 0, 0, true},
    {"requests taken back", UINT32_MAX, 0, 0, 0, true},
    {"more responses read than were written", 0, 0, 0, 1, true},
    {"responses unread without end", 0, 0, 0, UINT32_MAX - XENSTORE_RING_SIZE, true},
    {"our own indices: we have copies", 0, 77, 99, 0, false},
    {"our own index far off", 0, 0x80000000, 0x80000000, 0, false},
};

static void wild_indices(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(scribbles); i++) {
        struct xenstore_domain_interface *p;
        struct rig *r;

        set_up((void **)&r);
        p = r->guest.page;
        assert_string_equal(ask(&r->guest, XS_WATCH, "/g|t|"), "OK|");
        assert_string_equal(get_message(&r->guest), "/g|t|");
        store_write(r->store, "/g", "v", 1); /* an event is on its way */
        p->req_prod += scribbles[i].req_prod;
        p->req_cons += scribbles[i].req_cons;
        p->rsp_prod += scribbles[i].rsp_prod;
        p->rsp_cons += scribbles[i].rsp_cons;
        store_ring_serve(&r->guest.ring);
        if ((store_ring_error(&r->guest.ring) == XENSTORE_ERROR_RINGIDX) != scribbles[i].dead ||
            (p->error == XENSTORE_ERROR_RINGIDX) != scribbles[i].dead ||
            (store_usage(r->store, GUEST).watches == 0) != scribbles[i].dead)
            fail_msg("%s", scribbles[i].name);
        r->guest.notified = 0;
        if (scribbles[i].dead) { /* nothing moves any more, whatever it writes */
            p->req_prod = p->req_cons;
            store_ring_serve(&r->guest.ring);
            assert_int_equal(r->guest.notified, 0);
        }
        assert_string_equal(ask(&r->other, XS_WRITE, "/g|v"), "OK|");
        tear_down((void **)&r);
    }
}

static void a_message_that_is_too_long(void **state)
{
    static const uint32_t lengths[] = {XENSTORE_PAYLOAD_MAX + 1, 0x7fffffff, 0x80000000, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < N_ROWS(lengths); i++) {
        struct xsd_sockmsg head = {.type = XS_WRITE, .len = lengths[i]};
        struct rig *r;

        set_up((void **)&r);
        put(&r->guest, &head, sizeof head);
        store_ring_serve(&r->guest.ring);
        assert_int_equal(store_ring_error(&r->guest.ring), XENSTORE_ERROR_PROTO);
        assert_int_equal(r->guest.page->error, XENSTORE_ERROR_PROTO);
        assert_string_equal(ask(&r->other, XS_READ, "/g|"), "");
        tear_down((void **)&r);
    }
}

static void reconnect(struct end *e)
{
    e->page->connection = XENSTORE_RECONNECT;
    e->notified = 0;
    store_ring_serve(&e->ring);
    assert_int_equal(e->page->connection, XENSTORE_CONNECTED);
    assert_int_equal(e->page->error, XENSTORE_ERROR_NONE);
    assert_int_equal(e->page->req_prod, e->page->req_cons);
    assert_int_equal(e->page->rsp_prod, e->page->rsp_cons);
    assert_int_equal(e->notified, 1);
}

static void reconnecting_begins_anew(void **state)
{
    struct rig *r = *state;
    struct xsd_sockmsg half = {.type = XS_WRITE, .len = 100};

    assert_int_equal(r->guest.page->server_features,
                     XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
    assert_string_equal(ask(&r->guest, XS_WATCH, "/g|t|"), "OK|");
    ask(&r->guest, XS_TRANSACTION_START, "|");
    put_request(&r->guest, XS_TRANSACTION_START, "|");
    put(&r->guest, &half, sizeof half);
    store_ring_serve(&r->guest.ring);
    reconnect(&r->guest);
    assert_int_equal(store_usage(r->store, GUEST).watches, 0);
    assert_int_equal(store_usage(r->store, GUEST).transactions, 0);
    assert_string_equal(ask(&r->guest, XS_WRITE, "/g|after"), "OK|");
    r->guest.page->req_prod += 5000;
    store_ring_serve(&r->guest.ring);
    assert_int_equal(store_ring_error(&r->guest.ring), XENSTORE_ERROR_RINGIDX);
    reconnect(&r->guest); /* from the dead */
    assert_string_equal(ask(&r->guest, XS_READ, "/g|"), "after");
}

static void a_page_that_is_wild_from_the_start(void **state)
{
    struct rig *r = *state;

    store_ring_detach(&r->guest.ring);
    r->guest.page->req_prod = 4000;
    r->guest.page->req_cons = 0;
    assert_true(store_ring_attach(&r->guest.ring, r->store, GUEST, r->guest.page, &env, &r->guest));
    assert_int_equal(r->guest.page->error, XENSTORE_ERROR_RINGIDX);
    store_ring_serve(&r->guest.ring);
    reconnect(&r->guest);
    assert_string_equal(ask(&r->guest, XS_READ, "/g|"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_go_round_and_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_may_be_larger_than_the_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_may_come_byte_by_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_notifies_when_something_moved_and_only_then, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_event_from_elsewhere_asks_to_be_served, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_call_serves_so_many_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_guest_that_does_not_read, set_up, tear_down),
        cmocka_unit_test(wild_indices),
        cmocka_unit_test(a_message_that_is_too_long),
        cmocka_unit_test_setup_teardown(reconnecting_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_that_is_wild_from_the_start, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
