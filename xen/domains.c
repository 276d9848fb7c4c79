/* SPDX-License-Identifier: MIT */
#include "domains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 64u

/* Below /local/domain/ID/, with the domain's id as token; none lies where a guest writes freely. */
static const char *const watched[] = {"name", "console", "vuart", "xen-console"};

static void set_watches(struct xen *x, struct domain *d, bool on)
{
    char path[NODES_PATH_BYTES], token[16];

    if (d->watched == on)
        return;
    d->watched = on;
    snprintf(token, sizeof token, "%u", d->id);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        snprintf(path, sizeof path, "/local/domain/%u/%s", d->id, watched[i]);
        d->unheard |= 1u << i;
        if (on)
            (void)nodes_watch(&x->nodes, path, token); /* it fires at once; a lost connection shows by itself */
        else
            (void)nodes_unwatch(&x->nodes, path, token);
    }
}

static uint32_t state_of(const xc_domaininfo_t *info)
{
    uint32_t reason = info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;

    if ((info->flags & XEN_DOMINF_shutdown) == 0)
        return VC_DOMAIN_RUNNING;
    return reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog ? VC_DOMAIN_CRASHED : VC_DOMAIN_OFF;
}

static struct domain *find(struct xen *x, uint32_t id)
{
    struct domain *d = x->domains;

    while (d != NULL && d->id != id)
        d = d->next;
    return d;
}

static void end(struct xen *x, struct domain *d)
{
    struct domain **at = &x->domains;

    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    set_watches(x, d, false);
    seats_end(x, d);
    free(d);
}

static void begin(struct xen *x, const xc_domaininfo_t *info)
{
    struct domain *d = calloc(1, sizeof *d);

    if (d == NULL)
        return; /* at the next look */
    d->id = info->domain;
    memcpy(d->uuid, info->handle, sizeof d->uuid);
    d->state = state_of(info);
    d->dirty = d->seen = true;
    d->next = x->domains;
    x->domains = d;
    set_watches(x, d, true);
}

static void see(struct xen *x, const xc_domaininfo_t *info)
{
    struct domain *d = find(x, info->domain);

    if (d != NULL && memcmp(d->uuid, info->handle, sizeof d->uuid) != 0) {
        end(x, d); /* another one has its id */
        d = NULL;
    }
    if (info->flags & XEN_DOMINF_dying || info->domain == 0)
        return; /* not seen: it ends */
    if (d == NULL) {
        begin(x, info);
        return;
    }
    d->seen = true;
    if (d->state != state_of(info)) {
        d->state = state_of(info);
        seats_state(x, d);
    }
}

int domains_look(struct xen *x)
{
    xc_domaininfo_t info[AT_ONCE];
    struct domain *next;
    uint32_t first = 1;
    int n;

    for (struct domain *d = x->domains; d != NULL; d = d->next)
        d->seen = false;
    do {
        n = xc_domain_getinfolist(x->control, first, AT_ONCE, info);
        if (n < 0)
            return -errno;
        for (int i = 0; i < n; i++)
            see(x, &info[i]);
        if (n > 0)
            first = info[n - 1].domain + 1u;
    } while (n == (int)AT_ONCE);
    for (struct domain *d = x->domains; d != NULL; d = next) {
        next = d->next;
        if (!d->seen)
            end(x, d);
    }
    return 0;
}

struct domain *domains_find(struct xen *x, const char *name)
{
    struct domain *d = x->domains;
    uint64_t id;

    while (d != NULL && strcmp(d->name, name) != 0)
        d = d->next;
    return d == NULL && place_number(name, UINT32_MAX, &id) ? find(x, (uint32_t)id) : d;
}

void domains_touched(struct xen *x, const char *token)
{
    uint64_t id;
    struct domain *d = place_number(token, UINT32_MAX, &id) ? find(x, (uint32_t)id) : NULL;

    if (d != NULL)
        d->dirty = true;
}

void domains_touch_all(struct xen *x)
{
    for (struct domain *d = x->domains; d != NULL; d = d->next) {
        d->watched = false;
        d->dirty = true;
        for (struct seat *s = d->seats; s != NULL; s = s->next)
            s->watched = false;
        set_watches(x, d, true);
    }
}

/* Which of the watched nodes that is, or their number. */
static size_t index_of(const struct domain *d, const char *path)
{
    char prefix[32];
    size_t i = 0, n = (size_t)snprintf(prefix, sizeof prefix, "/local/domain/%u/", d->id);

    if (strncmp(path, prefix, n) != 0)
        return sizeof watched / sizeof watched[0];
    while (i < sizeof watched / sizeof watched[0] && strcmp(path + n, watched[i]) != 0)
        i++;
    return i;
}

void domains_fired(struct xen *x, const char *path, const char *token)
{
    const char *last = strrchr(path, '/');
    uint64_t id;
    struct domain *d = place_number(token, UINT32_MAX, &id) ? find(x, (uint32_t)id) : NULL;
    uint32_t bit;

    if (d == NULL || (last != NULL && strcmp(last, "/tty") == 0))
        return; /* we wrote that */
    bit = 1u << index_of(d, path);
    if ((d->unheard & bit) == 0)
        d->dirty = true;
    d->unheard &= ~bit;
}

static int64_t earlier(int64_t a, int64_t b) { return a < 0 || (b >= 0 && b < a) ? b : a; }

/* When to look at it: -1: not before something changes. */
static int64_t due(const struct domain *d) { return d->dirty ? d->looked_ms + DOMAINS_PAUSE_MS : seats_due_ms(d); }

int64_t domains_serve(struct xen *x)
{
    int64_t first = -1;

    for (struct domain *d = x->domains; d != NULL && !nodes_lost(&x->nodes); d = d->next) {
        int64_t at = due(d);

        if (at >= 0 && at <= xen_now_ms()) {
            d->dirty = false;
            d->looked_ms = xen_now_ms();
            seats_look(x, d);
            at = due(d); /* while we looked it may have changed again */
        }
        first = earlier(first, at);
    }
    return first;
}

void domains_free(struct xen *x)
{
    while (x->domains != NULL) {
        struct domain *d = x->domains;

        x->domains = d->next;
        while (d->seats != NULL) {
            struct seat *s = d->seats;

            d->seats = s->next;
            free(s); /* no ring is left that could belong to it */
        }
        free(d);
    }
}
