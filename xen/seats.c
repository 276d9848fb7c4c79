/* SPDX-License-Identifier: MIT */
/* The consoles of one domain, by its nodes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/atomic.h>

#include "attach.h"
#include "domains.h"
#include "requests.h"

/* Directory of the console's nodes. */
static void directory_of(const struct seat *s, char path[NODES_PATH_BYTES])
{
    switch (s->kind) {
    case SEAT_PV0: snprintf(path, NODES_PATH_BYTES, "/local/domain/%u/console", s->domain->id); break;
    case SEAT_VUART: snprintf(path, NODES_PATH_BYTES, "/local/domain/%u/vuart/%u", s->domain->id, s->number); break;
    case SEAT_FURTHER:
        snprintf(path, NODES_PATH_BYTES, "/local/domain/%u/device/console/%u", s->domain->id, s->number);
        break;
    case SEAT_XEN: snprintf(path, NODES_PATH_BYTES, "/local/domain/%u/xen-console/%u", s->domain->id, s->number); break;
    }
}

void seat_name(const struct seat *s, char name[NAME_BYTES])
{
    static const char *const words[] = {
        [SEAT_PV0] = "pv", [SEAT_VUART] = "vuart", [SEAT_XEN] = "xen", [SEAT_FURTHER] = "pv"};

    if (s->name[0] != '\0')
        snprintf(name, NAME_BYTES, "%s", s->name);
    else
        snprintf(name, NAME_BYTES, "%s%u", words[s->kind], s->number);
}

static int read_below(struct xen *x, char value[NODES_VALUE_BYTES], const char *directory, const char *name)
{
    char path[2 * NODES_PATH_BYTES];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return nodes_read(&x->nodes, value, path);
}

/* Where its nodes say it is. False: nowhere, or it is somebody else's to serve. */
static bool place_by_nodes(struct xen *x, const struct seat *s, struct place *place)
{
    char directory[NODES_PATH_BYTES], ref[NODES_VALUE_BYTES], port[NODES_VALUE_BYTES], type[NODES_VALUE_BYTES];

    if (s->by_hand) {
        *place = s->place;
        return true;
    }
    directory_of(s, directory);
    if (read_below(x, ref, directory, "ring-ref") != 0 || read_below(x, port, directory, "port") != 0)
        return false;
    /* ioemu: QEMU serves it. xen-console/N has no such node. */
    if (read_below(x, type, directory, "type") == 0 && strcmp(type, "xenconsoled") != 0)
        return false;
    return place_of(ref, port, PLACE_FRAME_MAX, place);
}

static void complain(struct xen *x, struct seat *s, const char *why)
{
    char name[NAME_BYTES];

    seat_name(s, name);
    if (!s->told)
        xen_say(x, "%s/%s of domain %u: %s; it is tried again and again", s->domain->name, name, s->domain->id, why);
    s->told = true;
    s->retry_ms = xen_now_ms() + SEAT_RETRY_MS;
}

/* Its ring goes on without it, until the service has let go of it. */
void seat_let_go(struct xen *x, struct seat *s, uint32_t what)
{
    if (s->ring == NULL)
        return;
    s->ring->seat = NULL;
    post_send(&x->post, POST_CONTROL, s->ring, what);
    s->ring = NULL;
}

void seat_detach(struct xen *x, struct seat *s)
{
    struct ring *r = s->ring;

    seat_let_go(x, s, RING_DETACH);
    r->seat = s; /* seat_gone tells when it is unmapped */
    s->leaving = r;
}

void seat_attach(struct xen *x, struct seat *s, const struct place *place)
{
    const struct domain *d = s->domain;
    int error;
    enum attach_by by = s->kind == SEAT_FURTHER              ? ATTACH_GRANT
                        : s->kind == SEAT_PV0 && !s->by_hand ? ATTACH_GRANT_0_OR_FRAME
                                                             : ATTACH_FRAME;
    struct ring *r = attach_ring(x, d->id, d->uuid, place, by, &error);

    if (r == NULL) {
        complain(x, s, error == -EPROTO ? "the indices in its page are not legal" : strerror(-error));
        return;
    }
    s->retry_ms = 0;
    s->ring = r;
    r->seat = s;
    r->origin = (struct plugin_origin){.kind = s->kind == SEAT_VUART ? VC_LINK_SBSA : VC_LINK_XEN,
                                       .domid = d->id,
                                       .first = s->kind == SEAT_PV0,
                                       .engine = "xen"};
    memcpy(r->origin.uuid, d->uuid, sizeof r->origin.uuid);
    memcpy(r->domain, d->name, sizeof r->domain);
    memcpy(r->former, d->former, sizeof r->former);
    seat_name(s, r->console_name);
    r->state = d->state;
    x->n_outstanding++;
    post_send(&x->post, POST_CONTROL, r, RING_ATTACH);
}

/* It is attached: is it still where it was? */
static void check(struct xen *x, struct seat *s, const struct place *place)
{
    struct ring *r = s->ring;

    if (!r->granted && place->frame != r->place.frame) {
        seat_let_go(x, s, RING_DETACH);
        seat_attach(x, s, place);
    } else if (place->port != r->place.port || !attach_connected(x, r)) {
        (void)attach_rebind(x, r, place->port); /* not yet: its guest will say more */
    }
}

static void look(struct xen *x, struct seat *s)
{
    struct place place;

    if (s->released)
        return;
    if (!place_by_nodes(x, s, &place))
        return; /* without nodes it stays as it is: domains end by Xen's word alone */
    if (s->ring != NULL)
        check(x, s, &place);
    else if (s->retry_ms <= xen_now_ms())
        seat_attach(x, s, &place);
}

struct seat *seat_of(struct domain *d, enum seat_kind kind, uint32_t number)
{
    struct seat *s = d->seats;

    while (s != NULL && (s->kind != kind || s->number != number))
        s = s->next;
    if (s != NULL || (s = calloc(1, sizeof *s)) == NULL)
        return s;
    s->domain = d;
    s->kind = kind;
    s->number = number;
    s->next = d->seats;
    d->seats = s;
    return s;
}

/* One below xen-console/, which dom0 alone may write. */
static void look_at_list(struct xen *x, struct domain *d)
{
    char path[NODES_PATH_BYTES];
    uint64_t numbers[SEATS_XEN_MAX], n = 0;
    const char *names;
    uint32_t bytes;

    snprintf(path, sizeof path, "/local/domain/%u/xen-console", d->id);
    if (nodes_list(&x->nodes, path, &names, &bytes) != 0)
        return;
    for (uint32_t at = 0; at < bytes && n < SEATS_XEN_MAX; at += (uint32_t)strlen(names + at) + 1)
        n += place_number(names + at, UINT16_MAX, &numbers[n]);
    for (uint64_t i = 0; i < n; i++) {
        struct seat *s = seat_of(d, SEAT_XEN, (uint32_t)numbers[i]);

        if (s != NULL)
            look(x, s);
    }
}

/* Its name as it is now. False: it has none yet, or its consoles are still on their way from one name to the other. */
static bool has_name(struct xen *x, struct domain *d)
{
    char path[NODES_PATH_BYTES], text[NODES_VALUE_BYTES], name[NAME_BYTES];
    bool leaving = false;

    snprintf(path, sizeof path, "/local/domain/%u", d->id);
    if (read_below(x, text, path, "name") != 0 || !place_name(text, name))
        return d->name[0] != '\0';
    if (strcmp(name, d->name) == 0)
        return true;
    for (struct seat *s = d->seats; s != NULL; s = s->next) {
        if (s->ring != NULL)
            seat_detach(x, s);
        leaving = leaving || s->leaving != NULL;
    }
    if (leaving)
        return false; /* the last to be unmapped has us look again */
    memcpy(d->former, d->name, sizeof d->former);
    memcpy(d->name, name, sizeof d->name);
    return true;
}

void seats_look(struct xen *x, struct domain *d)
{
    struct seat *first, *uart;

    if (!has_name(x, d))
        return; /* its watch tells when it has one */
    first = seat_of(d, SEAT_PV0, 0);
    uart = seat_of(d, SEAT_VUART, 0);
    if (first != NULL)
        look(x, first);
    if (uart != NULL)
        look(x, uart);
    look_at_list(x, d);
    further_look(x, d);
    further_kept(x, d);
    d->former[0] = '\0'; /* the first that was attached brings all */
}

void seat_drop(struct xen *x, struct seat *s)
{
    struct seat **at = &s->domain->seats;

    (void)x;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    free(s);
}

void seats_end(struct xen *x, struct domain *d)
{
    further_end(x, d);
    while (d->seats != NULL) {
        struct seat *s = d->seats;

        d->seats = s->next;
        seat_let_go(x, s, RING_DETACH_END);
        if (s->leaving != NULL)
            s->leaving->seat = NULL;
        free(s);
    }
}

static void post_state(struct xen *x, struct ring *r, uint32_t state)
{
    vc_store_seq(&r->state, state);
    post_send(&x->post, POST_CONTROL, r, RING_STATE);
}

void seats_state(struct xen *x, const struct domain *d)
{
    for (const struct seat *s = d->seats; s != NULL; s = s->next)
        if (s->ring != NULL && s->ring->taken) /* one that may still be refused is in no box but for that */
            post_state(x, s->ring, d->state);
}

static int64_t earlier(int64_t a, int64_t b) { return a < 0 || b < a ? b : a; }

int64_t seats_due_ms(const struct domain *d)
{
    int64_t first = d->kept_ms != 0 ? d->kept_ms : -1;

    for (const struct seat *s = d->seats; s != NULL; s = s->next)
        if (s->ending)
            first = earlier(first, s->end_ms > d->looked_ms ? s->end_ms : d->looked_ms + SEAT_RETRY_MS);
        else if (s->ring == NULL && s->retry_ms != 0 && (first < 0 || s->retry_ms < first))
            first = s->retry_ms;
    return first;
}

/* What the service says. */

/*
 * xl console opens what stands there, as root: so only dom0 may write it, also where the directory around it is the guest's. A
 * transaction that collides is one with what the guest writes; it may not go on so for ever.
 */
static int write_tty(struct xen *x, const char *directory, const struct ring *r)
{
    char path[NODES_PATH_BYTES + 8];
    int error = -EAGAIN;

    snprintf(path, sizeof path, "%s/tty", directory);
    if (nodes_guarded(&x->nodes, directory) ==
        1) /* as libxl makes it: what takes the time of a start is to ask XenStore */
        return nodes_write(&x->nodes, path, r->tty);
    for (int i = 0; i < 8 && error == -EAGAIN; i++) {
        error = nodes_begin(&x->nodes);
        if (error)
            return error;
        error = nodes_write(&x->nodes, path, r->tty);
        if (error == 0)
            error = nodes_permit(&x->nodes, path, 0, r->domid);
        if (error == 0)
            error = nodes_end(&x->nodes, true);
        else
            (void)nodes_end(&x->nodes, false);
    }
    return error;
}

void seat_taken(struct xen *x, struct ring *r)
{
    char directory[NODES_PATH_BYTES];

    if (r->seat != NULL && vc_load_seq(&r->state) != r->seat->domain->state)
        post_state(x, r, r->seat->domain->state); /* it changed meanwhile */
    r->taken = true;
    if (r->seat == NULL || r->tty[0] == '\0')
        return;
    r->seat->told = false;
    directory_of(r->seat, directory);
    (void)write_tty(x, directory, r);
}

void seat_refused(struct xen *x, struct ring *r)
{
    struct seat *s = r->seat;

    if (s == NULL || s->leaving == r)
        return; /* its detach is under way, and brings it back */
    s->ring = NULL;
    complain(x, s, "the service has another console of that name");
    x->n_outstanding--;
    attach_undo(x, r);
}

void seat_gone(struct xen *x, struct ring *r)
{
    if (r->seat != NULL && r->seat->leaving == r) {
        r->seat->leaving = NULL;
        r->seat->domain->dirty = true;
    } else if (r->seat != NULL) {
        r->seat->ring = NULL;
    }
    if (r->release)
        requests_released(x, r);
    x->n_outstanding--;
    attach_undo(x, r);
}
