/* SPDX-License-Identifier: MIT */
/*
 * events.h: event channels of one domain (Xen's 2-level ABI), and the scheduler calls that wait for them.
 *
 * Spec:  Xen public/event_channel.h, public/sched.h, xen/common/event_channel.c, event_2l.c. Errors are Xen's.
 * Owner: the caller gives vc_events_bytes() of memory, aligned to 64, and takes it back when no call is under way.
 * Lock:  those of the domain's vc_shared_info: the event lock for changes of the port table, a vCPU's lock for delivery
 *        to it and for the ports that notify it. A send takes one lock, the target's, whatever the number of ports,
 *        vCPUs and domains; two sends to different vCPUs share none. None is held in copy_in, copy_out, sent, deliver,
 *        upcall, wait, yield, shutdown or peer. Any thread may call anything, with any other lock of lock.h below
 *        VC_RANK_EVENTS held, except the hypercalls: those with none.
 * Trust: ports, counts and addresses are the guest's and may be anything.
 *
 * domid 0 is the backend: the hypervisor program itself. Its ends of channels are doors, not ports: a door is a pointer
 * that means something to the caller, and what the guest may do with the port is said when it opens.
 *
 * As long as the guest has not placed shared_info (shared_info.h) it cannot clear a pending bit. Until then each vCPU has
 * pending bits of its own here, and SCHEDOP_poll takes those that it reports; SCHEDOP_block only yields.
 */
#ifndef VCONS_EVENTS_H
#define VCONS_EVENTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/error.h>
#include <vcons/ids.h>
#include <vcons/lock.h>
#include <vcons/shared_info.h>
#include <vcons/wire/xen.h>

#define VC_EVENTS_PORTS_MAX 4096u /* 64 words of 64 bits; a guest in 32-bit mode has 1024 */
#define VC_EVENTS_POLL_MAX  128u  /* Xen's limit of sched_poll.nr_ports */
#define VC_DOMID_BACKEND    0u

enum vc_wait { VC_WAIT_WOKEN = 0, VC_WAIT_TIMEOUT = 1, VC_WAIT_STOP = 2 };

/* What the guest may do with a door's port; none: it is private, as Xen-attached ports are. unmask and status always. */
enum vc_door_rights {
    VC_DOOR_PRIVATE = 0,
    VC_DOOR_SEND = 1,
    VC_DOOR_CLOSE = 2,
    VC_DOOR_REBIND = 4, /* EVTCHNOP_bind_vcpu */
    VC_DOOR_GUEST = 7,
};

enum vc_event_kind {
    VC_EVENT_FREE = 0,
    VC_EVENT_UNBOUND,
    VC_EVENT_INTERDOMAIN,
    VC_EVENT_VIRQ,
    VC_EVENT_IPI,
    VC_EVENT_DOOR
};
struct vc_event_binding { /* what a port is, for those who are told */
    enum vc_event_kind kind;
    uint32_t vcpu;
    uint32_t virq;        /* VC_EVENT_VIRQ */
    uint32_t remote_dom;  /* VC_EVENT_UNBOUND, _INTERDOMAIN */
    uint32_t remote_port; /* VC_EVENT_INTERDOMAIN */
    void *door;           /* VC_EVENT_DOOR */
};

struct vc_events_env {                                               /* what is not marked optional must be set */
    bool (*copy_in)(void *ctx, void *to, uint64_t from, uint32_t n); /* as console_io.h; ctx is the vCPU's */
    bool (*copy_out)(void *ctx, uint64_t to, const void *from, uint32_t n);
    /* The guest sent on a port that belongs to door. In the sending vCPU's thread. */
    void (*sent)(void *ctx, void *door);
    /*
     * Sleep while *word == value, as a futex does: until vc_shared_info_env.wake of that word, until the absolute
     * system time deadline_ns (0: none), or until this vCPU has to stop. May return VC_WAIT_WOKEN for no reason.
     */
    enum vc_wait (*wait)(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns);
    void (*yield)(void *ctx);
    /* SHUTDOWN_*, but _suspend, which the guest is refused; unknown reasons are a crash */
    void (*shutdown)(void *ctx, uint32_t reason);
    /*
     * Optional: the ports of another domain, which stay until peer_done; NULL: no such domain. A domain that goes away
     * calls vc_events_reset first. Never asked for this domain itself or for the backend.
     */
    struct vc_events *(*peer)(void *domain, uint32_t domid);
    void (*peer_done)(void *domain, struct vc_events *peer);
    /*
     * Optional, delegated delivery: somebody else (KVM) writes shared_info and vcpu_info and raises upcalls; core's own
     * delivery, poll and block do nothing. The port was this domain's when asked; it may have been closed since.
     */
    void (*deliver)(void *domain, uint32_t vcpu, uint32_t port);
    /* Optional: port is bound so now (again: its vCPU changed), or closed. Under the event lock: may not call back. */
    void (*bound)(void *domain, uint32_t port, const struct vc_event_binding *binding);
    void (*unbound)(void *domain, uint32_t port);
};

struct vc_event_port { /* private */
    uint64_t is;       /* what it is, in one word: loaded without a lock, changed under its vCPU's */
    void *door;
};
struct vc_events { /* for the caller to place, not to read */
    const struct vc_events_env *env;
    void *domain;
    struct vc_shared_info *shared;
    uint32_t n_ports, n_words;
    uint32_t n_pollers; /* vCPUs in SCHEDOP_poll */
    void *memory;
    struct vc_ids ids;
    struct vc_event_port *ports;
    uint32_t *pending;   /* until shared_info is placed: a row of n_words for each vCPU */
    uint16_t *virq_port; /* NR_VIRQS for each vCPU; 0: not bound */
};

/* Bytes of memory for so many ports (2..4096, port 0 counted) and vCPUs (1..128); 0 if out of range. */
size_t vc_events_bytes(uint32_t n_ports, uint32_t n_vcpus);
/* All ports closed. VC_EINVAL as above. shared is this domain's and initialised; domain is the ctx of the functions that
 * have no vCPU's. */
int vc_events_init(struct vc_events *e, const struct vc_events_env *env, void *domain, struct vc_shared_info *shared,
                   uint32_t n_ports, void *memory);
/*
 * Closes every port, private ones too; the other ends become unbound, reserved for this domain. For a domain that boots
 * again or goes away: nobody may be in a hypercall of it, but peers and doors may be sending to it. Before
 * vc_shared_info_reset.
 */
void vc_events_reset(struct vc_events *e);

/* ---- Doors. ---- */

/* The lowest free port, connected to door, a pointer that is not NULL, notifying vCPU 0. rights: VC_DOOR_*. VC_ENOSPC. */
int vc_events_open(struct vc_events *e, void *door, unsigned rights, uint32_t *port);
/*
 * Connects door to a port that the guest allocated for the backend (alloc_unbound, remote domain 0), with all rights to
 * the guest. VC_ENOENT: it is none. What the guest sent before went nowhere: look once afterwards.
 */
int vc_events_bind(struct vc_events *e, void *door, uint32_t port);
/* The port is free again; one that the guest had allocated is unbound again. VC_ENOENT: it is not (or no longer: the
 * guest may close it) that door's. */
int vc_events_close(struct vc_events *e, uint32_t port, const void *door);
/* Raise the port at the guest. VC_ENOENT as above; that is the guest's doing and harmless. */
int vc_events_notify(struct vc_events *e, uint32_t port, const void *door);
/*
 * Raise a virq at vcpu (0 for those that are the domain's), if the guest has bound it there. VIRQ_CONSOLE is the domain's
 * own notification of input for console_io.
 */
void vc_events_virq(struct vc_events *e, uint32_t vcpu, uint32_t virq);
/* What a port is now. VC_EINVAL: out of range. */
int vc_events_look(struct vc_events *e, uint32_t port, struct vc_event_binding *binding);

/*
 * ---- Hypercalls: of vCPU number vcpu (< n_vcpus); ctx is handed to env; the result is what the guest gets. ----
 *
 * event_channel_op: all of facts §4.4. bind_pirq is -EINVAL (there are no pirqs); init_control, expand_array and
 * set_priority -ENOSYS, so that the guest stays with the 2-level ABI. Virqs: TIMER, DEBUG, XENOPROF and XENPMU belong to a
 * vCPU, CONSOLE, ARGO and ARCH_7 (wire/callpage.h) to the domain; the others are the machine's, which no domain here owns:
 * -EBUSY.
 * sched_op: yield, block, poll, shutdown. A poll ends as on Xen: one of the ports is pending, the time is over, or an
 * upcall came; and on VC_WAIT_STOP.
 */
int64_t vc_events_channel_op(struct vc_events *e, void *ctx, uint64_t cmd, uint64_t arg);
int64_t vc_events_sched_op(struct vc_events *e, void *ctx, uint32_t vcpu, uint64_t cmd, uint64_t arg);
/* SCHEDOP_poll of a 32-bit guest: its argument is laid out otherwise. */
int64_t vc_events_compat_poll(struct vc_events *e, void *ctx, uint32_t vcpu, uint64_t arg);

/* After an exit of vcpu whose upcall was dropped: see shared_info.h. */
static inline bool vc_events_retry_upcall(struct vc_events *e, uint32_t vcpu)
{
    return vc_shared_info_retry_upcall(e->shared, vcpu);
}

#endif
