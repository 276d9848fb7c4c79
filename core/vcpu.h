/* SPDX-License-Identifier: MIT */
/*
 * vcpu.h: delivery into one vCPU's shared pages, for events.c and shared_info.c. Private to core/.
 *
 * Lock:  "[vcpu]": the caller holds that vCPU's lock. "[events]": the domain's event lock.
 */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H
#include <vcons/atomic.h>
#include <vcons/shared_info.h>

/* What one delivery came to. */
enum vcpu_delivery {
    VCPU_COALESCED, /* it was pending already */
    VCPU_PENDING,   /* pending now: pollers are to look */
    VCPU_UPCALL,    /* that, and upcall_pending went from 0 to 1 */
};

struct vcpu_layout {
    uint32_t n_ports, word_shift; /* of evtchn_pending: log2 of its bits */
    uint32_t pending, mask, wallclock, wallclock_high;
    uint32_t n_default, info_bytes, selector, time; /* of vcpu_info */
    uint32_t align;                                 /* of a registered one */
};
extern const struct vcpu_layout vc_vcpu_layouts[];

static inline unsigned long vcpu_lock(struct vc_shared_info *s, struct vc_vcpu *v)
{
    return vc_lock_take(&s->env->lock, v->lock, VC_RANK_VCPU, 0);
}
static inline void vcpu_unlock(struct vc_shared_info *s, struct vc_vcpu *v, unsigned long saved)
{
    vc_lock_drop(&s->env->lock, v->lock, saved);
}
static inline unsigned long domain_lock(struct vc_shared_info *s)
{
    return vc_lock_take(&s->env->lock, s->lock, VC_RANK_EVENTS, s->domid);
}
static inline void domain_unlock(struct vc_shared_info *s, unsigned long saved)
{
    vc_lock_drop(&s->env->lock, s->lock, saved);
}

static inline enum vc_abi shared_abi(const struct vc_shared_info *s) /* changes under the event lock */
{
    return (enum vc_abi)vc_load_relaxed(&s->abi);
}

static inline bool set_bit(uint32_t *words, uint32_t bit) /* whether it was clear */
{
    uint32_t mask = UINT32_C(1) << bit % 32;

    return (__atomic_fetch_or(words + bit / 32, mask, __ATOMIC_SEQ_CST) & mask) == 0;
}
static inline bool clear_bit(uint32_t *words, uint32_t bit) /* whether it was set */
{
    uint32_t mask = UINT32_C(1) << bit % 32;

    return (__atomic_fetch_and(words + bit / 32, ~mask, __ATOMIC_SEQ_CST) & mask) != 0;
}
static inline bool test_bit(const uint32_t *words, uint32_t bit)
{
    return (vc_load_seq(words + bit / 32) >> bit % 32 & 1) != 0;
}

/* [vcpu] Whether its pages are where the memory map of this moment has them. */
static inline bool vcpu_current(const struct vc_shared_info *s, const struct vc_vcpu *v)
{
    return v->generation == __atomic_load_n(&s->generation, __ATOMIC_SEQ_CST); /* pairs with vc_shared_info_remapped */
}

/* [vcpu, current] Steps 2b and 3 of delivery: selector, upcall. Each pairs with the guest's exchange of it (facts §4.2). */
static inline enum vcpu_delivery vcpu_select(struct vc_vcpu *v, uint32_t port)
{
    if (v->info == NULL || !set_bit(v->selector, port >> v->word_shift))
        return VCPU_PENDING;
    return __atomic_exchange_n(v->info, 1, __ATOMIC_SEQ_CST) == 0 ? VCPU_UPCALL : VCPU_PENDING;
}

/* [vcpu, current] Delivery of port, in Xen's order (facts §4.2). */
static inline enum vcpu_delivery vcpu_deliver(struct vc_vcpu *v, uint32_t port)
{
    if (port >= v->n_ports ||
        !set_bit(v->pending, port)) /* beyond: opened in 64-bit mode, and this one has no such bit */
        return VCPU_COALESCED;
    return test_bit(v->mask, port) ? VCPU_PENDING : vcpu_select(v, port);
}

/* What vcpu_enter took, for vcpu_leave. */
struct vcpu_guard {
    struct vc_vcpu *vcpu;
    unsigned long domain_saved, vcpu_saved;
    bool slow;
};

/* The slow path of vcpu_enter: by way of the event lock, under which a move ends before this looks. */
bool vc_vcpu_enter_slow(struct vc_shared_info *s, uint32_t vcpu, struct vcpu_guard *g);
/*
 * Take the vCPU's lock, its pages current: the fast path; it would block if they are being moved, or the memory map has
 * changed. False: a page is not there any more, nothing is locked.
 */
static inline bool vcpu_enter(struct vc_shared_info *s, uint32_t vcpu, struct vcpu_guard *g)
{
    g->vcpu = &s->vcpus[vcpu];
    g->slow = false;
    g->vcpu_saved = vcpu_lock(s, g->vcpu);
    if (vcpu_current(s, g->vcpu))
        return true;
    vcpu_unlock(s, g->vcpu, g->vcpu_saved);
    return vc_vcpu_enter_slow(s, vcpu, g);
}
static inline void vcpu_leave(struct vc_shared_info *s, const struct vcpu_guard *g)
{
    vcpu_unlock(s, g->vcpu, g->vcpu_saved);
    if (g->slow)
        domain_unlock(s, g->domain_saved);
}
/* [events] The same under an event lock that the caller has, and keeps. */
bool vc_vcpu_enter_held(struct vc_shared_info *s, uint32_t vcpu, struct vcpu_guard *g);

/* ---- Moving pages: under the event lock, for shared_info.c and vcpu_info.c. ---- */

/* Nobody delivers to the vCPU from now on by what it has; afterwards nobody is in the middle of it. */
void vc_shared_block(struct vc_shared_info *s, struct vc_vcpu *v);
/* shared_info, and the vCPU's vcpu_info (NULL: it has none), as they lie here now. False: a page is not there. */
bool vc_shared_find(struct vc_shared_info *s, uint32_t vcpu, uint8_t **shared, uint8_t **info);
/* From now on deliveries go there. The event lock keeps the generation what it is. */
void vc_shared_publish(struct vc_shared_info *s, struct vc_vcpu *v, uint8_t *shared, uint8_t *info);
/* Blocked: Xen's last step of a registration, all ports to be looked at. Whether upcall_pending went from 0 to 1. */
bool vc_shared_mark(const struct vcpu_layout *l, uint8_t *info);
void vc_shared_tell_moved(struct vc_shared_info *s, uint32_t vcpu);

/* No lock of ours. upcall_pending went from 0 to 1: wake whoever sleeps there and inject. */
void vc_vcpu_upcall(struct vc_shared_info *s, uint32_t vcpu);
/* The clock as last told, into the place where vcpu_info is now. */
void vc_vcpu_refresh_time(struct vc_shared_info *s, uint32_t vcpu);
/* [events] Wall time as last told, into the page. */
void vc_shared_write_wallclock(struct vc_shared_info *s, uint8_t *page);
/* [events] The page of shared_info as it lies here; NULL: it has gone. */
uint8_t *vc_shared_page(struct vc_shared_info *s);
/* Words that the guest may change meanwhile; n is a multiple of 4. */
void vc_vcpu_copy_words(uint8_t *to, const uint8_t *from, uint32_t n);
/* [events, vcpu] Where its time and runstate areas are now. at[] of a page that is not there is NULL: not written. */
void vc_vcpu_map_areas(struct vc_shared_info *s, struct vc_vcpu *v);

#endif
