/* SPDX-License-Identifier: MIT */
#include "machine.h"
#include "arm64.h"
#include "pages.h"
#include "xen.h"

#define NS_IN_S       UINT64_C(1000000000)
#define EVENT_STREAM  0xf4u /* CNTKCTL_EL1: an event each 2^16 counts */
#define PSCI_CPU_ON   UINT64_C(0xc4000003)
#define PSCI_CPU_OFF  UINT64_C(0x84000002)
#define PSCI_AFFINITY UINT64_C(0xc4000004)
#define PSCI_IS_OFF   1
#define TRIAL_NS      (10 * NS_IN_S)
#define PSCI_OFF      UINT64_C(0x84000008)
#define PSCI_RESET    UINT64_C(0x84000009)
#define CNTKCTL_EL1   "cntkctl_el1"

union stack {
    struct arm64_cpu *cpu; /* entry.S finds it there */
    uint8_t bytes[STACK_BYTES];
};
extern union stack arm64_stacks[];
_Alignas(STACK_BYTES) union stack arm64_stacks[TINY_CPUS]; /* vCPU 0's is the first */

static struct arm64_cpu cpus[TINY_CPUS];
static const struct tree *tree;
static enum { NOBODY, DOORBELL, XEN } hypervisor;
static uint64_t time_ahead_ns; /* of the hypervisor's clock */
static uint64_t counted_ns(void);

struct arm64_cpu *arm64_cpu_of(uint32_t vcpu) { return &cpus[vcpu]; }

bool arm64_machine_begin(const struct tree *t)
{
    tree = t;
    ARM64_WRITE(CNTKCTL_EL1, EVENT_STREAM);
    for (uint32_t i = 0; i < TINY_CPUS; i++)
        arm64_stacks[i].cpu = &cpus[i];
    if (t->doorbell != 0 && mmio_read32(t->doorbell + VC_DOORBELL_MAGIC) == VC_DOORBELL_MAGIC_VALUE &&
        mmio_read32(t->doorbell + VC_DOORBELL_VERSION) == VC_DOORBELL_VERSION_1)
        hypervisor = DOORBELL;
    else if (t->xen)
        hypervisor = XEN;
    if (hypervisor == XEN)
        time_ahead_ns = arm64_xen_time_ahead_ns(counted_ns);
    return hypervisor != NOBODY;
}

/* ---- Calls. ---- */

static uint64_t counted_ns(void)
{
    uint64_t hz = ARM64_READ("cntfrq_el0") & UINT32_MAX, count;

    if (hz == 0)
        return 0; /* whoever started this machine has not said how fast it counts */
    __asm__ volatile("isb" : : : "memory");
    count = ARM64_READ("cntvct_el0");
    return count / hz * NS_IN_S + count % hz * NS_IN_S / hz;
}

static int64_t ring(struct arm64_cpu *c, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    c->call = (struct vc_doorbell_call){.nr = nr, .args = {a0, a1, a2}, .result = -XEN_ENOSYS};
    arm64_barrier(); /* the block, before the device is told of it */
    mmio_write64(tree->doorbell + VC_DOORBELL_CALL, guest_address(&c->call));
    arm64_barrier();
    return *(volatile int64_t *)&c->call.result;
}

static void poll_until(uint64_t until_ns)
{
    do
        arm64_wait_for_event();
    while (until_ns != 0 && counted_ns() < until_ns);
}

static int64_t psci(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
    return tree->psci == TREE_PSCI_SMC ? arm64_smc(function, a1, a2, a3) : arm64_hvc(function, a1, a2, a3);
}

/* What a kernel needs of a hypervisor that it has not: time, and to let it pass. */
static int64_t by_oneself(uint64_t nr, uint64_t a0, uint64_t a1)
{
    if (nr == XEN_sched_op && a0 == SCHEDOP_poll && ((const struct sched_poll *)(uintptr_t)a1)->nr_ports == 0) {
        poll_until(((const struct sched_poll *)(uintptr_t)a1)->timeout);
        return 0;
    }
    if (nr == XEN_sched_op && a0 == SCHEDOP_yield)
        __asm__ volatile("yield");
    return -XEN_ENOSYS;
}

/* On Arm Xen says nothing of its vCPUs: they are PSCI's. */
static int64_t ask_xen(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    if (nr == VC_CALL_TIME)
        return -XEN_ENOSYS;
    if (nr == XEN_vcpu_op && a0 == VCPUOP_is_up)
        return a1 < tree->n_cpus ? psci(PSCI_AFFINITY, tree->cpus[a1], 0, 0) != PSCI_IS_OFF : -XEN_ENOENT;
    return arm64_xen_call(nr, a0, a1, a2);
}

static int64_t ask(struct arm64_cpu *c, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    switch (hypervisor) {
    case DOORBELL: return ring(c, nr, a0, a1, a2);
    case XEN: return ask_xen(nr, a0, a1, a2);
    default: return by_oneself(nr, a0, a1);
    }
}

int64_t arm64_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct arm64_cpu *c = ctx;
    int64_t result = ask(c, nr, a0, a1, a2);

    if (nr == VC_CALL_TIME && result < 0 && counted_ns() != 0)
        result = (int64_t)(counted_ns() + time_ahead_ns);
    if (c->has_upcalls)
        events_look(&c->cpu->events); /* nothing interrupts for them (wire/doorbell.h) */
    return result;
}

/* ---- vCPUs. ---- */

void arm64_halt(uint32_t reason)
{
    if (tree->psci != TREE_NO_PSCI)
        psci(reason == SHUTDOWN_reboot ? PSCI_RESET : PSCI_OFF, 0, 0, 0);
    arm64_interrupts_off();
    for (;;)
        arm64_wait_for_interrupt();
}

static void prepare(struct tiny_cpu *cpu)
{
    cpus[cpu->id].cpu = cpu;
    cpu->platform = cpu->tiny->cpus[0].platform;
    cpu->platform.ctx = &cpus[cpu->id];
    cpu->platform.wait_ctx = &cpu->events;
}

_Noreturn void arm64_secondary_main(struct arm64_cpu *cpu)
{
    if (vc_load_acquire(&cpu->trial) != ARM64_TRIAL)
        tiny_cpu_main(cpu->cpu);
    vc_store_release(&cpu->trial, ARM64_TRIED); /* pairs with comes_and_goes */
    psci(PSCI_CPU_OFF, 0, 0, 0);
    for (;;)
        arm64_wait_for_interrupt();
}

static int64_t switch_on(uint32_t id)
{
    if (id >= tree->n_cpus || tree->psci == TREE_NO_PSCI)
        return -XEN_ENOENT;
    return psci(PSCI_CPU_ON, tree->cpus[id], guest_address((const void *)(uintptr_t)arm64_secondary_entry),
                guest_address(&arm64_stacks[id + 1])) == 0
               ? 0
               : -XEN_EINVAL;
}

static int64_t start(struct tiny_cpu *cpu) { return switch_on(cpu->id); }

static bool comes_and_goes(uint32_t id)
{
    uint64_t began = counted_ns();

    vc_store_release(&cpus[id].trial, ARM64_TRIAL); /* pairs with arm64_secondary_main */
    if (switch_on(id) != 0)
        return false;
    while (vc_load_acquire(&cpus[id].trial) != ARM64_TRIED || psci(PSCI_AFFINITY, tree->cpus[id], 0, 0) != PSCI_IS_OFF)
        if (counted_ns() - began > TRIAL_NS)
            return false;
    vc_store_release(&cpus[id].trial, ARM64_NO_TRIAL);
    return true;
}

/* Those that do not run yet. */
static bool others_come_and_go(struct tiny_console *c)
{
    for (uint32_t id = c->tiny->n_cpus; id < tree->n_cpus; id++)
        if (!comes_and_goes(id))
            return false;
    return true;
}

const struct tiny_check arm64_checks[] = {
    {"other vCPUs start and stop by PSCI", others_come_and_go},
    {NULL, NULL},
};

static void upcalls(struct tiny_cpu *cpu)
{
    if (hypervisor == XEN && arm64_xen_upcalls(tree, &cpus[cpu->id]))
        return;
    cpus[cpu->id].has_upcalls = true;
    events_cpu_way(&cpu->events, hypervisor == XEN ? &events_by_poll : &events_by_block, &cpu->events);
}

const struct tiny_cpu_ops arm64_cpu_ops = {prepare, start, upcalls};
