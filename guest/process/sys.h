/* SPDX-License-Identifier: MIT */
/*
 * sys.h: the system calls of a process guest, without libc. x86_64 Linux.
 *
 * Spec:  System V ABI, AMD64 supplement, A.2.1; a result in -4095..-1 is the negative of an errno.
 * Lock:  none.
 */
#ifndef GUEST_PROCESS_SYS_H
#define GUEST_PROCESS_SYS_H
#include <asm/unistd.h>
#include <stdint.h>

static inline long sys6(long nr, long a0, long a1, long a2, long a3, long a4, long a5)
{
    register long r10 __asm__("r10") = a3;
    register long r8 __asm__("r8") = a4;
    register long r9 __asm__("r9") = a5;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long sys3(long nr, long a0, long a1, long a2) { return sys6(nr, a0, a1, a2, 0, 0, 0); }

static inline long sys_address(const void *p) { return (long)(uintptr_t)p; }

_Noreturn static inline void sys_exit(int status)
{
    for (;;)
        sys3(__NR_exit_group, status, 0, 0);
}

#endif
