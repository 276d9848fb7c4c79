/* SPDX-License-Identifier: MIT */
/*
 * mode.h: the PVH kernel of 32 bits, without paging, as PVH enters it.
 *
 * Spec:  AMD64 manual volume 2: gates 4.7.5, segments 4.7; hypercall registers: Xen ABI 2.1; VCPUOP_initialise:
 *        public/hvm/hvm_vcpu.h.
 * Lock:  none.
 */
#ifndef GUEST_PVH_X86_32_MODE_H
#define GUEST_PVH_X86_32_MODE_H
#include "pvh/boot.h"
#include <vcons/wire/xen.h>

#define MODE_NAME      "pvh32"
#define MODE_UNFILLED  UINT32_C(0xffffdab8) /* the first bytes of an unfilled stub: mov $-38, %eax */
#define MODE_TIME_FITS 0                    /* into the register of a result */

struct mode_gate {
    uint16_t low, selector, type, high;
};

/* An interrupt gate: interrupts are off in the handler. */
static inline struct mode_gate mode_gate(uint32_t handler)
{
    return (struct mode_gate){
        .low = (uint16_t)handler, .selector = CODE_SELECTOR, .type = GATE_INTERRUPT, .high = (uint16_t)(handler >> 16)};
}

/* A vCPU that begins at entry, with flat segments, no paging, and stack. */
static inline struct vcpu_hvm_context mode_context(uint32_t entry, uint32_t stack, uint32_t page_tables)
{
    (void)page_tables;
    return (struct vcpu_hvm_context){.mode = VCPU_HVM_MODE_32B,
                                     .cpu_regs.x86_32 = {.eip = entry,
                                                         .esp = stack,
                                                         .eflags = EFLAGS_ALWAYS,
                                                         .cr0 = CR0_PE,
                                                         .cs_limit = UINT32_MAX,
                                                         .ds_limit = UINT32_MAX,
                                                         .ss_limit = UINT32_MAX,
                                                         .es_limit = UINT32_MAX,
                                                         .tr_limit = TSS_LIMIT,
                                                         .cs_ar = CODE_RIGHTS,
                                                         .ds_ar = DATA_RIGHTS,
                                                         .ss_ar = DATA_RIGHTS,
                                                         .es_ar = DATA_RIGHTS,
                                                         .tr_ar = TSS_RIGHTS}};
}

/* A stub of the hypercall page; of an argument its lower half is all there is. Arguments come back changed on some hypervisors. */
static inline int64_t mode_call(const void *stub, uint64_t a0, uint64_t a1, uint64_t a2)
{
    uint32_t b = (uint32_t)a0, c = (uint32_t)a1, d = (uint32_t)a2;
    int32_t result;

    __asm__ volatile("call *%[stub]" : "=a"(result), "+b"(b), "+c"(c), "+d"(d) : [stub] "r"(stub) : "memory", "cc");
    return result;
}

#endif
