/* SPDX-License-Identifier: MIT */
#include "xen.h"
#include "arm64.h"
#include "gic.h"
#include <vcons/wire/shared_info.h>

int64_t arm64_xen_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    register uint64_t x0 __asm__("x0") = a0;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = 0;
    register uint64_t x4 __asm__("x4") = 0;
    register uint64_t x16 __asm__("x16") = nr;

    __asm__ volatile("hvc #0xea1" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x16) : : "memory");
    return (int64_t)x0;
}

/*
 * On Arm no vcpu_time_info is kept up, and the counter begins with the domain. But Xen notes when a vCPU was last given a
 * processor, and a poll for a time that has passed has it given one now.
 */
uint64_t arm64_xen_time_ahead_ns(uint64_t (*counted_ns)(void))
{
    static _Alignas(64) struct vcpu_runstate_info area; /* in one page, as Xen wants it */
    struct vcpu_register_area call = {guest_address(&area)};
    struct sched_poll poll = {.timeout = 1};
    uint64_t began, now;

    if (arm64_xen_call(XEN_vcpu_op, VCPUOP_register_runstate_memory_area, 0, guest_address(&call)) != 0)
        return 0;
    arm64_xen_call(XEN_sched_op, SCHEDOP_poll, guest_address(&poll), 0);
    do {
        began = *(volatile uint64_t *)&area.state_entry_time;
        now = counted_ns();
    } while (began != *(volatile uint64_t *)&area.state_entry_time);
    return began > now ? began - now : 0;
}

static bool off(void *ctx)
{
    (void)ctx;
    return arm64_interrupts_off();
}

static void on(void *ctx)
{
    (void)ctx;
    arm64_interrupts_on();
}

static void sleep(void *ctx, const uint32_t *ports, uint32_t n)
{
    (void)ports, (void)n;
    if (ctx == arm64_cpu_of(0)) /* the only one with other interrupts than upcalls */
        arm64_sleep();
    else
        arm64_wait_for_interrupt();
    arm64_interrupts_on();
    arm64_interrupts_off();
}

static const struct events_way by_interrupt = {"interrupt", off, on, sleep, true};

bool arm64_xen_upcalls(const struct tree *t, struct arm64_cpu *cpu)
{
    bool ready = t->xen_ppi != 0 && (cpu == arm64_cpu_of(0) ? arm64_interrupts_begin() : gic_begin_cpu());

    if (!ready)
        return false;
    gic_enable_private(t->xen_ppi);
    events_cpu_way(&cpu->cpu->events, &by_interrupt, cpu);
    return true;
}
