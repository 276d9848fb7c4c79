/* SPDX-License-Identifier: MIT */
#include "events.h"

#define BITS 32u /* what is touched at once */

static uint32_t *word_of(const struct events *e, uint32_t offset, uint32_t port)
{
    return (uint32_t *)(void *)(e->page + offset) + port / BITS;
}

static uint32_t bit_of(uint32_t port) { return UINT32_C(1) << port % BITS; }

/* Each of these is one atomic read-modify-write, seq_cst, as the hypervisor's are; true: the bit was set before. */
static bool set_bit(uint32_t *word, uint32_t bit)
{
    return (__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

static bool clear_bit(uint32_t *word, uint32_t bit)
{
    return (__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

static bool is_port(const struct events *e, uint32_t port) { return port > 0 && port < e->layout->n_ports; }

void events_init(struct events *e, const struct shared_layout *layout, void *page)
{
    e->layout = layout;
    e->page = page;
    for (uint32_t port = 0; port < layout->n_ports; port += BITS)
        vc_store_seq(word_of(e, layout->mask, port), UINT32_MAX);
}

void events_moved(struct events *e, void *page) { e->page = page; }

void events_cpu_moved(struct events_cpu *cpu)
{
    if (!cpu->registered)
        cpu->info = shared_page_info(cpu->events->layout, cpu->events->page, cpu->vcpu);
}

void events_cpu_registered(struct events_cpu *cpu, uint8_t *area)
{
    cpu->info = area;
    cpu->registered = true;
}

void events_cpu_init(struct events_cpu *cpu, struct events *e, const struct platform *platform, uint32_t vcpu)
{
    *cpu = (struct events_cpu){.events = e, .platform = platform, .vcpu = vcpu, .off = true};
    cpu->info = shared_page_info(e->layout, e->page, vcpu);
    events_cpu_way(cpu, &events_by_poll, cpu);
}

void events_cpu_way(struct events_cpu *cpu, const struct events_way *way, void *way_ctx)
{
    cpu->way = way;
    cpu->way_ctx = way_ctx;
}

int64_t events_register(struct events_cpu *cpu, uint8_t *area)
{
    /* Off: an upcall between the call and our taking note of it would look into the place that was left. */
    bool on = cpu->way->off(cpu->way_ctx);
    int64_t error = shared_info_register(cpu->platform, cpu->vcpu, area);

    if (error == 0)
        events_cpu_registered(cpu, area);
    if (on)
        cpu->way->on(cpu->way_ctx);
    return error;
}

/* ---- Ports. ---- */

static int64_t channel_op(struct events_cpu *cpu, uint32_t op, void *call)
{
    return cpu->platform->hypercall(cpu->platform->ctx, XEN_event_channel_op, op, guest_address(call), 0);
}

/* Take up what a bind gave. A port beyond the layout cannot be used: nobody could see its bits. */
static int64_t new_port(struct events_cpu *cpu, int64_t error, uint32_t got, uint32_t vcpu, uint32_t *port)
{
    struct events *e = cpu->events;

    *port = 0;
    if (error != 0)
        return error;
    if (!is_port(e, got))
        return -XEN_ENOSPC;
    events_mask(e, got);
    events_handle(e, got, NULL, NULL);
    events_seen(e, got);
    vc_store_seq(&e->vcpu[got], vcpu);
    *port = got;
    return 0;
}

int64_t events_alloc_unbound(struct events_cpu *cpu, uint16_t remote, uint32_t *port)
{
    struct evtchn_alloc_unbound call = {.dom = XEN_DOMID_SELF, .remote_dom = remote};
    int64_t error = channel_op(cpu, EVTCHNOP_alloc_unbound, &call);

    return new_port(cpu, error, call.port, 0, port); /* Xen binds it to vCPU 0 */
}

int64_t events_bind_interdomain(struct events_cpu *cpu, uint16_t remote, uint32_t remote_port, uint32_t *port)
{
    struct evtchn_bind_interdomain call = {.remote_dom = remote, .remote_port = remote_port};
    int64_t error = channel_op(cpu, EVTCHNOP_bind_interdomain, &call);

    return new_port(cpu, error, call.local_port, 0, port);
}

int64_t events_bind_virq(struct events_cpu *cpu, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_virq call = {.virq = virq, .vcpu = vcpu};
    int64_t error = channel_op(cpu, EVTCHNOP_bind_virq, &call);

    return new_port(cpu, error, call.port, vcpu, port);
}

int64_t events_bind_ipi(struct events_cpu *cpu, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_ipi call = {.vcpu = vcpu};
    int64_t error = channel_op(cpu, EVTCHNOP_bind_ipi, &call);

    return new_port(cpu, error, call.port, vcpu, port);
}

int64_t events_bind_vcpu(struct events_cpu *cpu, uint32_t port, uint32_t vcpu)
{
    struct events *e = cpu->events;
    struct evtchn_bind_vcpu call = {.port = port, .vcpu = vcpu};
    bool live;
    int64_t error;

    if (!is_port(e, port))
        return channel_op(cpu, EVTCHNOP_bind_vcpu, &call); /* the hypervisor's answer is the true one */
    /* Masked meanwhile. Pending state does not move with it (Xen ABI 4.4): the unmask tells the new vCPU. */
    live = !set_bit(word_of(e, e->layout->mask, port), bit_of(port));
    error = channel_op(cpu, EVTCHNOP_bind_vcpu, &call);
    if (error == 0)
        vc_store_seq(&e->vcpu[port], vcpu);
    if (live)
        events_unmask(cpu, port);
    return error;
}

int64_t events_status(struct events_cpu *cpu, uint32_t port, struct evtchn_status *status)
{
    *status = (struct evtchn_status){.dom = XEN_DOMID_SELF, .port = port};
    return channel_op(cpu, EVTCHNOP_status, status);
}

int64_t events_close(struct events_cpu *cpu, uint32_t port)
{
    struct evtchn_send call = {port};
    int64_t error;

    if (is_port(cpu->events, port))
        events_mask(cpu->events, port); /* so is the next that gets this number */
    error = channel_op(cpu, EVTCHNOP_close, &call);
    if (error == 0)
        events_handle(cpu->events, port, NULL, NULL);
    return error;
}

void events_handle(struct events *e, uint32_t port, events_handler *handle, void *ctx)
{
    if (!is_port(e, port))
        return;
    e->ports[port].ctx = ctx;
    __atomic_store_n(&e->ports[port].handle, handle,
                     __ATOMIC_RELEASE); /* pairs with the upcall's acquire: ctx is there */
}

void events_mask(struct events *e, uint32_t port)
{
    if (is_port(e, port))
        set_bit(word_of(e, e->layout->mask, port), bit_of(port));
}

int64_t events_unmask(struct events_cpu *cpu, uint32_t port)
{
    struct events *e = cpu->events;
    struct evtchn_send call = {port};

    if (is_port(e, port) && vc_load_seq(&e->vcpu[port]) == cpu->vcpu) {
        /* The mask first: an event that comes now is the hypervisor's to deliver, one that came before we see. */
        clear_bit(word_of(e, e->layout->mask, port), bit_of(port));
        if (!events_is_pending(e, port))
            return 0;
        events_mask(e, port); /* for the call does something only if it finds the mask set (Xen ABI 4.3) */
    }
    return channel_op(cpu, EVTCHNOP_unmask, &call);
}

bool events_is_pending(const struct events *e, uint32_t port)
{
    return is_port(e, port) && (vc_load_seq(word_of(e, e->layout->pending, port)) & bit_of(port)) != 0;
}

bool events_is_masked(const struct events *e, uint32_t port)
{
    return is_port(e, port) && (vc_load_seq(word_of(e, e->layout->mask, port)) & bit_of(port)) != 0;
}

bool events_clear_pending(struct events *e, uint32_t port)
{
    return is_port(e, port) && clear_bit(word_of(e, e->layout->pending, port), bit_of(port));
}

void events_clear_mask(struct events *e, uint32_t port)
{
    if (is_port(e, port))
        clear_bit(word_of(e, e->layout->mask, port), bit_of(port));
}

/* ---- Upcalls. ---- */

bool events_seen(struct events *e, uint32_t port)
{
    return is_port(e, port) && clear_bit(&e->seen[port / BITS], bit_of(port));
}

static void handle(struct events_cpu *cpu, uint32_t port)
{
    struct events_port *p = &cpu->events->ports[port];
    events_handler *handler = __atomic_load_n(&p->handle, __ATOMIC_ACQUIRE);

    if (handler != NULL)
        handler(p->ctx, cpu, port);
    else
        set_bit(&cpu->events->seen[port / BITS], bit_of(port));
}

/* 32 ports from first on. A vCPU whose whole selector was marked passes others' ports by: they have an upcall too. */
static void serve_ports(struct events_cpu *cpu, uint32_t first)
{
    struct events *e = cpu->events;
    uint32_t *pending = word_of(e, e->layout->pending, first);
    uint32_t due = vc_load_seq(pending) & ~vc_load_seq(word_of(e, e->layout->mask, first));

    for (; due != 0; due &= due - 1) {
        uint32_t port = first + (uint32_t)__builtin_ctz(due);

        /* Cleared before it is handled: what comes from now on is another event. */
        if (vc_load_seq(&e->vcpu[port]) == cpu->vcpu && clear_bit(pending, due & -due))
            handle(cpu, port);
    }
}

/* Half a selector of 64 bits, or the whole one of 32: its bits stand for words from first_word on. */
static void serve_words(struct events_cpu *cpu, uint32_t *selector, uint32_t first_word)
{
    const uint32_t word_bits = cpu->events->layout->word_bits;

    /* The exchange pairs with the hypervisor's test-and-set of the bit: what made it set it is in pending by now. */
    for (uint32_t words = vc_swap_seq(selector, 0); words != 0; words &= words - 1) {
        uint32_t first = (first_word + (uint32_t)__builtin_ctz(words)) * word_bits;

        for (uint32_t port = first; port < first + word_bits; port += BITS)
            serve_ports(cpu, port);
    }
}

bool events_due(const struct events_cpu *cpu) { return cpu->info != NULL && vc_load8_seq(cpu->info) != 0; }

void events_upcall(struct events_cpu *cpu)
{
    const struct shared_layout *layout = cpu->events->layout;
    uint32_t *selector;

    if (cpu->info == NULL)
        return;
    selector = (uint32_t *)(void *)(cpu->info + layout->selector);
    do {
        /* This first: whoever marks the selector behind our back then makes a new upcall of it. */
        vc_store8_seq(cpu->info, 0);
        cpu->n_upcalls++;
        for (uint32_t i = 0; i < layout->word_bits / BITS; i++)
            serve_words(cpu, selector + i, i * BITS);
    } while (events_due(cpu));
}

static bool any_seen(struct events *e, const uint32_t *ports, uint32_t n)
{
    bool any = false;

    for (uint32_t i = 0; i < n; i++)
        any = events_seen(e, ports[i]) || any;
    return any;
}

void events_wait(struct events_cpu *cpu, const uint32_t *ports, uint32_t n, uint64_t until_ns)
{
    /* Off from the look to the sleep, or the event might be served between them and never be slept for. */
    bool on = cpu->way->off(cpu->way_ctx);

    if (!any_seen(cpu->events, ports, n)) {
        if (until_ns == 0)
            cpu->way->sleep(cpu->way_ctx, ports, n);
        else if (hypercall_poll(cpu->platform, ports, n, until_ns) < 0)
            hypercall_yield(cpu->platform);
        if (events_due(cpu))
            events_upcall(cpu);
        any_seen(cpu->events, ports, n);
    }
    if (on)
        cpu->way->on(cpu->way_ctx);
}

/* ---- Upcalls that nobody interrupts for. ---- */

static bool look_off(void *ctx)
{
    struct events_cpu *cpu = ctx;
    bool was_off = cpu->off;

    cpu->off = true;
    return !was_off;
}

static void look_on(void *ctx)
{
    struct events_cpu *cpu = ctx;

    cpu->off = false;
    events_look(cpu);
}

void events_look(struct events_cpu *cpu)
{
    while (!cpu->off && events_due(cpu)) {
        cpu->off = true; /* a handler that makes a hypercall comes by here again */
        events_upcall(cpu);
        cpu->off = false;
    }
}

static void sleep_in_poll(void *ctx, const uint32_t *ports, uint32_t n)
{
    const struct events_cpu *cpu = ctx;

    if (hypercall_poll(cpu->platform, ports, n, 0) < 0)
        hypercall_yield(cpu->platform);
}

static void sleep_in_block(void *ctx, const uint32_t *ports, uint32_t n)
{
    const struct platform *p = ((const struct events_cpu *)ctx)->platform;

    (void)ports, (void)n;
    p->hypercall(p->ctx, XEN_sched_op, SCHEDOP_block, 0, 0);
}

const struct events_way events_by_poll = {"poll", look_off, look_on, sleep_in_poll, false};
const struct events_way events_by_block = {"block", look_off, look_on, sleep_in_block, false};
