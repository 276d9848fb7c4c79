/* SPDX-License-Identifier: MIT */
/*
 * cpus.h: the vCPUs of a PVH kernel: stacks, the upcall's interrupt, starting them.
 *
 * Spec:  VCPUOP_initialise and VCPUOP_up of public/vcpu.h; the upcall by a vector of each vCPU, through its local APIC
 *        and acknowledged there, or by one vector for all, which is not (Xen ABI 6.4, 8.4); where neither is to be had
 *        a vCPU looks by itself.
 * Owner: one struct pvh_cpu and one stack for each vCPU, here and for good.
 * Lock:  as tiny_cpus.h says.
 */
#ifndef GUEST_PVH_CPUS_H
#define GUEST_PVH_CPUS_H
#include "boot.h"
#include "tiny.h"

struct pvh_cpu {
    struct tiny_cpu *cpu;
    bool looks;   /* no interrupt tells it of upcalls */
    bool has_eoi; /* each interrupt is acknowledged at the local APIC */
};

extern const struct tiny_cpu_ops pvh_cpu_ops;
/* Before all: xen_base is the first of Xen's CPUID leaves, or 0 if the hypercall page is all that is known. */
void pvh_cpus_init(uint32_t xen_base);
/* Interrupts of this vCPU come to entry, with the others. */
void pvh_take_vector(uint32_t vector, void (*entry)(void));
/* This vCPU's local APIC is on; and ends the interrupt that is being handled. */
void pvh_apic_begin(void);
void pvh_apic_end(void);
/* … and hands on what the interrupt controllers of old say. */
void pvh_apic_on(void);
/* The sleep of a way by interrupt, with interrupts off; after pvh_rouse, since the last sleep, none. */
void pvh_sleep(void);
void pvh_rouse(void);
/* The context of platform functions of a vCPU. */
struct pvh_cpu *pvh_cpu_of(uint32_t vcpu);

/* entry.S */
void pvh_secondary_entry(void);
void pvh_upcall_entry(void);
void pvh_spurious_entry(void);
void pvh_uart_entry(void);
void pvh_virtio_entry(void);
extern uint8_t pvh_page_tables[];
/* Called by entry.S. pvh_uart_interrupt: uarts.c; pvh_virtio_interrupt: virtios.c. */
void pvh_uart_interrupt(struct pvh_cpu *cpu);
void pvh_virtio_interrupt(struct pvh_cpu *cpu);
void pvh_upcall(struct pvh_cpu *cpu);
_Noreturn void pvh_secondary_main(struct pvh_cpu *cpu);

#endif
