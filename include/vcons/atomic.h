/* SPDX-License-Identifier: MIT */
/*
 * atomic.h: loads, stores and copies of memory that another thread, process or guest may write.
 *
 * Spec:  C11 7.17 by the compiler's __atomic builtins, which need no libatomic and are visible to the
 *        thread sanitizer (standalone fences are not: none are used in vcons).
 * Lock:  none. Each use names the access it pairs with.
 * Trust: a loaded value is whatever the other side last wrote; read once, check, use the copy.
 */
#ifndef VCONS_ATOMIC_H
#define VCONS_ATOMIC_H
#include <stddef.h>
#include <stdint.h>

static inline uint32_t vc_load_relaxed(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint32_t vc_load_acquire(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint32_t vc_load_seq(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static inline void vc_store_relaxed(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void vc_store_release(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void vc_store_seq(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
static inline uint32_t vc_swap_seq(uint32_t *p, uint32_t v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }

/*
 * Copy n bytes that another side may change meanwhile, so that what is checked and what is used are one
 * value: the compiler must take to for changed here, and so cannot go back to from (XSA-155 was such a second
 * fetch).
 */
static inline void vc_copy_once(void *to, const void *from, size_t n)
{
    __builtin_memcpy(to, from, n);
    __asm__ volatile("" : : "r"(to) : "memory");
}
static inline void vc_add_relaxed(uint32_t *p, uint32_t v) { __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
static inline uint16_t vc_load16_relaxed(const uint16_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint16_t vc_load16_acquire(const uint16_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint16_t vc_load16_seq(const uint16_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static inline void vc_store16_relaxed(uint16_t *p, uint16_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void vc_store16_seq(uint16_t *p, uint16_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
static inline uint8_t vc_load8_seq(const uint8_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static inline void vc_store8_seq(uint8_t *p, uint8_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }

#endif
