/* SPDX-License-Identifier: MIT */
/*
 * platform.h: what a driver needs from the machine it runs on: hypercalls and a view of guest memory.
 *
 * Spec:  Xen ABI: hypercall numbers and results of wire/xen.h; pointers in arguments are guest virtual addresses.
 * Owner: the platform (guest/pvh/, guest/process/, a test) places it; it outlives every driver on it.
 * Lock:  none here; hypercall may be called from several vCPUs at once, each for itself.
 * Trust: a result is the hypervisor's word and is range-checked by the driver that asked (rule R35). The frame numbers
 *        that come with it are checked by map.
 */
#ifndef GUEST_PLATFORM_H
#define GUEST_PLATFORM_H
#include <stddef.h>
#include <stdint.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/xen.h>

struct platform {
    void *ctx;
    /* No console call has more than three arguments; the others are 0. May block, as SCHEDOP_poll does. */
    int64_t (*hypercall)(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2);
    /* Where the guest sees these guest physical addresses; NULL if they are not memory of this guest. */
    void *(*map)(void *ctx, uint64_t gpa, size_t bytes);
    /* The other way round, for the guest's own data. NULL where no driver in use asks: that of consoles does not. */
    uint64_t (*gpa)(void *ctx, const void *at);
    /*
     * How this kernel waits: until one of n ports, at most 128, had an event, or until this system time (0: no limit), or
     * for no reason. NULL: by SCHEDOP_poll.
     */
    void (*wait)(void *wait_ctx, const uint32_t *ports, uint32_t n, uint64_t until_ns);
    void *wait_ctx;
};

static inline uint64_t guest_address(const void *p) { return (uint64_t)(uintptr_t)p; }

/* 0, or the negative of an XEN_E number; so all below. */
static inline int64_t hypercall_notify(const struct platform *p, uint32_t port)
{
    struct evtchn_send send = {port};

    return p->hypercall(p->ctx, XEN_event_channel_op, EVTCHNOP_send, guest_address(&send), 0);
}

static inline int64_t hypercall_yield(const struct platform *p)
{
    return p->hypercall(p->ctx, XEN_sched_op, SCHEDOP_yield, 0, 0);
}

/* Wait until one of n ports is pending or until this system time; 0: no time limit. */
static inline int64_t hypercall_poll(const struct platform *p, const uint32_t *ports, uint32_t n, uint64_t until_ns)
{
    struct sched_poll poll = {.ports = guest_address(ports), .nr_ports = n, .timeout = until_ns};
    struct compat_sched_poll compat = {.ports = (uint32_t)poll.ports, .nr_ports = n, .timeout = until_ns};
    const void *call = sizeof(void *) == 8 ? (const void *)&poll : &compat;

    return p->hypercall(p->ctx, XEN_sched_op, SCHEDOP_poll, guest_address(call), 0);
}

/* As this kernel waits; negative: it cannot. */
static inline int64_t platform_wait(const struct platform *p, const uint32_t *ports, uint32_t n, uint64_t until_ns)
{
    if (p->wait == NULL)
        return hypercall_poll(p, ports, n, until_ns);
    p->wait(p->wait_ctx, ports, n, until_ns);
    return 0;
}

static inline int64_t hypercall_shutdown(const struct platform *p, uint32_t reason)
{
    struct sched_shutdown shutdown = {reason};

    return p->hypercall(p->ctx, XEN_sched_op, SCHEDOP_shutdown, guest_address(&shutdown), 0);
}

/* System time in ns, or 0 where the hypervisor does not tell (a real Xen does by vcpu_info, not by a call:
 * shared_page.h). */
static inline uint64_t hypercall_time(const struct platform *p)
{
    int64_t now = p->hypercall(p->ctx, VC_CALL_TIME, 0, 0, 0);

    return now > 0 ? (uint64_t)now : 0;
}

/* *value is 0 after a failure; an unset parameter is 0 too (Xen ABI 6.1). */
static inline int64_t hypercall_get_param(const struct platform *p, uint32_t index, uint64_t *value)
{
    struct xen_hvm_param param = {.domid = XEN_DOMID_SELF, .index = index};
    int64_t error = p->hypercall(p->ctx, XEN_hvm_op, HVMOP_get_param, guest_address(&param), 0);

    *value = error == 0 ? param.value : 0;
    return error;
}

#endif
