/* SPDX-License-Identifier: MIT */
#include "cpus.h"
#include "mode.h"
#include "x86.h"

#define APIC          UINT64_C(0xfee00000)
#define APIC_EOI      0xb0u
#define APIC_SPURIOUS 0xf0u
#define APIC_LINT0    0x350u
#define APIC_ENABLE   0x100u
#define APIC_EXTINT   0x700u
#define N_VECTORS     256u
#define FEATURES_LEAF 4u

union stack {
    struct pvh_cpu *cpu; /* entry.S finds it there */
    uint8_t bytes[STACK_BYTES];
};
_Alignas(STACK_BYTES) union stack pvh_stacks[TINY_CPUS]; /* vCPU 0's is the first */

static struct pvh_cpu cpus[TINY_CPUS];
static struct mode_gate gates[N_VECTORS]; /* all others absent: a fault ends in a triple fault */
static bool vector_of_each, vector_of_all;
static bool roused; /* by an interrupt that is no upcall; touched on vCPU 0 alone */

struct pvh_cpu *pvh_cpu_of(uint32_t vcpu) { return &cpus[vcpu]; }

static void apic_write(uint32_t offset, uint32_t value) { *(volatile uint32_t *)(uintptr_t)(APIC + offset) = value; }

void pvh_cpus_init(uint32_t xen_base)
{
    gates[UPCALL_VECTOR] = mode_gate((uintptr_t)pvh_upcall_entry);
    gates[SPURIOUS_VECTOR] = mode_gate((uintptr_t)pvh_spurious_entry);
    if (xen_base != 0 && x86_cpuid(xen_base).a - xen_base >= FEATURES_LEAF)
        vector_of_each = (x86_cpuid(xen_base + FEATURES_LEAF).a & XEN_HVM_CPUID_UPCALL_VECTOR) != 0;
    for (uint32_t i = 0; i < TINY_CPUS; i++)
        pvh_stacks[i].cpu = &cpus[i];
}

void pvh_take_vector(uint32_t vector, void (*entry)(void))
{
    gates[vector] = mode_gate((uintptr_t)entry);
    x86_load_gates(gates, sizeof gates);
}

void pvh_apic_begin(void) { apic_write(APIC_SPURIOUS, APIC_ENABLE | SPURIOUS_VECTOR); }
void pvh_apic_end(void) { apic_write(APIC_EOI, 0); }

void pvh_apic_on(void)
{
    pvh_apic_begin();
    apic_write(APIC_LINT0, APIC_EXTINT);
}

void pvh_rouse(void) { roused = true; }

void pvh_sleep(void)
{
    if (!__atomic_exchange_n(&roused, false, __ATOMIC_RELAXED))
        x86_halt_until_interrupt();
}

/* ---- Upcalls by interrupt. ---- */

static bool interrupts_off(void *ctx)
{
    (void)ctx;
    return x86_interrupts_off();
}

static void interrupts_on(void *ctx)
{
    (void)ctx;
    x86_interrupts_on();
}

static void halt_until_interrupt(void *ctx, const uint32_t *ports, uint32_t n)
{
    (void)ports, (void)n;
    if (ctx == &cpus[0]) /* the only one with other interrupts than upcalls */
        pvh_sleep();
    else
        x86_halt_until_interrupt();
}

static const struct events_way by_interrupt = {"interrupt", interrupts_off, interrupts_on, halt_until_interrupt, true};

void pvh_upcall(struct pvh_cpu *cpu)
{
    if (cpu->has_eoi) /* first: what becomes due from now on interrupts again */
        apic_write(APIC_EOI, 0);
    events_upcall(&cpu->cpu->events);
}

static bool set_vector_of_this(const struct tiny_cpu *cpu)
{
    struct xen_hvm_evtchn_upcall_vector call = {.vcpu = cpu->id, .vector = UPCALL_VECTOR};
    const struct platform *p = &cpu->platform;

    apic_write(APIC_SPURIOUS, APIC_ENABLE | SPURIOUS_VECTOR); /* before: what comes while it is off is dropped */
    return p->hypercall(p->ctx, XEN_hvm_op, HVMOP_set_evtchn_upcall_vector, guest_address(&call), 0) == 0;
}

/* The domain's, by its first vCPU; the others find it set. */
static bool set_vector_of_all(const struct tiny_cpu *cpu)
{
    struct xen_hvm_param param = {.domid = XEN_DOMID_SELF,
                                  .index = HVM_PARAM_CALLBACK_IRQ,
                                  .value = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | UPCALL_VECTOR};
    const struct platform *p = &cpu->platform;

    if (!vector_of_all)
        vector_of_all = p->hypercall(p->ctx, XEN_hvm_op, HVMOP_set_param, guest_address(&param), 0) == 0;
    return vector_of_all;
}

static void set_up_interrupts(struct tiny_cpu *cpu)
{
    struct pvh_cpu *c = &cpus[cpu->id];

    x86_load_gates(gates, sizeof gates);
    c->has_eoi = vector_of_each && set_vector_of_this(cpu);
    c->looks = !c->has_eoi && !set_vector_of_all(cpu);
    if (!c->looks)
        events_cpu_way(&cpu->events, &by_interrupt, c);
}

/* ---- Starting. ---- */

static void prepare(struct tiny_cpu *cpu)
{
    cpus[cpu->id].cpu = cpu;
    cpu->platform = cpu->tiny->cpus[0].platform;
    cpu->platform.ctx = &cpus[cpu->id];
    cpu->platform.wait_ctx = &cpu->events;
}

_Noreturn void pvh_secondary_main(struct pvh_cpu *cpu) { tiny_cpu_main(cpu->cpu); }

static int64_t start(struct tiny_cpu *cpu)
{
    struct vcpu_hvm_context context =
        mode_context((uintptr_t)pvh_secondary_entry, (uintptr_t)&pvh_stacks[cpu->id + 1], (uintptr_t)pvh_page_tables);
    const struct platform *p = &cpu->tiny->cpus[0].platform;
    int64_t error = p->hypercall(p->ctx, XEN_vcpu_op, VCPUOP_initialise, cpu->id, guest_address(&context));

    return error == 0 ? p->hypercall(p->ctx, XEN_vcpu_op, VCPUOP_up, cpu->id, 0) : error;
}

const struct tiny_cpu_ops pvh_cpu_ops = {prepare, start, set_up_interrupts};
