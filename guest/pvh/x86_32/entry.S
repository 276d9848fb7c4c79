/* SPDX-License-Identifier: MIT */
/*
 * From PVH's entry to C in the same mode, and the hypercall page.
 *
 * Spec: wire/pvh.h. ebx = start info, CR0.PE alone, flat segments, interrupts off; there is no stack, GDT or IDT yet.
 * The IDT (cpus.c) has no gate for a fault: it ends in a triple fault, which the hypervisor takes for a crash.
 */
#include "pvh/boot.h"

/* Xen's ELF notes: where to enter, and where the hypercall page goes. Values of 4 bytes, as in 32-bit kernels. */
    .section .note.Xen, "a", @note
    .macro xen_note type, value
    .balign 4
    .long 4, 4, \type
    .asciz "Xen"
    .long \value
    .endm
    xen_note XEN_ELFNOTE_PHYS32_ENTRY, pvh_entry
    xen_note XEN_ELFNOTE_HYPERCALL_PAGE, pvh_hypercall_page

    .macro load_segments
    cld
    lgdt gdt_pointer
    ljmp $CODE_SELECTOR, $1f
1:  movl $DATA_SELECTOR, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %ebp, %ebp
    .endm

    .section .text.entry, "ax", @progbits
    .globl pvh_entry
pvh_entry:
    load_segments
    movl $pvh_stacks + STACK_BYTES, %esp
    subl $12, %esp /* System V ABI, i386: the stack is aligned to 16 where arguments begin */
    pushl %ebx
    call pvh_main
1:  cli
    hlt
    jmp 1b

/* VCPUOP_up comes here; the segments are right but no selector names them, which an iret would need. */
    .globl pvh_secondary_entry
pvh_secondary_entry:
    load_segments
    movl -STACK_BYTES(%esp), %eax
    subl $12, %esp
    pushl %eax
    call pvh_secondary_main
    ud2

/*
 * What C may change is saved; the stack is aligned anew, for an interrupt finds it anyhow. The way back is not by iret: where
 * KVM has to emulate code without paging it knows none.
 */
    .macro interrupt entry, function
    .globl \entry
\entry:
    pushl %eax
    pushl %ecx
    pushl %edx
    pushl %ebp
    movl %esp, %ebp
    cld
    movl %esp, %eax
    andl $-STACK_BYTES, %eax
    andl $-16, %esp
    subl $12, %esp
    pushl (%eax)
    call \function
    movl %ebp, %esp
    popl %ebp
    popl %edx
    popl %ecx
    popl %eax
    jmp pvh_spurious_entry
    .endm
    interrupt pvh_uart_entry, pvh_uart_interrupt
    interrupt pvh_virtio_entry, pvh_virtio_interrupt
    interrupt pvh_upcall_entry, pvh_upcall
    .globl pvh_spurious_entry
pvh_spurious_entry:
    pushl 8(%esp)
    andl $~EFLAGS_INTERRUPTS, (%esp)
    popfl
    sti /* they were on, else this would not be here; on again only behind the next instruction */
    lretl $4

    .section .rodata.gdt, "a", @progbits
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 32-bit code, ring 0 */
    .quad 0x00cf93000000ffff /* data */
gdt_pointer:
    .word . - gdt - 1
    .long gdt

/* There are none: cpus.c has a name for them in either mode. */
    .globl pvh_page_tables
    .set pvh_page_tables, 0

/* Until a hypervisor fills it each call says -ENOSYS, in a first instruction by which C knows it is unfilled. */
    .section .text.hypercall_page, "ax", @progbits
    .balign 4096
    .globl pvh_hypercall_page
pvh_hypercall_page:
    .rept 128
    movl $-38, %eax
    ret
    .balign 32, 0xcc
    .endr

    .section .note.GNU-stack, "", @progbits
