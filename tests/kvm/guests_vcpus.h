/* SPDX-License-Identifier: MIT */
/* clang-format off */
/*
 * guests_vcpus.h: more kernels as those in guests.S, and part of the same image: several vCPUs, interrupts, call sites.
 * Spec: Intel SDM vol. 3 ch. 11 for the local APIC.
 */
#define ICR 0xfee00300
#define SVR 0xfee000f0
#define EOI 0xfee000b0
#define TRAMPOLINE 0x8000
#define FLAG 0x300000 /* set by the test */
#define STACK 0x300000


/* Starts all others by INIT and SIPI, and halts; each prints its number and halts. */
    .globl guest_sipi
guest_sipi:
    movl $AT(trampoline), %esi
    movl $TRAMPOLINE, %edi
    movl $(trampoline_end - trampoline), %ecx
    cld
    rep movsb
    movl $0x1ff, SVR /* switched on */
    movl $0xc4500, ICR /* INIT to all but itself */
    movl $(0xc4600 + TRAMPOLINE / 4096), ICR
    cli
1:  hlt
    jmp 1b
    .code16
trampoline:
    movl $1, %eax
    cpuid
    shrl $24, %ebx /* the local APIC's id */
    movb $'0', %al
    addb %bl, %al
    outb %al, $DEBUG_PORT
    cli
1:  hlt
    jmp 1b
trampoline_end:
    .code32

/* Where a vCPU starts by VCPUOP_initialise: shows al, then waits for FLAG, then shows it, and so on. */
    .globl guest_echo
guest_echo:
    outb %al, $DEBUG_PORT
1:  pause
    movb FLAG, %al
    testb %al, %al
    jz 1b
    movb $0, FLAG
    jmp guest_echo

/* The same start in long mode: what is in r8 shows that it is. The page tables are the test's. */
    .code64
    .globl guest_start64
guest_start64:
    movq %r8, %rax
    shrq $32, %rax
    outb %al, $DEBUG_PORT
1:  pause
    jmp 1b
    .code32

/* Interrupts: 'r', then waits for FLAG with its local APIC off; switches it on, 'e', and shows each interrupt by a 'u'. */
    .globl guest_upcall
guest_upcall:
    movl $STACK, %esp
    movl $AT(handler), %eax
    movl %eax, %ebx
    andl $0xffff, %eax
    orl $0x80000, %eax /* our code segment */
    movl %eax, AT(idt_upcall)
    andl $0xffff0000, %ebx
    orl $0x8e00, %ebx /* 32-bit interrupt gate, present */
    movl %ebx, AT(idt_upcall) + 4
    lgdt AT(gdt32_register)
    ljmp $0x08, $AT(1f)
1:  movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %ss
    lidt AT(idt_register)
    movb $'r', %al
    outb %al, $DEBUG_PORT
2:  pause
    cmpb $0, FLAG
    je 2b
    movl $0x1ff, SVR
    movb $'e', %al
    outb %al, $DEBUG_PORT
wait_for_upcall:
    movl $STACK, %esp
    sti
1:  hlt
    jmp 1b
handler: /* it does not return: iret is not always emulated */
    movb $'u', %al
    outb %al, $DEBUG_PORT
    movl $0, EOI
    jmp wait_for_upcall

/* ACPI: a sleep that is none, then the one that switches off. */
    .globl guest_power_off
guest_power_off:
    movw $0x600, %dx
    movb $0x30, %al /* without SLP_EN */
    outb %al, %dx
    movb $'a', %al
    outb %al, $DEBUG_PORT
    movb $0x34, %al
    outb %al, %dx
1:  jmp 1b

/* Shows the first byte of a page where no RAM is. */
    .globl guest_page
guest_page:
    movb 0xd0000000, %al
    outb %al, $DEBUG_PORT
    movb $'!', 0xd0000001
    movl $29, %eax
    outb %al, $0x2a
1:  jmp 1b

/* A kernel without a hypercall page: an `out` to our port that is no call, and calls by both of its sites. */
    .globl guest_sites
guest_sites:
    movl $STACK, %esp
    movl $18, %eax
    outb %al, $0x2a /* a port like any other here */
    movl $18, %eax
    movl $0x12345, %ebx
    call call_amd
    movl $32, %eax
    call call_intel
    movl $29, %eax
    call call_intel
1:  jmp 1b
    .balign 16
call_amd:
    .byte 0x0f, 0x01, 0xd9, 0xc3
    .balign 16
call_intel:
    .byte 0x0f, 0x01, 0xc1, 0xc3

/* EVTCHNOP_send of port 9 by the hypercall page, its result shown; then the end. */
    .globl guest_send
guest_send:
    movl $STACK, %esp
    movb $'b', %al
    outb %al, $DEBUG_PORT
1:  pause
    cmpb $0, FLAG
    je 1b
    movl $4, %ebx
    movl $AT(port_sent), %ecx
    movl $(AT(guests_hypercall_page) + 32 * 32), %eax
    call *%eax
    addb $'0', %al
    outb %al, $DEBUG_PORT
    movl $(AT(guests_hypercall_page) + 29 * 32), %eax
    call *%eax
1:  jmp 1b
    .balign 4
port_sent:
    .long 9

    .balign 8
gdt32:
    .quad 0
    .quad 0x00cf9b000000ffff /* 0x08: code */
    .quad 0x00cf93000000ffff /* 0x10: data */
gdt32_register:
    .word gdt32_register - gdt32 - 1
    .long AT(gdt32)
    .balign 8
idt:
    .skip 0xf3 * 8
idt_upcall:
    .quad 0
idt_register:
    .word idt_register - idt - 1
    .long AT(idt)
