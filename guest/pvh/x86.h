/* SPDX-License-Identifier: MIT */
/*
 * x86.h: the instructions of a PVH kernel that C has no word for.
 *
 * Spec:  AMD64 manual volume 3.
 * Lock:  none.
 */
#ifndef GUEST_PVH_X86_H
#define GUEST_PVH_X86_H
#include "boot.h"
#include <stdbool.h>
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

static inline void x86_outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t x86_inb(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void x86_outsb(uint16_t port, const void *bytes, size_t n)
{
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(n) : "d"(port) : "memory");
}

static inline void x86_halt(void) { __asm__ volatile("cli; hlt"); }

/* Returns whether they were on. */
static inline bool x86_interrupts_off(void)
{
    uintptr_t flags;

    __asm__ volatile("pushf; pop %0; cli" : "=r"(flags) : : "memory");
    return (flags & EFLAGS_INTERRUPTS) != 0;
}

static inline void x86_interrupts_on(void) { __asm__ volatile("sti" : : : "memory"); }

/* With interrupts off, and so after the one that ended it: sti takes effect behind the hlt, so none comes between. */
static inline void x86_halt_until_interrupt(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }

static inline void x86_load_gates(const void *gates, size_t bytes)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uintptr_t base;
    } pointer = {(uint16_t)(bytes - 1), (uintptr_t)gates};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static inline uint64_t x86_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

#endif
