/* SPDX-License-Identifier: MIT */
#include "events.h"
#include "memory.h"
#include <vcons/save.h>

/* ---- Save. ---- */

static uint32_t count_ports(const struct vc_events *e)
{
    uint32_t n = 0;

    for (uint32_t port = 1; port < e->n_ports; port++)
        n += word_kind(port_load(e, port)) != VC_EVENT_FREE;
    return n;
}

static void write_port(const struct vc_events *e, const struct vc_save_doors *doors, struct vc_writer *w, uint32_t port)
{
    uint64_t is = port_load(e, port);
    bool is_door = word_kind(is) == VC_EVENT_DOOR;

    vc_write_u32(w, port);
    vc_write_u32(w, word_kind(is));
    vc_write_u32(w, word_rights(is));
    vc_write_u32(w, word_guest_made(is));
    vc_write_u32(w, word_vcpu(is));
    vc_write_u32(w, word_virq(is));
    vc_write_u32(w, word_dom(is));
    vc_write_u32(w, word_port(is));
    vc_write_u32(w, is_door ? doors->number(doors->ctx, e->ports[port].door) : 0);
}

void vc_events_save(struct vc_events *e, const struct vc_save_doors *doors, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, VC_SAVE_EVENTS, 1);
    unsigned long saved = domain_lock(e->shared);

    vc_write_u32(w, e->shared->domid);
    vc_write_u32(w, e->shared->n_vcpus);
    vc_write_u32(w, e->n_words);
    vc_write_u32(w, count_ports(e));
    vc_write_u32(w, 0);
    for (uint32_t port = 1; port < e->n_ports; port++)
        if (word_kind(port_load(e, port)) != VC_EVENT_FREE)
            write_port(e, doors, w, port);
    for (uint32_t i = 0; e->shared->placed == 0 && i < e->shared->n_vcpus * e->n_words; i++)
        vc_write_u32(w, vc_load_seq(e->pending + i));
    domain_unlock(e->shared, saved);
    vc_write_end(w, begun);
}

/* ---- Restore. ---- */

struct saved_port {
    uint32_t port, kind, rights, guest_made, vcpu, virq, dom, remote, door;
};

static struct saved_port read_port(struct vc_reader *r)
{
    struct saved_port p = {.port = vc_read_u32(r)};

    p.kind = vc_read_u32(r);
    p.rights = vc_read_u32(r);
    p.guest_made = vc_read_u32(r);
    p.vcpu = vc_read_u32(r);
    p.virq = vc_read_u32(r);
    p.dom = vc_read_u32(r);
    p.remote = vc_read_u32(r);
    p.door = vc_read_u32(r);
    return p;
}

/* Numbers that each kind may have; what a kind has not is 0, so that no state has two forms. */
static bool numbers_ok(const struct vc_events *e, const struct saved_port *p)
{
    bool remote = p->kind == VC_EVENT_UNBOUND || p->kind == VC_EVENT_INTERDOMAIN, door = p->kind == VC_EVENT_DOOR;

    return p->kind > VC_EVENT_FREE && p->kind <= VC_EVENT_DOOR && p->vcpu < e->shared->n_vcpus &&
           p->virq < (p->kind == VC_EVENT_VIRQ ? NR_VIRQS : 1u) && p->dom <= (remote ? UINT16_MAX : 0u) &&
           p->remote < (p->kind == VC_EVENT_INTERDOMAIN ? VC_EVENTS_PORTS_MAX : 1u) &&
           p->rights <= (door ? VC_DOOR_GUEST : 0u) && p->guest_made <= door && (door || p->door == 0);
}

/* As port_load would have it. A peer that is not this domain is one no more. */
static uint64_t word_of(const struct vc_events *e, const struct saved_port *p, uint32_t saved_domid)
{
    bool self = p->dom == saved_domid;
    uint32_t kind = p->kind == VC_EVENT_INTERDOMAIN && !self ? VC_EVENT_UNBOUND : p->kind;
    uint64_t is = port_word((enum vc_event_kind)kind, p->vcpu) | (uint64_t)p->rights << RIGHTS |
                  (uint64_t)p->guest_made << GUEST_MADE | (uint64_t)p->virq << VIRQ;

    if (p->kind != VC_EVENT_UNBOUND && p->kind != VC_EVENT_INTERDOMAIN)
        return is;
    return is | word_remote(self ? e->shared->domid : p->dom, kind == VC_EVENT_INTERDOMAIN ? p->remote : 0);
}

/* [events] Everything of it may be had: the number, the virq, the door. */
static bool take_port(struct vc_events *e, const struct vc_save_doors *doors, const struct saved_port *p,
                      uint32_t saved_domid)
{
    void *door = p->kind == VC_EVENT_DOOR ? doors->door(doors->ctx, p->door) : NULL;

    if (!numbers_ok(e, p) || (p->kind == VC_EVENT_DOOR && door == NULL) || p->port == 0 || p->port >= e->n_ports ||
        vc_ids_claim(&e->ids, p->port) != VC_OK)
        return false;
    if (p->kind == VC_EVENT_VIRQ && *virq_slot(e, p->vcpu, p->virq) != 0) {
        vc_ids_free(&e->ids, p->port);
        return false;
    }
    if (p->kind == VC_EVENT_VIRQ)
        __atomic_store_n(virq_slot(e, p->vcpu, p->virq), (uint16_t)p->port, __ATOMIC_SEQ_CST);
    vc_port_change(e, p->port, word_of(e, p, saved_domid), door);
    return true;
}

/* [events] Both ends of each channel to itself name each other. */
static bool pairs_ok(const struct vc_events *e)
{
    for (uint32_t port = 1; port < e->n_ports; port++) {
        uint64_t is = port_load(e, port);

        if (word_kind(is) != VC_EVENT_INTERDOMAIN)
            continue;
        if (word_port(is) == 0 || word_port(is) >= e->n_ports)
            return false;
        uint64_t other = port_load(e, word_port(is));
        if (word_kind(other) != VC_EVENT_INTERDOMAIN || word_port(other) != port)
            return false;
    }
    return true;
}

static bool take_ports(struct vc_events *e, const struct vc_save_doors *doors, struct vc_reader *r, uint32_t n,
                       uint32_t saved_domid)
{
    for (uint32_t i = 0; i < n; i++) {
        struct saved_port p = read_port(r);

        if (!vc_reader_ok(r) || !take_port(e, doors, &p, saved_domid))
            return false;
    }
    return pairs_ok(e);
}

static bool take_rows(struct vc_events *e, struct vc_reader *r)
{
    for (uint32_t i = 0; e->shared->placed == 0 && i < e->shared->n_vcpus * e->n_words; i++)
        vc_store_seq(e->pending + i, vc_read_u32(r));
    return vc_reader_done(r);
}

/* [events] Free again, whatever was taken. */
static void give_back(struct vc_events *e)
{
    for (uint32_t port = 1; port < e->n_ports; port++)
        if (word_kind(port_load(e, port)) != VC_EVENT_FREE)
            vc_port_free(e, port);
    memset(e->pending, 0, (size_t)e->shared->n_vcpus * e->n_words * sizeof *e->pending);
}

int vc_events_restore(struct vc_events *e, const struct vc_save_doors *doors, struct vc_section *s)
{
    struct vc_reader *r = &s->body;
    uint32_t domid = vc_read_u32(r), n_vcpus = vc_read_u32(r), n_words = vc_read_u32(r), n = vc_read_u32(r);
    uint32_t zero = vc_read_u32(r);
    unsigned long saved;
    bool right;

    if (s->tag != VC_SAVE_EVENTS || s->version != 1 || domid > UINT16_MAX || n_vcpus != e->shared->n_vcpus ||
        n_words != e->n_words || zero != 0 || !vc_reader_ok(r))
        return VC_EINVAL;
    saved = domain_lock(e->shared);
    right = take_ports(e, doors, r, n, domid) && take_rows(e, r);
    if (!right)
        give_back(e);
    domain_unlock(e->shared, saved);
    return right ? VC_OK : VC_EINVAL;
}

/* Upcall and selector are set whatever they were: as after a registration (facts §5.3), one look too many does no harm. */
static void mark_again(struct vc_events *e, uint32_t port, uint32_t vcpu)
{
    struct vcpu_guard g;

    if (!vcpu_enter(e->shared, vcpu, &g))
        return;
    if (port < g.vcpu->n_ports && g.vcpu->info != NULL && test_bit(g.vcpu->pending, port) &&
        !test_bit(g.vcpu->mask, port)) {
        (void)set_bit(g.vcpu->selector, port >> g.vcpu->word_shift);
        __atomic_store_n(g.vcpu->info, 1, __ATOMIC_SEQ_CST);
    }
    vcpu_leave(e->shared, &g);
}

void vc_events_tell_again(struct vc_events *e)
{
    if (e->env->deliver != NULL || vc_load_seq(&e->shared->placed) == 0)
        return;
    for (uint32_t port = 1; port < e->n_ports; port++) {
        uint64_t is = port_load(e, port);

        if (word_kind(is) != VC_EVENT_FREE)
            mark_again(e, port, word_vcpu(is));
    }
    /* The interrupts too may have come when their state was saved already. */
    for (uint32_t i = 0; i < e->shared->n_vcpus; i++)
        if (vc_shared_info_upcall_pending(e->shared, i))
            vc_vcpu_upcall(e->shared, i);
}
