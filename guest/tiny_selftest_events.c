/* SPDX-License-Identifier: MIT */
/*
 * What event channels and vcpu_info must do on every hypervisor: Xen ABI 4.2-4.4, 5.3; seen so on a real Xen 4.17. Ports
 * are loops within this domain: both ends are ours.
 */
#include "tiny.h"

#define NOBODY    999u /* a vCPU that no domain has */
#define NO_DOMAIN 0x7feeu
#define MANY      80u  /* more ports than one word of 64 has */
#define QUIET     128u /* ports from here on share no word with those of consoles and vCPUs */

static struct events_cpu *cpu_of(struct tiny_console *c) { return &c->tiny->cpus[0].events; }

static void count(void *ctx, struct events_cpu *cpu, uint32_t port)
{
    (void)cpu, (void)port;
    ++*(uint32_t *)ctx;
}

struct loop {
    struct tiny *tiny;
    struct events_cpu *cpu;
    uint32_t near, far; /* what is sent on near becomes pending at far */
    uint32_t n;         /* upcalls for far */
};

static bool open_loop(struct tiny_console *c, struct loop *l)
{
    *l = (struct loop){.tiny = c->tiny, .cpu = cpu_of(c)};
    if (events_alloc_unbound(l->cpu, XEN_DOMID_SELF, &l->far) != 0)
        return false;
    events_handle(l->cpu->events, l->far, count, &l->n);
    return events_bind_interdomain(l->cpu, XEN_DOMID_SELF, l->far, &l->near) == 0;
}

static void close_loop(struct loop *l)
{
    if (l->near != 0)
        events_close(l->cpu, l->near);
    if (l->far != 0)
        events_close(l->cpu, l->far);
}

/* Have what is due delivered, however this vCPU learns of it; more: that many upcalls of far's since last. */
static bool came(struct loop *l, uint32_t more)
{
    bool good;

    events_wait(l->cpu, NULL, 0, 1); /* a time that has passed */
    good = l->n == more;
    l->n = 0;
    return good;
}

static bool with_loop(struct tiny_console *c, bool (*holds)(struct loop *l))
{
    struct loop l;
    bool good = open_loop(c, &l) && holds(&l);

    close_loop(&l);
    return good;
}

static bool pending(const struct loop *l) { return events_is_pending(l->cpu->events, l->far); }

/* ---- Delivery and masks. ---- */

static bool masked(struct loop *l)
{
    return events_send(l->cpu, l->near) == 0 && pending(l) && came(l, 0) && events_unmask(l->cpu, l->far) == 0 &&
           came(l, 1) && !pending(l);
}
static bool masked_event_waits(struct tiny_console *c) { return with_loop(c, masked); }

static bool unmasked(struct loop *l)
{
    return events_unmask(l->cpu, l->far) == 0 && came(l, 0) && events_send(l->cpu, l->near) == 0 && came(l, 1);
}
static bool event_comes_at_once(struct tiny_console *c) { return with_loop(c, unmasked); }

static bool coalesced(struct loop *l)
{
    events_send(l->cpu, l->near);
    events_send(l->cpu, l->near);
    return events_unmask(l->cpu, l->far) == 0 && came(l, 1);
}
static bool two_are_one(struct tiny_console *c) { return with_loop(c, coalesced); }

/* IPIs to oneself until one lies in a word of its own, where no console's event marks the selector meanwhile. */
static uint32_t open_quiet(struct events_cpu *cpu, uint32_t ports[QUIET])
{
    uint32_t n = 0;

    while (n < QUIET && events_bind_ipi(cpu, 0, &ports[n]) == 0)
        if (ports[n++] >= QUIET)
            break;
    return n;
}

static void close_ports(struct events_cpu *cpu, const uint32_t *ports, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        events_close(cpu, ports[i]);
}

static bool unmask_by_hand_loses_the_edge(struct tiny_console *c)
{
    uint32_t ports[QUIET], n = open_quiet(cpu_of(c), ports);
    struct loop l = {.tiny = c->tiny, .cpu = cpu_of(c), .far = n > 0 ? ports[n - 1] : 0};
    struct evtchn_send call = {l.far};
    const struct platform *p = l.cpu->platform;
    bool good;

    events_handle(l.cpu->events, l.far, count, &l.n);
    events_send(l.cpu, l.far);
    events_clear_mask(l.cpu->events, l.far);
    good = came(&l, 0) && /* and the call finds no mask to clear */
           p->hypercall(p->ctx, XEN_event_channel_op, EVTCHNOP_unmask, guest_address(&call), 0) == 0 && came(&l, 0) &&
           events_clear_pending(l.cpu->events, l.far);
    close_ports(l.cpu, ports, n);
    return good;
}

static bool polled(struct loop *l)
{
    events_send(l->cpu, l->near);
    return hypercall_poll(l->cpu->platform, &l->far, 1, 0) == 0 && pending(l);
}
static bool poll_sees_a_masked_port(struct tiny_console *c) { return with_loop(c, polled); }

static bool itself(struct loop *l)
{
    uint32_t ipi = 0, n = 0;
    bool good = events_bind_ipi(l->cpu, 0, &ipi) == 0;

    events_handle(l->cpu->events, ipi, count, &n);
    good = good && events_unmask(l->cpu, ipi) == 0 && events_send(l->cpu, ipi) == 0 && came(l, 0) && n == 1;
    return events_close(l->cpu, ipi) == 0 && good;
}
static bool ipi_comes_back(struct tiny_console *c) { return with_loop(c, itself); }

static bool all_words(struct tiny_console *c)
{
    uint32_t ports[MANY], n_ports = 0, n = 0;
    struct events_cpu *cpu = cpu_of(c);
    struct loop none = {.tiny = c->tiny, .cpu = cpu};

    for (; n_ports < MANY && events_bind_ipi(cpu, 0, &ports[n_ports]) == 0; n_ports++) {
        events_handle(cpu->events, ports[n_ports], count, &n);
        events_unmask(cpu, ports[n_ports]);
    }
    for (uint32_t i = 0; i < n_ports; i++)
        events_send(cpu, ports[i]);
    came(&none, 0);
    close_ports(cpu, ports, n_ports);
    return n_ports == MANY && n == MANY;
}

/* ---- Operations and their errors. ---- */

static bool new_interdomain(struct loop *l)
{
    return events_is_pending(l->cpu->events, l->near) && events_is_masked(l->cpu->events, l->near);
}
static bool new_interdomain_is_pending(struct tiny_console *c) { return with_loop(c, new_interdomain); }

static bool told(struct loop *l)
{
    struct evtchn_status near, far;

    return events_status(l->cpu, l->near, &near) == 0 && events_status(l->cpu, l->far, &far) == 0 &&
           near.status == EVTCHNSTAT_interdomain && near.u.interdomain.port == l->far &&
           far.status == EVTCHNSTAT_interdomain && far.u.interdomain.port == l->near && far.vcpu == 0;
}
static bool status_knows_the_peer(struct tiny_console *c) { return with_loop(c, told); }

static bool closed(struct loop *l)
{
    struct evtchn_status status;
    uint32_t near = l->near;

    events_send(l->cpu, l->near);
    if (events_close(l->cpu, l->far) != 0 || pending(l) || events_close(l->cpu, l->far) != -XEN_EINVAL)
        return false;
    l->far = 0;
    return events_status(l->cpu, near, &status) == 0 && status.status == EVTCHNSTAT_unbound &&
           events_send(l->cpu, near) == 0; /* dropped without a word */
}
static bool close_leaves_the_peer_unbound(struct tiny_console *c) { return with_loop(c, closed); }

static bool bind_refuses(struct loop *l)
{
    uint32_t port;

    return events_bind_interdomain(l->cpu, XEN_DOMID_SELF, l->far, &port) == -XEN_EINVAL && /* taken */
           events_bind_interdomain(l->cpu, XEN_DOMID_SELF, 0, &port) == -XEN_EINVAL &&
           events_bind_interdomain(l->cpu, XEN_DOMID_SELF, UINT32_MAX, &port) == -XEN_EINVAL &&
           events_bind_interdomain(l->cpu, NO_DOMAIN, 1, &port) == -XEN_ESRCH;
}
static bool wrong_peers_are_refused(struct tiny_console *c) { return with_loop(c, bind_refuses); }

static bool wrong_virqs_are_refused(struct tiny_console *c)
{
    struct events_cpu *cpu = cpu_of(c);
    uint32_t port, again;
    bool good = events_bind_virq(cpu, NR_VIRQS, 0, &port) == -XEN_EINVAL &&
                events_bind_virq(cpu, VIRQ_TIMER, NOBODY, &port) == -XEN_ENOENT;

    if (events_bind_virq(cpu, VIRQ_DEBUG, 0, &port) != 0)
        return false;
    good = good && events_bind_virq(cpu, VIRQ_DEBUG, 0, &again) == -XEN_EEXIST &&
           events_bind_vcpu(cpu, port, 0) == -XEN_EINVAL;
    return events_close(cpu, port) == 0 && good;
}

static bool vcpus_refused(struct loop *l)
{
    uint32_t ipi;
    bool good = events_bind_ipi(l->cpu, NOBODY, &ipi) == -XEN_ENOENT &&
                events_bind_vcpu(l->cpu, l->far, NOBODY) == -XEN_ENOENT && events_bind_vcpu(l->cpu, l->far, 0) == 0;

    if (events_bind_ipi(l->cpu, 0, &ipi) != 0)
        return false;
    good = good && events_bind_vcpu(l->cpu, ipi, 0) == -XEN_EINVAL;
    return events_close(l->cpu, ipi) == 0 && good;
}
static bool wrong_vcpus_are_refused(struct tiny_console *c) { return with_loop(c, vcpus_refused); }

static bool wrong_ports_are_refused(struct tiny_console *c)
{
    static const uint32_t wrong[] = {0, UINT32_MAX};
    struct events_cpu *cpu = cpu_of(c);
    struct evtchn_status status;

    for (uint32_t i = 0; i < 2; i++)
        if (events_send(cpu, wrong[i]) != -XEN_EINVAL || events_close(cpu, wrong[i]) != -XEN_EINVAL)
            return false;
    return events_unmask(cpu, UINT32_MAX) == -XEN_EINVAL && events_status(cpu, UINT32_MAX, &status) == -XEN_EINVAL;
}

/* ---- vcpu_info. ---- */

static bool wrong_infos_are_refused(struct tiny_console *c)
{
    const struct platform *p = &c->tiny->cpus[0].platform;
    const uint8_t *page =
        (const uint8_t *)(((uintptr_t)c->tiny->consoles + SHARED_PAGE_BYTES) & -(uintptr_t)SHARED_PAGE_BYTES);

    return shared_info_register(p, 0, page + 1) == -XEN_ENXIO &&                      /* misaligned */
           shared_info_register(p, 0, page + SHARED_PAGE_BYTES - 32) == -XEN_ENXIO && /* into the next page */
           shared_info_register(p, NOBODY, page) == -XEN_ENOENT &&
           p->hypercall(p->ctx, XEN_vcpu_op, VCPUOP_register_vcpu_info, 0, UINT64_MAX - 7) == -XEN_EFAULT;
}

/* Both events, one before and one behind, come in the new place; the old one is left alone. */
static bool register_between(struct loop *l, uint8_t *area)
{
    struct events_cpu *cpu = l->cpu;
    uint8_t *old = cpu->info;
    bool on = cpu->way->off(cpu->way_ctx), good;

    events_send(cpu, l->near);
    good = events_register(cpu, area) == 0 && events_due(cpu) &&
           vc_load_seq((uint32_t *)(void *)(area + cpu->events->layout->selector)) == UINT32_MAX;
    if (on)
        cpu->way->on(cpu->way_ctx);
    good = came(l, 1) && good;
    vc_store8_seq(old, 0);
    return events_send(cpu, l->near) == 0 && came(l, 1) && vc_load8_seq(old) == 0 && good;
}

static bool registered_once(struct loop *l)
{
    uint8_t *area = l->tiny->cpus[0].info;
    bool good = events_unmask(l->cpu, l->far) == 0 && (l->cpu->registered || register_between(l, area));
    int64_t again = shared_info_register(l->cpu->platform, 0, area);

    return good && (again == -XEN_EINVAL || again == -XEN_EBUSY); /* until Xen 4.18, since */
}
static bool vcpu_info_moves_once(struct tiny_console *c) { return with_loop(c, registered_once); }

/* An event before, one behind; masks stay. There and back, so that a next run finds all as it was. */
static bool moved_back_and_forth(struct loop *l)
{
    bool good = events_send(l->cpu, l->near) == 0 && tiny_events_move(l->tiny) == 0 && pending(l) &&
                events_unmask(l->cpu, l->far) == 0 && came(l, 1);

    return tiny_events_move(l->tiny) == 0 && events_send(l->cpu, l->near) == 0 && came(l, 1) && good;
}

static bool page_moved(struct loop *l)
{
    bool good;

    tiny_cpus_park(l->tiny, 1);
    good = moved_back_and_forth(l);
    tiny_cpus_let_go(l->tiny, 1);
    return good;
}
static bool shared_info_moves(struct tiny_console *c) { return with_loop(c, page_moved); }

const struct tiny_check tiny_event_checks[] = {
    {"masked event waits for its unmask", masked_event_waits},
    {"unmasked event comes at once", event_comes_at_once},
    {"two events are one while pending", two_are_one},
    {"unmask by hand loses the edge", unmask_by_hand_loses_the_edge},
    {"poll sees a masked port", poll_sees_a_masked_port},
    {"IPI to oneself comes back", ipi_comes_back},
    {"events come in every word", all_words},
    {"new interdomain port is pending", new_interdomain_is_pending},
    {"status knows the peer", status_knows_the_peer},
    {"close leaves the peer unbound", close_leaves_the_peer_unbound},
    {"wrong peers are refused", wrong_peers_are_refused},
    {"wrong virqs are refused", wrong_virqs_are_refused},
    {"wrong vcpus are refused", wrong_vcpus_are_refused},
    {"wrong ports are refused", wrong_ports_are_refused},
    {"wrong places for a vcpu_info are refused", wrong_infos_are_refused},
    {"vcpu_info moves once and loses nothing", vcpu_info_moves_once},
    {"shared_info moves and loses nothing", shared_info_moves},
    {NULL, NULL},
};
