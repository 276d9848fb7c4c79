/* SPDX-License-Identifier: MIT */
/*
 * cpu.h: the registers of an arm64 vCPU as the boot protocol wants them.
 *
 * Spec:  Linux Documentation/virt/kvm/api.rst, KVM_ARM_VCPU_INIT and KVM_SET_ONE_REG; Documentation/arm64/booting.rst.
 * Owner: the caller's structs.
 * Lock:  the vCPU's thread, or nobody runs it.
 */
#ifndef VMM_KVM_ARM64_CPU_H
#define VMM_KVM_ARM64_CPU_H
#include "../machine.h"
#include "registers.h"

/* The state after a reset; off: it waits for PSCI's CPU_ON. KVM serves PSCI by itself. -1: problem. */
int arm64_cpu_reset(struct kvm_cpu *c, const struct kvm_machine *m, bool off, struct problem *problem);
/* pc, and x0; MMU off, EL1, interrupts masked: as after the reset. */
int arm64_cpu_enter_at(struct kvm_cpu *c, uint64_t pc, uint64_t x0, struct problem *problem);
/* Where it is, for messages; 0: KVM does not tell. */
uint64_t arm64_cpu_instruction(const struct kvm_cpu *c);

/*
 * All that it is: u32 1 if PSCI has it on, u32 1 if an SError waits, u32 1 if that has a syndrome, u32 0, u64 the syndrome; then
 * registers.h. on: the first of these.
 */
#define ARM64_CPU_BYTES (24 + REGISTERS_BYTES)
int arm64_cpu_save(const struct kvm_cpu *c, struct vc_writer *w, struct problem *problem);
/* After a reset. What r holds may be anything. */
int arm64_cpu_restore(struct kvm_cpu *c, bool *on, struct vc_reader *r, struct problem *problem);

#endif
