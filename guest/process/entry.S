/* SPDX-License-Identifier: MIT */
/* The kernel enters here with rsp at argc (System V ABI, AMD64 supplement, 3.4.1); nothing of it is used. */
    .text
    .globl _start
    .hidden _start
    .type _start, @function
_start:
    xorl %ebp, %ebp
    andq $-16, %rsp
    call process_start
    ud2
    .size _start, . - _start

/* process_jump(stack, target): leave the old stack and the old image for good. */
    .globl process_jump
    .hidden process_jump
    .type process_jump, @function
process_jump:
    movq %rdi, %rsp
    xorl %ebp, %ebp
    call *%rsi
    ud2
    .size process_jump, . - process_jump

/*
 * process_post(process, page): store POSTED, then process_wait(process) until the call is served. What a saved guest needs
 * to go on from here lies in RAM before the hypervisor can see POSTED: registers that a call keeps, on this stack. Offsets
 * and the number are those of wire/callpage.h; a plain store is a release (x86 keeps stores in order).
 */
    .globl process_post
    .hidden process_post
    .type process_post, @function
process_post:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdi
    leaq go_on(%rip), %rax
    movq %rsp, 72(%rsi)
    movq %rax, 80(%rsi)
    movl $1, (%rsi)
go_on:
    movq (%rsp), %rdi
    call process_wait
    popq %rdi
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size process_post, . - process_post

/* process_go_on(stack, address): where the process of before was in process_post. */
    .globl process_go_on
    .hidden process_go_on
    .type process_go_on, @function
process_go_on:
    movq %rdi, %rsp
    jmp *%rsi
    .size process_go_on, . - process_go_on

/*
 * process_clone(flags, stack, vcpu): a thread of this process that begins in process_thread(vcpu) on its own stack. What
 * clone(2) gave, to who called.
 */
    .globl process_clone
    .hidden process_clone
    .type process_clone, @function
process_clone:
    movq %rdx, %r9
    xorl %edx, %edx
    xorl %r10d, %r10d
    xorl %r8d, %r8d
    movl $56, %eax /* __NR_clone */
    syscall
    testq %rax, %rax
    jnz 1f
    xorl %ebp, %ebp
    movl %r9d, %edi
    call process_thread
    ud2
1:  ret
    .size process_clone, . - process_clone

    .section .note.GNU-stack, "", @progbits
