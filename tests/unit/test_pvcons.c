/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <string.h>
#include <vcons/pvcons.h>
#include <vcons/xencons.h>

/* A world around one door: what the guest wrote arrives in log; in is typed for it; trace is who did what, in order. */
struct rig {
    _Alignas(8) uint8_t page_bytes[XENCONS_PAGE_BYTES];
    struct xencons_interface *page;
    struct vc_pvcons door;
    char log[8192];
    uint32_t n_log, accepts; /* how many bytes the line still takes */
    const char *typed;
    int bind_result;
    uint64_t now_ms;
    unsigned n_notify, n_owed, n_broken, reason;
    bool bound;
    char trace[64];
    /* At the notify that follows a change of the flag: */
    uint32_t left_at_notify;
};

static void note(struct rig *r, char what)
{
    size_t n = strlen(r->trace);

    if (n + 1 < sizeof r->trace)
        r->trace[n] = what;
}

static uint32_t take_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct rig *r = ctx;

    n = n < r->accepts ? n : r->accepts;
    assert_true(r->n_log + n <= sizeof r->log);
    memcpy(r->log + r->n_log, bytes, n);
    r->n_log += n;
    r->accepts -= n;
    note(r, 'o');
    return n;
}

static uint32_t give_in(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct rig *r = ctx;
    uint32_t have = (uint32_t)strlen(r->typed);

    n = n < have ? n : have;
    memcpy(bytes, r->typed, n);
    r->typed += n;
    note(r, 'i');
    return n;
}

static int bind(void *ctx)
{
    struct rig *r = ctx;

    note(r, 'b');
    r->bound = r->bind_result == VC_OK;
    return r->bind_result;
}

static void unbind(void *ctx)
{
    ((struct rig *)ctx)->bound = false;
    note(ctx, 'u');
}

static void notify(void *ctx)
{
    struct rig *r = ctx;

    r->n_notify++;
    r->left_at_notify = r->page->out_prod - r->page->out_cons;
    note(r, 'n');
}

static uint64_t now_ms(void *ctx) { return ((struct rig *)ctx)->now_ms; }

static void broken(void *ctx, enum vc_pvcons_reason reason)
{
    struct rig *r = ctx;

    r->n_broken++;
    r->reason = reason;
}

static void owe(void *ctx) { ((struct rig *)ctx)->n_owed++; }

static const struct vc_pvcons_env env = {take_out, give_in, bind, unbind, notify, now_ms, broken, NULL};
static const struct vc_pvcons_env lazy = {take_out, give_in, bind, unbind, notify, now_ms, broken, owe};

/* As a builder leaves it; flagged: a new one, which sets the byte. */
static void rig_init(struct rig *r, bool flagged)
{
    *r = (struct rig){.accepts = UINT32_MAX, .typed = "", .now_ms = 5000};
    r->page = (struct xencons_interface *)(void *)r->page_bytes;
    memset(r->page_bytes, flagged ? 0xa5 : 0, sizeof r->page_bytes);
    if (flagged)
        vc_xencons_build(r->page);
    vc_pvcons_init(&r->door, &env, r);
}

static void guest_puts(struct vc_xencons_front *f, const char *s)
{
    uint32_t put;

    assert_int_equal(vc_producer_put(&f->out, s, (uint32_t)strlen(s), &put), VC_OK);
    assert_int_equal(put, strlen(s));
}

static void assert_log(const struct rig *r, const char *expected)
{
    assert_int_equal(r->n_log, strlen(expected));
    assert_memory_equal(r->log, expected, r->n_log);
}

static void attach_then_connect_in_the_order_of_the_design(void **state)
{
    struct rig r;
    struct vc_xencons_front f;

    (void)state;
    rig_init(&r, true);
    assert_int_equal(vc_xencons_front_attach(&f, r.page), VC_OK);
    guest_puts(&f, "early");
    assert_int_equal(vc_pvcons_attach(&r.door, r.page), VC_OK);
    assert_string_equal(r.trace, "bon"); /* bind, drain, notify of the room */
    assert_int_equal(r.page->connection, 1);
    assert_int_equal(vc_pvcons_connect(&r.door), VC_OK);
    assert_string_equal(r.trace, "bonn"); /* … CONNECTED, notify */
    assert_int_equal(r.page->connection, 0);
    assert_log(&r, "early");
    assert_int_equal(vc_pvcons_attach(&r.door, r.page), VC_EBUSY);
}

static void detach_in_the_order_of_the_design(void **state)
{
    struct rig r;
    struct vc_xencons_front f;

    (void)state;
    rig_init(&r, true);
    vc_pvcons_attach(&r.door, r.page);
    vc_pvcons_connect(&r.door);
    vc_xencons_front_attach(&f, r.page);
    guest_puts(&f, "last");
    r.typed = "too late";
    memset(r.trace, 0, sizeof r.trace);
    vc_pvcons_detach(&r.door, true);
    assert_string_equal(r.trace, "onnu"); /* no input any more; drain, notify, DISCONNECTED, notify, unbind */
    assert_int_equal(r.page->connection, 1);
    assert_int_equal(r.left_at_notify, 0);
    assert_log(&r, "last");
    assert_string_equal(r.typed, "too late");
    vc_pvcons_detach(&r.door, true); /* again: nothing */
    assert_string_equal(r.trace, "onnu");
}

static void a_pass_moves_both_ways_and_notifies_once(void **state)
{
    struct rig r;
    struct vc_xencons_front f;
    char got[16] = "";
    uint32_t n;

    (void)state;
    rig_init(&r, false);
    vc_pvcons_attach(&r.door, r.page);
    vc_pvcons_connect(&r.door);
    vc_xencons_front_attach(&f, r.page);
    guest_puts(&f, "out");
    r.typed = "in";
    r.n_notify = 0;
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_DONE);
    assert_int_equal(r.n_notify, 1);
    assert_log(&r, "out");
    vc_consumer_get(&f.in, got, sizeof got, &n);
    assert_string_equal(got, "in");
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_DONE);
    assert_int_equal(r.n_notify, 1); /* nothing changed: none */
}

/* Connected, and all that was to be told is. */
static void lazy_init(struct rig *r, struct vc_xencons_front *f)
{
    rig_init(r, false);
    vc_pvcons_init(&r->door, &lazy, r);
    vc_pvcons_attach(&r->door, r->page);
    vc_pvcons_connect(&r->door);
    vc_xencons_front_attach(f, r->page);
    r->n_notify = 0;
}

static void guest_writes(struct vc_xencons_front *f, uint32_t n)
{
    static const char zeros[XENCONS_OUT_SIZE];
    uint32_t put;

    assert_int_equal(vc_producer_put(&f->out, zeros, n, &put), VC_OK);
    assert_int_equal(put, n);
}

/* Who writes 256 bytes at a time and finds room each time waits for none; who fills the ring may. */
static void room_is_told_where_there_was_none(void **state)
{
    struct rig r;
    struct vc_xencons_front f;

    (void)state;
    lazy_init(&r, &f);
    for (unsigned i = 0; i < 12; i++) {
        guest_writes(&f, 256);
        vc_pvcons_serve(&r.door);
        assert_int_equal(r.n_notify, 0);
    }
    assert_int_equal(r.n_owed, 1); /* one debt, however often */
    guest_writes(&f, 2048);
    vc_pvcons_serve(&r.door);
    assert_int_equal(r.n_notify, 1);
    guest_writes(&f, 2047);
    vc_pvcons_serve(&r.door);
    assert_int_equal(r.n_notify, 1);
    assert_int_equal(r.n_owed, 2);
    vc_pvcons_serve(&r.door);
    assert_int_equal(r.n_notify, 1); /* nothing moved */
}

/* Who yields finds the room by itself; others learn of it by what is owed. Input is told as ever. */
static void who_yields_is_told_later(void **state)
{
    struct rig r;
    struct vc_xencons_front f;

    (void)state;
    lazy_init(&r, &f);
    guest_writes(&f, 2048);
    assert_int_equal(vc_pvcons_serve_yield(&r.door), VC_PVCONS_DONE);
    assert_int_equal(r.n_notify, 0);
    assert_int_equal(r.n_owed, 1);
    guest_writes(&f, 2048); /* the ring was empty again */
    r.typed = "input";
    vc_pvcons_serve_yield(&r.door);
    assert_int_equal(r.n_notify, 1);
    guest_writes(&f, 2048);
    vc_pvcons_serve(&r.door); /* one that does not yield waits for it */
    assert_int_equal(r.n_notify, 2);
}

/* The line takes a part at a time: whoever filled the ring is told with the first, and again once it has filled it again. */
static void room_is_told_bit_by_bit(void **state)
{
    struct rig r;
    struct vc_xencons_front f;

    (void)state;
    lazy_init(&r, &f);
    guest_writes(&f, 2048);
    for (unsigned i = 1; i <= 3; i++) {
        r.accepts = 100;
        assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_HELD);
        assert_int_equal(r.n_notify, i);
        r.accepts = 50;
        assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_HELD);
        assert_int_equal(r.n_notify, i);
        guest_writes(&f, 150);
    }
}

static void what_is_owed_is_paid_once(void **state)
{
    struct rig r;
    struct vc_xencons_front f;

    (void)state;
    lazy_init(&r, &f);
    vc_pvcons_settle(&r.door);
    assert_int_equal(r.n_notify, 0); /* nothing is */
    guest_puts(&f, "out");
    vc_pvcons_serve(&r.door);
    assert_int_equal(r.n_notify, 0);
    vc_pvcons_settle(&r.door);
    vc_pvcons_settle(&r.door);
    assert_int_equal(r.n_notify, 1);
    guest_puts(&f, "out");
    vc_pvcons_serve(&r.door);
    r.typed = "input is told at once, and with it the room";
    vc_pvcons_serve(&r.door);
    assert_int_equal(r.n_notify, 2);
    vc_pvcons_settle(&r.door);
    assert_int_equal(r.n_notify, 2);
    guest_puts(&f, "out");
    vc_pvcons_serve(&r.door);
    vc_pvcons_detach(&r.door, false); /* for a while: the next backend knows nothing of it */
    assert_int_equal(r.n_notify, 3);
    vc_pvcons_settle(&r.door);
    assert_int_equal(r.n_notify, 3);
    assert_int_equal(r.n_owed, 3);
}

static void held_bytes_stay_in_the_ring(void **state)
{
    struct rig r;
    struct vc_xencons_front f;

    (void)state;
    rig_init(&r, false);
    vc_pvcons_attach(&r.door, r.page);
    vc_pvcons_connect(&r.door);
    vc_xencons_front_attach(&f, r.page);
    guest_puts(&f, "0123456789");
    r.accepts = 4;
    r.n_notify = 0;
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_HELD);
    assert_int_equal(r.n_notify, 1); /* four slots are free again */
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_HELD);
    assert_int_equal(r.n_notify, 1);
    assert_log(&r, "0123");
    assert_int_equal(vc_pvcons_disconnect(&r.door), VC_PVCONS_HELD);
    r.accepts = UINT32_MAX;
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_DONE); /* served, though not connected */
    assert_log(&r, "0123456789");
}

static void a_wrapped_ring_is_offered_in_order(void **state)
{
    struct rig r;
    struct vc_xencons_front f;
    char pattern[1500];

    (void)state;
    rig_init(&r, false);
    r.page->out_prod = r.page->out_cons = UINT32_MAX - 700; /* over the end of the ring and of 32 bits */
    vc_pvcons_attach(&r.door, r.page);
    vc_xencons_front_attach(&f, r.page);
    for (unsigned i = 0; i + 1 < sizeof pattern; i++)
        pattern[i] = (char)('A' + i % 57);
    pattern[sizeof pattern - 1] = '\0';
    guest_puts(&f, pattern);
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_DONE);
    assert_log(&r, pattern);
    assert_int_equal(r.page->out_cons, UINT32_MAX - 700 + 1499);
}

static void input_waits_for_room(void **state)
{
    static char much[3000];
    struct rig r;
    struct vc_xencons_front f;
    char got[1024];
    uint32_t n;

    (void)state;
    memset(much, 'x', sizeof much - 1);
    rig_init(&r, false);
    r.typed = much;
    vc_pvcons_attach(&r.door, r.page);
    vc_pvcons_connect(&r.door);
    vc_xencons_front_attach(&f, r.page);
    vc_pvcons_serve(&r.door);
    assert_int_equal(strlen(r.typed), 2999 - 1024); /* one ring of it, and no more is asked for */
    memset(r.trace, 0, sizeof r.trace);
    vc_pvcons_serve(&r.door);
    assert_string_equal(r.trace, "");
    vc_consumer_get(&f.in, got, 24, &n);
    vc_pvcons_serve(&r.door);
    assert_int_equal(strlen(r.typed), 2999 - 1048);
}

/* Rule 2 of §1.4, and one record for each. */
static const struct hostile {
    const char *name;
    uint32_t in_cons, in_prod, out_cons, out_prod;
    int attach;      /* what attach says if they are there from the start */
    unsigned reason; /* what a connected door reports; 0: none */
} hostile[] = {
    {"all zero", 0, 0, 0, 0, VC_OK, 0},
    {"full both ways", 0, 1024, 0, 2048, VC_OK, 0},
    {"out one too many", 0, 0, 0, 2049, VC_EPEER, VC_PVCONS_OUT_INDICES},
    {"out half the numbers ahead", 0, 0, 0, 0x80000000u, VC_EPEER, VC_PVCONS_OUT_INDICES},
    {"out gone backwards", 0, 0, 0, UINT32_MAX, VC_EPEER, VC_PVCONS_OUT_INDICES},
    {"in consumed what never was", 1, 0, 0, 0, VC_EPEER, VC_PVCONS_IN_INDICES},
    {"in far behind", 0u - 1025, 0, 0, 0, VC_EPEER, VC_PVCONS_IN_INDICES},
    {"in far ahead", 0x80000000u, 0, 0, 0, VC_EPEER, VC_PVCONS_IN_INDICES},
    {"both", 5, 0, 0, 99999, VC_EPEER, VC_PVCONS_OUT_INDICES},
};

static void set_indices(struct xencons_interface *page, const struct hostile *h)
{
    page->in_cons = h->in_cons;
    page->in_prod = h->in_prod;
    page->out_cons = h->out_cons;
    page->out_prod = h->out_prod;
}

static void hostile_indices_at_attach(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(hostile); i++) {
        struct rig r;

        rig_init(&r, true);
        set_indices(r.page, &hostile[i]);
        if (vc_pvcons_attach(&r.door, r.page) != hostile[i].attach)
            fail_msg("%s", hostile[i].name);
        if (hostile[i].attach != VC_OK) { /* only if all of it succeeded: nothing was bound, nothing written */
            assert_string_equal(r.trace, "");
            assert_int_equal(r.page->connection, 1);
            assert_int_equal(vc_pvcons_connect(&r.door), VC_EINVAL);
        }
    }
}

static void hostile_indices_while_connected(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(hostile); i++) {
        struct rig r;

        rig_init(&r, false);
        vc_pvcons_attach(&r.door, r.page);
        vc_pvcons_connect(&r.door);
        /* The guest may write all four words, but only its own two are believed. */
        set_indices(r.page, &hostile[i]);
        r.typed = "x";
        vc_pvcons_serve(&r.door);
        if (hostile[i].in_prod != 0)
            continue; /* a full in ring is for the attach table */
        if (r.n_broken != (hostile[i].reason != 0) || (r.n_broken && r.reason != hostile[i].reason))
            fail_msg("%s: %u reports, reason %u", hostile[i].name, r.n_broken, r.reason);
        if (r.n_broken)
            assert_int_equal(r.n_log, 0);
    }
}

static void broken_is_reported_once_and_heals_once_a_second(void **state)
{
    struct rig r;
    struct vc_xencons_front f;

    (void)state;
    rig_init(&r, false);
    vc_pvcons_attach(&r.door, r.page);
    vc_pvcons_connect(&r.door);
    r.page->out_prod = 5000;
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_RETRY);
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_RETRY);
    assert_int_equal(r.n_broken, 1);
    vc_xencons_build(r.page); /* a new kernel starts with a clean page */
    vc_xencons_front_attach(&f, r.page);
    guest_puts(&f, "well again");
    r.now_ms += VC_PVCONS_RETRY_MS - 1;
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_RETRY);
    r.now_ms += 1;
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_DONE);
    assert_log(&r, "well again");
    assert_int_equal(r.page->connection, 0); /* it was connected, and says so anew */
    r.page->out_prod += 5000;
    vc_pvcons_serve(&r.door);
    assert_int_equal(r.n_broken, 2);
    r.now_ms += VC_PVCONS_RETRY_MS;
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_RETRY); /* looked, and not yet legal */
    r.page->out_prod -= 5000;
    r.now_ms += VC_PVCONS_RETRY_MS - 1;
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_RETRY); /* it looked less than a second ago */
    assert_int_equal(r.n_broken, 2);
}

static void while_broken_connect_and_detach_are_remembered(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, true);
    vc_pvcons_attach(&r.door, r.page);
    r.page->out_prod = 5000;
    vc_pvcons_serve(&r.door);
    assert_int_equal(vc_pvcons_connect(&r.door), VC_OK);
    assert_int_equal(r.page->connection, 1);
    r.page->out_prod = 0;
    r.now_ms += VC_PVCONS_RETRY_MS;
    vc_pvcons_serve(&r.door);
    assert_int_equal(r.door.state, VC_PVCONS_CONNECTED);
    assert_int_equal(r.page->connection, 0);
    r.page->out_prod = 5000;
    vc_pvcons_serve(&r.door);
    assert_int_equal(vc_pvcons_disconnect(&r.door), VC_PVCONS_RETRY);
    assert_int_equal(r.page->connection, 1);
    vc_pvcons_detach(&r.door, false);
    assert_false(r.bound);
    assert_int_equal(vc_pvcons_serve(&r.door), VC_PVCONS_DONE);
    assert_int_equal(vc_pvcons_disconnect(&r.door), VC_PVCONS_DONE);
}

static struct rig *breaks_in_bind; /* the guest's other vCPU, while attach runs */
static int bind_and_break(void *ctx)
{
    breaks_in_bind->page->out_prod = 5000;
    return bind(ctx);
}

static void a_guest_that_breaks_its_ring_during_attach(void **state)
{
    struct vc_pvcons_env racing = env;
    struct rig r;

    (void)state;
    rig_init(&r, true);
    racing.bind = bind_and_break;
    breaks_in_bind = &r;
    vc_pvcons_init(&r.door, &racing, &r);
    assert_int_equal(vc_pvcons_attach(&r.door, r.page), VC_EPEER);
    assert_string_equal(r.trace, "bu");
    assert_int_equal(r.page->connection, 1);
    assert_int_equal(r.door.state, VC_PVCONS_DETACHED);
}

/* Rule 3 of §1.4: a guest that rewinds out_cons gets nothing twice, one that moves in_prod loses nothing of ours. */
static void own_indices_are_not_read_back(void **state)
{
    struct rig r;
    struct vc_xencons_front f;
    char got[8] = "";
    uint32_t n;

    (void)state;
    rig_init(&r, false);
    vc_pvcons_attach(&r.door, r.page);
    vc_pvcons_connect(&r.door);
    vc_xencons_front_attach(&f, r.page);
    guest_puts(&f, "once");
    vc_pvcons_serve(&r.door);
    r.page->out_cons = 0;
    r.page->in_prod = 77;
    r.typed = "abc";
    vc_pvcons_serve(&r.door);
    assert_log(&r, "once");
    assert_int_equal(r.page->in_prod, 3); /* published from the private copy */
    vc_consumer_get(&f.in, got, 7, &n);
    assert_string_equal(got, "abc");
}

static void unread_input(void **state)
{
    struct rig r;
    struct vc_xencons_front f;
    char got[8];
    uint32_t n;

    (void)state;
    rig_init(&r, false);
    assert_false(vc_pvcons_unread(&r.door)); /* detached: nobody looks at the page */
    vc_pvcons_attach(&r.door, r.page);
    vc_pvcons_connect(&r.door);
    vc_xencons_front_attach(&f, r.page);
    assert_false(vc_pvcons_unread(&r.door));
    r.typed = "abc";
    vc_pvcons_serve(&r.door);
    vc_consumer_get(&f.in, got, 2, &n);
    assert_true(vc_pvcons_unread(&r.door));
    vc_pvcons_disconnect(&r.door);
    assert_true(vc_pvcons_unread(&r.door)); /* c came before whatever is typed now */
    vc_consumer_get(&f.in, got, 2, &n);
    assert_false(vc_pvcons_unread(&r.door));
    r.page->in_cons = 4000;
    assert_false(vc_pvcons_unread(&r.door)); /* a guest that breaks its ring may still read by hypercall */
    r.page->out_prod = 4000;
    vc_pvcons_serve(&r.door);
    assert_false(vc_pvcons_unread(&r.door));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attach_then_connect_in_the_order_of_the_design),
        cmocka_unit_test(detach_in_the_order_of_the_design),
        cmocka_unit_test(a_pass_moves_both_ways_and_notifies_once),
        cmocka_unit_test(room_is_told_where_there_was_none),
        cmocka_unit_test(room_is_told_bit_by_bit),
        cmocka_unit_test(who_yields_is_told_later),
        cmocka_unit_test(what_is_owed_is_paid_once),
        cmocka_unit_test(held_bytes_stay_in_the_ring),
        cmocka_unit_test(a_wrapped_ring_is_offered_in_order),
        cmocka_unit_test(input_waits_for_room),
        cmocka_unit_test(hostile_indices_at_attach),
        cmocka_unit_test(hostile_indices_while_connected),
        cmocka_unit_test(broken_is_reported_once_and_heals_once_a_second),
        cmocka_unit_test(while_broken_connect_and_detach_are_remembered),
        cmocka_unit_test(a_guest_that_breaks_its_ring_during_attach),
        cmocka_unit_test(own_indices_are_not_read_back),
        cmocka_unit_test(unread_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
