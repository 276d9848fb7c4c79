/* SPDX-License-Identifier: MIT */
#include "requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/atomic.h>

#include "domains.h"

struct request {
    struct request *next;
    uint32_t serial;
    enum plugin_verb verb;
    bool keep;
    char domain[NAME_BYTES], name[NAME_BYTES];
    uint32_t waits; /* rings that are being released */
    int error;
    char text[160];
};

void requests_open(struct xen *x) { pthread_mutex_init(&x->requests.lock, NULL); }

static void free_all(struct request *r)
{
    while (r != NULL) {
        struct request *next = r->next;

        free(r);
        r = next;
    }
}

void requests_close(struct xen *x)
{
    free_all(x->requests.asked);
    free_all(x->requests.done);
    free(x->requests.releasing);
    pthread_mutex_destroy(&x->requests.lock);
}

/* The control thread's. */

int requests_begin(struct xen *x, uint32_t serial, const struct plugin_request *asked)
{
    struct request *r = calloc(1, sizeof *r), **at = &x->requests.asked;

    if (r == NULL)
        return -ENOMEM;
    r->serial = serial;
    r->verb = asked->verb;
    r->keep = asked->keep;
    snprintf(r->domain, sizeof r->domain, "%s", asked->domain);
    snprintf(r->name, sizeof r->name, "%s", asked->name);
    pthread_mutex_lock(&x->requests.lock);
    while (*at != NULL)
        at = &(*at)->next;
    *at = r;
    pthread_mutex_unlock(&x->requests.lock);
    post_wake(&x->post, POST_THREAD);
    return 0;
}

void requests_answer(struct xen *x)
{
    struct request *r;

    pthread_mutex_lock(&x->requests.lock);
    r = x->requests.done;
    x->requests.done = NULL;
    pthread_mutex_unlock(&x->requests.lock);
    for (struct request *at = r; at != NULL; at = at->next)
        x->service->answered(x->service->ctx, at->serial, at->error, at->text);
    free_all(r);
}

/* The module's thread's. */

static void done(struct xen *x, struct request *r)
{
    pthread_mutex_lock(&x->requests.lock);
    r->next = x->requests.done;
    x->requests.done = r;
    pthread_mutex_unlock(&x->requests.lock);
    post_wake(&x->post, POST_CONTROL);
}

__attribute__((format(printf, 3, 4))) static void say(struct request *r, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->text, sizeof r->text, format, args);
    va_end(args);
    r->error = error;
}

/* For its next start. What was said stays, but for what goes wrong. */
static void keep(struct xen *x, const struct domain *d, struct request *r, const char *name)
{
    int error = keep_add(&x->keep, d->name, d->uuid, name);

    if (error)
        say(r, error, "%s/%s is there, and cannot be kept: %s", d->name, name, strerror(-error));
}

/* One that is there is no new one, but may be kept from now on. */
static void add_again(struct xen *x, const struct domain *d, struct request *r, const struct seat *s)
{
    if (!r->keep || s->kind != SEAT_FURTHER || s->ending) {
        say(r, -EEXIST, "%s has a console %s already", d->name, r->name);
        return;
    }
    say(r, 0, "%s/%s: it is there, and made again whenever the domain starts", d->name, r->name);
    keep(x, d, r, r->name);
}

static void add(struct xen *x, struct domain *d, struct request *r)
{
    char name[NAME_BYTES];
    int number;

    for (const struct seat *s = d->seats; s != NULL; s = s->next) {
        seat_name(s, name);
        if (r->name[0] != '\0' && strcmp(name, r->name) == 0) {
            add_again(x, d, r, s);
            return;
        }
    }
    number = further_add(x, d, r->name);
    if (number == -ENOSPC)
        say(r, number, "%s has as many consoles as its kernel can number: %u", d->name, SEATS_FURTHER);
    else if (number < 0)
        say(r, number, "XenStore: %s", strerror(-number));
    if (number < 0)
        return;
    if (r->name[0] != '\0')
        snprintf(name, sizeof name, "%s", r->name);
    else
        snprintf(name, sizeof name, "pv%d", number);
    say(r, 0, "%s/%s: device/console/%d, hvc%d to Linux", d->name, name, number, number);
    if (r->keep)
        keep(x, d, r, name);
}

static void remove_one(struct xen *x, struct domain *d, struct request *r)
{
    char name[NAME_BYTES];
    int error;

    for (struct seat *s = d->seats; s != NULL; s = s->next) {
        seat_name(s, name);
        if (s->kind != SEAT_FURTHER || strcmp(name, r->name) != 0)
            continue;
        error = further_remove(x, d, s);
        (void)keep_remove(&x->keep, d->name, d->uuid, name);
        say(r, error, "%s/%s%s%s", d->name, name, error ? ": XenStore: " : " goes; its log stays",
            error ? strerror(-error) : "");
        return;
    }
    if (keep_remove(&x->keep, d->name, d->uuid, r->name) == 0)
        say(r, 0, "%s/%s is not made again", d->name, r->name);
    else
        say(r, -ENOENT, "%s has no console %s that was added", d->name, r->name);
}

/* Its consoles are served no more; each guest's flag says so once its ring is drained: requests_released. */
static void release(struct xen *x, struct domain *d, struct request *r)
{
    if (x->requests.releasing != NULL) {
        say(r, -EBUSY, "another domain is being released");
        return;
    }
    for (struct seat *s = d->seats; s != NULL; s = s->next) {
        s->released = true;
        if (s->ring == NULL)
            continue;
        s->ring->release = true;
        seat_let_go(x, s, RING_DETACH);
        r->waits++;
    }
    say(r, 0,
        "%s: %u consoles released: new kernels throw away what they print, old ones wait when their rings are full",
        d->name, r->waits);
    if (r->waits > 0)
        x->requests.releasing = r;
}

void requests_released(struct xen *x, struct ring *r)
{
    struct request *waiting = x->requests.releasing;

    /* Drained, then told, then notified: what it printed between is in the ring, for whoever serves it next. */
    vc_store8_seq(&r->page->connection, XENCONSOLE_DISCONNECTED);
    ports_notify(&x->ports, vc_load_seq(&r->port));
    if (waiting == NULL || --waiting->waits > 0)
        return;
    x->requests.releasing = NULL;
    done(x, waiting);
}

/* A guest whose builder set only its parameters: they say where its console is. */
static void attach_ring_of(struct xen *x, struct domain *d, struct request *r)
{
    struct seat *s = seat_of(d, SEAT_PV0, 0);
    uint64_t frame = 0, port = 0;

    if (s == NULL || s->ring != NULL) {
        say(r, s == NULL ? -ENOMEM : -EEXIST, "%s has its console already", d->name);
        return;
    }
    if (xc_hvm_param_get(x->control, d->id, HVM_PARAM_CONSOLE_PFN, &frame) != 0 ||
        xc_hvm_param_get(x->control, d->id, HVM_PARAM_CONSOLE_EVTCHN, &port) != 0 || frame == 0 || port == 0 ||
        frame > PLACE_FRAME_MAX || port > PLACE_PORT_MAX) {
        say(r, -ENOENT, "the parameters of domain %u name no console page and port", d->id);
        return;
    }
    if (d->name[0] == '\0')
        snprintf(d->name, sizeof d->name, "%s", r->name[0] != '\0' ? r->name : "");
    if (d->name[0] == '\0')
        snprintf(d->name, sizeof d->name, "domain%u", d->id);
    s->by_hand = true;
    s->place = (struct place){frame, (uint32_t)port};
    s->released = false;
    s->retry_ms = 0;
    seat_attach(x, s, &s->place);
    if (s->ring != NULL)
        say(r, 0, "%s/pv0: frame %llu, port %llu", d->name, (unsigned long long)frame, (unsigned long long)port);
    else
        say(r, -EIO, "frame %llu and port %llu cannot be attached now; it is tried again", (unsigned long long)frame,
            (unsigned long long)port);
}

static void carry_out(struct xen *x, struct request *r)
{
    struct domain *d = domains_find(x, r->domain);

    if (d == NULL && r->verb == PLUGIN_CONSOLE_REMOVE && keep_remove(&x->keep, r->domain, NULL, r->name) == 0)
        say(r, 0, "%s/%s is not made again", r->domain, r->name);
    else if (d == NULL)
        say(r, -ENOENT, "Xen has no domain %s", r->domain);
    else if (x->reconnect_ms != 0)
        say(r, -EPIPE, "XenStore does not answer");
    else if (r->verb == PLUGIN_CONSOLE_ADD)
        add(x, d, r);
    else if (r->verb == PLUGIN_CONSOLE_REMOVE)
        remove_one(x, d, r);
    else if (r->verb == PLUGIN_RELEASE)
        release(x, d, r);
    else
        attach_ring_of(x, d, r);
    if (x->requests.releasing != r)
        done(x, r);
}

void requests_serve(struct xen *x)
{
    struct request *next, *r;

    pthread_mutex_lock(&x->requests.lock);
    r = x->requests.asked;
    x->requests.asked = NULL;
    pthread_mutex_unlock(&x->requests.lock);
    for (; r != NULL; r = next) {
        next = r->next;
        r->next = NULL;
        carry_out(x, r);
    }
}
