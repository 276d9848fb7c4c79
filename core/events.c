/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <vcons/atomic.h>
#include <vcons/events.h>

enum { CLOSED = 0, DOOR, VIRQ };

static unsigned long lock(struct vc_events *e) { return e->env->lock.lock(e->lock); }
static void unlock(struct vc_events *e, unsigned long saved) { e->env->lock.unlock(e->lock, saved); }

static bool sizes_ok(uint32_t n_ports, uint32_t n_vcpus)
{
    return n_ports >= 2 && n_ports <= VC_EVENTS_PORTS_MAX && n_vcpus >= 1 && n_vcpus <= VC_EVENTS_VCPUS_MAX;
}

static uint32_t words(uint32_t n_ports) { return (n_ports + 63) / 64; }

static size_t ids_bytes(uint32_t n_ports) { return (vc_ids_bytes(n_ports - 1) + 7) & ~(size_t)7; }

size_t vc_events_bytes(uint32_t n_ports, uint32_t n_vcpus)
{
    if (!sizes_ok(n_ports, n_vcpus))
        return 0;
    return ids_bytes(n_ports) + n_ports * sizeof(struct vc_event_port) +
           (size_t)n_vcpus * words(n_ports) * sizeof(uint64_t);
}

int vc_events_init(struct vc_events *e, const struct vc_events_env *env, void *domain, void *event_lock,
                   uint32_t n_ports, uint32_t n_vcpus, void *memory)
{
    uint8_t *at = memory;

    if (!sizes_ok(n_ports, n_vcpus))
        return VC_EINVAL;
    *e = (struct vc_events){.env = env, .domain = domain, .lock = event_lock, .n_ports = n_ports, .n_vcpus = n_vcpus};
    e->n_words = words(n_ports);
    e->memory = memory;
    at += ids_bytes(n_ports);
    e->pending = (uint64_t *)(void *)at;
    at += (size_t)n_vcpus * e->n_words * sizeof(uint64_t);
    e->ports = (struct vc_event_port *)(void *)at;
    vc_events_reset(e);
    return VC_OK;
}

void vc_events_reset(struct vc_events *e)
{
    unsigned long saved = lock(e);

    vc_ids_init(&e->ids, 1, e->n_ports - 1, e->memory); /* port 0 is never handed out */
    memset(e->ports, 0, e->n_ports * sizeof *e->ports);
    memset(e->pending, 0, (size_t)e->n_vcpus * e->n_words * sizeof *e->pending);
    unlock(e, saved);
}

/* The rest up to the next banner: with the event lock held. */

static void raise(struct vc_events *e, uint32_t port)
{
    for (uint32_t v = 0; v < e->n_vcpus; v++)
        e->pending[v * e->n_words + port / 64] |= UINT64_C(1) << port % 64;
    vc_store_seq(&e->sequence, e->sequence + 1); /* pairs with the look at the word in env->wait */
    e->env->wake(e->domain, &e->sequence);
}

static void forget(struct vc_events *e, uint32_t port)
{
    for (uint32_t v = 0; v < e->n_vcpus; v++)
        e->pending[v * e->n_words + port / 64] &= ~(UINT64_C(1) << port % 64);
    e->ports[port] = (struct vc_event_port){.kind = CLOSED};
    vc_ids_free(&e->ids, port);
}

static int open_port(struct vc_events *e, struct vc_event_port as, uint32_t *port)
{
    int error = vc_ids_alloc(&e->ids, port);

    if (error == VC_OK)
        e->ports[*port] = as;
    return error;
}

static bool is_door(const struct vc_events *e, uint32_t port, const void *door)
{
    return port < e->n_ports && e->ports[port].kind == DOOR && e->ports[port].door == door;
}

static uint32_t virq_port(const struct vc_events *e, uint32_t virq)
{
    for (uint32_t port = 1; port < e->n_ports; port++)
        if (e->ports[port].kind == VIRQ && e->ports[port].virq == virq)
            return port;
    return 0;
}

static bool take_pending(struct vc_events *e, uint32_t vcpu, const uint32_t *ports, uint32_t n)
{
    uint64_t *row = e->pending + (size_t)vcpu * e->n_words;
    bool any = false;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t bit = UINT64_C(1) << ports[i] % 64;

        any = any || (row[ports[i] / 64] & bit) != 0;
        row[ports[i] / 64] &= ~bit;
    }
    return any;
}

/* The doors' side. */

int vc_events_open(struct vc_events *e, void *door, uint32_t *port)
{
    unsigned long saved = lock(e);
    int error = open_port(e, (struct vc_event_port){.kind = DOOR, .door = door}, port);

    unlock(e, saved);
    return error;
}

int vc_events_close(struct vc_events *e, uint32_t port, const void *door)
{
    unsigned long saved = lock(e);
    bool there = is_door(e, port, door);

    if (there)
        forget(e, port);
    unlock(e, saved);
    return there ? VC_OK : VC_ENOENT;
}

int vc_events_notify(struct vc_events *e, uint32_t port, const void *door)
{
    unsigned long saved = lock(e);
    bool there = is_door(e, port, door);

    if (there)
        raise(e, port);
    unlock(e, saved);
    return there ? VC_OK : VC_ENOENT;
}

void vc_events_virq(struct vc_events *e, uint32_t virq)
{
    unsigned long saved = lock(e);
    uint32_t port = virq_port(e, virq);

    if (port != 0)
        raise(e, port);
    unlock(e, saved);
}

/* The guest's side. */

static int64_t send(struct vc_events *e, void *ctx, uint32_t port)
{
    unsigned long saved = lock(e);
    struct vc_event_port p = {.kind = CLOSED};

    if (port < e->n_ports)
        p = e->ports[port];
    unlock(e, saved);
    if (p.kind != DOOR)
        return -XEN_EINVAL; /* nor may a guest send itself a virq */
    e->env->sent(ctx, p.door);
    return 0;
}

static int64_t close_port(struct vc_events *e, uint32_t port)
{
    unsigned long saved = lock(e);
    bool there = port < e->n_ports && e->ports[port].kind != CLOSED;

    if (there)
        forget(e, port);
    unlock(e, saved);
    return there ? 0 : -XEN_EINVAL;
}

static int64_t bind_virq(struct vc_events *e, struct evtchn_bind_virq *bind)
{
    unsigned long saved;
    int64_t result = -XEN_EEXIST;

    if (bind->virq != VIRQ_CONSOLE || bind->vcpu != 0)
        return -XEN_EINVAL;
    saved = lock(e);
    if (virq_port(e, bind->virq) == 0) {
        struct vc_event_port as = {.kind = VIRQ, .virq = bind->virq};

        result = open_port(e, as, &bind->port) == VC_OK ? 0 : -XEN_ENOSPC;
    }
    unlock(e, saved);
    return result;
}

static int64_t status(struct vc_events *e, struct evtchn_status *s)
{
    unsigned long saved = lock(e);
    int64_t result = -XEN_EINVAL;

    if (s->dom != XEN_DOMID_SELF) {
        result = -XEN_EPERM;
    } else if (s->port < e->n_ports) {
        const struct vc_event_port *p = &e->ports[s->port];

        result = 0;
        s->status = p->kind == DOOR ? EVTCHNSTAT_interdomain : p->kind == VIRQ ? EVTCHNSTAT_virq : EVTCHNSTAT_closed;
        s->vcpu = 0;
        memset(&s->u, 0, sizeof s->u); /* the other end of a door is domain 0, and no port of anybody's */
        if (p->kind == VIRQ)
            s->u.virq = p->virq;
    }
    unlock(e, saved);
    return result;
}

static int64_t unmask(const struct vc_events *e, uint32_t port)
{
    return port < e->n_ports ? 0 : -XEN_EINVAL; /* there is no mask yet: nothing is masked */
}

static int64_t with_port(struct vc_events *e, void *ctx, uint64_t cmd, uint64_t arg)
{
    struct evtchn_send p;

    if (!e->env->copy_in(ctx, &p, arg, sizeof p))
        return -XEN_EFAULT;
    switch (cmd) {
    case EVTCHNOP_close: return close_port(e, p.port);
    case EVTCHNOP_unmask: return unmask(e, p.port);
    default: return send(e, ctx, p.port);
    }
}

static int64_t op_bind_virq(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_bind_virq bind;
    int64_t result;

    if (!e->env->copy_in(ctx, &bind, arg, sizeof bind))
        return -XEN_EFAULT;
    result = bind_virq(e, &bind);
    if (result == 0 && !e->env->copy_out(ctx, arg, &bind, sizeof bind)) {
        close_port(e, bind.port); /* it would never learn the number */
        return -XEN_EFAULT;
    }
    return result;
}

static int64_t op_status(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_status s;
    int64_t result;

    if (!e->env->copy_in(ctx, &s, arg, sizeof s))
        return -XEN_EFAULT;
    result = status(e, &s);
    if (result == 0 && !e->env->copy_out(ctx, arg, &s, sizeof s))
        return -XEN_EFAULT;
    return result;
}

int64_t vc_events_channel_op(struct vc_events *e, void *ctx, uint64_t cmd, uint64_t arg)
{
    switch (cmd) {
    case EVTCHNOP_bind_virq: return op_bind_virq(e, ctx, arg);
    case EVTCHNOP_status: return op_status(e, ctx, arg);
    case EVTCHNOP_close:
    case EVTCHNOP_send:
    case EVTCHNOP_unmask: return with_port(e, ctx, cmd, arg);
    default: return -XEN_ENOSYS; /* init_control among them: the guest then stays with the 2-level ABI */
    }
}

/* Until one of the ports is pending at this vCPU. */
static void wait(struct vc_events *e, void *ctx, uint32_t vcpu, const uint32_t *ports, uint32_t n, uint64_t deadline_ns)
{
    enum vc_wait how = VC_WAIT_WOKEN;

    while (how == VC_WAIT_WOKEN) {
        unsigned long saved = lock(e);
        uint32_t sequence = e->sequence;
        bool any = take_pending(e, vcpu, ports, n);

        unlock(e, saved);
        if (any)
            return;
        how = e->env->wait(ctx, &e->sequence, sequence, deadline_ns); /* an event since then has changed the word */
    }
}

static int64_t poll(struct vc_events *e, void *ctx, uint32_t vcpu, uint64_t arg)
{
    uint32_t ports[VC_EVENTS_POLL_MAX];
    struct sched_poll p;

    if (!e->env->copy_in(ctx, &p, arg, sizeof p))
        return -XEN_EFAULT;
    if (p.nr_ports > VC_EVENTS_POLL_MAX)
        return -XEN_EINVAL;
    if (p.nr_ports > 0 && !e->env->copy_in(ctx, ports, p.ports, p.nr_ports * (uint32_t)sizeof ports[0]))
        return -XEN_EFAULT;
    for (uint32_t i = 0; i < p.nr_ports; i++)
        if (ports[i] >= e->n_ports)
            return -XEN_EINVAL;
    wait(e, ctx, vcpu, ports, p.nr_ports, p.timeout);
    return 0;
}

static int64_t shut_down(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct sched_shutdown s;

    if (!e->env->copy_in(ctx, &s, arg, sizeof s))
        return -XEN_EFAULT;
    if (s.reason == SHUTDOWN_suspend)
        return -XEN_EOPNOTSUPP; /* nobody could wake it again */
    if (s.reason > SHUTDOWN_crash)
        s.reason = SHUTDOWN_crash;
    e->env->shutdown(ctx, s.reason);
    return 0;
}

int64_t vc_events_sched_op(struct vc_events *e, void *ctx, uint32_t vcpu, uint64_t cmd, uint64_t arg)
{
    switch (cmd) {
    case SCHEDOP_yield:
    case SCHEDOP_block: e->env->yield(ctx); return 0;
    case SCHEDOP_poll: return vcpu < e->n_vcpus ? poll(e, ctx, vcpu, arg) : -XEN_EINVAL;
    case SCHEDOP_shutdown: return shut_down(e, ctx, arg);
    default: return -XEN_ENOSYS;
    }
}
