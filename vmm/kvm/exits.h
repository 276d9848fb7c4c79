/* SPDX-License-Identifier: MIT */
/*
 * exits.h: what a guest wants when it leaves KVM: hypercalls, port 0xE9, the hypercall page's MSR, ports and memory
 * that nobody answers.
 *
 * Spec:  Linux api.rst ch. 5 (struct kvm_run); Xen public/arch-x86/cpuid.h for the MSR.
 * Owner: the caller's structs.
 * Lock:  the vCPU's thread; sleeps where domain_hypercall does.
 * Trust: every register, port and address is the guest's. An access without a device completes as on a PC: reads give
 *        all ones, writes go nowhere. What cannot go on is the guest's crash and nobody else's.
 */
#ifndef VMM_KVM_EXITS_H
#define VMM_KVM_EXITS_H
#include "../engine.h"
#include "machine.h"

enum exit_next {
    EXIT_RUN,   /* go on */
    EXIT_HALT,  /* it waits for an interrupt */
    EXIT_DOWN,  /* it halted for ever: no interrupt can wake it */
    EXIT_BROKEN /* domain_crashed was called */
};

/* After kvm_cpu_run returned 0. */
enum exit_next exit_serve(struct domain *d, struct kvm_cpu *c, const struct guest_memory *memory);

#endif
