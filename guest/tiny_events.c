/* SPDX-License-Identifier: MIT */
/* shared_info and upcalls for tiny, and the words that make, use and end ports. */
#include "tiny.h"

static _Alignas(SHARED_PAGE_BYTES) uint8_t shared_pages[2][SHARED_PAGE_BYTES];
static uint32_t counts[EVENTS_PORTS]; /* upcalls of ports made by `bind` */

static struct events_cpu *cpu_of(struct tiny_console *c) { return &c->tiny->cpus[0].events; }

static void wait(void *ctx, const uint32_t *ports, uint32_t n, uint64_t until_ns)
{
    events_wait(ctx, ports, n, until_ns);
}

/* Its events are taken by an upcall; what came before is seen at once. */
static void take_port(struct tiny *t, uint32_t port)
{
    if (port != 0)
        events_unmask(&t->cpus[0].events, port);
}

void tiny_events_begin(struct tiny *t)
{
    struct tiny_cpu *cpu = &t->cpus[0];

    if (shared_page_map(&cpu->platform, shared_pages[0]) != 0)
        return;
    events_init(&t->events, shared_layout_own(), shared_pages[0]);
    t->machine->cpu_ops->prepare(cpu);
    events_cpu_init(&cpu->events, &t->events, &cpu->platform, 0);
    t->machine->cpu_ops->interrupts(cpu);
    take_port(t, t->has_xen ? t->xen.hvc.port : 0);
    take_port(t, t->has_xen ? t->xen.virq_port : 0);
    take_port(t, t->console_io.hvc.port);
    cpu->platform.wait = wait;
    cpu->platform.wait_ctx = &cpu->events;
    t->has_events = true;
    cpu->events.way->on(cpu->events.way_ctx);
}

int64_t tiny_events_move(struct tiny *t)
{
    struct events_cpu *cpu = &t->cpus[0].events;
    uint32_t to = 1 - t->page;
    bool on = cpu->way->off(cpu->way_ctx);
    int64_t error = shared_page_move(cpu->platform, shared_pages[t->page], shared_pages[to]);

    if (error == 0) {
        t->page = to;
        events_moved(&t->events, shared_pages[to]);
        for (uint32_t i = 0; i < t->n_cpus; i++)
            events_cpu_moved(&t->cpus[i].events);
    }
    if (on)
        cpu->way->on(cpu->way_ctx);
    return error;
}

/* ---- Words. ---- */

static void print_result(struct tiny_console *c, int64_t error)
{
    if (error >= 0) {
        print_line(&c->out, "ok");
        return;
    }
    print_text(&c->out, "refused: -");
    print_number(&c->out, (uint64_t)-error);
    print_line(&c->out, "");
}

static bool have_events(struct tiny_console *c)
{
    if (!c->tiny->has_events)
        print_line(&c->out, "no shared_info");
    return c->tiny->has_events;
}

static bool take_u32(char **rest, uint64_t fallback, uint64_t max, uint32_t *number)
{
    uint64_t n;

    if (!tiny_number(rest, fallback, max, &n))
        return false;
    *number = (uint32_t)n;
    return true;
}

static void count(void *ctx, struct events_cpu *cpu, uint32_t port)
{
    (void)ctx, (void)cpu;
    vc_add_relaxed(&counts[port], 1);
}

static void made(struct tiny_console *c, uint32_t port)
{
    vc_store_relaxed(&counts[port], 0);
    events_handle(&c->tiny->events, port, count, NULL);
}

static void print_port(struct tiny_console *c, int64_t error, uint32_t port)
{
    if (error < 0) {
        print_result(c, error);
        return;
    }
    made(c, port);
    print_text(&c->out, "port ");
    print_number(&c->out, port);
    print_line(&c->out, "");
}

static bool bind_unbound(struct tiny_console *c, char *rest)
{
    uint32_t domid, port;
    int64_t error;

    if (!take_u32(&rest, 0, UINT16_MAX, &domid))
        return false;
    error = events_alloc_unbound(cpu_of(c), (uint16_t)domid, &port);
    print_port(c, error, port);
    return true;
}

static bool bind_inter(struct tiny_console *c, char *rest)
{
    uint32_t domid, remote, port;
    int64_t error;

    if (!take_u32(&rest, TINY_MISSING, UINT16_MAX, &domid) || !take_u32(&rest, TINY_MISSING, UINT32_MAX, &remote))
        return false;
    error = events_bind_interdomain(cpu_of(c), (uint16_t)domid, remote, &port);
    print_port(c, error, port);
    return true;
}

static bool bind_virq(struct tiny_console *c, char *rest)
{
    uint32_t virq, vcpu, port;
    int64_t error;

    if (!take_u32(&rest, TINY_MISSING, UINT32_MAX, &virq) || !take_u32(&rest, 0, UINT32_MAX, &vcpu))
        return false;
    error = events_bind_virq(cpu_of(c), virq, vcpu, &port);
    print_port(c, error, port);
    return true;
}

static bool bind_ipi(struct tiny_console *c, char *rest)
{
    uint32_t vcpu, port;
    int64_t error;

    if (!take_u32(&rest, 0, UINT32_MAX, &vcpu))
        return false;
    error = events_bind_ipi(cpu_of(c), vcpu, &port);
    print_port(c, error, port);
    return true;
}

static bool bind_loop(struct tiny_console *c, char *rest)
{
    uint32_t port, peer;
    int64_t error = events_alloc_unbound(cpu_of(c), XEN_DOMID_SELF, &port);

    (void)rest;
    if (error == 0) {
        made(c, port);
        error = events_bind_interdomain(cpu_of(c), XEN_DOMID_SELF, port, &peer);
        if (error != 0)
            events_close(cpu_of(c), port);
    }
    if (error != 0) {
        print_result(c, error);
        return true;
    }
    made(c, peer);
    print_text(&c->out, "port ");
    print_number(&c->out, port);
    print_text(&c->out, " peer ");
    print_number(&c->out, peer);
    print_line(&c->out, "");
    return true;
}

bool tiny_run_bind(struct tiny_console *c, char *rest)
{
    static const struct {
        const char *name;
        bool (*bind)(struct tiny_console *c, char *rest);
    } kinds[] = {
        {"unbound", bind_unbound}, {"inter", bind_inter}, {"virq", bind_virq}, {"ipi", bind_ipi}, {"loop", bind_loop}};
    const char *kind = tiny_word(&rest);

    if (kind == NULL)
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (tiny_equal(kind, kinds[i].name))
            return !have_events(c) || kinds[i].bind(c, rest);
    return false;
}

/* What is refused is refused by the hypervisor, whatever the port. */
static int64_t mask(struct events_cpu *cpu, uint32_t port)
{
    events_mask(cpu->events, port);
    return 0;
}

static bool run_on_port(struct tiny_console *c, char *rest, int64_t (*run)(struct events_cpu *cpu, uint32_t port))
{
    uint32_t port;

    if (!take_u32(&rest, TINY_MISSING, UINT32_MAX, &port))
        return false;
    if (have_events(c))
        print_result(c, run(cpu_of(c), port));
    return true;
}

bool tiny_run_mask(struct tiny_console *c, char *rest) { return run_on_port(c, rest, mask); }
bool tiny_run_unmask(struct tiny_console *c, char *rest) { return run_on_port(c, rest, events_unmask); }
bool tiny_run_send(struct tiny_console *c, char *rest) { return run_on_port(c, rest, events_send); }
bool tiny_run_close(struct tiny_console *c, char *rest) { return run_on_port(c, rest, events_close); }

bool tiny_run_move(struct tiny_console *c, char *rest)
{
    uint32_t port, vcpu;

    if (!take_u32(&rest, TINY_MISSING, UINT32_MAX, &port) || !take_u32(&rest, TINY_MISSING, UINT32_MAX, &vcpu))
        return false;
    if (have_events(c))
        print_result(c, events_bind_vcpu(cpu_of(c), port, vcpu));
    return true;
}

static void print_also(struct print *p, const char *text, uint32_t number)
{
    print_text(p, text);
    print_number(p, number);
}

static void print_kind(struct print *p, const struct evtchn_status *status)
{
    static const char *const kinds[] = {" closed", " unbound ", " inter ", " pirq ", " virq ", " ipi"};

    if (status->status >= sizeof kinds / sizeof kinds[0]) {
        print_text(p, " unknown");
        return;
    }
    print_text(p, kinds[status->status]);
    if (status->status == EVTCHNSTAT_unbound)
        print_number(p, status->u.unbound.dom);
    if (status->status == EVTCHNSTAT_interdomain) {
        print_number(p, status->u.interdomain.dom);
        print_also(p, " ", status->u.interdomain.port);
    }
    if (status->status == EVTCHNSTAT_virq || status->status == EVTCHNSTAT_pirq)
        print_number(p, status->u.virq);
}

bool tiny_run_status(struct tiny_console *c, char *rest)
{
    struct evtchn_status status;
    struct print *p = &c->out;
    uint32_t port;
    int64_t error;

    if (!take_u32(&rest, TINY_MISSING, UINT32_MAX, &port))
        return false;
    if (!have_events(c))
        return true;
    error = events_status(cpu_of(c), port, &status);
    if (error != 0) {
        print_result(c, error);
        return true;
    }
    print_also(p, "port ", port);
    print_kind(p, &status);
    print_also(p, " vcpu ", status.vcpu);
    print_text(p, events_is_masked(&c->tiny->events, port) ? " masked" : "");
    print_text(p, events_is_pending(&c->tiny->events, port) ? " pending" : "");
    print_also(p, ", ", port < EVENTS_PORTS ? vc_load_relaxed(&counts[port]) : 0);
    print_line(p, " events");
    return true;
}

static void register_own(struct tiny_cpu *cpu, void *result)
{
    *(int64_t *)result = events_register(&cpu->events, cpu->info);
}

/* On behalf of one that does not run, as Linux does before it starts one. */
static int64_t register_other(struct tiny *t, uint32_t vcpu)
{
    struct tiny_cpu *cpu = &t->cpus[vcpu < TINY_CPUS ? vcpu : TINY_CPUS - 1];
    int64_t result = shared_info_register(&t->cpus[0].platform, vcpu, cpu->info);

    cpu->registered = cpu->registered || (vcpu < TINY_CPUS && result == 0);
    return result;
}

bool tiny_run_vcpu_info(struct tiny_console *c, char *rest)
{
    struct tiny *t = c->tiny;
    uint32_t vcpu;
    int64_t result = 0;

    if (!take_u32(&rest, 0, UINT32_MAX, &vcpu))
        return false;
    if (!have_events(c))
        return true;
    if (vcpu >= t->n_cpus)
        result = register_other(t, vcpu);
    else if (vcpu == 0)
        register_own(&t->cpus[0], &result);
    else
        tiny_cpu_do(&t->cpus[vcpu], register_own, &result);
    print_result(c, result);
    return true;
}

bool tiny_run_shared_info(struct tiny_console *c, char *rest)
{
    int64_t result;

    (void)rest;
    if (!have_events(c))
        return true;
    tiny_cpus_park(c->tiny, 1);
    result = tiny_events_move(c->tiny);
    tiny_cpus_let_go(c->tiny, 1);
    print_result(c, result);
    return true;
}

bool tiny_run_vcpus(struct tiny_console *c, char *rest)
{
    uint32_t n;

    if (!take_u32(&rest, 1, TINY_CPUS, &n))
        return false;
    if (!have_events(c))
        return true;
    tiny_cpus_start(c->tiny, n);
    print_also(&c->out, "vcpus: ", c->tiny->n_cpus);
    print_also(&c->out, " of ", tiny_cpus_count(c->tiny));
    print_text(&c->out, " run, upcalls by ");
    print_line(&c->out, cpu_of(c)->way->name);
    return true;
}
