/* SPDX-License-Identifier: MIT */
/*
 * A PV console whose guest's sends are quiet for a while (door_quiet.h). The engine here has the bits, and the guest looks at
 * them as the code of vmm/kvm/x86_64/quiet.h does. Time is what the test says: it makes periods due.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/xen.h>
#include <vcons/xencons.h>

#include "domain_rig.h"

#define N_ROWS(table) (sizeof(table) / sizeof(table)[0])

static struct {
    bool bits[64], none;
    unsigned times_on;
} engine;

static void kick_nobody(void *ctx) { (void)ctx; }

static bool quiet(void *ctx, uint32_t port, bool on)
{
    (void)ctx;
    assert_in_range(port, 0, N_ROWS(engine.bits) - 1);
    if (engine.none)
        return false;
    engine.times_on += on;
    engine.bits[port] = on;
    return true;
}

static const struct engine_ops ops = {.name = "quiet", .kick = kick_nobody, .quiet = quiet};

struct rig {
    struct vmm vmm;
    struct domain_config config;
    struct domain domain;
    struct vc_sink sink; /* the service */
    struct vc_xencons_front front;
    uint32_t said, heard, sends, yields;
};

static struct door *door_of(struct rig *r) { return r->domain.doors[1]; }

static int make(void **state)
{
    static struct config_console consoles[] = {{.name = "io", .door = DOOR_CONSOLE_IO},
                                               {.name = "hvc0", .door = DOOR_XEN}};
    struct rig *r = calloc(1, sizeof *r);
    struct problem problem;

    memset(&engine, 0, sizeof engine);
    r->config = (struct domain_config){.hold_ms = CONSOLE_HOLD_FOREVER, .consoles = consoles, .n_consoles = 2};
    domain_rig_start(&r->domain, &r->vmm, &r->config, &ops, r);
    domain_envs(&r->domain);
    domain_rig_attach(&door_of(r)->console, &r->sink);
    assert_int_equal(doors_open(&r->domain, &problem), 0);
    assert_int_equal(vc_xencons_front_attach(&r->front, door_of(r)->pvcons.back.page), VC_OK);
    *state = r;
    return 0;
}

static int unmake(void **state)
{
    struct rig *r = *state;

    domain_rig_end(&r->domain);
    for (size_t i = 0; i < N_ROWS(engine.bits); i++)
        assert_false(engine.bits[i]);
    free(r);
    return 0;
}

static uint8_t byte_of(uint32_t n) { return (uint8_t)(n % 251); }

static bool is_quiet(struct rig *r) { return engine.bits[door_of(r)->port]; }

/* The guest publishes up to n bytes, and sends unless it need not. */
static uint32_t say(struct rig *r, uint32_t n)
{
    uint8_t bytes[XENCONS_OUT_SIZE];
    uint32_t done;

    for (uint32_t i = 0; i < n; i++)
        bytes[i] = byte_of(r->said + i);
    assert_int_equal(vc_producer_put(&r->front.out, bytes, n, &done), VC_OK);
    r->said += done;
    if (!is_quiet(r)) {
        r->sends++;
        door_of(r)->to.sent(&door_of(r)->to);
    }
    return done;
}

static void yield(struct rig *r)
{
    r->yields++;
    doors_quiet_look(&r->domain, true);
}

/* All that the service finds, each the next that the guest said. */
static uint32_t hear(struct rig *r)
{
    struct vc_line_event event;
    struct vc_span spans[2];
    uint32_t there;
    bool due;

    do {
        assert_int_equal(vc_sink_event(&r->sink, &event, &due), VC_OK);
        if (due)
            vc_sink_event_done(&r->sink);
    } while (due);
    assert_int_equal(vc_sink_peek(&r->sink, spans, &there), VC_OK);
    for (uint32_t i = 0; i < there; i++, r->heard++) {
        uint8_t byte = i < spans[0].n ? spans[0].bytes[i] : spans[1].bytes[i - spans[0].n];

        if (byte != byte_of(r->heard))
            fail_msg("byte %u is wrong", r->heard);
    }
    vc_sink_commit(&r->sink, there);
    return there;
}

/* The next send is one of many, whatever this machine's clock does meanwhile. */
static void in_a_burst(struct rig *r) { door_of(r)->quiet.sent_ms = vmm_now_ms() + 1000000; }

/* The period is over: the loop looks. */
static void due(struct rig *r)
{
    door_of(r)->quiet.due_ms = 0;
    door_work(door_of(r));
}

static void begin(struct rig *r)
{
    in_a_burst(r);
    say(r, 1);
    assert_true(is_quiet(r));
}

static void a_lone_send_is_as_ever(void **state)
{
    struct rig *r = *state;

    for (unsigned i = 0; i < 5; i++) {
        door_of(r)->quiet.sent_ms = 0; /* long ago */
        say(r, 10);
        assert_false(is_quiet(r));
        assert_int_equal(hear(r), 10);
    }
    assert_int_equal(engine.times_on, 0);
}

static void what_was_not_sent_is_seen_when_due(void **state)
{
    struct rig *r = *state;

    begin(r);
    hear(r);
    say(r, 100);
    assert_int_equal(hear(r), 0);
    due(r);
    assert_int_equal(hear(r), 100);
    assert_true(is_quiet(r)); /* there was something: it goes on */
    say(r, 100);
    due(r);
    assert_int_equal(hear(r), 100);
    due(r); /* and there was nothing */
    assert_false(is_quiet(r));
    say(r, 7);
    assert_int_equal(hear(r), 7);
    assert_int_equal(r->sends, 2);
}

static void what_came_just_before_the_end_is_seen(void **state)
{
    struct rig *r = *state;
    struct door *door = door_of(r);

    begin(r);
    hear(r);
    say(r, 5);
    console_lock(&door->console);
    door_quiet_end(door);
    console_unlock(&door->console);
    assert_int_equal(hear(r), 5);
    assert_false(is_quiet(r));
}

static void periods_grow_while_it_streams(void **state)
{
    static const uint32_t periods[] = {1, 2, 4, 8, 16, 16, 16};
    struct rig *r = *state;

    begin(r);
    for (size_t i = 0; i < N_ROWS(periods); i++) {
        assert_int_equal(door_of(r)->quiet.period_ms, periods[i]);
        say(r, 1);
        due(r);
    }
    assert_int_equal(periods[N_ROWS(periods) - 1], QUIET_MAX_MS);
}

static void a_full_ring_is_seen_by_yielding(void **state)
{
    struct rig *r = *state;

    begin(r);
    hear(r);
    while (say(r, 256) > 0)
        continue;
    assert_int_equal(hear(r), 0);
    yield(r);
    assert_int_equal(hear(r), XENCONS_OUT_SIZE);
    assert_true(is_quiet(r));
    assert_true(door_of(r)->pvcons.owes); /* it looks by itself; whoever does not is told later */
}

/* Whoever sleeps for room is woken at once. */
static void a_full_ring_is_seen_by_sleeping(void **state)
{
    struct rig *r = *state;

    begin(r);
    hear(r);
    while (say(r, 256) > 0)
        continue;
    doors_quiet_look(&r->domain, false);
    assert_int_equal(hear(r), XENCONS_OUT_SIZE);
    assert_false(door_of(r)->pvcons.owes);
}

static void a_stream_of_a_mebibyte(void **state)
{
    struct rig *r = *state;

    begin(r);
    while (r->said < 1u << 20) {
        in_a_burst(r);
        if (say(r, 256) < 256)
            yield(r);
        if (r->said % 12345 < 256)
            due(r);
        hear(r);
    }
    due(r);
    due(r);
    hear(r);
    assert_false(is_quiet(r));
    assert_int_equal(r->heard, r->said);
    assert_in_range(r->sends, 1, 20);
    assert_in_range(r->yields, 400, 600); /* one for each ring */
}

static bool kicked(struct rig *r)
{
    struct pollfd p = {.fd = door_of(r)->console.memory.fds[VC_LINK_FD_OUT_BYTES], .events = POLLIN};
    bool is = poll(&p, 1, 0) == 1;

    if (is)
        line_unkick(p.fd);
    return is;
}

/* A service that sleeps is told of the bytes of a period once, at its end; or when they fill half of the line. */
static void a_service_that_sleeps(void **state)
{
    struct rig *r = *state;
    uint32_t before;

    begin(r);
    hear(r);
    kicked(r);
    vc_sink_arm_bytes(&r->sink);
    say(r, 2048);
    yield(r);
    assert_false(kicked(r));
    say(r, 10);
    due(r);
    assert_true(kicked(r));
    hear(r);
    vc_sink_arm_bytes(&r->sink);
    for (before = r->said; !kicked(r); yield(r))
        say(r, 2048);
    assert_in_range(r->said - before, VC_LINE_OUT_DEFAULT / 2 - 4096, VC_LINE_OUT_DEFAULT / 2 + 4096);
    hear(r);
}

static void whoever_gets_the_port_next_is_heard(void **state)
{
    struct rig *r = *state;
    uint32_t port = door_of(r)->port;

    begin(r);
    assert_int_equal(vc_events_close(&r->domain.events, port, &door_of(r)->to), VC_OK);
    assert_false(engine.bits[port]);
    console_lock(&door_of(r)->console); /* a send that was under way when the port was closed */
    door_quiet_end(door_of(r));
    in_a_burst(r);
    door_quiet_sent(door_of(r));
    console_unlock(&door_of(r)->console);
    assert_false(engine.bits[port]);
    assert_false(atomic_load(&door_of(r)->quiet.on));
}

/* ---- When it must not begin, and has to end. ---- */

static void it_pauses(struct rig *r) { atomic_store(&r->domain.pause.wanted, true); }
static void it_stops(struct rig *r) { atomic_store(&r->domain.stopping, true); }
static void it_is_frozen(struct rig *r) { door_of(r)->frozen = true; }
static void it_is_disconnected(struct rig *r) { vc_pvcons_disconnect(&door_of(r)->pvcons); }
static void the_engine_cannot(struct rig *r) { (void)r, engine.none = true; }
static void the_line_is_held(struct rig *r)
{
    static const uint8_t bytes[4096];

    while (console_put(&door_of(r)->console, bytes, sizeof bytes) == sizeof bytes)
        continue;
}

/* More than the guest's ring takes. */
static void input_waits(struct rig *r)
{
    uint8_t typed[XENCONS_IN_SIZE * 2] = {0};
    bool kick = false;
    uint32_t done;

    assert_int_equal(vc_sink_put(&r->sink, typed, sizeof typed, &done, &kick), VC_OK);
    assert_int_equal(done, sizeof typed);
}

static const struct {
    const char *name;
    void (*happens)(struct rig *r);
    bool also_ends; /* a period that is under way, at the loop's next look */
} reasons[] = {
    {"a pause", it_pauses, true},
    {"the end", it_stops, true},
    {"frozen", it_is_frozen, false}, /* whoever freezes it ends it before */
    {"disconnected", it_is_disconnected, true},
    {"the engine cannot", the_engine_cannot, false},
    {"held", the_line_is_held, true},
    {"input waits", input_waits, true},
};

static void does_not_begin(void **state)
{
    for (size_t i = 0; i < N_ROWS(reasons); i++) {
        struct rig *r;

        assert_int_equal(make(state), 0);
        r = *state;
        reasons[i].happens(r);
        in_a_burst(r);
        say(r, 1);
        if (is_quiet(r) || atomic_load(&door_of(r)->quiet.on))
            fail_msg("%s: quiet", reasons[i].name);
        atomic_store(&r->domain.pause.wanted, false);
        door_of(r)->frozen = false;
        unmake(state);
    }
}

static void ends_at_once(void **state)
{
    for (size_t i = 0; i < N_ROWS(reasons); i++) {
        struct rig *r;

        assert_int_equal(make(state), 0);
        r = *state;
        begin(r);
        door_of(r)->quiet.due_ms = UINT64_MAX;
        reasons[i].happens(r);
        if (reasons[i].also_ends) {
            door_work(door_of(r));
            if (is_quiet(r))
                fail_msg("%s: still quiet", reasons[i].name);
        }
        engine.none = false;
        atomic_store(&r->domain.pause.wanted, false);
        door_of(r)->frozen = false;
        unmake(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lone_send_is_as_ever, make, unmake),
        cmocka_unit_test_setup_teardown(what_was_not_sent_is_seen_when_due, make, unmake),
        cmocka_unit_test_setup_teardown(what_came_just_before_the_end_is_seen, make, unmake),
        cmocka_unit_test_setup_teardown(periods_grow_while_it_streams, make, unmake),
        cmocka_unit_test_setup_teardown(a_full_ring_is_seen_by_yielding, make, unmake),
        cmocka_unit_test_setup_teardown(a_full_ring_is_seen_by_sleeping, make, unmake),
        cmocka_unit_test_setup_teardown(a_stream_of_a_mebibyte, make, unmake),
        cmocka_unit_test_setup_teardown(a_service_that_sleeps, make, unmake),
        cmocka_unit_test_setup_teardown(whoever_gets_the_port_next_is_heard, make, unmake),
        cmocka_unit_test(does_not_begin),
        cmocka_unit_test(ends_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
