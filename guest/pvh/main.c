/* SPDX-License-Identifier: MIT */
#include "cpus.h"
#include "debug_port.h"
#include "mode.h"
#include "start_info.h"
#include "uarts.h"
#include "virtios.h"
#include "x86.h"
#include <string.h>

#define MAPPED_END  UINT64_C(0x100000000) /* entry.S maps so much, one to one */
#define STUB_BYTES  32u
#define N_STUBS     128u
#define CPUID_FIRST 0x40000000u /* where a hypervisor's leaves may begin, in steps */
#define CPUID_LAST  0x4000ff00u
#define CPUID_STEP  0x100u
#define DEBUG_EXIT  0x501u /* QEMU's isa-debug-exit, where there is no hypervisor to ask */

extern uint8_t pvh_hypercall_page[N_STUBS * STUB_BYTES];
void pvh_main(uint32_t start_info);

static bool is_filled(void)
{
    uint32_t first;

    memcpy(&first, pvh_hypercall_page, sizeof first);
    return first != MODE_UNFILLED;
}

/* Xen's leaves: their base, or 0 (Xen ABI 8.5). */
static uint32_t find_xen(void)
{
    for (uint32_t base = CPUID_FIRST; base <= CPUID_LAST; base += CPUID_STEP) {
        struct cpuid c = x86_cpuid(base);

        if (c.b == 0x566e6558 && c.c == 0x65584d4d && c.d == 0x4d4d566e) /* "XenVMMXenVMM" */
            return c.a - base >= 2 && c.a - base < CPUID_STEP ? base : 0;
    }
    return 0;
}

/* The page, filled by whoever loaded this kernel and knows the note, or by Xen at our asking; false: no hypervisor. */
static bool set_up_hypercalls(uint32_t base)
{
    if (base != 0 && !is_filled()) {
        struct cpuid c = x86_cpuid(base + 2);

        if (c.a >= 1) /* pages it wants to fill */
            x86_wrmsr(c.b, guest_address(pvh_hypercall_page));
    }
    return is_filled();
}

/* A real Xen has no call for the time: it is in vcpu_info. */
static int64_t time_of(const struct pvh_cpu *c)
{
    const struct events_cpu *e = c->cpu != NULL ? &c->cpu->events : NULL;
    uint64_t now = e != NULL && e->info != NULL ? shared_info_time(e->events->layout, e->info, x86_tsc) : 0;

    return now > 0 ? (int64_t)now : -XEN_ENOSYS;
}

static int64_t pvh_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    uint64_t stub = nr == VC_CALL_TIME ? VC_CALL_TIME_STUB : nr;
    struct pvh_cpu *c = ctx;
    int64_t result = -XEN_ENOSYS;

    if (stub < N_STUBS && (nr != VC_CALL_TIME || MODE_TIME_FITS))
        result = mode_call(pvh_hypercall_page + stub * STUB_BYTES, a0, a1, a2);
    if (nr == VC_CALL_TIME && result < 0)
        result = time_of(c);
    if (c->looks)
        events_look(&c->cpu->events);
    return result;
}

static void *pvh_map(void *ctx, uint64_t gpa, size_t bytes)
{
    (void)ctx;
    return gpa < MAPPED_END && bytes <= MAPPED_END - gpa ? (void *)(uintptr_t)gpa : NULL;
}

static uint64_t pvh_gpa(void *ctx, const void *at)
{
    (void)ctx;
    return (uintptr_t)at; /* one to one */
}

static void halt(uint32_t reason)
{
    x86_outl(DEBUG_EXIT, reason); /* QEMU's status is then 2 * reason + 1 */
    for (;;)
        x86_halt();
}

void pvh_main(uint32_t start_info)
{
    static struct tiny tiny;
    static struct start_info info;
    static struct debug_port debug_port;
    static struct platform platform = {.hypercall = pvh_hypercall, .map = pvh_map, .gpa = pvh_gpa};
    static struct tiny_machine machine = {.platform = &platform,
                                          .name = MODE_NAME,
                                          .cmdline = info.cmdline,
                                          .debug = &debug_port.hvc,
                                          .cpu_ops = &pvh_cpu_ops,
                                          .uarts = pvh_uart_places,
                                          .n_uarts = PVH_UARTS,
                                          .first_uart = PVH_UARTS,
                                          .uart_interrupts = pvh_uart_interrupts,
                                          .virtio_interrupts = pvh_virtio_interrupts,
                                          .wait = pvh_wait,
                                          .halt = halt};
    uint32_t xen_base = find_xen();

    platform.ctx = pvh_cpu_of(0);
    machine.hypervisor = set_up_hypercalls(xen_base);
    platform.wait = machine.hypervisor ? NULL : pvh_wait;
    pvh_cpus_init(xen_base);
    debug_port_init(&debug_port, &platform);
    start_info_read(&info, &platform, start_info);
    machine.ram_bytes = info.ram_bytes;
    machine.virtio = pvh_virtio_places(info.cmdline, machine.hypervisor, &machine.n_virtio);
    tiny_main(&tiny, &machine);
}
