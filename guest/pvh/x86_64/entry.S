/* SPDX-License-Identifier: MIT */
/*
 * From PVH's 32-bit entry to C in long mode, and the hypercall page.
 *
 * Spec: wire/pvh.h. ebx = start info, CR0.PE alone, flat segments, interrupts off; there is no stack, GDT or IDT yet.
 * The IDT (cpus.c) has no gate for a fault: it ends in a triple fault, which the hypervisor takes for a crash.
 */
#include "pvh/boot.h"

/* Xen's ELF notes: where to enter, and where the hypercall page goes. Values of 8 bytes, as in 64-bit kernels. */
    .section .note.Xen, "a", @note
    .macro xen_note type, value
    .balign 4
    .long 4, 8, \type
    .asciz "Xen"
    .quad \value
    .endm
    xen_note XEN_ELFNOTE_PHYS32_ENTRY, pvh_entry
    xen_note XEN_ELFNOTE_HYPERCALL_PAGE, pvh_hypercall_page

    .section .text.entry, "ax", @progbits
    .code32
    .globl pvh_entry
pvh_entry:
    cld
    lgdt gdt_pointer
    movl $pvh_page_tables, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    orl $CR0_PG, %eax
    movl %eax, %cr0
    ljmp $CODE_SELECTOR, $long_mode
    .code64
long_mode:
    movl $DATA_SELECTOR, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $pvh_stacks + STACK_BYTES, %esp
    xorl %ebp, %ebp
    movl %ebx, %edi
    call pvh_main
1:  cli
    hlt
    jmp 1b

/* VCPUOP_up comes here in long mode; the segments are right but no selector names them, which an iret would need. */
    .globl pvh_secondary_entry
pvh_secondary_entry:
    cld
    lgdt gdt_pointer
    pushq $CODE_SELECTOR
    pushq $1f
    lretq
1:  movl $DATA_SELECTOR, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %ebp, %ebp
    movq -STACK_BYTES(%rsp), %rdi
    call pvh_secondary_main
    ud2

/* What C may change is saved. The frame is 5 words, 9 more make it 112 bytes: the stack is aligned for the call. */
    .macro interrupt entry, function
    .globl \entry
\entry:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    cld
    movq %rsp, %rax
    andq $-STACK_BYTES, %rax
    movq (%rax), %rdi
    call \function
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    jmp pvh_spurious_entry
    .endm
    interrupt pvh_uart_entry, pvh_uart_interrupt
    interrupt pvh_virtio_entry, pvh_virtio_interrupt
    interrupt pvh_upcall_entry, pvh_upcall
    .globl pvh_spurious_entry
pvh_spurious_entry:
    iretq

    .section .rodata.gdt, "a", @progbits
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code, ring 0 */
    .quad 0x00cf93000000ffff /* data */
gdt_pointer:
    .word . - gdt - 1
    .quad gdt /* in 32-bit code the lower half counts */

/*
 * The first 4 GiB, one to one, in pages of 2 MiB: laid out here, for 2,000 stores would be slow where each instruction is
 * emulated. The console page lies above RAM but below 4 GiB.
 */
    .section .data.page_tables, "aw", @progbits
    .balign 4096
    .globl pvh_page_tables
pvh_page_tables:
    .quad directories + PTE_PRESENT
    .fill 511, 8, 0
directories:
    .set table, 0
    .rept 4
    .quad mappings + table * 4096 + PTE_PRESENT
    .set table, table + 1
    .endr
    .fill 508, 8, 0
mappings:
    .set page, 0
    .rept 2048
    .quad page * 0x200000 + PTE_PRESENT + PTE_LARGE
    .set page, page + 1
    .endr

/* Until a hypervisor fills it each call says -ENOSYS, in a first instruction by which C knows it is unfilled. */
    .section .text.hypercall_page, "ax", @progbits
    .balign 4096
    .globl pvh_hypercall_page
pvh_hypercall_page:
    .rept 128
    movq $-38, %rax
    ret
    .balign 32, 0xcc
    .endr

    .section .note.GNU-stack, "", @progbits
