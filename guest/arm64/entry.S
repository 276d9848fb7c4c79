/* SPDX-License-Identifier: MIT */
/*
 * The Image's header, and from its entry to C with the MMU on, relocated to wherever it was loaded.
 *
 * Spec: Linux Documentation/arm64/booting.rst: x0 = device tree, EL1 or EL2, MMU off, interrupts masked; the image, as far as its
 * file goes, is clean to the point of coherency. Arm ARM (DDI 0487) for all else.
 */
#include "arm64/boot.h"

    .section .text.entry, "ax", @progbits
    .globl arm64_image
arm64_image:
    b entry
    .long 0
    .quad 0                     /* text_offset: at a multiple of 2 MiB, anywhere */
    .long image_bytes_low, image_bytes_high
    .quad 0xa                   /* little-endian, pages of 4 KiB, anywhere in memory */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

entry:
    mov x19, x0
    mrs x0, CurrentEL
    cmp x0, #8
    b.ne 1f
    bl leave_el2
1:  bl prepare
    ldr w0, =SCTLR_ALWAYS
    msr sctlr_el1, x0
    isb
    adrp x0, arm64_stacks
    add x0, x0, #:lo12:arm64_stacks
    add sp, x0, #STACK_BYTES

    /* What is beyond the file may hold anything. */
    adrp x0, bss_begin
    add x0, x0, #:lo12:bss_begin
    adrp x1, bss_end
    add x1, x1, #:lo12:bss_end
2:  cmp x0, x1
    b.hs 3f
    stp xzr, xzr, [x0], #16
    b 2b

    /* Pointers in data: linked to 0, with R_AARCH64_RELATIVE and nothing else. */
3:  adr x2, arm64_image
    adrp x0, rela_begin
    add x0, x0, #:lo12:rela_begin
    adrp x1, rela_end
    add x1, x1, #:lo12:rela_end
4:  cmp x0, x1
    b.hs 5f
    ldp x3, x4, [x0], #16
    ldr x5, [x0], #8
    cmp w4, #R_AARCH64_RELATIVE
    b.ne halt
    add x5, x5, x2
    str x5, [x2, x3]
    b 4b

5:  mov x0, x19
    bl arm64_map_all
    /* All that was written so far went past the caches: nothing older may stay in them. */
    adr x0, arm64_image
    adrp x1, bss_end
    add x1, x1, #:lo12:bss_end
    mrs x3, ctr_el0
    ubfx x3, x3, #16, #4        /* DminLine: the smallest line's words, as a power of two */
    mov x4, #4
    lsl x3, x4, x3
6:  dc ivac, x0
    add x0, x0, x3
    cmp x0, x1
    b.lo 6b
    dsb sy
    bl mmu_on
    mov x0, x19
    bl arm64_main
halt:
    wfi
    b halt

/* Of every vCPU: where faults go, no floating point. */
prepare:
    adrp x0, vectors
    add x0, x0, #:lo12:vectors
    msr vbar_el1, x0
    msr spsel, #1
    msr daifset, #0xf
    isb
    ret

mmu_on:
    ldr x0, =MAIR_VALUE
    msr mair_el1, x0
    ldr x0, =TCR_VALUE
    mrs x1, id_aa64mmfr0_el1
    and x1, x1, #0xf
    mov x2, #PARANGE_MAX
    cmp x1, x2
    csel x1, x1, x2, lo
    orr x0, x0, x1, lsl #TCR_IPS
    msr tcr_el1, x0
    adrp x0, arm64_tables
    add x0, x0, #:lo12:arm64_tables
    msr ttbr0_el1, x0
    dsb sy
    isb
    tlbi vmalle1
    dsb nsh
    ic iallu
    dsb nsh
    isb
    ldr w0, =(SCTLR_ALWAYS | SCTLR_ON)
    msr sctlr_el1, x0
    isb
    ret

/* As Linux enters its EL1 where there is an EL2: nothing is trapped there, for nobody is there. */
leave_el2:
    ldr w0, =HCR_EL1_IS_64
    msr hcr_el2, x0
    mrs x0, cnthctl_el2
    orr x0, x0, #CNTHCTL_EL1_MAY
    msr cnthctl_el2, x0
    msr cntvoff_el2, xzr
    mov x0, #0x33ff
    msr cptr_el2, x0
    msr hstr_el2, xzr
    mrs x0, midr_el1
    msr vpidr_el2, x0
    mrs x0, mpidr_el1
    msr vmpidr_el2, x0
    mrs x0, id_aa64pfr0_el1
    ubfx x0, x0, #24, #4
    cbz x0, 1f                  /* no GICv3 */
    mrs x0, S3_4_C12_C9_5       /* ICC_SRE_EL2 */
    mov x1, #ICC_SRE_EL2_ON
    orr x0, x0, x1
    msr S3_4_C12_C9_5, x0
    isb
    msr S3_4_C12_C11_0, xzr     /* ICH_HCR_EL2 */
1:  mov x0, #SPSR_EL1H_OFF
    msr spsr_el2, x0
    msr elr_el2, x30
    eret

/* PSCI CPU_ON comes here, MMU off, with x0 = the top of this vCPU's stack, which points at its struct at the other end. */
    .globl arm64_secondary_entry
arm64_secondary_entry:
    mov x19, x0
    mrs x0, CurrentEL
    cmp x0, #8
    b.ne 1f
    bl leave_el2
1:  bl prepare
    bl mmu_on
    mov sp, x19
    sub x0, x19, #STACK_BYTES
    ldr x0, [x0]
    bl arm64_secondary_main
    b halt

/* What C may change is saved. The stack is always aligned. */
    .macro vector_fault number
    .balign 128
    mov x3, #\number
    b fault
    .endm
    .macro vector_interrupt
    .balign 128
    stp x29, x30, [sp, #-176]!
    stp x0, x1, [sp, #16]
    stp x2, x3, [sp, #32]
    stp x4, x5, [sp, #48]
    stp x6, x7, [sp, #64]
    stp x8, x9, [sp, #80]
    stp x10, x11, [sp, #96]
    stp x12, x13, [sp, #112]
    stp x14, x15, [sp, #128]
    stp x16, x17, [sp, #144]
    str x18, [sp, #160]
    b interrupt
    .endm
    .balign 2048
vectors:
    .set number, 0
    .rept 5
    vector_fault number
    .set number, number + 1
    .endr
    vector_interrupt            /* from this EL, with its own stack pointer */
    .set number, 6
    .rept 10
    vector_fault number
    .set number, number + 1
    .endr
    .balign 128

fault:
    mrs x0, esr_el1
    mrs x1, elr_el1
    mrs x2, far_el1
    bl arm64_fault
    b halt

interrupt:
    mov x0, sp
    and x0, x0, #-STACK_BYTES   /* whose stack this is */
    ldr x0, [x0]
    bl arm64_interrupt
    ldp x0, x1, [sp, #16]
    ldp x2, x3, [sp, #32]
    ldp x4, x5, [sp, #48]
    ldp x6, x7, [sp, #64]
    ldp x8, x9, [sp, #80]
    ldp x10, x11, [sp, #96]
    ldp x12, x13, [sp, #112]
    ldp x14, x15, [sp, #128]
    ldp x16, x17, [sp, #144]
    ldr x18, [sp, #160]
    ldp x29, x30, [sp], #176
    eret

    .section .note.GNU-stack, "", @progbits
