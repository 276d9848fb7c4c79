/* SPDX-License-Identifier: MIT */
/*
 * exits.h: what a guest wants when it leaves KVM: hypercalls, port 0xE9, ACPI's sleep register, the hypercall page's MSR,
 * ports and memory that nobody answers.
 *
 * Spec:  Linux api.rst ch. 5 (struct kvm_run); Xen public/arch-x86/cpuid.h for the MSR; acpi.h.
 * Owner: the caller's structs.
 * Lock:  the vCPU's thread; sleeps where domain_hypercall does.
 * Trust: every register, port and address is the guest's. An access without a device completes as on a PC: reads give
 *        all ones, writes go nowhere. (Timer and clock read as 0: Linux waits long for ones that say "busy".) What cannot go on is the guest's crash and nobody else's.
 */
#ifndef VMM_KVM_X86_64_EXITS_H
#define VMM_KVM_X86_64_EXITS_H
#include "../../engine.h"
#include "vcpu.h"

enum exit_next {
    EXIT_RUN,   /* go on */
    EXIT_HALT,  /* it waits for an interrupt */
    EXIT_DOWN,  /* it halted for ever: no interrupt can wake it */
    EXIT_BROKEN /* domain_crashed was called */
};

/* After kvm_cpu_run returned 0. */
enum exit_next exit_serve(struct kvm_vcpu *v);

#endif
