/* SPDX-License-Identifier: MIT */
#include "tiny.h"
#include <string.h>

/* Each check says what must be so; the same list passes on every hypervisor that offers what it checks. */

static bool copies_are_exact(struct tiny_console *c)
{
    uint8_t from[96], to[96];

    (void)c;
    for (uint32_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i * 7);
    for (uint32_t n = 0; n <= 64; n++) {
        memset(to, 0xa5, sizeof to);
        memcpy(to + 3, from + 5, n);
        if (memcmp(to + 3, from + 5, n) != 0 || to[2] != 0xa5 || to[3 + n] != 0xa5)
            return false;
    }
    memmove(from + 1, from, 90);
    memmove(from, from + 1, 90);
    return from[0] == 0 && from[89] == (uint8_t)(89 * 7);
}

static bool crc_of_123456789(struct tiny_console *c)
{
    (void)c;
    return tiny_crc32(0, (const uint8_t *)"123456789", 9) == 0xcbf43926; /* the check value of CRC-32/ISO-HDLC */
}

static bool spew_counts_past_99(struct tiny_console *c)
{
    struct spew *spew = &c->tiny->spew;
    char line[SPEW_LINE_MAX];
    uint32_t n = 0;

    spew_init(spew, 6);
    for (uint32_t i = 0; i <= 100; i++)
        n = spew_line(spew, line);
    return n == 8 && memcmp(line, "100 kl\r\n", 8) == 0; /* 100 % 64 = 36: 'k' */
}

static bool time_goes_on(struct tiny_console *c)
{
    uint64_t before = hypercall_time(c->hvc->platform);

    return before == 0 ||
           (hvc_sleep(c->hvc->platform, 1000000) && hypercall_time(c->hvc->platform) >= before + 1000000);
}

static bool call(struct tiny_console *c, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, int64_t wanted)
{
    const struct platform *p = c->hvc->platform;

    return p->hypercall(p->ctx, nr, a0, a1, a2) == wanted;
}

static bool unknown_call_is_refused(struct tiny_console *c) { return call(c, 60, 0, 0, 0, -XEN_ENOSYS); }

static bool unknown_console_io_is_refused(struct tiny_console *c)
{
    return call(c, XEN_console_io, 77, 0, 0, -XEN_ENOSYS);
}

static bool write_of_nothing_is_taken(struct tiny_console *c)
{
    return call(c, XEN_console_io, CONSOLEIO_write, 0, guest_address(c->line), 0);
}

static bool wild_pointer_is_a_fault(struct tiny_console *c)
{
    return call(c, XEN_event_channel_op, EVTCHNOP_send, UINT64_MAX - 1, 0, -XEN_EFAULT);
}

static bool write_from_nowhere_is_a_fault(struct tiny_console *c)
{
    return call(c, XEN_console_io, CONSOLEIO_write, 4096, UINT64_MAX - 9, -XEN_EFAULT);
}

static bool read_of_2_gib_is_refused(struct tiny_console *c)
{
    return call(c, XEN_console_io, CONSOLEIO_read, UINT64_C(1) << 31, guest_address(c->line), -XEN_E2BIG);
}

static bool poll_of_129_ports_is_refused(struct tiny_console *c)
{
    return hypercall_poll(c->hvc->platform, NULL, 129, 0) == -XEN_EINVAL;
}

static bool poll_of_ports_nowhere_is_a_fault(struct tiny_console *c)
{
    const uint32_t *nowhere = (const uint32_t *)(UINTPTR_MAX - 7);

    return hypercall_poll(c->hvc->platform, nowhere, 128, 1) == -XEN_EFAULT;
}

static bool parameter_nowhere_is_a_fault(struct tiny_console *c)
{
    return call(c, XEN_hvm_op, HVMOP_get_param, UINT64_MAX, 0, -XEN_EFAULT);
}

static bool send_on_port_0_is_refused(struct tiny_console *c)
{
    return hypercall_notify(c->hvc->platform, 0) == -XEN_EINVAL;
}

static bool parameter_out_of_range_is_refused(struct tiny_console *c)
{
    uint64_t value;

    return hypercall_get_param(c->hvc->platform, HVM_NR_PARAMS, &value) == -XEN_EINVAL;
}

static bool console_parameters_hold(struct tiny_console *c)
{
    uint64_t port;

    return !c->tiny->has_xen || (hypercall_get_param(c->hvc->platform, HVM_PARAM_CONSOLE_EVTCHN, &port) == 0 &&
                                 port == c->tiny->xen.hvc.port);
}

static bool ring_is_legal(struct tiny_console *c) { return !c->tiny->has_xen || c->tiny->xen.violations == 0; }

/* A real Xen has no console_io for a domain of a toolstack. */
static bool has_console_io(struct tiny_console *c)
{
    return !call(c, XEN_console_io, CONSOLEIO_write, 0, guest_address(c->line), -XEN_EPERM);
}

static const struct tiny_check bare_checks[] = {
    {"copies are exact", copies_are_exact},
    {"CRC of 123456789", crc_of_123456789},
    {"spew counts past 99", spew_counts_past_99},
    {NULL, NULL},
};
static const struct tiny_check hypervisor_checks[] = {
    {"time goes on", time_goes_on},
    {"unknown hypercall is refused", unknown_call_is_refused},
    {"wild pointer is a fault", wild_pointer_is_a_fault},
    {"poll of 129 ports is refused", poll_of_129_ports_is_refused},
    {"poll of ports nowhere is a fault", poll_of_ports_nowhere_is_a_fault},
    {"parameter nowhere is a fault", parameter_nowhere_is_a_fault},
    {"send on port 0 is refused", send_on_port_0_is_refused},
    {"parameter out of range is refused", parameter_out_of_range_is_refused},
    {"console parameters hold", console_parameters_hold},
    {"ring is legal", ring_is_legal},
    {NULL, NULL},
};
static const struct tiny_check console_io_checks[] = {
    {"unknown console_io is refused", unknown_console_io_is_refused},
    {"write of nothing is taken", write_of_nothing_is_taken},
    {"write from nowhere is a fault", write_from_nowhere_is_a_fault},
    {"read of 2 GiB is refused", read_of_2_gib_is_refused},
    {NULL, NULL},
};

static void run_checks(struct tiny_console *c, const struct tiny_check *check, uint32_t n[2])
{
    for (; check->what != NULL; check++) {
        bool holds = check->holds(c);

        n[holds]++;
        print_text(&c->out, holds ? "ok " : "FAILED ");
        print_line(&c->out, check->what);
    }
}

void tiny_selftest(struct tiny_console *c)
{
    uint32_t n[2] = {0, 0}; /* failed, ok */

    run_checks(c, bare_checks, n);
    if (c->tiny->machine->checks != NULL)
        run_checks(c, c->tiny->machine->checks, n);
    if (c->tiny->machine->hypervisor) {
        run_checks(c, hypervisor_checks, n);
        if (has_console_io(c))
            run_checks(c, console_io_checks, n);
    }
    if (c->tiny->has_events)
        run_checks(c, tiny_event_checks, n);
    print_text(&c->out, "selftest: ");
    print_number(&c->out, n[1]);
    print_text(&c->out, " ok, ");
    print_number(&c->out, n[0]);
    print_line(&c->out, " failed");
}
