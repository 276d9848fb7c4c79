/* SPDX-License-Identifier: MIT */
/*
 * guests.S: kernels of a few instructions each, for test_kvm_engine.c. All of it is loaded at 1 MiB; each starts at a
 * label of its own in the state of a PVH entry: 32 bits, flat, no paging, no stack.
 */
#define AT(label) (label - guests + 0x100000)
#define DEBUG_PORT 0xe9
#define TABLES 0x200000 /* three pages for page tables, and the stack below them */

    .section .rodata
    .balign 4096
    .globl guests, guests_end, guests_hypercall_page
    .code32
guests:

/* Port 0xE9 with one byte, with a string, and read; other ports and memory where nothing is. */
    .globl guest_ports
guest_ports:
    movb $'h', %al
    outb %al, $DEBUG_PORT
    movl $AT(text), %esi
    movl $(text_end - text), %ecx
    movw $DEBUG_PORT, %dx
    cld
    rep outsb
    inb $DEBUG_PORT, %al
    outb %al, $DEBUG_PORT
    inb $0x60, %al
    outb %al, $DEBUG_PORT
    inw $DEBUG_PORT, %ax /* two bytes: not the port's width */
    outb %al, $DEBUG_PORT
    movl $0x12345678, %eax
    outl %eax, $DEBUG_PORT /* nor these four */
    movl $0x12345678, 0xd0000000
    movl 0xd0000000, %eax
    outb %al, $DEBUG_PORT
    jmp off
text: .ascii "ello"
text_end:

/* A hypercall in 32-bit mode by the page that the note asked for; its result goes to the port, byte by byte. */
    .globl guest_call32
guest_call32:
    movl $TABLES, %esp
    movl $0x11111111, %ebx
    movl $0x22222222, %ecx
    movl $0x33333333, %edx
    movl $0x44444444, %esi
    movl $0x55555555, %edi
    movl $0x66666666, %ebp
    movl $(AT(guests_hypercall_page) + 18 * 32), %eax
    call *%eax
    outb %al, $DEBUG_PORT
    shrl $24, %eax
    outb %al, $DEBUG_PORT
    jmp off

/* The same in long mode, by a page that the MSR asked for. */
    .globl guest_call64
guest_call64:
    movl $0x40000000, %eax
    cpuid
    outb %al, $DEBUG_PORT /* 4: the highest of Xen's leaves */
    movl %ebx, %eax
    outb %al, $DEBUG_PORT /* X of XenVMMXenVMM */
    movl $0x40000004, %eax
    cpuid
    movl %ecx, %eax
    outb %al, $DEBUG_PORT /* the domain's id */
    movl $0x40000002, %eax
    cpuid
    movl %ebx, %ecx
    movl $(TABLES + 0x4000), %eax
    xorl %edx, %edx
    wrmsr
    movl $(TABLES + 0x1003), TABLES
    movl $(TABLES + 0x2003), TABLES + 0x1000
    movl $0x000083, TABLES + 0x2000
    movl $0x200083, TABLES + 0x2008
    movl %cr4, %eax
    orl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $TABLES, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER */
    rdmsr
    orl $0x100, %eax /* LME */
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    lgdt AT(gdt_register)
    ljmp $0x08, $AT(long_mode)
    .code64
long_mode:
    movl $0x10, %eax
    movl %eax, %ss
    movl $TABLES, %esp
    movabsq $0x1111111111111111, %rdi
    movabsq $0x2222222222222222, %rsi
    movabsq $0x3333333333333333, %rdx
    movabsq $0x4444444444444444, %r10
    movabsq $0x5555555555555555, %r8
    movabsq $0x6666666666666666, %r9
    movl $(TABLES + 0x4000 + 34 * 32), %eax
    callq *%rax
    outb %al, $DEBUG_PORT
    shrq $56, %rax
    outb %al, $DEBUG_PORT
    movl $(TABLES + 0x4000 + 127 * 32), %eax /* VC_CALL_TIME_STUB */
    callq *%rax
    movl $(TABLES + 0x4000 + 29 * 32), %eax
    callq *%rax
    ud2
    .code32

/* Programs may use ports when the kernel lets them, but make no hypercalls. */
    .globl guest_user
guest_user:
    lgdt AT(gdt_register)
    ljmp $0x18, $AT(1f)
1:  movl $0x20, %eax
    movl %eax, %ds
    movl %eax, %ss
    movl $TABLES, %esp
    pushl $0x3002 /* eflags: I/O privilege 3 */
    popfl
    movl $0x174, %ecx /* SYSENTER_CS: ring 3 has its selectors 16 and 24 behind. iret is not always emulated */
    movl $0x18, %eax
    xorl %edx, %edx
    wrmsr
    movl $AT(ring3), %edx
    movl $TABLES, %ecx
    sysexit
ring3:
    movl $29, %eax
    outb %al, $0x2a
    outb %al, $DEBUG_PORT /* -EPERM: 0xff */
1:  jmp 1b

/* Endless ones. */
    .globl guest_spin, guest_print, guest_call, guest_wait
guest_spin:
    jmp guest_spin
guest_print:
    outb %al, $DEBUG_PORT
    jmp guest_print
guest_call:
    movl $18, %eax
    outb %al, $0x2a
    jmp guest_call
guest_wait:
    sti
    hlt
    jmp guest_wait

/* 80 bytes to a port of a UART's, the number of the last of them 1; then off. */
    .globl guest_write
guest_write:
    movw $0x3f8, %dx
    movl $80, %ecx
1:  movb %cl, %al
    outb %al, %dx
    loop 1b
    jmp off

/* Magic and version of the first virtio device to the port, a byte of each; then its notifications, 80 of 2 and one of 3 at the
 * width that they have, and one of 2 that is too narrow; then off. */
    .globl guest_ring
guest_ring:
    movl 0xfeb00000, %eax
    outb %al, $DEBUG_PORT
    movl 0xfeb00004, %eax
    outb %al, $DEBUG_PORT
    movl $80, %ecx
1:  movl $2, 0xfeb00050
    loop 1b
    movl $3, 0xfeb00050
    movw $2, 0xfeb00050
    jmp off

/* The ways to an end. */
    .globl guest_down, guest_fault, guest_bad_page, guest_poison
guest_down:
    cli
    hlt
    jmp guest_down
guest_fault:
    lidt AT(no_table)
    ud2
guest_bad_page: /* a hypercall page outside RAM: a fault, and there is no table for faults */
    lidt AT(no_table)
    movl $0x40000000, %ecx
    movl $0xc0000000, %eax
    xorl %edx, %edx
    wrmsr
    movb $'?', %al
    outb %al, $DEBUG_PORT
off:
    movl $29, %eax
    outb %al, $0x2a
    ud2

/* Leaves a mark in RAM if there is none, and says whether there was one: a reset must clear it. */
guest_poison:
    movb 0x300000, %al
    addb $'0', %al
    outb %al, $DEBUG_PORT
    movb $1, 0x300000
    jmp off

#include "guests_vcpus.h"

    .balign 8
no_table:
    .word 0
    .long 0, 0
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 0x08: 64-bit code */
    .quad 0x00cf93000000ffff /* 0x10: data */
    .quad 0x00cf9b000000ffff /* 0x18: 32-bit code */
    .quad 0x00cf93000000ffff /* 0x20: data */
    .quad 0x00cffb000000ffff /* 0x28: 32-bit code, ring 3 */
    .quad 0x00cff3000000ffff /* 0x30: data, ring 3 */
gdt_register:
    .word gdt_register - gdt - 1
    .long AT(gdt)
    .long 0
    .balign 4096
guests_hypercall_page:
    .skip 4096
guests_end:
    .section .note.GNU-stack, "", @progbits
