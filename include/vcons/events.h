/* SPDX-License-Identifier: MIT */
/*
 * events.h: event channels of one domain as far as its consoles need them, and the scheduler calls that wait
 * for them.
 *
 * Spec:  Xen public/event_channel.h (2-level ABI: up to 4096 ports, port 0 reserved), public/sched.h. Errors
 *        are Xen's.
 * Owner: the caller gives vc_events_bytes() of memory, aligned to 8, and takes it back when no call is under way.
 * Lock:  one event lock a domain, through env->lock, a leaf: taken inside each function, never held in
 *        copy_in, copy_out, sent, wait, yield or shutdown. Any thread may call anything, with any other lock
 *        of lock.h held, except the hypercalls: those with none.
 * Trust: ports, counts and addresses are the guest's and may be anything.
 *
 * There is no shared_info yet: pending bits live here, one set for each vCPU, and SCHEDOP_poll takes the bits
 * that it reports, its own vCPU's only. So a vCPU that looked at its ring just before an event came does not
 * lose it to another vCPU that polls the same port. (On Xen the guest clears the one bit in shared_info.)
 */
#ifndef VCONS_EVENTS_H
#define VCONS_EVENTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/error.h>
#include <vcons/ids.h>
#include <vcons/lock.h>
#include <vcons/wire/xen.h>

#define VC_EVENTS_PORTS_MAX 4096u /* 64 words of 64 bits */
#define VC_EVENTS_VCPUS_MAX 128u
#define VC_EVENTS_POLL_MAX  128u /* Xen's limit of sched_poll.nr_ports */

enum vc_wait { VC_WAIT_WOKEN = 0, VC_WAIT_TIMEOUT = 1, VC_WAIT_STOP = 2 };

struct vc_events_env {
    struct vc_lock_env lock;
    bool (*copy_in)(void *ctx, void *to, uint64_t from, uint32_t n); /* as console_io.h; ctx is the vCPU's */
    bool (*copy_out)(void *ctx, uint64_t to, const void *from, uint32_t n);
    /* The guest sent on a port that belongs to door. In the sending vCPU's thread, without the event lock. */
    void (*sent)(void *ctx, void *door);
    /*
     * Sleep while *word == value, as a futex does: until vc_events_env.wake of that word, until the absolute
     * system time deadline_ns (0: none), or until this vCPU has to stop. May return VC_WAIT_WOKEN for no reason.
     */
    enum vc_wait (*wait)(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns);
    void (*wake)(void *domain, const uint32_t *word); /* wake all that wait; under the event lock, may not block */
    void (*yield)(void *ctx);
    void (*shutdown)(void *ctx,
                     uint32_t reason); /* SHUTDOWN_poweroff, _reboot or _crash; unknown reasons are a crash */
};

struct vc_event_port { /* private to this file */
    uint32_t kind;
    uint32_t virq;
    void *door;
};
struct vc_events { /* for the caller to place, not to read */
    const struct vc_events_env *env;
    void *domain; /* ctx of wake */
    void *lock;
    uint32_t n_ports, n_vcpus, n_words;
    uint32_t sequence; /* the word pollers sleep on: one more for each event */
    void *memory;
    struct vc_ids ids;
    struct vc_event_port *ports;
    uint64_t *pending; /* n_vcpus rows of n_words */
};

/* Bytes of memory for so many ports (2..4096, port 0 counted) and vCPUs (1..128); 0 if out of range. */
size_t vc_events_bytes(uint32_t n_ports, uint32_t n_vcpus);
/* All ports closed. VC_EINVAL as above. env->wake gets domain, every other env function the ctx of its call.
 */
int vc_events_init(struct vc_events *e, const struct vc_events_env *env, void *domain, void *lock, uint32_t n_ports,
                   uint32_t n_vcpus, void *memory);
/* As after init: for a domain that boots again. Nobody may be in a hypercall of it. */
void vc_events_reset(struct vc_events *e);

/* The lowest free port, connected to door, a pointer that is not NULL and means something to the caller.
 * VC_ENOSPC. */
int vc_events_open(struct vc_events *e, void *door, uint32_t *port);
/* VC_ENOENT: the port is not (or no longer: the guest may close it) that door's. */
int vc_events_close(struct vc_events *e, uint32_t port, const void *door);
/* Raise the port at the guest. VC_ENOENT as above; that is the guest's doing and harmless. */
int vc_events_notify(struct vc_events *e, uint32_t port, const void *door);
/* Raise a virq, if the guest has bound it. VIRQ_CONSOLE is the domain's own notification of input for console_io. */
void vc_events_virq(struct vc_events *e, uint32_t virq);

/*
 * The hypercalls of vCPU number vcpu (< n_vcpus); ctx is handed to env; the result is what the guest gets.
 * event_channel_op: bind_virq (VIRQ_CONSOLE only, else -EINVAL), close, send, status (of itself), unmask;
 * init_control, expand_array, set_priority and all others -ENOSYS. sched_op: yield, block (as yield: there is
 * no upcall to wait for), poll, shutdown. A poll that env->wait ends with VC_WAIT_STOP returns 0, as a
 * spurious wake does.
 */
int64_t vc_events_channel_op(struct vc_events *e, void *ctx, uint64_t cmd, uint64_t arg);
int64_t vc_events_sched_op(struct vc_events *e, void *ctx, uint32_t vcpu, uint64_t cmd, uint64_t arg);

#endif
