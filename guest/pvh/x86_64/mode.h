/* SPDX-License-Identifier: MIT */
/*
 * mode.h: the PVH kernel of 64 bits.
 *
 * Spec:  AMD64 manual volume 2: gates 4.8.4, long mode 14; hypercall registers: Xen ABI 2.1; VCPUOP_initialise:
 *        public/hvm/hvm_vcpu.h.
 * Lock:  none.
 */
#ifndef GUEST_PVH_X86_64_MODE_H
#define GUEST_PVH_X86_64_MODE_H
#include "pvh/boot.h"
#include <vcons/wire/xen.h>

#define MODE_NAME      "pvh"
#define MODE_UNFILLED  UINT32_C(0xdac0c748) /* the first bytes of an unfilled stub: mov $-38, %rax */
#define MODE_TIME_FITS 1                    /* into the register of a result */

struct mode_gate {
    uint16_t low, selector, type, middle;
    uint32_t high, reserved;
};

/* An interrupt gate: interrupts are off in the handler. */
static inline struct mode_gate mode_gate(uint64_t handler)
{
    return (struct mode_gate){.low = (uint16_t)handler,
                              .selector = CODE_SELECTOR,
                              .type = GATE_INTERRUPT,
                              .middle = (uint16_t)(handler >> 16),
                              .high = (uint32_t)(handler >> 32)};
}

/* A vCPU that begins at entry, in long mode on the same page tables, with stack. */
static inline struct vcpu_hvm_context mode_context(uint64_t entry, uint64_t stack, uint64_t page_tables)
{
    return (struct vcpu_hvm_context){.mode = VCPU_HVM_MODE_64B,
                                     .cpu_regs.x86_64 = {.rip = entry,
                                                         .rsp = stack,
                                                         .rflags = EFLAGS_ALWAYS,
                                                         .cr0 = CR0_PG | CR0_PE,
                                                         .cr3 = page_tables,
                                                         .cr4 = CR4_PAE,
                                                         .efer = EFER_LME | EFER_LMA}};
}

/* A stub of the hypercall page. Arguments come back changed on some hypervisors; the rest of the kernel is built without a
 * red zone, which the call would write into. */
static inline int64_t mode_call(const void *stub, uint64_t a0, uint64_t a1, uint64_t a2)
{
    int64_t result;

    __asm__ volatile("call *%[stub]"
                     : "=a"(result), "+D"(a0), "+S"(a1), "+d"(a2)
                     : [stub] "r"(stub)
                     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    return result;
}

#endif
