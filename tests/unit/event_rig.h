/* SPDX-License-Identifier: MIT */
/*
 * event_rig.h: two domains with memory, for the tests of event channels and shared pages. Hypercall arguments are copied
 * from and to page 0; pages may be missing, read-only or somewhere else from one moment to the next.
 */
#ifndef VCONS_TESTS_EVENT_RIG_H
#define VCONS_TESTS_EVENT_RIG_H
#include "unit.h"

#include "door_locks.h"
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/events.h>

#define RIG_PAGES 16u
#define RIG_BYTES (RIG_PAGES * 4096u)
#define RIG_VCPUS 40u
#define RIG_PORTS 4096u
#define ARGS      64u  /* where hypercall arguments stand */
#define LIST      512u /* and what they point to */

struct rig_domain {
    struct rig *rig;
    uint32_t domid;
    struct vc_shared_info shared;
    struct vc_events events;
    struct door_lock lock, vcpu_locks[RIG_VCPUS];
    _Alignas(4096) uint8_t ram[RIG_BYTES], other[RIG_BYTES]; /* other: where a page may be instead */
    bool elsewhere[RIG_PAGES];
    int map_error[RIG_PAGES]; /* VC_OK: it is there */
    bool read_only;           /* copy_out fails */
    unsigned n_maps;
    /* What core told. */
    unsigned n_upcalls[RIG_VCPUS], n_wakes, n_sent, n_yields, n_waits, n_moved, n_bound, n_unbound, n_delivered;
    uint64_t moved_to[RIG_VCPUS];
    void *sent_to;
    uint32_t shutdown;
    uint64_t deadline;
    struct vc_event_binding bound_as;
    uint32_t told_port, delivered_port, delivered_vcpu;
    /* What it is told. */
    bool refuses_upcalls, offline;
    void (*meanwhile)(struct rig_domain *d); /* once, in the next wait; or at the next map */
    bool meanwhile_at_map;
    enum vc_wait end;
};
struct rig {
    struct rig_domain domains[2]; /* domids 1 and 2 */
    unsigned n_peers;             /* held now */
};

static _Thread_local struct vc_lock_held rig_held;
static struct vc_lock_held *rig_locks_held(void) { return &rig_held; }
static void rig_wrong(const struct vc_lock_held *held, const void *lock, bool taking)
{
    fprintf(stderr, "lock rule broken: %p %s with %u held\n", lock, taking ? "taken" : "dropped", held->n);
    abort();
}

/* What another thread does between a look without a lock and the lock; once. */
static struct rig_domain *rig_raced;
static void (*rig_race)(struct rig_domain *d);
static bool rig_race_at_unlock; /* or right after that */
static void rig_do_race(const void *lock, bool at_unlock)
{
    void (*race)(struct rig_domain *) = rig_race;
    struct vc_lock_held held = rig_held; /* that thread's are others */

    if (race == NULL || at_unlock != rig_race_at_unlock || n_door_held != 0 ||
        ((const struct door_lock *)lock)->class != LOCK_VCPU)
        return;
    rig_race = NULL;
    memset(&rig_held, 0, sizeof rig_held);
    race(rig_raced);
    rig_held = held;
}
static unsigned long rig_lock(void *lock)
{
    rig_do_race(lock, false);
    return door_lock(lock);
}
static void rig_unlock(void *lock, unsigned long saved)
{
    door_unlock(lock, saved);
    rig_do_race(lock, true);
}

static void rig_meanwhile(struct rig_domain *d)
{
    void (*what)(struct rig_domain *) = d->meanwhile;

    d->meanwhile = NULL;
    if (what != NULL)
        what(d);
}
static bool rig_copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    struct rig_domain *d = ctx;

    door_may_sleep();
    if (from >= RIG_BYTES || n > RIG_BYTES - from)
        return false;
    memcpy(to, d->ram + from, n);
    return true;
}
static bool rig_copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    struct rig_domain *d = ctx;

    door_may_sleep();
    if (d->read_only)
        rig_meanwhile(d);
    if (d->read_only || to >= RIG_BYTES || n > RIG_BYTES - to)
        return false;
    memcpy(d->ram + to, from, n);
    return true;
}
static int rig_map(void *domain, uint64_t gfn, uint8_t **page)
{
    struct rig_domain *d = domain;

    door_holds(LOCK_EVENT);
    d->n_maps++;
    if (d->meanwhile_at_map)
        rig_meanwhile(d);
    if (gfn >= RIG_PAGES)
        return VC_ENOENT;
    *page = (d->elsewhere[gfn] ? d->other : d->ram) + gfn * 4096;
    return d->map_error[gfn];
}
static bool rig_translate(void *ctx, uint64_t address, uint64_t *gpa) /* a guest whose memory begins at 1 MiB */
{
    (void)ctx;
    door_may_sleep();
    *gpa = address - 0x100000;
    return address >= 0x100000 && address < 0x100000 + RIG_BYTES;
}
static bool rig_offline(void *domain, uint32_t vcpu)
{
    (void)vcpu;
    door_under(LOCK_EVENT);
    return ((struct rig_domain *)domain)->offline;
}
static bool rig_upcall(void *domain, uint32_t vcpu)
{
    struct rig_domain *d = domain;

    door_may_sleep();
    d->n_upcalls[vcpu]++;
    return !d->refuses_upcalls;
}
static void rig_wake(void *domain, const uint32_t *word)
{
    struct rig_domain *d = domain;
    size_t vcpu = (size_t)((const uint8_t *)word - (const uint8_t *)d->shared.vcpus) / sizeof *d->shared.vcpus;

    assert_ptr_equal(word, &d->shared.vcpus[vcpu].word);
    d->n_wakes++;
}
static void rig_moved(void *domain, uint32_t vcpu, uint64_t gpa)
{
    struct rig_domain *d = domain;

    door_under(LOCK_EVENT);
    d->n_moved++;
    d->moved_to[vcpu] = gpa;
}
static void rig_sent(void *ctx, void *door)
{
    struct rig_domain *d = ctx;

    door_may_sleep();
    d->n_sent++;
    d->sent_to = door;
}
static enum vc_wait rig_wait(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct rig_domain *d = ctx;

    door_may_sleep();
    if (vc_load_seq(word) != value)
        return VC_WAIT_WOKEN; /* as a futex */
    d->n_waits++;
    d->deadline = deadline_ns;
    if (d->meanwhile == NULL)
        return d->end;
    rig_meanwhile(d);
    return VC_WAIT_WOKEN;
}
static void rig_yield(void *ctx)
{
    door_may_sleep();
    ((struct rig_domain *)ctx)->n_yields++;
}
static void rig_shutdown(void *ctx, uint32_t reason)
{
    door_may_sleep();
    ((struct rig_domain *)ctx)->shutdown = reason;
}
static struct vc_events *rig_peer(void *domain, uint32_t domid)
{
    struct rig *r = ((struct rig_domain *)domain)->rig;

    door_may_sleep();
    if (domid < 1 || domid > 2)
        return NULL;
    r->n_peers++;
    return &r->domains[domid - 1].events;
}
static void rig_peer_done(void *domain, struct vc_events *peer)
{
    (void)peer;
    door_may_sleep();
    ((struct rig_domain *)domain)->rig->n_peers--;
}
static void rig_bound(void *domain, uint32_t port, const struct vc_event_binding *binding)
{
    struct rig_domain *d = domain;

    door_holds(LOCK_EVENT);
    d->n_bound++;
    d->told_port = port;
    d->bound_as = *binding;
}
static void rig_unbound(void *domain, uint32_t port)
{
    struct rig_domain *d = domain;

    door_holds(LOCK_EVENT);
    d->n_unbound++;
    d->told_port = port;
}
static inline void rig_deliver(void *domain, uint32_t vcpu, uint32_t port)
{
    struct rig_domain *d = domain;

    door_may_sleep();
    d->n_delivered++;
    d->delivered_vcpu = vcpu;
    d->delivered_port = port;
}

#define RIG_SHARED_ENV                                                                                                 \
    .lock = {.lock = rig_lock, .unlock = rig_unlock, .held = rig_locks_held, .wrong = rig_wrong}, .map = rig_map,      \
    .copy_in = rig_copy_in, .copy_out = rig_copy_out, .translate = rig_translate, .offline = rig_offline,              \
    .upcall = rig_upcall, .wake = rig_wake, .moved = rig_moved
#define RIG_EVENTS_ENV                                                                                                 \
    .copy_in = rig_copy_in, .copy_out = rig_copy_out, .sent = rig_sent, .wait = rig_wait, .yield = rig_yield,          \
    .shutdown = rig_shutdown, .peer = rig_peer, .peer_done = rig_peer_done, .bound = rig_bound, .unbound = rig_unbound
static const struct vc_shared_info_env rig_shared_env = {RIG_SHARED_ENV};
static const struct vc_events_env rig_events_env = {RIG_EVENTS_ENV};

struct rig_shape {
    enum vc_abi abi;
    uint32_t version, n_vcpus, n_ports;
    const struct vc_shared_info_env *shared_env;
    const struct vc_events_env *events_env;
};

static void rig_start(struct rig_domain *d, const struct rig_shape *shape)
{
    static _Alignas(64) uint8_t shared_memory[2][65536], events_memory[2][262144];
    void *locks[RIG_VCPUS];
    struct vc_shared_info_config c = {.abi = shape->abi,
                                      .n_vcpus = shape->n_vcpus ? shape->n_vcpus : 3,
                                      .domid = d->domid,
                                      .xen_version = shape->version ? shape->version : XEN_VERSION_OF(4, 17),
                                      .lock = &d->lock,
                                      .vcpu_locks = locks};
    uint32_t n_ports = shape->n_ports ? shape->n_ports : RIG_PORTS;

    d->lock = (struct door_lock)DOOR_LOCK(LOCK_EVENT);
    d->lock.order = d->domid;
    for (uint32_t i = 0; i < RIG_VCPUS; i++) {
        d->vcpu_locks[i] = (struct door_lock)DOOR_LOCK(LOCK_VCPU);
        locks[i] = &d->vcpu_locks[i];
    }
    assert_true(vc_shared_info_bytes(c.n_vcpus) <= sizeof shared_memory[0]);
    assert_true(vc_events_bytes(n_ports, c.n_vcpus) <= sizeof events_memory[0]);
    assert_int_equal(vc_shared_info_init(&d->shared, shape->shared_env ? shape->shared_env : &rig_shared_env, d, &c,
                                         shared_memory[d->domid - 1]),
                     VC_OK);
    assert_int_equal(vc_events_init(&d->events, shape->events_env ? shape->events_env : &rig_events_env, d, &d->shared,
                                    n_ports, events_memory[d->domid - 1]),
                     VC_OK);
    d->n_moved = d->n_bound = d->n_unbound = 0;
}

static struct rig *rig_new(const struct rig_shape *shape)
{
    static struct rig r;

    memset(&r, 0, sizeof r);
    for (uint32_t i = 0; i < 2; i++) {
        r.domains[i].rig = &r;
        r.domains[i].domid = i + 1;
        r.domains[i].offline = true;
        r.domains[i].shutdown = UINT32_MAX;
        r.domains[i].end = VC_WAIT_TIMEOUT;
        rig_start(&r.domains[i], shape);
    }
    return &r;
}
static inline struct rig_domain *rig_one(const struct rig_shape *shape) { return &rig_new(shape)->domains[0]; }

/* ---- The guest. ---- */

static inline int64_t rig_op(struct rig_domain *d, uint64_t cmd, void *arg, uint32_t n)
{
    unsigned n_peers = d->rig->n_peers;
    int64_t result;

    memcpy(d->ram + ARGS, arg, n);
    result = vc_events_channel_op(&d->events, d, cmd, ARGS);
    memcpy(arg, d->ram + ARGS, n);
    assert_int_equal(d->rig->n_peers, n_peers);
    return result;
}
static inline int64_t rig_port_op(struct rig_domain *d, uint64_t cmd, uint32_t port)
{
    struct evtchn_send arg = {port};

    return rig_op(d, cmd, &arg, sizeof arg);
}
static inline int64_t rig_send(struct rig_domain *d, uint32_t port) { return rig_port_op(d, EVTCHNOP_send, port); }
static inline int64_t rig_ipi(struct rig_domain *d, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_ipi b = {.vcpu = vcpu};
    int64_t result = rig_op(d, EVTCHNOP_bind_ipi, &b, sizeof b);

    *port = b.port;
    return result;
}
static inline int64_t rig_virq(struct rig_domain *d, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_virq b = {.virq = virq, .vcpu = vcpu};
    int64_t result = rig_op(d, EVTCHNOP_bind_virq, &b, sizeof b);

    *port = b.port;
    return result;
}
static inline int64_t rig_unbound_port(struct rig_domain *d, uint32_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound a = {.dom = XEN_DOMID_SELF, .remote_dom = (uint16_t)remote};
    int64_t result = rig_op(d, EVTCHNOP_alloc_unbound, &a, sizeof a);

    *port = a.port;
    return result;
}
static inline int64_t rig_interdomain(struct rig_domain *d, uint32_t dom, uint32_t remote_port, uint32_t *port)
{
    struct evtchn_bind_interdomain b = {.remote_dom = (uint16_t)dom, .remote_port = remote_port};
    int64_t result = rig_op(d, EVTCHNOP_bind_interdomain, &b, sizeof b);

    *port = b.local_port;
    return result;
}
static inline int64_t rig_bind_vcpu(struct rig_domain *d, uint32_t port, uint32_t vcpu)
{
    struct evtchn_bind_vcpu b = {.port = port, .vcpu = vcpu};

    return rig_op(d, EVTCHNOP_bind_vcpu, &b, sizeof b);
}
static inline struct shared_info_x86_64 *rig_page(struct rig_domain *d, uint64_t gfn)
{
    return (struct shared_info_x86_64 *)(void *)(d->ram + gfn * 4096);
}

#endif
