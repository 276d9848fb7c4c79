/* SPDX-License-Identifier: MIT */
/*
 * The word `pry`: a guest that tries all it can name to reach what its hypervisor keeps from it: ports, parameters, frames
 * (promise P4). Only its own consoles, XenStore and shared_info it leaves alone, for it wants to tell.
 */
#include "tiny.h"

#define PAGE_SHIFT   12u
#define FRAMES       64u
#define BEYOND_PORTS 64u /* more than any layout has */
#define BOUND_PORTS  64u
#define PARAMS       (HVM_NR_PARAMS + 8u)
#define TOLD         20u /* of what was reached, at most */
#define GRANT_REF    GNTTAB_NR_RESERVED

struct pry {
    struct tiny_console *c;
    const struct platform *platform;
    uint64_t frames; /* from here on nothing is known to be ours: behind the special pages, which are eight */
    uint32_t store_port;
    uint32_t others, gets, sets, places, reached;
};
static _Alignas(1 << PAGE_SHIFT) uint8_t page[1 << PAGE_SHIFT]; /* where something could be put */
static _Alignas(1 << PAGE_SHIFT) uint8_t grants[1 << PAGE_SHIFT];

static void reach(struct pry *y, const char *what, uint64_t number, const char *how)
{
    struct print *p = &y->c->out;

    if (++y->reached > TOLD)
        return;
    print_text(p, "reached ");
    print_text(p, what);
    print_text(p, " ");
    print_number(p, number);
    print_text(p, " by ");
    print_line(p, how);
}

static int64_t call(const struct pry *y, uint64_t nr, uint64_t a0, const void *a1, uint64_t a2)
{
    return y->platform->hypercall(y->platform->ctx, nr, a0, guest_address(a1), a2);
}

/* ---- Ports. ---- */

static bool same_status(const struct evtchn_status *a, const struct evtchn_status *b)
{
    return a->status == b->status && a->vcpu == b->vcpu && a->u.interdomain.dom == b->u.interdomain.dom &&
           a->u.interdomain.port == b->u.interdomain.port;
}

static struct evtchn_status status_of(const struct pry *y, uint32_t port)
{
    struct evtchn_status s = {.dom = XEN_DOMID_SELF, .port = port};

    if (call(y, XEN_event_channel_op, EVTCHNOP_status, &s, 0) != 0)
        s.status = EVTCHNSTAT_closed;
    return s;
}

/* Interdomain, to a port of the backend's, and known to no console: that is what a private one looks like. */
static bool is_ours(const struct pry *y, const struct evtchn_status *s)
{
    const struct tiny *t = y->c->tiny;

    if (s->status == EVTCHNSTAT_closed)
        return false;
    return s->status != EVTCHNSTAT_interdomain || s->port == y->store_port ||
           (t->has_xen && s->port == t->xen.hvc.port) || s->port == t->console_io.hvc.port;
}

static void pry_bindings(struct pry *y, uint32_t port)
{
    struct evtchn_bind_interdomain bind = {.remote_dom = XEN_DOMID_SELF, .remote_port = port};
    const struct evtchn_bind_vcpu move = {.port = port};

    if (call(y, XEN_event_channel_op, EVTCHNOP_bind_vcpu, &move, 0) >= 0)
        reach(y, "port", port, "bind_vcpu");
    for (int i = 0; i < 2; i++, bind.remote_dom = 0)
        if (call(y, XEN_event_channel_op, EVTCHNOP_bind_interdomain, &bind, 0) >= 0)
            reach(y, "port", port, "bind_interdomain");
    call(y, XEN_event_channel_op, EVTCHNOP_unmask, &port, 0); /* whoever may: a bit of the guest's own page */
}

/* Of those that are free a few have it all; each call may cost an exit. */
static void pry_port(struct pry *y, uint32_t port)
{
    const struct evtchn_status before = status_of(y, port);
    struct evtchn_status after;

    if (is_ours(y, &before))
        return;
    y->others += before.status != EVTCHNSTAT_closed;
    if (call(y, XEN_event_channel_op, EVTCHNOP_send, &port, 0) >= 0)
        reach(y, "port", port, "send");
    if (call(y, XEN_event_channel_op, EVTCHNOP_close, &port, 0) >= 0)
        reach(y, "port", port, "close");
    if (port >= BOUND_PORTS && before.status == EVTCHNSTAT_closed)
        return;
    pry_bindings(y, port);
    after = status_of(y, port);
    if (!same_status(&before, &after))
        reach(y, "port", port, "all of it");
}

/* ---- Parameters. ---- */

static int64_t set_param(const struct pry *y, uint16_t domid, uint32_t index, uint64_t value)
{
    const struct xen_hvm_param param = {.domid = domid, .index = index, .value = value};

    return call(y, XEN_hvm_op, HVMOP_set_param, &param, 0);
}

/* What the guest may read names nothing beyond what it knows; what it may set it sets, and puts back. */
static void pry_param(struct pry *y, uint32_t index)
{
    uint64_t was, is;
    bool gets = hypercall_get_param(y->platform, index, &was) == 0;
    struct xen_hvm_param other = {.domid = 0, .index = index};

    if (call(y, XEN_hvm_op, HVMOP_get_param, &other, 0) >= 0 || set_param(y, 0, index, y->frames) >= 0)
        reach(y, "parameter", index, "domain 0");
    if (gets && was >= y->frames && was < y->frames + FRAMES)
        reach(y, "parameter", index, "get");
    y->gets += gets;
    if (index == HVM_PARAM_CALLBACK_IRQ) /* its own interrupts */
        return;
    if (set_param(y, XEN_DOMID_SELF, index, y->frames) != 0)
        return;
    y->sets++;
    if (!gets || hypercall_get_param(y->platform, index, &is) != 0 || is != y->frames ||
        set_param(y, XEN_DOMID_SELF, index, was) != 0)
        reach(y, "parameter", index, "set");
}

/* ---- Frames. ---- */

static int64_t add_to_physmap(const struct pry *y, uint32_t space, uint64_t idx, uint64_t gfn)
{
    const struct xen_add_to_physmap add = {.domid = XEN_DOMID_SELF, .space = space, .idx = idx, .gpfn = gfn};
    const struct compat_add_to_physmap compat = {
        .domid = XEN_DOMID_SELF, .space = space, .idx = (uint32_t)idx, .gpfn = (uint32_t)gfn};

    return call(y, XEN_memory_op, XENMEM_add_to_physmap, sizeof(void *) == 8 ? (const void *)&add : &compat, 0);
}

static uint64_t gfn_of(const struct pry *y, const void *at)
{
    return y->platform->gpa(y->platform->ctx, at) >> PAGE_SHIFT;
}

static void pry_memory_op(struct pry *y, uint64_t frame)
{
    const struct xen_remove_from_physmap away = {.domid = XEN_DOMID_SELF, .gpfn = frame};
    const uint64_t frames[] = {frame};
    const struct { /* xen_memory_reservation of public/memory.h, for 64 bits */
        uint64_t extents, n;
        uint32_t order, flags;
        uint16_t domid;
    } give = {guest_address(frames), 1, 0, 0, XEN_DOMID_SELF};
    const struct vcpu_register_vcpu_info info = {.mfn = frame};

    for (uint32_t space = 0; space < 8; space++)
        if (space != XENMAPSPACE_grant_table &&
            (add_to_physmap(y, space, 0, frame) >= 0 || add_to_physmap(y, space, frame, gfn_of(y, page)) >= 0))
            reach(y, "frame", frame, "add_to_physmap");
    if (call(y, XEN_memory_op, XENMEM_remove_from_physmap, &away, 0) >= 0)
        reach(y, "frame", frame, "remove_from_physmap");
    if (call(y, XEN_memory_op, XENMEM_decrease_reservation, &give, 0) > 0) /* so many it gave */
        reach(y, "frame", frame, "decrease_reservation");
    if (y->platform->hypercall(y->platform->ctx, XEN_vcpu_op, VCPUOP_register_vcpu_info, 0, guest_address(&info)) >= 0)
        reach(y, "frame", frame, "register_vcpu_info");
}

/* Its own grant table it may put where there is no memory, if that is nobody's. */
static void pry_place(struct pry *y, uint64_t frame)
{
    if (add_to_physmap(y, XENMAPSPACE_grant_table, 0, frame) == 0)
        y->places++;
    add_to_physmap(y, XENMAPSPACE_grant_table, 0, gfn_of(y, grants));
}

/* A grant of the frame to itself, mapped and copied; both structs as in public/grant_table.h, for every ABI alike. */
static void pry_grant(struct pry *y, uint64_t frame)
{
    struct grant_entry_v1 *entry = (struct grant_entry_v1 *)(void *)grants + GRANT_REF;
    struct {
        uint64_t host_addr;
        uint32_t flags, ref;
        uint16_t dom;
        int16_t status;
        uint32_t handle;
        uint64_t bus;
    } map = {.host_addr = guest_address(page), .ref = GRANT_REF, .dom = XEN_DOMID_SELF};
    struct {
        struct {
            uint64_t frame;
            uint16_t domid, offset;
        } from, to;
        uint16_t bytes, flags;
        int16_t status;
    } copy = {.from = {frame, XEN_DOMID_SELF, 0}, .to = {gfn_of(y, page), XEN_DOMID_SELF, 0}, .bytes = 64};

    entry->domid = XEN_DOMID_SELF;
    entry->frame = (uint32_t)frame;
    entry->flags = GTF_permit_access;
    if (call(y, XEN_grant_table_op, GNTTABOP_map_grant_ref, &map, 1) >= 0 && map.status == GNTST_okay)
        reach(y, "frame", frame, "map_grant_ref");
    for (int i = 0; i < 2; i++) {
        if (call(y, XEN_grant_table_op, GNTTABOP_copy, &copy, 1) >= 0 && copy.status == GNTST_okay)
            reach(y, "frame", frame, "grant copy");
        copy.to.frame = frame;
        copy.from.frame = gfn_of(y, page);
    }
}

/* Where nothing is, a write changes nothing. */
static void pry_touch(struct pry *y, uint64_t frame)
{
    volatile uint32_t *at = y->platform->map(y->platform->ctx, frame << PAGE_SHIFT, 1 << PAGE_SHIFT);
    uint32_t was;

    if (at == NULL)
        return; /* this machine has no address for it */
    was = *at;
    *at = ~was;
    if (*at == was)
        return;
    *at = was;
    reach(y, "frame", frame, "touch");
}

static void pry_frame(struct pry *y, uint64_t frame)
{
    pry_memory_op(y, frame);
    pry_place(y, frame);
    pry_grant(y, frame);
    pry_touch(y, frame);
}

void tiny_pry(struct tiny_console *c)
{
    struct pry y = {.c = c, .platform = c->hvc->platform};
    uint64_t value;

    hypercall_get_param(y.platform, HVM_PARAM_STORE_EVTCHN, &value);
    y.store_port = (uint32_t)value;
    hypercall_get_param(y.platform, HVM_PARAM_CONSOLE_PFN, &value);
    y.frames = value + 4;
    for (uint32_t port = 0; port < EVENTS_PORTS + BEYOND_PORTS; port++)
        pry_port(&y, port);
    pry_port(&y, UINT32_MAX);
    for (uint32_t index = 0; index < PARAMS; index++)
        pry_param(&y, index);
    for (uint32_t i = 0; i < FRAMES; i++)
        pry_frame(&y, y.frames + i);
    for (unsigned bit = 31; bit < 8 * sizeof(void *); bit++) /* no machine of tiny's has that much */
        pry_memory_op(&y, UINT64_C(1) << bit);
    print_text(&c->out, "pry: ");
    print_number(&c->out, y.others);
    print_text(&c->out, " ports of others, ");
    print_number(&c->out, y.gets);
    print_text(&c->out, " parameters to read, ");
    print_number(&c->out, y.sets);
    print_text(&c->out, " to set, ");
    print_number(&c->out, y.places);
    print_text(&c->out, " places for its grants, ");
    print_number(&c->out, y.reached);
    print_line(&c->out, " reached");
}
