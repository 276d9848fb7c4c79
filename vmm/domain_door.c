/* SPDX-License-Identifier: MIT */
#include "boot.h"
#include "domain_private.h"
#include "vmm.h"

static bool is_xen(const struct domain *d) { return d->config->console.door == DOOR_XEN; }

/* ---- What the console asks of the domain, under its lock. ---- */

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return vmm_now_ms();
}

static void show(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct domain *d = ctx;

    vc_focus_write(&d->vmm->focus, &d->focus, bytes, n);
}

static void ask_for_a_look(struct domain *d)
{
    atomic_store(&d->look, true);
    vmm_notify(d->vmm);
}

static void held(void *ctx) { ask_for_a_look(ctx); }

const struct console_env domain_console_env = {.now_ms = now_ms, .taken = show, .held = held};

/* ---- What the PV console asks, under the same lock. ---- */

static uint32_t pv_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct domain *d = ctx;

    return console_put(&d->console, bytes, n);
}

/* Viewers first, then the terminal: decisions, "Terminal". */
static uint32_t read_input(struct domain *d, uint8_t *bytes, uint32_t n)
{
    uint32_t got = console_get(&d->console, bytes, n);

    return got > 0 ? got : vc_focus_read(&d->vmm->focus, &d->focus, bytes, n);
}

static uint32_t pv_in(void *ctx, uint8_t *bytes, uint32_t n) { return read_input(ctx, bytes, n); }

static int pv_bind(void *ctx)
{
    struct domain *d = ctx;

    return vc_events_open(&d->events, &d->pvcons, &d->port);
}

static void pv_unbind(void *ctx)
{
    struct domain *d = ctx;

    vc_events_close(&d->events, d->port, &d->pvcons);
}

static void pv_notify(void *ctx)
{
    struct domain *d = ctx;

    vc_events_notify(&d->events, d->port, &d->pvcons);
}

static void pv_broken(void *ctx, enum vc_pvcons_reason reason)
{
    struct domain *d = ctx;

    console_post(&d->console, VC_LINE_BROKEN, reason);
}

const struct vc_pvcons_env domain_pvcons_env = {.out = pv_out,
                                                .in = pv_in,
                                                .bind = pv_bind,
                                                .unbind = pv_unbind,
                                                .notify = pv_notify,
                                                .now_ms = now_ms,
                                                .broken = pv_broken};

/* ---- The door as a whole. ---- */

bool door_serve(struct domain *d)
{
    enum vc_pvcons_served served = is_xen(d) ? vc_pvcons_serve(&d->pvcons) : VC_PVCONS_DONE;

    if (served == VC_PVCONS_RETRY && !d->retry) {
        d->retry = true;
        ask_for_a_look(d);
    }
    return served != VC_PVCONS_HELD;
}

void door_input(struct domain *d)
{
    if (d->ops->stream) {
        d->ops->wake(d->engine);
        return;
    }
    console_lock(&d->console);
    door_serve(d);
    console_unlock(&d->console);
    vc_events_virq(&d->events, VIRQ_CONSOLE);
}

void domain_typed(struct domain *d)
{
    if (d->state == DOMAIN_RUNNING)
        door_input(d);
}

static void take_line_events(struct domain *d)
{
    struct vc_line_event event;

    while (console_event(&d->console, &event))
        if (event.kind == VC_LINE_RESIZE && d->ops->resize != NULL && d->state == DOMAIN_RUNNING)
            d->ops->resize(d->engine, (unsigned)(event.value >> 16 & 0xffff), (unsigned)(event.value & 0xffff));
}

/* What the loop has seen of the line and the service should know. */
static void tell_service(struct domain *d)
{
    uint64_t dropped;
    bool broken, flows;

    console_lock(&d->console);
    dropped = d->console.dropped;
    flows = d->console.flow == CONSOLE_FLOWS;
    broken = d->console.broken && d->linked;
    console_unlock(&d->console);
    if (broken)
        link_violated(&d->vmm->link, "a line's indices or events break the protocol");
    if (flows && dropped != d->dropped_told) {
        d->dropped_told = dropped;
        link_domain_state(&d->vmm->link, d);
    }
}

void door_work(void *domain)
{
    struct domain *d = domain;
    uint64_t deadline;
    bool input;

    console_lock(&d->console);
    console_move(&d->console);
    d->retry = false;
    door_serve(d);
    take_line_events(d);
    vc_source_arm_bytes(&d->console.source);
    input = !d->console.broken && !vc_source_idle(&d->console.source);
    deadline = console_deadline(&d->console);
    if (d->retry && vmm_now_ms() + VC_PVCONS_RETRY_MS < deadline)
        deadline = vmm_now_ms() + VC_PVCONS_RETRY_MS;
    console_unlock(&d->console);
    if (d->state == DOMAIN_RUNNING && (input || d->ops->stream))
        door_input(d);
    pump_until(&d->pump, deadline);
    tell_service(d);
    if (d->state == DOMAIN_ENDING)
        domain_reap(d);
}

void domain_give_up(struct domain *d)
{
    console_lock(&d->console);
    d->console.hold_ms = 0;
    console_unlock(&d->console);
    door_work(d);
}

/* The builder's part: page, port, parameters; then the backend's: attach before any vCPU runs (design §3.1). */
static int open_xen(struct domain *d, struct problem *problem)
{
    uint64_t gpa = boot_console_gpa(&d->memory);
    struct xencons_interface *page = memory_at(&d->memory, gpa, sizeof *page);

    vc_xencons_build(page);
    vc_pvcons_init(&d->pvcons, &domain_pvcons_env, d);
    if (vc_pvcons_attach(&d->pvcons, page) != VC_OK)
        return problem_set(problem, -1, "no event channel for the console");
    if (d->config->connected == CONNECTED_ALWAYS || d->linked)
        vc_pvcons_connect(&d->pvcons);
    vc_params_set(&d->params, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_PFN, gpa >> 12);
    vc_params_set(&d->params, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_EVTCHN, d->port);
    return 0;
}

int door_open(struct domain *d, struct problem *problem)
{
    int result = 0;

    vc_params_init(&d->params, VC_PARAM_X86);
    console_lock(&d->console);
    console_post(&d->console, VC_LINE_BOOT, d->boot);
    if (is_xen(d))
        result = open_xen(d, problem);
    console_unlock(&d->console);
    return result;
}

bool door_drained(struct domain *d)
{
    bool drained;

    console_lock(&d->console);
    drained = door_serve(d);
    console_unlock(&d->console);
    return drained;
}

void door_close(struct domain *d, bool for_good)
{
    console_lock(&d->console);
    if (is_xen(d))
        vc_pvcons_detach(&d->pvcons, for_good);
    d->retry = false;
    console_unlock(&d->console);
}

void domain_linked(struct domain *d, bool linked)
{
    console_lock(&d->console);
    d->linked = linked;
    if (linked)
        console_attached(&d->console);
    if (is_xen(d) && d->config->connected == CONNECTED_SERVICE && d->state == DOMAIN_RUNNING) {
        if (linked)
            vc_pvcons_connect(&d->pvcons);
        else
            vc_pvcons_disconnect(&d->pvcons);
    }
    console_unlock(&d->console);
    door_work(d);
}

/* ---- Streams: engines whose guest is a program on a pty. ---- */

size_t domain_stream_put(struct domain *d, const void *bytes, size_t n)
{
    uint32_t taken;

    console_lock(&d->console);
    taken = console_put(&d->console, bytes, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
    console_unlock(&d->console);
    return taken;
}

size_t domain_stream_get(struct domain *d, void *bytes, size_t n)
{
    uint32_t got;
    bool waits;

    console_lock(&d->console);
    /* What lies in the ring was typed before. */
    waits = is_xen(d) && vc_pvcons_unread(&d->pvcons);
    got = waits ? 0 : read_input(d, bytes, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
    console_unlock(&d->console);
    return got;
}
