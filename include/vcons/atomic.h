/* SPDX-License-Identifier: MIT */
/*
 * atomic.h: 32-bit loads and stores of memory that another thread, process or guest may write.
 *
 * Spec:  C11 7.17 by the compiler's __atomic builtins, which need no libatomic and are visible to the
 *        thread sanitizer (standalone fences are not: none are used in vcons).
 * Lock:  none. Each use names the access it pairs with.
 * Trust: a loaded value is whatever the other side last wrote; read once, check, use the copy.
 */
#ifndef VCONS_ATOMIC_H
#define VCONS_ATOMIC_H
#include <stdbool.h>
#include <stdint.h>

static inline uint32_t vc_load_relaxed(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline uint32_t vc_load_acquire(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static inline uint32_t vc_load_seq(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }
static inline void vc_store_relaxed(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }
static inline void vc_store_release(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static inline void vc_store_seq(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }
static inline uint32_t vc_swap_seq(uint32_t *p, uint32_t v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }

#endif
