/* SPDX-License-Identifier: MIT */
/*
 * xen.h: a real Xen under an arm64 kernel: its calls, its clock, its upcalls.
 *
 * Spec:  Xen public/arch-arm.h (calls: HVC 0xea1, number in x16, arguments from x0, result in x0); Linux's binding "xen" (the
 *        upcall's private interrupt); Xen ABI 5.2 (run states), 5.3.
 * Owner: one run state area, here and for good.
 * Lock:  arm64_xen_begin on vCPU 0 before another runs; the rest on each vCPU for itself.
 * Trust: the hypervisor's word is taken.
 */
#ifndef GUEST_ARM64_XEN_H
#define GUEST_ARM64_XEN_H
#include "machine.h"

int64_t arm64_xen_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2);
/* By how much Xen's system time, that of SCHEDOP_poll, is ahead of the counter's; 0 if Xen does not tell. */
uint64_t arm64_xen_time_ahead_ns(uint64_t (*counted_ns)(void));
/* Upcalls to this vCPU by its private interrupt; false: there is none, or no interrupt controller. */
bool arm64_xen_upcalls(const struct tree *t, struct arm64_cpu *cpu);

#endif
