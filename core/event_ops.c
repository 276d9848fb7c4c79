/* SPDX-License-Identifier: MIT */
/* event_channel_op: what a guest asks of its event channels. */
#include "events.h"
#include "memory.h"

static bool in(struct vc_events *e, void *ctx, void *to, uint64_t arg, uint32_t n)
{
    return e->env->copy_in(ctx, to, arg, n);
}

/* The guest learns the number of a port that was just made, or it is closed again: it, and nobody else's since. */
static int64_t made(struct vc_events *e, void *ctx, uint64_t arg, const void *args, uint32_t n, uint32_t port,
                    uint64_t is)
{
    if (e->env->copy_out(ctx, arg, args, n))
        return 0;
    vc_port_close(e, port, is, true);
    return -XEN_EFAULT;
}

static uint32_t self_or(const struct vc_events *e, uint32_t dom)
{
    return dom == XEN_DOMID_SELF ? e->shared->domid : dom;
}

/* What a guest gets that names another domain where it may name only itself. */
static int64_t not_self(struct vc_events *e, uint32_t dom)
{
    struct vc_events *peer = vc_peer_of(e, dom);

    vc_peer_drop(e, peer);
    return peer != NULL || dom == VC_DOMID_BACKEND ? -XEN_EPERM : -XEN_ESRCH;
}

/* ---- Making ports. ---- */

static int64_t make(struct vc_events *e, uint64_t is, uint32_t *port)
{
    unsigned long saved = domain_lock(e->shared);
    int error = vc_port_open(e, is, NULL, port);

    domain_unlock(e->shared, saved);
    return error == VC_OK ? 0 : -XEN_ENOSPC;
}

static int64_t alloc_unbound(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_alloc_unbound a;
    uint64_t is;
    int64_t result;

    if (!in(e, ctx, &a, arg, sizeof a))
        return -XEN_EFAULT;
    if (self_or(e, a.dom) != e->shared->domid)
        return not_self(e, a.dom);
    is = port_word(VC_EVENT_UNBOUND, 0) | word_remote(self_or(e, a.remote_dom), 0);
    result = make(e, is, &a.port);
    return result != 0 ? result : made(e, ctx, arg, &a, sizeof a, a.port, is);
}

static int64_t bind_ipi(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_bind_ipi b;
    int64_t result;

    if (!in(e, ctx, &b, arg, sizeof b))
        return -XEN_EFAULT;
    if (b.vcpu >= e->shared->n_vcpus)
        return -XEN_ENOENT;
    result = make(e, port_word(VC_EVENT_IPI, b.vcpu), &b.port);
    return result != 0 ? result : made(e, ctx, arg, &b, sizeof b, b.port, port_word(VC_EVENT_IPI, b.vcpu));
}

/* [events] */
static int64_t make_virq(struct vc_events *e, uint32_t virq, uint32_t vcpu, uint64_t is, uint32_t *port)
{
    uint16_t *slot = virq_slot(e, vcpu, virq);

    if (*slot != 0)
        return -XEN_EEXIST;
    if (!virq_of_vcpu(virq) && virq != VIRQ_CONSOLE && virq != VIRQ_ARGO && virq != VIRQ_ARCH_7)
        return -XEN_EBUSY; /* the machine's, and the machine is domain 0's */
    if (vc_port_open(e, is, NULL, port) != VC_OK)
        return -XEN_ENOSPC;
    __atomic_store_n(slot, (uint16_t)*port, __ATOMIC_SEQ_CST);
    return 0;
}

static int64_t bind_virq(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_bind_virq b;
    unsigned long saved;
    int64_t result;
    uint64_t is;

    if (!in(e, ctx, &b, arg, sizeof b))
        return -XEN_EFAULT;
    if (b.virq >= NR_VIRQS || (!virq_of_vcpu(b.virq) && b.vcpu != 0))
        return -XEN_EINVAL;
    if (b.vcpu >= e->shared->n_vcpus)
        return -XEN_ENOENT;
    is = port_word(VC_EVENT_VIRQ, b.vcpu) | (uint64_t)b.virq << VIRQ;
    saved = domain_lock(e->shared);
    result = make_virq(e, b.virq, b.vcpu, is, &b.port);
    domain_unlock(e->shared, saved);
    return result != 0 ? result : made(e, ctx, arg, &b, sizeof b, b.port, is);
}

/* [events, both] A port here, connected with remote_port of peer, which waits for us. */
static int64_t connect(struct vc_events *e, struct vc_events *peer, uint32_t remote_port, uint32_t *port)
{
    uint32_t here = e->shared->domid, there = peer->shared->domid;
    uint64_t other = remote_port < port_limit(peer) ? port_load(peer, remote_port) : 0;

    if (vc_port_reserve(e, port) != VC_OK)
        return -XEN_ENOSPC;
    if (word_kind(other) != VC_EVENT_UNBOUND || word_dom(other) != here) {
        vc_ids_free(&e->ids, *port);
        return -XEN_EINVAL;
    }
    vc_port_change(e, *port, port_word(VC_EVENT_INTERDOMAIN, 0) | word_remote(there, remote_port), NULL);
    vc_port_change(peer, remote_port, port_word(VC_EVENT_INTERDOMAIN, word_vcpu(other)) | word_remote(here, *port),
                   NULL);
    return 0;
}

static int64_t bind_interdomain(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_bind_interdomain b;
    struct vc_events *peer;
    struct two_locks l;
    int64_t result;
    uint64_t is;

    if (!in(e, ctx, &b, arg, sizeof b))
        return -XEN_EFAULT;
    peer = vc_peer_of(e, self_or(e, b.remote_dom));
    if (peer == NULL) /* the backend's ends are no ports */
        return b.remote_dom == VC_DOMID_BACKEND ? -XEN_EINVAL : -XEN_ESRCH;
    l = vc_lock_two(e, peer);
    result = connect(e, peer, b.remote_port, &b.local_port);
    vc_unlock_two(&l);
    vc_peer_drop(e, peer);
    if (result != 0)
        return result;
    is = port_word(VC_EVENT_INTERDOMAIN, 0) | word_remote(self_or(e, b.remote_dom), b.remote_port);
    vc_port_raise(e, b.local_port, is, NULL); /* what the other end sent until now was lost */
    return made(e, ctx, arg, &b, sizeof b, b.local_port, is);
}

/* ---- Using them. ---- */

/* False: it is not what it was; look again. */
static bool send_to_door(struct vc_events *e, void *ctx, uint32_t port, uint64_t is)
{
    struct vc_vcpu *v = &e->shared->vcpus[word_vcpu(is)];
    unsigned long saved = vcpu_lock(e->shared, v);
    bool same = port_load(e, port) == is;
    void *door = e->ports[port].door;

    vcpu_unlock(e->shared, v, saved);
    if (same)
        e->env->sent(ctx, door);
    return same;
}

static bool send_to_peer(struct vc_events *e, uint32_t port, uint64_t is)
{
    struct vc_events *peer = vc_peer_of(e, word_dom(is));
    uint32_t remote = word_port(is);
    uint64_t other = peer == NULL ? 0 : port_load(peer, remote);
    bool done = true; /* the other end goes away at this moment: as if sent before that */

    /* Looked at in both directions: that port may be somebody else's by now. */
    if (word_kind(other) == VC_EVENT_INTERDOMAIN && word_dom(other) == e->shared->domid && word_port(other) == port)
        done = vc_port_raise(peer, remote, other, NULL);
    vc_peer_drop(e, peer);
    return done;
}

static int64_t send(struct vc_events *e, void *ctx, uint32_t port)
{
    bool done;

    if (port >= port_limit(e))
        return -XEN_EINVAL;
    do {
        uint64_t is = port_load(e, port);

        switch (word_kind(is)) {
        case VC_EVENT_UNBOUND: return 0; /* dropped */
        case VC_EVENT_IPI: done = vc_port_raise(e, port, is, NULL); break;
        case VC_EVENT_INTERDOMAIN: done = send_to_peer(e, port, is); break;
        case VC_EVENT_DOOR:
            if ((word_rights(is) & VC_DOOR_SEND) == 0)
                return -XEN_EINVAL;
            done = send_to_door(e, ctx, port, is);
            break;
        default: return -XEN_EINVAL; /* a virq too */
        }
    } while (!done);
    return 0;
}

static int64_t with_port(struct vc_events *e, void *ctx, uint64_t cmd, uint64_t arg)
{
    struct evtchn_send p;

    if (!in(e, ctx, &p, arg, sizeof p))
        return -XEN_EFAULT;
    if (cmd == EVTCHNOP_send)
        return send(e, ctx, p.port);
    if (p.port >= port_limit(e))
        return -XEN_EINVAL;
    if (cmd == EVTCHNOP_close)
        return vc_port_close(e, p.port, 0, true);
    vc_port_unmask(e, p.port);
    return 0;
}

static void fill_status(const struct vc_event_binding *b, struct evtchn_status *s)
{
    static const uint32_t shown[] = {
        [VC_EVENT_FREE] = EVTCHNSTAT_closed,
        [VC_EVENT_UNBOUND] = EVTCHNSTAT_unbound,
        [VC_EVENT_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [VC_EVENT_VIRQ] = EVTCHNSTAT_virq,
        [VC_EVENT_IPI] = EVTCHNSTAT_ipi,
        [VC_EVENT_DOOR] = EVTCHNSTAT_interdomain,
    };

    s->status = shown[b->kind];
    s->vcpu = b->vcpu;
    memset(&s->u, 0, sizeof s->u);
    switch (b->kind) {
    case VC_EVENT_UNBOUND: s->u.unbound.dom = (uint16_t)b->remote_dom; break;
    case VC_EVENT_VIRQ: s->u.virq = b->virq; break;
    case VC_EVENT_INTERDOMAIN:
        s->u.interdomain.dom = (uint16_t)b->remote_dom;
        s->u.interdomain.port = b->remote_port;
        break;
    case VC_EVENT_DOOR: /* the backend numbers its ends as we do ours */
        s->u.interdomain.dom = VC_DOMID_BACKEND;
        s->u.interdomain.port = s->port;
        break;
    default: break;
    }
}

static int64_t status(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct vc_event_binding binding;
    struct evtchn_status s;

    if (!in(e, ctx, &s, arg, sizeof s))
        return -XEN_EFAULT;
    if (self_or(e, s.dom) != e->shared->domid)
        return not_self(e, s.dom);
    if (s.port >= port_limit(e))
        return -XEN_EINVAL;
    vc_events_look(e, s.port, &binding);
    fill_status(&binding, &s);
    return e->env->copy_out(ctx, arg, &s, sizeof s) ? 0 : -XEN_EFAULT;
}

/* [events] */
static int64_t rebind(struct vc_events *e, uint32_t port, uint32_t vcpu)
{
    uint64_t is = port_load(e, port);
    bool may;

    switch (word_kind(is)) {
    case VC_EVENT_UNBOUND:
    case VC_EVENT_INTERDOMAIN: may = true; break;
    case VC_EVENT_VIRQ: may = !virq_of_vcpu(word_virq(is)); break;
    case VC_EVENT_DOOR: may = (word_rights(is) & VC_DOOR_REBIND) != 0; break;
    default: may = false;
    }
    if (!may)
        return -XEN_EINVAL;
    is &= ~(UINT64_C(255) << VCPU);
    vc_port_change(e, port, is | (uint64_t)vcpu << VCPU, e->ports[port].door);
    return 0;
}

static int64_t bind_vcpu(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_bind_vcpu b;
    unsigned long saved;
    int64_t result;

    if (!in(e, ctx, &b, arg, sizeof b))
        return -XEN_EFAULT;
    if (b.vcpu >= e->shared->n_vcpus)
        return -XEN_ENOENT;
    if (b.port >= port_limit(e))
        return -XEN_EINVAL;
    saved = domain_lock(e->shared);
    result = rebind(e, b.port, b.vcpu);
    domain_unlock(e->shared, saved);
    return result;
}

static int64_t reset(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_reset r;

    if (!in(e, ctx, &r, arg, sizeof r))
        return -XEN_EFAULT;
    if (self_or(e, r.dom) != e->shared->domid)
        return not_self(e, r.dom);
    for (uint32_t port = 1; port < e->n_ports; port++) /* each with locks of its own: nobody waits for all of it */
        vc_port_close(e, port, 0, true);
    return 0;
}

static int64_t bind_pirq(struct vc_events *e, void *ctx, uint64_t arg)
{
    struct evtchn_bind_pirq b;

    return in(e, ctx, &b, arg, sizeof b) ? -XEN_EINVAL : -XEN_EFAULT; /* whatever the number: there are none */
}

int64_t vc_events_channel_op(struct vc_events *e, void *ctx, uint64_t cmd, uint64_t arg)
{
    switch (cmd) {
    case EVTCHNOP_alloc_unbound: return alloc_unbound(e, ctx, arg);
    case EVTCHNOP_bind_interdomain: return bind_interdomain(e, ctx, arg);
    case EVTCHNOP_bind_virq: return bind_virq(e, ctx, arg);
    case EVTCHNOP_bind_ipi: return bind_ipi(e, ctx, arg);
    case EVTCHNOP_bind_pirq: return bind_pirq(e, ctx, arg);
    case EVTCHNOP_bind_vcpu: return bind_vcpu(e, ctx, arg);
    case EVTCHNOP_status: return status(e, ctx, arg);
    case EVTCHNOP_reset: return reset(e, ctx, arg);
    case EVTCHNOP_close:
    case EVTCHNOP_send:
    case EVTCHNOP_unmask: return with_port(e, ctx, cmd, arg);
    default: return -XEN_ENOSYS; /* init_control among them: the guest then stays with the 2-level ABI */
    }
}
