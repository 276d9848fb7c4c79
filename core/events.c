/* SPDX-License-Identifier: MIT */
#include "events.h"
#include "memory.h"

static uint32_t words(uint32_t n_ports) { return (n_ports + 31) / 32; }
static size_t round_up(size_t n) { return (n + 63) & ~(size_t)63; }

static bool sizes_ok(uint32_t n_ports, uint32_t n_vcpus)
{
    return n_ports >= 2 && n_ports <= VC_EVENTS_PORTS_MAX && n_vcpus >= 1 && n_vcpus <= VC_VCPUS_MAX;
}

size_t vc_events_bytes(uint32_t n_ports, uint32_t n_vcpus)
{
    if (!sizes_ok(n_ports, n_vcpus))
        return 0;
    return round_up(n_ports * sizeof(struct vc_event_port)) + round_up(vc_ids_bytes(n_ports - 1)) +
           round_up((size_t)n_vcpus * words(n_ports) * sizeof(uint32_t)) +
           round_up((size_t)n_vcpus * NR_VIRQS * sizeof(uint16_t));
}

int vc_events_init(struct vc_events *e, const struct vc_events_env *env, void *domain, struct vc_shared_info *shared,
                   uint32_t n_ports, void *memory)
{
    uint8_t *at = memory;

    if (!sizes_ok(n_ports, shared->n_vcpus))
        return VC_EINVAL;
    *e = (struct vc_events){.env = env, .domain = domain, .shared = shared, .n_ports = n_ports};
    e->n_words = words(n_ports);
    memset(memory, 0, vc_events_bytes(n_ports, shared->n_vcpus));
    e->ports = (struct vc_event_port *)(void *)at;
    at += round_up(n_ports * sizeof(struct vc_event_port));
    vc_ids_init(&e->ids, 1, n_ports - 1, at); /* port 0 is never handed out */
    at += round_up(vc_ids_bytes(n_ports - 1));
    e->pending = (uint32_t *)(void *)at;
    at += round_up((size_t)shared->n_vcpus * e->n_words * sizeof(uint32_t));
    e->virq_port = (uint16_t *)(void *)at;
    return VC_OK;
}

/* ---- Delivery. ---- */

/* Until shared_info is placed: at every vCPU, for each takes what it polls. Whether any had it clear. */
static bool raise_rows(struct vc_events *e, uint32_t port)
{
    bool any = false;

    for (uint32_t v = 0; v < e->shared->n_vcpus; v++)
        any |= set_bit(e->pending + (size_t)v * e->n_words, port);
    return any;
}

/* What is to be done after a delivery, without a lock. */
static void delivered(struct vc_events *e, uint32_t vcpu, uint32_t port, enum vcpu_delivery how)
{
    if (how != VCPU_COALESCED && vc_load_seq(&e->n_pollers) != 0) /* pairs with poll_begin of sched_op.c */
        vc_wake_pollers(e, port);
    if (how == VCPU_UPCALL)
        vc_vcpu_upcall(e->shared, vcpu);
}

bool vc_port_raise(struct vc_events *e, uint32_t port, uint64_t is, const void *door)
{
    enum vcpu_delivery how;
    struct vcpu_guard g;
    bool rows = false;

    if (e->env->deliver != NULL) {
        if (door != NULL && __atomic_load_n(&e->ports[port].door, __ATOMIC_RELAXED) != door)
            return false;
        e->env->deliver(e->domain, word_vcpu(is), port);
        return true;
    }
    if (!vcpu_enter(e->shared, word_vcpu(is), &g)) /* the guest took the page away, and its events with it */
        return port_load(e, port) == is;
    if (port_load(e, port) != is || (door != NULL && e->ports[port].door != door)) {
        vcpu_leave(e->shared, &g);
        return false;
    }
    if (vc_load_relaxed(&e->shared->placed) == 0)
        rows = raise_rows(e, port);
    how = vcpu_deliver(g.vcpu, port);
    if (rows && how == VCPU_COALESCED)
        how = VCPU_PENDING;
    vcpu_leave(e->shared, &g);
    delivered(e, word_vcpu(is), port, how);
    return true;
}

void vc_port_unmask(struct vc_events *e, uint32_t port)
{
    enum vcpu_delivery how = VCPU_COALESCED;
    struct vcpu_guard g;
    bool again = false;
    uint64_t is;

    for (;;) {
        is = port_load(e, port);
        if (!vcpu_enter(e->shared, word_vcpu(is), &g))
            return;
        if (port_load(e, port) == is)
            break;
        vcpu_leave(e->shared, &g); /* another vCPU's since */
    }
    /* Only if it had been set: a guest that clears bits by hand has no upcall coming (facts §4.3). */
    if (port < g.vcpu->n_ports && clear_bit(g.vcpu->mask, port) && test_bit(g.vcpu->pending, port)) {
        if (e->env->deliver == NULL)
            how = vcpu_select(g.vcpu, port);
        else /* KVM cannot unmask, but an event that is not yet pending it delivers (facts §12.3) */
            again = clear_bit(g.vcpu->pending, port);
    }
    vcpu_leave(e->shared, &g);
    if (again)
        e->env->deliver(e->domain, word_vcpu(is), port);
    if (how == VCPU_UPCALL)
        vc_vcpu_upcall(e->shared, word_vcpu(is));
}

/* ---- The table, under the event lock. ---- */

static void forget_pending(struct vc_events *e, struct vc_vcpu *v, uint32_t port)
{
    if (port < v->n_ports)
        clear_bit(v->pending, port);
    for (uint32_t i = 0; i < e->shared->n_vcpus; i++)
        clear_bit(e->pending + (size_t)i * e->n_words, port);
}

static void tell(struct vc_events *e, uint32_t port)
{
    struct vc_event_binding binding;

    vc_events_look(e, port, &binding);
    if (binding.kind == VC_EVENT_FREE && e->env->unbound != NULL)
        e->env->unbound(e->domain, port);
    if (binding.kind != VC_EVENT_FREE && e->env->bound != NULL)
        e->env->bound(e->domain, port, &binding);
}

/* Under the lock of the vCPU that senders of the old word take: who has seen that is through afterwards, or sees this. */
void vc_port_change(struct vc_events *e, uint32_t port, uint64_t is, void *door)
{
    uint32_t vcpu = word_vcpu(port_load(e, port));
    bool closes = word_kind(is) == VC_EVENT_FREE; /* only then does what is pending go too */
    struct vcpu_guard g;
    unsigned long saved = 0;
    bool there = closes && e->env->deliver == NULL && vc_vcpu_enter_held(e->shared, vcpu, &g);

    if (!there)
        saved = vcpu_lock(e->shared, &e->shared->vcpus[vcpu]);
    __atomic_store_n(&e->ports[port].door, door, __ATOMIC_RELAXED);
    __atomic_store_n(&e->ports[port].is, is, __ATOMIC_RELEASE);
    if (there) {
        forget_pending(e, g.vcpu, port);
        vcpu_leave(e->shared, &g);
    } else {
        vcpu_unlock(e->shared, &e->shared->vcpus[vcpu], saved);
    }
    tell(e, port);
    /* Who delivers in our place does so until told: only now is nothing on its way any more. */
    if (closes && e->env->deliver != NULL && vc_vcpu_enter_held(e->shared, vcpu, &g)) {
        forget_pending(e, g.vcpu, port);
        vcpu_leave(e->shared, &g);
    }
}

int vc_port_reserve(struct vc_events *e, uint32_t *port)
{
    uint32_t id;

    if (vc_ids_alloc(&e->ids, &id) != VC_OK)
        return VC_ENOSPC;
    if (id >= port_limit(e)) {
        vc_ids_free(&e->ids, id);
        return VC_ENOSPC;
    }
    *port = id;
    return VC_OK;
}

int vc_port_open(struct vc_events *e, uint64_t is, void *door, uint32_t *port)
{
    int error = vc_port_reserve(e, port);

    if (error == VC_OK)
        vc_port_change(e, *port, is, door);
    return error;
}

void vc_port_free(struct vc_events *e, uint32_t port)
{
    uint64_t is = port_load(e, port);

    if (word_kind(is) == VC_EVENT_VIRQ) /* nobody raises it from now on; who has seen the port finds it free */
        __atomic_store_n(virq_slot(e, word_vcpu(is), word_virq(is)), 0, __ATOMIC_SEQ_CST);
    vc_port_change(e, port, 0, NULL);
    vc_ids_free(&e->ids, port);
}

/* ---- Two domains. ---- */

struct vc_events *vc_peer_of(struct vc_events *e, uint32_t domid)
{
    if (domid == e->shared->domid)
        return e;
    return e->env->peer == NULL || domid == VC_DOMID_BACKEND ? NULL : e->env->peer(e->domain, domid);
}

void vc_peer_drop(struct vc_events *e, struct vc_events *peer)
{
    if (peer != NULL && peer != e && e->env->peer_done != NULL)
        e->env->peer_done(e->domain, peer);
}

struct two_locks vc_lock_two(struct vc_events *a, struct vc_events *b)
{
    struct two_locks l = {.first = a};

    if (b != NULL && b != a) {
        bool in_order = a->shared->domid < b->shared->domid;

        l.first = in_order ? a : b;
        l.second = in_order ? b : a;
    }
    l.first_saved = domain_lock(l.first->shared);
    if (l.second != NULL)
        l.second_saved = domain_lock(l.second->shared);
    return l;
}

void vc_unlock_two(const struct two_locks *l)
{
    if (l->second != NULL)
        domain_unlock(l->second->shared, l->second_saved);
    domain_unlock(l->first->shared, l->first_saved);
}

/* [events, both] The other end is unbound from now on, and waits for this domain. */
static void leave_peer(struct vc_events *e, uint32_t port, struct vc_events *peer, uint32_t peer_port)
{
    uint64_t other = port_load(peer, peer_port);

    if (peer_port != port || peer != e)
        vc_port_change(peer, peer_port,
                       port_word(VC_EVENT_UNBOUND, word_vcpu(other)) | word_remote(e->shared->domid, 0), NULL);
}

/* What a guest gets that closes it; by ourselves every port goes. */
static int64_t may_close(uint64_t is, bool by_guest)
{
    if (word_kind(is) == VC_EVENT_FREE)
        return -XEN_EINVAL;
    if (by_guest && word_kind(is) == VC_EVENT_DOOR && (word_rights(is) & VC_DOOR_CLOSE) == 0)
        return -XEN_EINVAL; /* Xen-attached, as it calls that */
    return 0;
}

int64_t vc_port_close(struct vc_events *e, uint32_t port, uint64_t only, bool by_guest)
{
    for (;;) {
        uint64_t is = port_load(e, port);

        if (only != 0 && is != only)
            return -XEN_EINVAL;
        struct vc_events *peer = word_kind(is) == VC_EVENT_INTERDOMAIN ? vc_peer_of(e, word_dom(is)) : NULL;
        struct two_locks l = vc_lock_two(e, peer);
        bool same = port_load(e, port) == is; /* whose peer to lock is known only when locked */
        int64_t result = may_close(is, by_guest);

        if (same && result == 0) {
            if (peer != NULL)
                leave_peer(e, port, peer, word_port(is));
            vc_port_free(e, port);
        }
        vc_unlock_two(&l);
        vc_peer_drop(e, peer);
        if (same)
            return result;
    }
}

void vc_events_reset(struct vc_events *e)
{
    for (uint32_t port = 1; port < e->n_ports; port++)
        if (word_kind(port_load(e, port)) != VC_EVENT_FREE)
            vc_port_close(e, port, 0, false);
}

/* ---- The doors' side. ---- */

static bool is_door(const struct vc_events *e, uint32_t port, const void *door)
{
    return port > 0 && port < e->n_ports && word_kind(port_load(e, port)) == VC_EVENT_DOOR &&
           __atomic_load_n(&e->ports[port].door, __ATOMIC_RELAXED) == door;
}

int vc_events_open(struct vc_events *e, void *door, unsigned rights, uint32_t *port)
{
    unsigned long saved = domain_lock(e->shared);
    int error = vc_port_open(e, port_word(VC_EVENT_DOOR, 0) | (uint64_t)(rights & VC_DOOR_GUEST) << RIGHTS, door, port);

    domain_unlock(e->shared, saved);
    return error;
}

int vc_events_bind(struct vc_events *e, void *door, uint32_t port)
{
    unsigned long saved = domain_lock(e->shared);
    uint64_t is = port < e->n_ports ? port_load(e, port) : 0;
    bool right = word_kind(is) == VC_EVENT_UNBOUND && word_dom(is) == VC_DOMID_BACKEND;

    if (right)
        vc_port_change(e, port,
                       port_word(VC_EVENT_DOOR, word_vcpu(is)) | (uint64_t)VC_DOOR_GUEST << RIGHTS |
                           UINT64_C(1) << GUEST_MADE,
                       door);
    domain_unlock(e->shared, saved);
    return right ? VC_OK : VC_ENOENT;
}

int vc_events_close(struct vc_events *e, uint32_t port, const void *door)
{
    unsigned long saved = domain_lock(e->shared);
    bool there = is_door(e, port, door);
    uint64_t is = there ? port_load(e, port) : 0;

    if (there && word_guest_made(is))
        vc_port_change(e, port, port_word(VC_EVENT_UNBOUND, word_vcpu(is)) | word_remote(VC_DOMID_BACKEND, 0), NULL);
    else if (there)
        vc_port_free(e, port);
    domain_unlock(e->shared, saved);
    return there ? VC_OK : VC_ENOENT;
}

int vc_events_notify(struct vc_events *e, uint32_t port, const void *door)
{
    while (is_door(e, port, door)) /* again only if its vCPU or its owner has just changed */
        if (vc_port_raise(e, port, port_load(e, port), door))
            return VC_OK;
    return VC_ENOENT;
}

void vc_events_virq(struct vc_events *e, uint32_t vcpu, uint32_t virq)
{
    uint32_t port;

    if (vcpu >= e->shared->n_vcpus || virq >= NR_VIRQS)
        return;
    while ((port = __atomic_load_n(virq_slot(e, vcpu, virq), __ATOMIC_SEQ_CST)) != 0) {
        uint64_t is = port_load(e, port);

        if (word_kind(is) == VC_EVENT_VIRQ && word_virq(is) == virq && vc_port_raise(e, port, is, NULL))
            return;
    }
}

int vc_events_look(struct vc_events *e, uint32_t port, struct vc_event_binding *binding)
{
    uint64_t is;

    if (port >= e->n_ports)
        return VC_EINVAL;
    is = port_load(e, port);
    *binding = (struct vc_event_binding){
        .kind = word_kind(is),
        .vcpu = word_vcpu(is),
        .virq = word_virq(is),
        .remote_dom = word_dom(is),
        .remote_port = word_port(is),
        .door = __atomic_load_n(&e->ports[port].door, __ATOMIC_RELAXED),
    };
    return VC_OK;
}
