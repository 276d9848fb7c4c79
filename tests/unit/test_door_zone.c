/* SPDX-License-Identifier: MIT */
/*
 * A UART whose engine records writes (uart_zone.h): the rules of vcons/uart.h at the door. The engine here records as KVM
 * does, into a ring of as many places, and a guest that finds it full exits.
 */
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/ns16550.h>

#include "domain_rig.h"

#define COM1 0x3f8u
#define RING (ENGINE_RECORDED_MAX - 1)

static struct {
    bool on, refuse;
    unsigned times_on;
    uint32_t n, at;
    struct vc_uart_write writes[RING];
    unsigned exits;
} kvm;

static bool place(int type, uint32_t n, struct engine_device *uart)
{
    (void)type;
    *uart = (struct engine_device){ENGINE_PORTS, n == 0 ? 0x2f8 : COM1, 8, 3 + n};
    return true;
}

static void irq_line(void *engine, uint32_t line, bool level) { (void)engine, (void)line, (void)level; }
static void kick_nobody(void *engine) { (void)engine; }

static bool zone(void *engine, const struct engine_device *uart, uint32_t bytes, bool on)
{
    (void)engine;
    assert_int_equal(uart->address, COM1);
    assert_int_equal(bytes, 1);
    assert_int_not_equal(kvm.on, on); /* changes alone */
    if (kvm.refuse)
        return false;
    kvm.on = on;
    kvm.times_on += on;
    return true;
}

static bool recorded(void *engine, const struct engine_device *uart, engine_take *take, void *ctx)
{
    (void)engine, (void)uart;
    while (kvm.at < kvm.n) {
        uint32_t n = kvm.n - kvm.at < VC_UART_BATCH ? kvm.n - kvm.at : VC_UART_BATCH;
        uint32_t taken = take(ctx, kvm.writes + kvm.at, n);

        kvm.at += taken;
        if (taken < n)
            return false;
    }
    kvm.n = kvm.at = 0;
    return true;
}

static const struct engine_ops ops = {
    .name = "recorder", .kick = kick_nobody, .uart = place, .irq_line = irq_line, .zone = zone, .recorded = recorded};

struct rig {
    struct vmm vmm;
    struct domain_config config;
    struct domain domain;
    struct vc_sink sink; /* the service */
    uint32_t said, heard;
};

static int make(void **state)
{
    static struct config_console consoles[] = {{.name = "ttyS1", .door = DOOR_16550},
                                               {.name = "ttyS0", .door = DOOR_16550}};
    struct rig *r = calloc(1, sizeof *r);
    struct problem problem;

    memset(&kvm, 0, sizeof kvm);
    r->config = (struct domain_config){.hold_ms = CONSOLE_HOLD_FOREVER, .consoles = consoles, .n_consoles = 2};
    domain_rig_start(&r->domain, &r->vmm, &r->config, &ops, r);
    r->domain.io_door = r->domain.doors[1];
    domain_rig_attach(&r->domain.doors[1]->console, &r->sink);
    assert_int_equal(doors_open(&r->domain, &problem), 0);
    *state = r;
    return 0;
}

static int unmake(void **state)
{
    struct rig *r = *state;

    domain_rig_end(&r->domain);
    assert_false(kvm.on);
    free(r);
    return 0;
}

static void out(struct rig *r, uint32_t port, uint8_t byte)
{
    uint64_t value = byte;

    kvm.exits++;
    assert_true(domain_access(&r->domain, ENGINE_PORTS, port, 1, &value, true));
}

static uint8_t in(struct rig *r, uint32_t port)
{
    uint64_t value = 0;

    kvm.exits++;
    assert_true(domain_access(&r->domain, ENGINE_PORTS, port, 1, &value, false));
    return (uint8_t)value;
}

static uint8_t byte_of(uint32_t n) { return (uint8_t)(n % 251); }

/* The guest writes the next byte: recorded, or an exit. */
static void say(struct rig *r)
{
    uint8_t byte = byte_of(r->said++);

    if (kvm.on && kvm.n < RING)
        kvm.writes[kvm.n++] = (struct vc_uart_write){.offset = 0, .width = 1, .value = byte};
    else
        out(r, COM1, byte);
}

/* A service that takes up to n bytes, each of which is the next that the guest said. */
static uint32_t hear(struct rig *r, uint32_t n)
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
    n = there < n ? there : n;
    for (uint32_t i = 0; i < n; i++, r->heard++) {
        uint8_t byte = i < spans[0].n ? spans[0].bytes[i] : spans[1].bytes[i - spans[0].n];

        if (byte != byte_of(r->heard))
            fail_msg("byte %u is wrong", r->heard);
    }
    vc_sink_commit(&r->sink, n);
    return n;
}

static void fifos_on(struct rig *r) { out(r, COM1 + UART_IIR, 1); }

/* All that can move moves; false: some cannot. */
static bool served(struct rig *r)
{
    struct door *door = r->domain.doors[1];
    bool all;

    console_lock(&door->console);
    all = door_serve(door);
    console_unlock(&door->console);
    return all;
}

/* A driver: as many bytes as the FIFO holds for each look at LSR. False: it is full. */
static bool load(struct rig *r)
{
    if ((in(r, COM1 + UART_LSR) & UART_LSR_THRE) == 0)
        return false;
    for (unsigned i = 0; i < 16; i++)
        say(r);
    return true;
}

static void few_exits_and_every_byte(void **state)
{
    struct rig *r = *state;

    fifos_on(r);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(load(r));
    in(r, COM1 + UART_LSR);
    assert_int_equal(hear(r, UINT32_MAX), 16000);
    assert_true(kvm.on);
    assert_int_equal(kvm.times_on, 1);
    assert_true(kvm.exits <= 1000 + 40); /* a look at LSR a load; and as long as the guest had not yet written much */
}

static void a_read_sees_what_was_written_before(void **state)
{
    struct rig *r = *state;

    fifos_on(r);
    out(r, COM1 + UART_IER, UART_IER_THRE);
    while (!kvm.on)
        load(r);
    in(r, COM1 + UART_IIR);
    assert_int_equal(in(r, COM1 + UART_IIR) & 0xf, UART_IIR_NONE);
    say(r);
    assert_int_equal(in(r, COM1 + UART_IIR) & 0xf, UART_IIR_THRE); /* it went: the transmitter is empty again */
    assert_int_equal(kvm.n, 0);
}

/* Nobody looks, the loop does: a byte is there after a timer's time, without any exit. */
static void the_loop_brings_what_nobody_looks_at(void **state)
{
    struct rig *r = *state;
    unsigned exits;

    fifos_on(r);
    while (!kvm.on)
        load(r);
    in(r, COM1 + UART_LSR);
    hear(r, UINT32_MAX);
    door_work(r->domain.doors[1]); /* which it was asked for when the zone began */
    exits = kvm.exits;
    say(r);
    for (unsigned i = 0; r->heard < r->said && i < 10000; i++) {
        uv_run(&r->vmm.loop, UV_RUN_ONCE);
        hear(r, UINT32_MAX);
    }
    assert_int_equal(r->heard, r->said);
    assert_int_equal(kvm.exits, exits);
}

static void silence_ends_it(void **state)
{
    struct rig *r = *state;

    fifos_on(r);
    while (!kvm.on)
        load(r);
    in(r, COM1 + UART_LSR);
    door_work(r->domain.doors[1]);
    for (unsigned i = 0; kvm.on && i < 10000; i++)
        uv_run(&r->vmm.loop, UV_RUN_ONCE);
    assert_false(kvm.on);
    console_lock(&r->domain.doors[1]->console);
    assert_true(uart_deadline(r->domain.doors[1]) == UINT64_MAX); /* and with it the timer */
    console_unlock(&r->domain.doors[1]->console);
}

static void a_guest_that_only_polls_does_not_end_it(void **state)
{
    struct rig *r = *state;

    fifos_on(r);
    while (!kvm.on)
        load(r);
    r->domain.doors[1]->uart.zone.flush_ms = UINT64_MAX; /* all within one millisecond */
    for (unsigned i = 0; i < 1000; i++)
        in(r, COM1 + UART_LSR);
    assert_true(kvm.on);
}

static void console_io_comes_behind_what_was_written(void **state)
{
    struct rig *r = *state;
    uint8_t byte;

    fifos_on(r);
    while (!kvm.on)
        load(r);
    say(r);
    say(r);
    byte = byte_of(r->said++);
    domain_debug_port(&r->domain, byte);
    say(r);
    in(r, COM1 + UART_LSR);
    hear(r, UINT32_MAX);
    assert_int_equal(r->heard, r->said);
}

/* Off while a whole ring still finds room; then as any full UART; on again when the service has taken enough. */
static void a_line_that_fills(void **state)
{
    struct rig *r = *state;

    fifos_on(r);
    while (load(r))
        if (kvm.on)
            assert_true(console_room(&r->domain.doors[1]->console) >= RING);
    assert_false(kvm.on);
    assert_true(r->said >= VC_LINE_OUT_DEFAULT);
    while (hear(r, UINT32_MAX) > 0)
        door_work(r->domain.doors[1]);
    assert_int_equal(r->heard, r->said);
    for (unsigned i = 0; i < 5; i++)
        assert_true(load(r));
    assert_true(kvm.on);
}

/* Bytes of its state; 0: it cannot be saved, and *why. */
static size_t saved(struct rig *r, struct problem *why)
{
    struct door *door = r->domain.doors[1];
    uint8_t bytes[1024];
    struct vc_writer w;
    int error;

    *why = (struct problem){0};
    vc_writer_init(&w, bytes, sizeof bytes);
    console_lock(&door->console);
    error = uart_save(door, &w, why);
    console_unlock(&door->console);
    assert_true(vc_writer_ok(&w));
    assert_int_equal(error, w.n > 0 ? 0 : -1);
    return w.n;
}

/* The line is full of events that nobody took, which no rule about room foresees: nothing is lost or changes places. */
static void a_line_that_is_full_all_the_same(void **state)
{
    struct rig *r = *state;
    struct door *door = r->domain.doors[1];
    struct problem why;

    fifos_on(r);
    while (!kvm.on)
        load(r);
    while (kvm.n < RING)
        say(r);
    console_lock(&door->console);
    for (unsigned i = 0; i < VC_LINE_OUT_EVENTS; i++)
        console_post(&door->console, VC_LINE_BREAK, 0);
    console_unlock(&door->console);
    door_work(door);
    assert_false(kvm.on);
    assert_true(door->uart.zone.kept);
    assert_true(kvm.at < kvm.n); /* the FIFO is full, the rest waits where it is */
    assert_false(served(r));
    assert_int_equal(saved(r, &why), 0); /* what waits there is in no file */
    assert_non_null(strstr(why.text, "console \"ttyS0\" is full"));
    while (hear(r, UINT32_MAX) > 0 || r->heard < r->said)
        door_work(door);
    assert_int_equal(kvm.n, 0);
    assert_true(served(r));
    atomic_store(&r->domain.pause.wanted, true);
    assert_true(served(r));
    assert_int_not_equal(saved(r, &why), 0);
    atomic_store(&r->domain.pause.wanted, false);
}

static void a_domain_that_stands_still_records_nothing(void **state)
{
    struct rig *r = *state;

    fifos_on(r);
    while (!kvm.on)
        load(r);
    say(r);
    atomic_store(&r->domain.pause.wanted, true);
    assert_true(served(r)); /* as save does before it freezes the door */
    assert_false(kvm.on);
    hear(r, UINT32_MAX);
    assert_int_equal(r->heard, r->said);
    atomic_store(&r->domain.pause.wanted, false);
    for (unsigned i = 0; i < 5; i++)
        load(r);
    assert_true(kvm.on);
}

static void an_engine_that_cannot(void **state)
{
    struct rig *r = *state;

    kvm.refuse = true;
    fifos_on(r);
    for (unsigned i = 0; i < 100; i++)
        assert_true(load(r));
    assert_int_equal(hear(r, UINT32_MAX), 1600);
    assert_int_equal(kvm.times_on, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(few_exits_and_every_byte, make, unmake),
        cmocka_unit_test_setup_teardown(a_read_sees_what_was_written_before, make, unmake),
        cmocka_unit_test_setup_teardown(the_loop_brings_what_nobody_looks_at, make, unmake),
        cmocka_unit_test_setup_teardown(silence_ends_it, make, unmake),
        cmocka_unit_test_setup_teardown(a_guest_that_only_polls_does_not_end_it, make, unmake),
        cmocka_unit_test_setup_teardown(console_io_comes_behind_what_was_written, make, unmake),
        cmocka_unit_test_setup_teardown(a_line_that_fills, make, unmake),
        cmocka_unit_test_setup_teardown(a_line_that_is_full_all_the_same, make, unmake),
        cmocka_unit_test_setup_teardown(a_domain_that_stands_still_records_nothing, make, unmake),
        cmocka_unit_test_setup_teardown(an_engine_that_cannot, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
