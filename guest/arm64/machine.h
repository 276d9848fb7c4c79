/* SPDX-License-Identifier: MIT */
/*
 * machine.h: an arm64 machine as the platform of tiny: hypercalls by the doorbell page or to a real Xen (xen.h), the counter, PSCI,
 *        vCPUs.
 *
 * Spec:  wire/doorbell.h; Arm DEN 0022 (PSCI) 5.1; Arm ARM D11 (generic timer).
 * Owner: one struct arm64_cpu and one stack for each vCPU, here and for good.
 * Lock:  as tiny_cpus.h says.
 */
#ifndef GUEST_ARM64_MACHINE_H
#define GUEST_ARM64_MACHINE_H
#include "boot.h"
#include "tiny.h"
#include "tree.h"
#include <vcons/wire/doorbell.h>

struct arm64_cpu { /* context of the platform functions of a vCPU */
    _Alignas(sizeof(struct vc_doorbell_call)) struct vc_doorbell_call call;
    struct tiny_cpu *cpu;
    bool has_upcalls;
    uint32_t trial; /* enum arm64_trial */
};
enum arm64_trial { ARM64_NO_TRIAL = 0, ARM64_TRIAL = 1, ARM64_TRIED = 2 };
struct arm64_cpu *arm64_cpu_of(uint32_t vcpu);
extern const struct tiny_cpu_ops arm64_cpu_ops;
extern const struct tiny_check arm64_checks[];

/* Before all. True: there is a hypervisor to call. */
bool arm64_machine_begin(const struct tree *t);
int64_t arm64_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2);
/* PSCI; does not return. */
void arm64_halt(uint32_t reason);

/* uarts.c: the tree's, as tiny has them; their interrupts; tiny_machine.wait. */
extern struct tiny_uart_place arm64_uart_places[TREE_UARTS];
void arm64_uarts_begin(const struct tree *t);
bool arm64_uart_interrupts(struct uart *u, uint32_t irq);
void arm64_wait(void *ctx, const uint32_t *ports, uint32_t n, uint64_t until_ns);
bool arm64_interrupts_begin(void); /* false: no interrupt controller that we know */
void arm64_sleep(
    void); /* vCPU 0, interrupts off: until one that is no upcall, also one since the last sleep, or for no reason */
#define ARM64_NO_IRQ UINT32_MAX
static inline uint32_t arm64_intid(uint32_t spi) { return spi == TREE_NO_SPI ? ARM64_NO_IRQ : 32 + spi; }

/* virtios.c: the tree's devices; arm64_virtio_interrupt: one of them has this INTID, and was asked. */
extern struct tiny_virtio_place arm64_virtio_places[TREE_VIRTIOS];
void arm64_virtios_begin(const struct tree *t);
bool arm64_virtio_interrupts(struct virtio_console *c, uint32_t irq);
bool arm64_virtio_interrupt(uint32_t intid);

/* Called by entry.S. */
void arm64_main(void);
void arm64_interrupt(struct arm64_cpu *cpu);
void arm64_fault(uint64_t esr, uint64_t elr, uint64_t far, uint64_t vector);
_Noreturn void arm64_secondary_main(struct arm64_cpu *cpu);
/* entry.S */
void arm64_secondary_entry(void);
extern const char arm64_image[];

#endif
