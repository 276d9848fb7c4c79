/* SPDX-License-Identifier: MIT */
/*
 * A guest of the process engine that breaks every rule it can reach. The first word of its command line says which. What it may
 * still do after that must be what any guest may: print, and end.
 *
 * Freestanding, as tiny is; it maps what it inherits, and does without moving into its RAM.
 */
#include <stddef.h>
#include <stdint.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/pvh.h>
#include <vcons/wire/xen.h>
#include <vcons/wire/xencons.h>

enum {
    SYS_read = 0,
    SYS_write = 1,
    SYS_open = 2,
    SYS_mmap = 9,
    SYS_socket = 41,
    SYS_fork = 57,
    SYS_execve = 59,
    SYS_kill = 62,
    SYS_ptrace = 101,
    SYS_futex = 202,
    SYS_exit_group = 231,
    SYS_prlimit64 = 302
};

static struct vc_call_page *page;
static uint8_t *ram;
static uint64_t seed = 88172645463325252u;

static long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "+a"(nr)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return nr;
}

static uint64_t dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void post(uint64_t nr, const uint64_t args[6])
{
    page->nr = nr;
    for (int i = 0; i < 6; i++)
        page->args[i] = args[i];
    __atomic_store_n(&page->state, VC_CALL_POSTED, __ATOMIC_SEQ_CST);
    sys6(SYS_futex, (long)&page->state, 1, 1, 0, 0, 0);
}

static int64_t call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t args[6] = {a, b, c, 0, 0, 0};

    post(nr, args);
    while (__atomic_load_n(&page->state, __ATOMIC_SEQ_CST) != VC_CALL_DONE)
        sys6(SYS_futex, (long)&page->state, 0, VC_CALL_POSTED, 0, 0, 0);
    __atomic_store_n(&page->state, VC_CALL_IDLE, __ATOMIC_SEQ_CST);
    return page->result;
}

/* Everything a call points at must lie in RAM. */
static void print(const char *text)
{
    size_t n = 0;

    while (text[n] != '\0') {
        ram[0x2000 + n] = (uint8_t)text[n];
        n++;
    }
    call(XEN_console_io, CONSOLEIO_write, n, VC_CALL_RAM_BASE + 0x2000);
}

static void power_off(void)
{
    print("survived\n");
    *(uint32_t *)(ram + 0x1000) = SHUTDOWN_poweroff;
    call(XEN_sched_op, SCHEDOP_shutdown, VC_CALL_RAM_BASE + 0x1000, 0);
    sys6(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

static uint64_t some_address(void)
{
    switch (dice() % 6) {
    case 0: return dice();
    case 1: return VC_CALL_RAM_BASE - dice() % 16;
    case 2: return VC_CALL_RAM_BASE + page->ram_bytes - dice() % 4096;
    case 3: return UINT64_MAX - dice() % 4096;
    case 4: return 0;
    default: return VC_CALL_RAM_BASE + dice() % page->ram_bytes;
    }
}

/* Numbers, commands, sizes and pointers at random; but for what ends or waits. */
static void calls(void)
{
    static const uint64_t numbers[] = {XEN_console_io, XEN_console_io, XEN_event_channel_op, XEN_hvm_op, XEN_sched_op,
                                       XEN_memory_op,  VC_CALL_READY,  VC_CALL_TIME,         UINT64_MAX};

    for (int i = 0; i < 30000; i++) {
        uint64_t nr = numbers[dice() % (sizeof numbers / sizeof numbers[0])];
        uint64_t cmd = nr == XEN_sched_op ? dice() % 2 : dice() % 16 == 0 ? dice() : dice() % 12;
        uint64_t b = some_address(), c = some_address();

        if (nr == XEN_console_io) /* a size that keeps the log small, or one that cannot be in RAM */
            b = dice() % 8 == 0 ? dice() % 200 : dice() | 0x80000000u;
        if (nr == XEN_console_io && cmd == CONSOLEIO_write && (uint32_t)b > page->ram_bytes)
            c = VC_CALL_RAM_BASE + page->ram_bytes - 64;
        call(nr, cmd, b, c);
    }
    *(struct sched_poll *)(ram + 0x1000) = (struct sched_poll){.ports = some_address(), .nr_ports = UINT32_MAX};
    call(XEN_sched_op, SCHEDOP_poll, VC_CALL_RAM_BASE + 0x1000, 0);
    call(XEN_sched_op, SCHEDOP_poll, UINT64_MAX - 3, 0);
}

/* Arguments that are there and nearly right: small numbers, oneself, places within RAM. */
static void fill_argument(uint8_t *at)
{
    for (int i = 0; i < 16; i++) {
        uint64_t word = dice() % 8;

        switch (dice() % 4) {
        case 0: word |= XEN_DOMID_SELF | dice() % 3 << 32; break;
        case 1: word = dice() % (page->ram_bytes / XEN_PAGE_BYTES + 2); break;
        case 2: word |= dice() % 40 << 32; break;
        default: break;
        }
        *(uint64_t *)(at + 8 * i) = dice() % 16 == 0 ? dice() : word;
    }
}

/* Deeper: shared_info and grant frames anywhere, vCPUs, ports, areas, timers; all but what ends it, or sleeps for good. */
static void near_calls(void)
{
    static const uint64_t numbers[] = {XEN_event_channel_op, XEN_event_channel_op, XEN_vcpu_op,        XEN_vcpu_op,
                                       XEN_memory_op,        XEN_hvm_op,           XEN_grant_table_op, XEN_xen_version,
                                       XEN_vm_assist,        XEN_set_timer_op,     XEN_console_io};

    for (int i = 0; i < 60000; i++) {
        uint64_t nr = numbers[dice() % (sizeof numbers / sizeof numbers[0])], cmd = dice() % 16;
        uint64_t argument = VC_CALL_RAM_BASE + 0x4000 + (dice() % 4 == 0 ? dice() % 4096 : 0);

        fill_argument(ram + (argument - VC_CALL_RAM_BASE));
        if (nr == XEN_hvm_op)
            cmd = dice() % 24;
        if (nr == XEN_vcpu_op && cmd == VCPUOP_down)
            continue;
        if (nr == XEN_vcpu_op)
            call(nr, cmd, dice() % 4, argument);
        else if (nr == XEN_console_io)
            call(nr, CONSOLEIO_read, dice() % 100, argument);
        else
            call(nr, cmd, argument, dice() % 3);
    }
}

/* The call page itself: states that are none, posts nobody waits for, arguments that change while they are served. */
static void flips(void)
{
    for (int i = 0; i < 200000; i++) {
        const uint64_t args[6] = {dice() % 4, dice() % 64, some_address(), 0, 0, 0};

        post(i % 3 == 0 ? (uint64_t)VC_CALL_TIME : (uint64_t)XEN_console_io, args);
        page->args[1] = dice();
        page->nr = dice() % 40 == XEN_sched_op ? 0 : dice() % 28;
        __atomic_store_n(&page->state, (uint32_t)(dice() % 5), __ATOMIC_SEQ_CST);
        page->version = page->n_vcpus = (uint32_t)dice();
        page->result = (int64_t)dice();
    }
    for (int i = 0; i < 1000; i++) /* let a post that is still served come to its end */
        call(VC_CALL_TIME, 0, 0, 0);
}

static uint64_t param(uint32_t index)
{
    struct xen_hvm_param *p = (struct xen_hvm_param *)(ram + 0x1000);

    *p = (struct xen_hvm_param){.domid = XEN_DOMID_SELF, .index = index};
    call(XEN_hvm_op, HVMOP_get_param, VC_CALL_RAM_BASE + 0x1000, 0);
    return p->value;
}

/* The console page: indices of any value, changing all the time, with an event after each. */
static void ring(void)
{
    struct xencons_interface *console =
        (struct xencons_interface *)(ram + param(HVM_PARAM_CONSOLE_PFN) * XEN_PAGE_BYTES);
    uint32_t port = (uint32_t)param(HVM_PARAM_CONSOLE_EVTCHN);

    for (int i = 0; i < 20000; i++) {
        console->out_prod = (uint32_t)dice();
        console->out_cons = (uint32_t)dice();
        console->in_cons = (uint32_t)dice();
        console->in_prod = (uint32_t)dice();
        console->connection = (uint8_t)dice();
        *(uint32_t *)(ram + 0x1000) = i % 10 == 0 ? (uint32_t)dice() : port;
        call(XEN_event_channel_op, EVTCHNOP_send, VC_CALL_RAM_BASE + 0x1000, 0);
    }
    *console = (struct xencons_interface){.connection = XENCONSOLE_DISCONNECTED};
}

static void storm(void)
{
    *(uint32_t *)(ram + 0x1000) = 1;
    for (int i = 0; i < 200000; i++)
        call(XEN_event_channel_op, EVTCHNOP_send, VC_CALL_RAM_BASE + 0x1000, 0);
}

static const char *command_line(void)
{
    const struct hvm_start_info *info = (const void *)(ram + page->start_info);

    return (const char *)ram + info->cmdline_paddr;
}

_Noreturn void rule_breaker_main(void);

__attribute__((used)) _Noreturn void rule_breaker_main(void)
{
    char what;

    page = (struct vc_call_page *)sys6(SYS_mmap, 0, VC_CALL_PAGE_BYTES, 3, 1, VC_CALL_FD_PAGES, 0);
    ram = (uint8_t *)sys6(SYS_mmap, (long)VC_CALL_RAM_BASE, (long)page->ram_bytes, 3, 0x11, VC_CALL_FD_RAM, 0);
    what = command_line()[0];
    if (what != 'n')
        call(VC_CALL_READY, 0, 0, 0);
    switch (what) {
    case 'n': print("not ready"); break;
    case 'x': sys6(SYS_exit_group, 3, 0, 0, 0, 0, 0); break;
    case 's': *(volatile uint32_t *)8 = 1; break;
    case 'o': sys6(SYS_open, (long)"/etc/passwd", 0, 0, 0, 0, 0); break;
    case 'e': sys6(SYS_execve, (long)"/bin/sh", 0, 0, 0, 0, 0); break;
    case 'k': sys6(SYS_fork, 0, 0, 0, 0, 0, 0); break;
    case 't': sys6(SYS_socket, 1, 1, 0, 0, 0, 0); break;
    case 'p': sys6(SYS_ptrace, 0, 0, 0, 0, 0, 0); break;
    case 'q': sys6(SYS_kill, -1, 9, 0, 0, 0, 0); break;
    case 'u': sys6(SYS_prlimit64, 1, 0, 0, 0, 0, 0); break; /* of a process that is not this one */
    case 'c': calls(); break;
    case 'd': near_calls(); break;
    case 'f': flips(); break;
    case 'r': ring(); break;
    case 'v': storm(); break;
    case 'l':
        for (;;) /* never calls, never ends */
            ;
    default: break;
    }
    power_off();
    sys6(SYS_exit_group, 99, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

__asm__(".globl _start\n_start: and $-16, %rsp\n call rule_breaker_main\n");
