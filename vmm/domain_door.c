/* SPDX-License-Identifier: MIT */
/* One console of a domain: between the guest's ring, its hypercalls or its program, and the line. */
#include "domain_door.h"
#include "boot.h"
#include "vmm.h"

#define LEAVE_LOOK_MS 5u /* between two looks at what the service of a console that leaves has not yet */

static bool is_first(const struct door *door) { return door->number == 0; }

/* ---- What the console asks of the domain, under its lock. ---- */

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return vmm_now_ms();
}

static void show(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct door *door = ctx;

    if (!is_first(door))
        return;
    vc_focus_write(&door->domain->vmm->focus, &door->domain->focus, bytes, n);
    show_bytes(&door->domain->vmm->show, n);
}

void door_ask_for_a_look(struct door *door)
{
    atomic_store(&door->look, true);
    vmm_notify(door->domain->vmm);
}

static void held(void *ctx) { door_ask_for_a_look(ctx); }

static const struct console_env door_console_env = {.now_ms = now_ms, .taken = show, .held = held};

/* ---- What the PV console asks, under the same lock. ---- */

static uint32_t pv_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    return console_put(&((struct door *)ctx)->console, bytes, n);
}

/* Viewers first, then the terminal: decisions, "Terminal". */
uint32_t door_get(struct door *door, uint8_t *bytes, uint32_t n)
{
    uint32_t got = door_kept(door, bytes, n);

    if (got == 0)
        got = console_get(&door->console, bytes, n);

    if (got > 0 || !is_first(door))
        return got;
    return vc_focus_read(&door->domain->vmm->focus, &door->domain->focus, bytes, n);
}

static uint32_t pv_in(void *ctx, uint8_t *bytes, uint32_t n) { return door_get(ctx, bytes, n); }

/* Ports of further consoles are the guest's: their backend binds them before it opens the door. A restored domain's port is
 * there already, for this door and no other. */
static int pv_bind(void *ctx)
{
    struct door *door = ctx;
    struct vc_event_binding binding;

    if (door->port != 0 && vc_events_look(&door->domain->events, door->port, &binding) == VC_OK &&
        binding.kind == VC_EVENT_DOOR && binding.door == &door->to)
        return VC_OK;
    if (!door->is_primary)
        return VC_OK;
    return vc_events_open(&door->domain->events, &door->to, VC_DOOR_GUEST, &door->port);
}

static void pv_unbind(void *ctx)
{
    struct door *door = ctx;

    if (door->is_primary)
        vc_events_close(&door->domain->events, door->port, &door->to);
}

static void pv_notify(void *ctx)
{
    struct door *door = ctx;

    vc_events_notify(&door->domain->events, door->port, &door->to);
}

/* The loop, once asked, looks until none is owed. */
static void pv_owe(void *ctx)
{
    struct door *door = ctx;

    door->settle_ms = vmm_now_ms() + VC_PVCONS_OWED_MS;
    if (!door->owes)
        door_ask_for_a_look(door);
    door->owes = true;
}

static void pv_broken(void *ctx, enum vc_pvcons_reason reason)
{
    console_post(&((struct door *)ctx)->console, VC_LINE_BROKEN, reason);
}

static const struct vc_pvcons_env pvcons_env = {.out = pv_out,
                                                .in = pv_in,
                                                .bind = pv_bind,
                                                .unbind = pv_unbind,
                                                .notify = pv_notify,
                                                .owe = pv_owe,
                                                .now_ms = now_ms,
                                                .broken = pv_broken};

/* The guest sent on its port: its vCPU's thread. */
static void kicked(struct domain_port *port)
{
    struct door *door = (struct door *)port; /* its first member */

    console_lock(&door->console);
    door_serve(door);
    door_quiet_sent(door);
    console_unlock(&door->console);
}

/* ---- The door as a whole. ---- */

bool door_serve(struct door *door)
{
    if (door->frozen)
        return true; /* what is left is saved where it is */
    if (door_is_uart(door->config->door))
        return uart_serve(door);
    if (door_is_virtio(door->config->door))
        return virtio_serve(door);

    enum vc_pvcons_served served = door->config->door == DOOR_XEN ? vc_pvcons_serve(&door->pvcons) : VC_PVCONS_DONE;

    if (served == VC_PVCONS_RETRY && !door->retry) {
        door->retry = true;
        door_ask_for_a_look(door);
    }
    return served != VC_PVCONS_HELD;
}

uint32_t door_read(struct door *door, void *bytes, uint32_t n)
{
    uint32_t got;

    console_lock(&door->console);
    /* What lies in the ring was typed before. */
    got = door->config->door == DOOR_XEN && vc_pvcons_unread(&door->pvcons) ? 0 : door_get(door, bytes, n);
    console_unlock(&door->console);
    return got;
}

void door_input(struct door *door)
{
    struct domain *d = door->domain;

    if (d->ops->stream) {
        d->ops->wake(d->engine);
        return;
    }
    console_lock(&door->console);
    door_serve(door);
    console_unlock(&door->console);
    if (door == d->io_door)
        vc_events_virq(&d->events, 0, VIRQ_CONSOLE);
}

static void take_line_events(struct door *door)
{
    struct domain *d = door->domain;
    struct vc_line_event event;

    while (console_event(&door->console, &event))
        if (event.kind == VC_LINE_RESIZE && d->ops->resize != NULL && d->engine != NULL)
            d->ops->resize(d->engine, (unsigned)(event.value >> 16 & 0xffff), (unsigned)(event.value & 0xffff));
        else if (event.kind == VC_LINE_RESIZE && door_is_virtio(door->config->door))
            virtio_resize(door, (unsigned)(event.value >> 16 & 0xffff), (unsigned)(event.value & 0xffff));
        else if (event.kind == VC_LINE_BREAK && door_is_uart(door->config->door))
            uart_break(door);
}

/* What the loop has seen of the line and the service should know. */
static void tell_service(struct door *door)
{
    struct link *link = &door->domain->vmm->link;
    uint64_t dropped;
    bool broken, flows;

    console_lock(&door->console);
    dropped = door->console.dropped;
    flows = door->console.flow == CONSOLE_FLOWS;
    broken = door->console.broken && door->linked;
    console_unlock(&door->console);
    if (broken)
        link_violated(link, "a line's indices or events break the protocol");
    if (flows && dropped != door->dropped_told) {
        door->dropped_told = dropped;
        link_domain_state(link, door->domain);
    }
}

/* [console] What is owed to the guest, if it is time; *deadline: when it will be. */
static void settle(struct door *door, uint64_t *deadline)
{
    uint64_t due = door->frozen ? vmm_now_ms() + VC_PVCONS_OWED_MS : door->settle_ms; /* frozen: not now */

    if (door->owes && (door->frozen || door->pvcons.owes) && vmm_now_ms() < due) {
        *deadline = due < *deadline ? due : *deadline;
        return;
    }
    door->owes = false;
    vc_pvcons_settle(&door->pvcons);
}

void door_work(void *ctx)
{
    struct door *door = ctx;
    struct domain *d = door->domain;
    uint64_t deadline;
    bool input;

    if (!door->pump.ready)
        return; /* it has left */
    console_lock(&door->console);
    console_move(&door->console);
    door->retry = false;
    if (!door->frozen)
        uart_tick(door);
    door_serve(door);
    take_line_events(door);
    door_quiet_tick(door);
    vc_source_arm_bytes(&door->console.source);
    input = !door->console.broken && !vc_source_idle(&door->console.source);
    deadline = console_deadline(&door->console);
    if (door->retry && vmm_now_ms() + VC_PVCONS_RETRY_MS < deadline)
        deadline = vmm_now_ms() + VC_PVCONS_RETRY_MS;
    if (door_is_uart(door->config->door)) {
        uint64_t due = uart_deadline(door);

        deadline = due < deadline ? due : deadline;
    }
    if (door->leaving && vmm_now_ms() + LEAVE_LOOK_MS < deadline)
        deadline = vmm_now_ms() + LEAVE_LOOK_MS;
    if (atomic_load(&door->quiet.on) && door->quiet.due_ms < deadline)
        deadline = door->quiet.due_ms;
    settle(door, &deadline);
    console_unlock(&door->console);
    if (d->state == DOMAIN_RUNNING && (input || d->ops->stream))
        door_input(door);
    pump_until(&door->pump, deadline);
    tell_service(door);
    if (door->leaving)
        domain_console_left(door);
    if (d->state == DOMAIN_ENDING)
        domain_reap(d);
}

int door_init(struct door *door, struct problem *problem)
{
    struct domain *d = door->domain;
    bool is_virtio = door_is_virtio(door->config->door);

    door->to.sent = kicked;
    if (console_init_as(&door->console, &door_console_env, door, &d->vmm->kicks,
                        is_virtio ? virtio_hold_ms(door->config->door, d->config->hold_ms) : d->config->hold_ms,
                        door->uart.has_ring ? VC_LINK_GEOMETRY_XEN : VC_LINK_GEOMETRY_LINE, problem) != 0)
        return -1;
    if (is_virtio)
        virtio_place(door);
    if (pump_init(&door->pump, &d->vmm->loop, &door->console, door_work, door) != 0)
        return problem_set(problem, -1, "cannot watch the line of domain \"%s\"", d->config->name);
    return 0;
}

/* The builder's part: page, port, parameters; then the backend's: attach before any vCPU runs (design §3.1). */
static int open_ring(struct door *door, struct problem *problem)
{
    struct domain *d = door->domain;
    uint64_t gpa = boot_console_gpa(&d->memory);
    struct xencons_interface *page = memory_at(&d->memory, gpa, sizeof *page);

    vc_xencons_build(page);
    if (vc_pvcons_attach(&door->pvcons, page) != VC_OK)
        return problem_set(problem, -1, "no event channel for the console");
    if (d->config->connected == CONNECTED_ALWAYS || door->linked)
        vc_pvcons_connect(&door->pvcons);
    vc_params_set(&d->params, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_PFN, gpa >> 12);
    vc_params_set(&d->params, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_EVTCHN, door->port);
    return 0;
}

void door_free(struct door *door)
{
    door_drop_kept(door);
    console_finish(&door->console);
}

void door_prepare(struct door *door)
{
    door->owes = false;
    door_quiet_init(door);
    vc_pvcons_init(&door->pvcons, &pvcons_env, door);
}

int door_open(struct door *door, struct problem *problem)
{
    int result = 0;

    console_lock(&door->console);
    console_post(&door->console, VC_LINE_BOOT, door->domain->boot);
    door_prepare(door);
    door->port = 0;
    door_drop_kept(door);
    if (door->is_primary)
        result = open_ring(door, problem);
    if (door_is_uart(door->config->door))
        result = uart_open(door, problem);
    if (door_is_virtio(door->config->door))
        virtio_plug(door);
    console_unlock(&door->console);
    return result;
}

void door_close(struct door *door, bool for_good)
{
    console_lock(&door->console);
    door_quiet_end(door);
    if (door->config->door == DOOR_XEN)
        vc_pvcons_detach(&door->pvcons, for_good && !door->frozen);
    uart_close(door);
    door->retry = door->frozen = false;
    console_unlock(&door->console);
}

bool door_attach(struct door *door, void *page)
{
    bool attached;

    console_lock(&door->console);
    attached = vc_pvcons_attach(&door->pvcons, page) == VC_OK;
    if (attached)
        vc_pvcons_connect(&door->pvcons);
    console_unlock(&door->console);
    if (attached)
        door_ask_for_a_look(door); /* what was typed before, and output that found no room */
    return attached;
}

void door_detach(struct door *door) { door_close(door, true); }

void door_again(struct door *door)
{
    console_lock(&door->console);
    if (door->config->door == DOOR_XEN &&
        (!door->is_primary || door->domain->config->connected == CONNECTED_ALWAYS || door->linked))
        vc_pvcons_connect(&door->pvcons); /* one that the guest has not opened stays so */
    else if (door->is_primary)
        vc_pvcons_disconnect(&door->pvcons);
    console_unlock(&door->console);
    door_input(door);
}

void door_linked(struct door *door, bool linked)
{
    struct domain *d = door->domain;

    console_lock(&door->console);
    door_quiet_end(door); /* who comes, or goes, finds all that there is */
    door->linked = linked;
    if (linked)
        console_attached(&door->console);
    if (door->is_primary && d->config->connected == CONNECTED_SERVICE && d->state == DOMAIN_RUNNING && !door->frozen) {
        if (linked)
            vc_pvcons_connect(&door->pvcons);
        else
            vc_pvcons_disconnect(&door->pvcons);
    }
    console_unlock(&door->console);
    door_work(door);
}
