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

    .section .note.GNU-stack, "", @progbits
