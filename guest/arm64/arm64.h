/* SPDX-License-Identifier: MIT */
/*
 * arm64.h: the instructions of an arm64 kernel that C has no word for.
 *
 * Spec:  Arm ARM (DDI 0487).
 * Lock:  none.
 */
#ifndef GUEST_ARM64_ARM64_H
#define GUEST_ARM64_ARM64_H
#include <stdbool.h>
#include <stdint.h>

#define ARM64_READ(name)                                                                                               \
    __extension__({                                                                                                    \
        uint64_t read_value;                                                                                           \
        __asm__ volatile("mrs %0, " name : "=r"(read_value) : : "memory");                                             \
        read_value;                                                                                                    \
    })
#define ARM64_WRITE(name, value) __asm__ volatile("msr " name ", %x0; isb" : : "rZ"((uint64_t)(value)) : "memory")

#define DAIF_IRQ_OFF 0x80u

/* Returns whether they were on. */
static inline bool arm64_interrupts_off(void)
{
    uint64_t daif = ARM64_READ("daif");

    __asm__ volatile("msr daifset, #2" : : : "memory");
    return (daif & DAIF_IRQ_OFF) == 0;
}

/* What is due comes before this returns. */
static inline void arm64_interrupts_on(void) { __asm__ volatile("msr daifclr, #2; isb" : : : "memory"); }

/* Until an interrupt is due, also with interrupts off: then it is still due. */
static inline void arm64_wait_for_interrupt(void) { __asm__ volatile("dsb sy; wfi" : : : "memory"); }
/* For a moment: until an event of the counter's stream. */
static inline void arm64_wait_for_event(void) { __asm__ volatile("wfe" : : : "memory"); }
static inline void arm64_barrier(void) { __asm__ volatile("dsb sy" : : : "memory"); }

/* Single accesses of exactly this width, by instructions that KVM can decode. */
static inline uint32_t mmio_read8(uint64_t at)
{
    uint32_t v;

    __asm__ volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(at) : "memory");
    return v;
}
static inline uint32_t mmio_read16(uint64_t at)
{
    uint32_t v;

    __asm__ volatile("ldrh %w0, [%1]" : "=r"(v) : "r"(at) : "memory");
    return v;
}
static inline uint32_t mmio_read32(uint64_t at)
{
    uint32_t v;

    __asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(at) : "memory");
    return v;
}
static inline uint64_t mmio_read64(uint64_t at)
{
    uint64_t v;

    __asm__ volatile("ldr %x0, [%1]" : "=r"(v) : "r"(at) : "memory");
    return v;
}
static inline void mmio_write8(uint64_t at, uint32_t v)
{
    __asm__ volatile("strb %w0, [%1]" : : "rZ"(v), "r"(at) : "memory");
}
static inline void mmio_write16(uint64_t at, uint32_t v)
{
    __asm__ volatile("strh %w0, [%1]" : : "rZ"(v), "r"(at) : "memory");
}
static inline void mmio_write32(uint64_t at, uint32_t v)
{
    __asm__ volatile("str %w0, [%1]" : : "rZ"(v), "r"(at) : "memory");
}
static inline void mmio_write64(uint64_t at, uint64_t v)
{
    __asm__ volatile("str %x0, [%1]" : : "rZ"(v), "r"(at) : "memory");
}

/* By width, 1, 2 or else 4 bytes. */
static inline uint32_t mmio_read(uint64_t at, uint32_t width)
{
    return width == 1 ? mmio_read8(at) : width == 2 ? mmio_read16(at) : mmio_read32(at);
}
static inline void mmio_write(uint64_t at, uint32_t width, uint32_t value)
{
    if (width == 1)
        mmio_write8(at, value);
    else if (width == 2)
        mmio_write16(at, value);
    else
        mmio_write32(at, value);
}

/* PSCI, or any call of the SMC convention. */
static inline int64_t arm64_hvc(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;

    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
                       "memory");
    return (int64_t)x0;
}

static inline int64_t arm64_smc(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;

    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
                       "memory");
    return (int64_t)x0;
}

#endif
