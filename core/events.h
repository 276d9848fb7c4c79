/* SPDX-License-Identifier: MIT */
/* events.h: the inside of event channels, for events.c, event_ops.c and sched_op.c. Private to core/. */
#ifndef CORE_EVENTS_H
#define CORE_EVENTS_H
#include "vcpu.h"
#include <vcons/events.h>

/*
 * What a port is, in one word. It is written under the event lock and under the lock of the vCPU that the old word names;
 * read under either, or without: then what was read must be compared again under that vCPU's lock.
 */
enum { KIND = 0, RIGHTS = 4, GUEST_MADE = 7, VCPU = 8, VIRQ = 16, REMOTE_DOM = 24, REMOTE_PORT = 40 };

static inline uint64_t port_word(enum vc_event_kind kind, uint32_t vcpu)
{
    return (uint64_t)kind | (uint64_t)vcpu << VCPU;
}
static inline enum vc_event_kind word_kind(uint64_t is) { return (enum vc_event_kind)(is >> KIND & 15); }
static inline unsigned word_rights(uint64_t is) { return is >> RIGHTS & 7; }
static inline bool word_guest_made(uint64_t is) { return (is >> GUEST_MADE & 1) != 0; }
static inline uint32_t word_vcpu(uint64_t is) { return is >> VCPU & 255; }
static inline uint32_t word_virq(uint64_t is) { return is >> VIRQ & 255; }
static inline uint32_t word_dom(uint64_t is) { return is >> REMOTE_DOM & 0xffff; }
static inline uint32_t word_port(uint64_t is) { return is >> REMOTE_PORT & 0xffff; }
static inline uint64_t word_remote(uint32_t dom, uint32_t port)
{
    return (uint64_t)dom << REMOTE_DOM | (uint64_t)port << REMOTE_PORT;
}

static inline uint64_t port_load(const struct vc_events *e, uint32_t port)
{
    return __atomic_load_n(&e->ports[port].is, __ATOMIC_ACQUIRE); /* pairs with port_store */
}
/* The ports there are in the guest's mode; port 0 among them, which is never handed out. */
static inline uint32_t port_limit(const struct vc_events *e)
{
    uint32_t n = vc_vcpu_layouts[shared_abi(e->shared)].n_ports;

    return n < e->n_ports ? n : e->n_ports;
}

/* A vCPU has four virqs of its own; the others are the domain's, and kept with vCPU 0, wherever they notify. */
static inline bool virq_of_vcpu(uint32_t virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}
static inline uint16_t *virq_slot(const struct vc_events *e, uint32_t vcpu, uint32_t virq)
{
    return e->virq_port + (virq_of_vcpu(virq) ? vcpu * NR_VIRQS : 0) + virq;
}

/* ---- Under the event lock. ---- */

/* The lowest free number. VC_ENOSPC; given back by vc_ids_free. */
int vc_port_reserve(struct vc_events *e, uint32_t *port);
/* And bound as is says. */
int vc_port_open(struct vc_events *e, uint64_t is, void *door, uint32_t *port);
/* What it is changes; pending, when it stops being anything, goes with it. */
void vc_port_change(struct vc_events *e, uint32_t port, uint64_t is, void *door);
/* Free again, whatever it was but a port with a peer. */
void vc_port_free(struct vc_events *e, uint32_t port);

/* ---- Under no lock of ours. ---- */

/* Deliver at port as long as it is what the caller saw; false: it is not any more. door: its door must be that, or NULL. */
bool vc_port_raise(struct vc_events *e, uint32_t port, uint64_t is, const void *door);
/* Steps 2b.. of delivery if the port is pending and was masked. */
void vc_port_unmask(struct vc_events *e, uint32_t port);
/* Close it; only: if it still is that very thing (0: whatever it is). -XEN_EINVAL: free, or not the guest's to close. */
int64_t vc_port_close(struct vc_events *e, uint32_t port, uint64_t only, bool by_guest);
/* This domain itself, or another that stays until vc_peer_drop; NULL: there is none, or it is the backend. */
struct vc_events *vc_peer_of(struct vc_events *e, uint32_t domid);
void vc_peer_drop(struct vc_events *e, struct vc_events *peer);
/* Both domains' event locks, which may be one. */
struct two_locks {
    struct vc_events *first, *second; /* second NULL: they are one */
    unsigned long first_saved, second_saved;
};
struct two_locks vc_lock_two(struct vc_events *a, struct vc_events *b);
void vc_unlock_two(const struct two_locks *l);

/* sched_op.c: the port became pending: those who poll it are to look. */
void vc_wake_pollers(struct vc_events *e, uint32_t port);

#endif
