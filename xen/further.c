/* SPDX-License-Identifier: MIT */
/* PV consoles beyond the first: frontend below the domain's own device/console, backend below ours, known by its type. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "domains.h"

#define OURS     "vcons" /* backend's "type": others' consoles, QEMU's say, have none or another */
#define STEPS    8       /* of the machine at one look; it rests earlier (test_xen_backend) */
#define ATTEMPTS 8       /* of a transaction */

struct paths_of {
    char front[NODES_PATH_BYTES], back[NODES_PATH_BYTES];
};

static struct paths_of paths(const struct domain *d, uint32_t number)
{
    struct paths_of p;

    snprintf(p.front, sizeof p.front, "/local/domain/%u/device/console/%u", d->id, number);
    snprintf(p.back, sizeof p.back, "/local/domain/0/backend/console/%u/%u", d->id, number);
    return p;
}

static int read_at(struct xen *x, char value[NODES_VALUE_BYTES], const char *directory, const char *name)
{
    char path[NODES_PATH_BYTES + 32];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return nodes_read(&x->nodes, value, path);
}

static int write_at(struct xen *x, const char *directory, const char *name, const char *value)
{
    char path[NODES_PATH_BYTES + 32];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return nodes_write(&x->nodes, path, value);
}

static uint32_t state_at(struct xen *x, const char *directory)
{
    char value[NODES_VALUE_BYTES];
    uint64_t n;

    return read_at(x, value, directory, "state") == 0 && place_number(value, UINT32_MAX, &n) ? (uint32_t)n
                                                                                             : XENBUS_UNKNOWN;
}

static bool is_at(struct xen *x, const char *directory, const char *name, const char *value)
{
    char is[NODES_VALUE_BYTES];

    return read_at(x, is, directory, name) == 0 && strcmp(is, value) == 0;
}

/* What the frontend says of its ring. False: nothing that could be one. */
static bool place_at(struct xen *x, const char *front, struct place *place)
{
    char ref[NODES_VALUE_BYTES], port[NODES_VALUE_BYTES];

    *place = (struct place){0};
    return read_at(x, ref, front, "ring-ref") == 0 && read_at(x, port, front, "port") == 0 &&
           place_of(ref, port, PLACE_GRANT_MAX, place);
}

static void watch(struct xen *x, struct seat *s, const struct paths_of *p, bool on)
{
    char path[NODES_PATH_BYTES + 8], token[16];

    if (s->watched == on)
        return;
    s->watched = on;
    snprintf(path, sizeof path, "%s/state", p->front);
    snprintf(token, sizeof token, "%u", s->domain->id);
    if (on)
        (void)nodes_watch(&x->nodes, path, token);
    else
        (void)nodes_unwatch(&x->nodes, path, token);
}

static void try_attach(struct xen *x, struct seat *s, const struct place *place)
{
    if (s->retry_ms > xen_now_ms() || place->port == 0)
        return; /* what is no place now may be one when the guest writes again */
    seat_attach(x, s, place);
}

static void remove_nodes(struct xen *x, struct seat *s, const struct paths_of *p)
{
    watch(x, s, p, false);
    (void)nodes_remove(&x->nodes, p->front);
    (void)nodes_remove(&x->nodes, p->back);
}

static struct backend_view see(struct xen *x, struct seat *s, const struct paths_of *p, struct place *place)
{
    struct backend_view v = {.backend = state_at(x, p->back),
                             .frontend = state_at(x, p->front),
                             .online = is_at(x, p->back, "online", "1"),
                             .attached = s->ring != NULL,
                             .leaving = s->leaving != NULL};
    bool known = place_at(x, p->front, place);

    v.moved = known && s->ring != NULL && (place->frame != s->ring->place.frame || place->port != s->ring->place.port);
    if (!v.online && !s->ending) {
        s->ending = true;
        s->end_ms = xen_now_ms() + END_PATIENCE_MS;
    }
    v.impatient = s->ending && s->end_ms <= xen_now_ms();
    return v;
}

/* False: it has come to rest, or is gone. */
static bool step(struct xen *x, struct seat *s, const struct paths_of *p)
{
    struct place place;
    struct backend_view v = see(x, s, p, &place);
    char text[4];
    uint32_t say;

    switch (backend_next(&v, &say)) {
    case BACKEND_WAIT: return false;
    case BACKEND_ATTACH: try_attach(x, s, &place); return s->ring != NULL;
    case BACKEND_DETACH: seat_detach(x, s); return false;
    case BACKEND_SAY: snprintf(text, sizeof text, "%u", say); return write_at(x, p->back, "state", text) == 0;
    case BACKEND_REMOVE:
        remove_nodes(x, s, p);
        seat_drop(x, s);
        return false;
    }
    return false;
}

static void look(struct xen *x, struct domain *d, uint32_t number)
{
    struct paths_of p = paths(d, number);
    struct seat *s;
    char name[NODES_VALUE_BYTES];

    if (!is_at(x, p.back, "type", OURS) || (s = seat_of(d, SEAT_FURTHER, number)) == NULL || s->released)
        return;
    if (!s->watched && read_at(x, name, p.back, "name") == 0)
        (void)place_name(name, s->name);
    watch(x, s, &p, true);
    for (int i = 0; i < STEPS && step(x, s, &p); i++) {
    }
}

void further_look(struct xen *x, struct domain *d)
{
    char path[NODES_PATH_BYTES];
    bool there[SEATS_FURTHER + 1] = {false};
    const char *names;
    uint32_t bytes;
    uint64_t n;

    snprintf(path, sizeof path, "/local/domain/0/backend/console/%u", d->id);
    if (nodes_list(&x->nodes, path, &names, &bytes) != 0)
        return;
    for (uint32_t at = 0; at < bytes; at += (uint32_t)strlen(names + at) + 1)
        if (place_number(names + at, SEATS_FURTHER, &n))
            there[n] = true;
    for (uint32_t i = 1; i <= SEATS_FURTHER; i++)
        if (there[i])
            look(x, d, i);
}

void further_end(struct xen *x, struct domain *d)
{
    for (struct seat *s = d->seats; s != NULL; s = s->next) {
        struct paths_of p = paths(d, s->number);

        if (s->kind != SEAT_FURTHER)
            continue;
        remove_nodes(x, s, &p);
    }
}

/* Permissions come first, and the states last: a frontend that is faster finds all that it needs. */
static int write_nodes(struct xen *x, const struct domain *d, uint32_t number, const char *name)
{
    struct paths_of p = paths(d, number);
    char id[16];
    int error = nodes_mkdir(&x->nodes, p.front);

    snprintf(id, sizeof id, "%u", d->id);
    const struct {
        const char *directory, *name, *value;
    } nodes[] = {{p.front, "backend", p.back}, {p.front, "backend-id", "0"},   {p.front, "type", OURS},
                 {p.front, "output", "pty"},   {p.front, "protocol", "vt100"}, {p.back, "frontend", p.front},
                 {p.back, "frontend-id", id},  {p.back, "online", "1"},        {p.back, "protocol", "vt100"},
                 {p.back, "type", OURS},       {p.back, "name", name},         {p.back, "state", "1"},
                 {p.front, "state", "1"}};

    if (error == 0)
        error = nodes_mkdir(&x->nodes, p.back);
    if (error == 0)
        error = nodes_permit(&x->nodes, p.front, d->id, 0);
    if (error == 0)
        error = nodes_permit(&x->nodes, p.back, 0, d->id);
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0] && error == 0; i++)
        if (nodes[i].value[0] != '\0')
            error = write_at(x, nodes[i].directory, nodes[i].name, nodes[i].value);
    return error;
}

/* A number that is free on both sides; 0: none is. */
static uint32_t free_number(struct xen *x, const struct domain *d)
{
    for (uint32_t i = 1; i <= SEATS_FURTHER; i++) {
        struct paths_of p = paths(d, i);
        const char *names;
        uint32_t bytes;

        if (nodes_list(&x->nodes, p.front, &names, &bytes) == -ENOENT &&
            nodes_list(&x->nodes, p.back, &names, &bytes) == -ENOENT)
            return i;
    }
    return 0;
}

int further_add(struct xen *x, struct domain *d, const char *name)
{
    int error = -EAGAIN;
    uint32_t number = 0;

    for (int i = 0; i < ATTEMPTS && error == -EAGAIN; i++) {
        error = nodes_begin(&x->nodes);
        if (error)
            return error;
        number = free_number(x, d);
        error = number != 0 ? write_nodes(x, d, number, name) : -ENOSPC;
        if (error == 0)
            error = nodes_end(&x->nodes, true);
        else
            (void)nodes_end(&x->nodes, false);
    }
    d->dirty = true;
    return error ? error : (int)number;
}

static bool has_seat(const struct domain *d, const char *name)
{
    char other[NAME_BYTES];

    for (const struct seat *s = d->seats; s != NULL; s = s->next) {
        seat_name(s, other);
        if (strcmp(other, name) == 0)
            return true;
    }
    return false;
}

static bool is_paused(struct xen *x, const struct domain *d)
{
    xc_domaininfo_t info;

    return xc_domain_getinfolist(x->control, d->id, 1, &info) != 1 || info.domain != d->id ||
           (info.flags & XEN_DOMINF_paused) != 0;
}

void further_kept(struct xen *x, struct domain *d)
{
    struct kept k;
    char file[NAME_BYTES];
    int error;

    if (d->kept || d->kept_ms > xen_now_ms())
        return;
    error = x->keep.fd >= 0 ? keep_find(&x->keep, d->name, d->uuid, &k, file) : -ENOENT;
    if (error == 0 && is_paused(x, d)) {
        d->kept_ms = xen_now_ms() + SEAT_RETRY_MS;
        return;
    }
    d->kept = true;
    d->kept_ms = 0;
    if (error && error != -ENOENT)
        xen_say(x, "%s/xen/%s: %s: no console of it is made again", x->service->directory, file,
                error == -EPROTO ? "it is no list of consoles" : strerror(-error));
    for (uint32_t i = 0; error == 0 && i < k.n; i++) {
        int number = has_seat(d, k.names[i]) ? 0 : further_add(x, d, k.names[i]);

        if (number < 0)
            xen_say(x, "%s/%s, which is kept, cannot be made: %s", d->name, k.names[i], strerror(-number));
    }
}

int further_remove(struct xen *x, struct domain *d, struct seat *s)
{
    struct paths_of p = paths(d, s->number);

    d->dirty = true;
    return write_at(x, p.back, "online", "0");
}
