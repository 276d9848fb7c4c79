/* SPDX-License-Identifier: MIT */
#include "domain_store.h"
#include "boot.h"
#include "domain_door.h"
#include "vmm.h"
#include "xenstore/domain_nodes.h"
#include <stdio.h>
#include <string.h>

#define DEVICES_MAX 9u /* Linux looks at the last digit of a device's name (xen-abi §1.6) */

/* ---- The ring: served by the vCPU that kicks, and by the loop when that would take too long. ---- */

static void notify(void *ctx)
{
    struct domain_store *s = ctx;

    vc_events_notify(&s->domain->events, s->port, &s->to);
}

static void ask_for_a_look(void *ctx)
{
    struct domain_store *s = ctx;

    atomic_store(&s->look, true);
    vmm_notify(s->domain->vmm);
}

static const struct store_ring_env ring_env = {.notify = notify, .work = ask_for_a_look};

static void serve(struct domain_store *s)
{
    bool more;

    pthread_mutex_lock(&s->lock);
    more = s->store != NULL && !s->frozen && store_ring_serve(&s->ring);
    pthread_mutex_unlock(&s->lock);
    if (more)
        ask_for_a_look(s);
}

static void kicked(struct domain_port *port) { serve((struct domain_store *)port); /* its first member */ }

void domain_store_look(struct domain *d)
{
    if (atomic_exchange(&d->store.look, false))
        serve(&d->store);
}

/* ---- Consoles beyond the first: ctx is the door. ---- */

static void *map(void *ctx, uint32_t ring_ref)
{
    return grant_pages_map(&((struct door *)ctx)->domain->grants, ring_ref);
}

static void unmap(void *ctx, uint32_t ring_ref, void *page)
{
    (void)page;
    grant_pages_unmap(&((struct door *)ctx)->domain->grants, ring_ref);
}

static bool bind_port(void *ctx, uint32_t port)
{
    struct door *door = ctx;

    if (vc_events_bind(&door->domain->events, &door->to, port) != VC_OK)
        return false;
    door->port = port;
    return true;
}

static void unbind_port(void *ctx)
{
    struct door *door = ctx;

    vc_events_close(&door->domain->events, door->port, &door->to);
}

static bool open_console(void *ctx, void *page) { return door_attach(ctx, page); }

static void close_console(void *ctx) { door_detach(ctx); }

static const struct console_backend_env backend_env = {
    .map = map, .unmap = unmap, .bind = bind_port, .unbind = unbind_port, .open = open_console, .close = close_console};

/* One that the guest opens, by its grant and its port. */
static bool is_further(const struct door *door) { return !door->is_primary && door->config->door == DOOR_XEN; }

static int add_consoles(struct domain *d)
{
    uint32_t device = 0;

    for (uint32_t i = 0; i < d->config->n_consoles; i++) {
        struct door *door = d->doors[i];

        if (!is_further(door))
            continue;
        if (++device > DEVICES_MAX || console_backend_add(&door->backend, d->store.store, d->id, device,
                                                          door->config->name, &backend_env, door) != 0)
            return -1;
    }
    return 0;
}

/* ---- A run. ---- */

void domain_store_init(struct domain *d)
{
    d->store.to.sent = kicked;
    d->store.domain = d;
    pthread_mutex_init(&d->store.lock, NULL);
}

void domain_store_free(struct domain *d) { pthread_mutex_destroy(&d->store.lock); }

static uint64_t param(struct domain *d, uint32_t index)
{
    uint64_t value = 0;

    vc_params_get(&d->params, VC_PARAM_TOOLSTACK, index, &value);
    return value;
}

static void add_rings(struct domain *d, struct domain_nodes *nodes)
{
    for (uint32_t i = 0; i < d->config->n_consoles; i++) {
        const struct door *door = d->doors[i];

        if (!door->uart.has_ring)
            continue;
        nodes->rings[nodes->n_rings].gfn = boot_uart_ring_gpa(&d->memory, door->uart.number) / XEN_PAGE_BYTES;
        nodes->rings[nodes->n_rings++].port = door->port;
    }
}

/* [locked] */
static int fill(struct domain *d, struct xenstore_domain_interface *page, uint64_t gfn)
{
    struct domain_store *s = &d->store;
    struct domain_nodes nodes = {.domid = d->id,
                                 .name = d->config->name,
                                 .memory_kib = d->config->memory_bytes >> 10,
                                 .vcpus = d->config->vcpus,
                                 .store_gfn = gfn,
                                 .store_port = s->port,
                                 .console_gfn = param(d, HVM_PARAM_CONSOLE_PFN),
                                 .console_port = (uint32_t)param(d, HVM_PARAM_CONSOLE_EVTCHN)};

    add_rings(d, &nodes);
    memcpy(nodes.uuid, d->config->uuid, sizeof nodes.uuid);
    s->store = store_create(NULL);
    if (s->store == NULL || domain_nodes_write(s->store, &nodes) != 0 ||
        !store_ring_attach(&s->ring, s->store, d->id, page, &ring_env, s))
        return -1;
    return add_consoles(d);
}

int domain_store_open(struct domain *d, struct problem *problem)
{
    struct domain_store *s = &d->store;
    uint64_t gpa = boot_store_gpa(&d->memory);
    struct xenstore_domain_interface *page = memory_at(&d->memory, gpa, XEN_PAGE_BYTES);
    int result;

    memset(page, 0, XEN_PAGE_BYTES);
    if (vc_events_open(&d->events, &s->to, VC_DOOR_GUEST, &s->port) != VC_OK)
        return problem_set(problem, -1, "no event channel for XenStore");
    vc_params_set(&d->params, VC_PARAM_TOOLSTACK, HVM_PARAM_STORE_PFN, gpa / XEN_PAGE_BYTES);
    vc_params_set(&d->params, VC_PARAM_TOOLSTACK, HVM_PARAM_STORE_EVTCHN, s->port);
    pthread_mutex_lock(&s->lock);
    result = fill(d, page, gpa / XEN_PAGE_BYTES);
    pthread_mutex_unlock(&s->lock);
    if (result == 0)
        return 0;
    domain_store_close(d);
    return problem_set(problem, -1, "no memory for XenStore");
}

/* ---- Save and restore. ---- */

void domain_store_freeze(struct domain *d, bool frozen)
{
    pthread_mutex_lock(&d->store.lock);
    d->store.frozen = frozen;
    pthread_mutex_unlock(&d->store.lock);
    if (!frozen)
        ask_for_a_look(&d->store);
}

size_t domain_store_save_bytes(struct domain *d)
{
    size_t bytes;

    pthread_mutex_lock(&d->store.lock);
    bytes = VC_SAVE_HEAD_BYTES + store_save_bytes(d->store.store) + STORE_RING_SAVE_BYTES;
    pthread_mutex_unlock(&d->store.lock);
    return bytes;
}

void domain_store_save(struct domain *d, uint32_t tag, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, tag, 1);

    pthread_mutex_lock(&d->store.lock);
    store_save(d->store.store, w);
    store_ring_save(&d->store.ring, w);
    pthread_mutex_unlock(&d->store.lock);
    vc_write_end(w, begun);
}

/* [locked] */
static bool restore(struct domain *d, struct vc_reader *r)
{
    struct domain_store *s = &d->store;
    struct xenstore_domain_interface *page = memory_at(&d->memory, boot_store_gpa(&d->memory), XEN_PAGE_BYTES);
    char path[64];

    s->store = store_create(NULL);
    if (s->store == NULL || !store_introduce(s->store, d->id) || !store_restore(s->store, d->id, r) ||
        !store_ring_restore(&s->ring, s->store, d->id, page, &ring_env, s, r) || !vc_reader_done(r))
        return false;
    snprintf(path, sizeof path, "/local/domain/%u/name", d->id); /* it may have come back under another */
    return store_write(s->store, path, d->config->name, strlen(d->config->name)) == 0;
}

bool domain_store_restore(struct domain *d, struct vc_section *section)
{
    bool right;

    pthread_mutex_lock(&d->store.lock);
    right = section->version == 1 && restore(d, &section->body);
    pthread_mutex_unlock(&d->store.lock);
    if (right)
        ask_for_a_look(&d->store); /* what the guest had asked for just before */
    return right;
}

void domain_store_save_backend(struct door *door, struct vc_writer *w)
{
    struct domain_store *s = &door->domain->store;

    pthread_mutex_lock(&s->lock);
    console_backend_save(&door->backend, w);
    pthread_mutex_unlock(&s->lock);
}

void *domain_store_restore_backend(struct door *door, struct vc_reader *r, bool *right)
{
    struct domain *d = door->domain;
    struct console_backend *b = &door->backend;
    uint32_t device = 0;
    void *page;

    for (uint32_t i = 0; i <= door->number; i++)
        device += is_further(d->doors[i]);
    pthread_mutex_lock(&d->store.lock);
    *right = console_backend_restore(b, d->store.store, d->id, device, &backend_env, door, r) == 0;
    page = console_backend_page(b);
    pthread_mutex_unlock(&d->store.lock);
    return page;
}

/* ---- Its end. ---- */

void domain_store_close(struct domain *d)
{
    struct domain_store *s = &d->store;

    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < d->n_doors; i++) { /* maybe fewer: it was never whole */
        console_backend_remove(&d->doors[i]->backend);
        d->doors[i]->backend = (struct console_backend){0};
    }
    store_ring_detach(&s->ring);
    memset(&s->ring, 0, sizeof s->ring);
    if (s->store != NULL)
        store_destroy(s->store);
    s->store = NULL;
    s->frozen = false;
    pthread_mutex_unlock(&s->lock);
}
