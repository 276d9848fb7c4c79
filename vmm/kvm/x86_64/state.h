/* SPDX-License-Identifier: MIT */
/*
 * state.h: all that a vCPU of KVM's is, as bytes, and a vCPU made so.
 *
 * Spec:  version 1, in the kernel's own layouts (api.rst): kvm_sregs, kvm_xcrs, kvm_xsave, kvm_debugregs, kvm_lapic_state,
 *        kvm_mp_state, kvm_vcpu_events, kvm_regs, each after a u32 that is 1 if KVM told it and else 0; then u32 MSRs, and of each
 *        u32 index, u32 0, u64 value.
 * Lock:  the vCPU's thread is parked and has completed its last exit, or does not run.
 * Trust: what is read may be anything: KVM checks all of it, and an MSR that this KVM does not list is refused.
 */
#ifndef VMM_KVM_X86_64_STATE_H
#define VMM_KVM_X86_64_STATE_H
#include "../machine.h"
#include <vcons/save.h>

#define STATE_BYTES (16u * 1024 + 16u * 1024) /* at most, with 1024 MSRs */

int state_write(const struct kvm_cpu *c, const struct kvm_machine *m, struct vc_writer *w, struct problem *problem);
/* 0; -1: what stands there is none, or KVM refuses it. */
int state_read(struct kvm_cpu *c, const struct kvm_machine *m, struct vc_reader *r, struct problem *problem);

#endif
