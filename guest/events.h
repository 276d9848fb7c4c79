/* SPDX-License-Identifier: MIT */
/*
 * events.h: event channels of a guest, the 2-level ABI: ports, masks, and the upcall that serves what is pending.
 *
 * Spec:  Xen ABI 4.1-4.4: public/event_channel.h. Masking and unmasking by Linux' rules (4.3), the upcall in the order
 *        of 4.2: clear upcall_pending, take the selector, then for each word what is pending and not masked.
 * Owner: the caller places struct events (it is large) and one struct events_cpu for each vCPU; handlers and their ctx
 *        stay for as long as the port does.
 * Lock:  a handler runs on the port's vCPU, with that vCPU's upcalls off. One port is set up, moved and closed by one
 *        vCPU at a time: the caller's care. Masks, sends and upcalls need no lock. Words are touched 32 bits at a time:
 *        in the little-endian layout the bits of a 64-bit word are those of its two halves.
 * Trust: ports that the hypervisor hands out are checked against the layout before anything is looked up by them.
 */
#ifndef GUEST_EVENTS_H
#define GUEST_EVENTS_H
#include "shared_page.h"
#include <stdbool.h>

#define EVENTS_PORTS 4096u
#define EVENTS_CPUS  64u

struct events_cpu;
typedef void events_handler(void *ctx, struct events_cpu *cpu, uint32_t port);

/* How a vCPU is interrupted. All of them are called on that vCPU; ctx is events_cpu.way_ctx. */
struct events_way {
    const char *name;
    bool (*off)(void *ctx); /* no upcall from now on; returns whether there could have been one before */
    void (*on)(void *ctx);  /* upcalls from now on, that which is due at once */
    /* With upcalls off, and so on return: sleep until one is due, or, where there is none ever, until one of n ports is
     * pending. May return without reason. */
    void (*sleep)(void *ctx, const uint32_t *ports, uint32_t n);
    bool by_any; /* sleep ends at any interrupt of this vCPU, also one that came before it */
};

struct events_cpu { /* for the caller to place, not to write */
    struct events *events;
    const struct platform *platform; /* of this vCPU */
    const struct events_way *way;
    void *way_ctx;
    uint32_t vcpu;
    bool registered;    /* info is an area of its own */
    bool off;           /* of events_by_poll and events_by_block */
    uint8_t *info;      /* its vcpu_info; NULL: none yet, and no event reaches it */
    uint64_t n_upcalls; /* taken; a round without anything to do counts */
};
/*
 * Where no interrupt tells a vCPU of its upcalls: it looks by itself, in `on`, and wherever its platform calls
 * events_look. way_ctx is the events_cpu. Asleep it is in SCHEDOP_poll, for any hypervisor, or in SCHEDOP_block, for
 * those that end that when upcall_pending is set, whatever a processor's own flags say.
 */
extern const struct events_way events_by_poll, events_by_block;
void events_look(struct events_cpu *cpu);

struct events { /* for the caller to place, not to write */
    const struct shared_layout *layout;
    uint8_t *page; /* shared_info */
    struct events_port {
        events_handler *handle; /* NULL: seen is all */
        void *ctx;
    } ports[EVENTS_PORTS];
    uint32_t vcpu[EVENTS_PORTS];      /* where each is handled */
    uint32_t seen[EVENTS_PORTS / 32]; /* had an event since events_wait or events_seen looked */
};

/* page is shared_info, mapped. All ports masked, as Linux has it: none of them is live yet. */
void events_init(struct events *e, const struct shared_layout *layout, void *page);
/* shared_info moved; then for each vCPU: so did its vcpu_info, if it has registered none. No vCPU may use either meanwhile. */
void events_moved(struct events *e, void *page);
void events_cpu_moved(struct events_cpu *cpu);
/* A vCPU. Its way is events_by_poll, off, until itself, with upcalls off, says another by events_cpu_way. */
void events_cpu_init(struct events_cpu *cpu, struct events *e, const struct platform *platform, uint32_t vcpu);
void events_cpu_way(struct events_cpu *cpu, const struct events_way *way, void *way_ctx);
/*
 * VCPUOP_register_vcpu_info of this vCPU, on itself, once: 0 or -XEN_E, the place unchanged. Nothing that is pending is
 * lost: the hypervisor marks the whole selector and an upcall, which comes before this returns if upcalls are on.
 */
int64_t events_register(struct events_cpu *cpu, uint8_t *area);
/* This is its vcpu_info: somebody else registered it before the vCPU ran. */
void events_cpu_registered(struct events_cpu *cpu, uint8_t *area);

/* Each returns 0 or -XEN_E. A new port is masked, seen not yet, and has no handler. *port is 0 after a failure. */
int64_t events_alloc_unbound(struct events_cpu *cpu, uint16_t remote, uint32_t *port);
int64_t events_bind_interdomain(struct events_cpu *cpu, uint16_t remote, uint32_t remote_port, uint32_t *port);
int64_t events_bind_virq(struct events_cpu *cpu, uint32_t virq, uint32_t vcpu, uint32_t *port);
int64_t events_bind_ipi(struct events_cpu *cpu, uint32_t vcpu, uint32_t *port);
int64_t events_bind_vcpu(struct events_cpu *cpu, uint32_t port, uint32_t vcpu);
int64_t events_status(struct events_cpu *cpu, uint32_t port, struct evtchn_status *status);
int64_t events_close(struct events_cpu *cpu, uint32_t port);
static inline int64_t events_send(struct events_cpu *cpu, uint32_t port)
{
    return hypercall_notify(cpu->platform, port);
}

/* Before its first unmask, or masked. */
void events_handle(struct events *e, uint32_t port, events_handler *handle, void *ctx);
void events_mask(struct events *e, uint32_t port);
/* What came meanwhile is delivered: at once, if it is this vCPU's. -XEN_EINVAL: no such port. */
int64_t events_unmask(struct events_cpu *cpu, uint32_t port);
bool events_is_pending(const struct events *e, uint32_t port);
bool events_is_masked(const struct events *e, uint32_t port);
/* By hand, without telling the hypervisor: for ports that are polled, and for tests. */
bool events_clear_pending(struct events *e, uint32_t port);
void events_clear_mask(struct events *e, uint32_t port);

/* The upcall: with upcalls off, until upcall_pending stays clear. */
void events_upcall(struct events_cpu *cpu);
/* Is one due? */
bool events_due(const struct events_cpu *cpu);
/*
 * Sleep until one of n ports of this vCPU, unmasked and with no handler, had an event, also one before the call; or until
 * that system time (0: no limit); or for no reason. Upcalls may be on or off and are so again.
 */
void events_wait(struct events_cpu *cpu, const uint32_t *ports, uint32_t n, uint64_t until_ns);
/* Take the mark of a port without a handler. */
bool events_seen(struct events *e, uint32_t port);

#endif
