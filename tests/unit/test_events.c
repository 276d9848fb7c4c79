/* SPDX-License-Identifier: MIT */
/* The hypercalls of event channels, port by port: facts §4.2-§4.5, a row for each rule. */
#include "event_rig.h"

static const struct rig_shape plain = {0}, i386 = {.abi = VC_ABI_X86_32}, arm = {.abi = VC_ABI_ARM64};

static void sizes(void **state)
{
    static const uint32_t bad[][2] = {{0, 1}, {1, 1}, {4097, 1}, {UINT32_MAX, 1}, {64, 0}, {64, 129}};
    struct vc_shared_info shared = {0};
    struct vc_events e;

    (void)state;
    for (size_t i = 0; i < N_ROWS(bad); i++) {
        shared.n_vcpus = bad[i][1];
        assert_int_equal(vc_events_bytes(bad[i][0], bad[i][1]), 0);
        assert_int_equal(vc_events_init(&e, &rig_events_env, NULL, &shared, bad[i][0], NULL), VC_EINVAL);
    }
    assert_true(vc_events_bytes(4096, 128) > 128 * 512);
}

static void the_lowest_free_port_from_1(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){.n_ports = 70});
    uint32_t port;

    (void)state;
    for (uint32_t i = 1; i < 70; i++) {
        assert_int_equal(vc_events_open(&d->events, d, VC_DOOR_GUEST, &port), VC_OK);
        assert_int_equal(port, i);
    }
    assert_int_equal(vc_events_open(&d->events, d, VC_DOOR_GUEST, &port), VC_ENOSPC);
    assert_int_equal(rig_port_op(d, EVTCHNOP_close, 7), 0);
    assert_int_equal(vc_events_open(&d->events, d, VC_DOOR_GUEST, &port), VC_OK);
    assert_int_equal(port, 7);
    vc_events_reset(&d->events);
    assert_int_equal(vc_events_open(&d->events, d, VC_DOOR_GUEST, &port), VC_OK);
    assert_int_equal(port, 1);
}

static void ports_that_a_mode_has(void **state)
{
    static const struct {
        const struct rig_shape *shape;
        uint32_t last;
    } modes[] = {{&plain, 4095}, {&i386, 1023}, {&arm, 4095}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(modes); i++) {
        struct rig_domain *d = rig_one(modes[i].shape);
        uint32_t port = 0, next;

        while (rig_unbound_port(d, 0, &next) == 0)
            port = next;
        assert_int_equal(port, modes[i].last);
        assert_int_equal(rig_unbound_port(d, 0, &port), -XEN_ENOSPC);
        assert_int_equal(rig_ipi(d, 0, &port), -XEN_ENOSPC);
        assert_int_equal(rig_virq(d, VIRQ_TIMER, 0, &port), -XEN_ENOSPC);
        assert_int_equal(rig_interdomain(d, 2, 1, &port), -XEN_ENOSPC);
        assert_int_equal(rig_send(d, modes[i].last), 0);
        assert_int_equal(rig_send(d, modes[i].last + 1), -XEN_EINVAL);
        assert_int_equal(rig_port_op(d, EVTCHNOP_close, modes[i].last), 0); /* and that was no port of its own */
        assert_int_equal(rig_ipi(d, 0, &port), 0);
        assert_int_equal(port, modes[i].last);
    }
}

/* One port of each kind. */
enum { DOOR = 1, PRIVATE, UNBOUND, PEER, IPI, TIMER, CONSOLE, FREE };
static struct rig_domain *with_ports(void)
{
    struct rig *r = rig_new(&plain);
    struct rig_domain *d = &r->domains[0];
    uint32_t port, remote;

    vc_events_open(&d->events, &d->ram[0], VC_DOOR_GUEST, &port);
    vc_events_open(&d->events, &d->ram[1], VC_DOOR_PRIVATE, &port);
    rig_unbound_port(d, 2, &port);
    rig_unbound_port(&r->domains[1], 1, &remote);
    rig_interdomain(d, 2, remote, &port);
    rig_ipi(d, 1, &port);
    rig_virq(d, VIRQ_TIMER, 2, &port);
    rig_virq(d, VIRQ_CONSOLE, 0, &port);
    assert_int_equal(port, CONSOLE);
    return d;
}

static const struct {
    const char *name;
    uint64_t cmd;
    uint32_t port;
    int64_t result;
} port_ops[] = {
    {"send to a door", EVTCHNOP_send, DOOR, 0},
    {"send to a private port", EVTCHNOP_send, PRIVATE, -XEN_EINVAL},
    {"send to nobody yet: dropped", EVTCHNOP_send, UNBOUND, 0},
    {"send to a peer", EVTCHNOP_send, PEER, 0},
    {"send an ipi", EVTCHNOP_send, IPI, 0},
    {"send a vCPU's virq", EVTCHNOP_send, TIMER, -XEN_EINVAL},
    {"send a domain's virq", EVTCHNOP_send, CONSOLE, -XEN_EINVAL},
    {"send on a free port", EVTCHNOP_send, FREE, -XEN_EINVAL},
    {"send on port 0", EVTCHNOP_send, 0, -XEN_EINVAL},
    {"send past the last", EVTCHNOP_send, RIG_PORTS, -XEN_EINVAL},
    {"send far past the last", EVTCHNOP_send, UINT32_MAX, -XEN_EINVAL},
    {"close a door's", EVTCHNOP_close, DOOR, 0},
    {"close a private port", EVTCHNOP_close, PRIVATE, -XEN_EINVAL},
    {"close an unbound one", EVTCHNOP_close, UNBOUND, 0},
    {"close a peer's", EVTCHNOP_close, PEER, 0},
    {"close an ipi", EVTCHNOP_close, IPI, 0},
    {"close a vCPU's virq", EVTCHNOP_close, TIMER, 0},
    {"close a domain's virq", EVTCHNOP_close, CONSOLE, 0},
    {"close a free port", EVTCHNOP_close, FREE, -XEN_EINVAL},
    {"close port 0", EVTCHNOP_close, 0, -XEN_EINVAL},
    {"close past the last", EVTCHNOP_close, RIG_PORTS, -XEN_EINVAL},
    {"unmask", EVTCHNOP_unmask, DOOR, 0},
    {"unmask a private port", EVTCHNOP_unmask, PRIVATE, 0},
    {"unmask a free port", EVTCHNOP_unmask, FREE, 0},
    {"unmask past the last", EVTCHNOP_unmask, RIG_PORTS, -XEN_EINVAL},
    {"bind_pirq: there are none", EVTCHNOP_bind_pirq, 1, -XEN_EINVAL},
    {"init_control: stay with the 2-level ABI", EVTCHNOP_init_control, 1, -XEN_ENOSYS},
    {"expand_array", EVTCHNOP_expand_array, 1, -XEN_ENOSYS},
    {"set_priority", EVTCHNOP_set_priority, 1, -XEN_ENOSYS},
    {"no such op", 14, 1, -XEN_ENOSYS},
    {"far from an op", UINT64_MAX, 1, -XEN_ENOSYS},
};
static void results(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(port_ops); i++)
        if (rig_port_op(with_ports(), port_ops[i].cmd, port_ops[i].port) != port_ops[i].result)
            fail_msg("%s", port_ops[i].name);
}

static const struct {
    const char *name;
    uint32_t port, vcpu;
    int64_t result;
} rebinds[] = {
    {"a door's", DOOR, 2, 0},
    {"a private port", PRIVATE, 1, -XEN_EINVAL},
    {"an unbound one", UNBOUND, 1, 0},
    {"a peer's", PEER, 1, 0},
    {"an ipi", IPI, 2, -XEN_EINVAL},
    {"a vCPU's virq", TIMER, 1, -XEN_EINVAL},
    {"a domain's virq", CONSOLE, 1, 0},
    {"a free port", FREE, 1, -XEN_EINVAL},
    {"past the last", RIG_PORTS, 1, -XEN_EINVAL},
    {"to no vCPU", DOOR, 3, -XEN_ENOENT},
    {"to no vCPU, past the last", RIG_PORTS, UINT32_MAX, -XEN_ENOENT},
};
static void bind_vcpu(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rebinds); i++) {
        struct rig_domain *d = with_ports();
        struct vc_event_binding b;
        uint32_t before = 0;

        if (vc_events_look(&d->events, rebinds[i].port, &b) == VC_OK)
            before = b.vcpu;
        if (rig_bind_vcpu(d, rebinds[i].port, rebinds[i].vcpu) != rebinds[i].result)
            fail_msg("%s", rebinds[i].name);
        if (vc_events_look(&d->events, rebinds[i].port, &b) == VC_OK &&
            b.vcpu != (rebinds[i].result == 0 ? rebinds[i].vcpu : before))
            fail_msg("%s: now notifies %u", rebinds[i].name, b.vcpu);
    }
}

static const struct {
    const char *name;
    uint32_t virq, vcpu;
    int64_t result;
} virqs[] = {
    {"timer, of another vCPU", VIRQ_TIMER, 1, 0},
    {"timer, again", VIRQ_TIMER, 2, -XEN_EEXIST},
    {"debug", VIRQ_DEBUG, 1, 0},
    {"xenoprof, a vCPU's", VIRQ_XENOPROF, 2, 0},
    {"xenpmu, a vCPU's", VIRQ_XENPMU, 2, 0},
    {"console, again", VIRQ_CONSOLE, 0, -XEN_EEXIST},
    {"console, at another vCPU", VIRQ_CONSOLE, 1, -XEN_EINVAL},
    {"argo, the domain's", VIRQ_ARGO, 0, 0},
    {"dom_exc, the machine's", VIRQ_DOM_EXC, 0, -XEN_EBUSY},
    {"con_ring, the machine's", VIRQ_CON_RING, 0, -XEN_EBUSY},
    {"arch, the machine's", VIRQ_ARCH_7 - 1, 0, -XEN_EBUSY},
    {"devices, the domain's", VIRQ_ARCH_7, 0, 0},
    {"devices, at another vCPU", VIRQ_ARCH_7, 1, -XEN_EINVAL},
    {"no virq", 24, 0, -XEN_EINVAL},
    {"far from a virq", UINT32_MAX, UINT32_MAX, -XEN_EINVAL},
    {"timer, of no vCPU", VIRQ_TIMER, 3, -XEN_ENOENT},
    {"timer, far from a vCPU", VIRQ_TIMER, UINT32_MAX, -XEN_ENOENT},
};
static void bind_virq(void **state)
{
    uint32_t port;

    (void)state;
    for (size_t i = 0; i < N_ROWS(virqs); i++)
        if (rig_virq(with_ports(), virqs[i].virq, virqs[i].vcpu, &port) != virqs[i].result)
            fail_msg("%s", virqs[i].name);
}

static const struct {
    const char *name;
    uint16_t dom, remote;
    int64_t result;
    uint32_t reserved_for;
} unbounds[] = {
    {"by self for another", XEN_DOMID_SELF, 2, 0, 2},
    {"by number", 1, 0, 0, 0},
    {"for oneself", XEN_DOMID_SELF, XEN_DOMID_SELF, 0, 1},
    {"for somebody yet to come", XEN_DOMID_SELF, 77, 0, 77},
    {"in another domain", 2, 1, -XEN_EPERM, 0},
    {"in domain 0", 0, 1, -XEN_EPERM, 0},
    {"in no domain", 3, 1, -XEN_ESRCH, 0},
};
static void alloc_unbound(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(unbounds); i++) {
        struct evtchn_alloc_unbound a = {.dom = unbounds[i].dom, .remote_dom = unbounds[i].remote};
        struct rig_domain *d = with_ports();
        struct vc_event_binding b;

        if (rig_op(d, EVTCHNOP_alloc_unbound, &a, sizeof a) != unbounds[i].result)
            fail_msg("%s", unbounds[i].name);
        if (unbounds[i].result != 0)
            continue;
        vc_events_look(&d->events, a.port, &b);
        if (a.port != FREE || b.kind != VC_EVENT_UNBOUND || b.remote_dom != unbounds[i].reserved_for || b.vcpu != 0)
            fail_msg("%s", unbounds[i].name);
    }
}

static const struct {
    const char *name;
    uint32_t dom, port;
    int64_t result;
} interdomains[] = {
    {"for us", 2, 2, 0},
    {"for oneself", 1, FREE, 0},
    {"for oneself, by self", XEN_DOMID_SELF, FREE, 0},
    {"for another", 2, 3, -XEN_EINVAL},
    {"bound already", 2, 1, -XEN_EINVAL},
    {"no port of the other", 2, 5, -XEN_EINVAL},
    {"port 0", 2, 0, -XEN_EINVAL},
    {"past the other's last", 2, RIG_PORTS, -XEN_EINVAL},
    {"far past it", 2, UINT32_MAX, -XEN_EINVAL},
    {"a door of the other", 2, 4, -XEN_EINVAL},
    {"domain 0 has none", 0, 1, -XEN_EINVAL},
    {"no domain", 3, 1, -XEN_ESRCH},
    {"no domain's number", 0x7fff, 1, -XEN_ESRCH},
};
static void bind_interdomain(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(interdomains); i++) {
        struct rig_domain *d = with_ports(), *other = d + 1;
        struct vc_event_binding b;
        uint32_t port;

        rig_unbound_port(d, XEN_DOMID_SELF, &port);              /* FREE */
        rig_unbound_port(other, 1, &port);                       /* 2 */
        rig_unbound_port(other, 2, &port);                       /* 3 */
        vc_events_open(&other->events, d, VC_DOOR_GUEST, &port); /* 4 */
        if (rig_interdomain(d, interdomains[i].dom, interdomains[i].port, &port) != interdomains[i].result)
            fail_msg("%s", interdomains[i].name);
        if (interdomains[i].result != 0) {
            rig_unbound_port(d, 2, &port);
            assert_int_equal(port, FREE + 1); /* nothing was left reserved */
            continue;
        }
        other = interdomains[i].dom == 2 ? other : d;
        vc_events_look(&other->events, interdomains[i].port, &b);
        if (b.kind != VC_EVENT_INTERDOMAIN || b.remote_dom != 1 || b.remote_port != port)
            fail_msg("%s: the other end", interdomains[i].name);
        vc_events_look(&d->events, port, &b);
        if (b.kind != VC_EVENT_INTERDOMAIN || b.remote_dom != other->domid || b.remote_port != interdomains[i].port)
            fail_msg("%s: this end", interdomains[i].name);
    }
}

static void bind_ipi(void **state)
{
    struct rig_domain *d = with_ports();
    uint32_t port;

    (void)state;
    assert_int_equal(rig_ipi(d, 2, &port), 0);
    assert_int_equal(rig_ipi(d, 2, &port), 0); /* as many as it likes */
    assert_int_equal(rig_ipi(d, 3, &port), -XEN_ENOENT);
    assert_int_equal(rig_ipi(d, UINT32_MAX, &port), -XEN_ENOENT);
}

static void pointers_outside_memory(void **state)
{
    static const uint64_t ops[] = {EVTCHNOP_bind_interdomain,
                                   EVTCHNOP_bind_virq,
                                   EVTCHNOP_bind_pirq,
                                   EVTCHNOP_close,
                                   EVTCHNOP_send,
                                   EVTCHNOP_status,
                                   EVTCHNOP_alloc_unbound,
                                   EVTCHNOP_bind_ipi,
                                   EVTCHNOP_bind_vcpu,
                                   EVTCHNOP_unmask,
                                   EVTCHNOP_reset};
    static const uint64_t where[] = {RIG_BYTES, RIG_BYTES - 1, UINT64_MAX, UINT64_MAX - 3};
    struct rig_domain *d = with_ports();

    (void)state;
    for (size_t i = 0; i < N_ROWS(where); i++) {
        for (size_t k = 0; k < N_ROWS(ops); k++)
            assert_int_equal(vc_events_channel_op(&d->events, d, ops[k], where[i]), -XEN_EFAULT);
        assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_poll, where[i]), -XEN_EFAULT);
        assert_int_equal(vc_events_compat_poll(&d->events, d, 0, where[i]), -XEN_EFAULT);
        assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_shutdown, where[i]), -XEN_EFAULT);
    }
}

/* The number could not be written: what was made is undone, and nothing else. */
static void results_that_cannot_be_written(void **state)
{
    struct rig_domain *d = with_ports();
    struct vc_event_binding b;
    uint32_t port, remote;

    (void)state;
    rig_unbound_port(d + 1, 1, &remote);
    d->read_only = true;
    assert_int_equal(rig_virq(d, VIRQ_DEBUG, 0, &port), -XEN_EFAULT);
    assert_int_equal(rig_ipi(d, 0, &port), -XEN_EFAULT);
    assert_int_equal(rig_unbound_port(d, 2, &port), -XEN_EFAULT);
    assert_int_equal(rig_interdomain(d, 2, remote, &port), -XEN_EFAULT);
    d->read_only = false;
    vc_events_look(&(d + 1)->events, remote, &b);
    assert_int_equal(b.kind, VC_EVENT_UNBOUND); /* as it was, and still for us */
    assert_int_equal(rig_virq(d, VIRQ_DEBUG, 0, &port), 0);
    assert_int_equal(port, FREE);
}

/* Nor what another vCPU made of that port meanwhile. */
static void closes_and_binds(struct rig_domain *d)
{
    uint32_t port;

    d->read_only = false;
    assert_int_equal(rig_port_op(d, EVTCHNOP_close, FREE), 0);
    assert_int_equal(rig_virq(d, VIRQ_DEBUG, 0, &port), 0);
    assert_int_equal(port, FREE);
    d->read_only = true;
}
static void undoes_its_own_only(void **state)
{
    struct rig_domain *d = with_ports();
    struct vc_event_binding b;
    uint32_t port;

    (void)state;
    d->read_only = true;
    d->meanwhile = closes_and_binds;
    assert_int_equal(rig_ipi(d, 0, &port), -XEN_EFAULT);
    vc_events_look(&d->events, FREE, &b);
    assert_int_equal(b.kind, VC_EVENT_VIRQ);
}

/* ---- Status. ---- */

static int64_t status(struct rig_domain *d, uint16_t dom, uint32_t port, struct evtchn_status *s)
{
    *s = (struct evtchn_status){.dom = dom, .port = port, .status = 99, .vcpu = 99};
    memset(&s->u, 0xee, sizeof s->u);
    return rig_op(d, EVTCHNOP_status, s, sizeof *s);
}

static const struct {
    uint32_t port, status, vcpu, dom, remote;
} shown[] = {
    {DOOR, EVTCHNSTAT_interdomain, 0, 0, DOOR},
    {PRIVATE, EVTCHNSTAT_interdomain, 0, 0, PRIVATE},
    {UNBOUND, EVTCHNSTAT_unbound, 0, 2, 0},
    {PEER, EVTCHNSTAT_interdomain, 0, 2, 1},
    {IPI, EVTCHNSTAT_ipi, 1, 0, 0},
    {TIMER, EVTCHNSTAT_virq, 2, VIRQ_TIMER, 0},
    {CONSOLE, EVTCHNSTAT_virq, 0, VIRQ_CONSOLE, 0},
    {FREE, EVTCHNSTAT_closed, 0, 0, 0},
    {0, EVTCHNSTAT_closed, 0, 0, 0},
};
static void statuses(void **state)
{
    struct rig_domain *d = with_ports();
    struct evtchn_status s;

    (void)state;
    for (size_t i = 0; i < N_ROWS(shown); i++) {
        assert_int_equal(status(d, i % 2 ? XEN_DOMID_SELF : 1, shown[i].port, &s), 0);
        assert_int_equal(s.status, shown[i].status);
        assert_int_equal(s.vcpu, shown[i].vcpu);
        assert_int_equal(s.u.virq & 0xffff, shown[i].dom); /* a virq or a domain: the same place */
        assert_int_equal(s.u.interdomain.port, shown[i].remote);
    }
    assert_int_equal(status(d, XEN_DOMID_SELF, RIG_PORTS, &s), -XEN_EINVAL);
    assert_int_equal(status(d, 2, 1, &s), -XEN_EPERM);
    assert_int_equal(status(d, 0, 1, &s), -XEN_EPERM);
    assert_int_equal(status(d, 5, 1, &s), -XEN_ESRCH);
    d->read_only = true;
    assert_int_equal(status(d, XEN_DOMID_SELF, 1, &s), -XEN_EFAULT);
}

/* ---- Between domains. ---- */

static bool bit(struct rig_domain *d, uint32_t port) /* in the page at frame 1 */
{
    return (rig_page(d, 1)->evtchn_pending[port / 64] >> port % 64 & 1) != 0;
}

static void two_domains(void **state)
{
    struct rig *r = rig_new(&plain);
    struct rig_domain *a = &r->domains[0], *b = &r->domains[1];
    struct evtchn_status s;
    uint32_t of_a, of_b;

    (void)state;
    vc_shared_info_place(&a->shared, 1);
    vc_shared_info_place(&b->shared, 1);
    rig_unbound_port(a, 9, &of_a);
    rig_unbound_port(a, 9, &of_a); /* other numbers at the two ends */
    rig_unbound_port(a, 2, &of_a);
    assert_int_equal(rig_send(a, of_a), 0); /* lost */
    assert_int_equal(rig_interdomain(b, 1, of_a, &of_b), 0);
    assert_true(bit(b, of_b)); /* "sets local port pending, in case sends were lost before" */
    assert_int_equal(b->n_upcalls[0], 1);
    assert_false(bit(a, of_a));
    assert_int_equal(rig_send(b, of_b), 0);
    assert_true(bit(a, of_a));
    assert_int_equal(a->n_upcalls[0], 1);
    memset(rig_page(b, 1), 0, 4096);
    assert_int_equal(rig_bind_vcpu(b, of_b, 2), 0);
    assert_int_equal(rig_send(a, of_a), 0);
    assert_true(bit(b, of_b));
    assert_int_equal(b->n_upcalls[2], 1);
    /* The other end of a closed one waits for the closer again, and keeps what is pending there. */
    assert_int_equal(rig_port_op(b, EVTCHNOP_close, of_b), 0);
    assert_false(bit(b, of_b));
    assert_true(bit(a, of_a));
    assert_int_equal(status(a, XEN_DOMID_SELF, of_a, &s), 0);
    assert_int_equal(s.status, EVTCHNSTAT_unbound);
    assert_int_equal(s.u.unbound.dom, 2);
    assert_int_equal(rig_send(a, of_a), 0);
    assert_int_equal(rig_interdomain(b, 1, of_a, &of_b), 0);
    /* A domain that goes away closes all. */
    vc_events_reset(&a->events);
    assert_int_equal(status(b, XEN_DOMID_SELF, of_b, &s), 0);
    assert_int_equal(s.status, EVTCHNSTAT_unbound);
    assert_int_equal(s.u.unbound.dom, 1);
    assert_int_equal(r->n_peers, 0);
}

static void a_domain_with_itself(void **state)
{
    struct rig_domain *d = rig_one(&plain);
    struct evtchn_status s;
    uint32_t one, two;

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    rig_unbound_port(d, XEN_DOMID_SELF, &one);
    assert_int_equal(rig_interdomain(d, XEN_DOMID_SELF, one, &two), 0);
    memset(rig_page(d, 1), 0, 4096);
    assert_int_equal(rig_send(d, two), 0);
    assert_true(bit(d, one) && !bit(d, two));
    assert_int_equal(rig_port_op(d, EVTCHNOP_close, one), 0);
    assert_int_equal(status(d, XEN_DOMID_SELF, two, &s), 0);
    assert_int_equal(s.status, EVTCHNSTAT_unbound);
    assert_int_equal(s.u.unbound.dom, 1);
}

static void no_other_domains(void **state)
{
    struct vc_events_env alone = rig_events_env;
    struct rig_domain *d;
    struct evtchn_status s;
    uint32_t port;

    (void)state;
    alone.peer = NULL;
    alone.peer_done = NULL;
    d = rig_one(&(struct rig_shape){.events_env = &alone});
    assert_int_equal(rig_interdomain(d, 2, 1, &port), -XEN_ESRCH);
    assert_int_equal(status(d, 2, 1, &s), -XEN_ESRCH);
}

static void reset(void **state)
{
    static const struct {
        uint16_t dom;
        int64_t result;
    } rows[] = {{2, -XEN_EPERM}, {0, -XEN_EPERM}, {3, -XEN_ESRCH}, {XEN_DOMID_SELF, 0}, {1, 0}};
    struct rig_domain *d = with_ports();
    struct evtchn_status s;

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct evtchn_reset r = {rows[i].dom};

        assert_int_equal(rig_op(d, EVTCHNOP_reset, &r, sizeof r), rows[i].result);
        for (uint32_t port = 1; port < FREE; port++) {
            status(d, XEN_DOMID_SELF, port, &s);
            assert_true((s.status == EVTCHNSTAT_closed) == (rows[i].result == 0 && port != PRIVATE));
        }
    }
}

/* ---- Doors. ---- */

static void send_goes_to_the_door(void **state)
{
    struct rig_domain *d = rig_one(&plain);
    uint32_t a, b;
    int doors[2];

    (void)state;
    vc_events_open(&d->events, &doors[0], VC_DOOR_SEND, &a);
    vc_events_open(&d->events, &doors[1], VC_DOOR_SEND, &b);
    assert_int_equal(rig_send(d, b), 0);
    assert_ptr_equal(d->sent_to, &doors[1]);
    assert_int_equal(rig_send(d, a), 0);
    assert_ptr_equal(d->sent_to, &doors[0]);
    assert_int_equal(d->n_sent, 2);
    assert_int_equal(rig_port_op(d, EVTCHNOP_close, a), -XEN_EINVAL); /* it may send, and no more */
    assert_int_equal(rig_bind_vcpu(d, a, 1), -XEN_EINVAL);
}

static void a_port_belongs_to_its_door(void **state)
{
    struct rig_domain *d = rig_one(&plain);
    int mine, other;
    uint32_t port, again;

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    vc_events_open(&d->events, &mine, VC_DOOR_GUEST, &port);
    assert_int_equal(vc_events_notify(&d->events, port, &mine), VC_OK);
    assert_int_equal(vc_events_notify(&d->events, port, &other), VC_ENOENT);
    assert_int_equal(vc_events_close(&d->events, port, &other), VC_ENOENT);
    assert_int_equal(vc_events_notify(&d->events, 0, NULL), VC_ENOENT);
    assert_int_equal(vc_events_notify(&d->events, UINT32_MAX, &mine), VC_ENOENT);
    /* "The event channel may be closed or rebound by the guest at any time; a vanished port is not fatal." */
    rig_port_op(d, EVTCHNOP_close, port);
    assert_false(bit(d, port)); /* "pending bit cleared" */
    assert_int_equal(vc_events_notify(&d->events, port, &mine), VC_ENOENT);
    rig_virq(d, VIRQ_CONSOLE, 0, &again);
    assert_int_equal(again, port);
    assert_int_equal(vc_events_notify(&d->events, port, &mine), VC_ENOENT);
    assert_int_equal(vc_events_close(&d->events, port, &mine), VC_ENOENT);
    assert_false(bit(d, port)); /* nothing was raised */
    vc_events_open(&d->events, &mine, VC_DOOR_GUEST, &port);
    assert_int_equal(vc_events_close(&d->events, port, &mine), VC_OK);
    assert_int_equal(rig_send(d, port), -XEN_EINVAL);
    assert_int_equal(vc_events_look(&d->events, RIG_PORTS, NULL), VC_EINVAL);
}

/* A secondary console: its frontend allocates a port for domain 0 and names it in XenStore. */
static void a_door_takes_what_the_guest_allocated(void **state)
{
    struct rig_domain *d = rig_one(&plain);
    struct evtchn_status s;
    uint32_t port, other;
    int door;

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    rig_unbound_port(d, 2, &other);
    rig_unbound_port(d, 0, &port);
    rig_bind_vcpu(d, port, 2);
    assert_int_equal(vc_events_bind(&d->events, &door, other), VC_ENOENT); /* not for us */
    assert_int_equal(vc_events_bind(&d->events, &door, 0), VC_ENOENT);
    assert_int_equal(vc_events_bind(&d->events, &door, 7), VC_ENOENT);
    assert_int_equal(vc_events_bind(&d->events, &door, UINT32_MAX), VC_ENOENT);
    assert_int_equal(vc_events_bind(&d->events, &door, port), VC_OK);
    assert_int_equal(vc_events_bind(&d->events, &door, port), VC_ENOENT); /* bound */
    assert_int_equal(rig_send(d, port), 0);
    assert_ptr_equal(d->sent_to, &door);
    assert_int_equal(vc_events_notify(&d->events, port, &door), VC_OK);
    assert_int_equal(d->n_upcalls[2], 1);
    assert_int_equal(vc_events_close(&d->events, port, &door), VC_OK); /* "falls back to unbound" */
    assert_int_equal(status(d, XEN_DOMID_SELF, port, &s), 0);
    assert_int_equal(s.status, EVTCHNSTAT_unbound);
    assert_int_equal(s.u.unbound.dom, 0);
    assert_int_equal(s.vcpu, 2);
    assert_int_equal(vc_events_bind(&d->events, &door, port), VC_OK);
    assert_int_equal(rig_port_op(d, EVTCHNOP_close, port), 0);
    assert_int_equal(vc_events_notify(&d->events, port, &door), VC_ENOENT);
}

static void virqs_are_raised(void **state)
{
    struct rig_domain *d = rig_one(&plain);
    uint32_t console, timer[2], port;

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    vc_events_virq(&d->events, 0, VIRQ_CONSOLE); /* not bound: nothing */
    vc_events_virq(&d->events, 0, NR_VIRQS);
    vc_events_virq(&d->events, 3, VIRQ_TIMER);
    rig_virq(d, VIRQ_CONSOLE, 0, &console);
    rig_virq(d, VIRQ_TIMER, 0, &timer[0]);
    rig_virq(d, VIRQ_TIMER, 2, &timer[1]);
    vc_events_virq(&d->events, 2, VIRQ_TIMER);
    assert_true(bit(d, timer[1]) && !bit(d, timer[0]) && !bit(d, console));
    assert_int_equal(d->n_upcalls[2], 1);
    vc_events_virq(&d->events, 1, VIRQ_TIMER); /* not bound there */
    assert_int_equal(d->n_upcalls[1], 0);
    rig_bind_vcpu(d, console, 1); /* the domain's, wherever it notifies */
    vc_events_virq(&d->events, 0, VIRQ_CONSOLE);
    assert_true(bit(d, console));
    assert_int_equal(d->n_upcalls[1], 1);
    rig_port_op(d, EVTCHNOP_close, console);
    vc_events_virq(&d->events, 0, VIRQ_CONSOLE);
    assert_false(bit(d, console));
    assert_int_equal(rig_virq(d, VIRQ_CONSOLE, 0, &port), 0); /* again, after a close on vCPU 1 */
}

/* ---- Those who are told. ---- */

static void bindings_are_told(void **state)
{
    struct rig_domain *d = rig_one(&plain);
    uint32_t port;

    (void)state;
    rig_ipi(d, 1, &port);
    assert_int_equal(d->n_bound, 1);
    assert_int_equal(d->told_port, port);
    assert_int_equal(d->bound_as.kind, VC_EVENT_IPI);
    assert_int_equal(d->bound_as.vcpu, 1);
    rig_virq(d, VIRQ_TIMER, 2, &port);
    assert_int_equal(d->bound_as.kind, VC_EVENT_VIRQ);
    assert_int_equal(d->bound_as.virq, VIRQ_TIMER);
    vc_events_open(&d->events, d, VC_DOOR_GUEST, &port);
    assert_int_equal(d->bound_as.kind, VC_EVENT_DOOR);
    assert_ptr_equal(d->bound_as.door, d);
    rig_bind_vcpu(d, port, 2);
    assert_int_equal(d->n_bound, 4);
    assert_int_equal(d->bound_as.vcpu, 2);
    assert_ptr_equal(d->bound_as.door, d);
    rig_port_op(d, EVTCHNOP_close, port);
    assert_int_equal(d->n_unbound, 1);
    assert_int_equal(d->told_port, port);
    vc_events_reset(&d->events);
    assert_int_equal(d->n_unbound, 3);
}

static void delegated_delivery(void **state)
{
    static const struct vc_events_env delegating = {RIG_EVENTS_ENV, .deliver = rig_deliver};
    struct rig_domain *d = rig_one(&(struct rig_shape){.events_env = &delegating});
    struct shared_info_x86_64 *s = rig_page(d, 1);
    uint32_t port, ipi;
    int door;

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    vc_events_open(&d->events, &door, VC_DOOR_GUEST, &port);
    rig_bind_vcpu(d, port, 1);
    assert_int_equal(vc_events_notify(&d->events, port, &door), VC_OK);
    assert_int_equal(d->n_delivered, 1);
    assert_int_equal(d->delivered_port, port);
    assert_int_equal(d->delivered_vcpu, 1);
    rig_ipi(d, 2, &ipi);
    assert_int_equal(rig_send(d, ipi), 0);
    assert_int_equal(d->delivered_port, ipi);
    assert_int_equal(s->evtchn_pending[0], 0); /* nothing was written */
    /* Facts §12.3: unmask is ours; what was pending is delivered anew. */
    rig_port_op(d, EVTCHNOP_unmask, ipi);
    assert_int_equal(d->n_delivered, 2);
    s->evtchn_mask[0] = s->evtchn_pending[0] = UINT64_C(1) << ipi;
    rig_port_op(d, EVTCHNOP_unmask, ipi);
    assert_int_equal(d->n_delivered, 3);
    assert_int_equal(s->evtchn_mask[0], 0);
    assert_int_equal(s->evtchn_pending[0], 0);
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_block, 0), 0);
    assert_int_equal(d->n_yields, 1);
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_poll, ARGS), 0);
    rig_port_op(d, EVTCHNOP_close, port);
    assert_int_equal(vc_events_notify(&d->events, port, &door), VC_ENOENT);
    s->evtchn_pending[0] = UINT64_C(1) << ipi; /* as whoever delivers left it */
    rig_port_op(d, EVTCHNOP_close, ipi);
    assert_int_equal(s->evtchn_pending[0], 0); /* the next of that number begins without */
}

static int64_t moved_by_others(void *domain, uint64_t gfn, enum vc_abi abi)
{
    struct rig_domain *d = domain;

    (void)abi;
    door_under(LOCK_EVENT);
    memcpy(rig_page(d, gfn), rig_page(d, 1), 4096);
    return 0;
}
static int64_t info_by_others(void *domain, uint32_t vcpu, uint64_t gpa)
{
    (void)domain, (void)vcpu, (void)gpa;
    door_may_sleep();
    return 0;
}

/* What is left to core where somebody else delivers goes where that one is now, though it was in the old page before. */
static void delegated_pages_move(void **state)
{
    static const struct vc_shared_info_env shared = {RIG_SHARED_ENV, .place_shared = moved_by_others,
                                                     .place_info = info_by_others};
    static const struct vc_events_env delegating = {RIG_EVENTS_ENV, .deliver = rig_deliver};
    struct rig_domain *d = rig_one(&(struct rig_shape){.shared_env = &shared, .events_env = &delegating});
    struct shared_info_x86_64 *from = rig_page(d, 1), *to = rig_page(d, 2);
    uint32_t port;

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    rig_ipi(d, 1, &port);
    from->evtchn_mask[0] = from->evtchn_pending[0] = UINT64_C(1) << port;
    rig_port_op(d, EVTCHNOP_unmask, port);
    assert_int_equal(d->n_delivered, 1);
    from->evtchn_mask[0] = from->evtchn_pending[0] = UINT64_C(1) << port;
    assert_int_equal(vc_shared_info_place(&d->shared, 2), 0);
    rig_port_op(d, EVTCHNOP_unmask, port);
    assert_int_equal(d->n_delivered, 2);
    assert_int_equal(to->evtchn_mask[0], 0);
    assert_int_equal(to->evtchn_pending[0], 0);
    assert_int_equal(from->evtchn_mask[0], UINT64_C(1) << port); /* left alone */
    to->evtchn_pending[0] = UINT64_C(1) << port;
    rig_port_op(d, EVTCHNOP_close, port);
    assert_int_equal(to->evtchn_pending[0], 0);
}

/* ---- The scheduler's calls but poll and block (test_event_delivery.c). ---- */

static const struct {
    uint32_t reason;
    int64_t result;
    uint32_t told;
} ends[] = {
    {SHUTDOWN_poweroff, 0, SHUTDOWN_poweroff},
    {SHUTDOWN_reboot, 0, SHUTDOWN_reboot},
    {SHUTDOWN_crash, 0, SHUTDOWN_crash},
    {SHUTDOWN_suspend, -XEN_EOPNOTSUPP, UINT32_MAX},
    {SHUTDOWN_watchdog, 0, SHUTDOWN_watchdog},
    {SHUTDOWN_soft_reset, 0, SHUTDOWN_soft_reset},
    {6, 0, SHUTDOWN_crash},
    {UINT32_MAX, 0, SHUTDOWN_crash},
};
static void shutdowns(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(ends); i++) {
        struct rig_domain *d = rig_one(&plain);
        struct sched_shutdown s = {ends[i].reason};

        memcpy(d->ram + ARGS, &s, sizeof s);
        assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_shutdown, ARGS), ends[i].result);
        assert_int_equal(d->shutdown, ends[i].told);
    }
}

static void other_sched_ops(void **state)
{
    struct rig_domain *d = rig_one(&plain);

    (void)state;
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_yield, 0), 0);
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_block, 0), 0); /* no shared_info yet: as yield */
    assert_int_equal(d->n_yields, 2);
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_pin_override, ARGS), -XEN_ENOSYS);
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, UINT64_MAX, ARGS), -XEN_ENOSYS);
    assert_int_equal(vc_events_sched_op(&d->events, d, 3, SCHEDOP_yield, 0), -XEN_EINVAL);
    assert_int_equal(vc_events_compat_poll(&d->events, d, 3, ARGS), -XEN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(the_lowest_free_port_from_1),
        cmocka_unit_test(ports_that_a_mode_has),
        cmocka_unit_test(results),
        cmocka_unit_test(bind_vcpu),
        cmocka_unit_test(bind_virq),
        cmocka_unit_test(alloc_unbound),
        cmocka_unit_test(bind_interdomain),
        cmocka_unit_test(bind_ipi),
        cmocka_unit_test(pointers_outside_memory),
        cmocka_unit_test(results_that_cannot_be_written),
        cmocka_unit_test(undoes_its_own_only),
        cmocka_unit_test(statuses),
        cmocka_unit_test(two_domains),
        cmocka_unit_test(a_domain_with_itself),
        cmocka_unit_test(no_other_domains),
        cmocka_unit_test(reset),
        cmocka_unit_test(send_goes_to_the_door),
        cmocka_unit_test(a_port_belongs_to_its_door),
        cmocka_unit_test(a_door_takes_what_the_guest_allocated),
        cmocka_unit_test(virqs_are_raised),
        cmocka_unit_test(bindings_are_told),
        cmocka_unit_test(delegated_delivery),
        cmocka_unit_test(delegated_pages_move),
        cmocka_unit_test(shutdowns),
        cmocka_unit_test(other_sched_ops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
