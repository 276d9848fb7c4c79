/* SPDX-License-Identifier: MIT */
/* sched_op: what a guest does until an event comes. */
#include "events.h"

#define POLL_NONE 0u /* never a port that is handed out */
#define POLL_MANY UINT32_MAX

static bool is_placed(const struct vc_events *e) { return vc_load_seq(&e->shared->placed) != 0; }

void vc_wake_pollers(struct vc_events *e, uint32_t port)
{
    for (uint32_t i = 0; i < e->shared->n_vcpus; i++) {
        struct vc_vcpu *v = &e->shared->vcpus[i];
        uint32_t polls = vc_load_seq(&v->poll_port);

        if (polls != port && polls != POLL_MANY)
            continue;
        __atomic_fetch_add(&v->word, 1, __ATOMIC_SEQ_CST);
        e->shared->env->wake(e->shared->domain, &v->word);
    }
}

/*
 * Who is about to sleep says so before it looks; who delivers sets the bit before it looks whether anybody sleeps. All
 * sequentially consistent, so one of them sees the other.
 */
static void sleep_begin(struct vc_events *e, struct vc_vcpu *v, uint32_t poll_port)
{
    vc_store_seq(&v->sleeping, 1);
    vc_store_seq(&v->poll_port, poll_port);
    if (poll_port != POLL_NONE)
        __atomic_fetch_add(&e->n_pollers, 1, __ATOMIC_SEQ_CST);
}

static void sleep_end(struct vc_events *e, struct vc_vcpu *v, uint32_t poll_port)
{
    if (poll_port != POLL_NONE)
        __atomic_fetch_sub(&e->n_pollers, 1, __ATOMIC_SEQ_CST);
    vc_store_seq(&v->poll_port, POLL_NONE);
    vc_store_seq(&v->sleeping, 0);
}

/* Whether one is pending: a bit that the guest clears itself, or, before it can, one that is taken here. */
static bool any_pending(struct vc_events *e, uint32_t vcpu, const uint32_t *ports, uint32_t n)
{
    struct vcpu_guard g;
    bool any = false;

    if (!is_placed(e)) {
        for (uint32_t i = 0; i < n; i++)
            any |= clear_bit(e->pending + (size_t)vcpu * e->n_words, ports[i]);
        return any;
    }
    if (!vcpu_enter(e->shared, vcpu, &g))
        return false;
    for (uint32_t i = 0; i < n && !any; i++)
        any = ports[i] < g.vcpu->n_ports && test_bit(g.vcpu->pending, ports[i]);
    vcpu_leave(e->shared, &g);
    return any;
}

static void poll_ports(struct vc_events *e, void *ctx, uint32_t vcpu, const uint32_t *ports, uint32_t n,
                       uint64_t deadline_ns)
{
    struct vc_vcpu *v = &e->shared->vcpus[vcpu];
    uint32_t polls = n == 1 && ports[0] != POLL_NONE ? ports[0] : POLL_MANY;
    enum vc_wait how = VC_WAIT_WOKEN;
    uint32_t upcalls;

    sleep_begin(e, v, polls);
    upcalls = vc_load_seq(&v->upcalls);
    while (how == VC_WAIT_WOKEN) {
        uint32_t word = vc_load_seq(&v->word);

        if (any_pending(e, vcpu, ports, n) || (is_placed(e) && vc_load_seq(&v->upcalls) != upcalls))
            break;                                            /* what the guest cannot see yet is no reason */
        how = e->env->wait(ctx, &v->word, word, deadline_ns); /* an event since then has changed the word */
    }
    sleep_end(e, v, polls);
}

static int64_t poll(struct vc_events *e, void *ctx, uint32_t vcpu, const struct sched_poll *p)
{
    uint32_t ports[VC_EVENTS_POLL_MAX];

    if (p->nr_ports > VC_EVENTS_POLL_MAX)
        return -XEN_EINVAL;
    if (p->nr_ports > 0 && !e->env->copy_in(ctx, ports, p->ports, p->nr_ports * (uint32_t)sizeof ports[0]))
        return -XEN_EFAULT;
    for (uint32_t i = 0; i < p->nr_ports; i++)
        if (ports[i] >= port_limit(e))
            return -XEN_EINVAL;
    if (e->env->deliver != NULL)
        e->env->yield(ctx); /* who delivers can wake pollers; we do not see their events */
    else
        poll_ports(e, ctx, vcpu, ports, p->nr_ports, p->timeout);
    return 0;
}

static int64_t op_poll(struct vc_events *e, void *ctx, uint32_t vcpu, uint64_t arg)
{
    struct sched_poll p;

    return e->env->copy_in(ctx, &p, arg, sizeof p) ? poll(e, ctx, vcpu, &p) : -XEN_EFAULT;
}

int64_t vc_events_compat_poll(struct vc_events *e, void *ctx, uint32_t vcpu, uint64_t arg)
{
    struct compat_sched_poll c;
    struct sched_poll p;

    if (vcpu >= e->shared->n_vcpus)
        return -XEN_EINVAL;
    if (!e->env->copy_in(ctx, &c, arg, sizeof c))
        return -XEN_EFAULT;
    p = (struct sched_poll){.ports = c.ports, .nr_ports = c.nr_ports, .timeout = c.timeout};
    return poll(e, ctx, vcpu, &p);
}

/* Until evtchn_upcall_pending. */
static void block(struct vc_events *e, void *ctx, uint32_t vcpu)
{
    struct vc_vcpu *v = &e->shared->vcpus[vcpu];
    enum vc_wait how = VC_WAIT_WOKEN;

    if (!is_placed(e) || e->env->deliver != NULL) {
        e->env->yield(ctx);
        return;
    }
    sleep_begin(e, v, POLL_NONE);
    while (how == VC_WAIT_WOKEN) {
        uint32_t word = vc_load_seq(&v->word);

        if (vc_shared_info_upcall_pending(e->shared, vcpu))
            break;
        how = e->env->wait(ctx, &v->word, word, 0);
    }
    sleep_end(e, v, POLL_NONE);
}

static int64_t shut_down(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct sched_shutdown s;

    if (!e->env->copy_in(ctx, &s, arg, sizeof s))
        return -XEN_EFAULT;
    if (s.reason == SHUTDOWN_suspend)
        return -XEN_EOPNOTSUPP; /* nobody could wake it again */
    if (s.reason > SHUTDOWN_soft_reset)
        s.reason = SHUTDOWN_crash;
    e->env->shutdown(ctx, s.reason);
    return 0;
}

int64_t vc_events_sched_op(struct vc_events *e, void *ctx, uint32_t vcpu, uint64_t cmd, uint64_t arg)
{
    if (vcpu >= e->shared->n_vcpus)
        return -XEN_EINVAL;
    switch (cmd) {
    case SCHEDOP_yield: e->env->yield(ctx); return 0;
    case SCHEDOP_block: block(e, ctx, vcpu); return 0;
    case SCHEDOP_poll: return op_poll(e, ctx, vcpu, arg);
    case SCHEDOP_shutdown: return shut_down(e, ctx, arg);
    default: return -XEN_ENOSYS;
    }
}
