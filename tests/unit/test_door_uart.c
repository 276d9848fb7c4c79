/* SPDX-License-Identifier: MIT */
/* UARTs in front of their lines: a domain whose engine only records, and a service at the other end. */
#include "vmm/boot.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vcons/wire/ns16550.h>
#include <vcons/wire/pl011.h>
#include <vcons/wire/xen.h>

#include "domain_rig.h"

#define COM1 0x3f8u
#define COM2 0x2f8u
#define MMIO UINT64_C(0x9000000)

static struct {
    unsigned changes[8];
    bool level[8];
} lines;

static bool place(int type, uint32_t n, struct engine_device *uart)
{
    if (type == DOOR_16550)
        *uart = (struct engine_device){ENGINE_PORTS, n == 0 ? COM1 : COM2, 8, n == 0 ? 4 : 3};
    else
        *uart = (struct engine_device){ENGINE_MEMORY, MMIO, 4096, 1};
    return true;
}

static void irq_line(void *engine, uint32_t line, bool level)
{
    (void)engine;
    assert_true(lines.level[line] != level); /* changes alone */
    lines.level[line] = level;
    lines.changes[line]++;
}

/* As KVM's: a page anywhere. */
static int map_page(void *engine, uint64_t gpa, void *page)
{
    (void)engine, (void)gpa, (void)page;
    return 0;
}

static void kick_nobody(void *engine) { (void)engine; }

static const struct engine_ops ops = {
    .name = "recorder", .kick = kick_nobody, .uart = place, .irq_line = irq_line, .map_page = map_page};

struct rig {
    struct vmm vmm;
    struct domain_config config;
    struct domain domain;
    struct vc_sink sinks[3]; /* the services */
    struct config_console consoles[3];
};

static struct rig *make_rig(int hold_ms, enum config_door first)
{
    struct rig *r = calloc(1, sizeof *r);

    memset(&lines, 0, sizeof lines);
    r->consoles[0] = (struct config_console){.name = "first", .door = first};
    r->consoles[1] = (struct config_console){.name = "ttyS0", .door = DOOR_16550};
    r->consoles[2] = (struct config_console){.name = "ttyS1", .door = DOOR_16550};
    r->config = (struct domain_config){.hold_ms = hold_ms, .consoles = r->consoles, .n_consoles = 3};
    domain_rig_start(&r->domain, &r->vmm, &r->config, &ops, r);
    for (uint32_t i = 0; i < 3; i++)
        domain_rig_attach(&r->domain.doors[i]->console, &r->sinks[i]);
    return r;
}

static void boot(struct rig *r)
{
    struct problem problem;

    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(door_open(r->domain.doors[i], &problem), 0);
}

static int make_as(void **state, int hold_ms, enum config_door first)
{
    struct rig *r = make_rig(hold_ms, first);

    boot(r);
    *state = r;
    return 0;
}

static int make(void **state) { return make_as(state, CONSOLE_HOLD_FOREVER, DOOR_CONSOLE_IO); }
static int make_held_for_a_moment(void **state) { return make_as(state, 100, DOOR_CONSOLE_IO); }
/* Beside a PV console: their lines are ring pages of Xen's. */
static int make_rings(void **state) { return make_as(state, CONSOLE_HOLD_FOREVER, DOOR_XEN); }
static int make_rings_held_for_a_moment(void **state) { return make_as(state, 100, DOOR_XEN); }

static int unmake(void **state)
{
    struct rig *r = *state;

    domain_rig_end(&r->domain);
    free(r);
    return 0;
}

/* ---- The guest. ---- */

static void out(struct rig *r, uint32_t port, uint8_t byte)
{
    uint64_t value = byte;

    assert_true(domain_access(&r->domain, ENGINE_PORTS, port, 1, &value, true));
}

static uint8_t in(struct rig *r, uint32_t port)
{
    uint64_t value = UINT64_MAX;

    assert_true(domain_access(&r->domain, ENGINE_PORTS, port, 1, &value, false));
    assert_true(value <= 0xff);
    return (uint8_t)value;
}

static bool has_room(struct rig *r, uint32_t base) { return (in(r, base + UART_LSR) & UART_LSR_THRE) != 0; }

static void fifos_on(struct rig *r, uint32_t base) { out(r, base + UART_IIR, 1); }

/* ---- The service. ---- */

/* Up to n bytes of what the guest said, past events; how many. */
static uint32_t take(struct vc_sink *s, uint8_t *bytes, uint32_t n)
{
    struct vc_line_event event;
    struct vc_span spans[2];
    uint32_t there, first;
    bool due;

    assert_int_equal(vc_sink_event(s, &event, &due), VC_OK);
    if (due)
        vc_sink_event_done(s);
    assert_int_equal(vc_sink_peek(s, spans, &there), VC_OK);
    n = there < n ? there : n;
    first = n < spans[0].n ? n : spans[0].n;
    memcpy(bytes, spans[0].bytes, first);
    memcpy(bytes + first, spans[1].bytes, n - first);
    vc_sink_commit(s, n);
    return n;
}

static void said(struct rig *r, uint32_t console, const char *text)
{
    uint8_t bytes[256];
    uint32_t n = take(&r->sinks[console], bytes, sizeof bytes);

    if (n != strlen(text) || memcmp(bytes, text, n) != 0)
        fail_msg("console %u said \"%.*s\", not \"%s\"", console, (int)n, (char *)bytes, text);
}

static void type_to(struct rig *r, uint32_t console, const char *text)
{
    bool kick = false;
    uint32_t done;

    assert_int_equal(vc_sink_put(&r->sinks[console], text, (uint32_t)strlen(text), &done, &kick), VC_OK);
    assert_int_equal(done, strlen(text));
    door_work(r->domain.doors[console]); /* the loop, which the kick wakes */
}

/* ---- What is there, and what is not. ---- */

static void each_has_a_line_of_its_own(void **state)
{
    struct rig *r = *state;

    for (const char *p = "first"; *p != '\0'; p++) {
        out(r, COM1, (uint8_t)*p);
        out(r, COM2, (uint8_t)(*p - 'a' + 'A'));
    }
    said(r, 1, "first");
    said(r, 2, "FIRST");
    said(r, 0, "");
    out(r, COM1 + UART_SCR, 0x5a);
    assert_int_equal(in(r, COM1 + UART_SCR), 0x5a);
    assert_int_equal(in(r, COM2 + UART_SCR), 0);
}

static void ports_that_are_none(void **state)
{
    static const uint64_t none[] = {0, COM1 - 1, COM1 + 8, COM2 - 1, COM2 + 8, 0x3e8, 0x2e8, 0xffff, UINT64_MAX};
    struct rig *r = *state;
    uint64_t value = 77;

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (domain_access(&r->domain, ENGINE_PORTS, none[i], 1, &value, false) ||
            domain_access(&r->domain, ENGINE_PORTS, none[i], 1, &value, true) || value != 77)
            fail_msg("something at 0x%llx", (unsigned long long)none[i]);
    assert_false(domain_access(&r->domain, ENGINE_MEMORY, COM1, 1, &value, true)); /* a port is no memory */
    said(r, 1, "");
}

/* As on the bus: one for each port, the lowest first; nothing beyond the last is ours. */
static void wide_accesses(void **state)
{
    struct rig *r = *state;
    uint64_t value = 0x0000000300000041 & UINT32_MAX;

    value = 0x41 | 0x00 << 8; /* THR, IER */
    assert_true(domain_access(&r->domain, ENGINE_PORTS, COM1, 2, &value, true));
    said(r, 1, "A");
    out(r, COM1 + UART_SCR, 0x5a);
    value = 0;
    assert_true(domain_access(&r->domain, ENGINE_PORTS, COM1 + UART_SCR, 4, &value, false));
    assert_int_equal(value, 0xffffff5a);
    assert_true(domain_access(&r->domain, ENGINE_PORTS, COM1 + UART_LSR, 1, &value, false));
    assert_int_equal(value, UART_LSR_THRE | UART_LSR_TEMT);
}

/* ---- Input. ---- */

static void input_comes_whole_and_in_order(void **state)
{
    char typed[401] = "", got[401] = "";
    struct rig *r = *state;
    size_t n = 0;

    for (size_t i = 0; i < 400; i++)
        typed[i] = (char)('a' + i % 26);
    fifos_on(r, COM1);
    out(r, COM1 + UART_IER, UART_IER_RDA);
    type_to(r, 1, typed);
    assert_true(lines.level[4]); /* it waits above the trigger, or would be a time-out */
    while ((in(r, COM1 + UART_LSR) & UART_LSR_DR) != 0)
        got[n++] = (char)in(r, COM1); /* room for more: it follows without the loop */
    assert_string_equal(got, typed);
    assert_false(lines.level[4]);
    assert_int_equal(lines.changes[3], 0);
}

static void a_break_comes_where_it_was_sent(void **state)
{
    struct rig *r = *state;
    bool kick = false;
    uint32_t done;

    fifos_on(r, COM1);
    vc_sink_put(&r->sinks[1], "ab", 2, &done, &kick);
    assert_int_equal(vc_sink_post(&r->sinks[1], VC_LINE_BREAK, 0, &kick), VC_OK);
    vc_sink_put(&r->sinks[1], "c", 1, &done, &kick);
    door_work(r->domain.doors[1]);
    door_work(r->domain.doors[1]);
    for (const char *p = "ab"; *p != '\0'; p++) {
        assert_int_equal(in(r, COM1 + UART_LSR) & (UART_LSR_DR | UART_LSR_BI), UART_LSR_DR);
        assert_int_equal(in(r, COM1), *p);
    }
    assert_int_equal(in(r, COM1 + UART_LSR) & (UART_LSR_DR | UART_LSR_BI), UART_LSR_DR | UART_LSR_BI);
    assert_int_equal(in(r, COM1), 0);
    assert_int_equal(in(r, COM1 + UART_LSR) & (UART_LSR_DR | UART_LSR_BI), UART_LSR_DR);
    assert_int_equal(in(r, COM1), 'c');
}

/* A byte below the trigger: the time-out tells, from the loop. */
static void a_byte_alone_is_told_by_the_loop(void **state)
{
    struct rig *r = *state;

    out(r, COM1 + UART_IIR, 0xc1); /* trigger 14 */
    out(r, COM1 + UART_IER, UART_IER_RDA);
    type_to(r, 1, "x");
    assert_false(lines.level[4]);
    for (unsigned i = 0; !lines.level[4] && i < 10000; i++) {
        uv_sleep(1);
        door_work(r->domain.doors[1]);
    }
    assert_int_equal(in(r, COM1 + UART_IIR) & 0xf, UART_IIR_TIMEOUT);
    assert_int_equal(in(r, COM1), 'x');
    assert_false(lines.level[4]);
}

/* A guest that asks again and again leaves the loop little of the door: its own accesses bring what is due. */
static void a_guest_that_polls_needs_no_loop(void **state)
{
    struct rig *r = *state;
    bool told = false;

    out(r, COM1 + UART_IIR, 0xc1); /* trigger 14 */
    out(r, COM1 + UART_IER, UART_IER_RDA);
    type_to(r, 1, "x");
    for (unsigned i = 0; !told && i < 10000; i++) {
        uv_sleep(1);
        told = (in(r, COM1 + UART_IIR) & 0xf) == UART_IIR_TIMEOUT;
    }
    assert_true(told);
    assert_true(lines.level[4]);
    assert_int_equal(in(r, COM1), 'x');
}

/* ---- A full line. ---- */

static uint32_t line_bytes(const struct rig *r) { return r->sinks[1].out.ring.size; }

/* Until the UART says that it is full; how many bytes went before. */
static uint32_t fill(struct rig *r)
{
    uint32_t n = 0;

    for (; has_room(r, COM1); n++)
        out(r, COM1, (uint8_t)(n % 251));
    return n;
}

static uint32_t drain(struct rig *r, uint32_t from)
{
    static uint8_t bytes[4096];
    uint32_t n;

    while ((n = take(&r->sinks[1], bytes, sizeof bytes)) > 0)
        for (uint32_t i = 0; i < n; i++, from++)
            if (bytes[i] != (uint8_t)(from % 251))
                fail_msg("byte %u is wrong", from);
    return from;
}

static void a_full_line_is_a_full_uart(void **state)
{
    struct rig *r = *state;
    uint32_t written, taken;

    fifos_on(r, COM1);
    out(r, COM1 + UART_IER, UART_IER_THRE);
    in(r, COM1 + UART_IIR);
    written = fill(r);
    assert_int_equal(written, line_bytes(r) + 1); /* the last of them waits in the UART */
    assert_false(lines.level[4]);
    taken = drain(r, 0);
    assert_int_equal(taken, line_bytes(r));
    assert_false(has_room(r, COM1));
    door_work(r->domain.doors[1]); /* the loop, which the service has kicked: without any exit of the guest's */
    assert_true(lines.level[4]);
    assert_true(has_room(r, COM1));
    assert_int_equal(drain(r, taken), written);
}

/* hold is over: the guest goes on, and what comes then is kept in the tail as for any door. */
static void nobody_waits_longer_than_hold(void **state)
{
    struct rig *r = *state;
    uint32_t written;

    fifos_on(r, COM1);
    written = fill(r);
    for (unsigned i = 0; i < 40; i++) /* more than the FIFO takes: a driver that does not wait for us */
        out(r, COM1, (uint8_t)(written++ % 251));
    assert_true(has_room(r, COM1));
    assert_int_equal(drain(r, 0), line_bytes(r));
    door_work(r->domain.doors[1]);
    for (uint32_t done = line_bytes(r), before = 0; done != before;) { /* a small line takes it in pieces */
        before = done;
        door_work(r->domain.doors[1]);
        done = drain(r, before);
        assert_true(done <= written && (done != before || done == written));
    }
}

/* ---- Saved, and back. ---- */

static size_t save_uart(struct rig *r, uint8_t *bytes, size_t size)
{
    struct door *door = r->domain.doors[1];
    struct problem problem;
    struct vc_writer w;

    vc_writer_init(&w, bytes, size);
    console_lock(&door->console);
    assert_int_equal(uart_save(door, &w, &problem), 0);
    console_unlock(&door->console);
    assert_true(vc_writer_ok(&w));
    return w.n;
}

static bool restore_uart(struct rig *r, const uint8_t *bytes, size_t n)
{
    struct door *door = r->domain.doors[1];
    struct vc_reader reader;
    bool right;

    vc_reader_init(&reader, bytes, n);
    console_lock(&door->console);
    right = uart_restore(door, &reader);
    console_unlock(&door->console);
    return right;
}

static void a_uart_goes_on_where_it_was(void **state)
{
    struct rig *r = *state;
    struct door *door = r->domain.doors[1];
    uint8_t saved[1024], kept[64];
    uint32_t written;
    size_t n;

    fifos_on(r, COM1);
    out(r, COM1 + UART_IER, UART_IER_RDA);
    out(r, COM1 + UART_SCR, 0x77);
    type_to(r, 1, "abcdefghijklmnopqrstuvwxyz"); /* 16 in the UART, the rest behind it */
    written = fill(r);
    n = save_uart(r, saved, sizeof saved);
    memset(&lines, 0, sizeof lines);
    assert_true(restore_uart(r, saved, n));
    assert_true(lines.level[4]);
    assert_int_equal(in(r, COM1 + UART_SCR), 0x77);
    assert_false(has_room(r, COM1)); /* the byte that found no room is there */
    assert_int_equal(drain(r, 0), written - 1);
    door_work(door);
    assert_int_equal(drain(r, written - 1), written);
    for (char c = 'a'; c <= 'z'; c++)
        assert_int_equal(in(r, COM1), c);
    console_lock(&door->console);
    assert_int_equal(door_kept(door, kept, sizeof kept), 0);
    console_unlock(&door->console);
}

static void states_of_something_else_are_refused(void **state)
{
    struct rig *r = *state;
    uint8_t saved[1024], other[1024];
    struct vc_writer w;
    struct vc_pl011 pl011 = {0};
    size_t n = save_uart(r, saved, sizeof saved);

    for (size_t cut = 0; cut < n; cut++)
        if (restore_uart(r, saved, cut))
            fail_msg("taken with %zu of %zu bytes", cut, n);
    vc_writer_init(&w, other, sizeof other);
    vc_pl011_save(&pl011, &w);
    assert_false(restore_uart(r, other, w.n));
    assert_true(restore_uart(r, saved, n));
}

/* ---- What is private. ---- */

static int64_t port_op(struct rig *r, uint32_t op, uint32_t port)
{
    uint32_t *arg = memory_at(&r->domain.memory, 0x3000, 64);
    const uint64_t args[6] = {op, VC_CALL_RAM_BASE + 0x3000};

    memset(arg, 0, 64);
    if (op == EVTCHNOP_bind_vcpu || op == EVTCHNOP_send || op == EVTCHNOP_close || op == EVTCHNOP_unmask)
        arg[0] = port;
    return domain_hypercall(&r->domain, 0, XEN_event_channel_op, args);
}

/* Each UART has a port, which the guest sees in use, and can neither send on, nor close, nor move to another vCPU. */
static void ports_of_rings_are_nobodys(void **state)
{
    struct rig *r = *state;
    struct vc_event_binding binding;

    for (uint32_t i = 1; i < 3; i++) {
        struct door *door = r->domain.doors[i];

        assert_int_equal(vc_events_look(&r->domain.events, door->port, &binding), VC_OK);
        assert_ptr_equal(binding.door, &door->to);
        assert_int_equal(port_op(r, EVTCHNOP_send, door->port), -XEN_EINVAL);
        assert_int_equal(port_op(r, EVTCHNOP_close, door->port), -XEN_EINVAL);
        assert_int_equal(port_op(r, EVTCHNOP_bind_vcpu, door->port), -XEN_EINVAL);
        assert_int_equal(vc_events_look(&r->domain.events, door->port, &binding), VC_OK);
    }
    out(r, COM1, 'x');
    said(r, 1, "x");
}

static int64_t ask(struct rig *r, uint64_t nr, uint64_t cmd, const void *arg, size_t n)
{
    const uint64_t args[6] = {cmd, VC_CALL_RAM_BASE + 0x3000, 1};

    memcpy(memory_at(&r->domain.memory, 0x3000, n), arg, n);
    return domain_hypercall(&r->domain, 0, nr, args);
}

/* P4: whatever page, port and parameter a guest tries, it gets errors, and the UART's console does not notice. */
static void all_that_a_guest_can_try(void **state)
{
    static const uint32_t tried[] = {EVTCHNOP_send, EVTCHNOP_close, EVTCHNOP_bind_vcpu};
    struct rig *r = *state;
    const struct door *door = r->domain.doors[1];
    const uint64_t gfn = boot_uart_ring_gpa(&r->domain.memory, 0) / XEN_PAGE_BYTES;
    static uint8_t before[VC_LINE_RING_BYTES];
    struct vc_event_binding binding;

    out(r, COM1, 'x');
    memcpy(before, door->console.memory.base, sizeof before);
    for (uint32_t port = 0; port < VC_EVENTS_PORTS_MAX + 8; port++)
        for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++)
            if (port != r->domain.doors[0]->port && port_op(r, tried[i], port) == 0) /* that one is its own */
                fail_msg("port %u, operation %u", port, tried[i]);
    for (uint32_t port = 0; port < 16; port++) {
        struct evtchn_bind_interdomain bind = {.remote_dom = 0, .remote_port = port};

        assert_true(ask(r, XEN_event_channel_op, EVTCHNOP_bind_interdomain, &bind, sizeof bind) < 0);
        bind.remote_dom = XEN_DOMID_SELF;
        assert_true(ask(r, XEN_event_channel_op, EVTCHNOP_bind_interdomain, &bind, sizeof bind) < 0);
    }
    for (uint32_t index = 0; index < HVM_NR_PARAMS + 8; index++) {
        struct xen_hvm_param param = {.domid = XEN_DOMID_SELF, .index = index, .value = gfn};
        const struct xen_hvm_param *got = memory_at(&r->domain.memory, 0x3000, sizeof *got);

        if (ask(r, XEN_hvm_op, HVMOP_get_param, &param, sizeof param) == 0)
            assert_int_not_equal(got->value, index == HVM_PARAM_CONSOLE_EVTCHN ? door->port : gfn);
        ask(r, XEN_hvm_op, HVMOP_set_param, &param, sizeof param); /* some are the guest's to set; none is ours */
    }
    for (uint32_t space = 0; space < 8; space++) {
        struct xen_add_to_physmap there = {.domid = XEN_DOMID_SELF, .space = space, .idx = 0, .gpfn = gfn};
        struct xen_add_to_physmap from = {.domid = XEN_DOMID_SELF, .space = space, .idx = gfn, .gpfn = 0x40};

        assert_true(ask(r, XEN_memory_op, XENMEM_add_to_physmap, &there, sizeof there) < 0);
        assert_true(ask(r, XEN_memory_op, XENMEM_add_to_physmap, &from, sizeof from) < 0);
    }
    assert_null(memory_at(&r->domain.memory, gfn * XEN_PAGE_BYTES, 1)); /* nor is it in its memory */
    assert_int_equal(vc_events_look(&r->domain.events, door->port, &binding), VC_OK);
    assert_ptr_equal(binding.door, &door->to);
    assert_memory_equal(door->console.memory.base, before, sizeof before);
    out(r, COM1, 'y');
    said(r, 1, "xy");
}

/* In a line without wait words each change is told. */
static void each_change_is_told(void **state)
{
    struct rig *r = *state;
    uint64_t count;

    for (unsigned i = 0; i < 3; i++) {
        const int fd = r->domain.doors[1]->console.memory.fds[VC_LINK_FD_OUT_BYTES];

        line_unkick(fd);
        out(r, COM1, 'x');
        uv_sleep(1); /* kicks may be handed to a thread or the kernel */
        for (unsigned wait = 0; read(fd, &count, sizeof count) != sizeof count && wait < 10000; wait++)
            uv_sleep(1);
        assert_true(count >= 1);
        count = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_has_a_line_of_its_own, make, unmake),
        cmocka_unit_test_setup_teardown(ports_that_are_none, make, unmake),
        cmocka_unit_test_setup_teardown(wide_accesses, make, unmake),
        cmocka_unit_test_setup_teardown(input_comes_whole_and_in_order, make, unmake),
        cmocka_unit_test_setup_teardown(a_break_comes_where_it_was_sent, make, unmake),
        cmocka_unit_test_setup_teardown(a_byte_alone_is_told_by_the_loop, make, unmake),
        cmocka_unit_test_setup_teardown(a_guest_that_polls_needs_no_loop, make, unmake),
        cmocka_unit_test_setup_teardown(a_full_line_is_a_full_uart, make, unmake),
        cmocka_unit_test_setup_teardown(nobody_waits_longer_than_hold, make_held_for_a_moment, unmake),
        cmocka_unit_test_setup_teardown(each_has_a_line_of_its_own, make_rings, unmake),
        cmocka_unit_test_setup_teardown(input_comes_whole_and_in_order, make_rings, unmake),
        cmocka_unit_test_setup_teardown(a_break_comes_where_it_was_sent, make_rings, unmake),
        cmocka_unit_test_setup_teardown(a_full_line_is_a_full_uart, make_rings, unmake),
        cmocka_unit_test_setup_teardown(nobody_waits_longer_than_hold, make_rings_held_for_a_moment, unmake),
        cmocka_unit_test_setup_teardown(a_uart_goes_on_where_it_was, make_rings, unmake),
        cmocka_unit_test_setup_teardown(ports_of_rings_are_nobodys, make_rings, unmake),
        cmocka_unit_test_setup_teardown(all_that_a_guest_can_try, make_rings, unmake),
        cmocka_unit_test_setup_teardown(each_change_is_told, make_rings, unmake),
        cmocka_unit_test_setup_teardown(a_uart_goes_on_where_it_was, make, unmake),
        cmocka_unit_test_setup_teardown(states_of_something_else_are_refused, make, unmake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
