/* SPDX-License-Identifier: MIT */
#include "boot.h"
#include "config_value.h"
#include "domain_door.h"
#include "host/name.h"
#include "host/paths.h"
#include "save_config.h"
#include "save_private.h"
#include "vmm.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- CONFIG: before there is a domain. ---- */

/* A hypervisor for this domain alone. */
static void name_hypervisor(struct vmm_config *config, const char *domain)
{
    snprintf(config->name, sizeof config->name, "restored-%.*s", (int)(sizeof config->name - sizeof "restored-"),
             domain);
}

int save_config_open(struct vmm_config *config, const struct vmm_config_options *options, struct problem *p)
{
    enum save_kind kind;
    struct problem what;
    struct save_in *in = calloc(1, sizeof *in);

    if (in == NULL)
        return problem_set(p, -1, "no memory");
    config->restored = in;
    if (save_in_open(in, options->restore, p) != 0 || save_in_next(in, 0, &kind, p) != 0)
        return -1;
    if (save_config_read(config, in->payload, in->bytes, options->restore_as, &what) != 0 ||
        config_domain_complete(config, &config->domains[0], options, &what) != 0)
        return problem_set(p, -1, "%s: %s", options->restore, what.text);
    name_hypervisor(config, config->domains[0].name);
    return 0;
}

void save_config_close(struct vmm_config *config)
{
    if (config->restored == NULL)
        return;
    save_in_close(config->restored);
    free(config->restored);
    config->restored = NULL;
}

/* ---- RAM. ---- */

static int load_pages(struct domain *d, struct save_in *in, uint64_t *next, struct problem *p)
{
    struct vc_reader r;
    uint64_t gpa, bytes;
    void *to;

    vc_reader_init(&r, in->payload, in->bytes);
    gpa = vc_read_u64(&r);
    bytes = in->bytes - r.at;
    to = gpa % 4096 == 0 && bytes % 4096 == 0 && bytes > 0 && gpa >= *next ? memory_at(&d->memory, gpa, bytes) : NULL;
    if (to == NULL)
        return problem_set(p, -1, "%s: damaged: it has pages where the domain has no memory", in->path);
    memcpy(to, in->payload + r.at, bytes);
    *next = gpa + bytes;
    return 0;
}

static int load_memory(struct domain *d, struct save_in *in, enum save_kind kind, struct problem *p)
{
    uint64_t next = 0;

    do {
        if (save_in_next(in, kind, &kind, p) != 0 || (kind == SAVE_RAM && load_pages(d, in, &next, p) != 0))
            return -1;
    } while (kind != SAVE_END);
    return 0;
}

/* ---- STATE. ---- */

static bool next_section(struct vc_reader *r, uint32_t tag, struct vc_section *s)
{
    bool there;

    return vc_read_section(r, s, &there) == VC_OK && there && s->tag == tag &&
           (s->version == 1 || (tag != SAVE_DOMAIN && tag != SAVE_VCPUS && tag != SAVE_DOOR && tag != SAVE_INPUT));
}

static bool load_domain(struct domain *d, struct vc_reader *r)
{
    struct vc_section s;
    uint32_t boot, n_doors;

    if (!next_section(r, SAVE_DOMAIN, &s))
        return false;
    boot = vc_read_u32(&s.body);
    n_doors = vc_read_u32(&s.body);
    d->saved_ns = vc_read_u64(&s.body);
    d->boot = boot;
    return vc_reader_done(&s.body) && boot > 0 && boot < UINT32_MAX && n_doors == d->n_doors &&
           d->saved_ns < (uint64_t)INT64_MAX;
}

/* Their timers are set when they start: this is guest time. */
static bool load_vcpus(struct domain *d, struct vc_reader *r)
{
    struct vc_section s;

    if (!next_section(r, SAVE_VCPUS, &s))
        return false;
    for (uint32_t i = 0; i < d->config->vcpus; i++) {
        uint32_t initialised = vc_read_u32(&s.body), zero = vc_read_u32(&s.body);

        if (initialised > 1 || zero != 0)
            return false;
        d->vcpus[i].initialised = initialised == 1;
        d->vcpus[i].timer_ns = vc_read_u64(&s.body);
    }
    return vc_reader_done(&s.body);
}

/* The port that was restored for this door; 0: none. */
static uint32_t port_of(struct domain *d, const struct domain_port *door)
{
    struct vc_event_binding binding;

    for (uint32_t port = 1; vc_events_look(&d->events, port, &binding) == VC_OK; port++)
        if (binding.kind == VC_EVENT_DOOR && binding.door == door)
            return port;
    return 0;
}

/* What says which console it is; and of one beyond the first, the page that the guest gave it. */
static bool load_door_head(struct door *door, struct vc_reader *r, struct xencons_interface **page)
{
    struct guest_memory *m = &door->domain->memory;
    struct vc_section s;
    bool right = true;

    door->port = port_of(door->domain, &door->to);
    door_prepare(door);
    if (!next_section(r, SAVE_DOOR, &s) || vc_read_u32(&s.body) != door->number)
        return false;
    if (door->is_primary)
        *page = memory_at(m, boot_console_gpa(m), sizeof **page);
    else if (door->config->door == DOOR_XEN)
        *page = domain_store_restore_backend(door, &s.body, &right);
    return right && vc_reader_done(&s.body) && (*page == NULL || door->port != 0);
}

/* [locked] A console that was open has a page, and the other way round. */
static bool load_ring(struct door *door, struct vc_reader *r, struct xencons_interface *page)
{
    struct vc_section s;
    struct vc_reader look;

    if (!next_section(r, VC_SAVE_PVCONS, &s))
        return false;
    look = s.body;
    if (page == NULL && vc_read_u32(&look) != VC_PVCONS_DETACHED)
        return false;
    return vc_pvcons_restore(&door->pvcons, &s, page) == VC_OK &&
           (page == NULL || door->pvcons.state != VC_PVCONS_DETACHED);
}

/* [locked] */
static bool load_door(struct door *door, struct vc_reader *r, struct xencons_interface *page)
{
    struct vc_section s;

    if ((door->config->door == DOOR_XEN && !load_ring(door, r, page)) ||
        (door_is_uart(door->config->door) && !uart_restore(door, r)) || !next_section(r, SAVE_INPUT, &s))
        return false;
    console_post(&door->console, VC_LINE_RESTORE, 0);
    if (door_is_virtio(door->config->door))
        virtio_plug(door);
    return door_keep(door, s.body.bytes, (uint32_t)s.body.size) == 0;
}

/* Ports are plugged before their devices are as they were. */
static bool load_doors(struct domain *d, struct vc_reader *r)
{
    bool right = true;

    virtio_open(d);
    for (uint32_t i = 0; right && i < d->n_doors; i++) {
        struct xencons_interface *page = NULL;

        right = load_door_head(d->doors[i], r, &page);
        console_lock(&d->doors[i]->console);
        right = right && load_door(d->doors[i], r, page);
        console_unlock(&d->doors[i]->console);
    }
    return right && virtio_restore(d, r);
}

static bool load_grants(struct domain *d, struct vc_reader *r)
{
    struct vc_section s;

    return next_section(r, SAVE_GRANTS, &s) && grant_pages_restore(&d->grants, &s);
}

static bool load_store(struct domain *d, struct vc_reader *r)
{
    struct vc_section s;

    d->store.port = port_of(d, &d->store.to);
    return d->store.port != 0 && next_section(r, SAVE_STORE, &s) && domain_store_restore(d, &s);
}

static bool load_state(struct domain *d, struct vc_reader *r)
{
    struct vc_save_doors doors = save_doors(d);
    struct vc_section s;

    domain_join(d);
    return load_domain(d, r) && load_vcpus(d, r) && next_section(r, VC_SAVE_PARAMS, &s) &&
           vc_params_restore(&d->params, &s) == VC_OK && load_grants(d, r) && next_section(r, VC_SAVE_FOCUS, &s) &&
           vc_focus_restore(&d->vmm->focus, &d->focus, &s) == VC_OK && next_section(r, VC_SAVE_SHARED_INFO, &s) &&
           vc_shared_info_restore(&d->shared, &s) == VC_OK && next_section(r, VC_SAVE_EVENTS, &s) &&
           vc_events_restore(&d->events, &doors, &s) == VC_OK && load_store(d, r) && load_doors(d, r) &&
           vc_reader_done(r);
}

/* ---- All of it. ---- */

/* The state is looked at when memory is there, in which its places lie; so is the engine's. */
int save_load(struct domain *d, struct save_in *in, struct problem *p)
{
    uint8_t *state, *engine = NULL;
    size_t state_bytes, engine_bytes;
    enum save_kind kind;
    struct problem why;
    struct vc_reader r;
    int result = -1;

    if (d->ops->restore == NULL)
        return problem_set(p, -1, "%s: engine %s cannot restore a domain", in->path, d->config->engine);
    if (save_in_next(in, SAVE_CONFIG, &kind, p) != 0)
        return -1;
    state = save_in_take(in, &state_bytes);
    if (save_in_next(in, SAVE_STATE, &kind, p) != 0)
        goto free_all;
    engine = save_in_take(in, &engine_bytes);
    if (memory_clear(&d->memory) != 0) {
        problem_set(p, -1, "cannot clear the domain's memory: %s", strerror(errno));
        goto free_all;
    }
    if (load_memory(d, in, kind, p) != 0 || guest_open(d, p) != 0)
        goto free_all;
    vc_reader_init(&r, state, state_bytes);
    if (!load_state(d, &r))
        problem_set(p, -1, "%s: damaged: its state fits no domain of this configuration", in->path);
    else if (d->ops->restore(d->engine, engine, engine_bytes, d->saved_ns, &why) != 0)
        problem_set(p, -1, "%s: %s", in->path, why.text);
    else
        result = 0;
    d->loaded = result == 0;
free_all:
    if (result != 0)
        domain_store_close(d);
    free(engine);
    free(state);
    return result;
}

void save_resume(struct domain *d)
{
    uint64_t gfn;

    d->loaded = false;
    for (uint32_t i = 0; !d->ops->stream && i < d->config->vcpus; i++)
        domain_timer_set(&d->vcpus[i], d->vcpus[i].timer_ns);
    if (vc_shared_info_placed(&d->shared, &gfn))
        domain_tell_time(d); /* the counter that its clock goes by is this machine's, and wall time went on */
    doors_again(d);
    vc_events_tell_again(&d->events);
}

/* ---- Which file was restored under which name. ---- */

static int path_of(char path[PATH_MAX], const struct save_in *in, const char *name, struct problem *p)
{
    struct paths paths;
    char id[2 * SAVE_ID_BYTES + 1];

    for (unsigned i = 0; i < SAVE_ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", in->id[i]);
    if (paths_find(PATHS_USER, &paths, p) != 0 || paths_make(PATHS_USER, &paths, p) != 0)
        return -1;
    if (paths_format(path, "%s/restored", paths.state) != 0 || (mkdir(path, 0700) != 0 && errno != EEXIST) ||
        paths_format(path, "%s/restored/%s.%s", paths.state, id, name) != 0)
        return problem_set(p, -1, "%s: %s", paths.state, strerror(errno));
    return 0;
}

int save_remember(const struct save_in *in, const char *name, struct problem *p)
{
    char path[PATH_MAX];
    int fd;

    if (path_of(path, in, name, p) != 0)
        return -1;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return problem_set(p, -1, "%s: was restored as %s before, and one domain has one past: expected another --name",
                           in->path, name);
    if (fd < 0)
        return problem_set(p, -1, "%s: %s", path, strerror(errno));
    close(fd);
    return 0;
}

void save_forget(const struct save_in *in, const char *name)
{
    char path[PATH_MAX];
    struct problem ignored;

    if (path_of(path, in, name, &ignored) == 0)
        unlink(path);
}
