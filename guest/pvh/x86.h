/* SPDX-License-Identifier: MIT */
/*
 * x86.h: the instructions of a PVH kernel that C has no word for.
 *
 * Spec:  AMD64 manual volume 3; hypercall registers: Xen ABI 2.1.
 * Lock:  none.
 */
#ifndef GUEST_PVH_X86_H
#define GUEST_PVH_X86_H
#include <stddef.h>
#include <stdint.h>

struct cpuid {
    uint32_t a, b, c, d;
};

static inline struct cpuid x86_cpuid(uint32_t leaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0));
    return r;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline void x86_outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline void x86_outsb(uint16_t port, const void *bytes, size_t n)
{
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(n) : "d"(port) : "memory");
}

static inline void x86_halt(void) { __asm__ volatile("cli; hlt"); }

/* A stub of the hypercall page. Arguments come back changed on some hypervisors; the rest of the kernel is built without a
 * red zone, which the call would write into. */
static inline int64_t x86_call(const void *stub, uint64_t a0, uint64_t a1, uint64_t a2)
{
    int64_t result;

    __asm__ volatile("call *%[stub]"
                     : "=a"(result), "+D"(a0), "+S"(a1), "+d"(a2)
                     : [stub] "r"(stub)
                     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    return result;
}

#endif
