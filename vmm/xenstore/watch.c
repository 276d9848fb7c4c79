/* SPDX-License-Identifier: MIT */
#include "store_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct xs_watch *make(struct store *s, struct xs_domain *payer, const char *path, const char *token)
{
    size_t n_path = strlen(path), n_token = strlen(token), bytes = sizeof(struct xs_watch) + n_path + n_token + 2;
    struct xs_watch *w = xs_alloc(s, payer, bytes);

    if (w == NULL)
        return NULL;
    memcpy(w->path, path, n_path);
    memcpy(w->path + n_path + 1, token, n_token);
    w->bytes = bytes;
    w->n_path = n_path;
    w->token = w->path + n_path + 1;
    return w;
}

/* The path that a watch is registered for; false: none that there can be. Special ones are not looked into. */
static bool watch_path(const struct store_conn *c, const char *path, char out[XS_PATH_BYTES])
{
    if (!xs_path_absolute(c->domain->domid, path, out))
        return false;
    return out[0] == '@' ? strlen(out) <= XENSTORE_REL_PATH_MAX : xs_path_valid(out);
}

static struct xs_watch **find(struct store_conn *c, const char *path, const char *token)
{
    struct xs_watch **link = &c->watches;

    while (*link != NULL && (strcmp((*link)->path, path) != 0 || strcmp((*link)->token, token) != 0))
        link = &(*link)->next;
    return link;
}

int xs_watch_add(struct store_conn *c, const char *path, const char *token, struct xs_watch **added)
{
    char absolute[XS_PATH_BYTES];
    struct xs_watch *w;

    if (!watch_path(c, path, absolute))
        return EINVAL;
    if (*find(c, absolute, token) != NULL)
        return EEXIST;
    if (!xs_privileged(c->domain) && c->n_watches >= c->store->limits.watches)
        return E2BIG;
    w = make(c->store, c->domain, absolute, token);
    if (w == NULL)
        return ENOMEM;
    if (path[0] != '/' && path[0] != '@')
        w->relative = (uint32_t)(strlen(absolute) - strlen(path));
    *c->last_watch = w;
    c->last_watch = &w->next;
    c->n_watches++;
    *added = w;
    return 0;
}

static void drop(struct store_conn *c, struct xs_watch **link)
{
    struct xs_watch *w = *link;

    *link = w->next;
    if (c->last_watch == &w->next)
        c->last_watch = link;
    c->n_watches--;
    c->n_dirty -= w->dirty;
    xs_free(c->domain, w, w->bytes);
}

int xs_watch_remove(struct store_conn *c, const char *path, const char *token)
{
    char absolute[XS_PATH_BYTES];
    struct xs_watch **link;

    if (!xs_path_absolute(c->domain->domid, path, absolute))
        return ENOENT;
    link = find(c, absolute, token);
    if (*link == NULL)
        return ENOENT;
    drop(c, link);
    return 0;
}

void xs_watch_remove_all(struct store_conn *c)
{
    while (c->watches != NULL)
        drop(c, &c->watches);
}

/* ---- Firing ---- */

static void send(struct store_conn *c, struct xs_watch *w, const char *path)
{
    /* While one event of a watch waits for room, that one stands for all that follow. */
    if (w->dirty || xs_queue_event(c, path + w->relative, w->token))
        return;
    w->dirty = true;
    c->n_dirty++;
}

void xs_watch_announce(struct store_conn *c, struct xs_watch *w) { send(c, w, w->path); }

static bool concerns(const struct xs_watch *w, const char *path, size_t n, bool exact)
{
    if (exact)
        return w->n_path == n && memcmp(w->path, path, n) == 0;
    return w->n_path <= n && xs_path_below(path, w->path, w->n_path);
}

static bool may_know(const struct xs_domain *d, const struct xs_node *node, const struct xs_node *above,
                     const struct xs_node *before)
{
    if (before != NULL && (xs_node_may(before, d) & XS_MAY_READ) != 0)
        return true;
    return node != NULL &&
           ((xs_node_may(node, d) & XS_MAY_READ) != 0 || (above != NULL && (xs_node_may(above, d) & XS_MAY_READ) != 0));
}

void xs_fire(struct store *s, const char *path, const struct xs_node *node, const struct xs_node *above, bool exact,
             const struct xs_node *before)
{
    size_t n = strlen(path);

    for (struct store_conn *c = s->conns; c != NULL; c = c->next) {
        if (c->watches == NULL || !may_know(c->domain, node, above, before))
            continue;
        for (struct xs_watch *w = c->watches; w != NULL; w = w->next)
            if (concerns(w, path, n, exact))
                send(c, w, path);
    }
    for (struct xs_watch *w = s->inside; w != NULL; w = w->next)
        w->fired |= concerns(w, path, n, exact);
}

void xs_fire_special(struct store *s, uint32_t which, const char *path)
{
    for (struct store_conn *c = s->conns; c != NULL; c = c->next) {
        if ((xs_may(s->specials[which], s->n_specials[which], c->domain) & XS_MAY_READ) == 0)
            continue;
        for (struct xs_watch *w = c->watches; w != NULL; w = w->next)
            if (strcmp(w->path, path) == 0)
                send(c, w, path);
    }
}

void store_drained(struct store_conn *c)
{
    for (struct xs_watch *w = c->watches; w != NULL && c->n_dirty > 0; w = w->next) {
        if (!w->dirty)
            continue;
        if (!xs_queue_event(c, w->path + w->relative, w->token))
            return;
        w->dirty = false;
        c->n_dirty--;
    }
}

/* ---- The VMM's ---- */

static struct xs_watch *next_fired(const struct store *s)
{
    struct xs_watch *w = s->inside;

    while (w != NULL && (!w->fired || w->dead))
        w = w->next;
    return w;
}

static void bury(struct store *s)
{
    for (struct xs_watch **link = &s->inside, *w; (w = *link) != NULL;) {
        if (w->dead) {
            *link = w->next;
            xs_free(&s->dom0, w, w->bytes);
        } else {
            link = &w->next;
        }
    }
}

void xs_dispatch(struct store *s)
{
    if (s->dispatching)
        return; /* whoever calls already finds it, at the latest when this one has returned */
    s->dispatching = true;
    for (struct xs_watch *w; (w = next_fired(s)) != NULL;) {
        w->fired = false;
        w->changed(w->ctx);
    }
    bury(s);
    s->dispatching = false;
}

struct store_watch *store_watch(struct store *s, const char *path, void (*changed)(void *ctx), void *ctx)
{
    struct xs_watch *w = xs_path_valid(path) ? make(s, &s->dom0, path, "") : NULL;

    if (w == NULL)
        return NULL;
    w->changed = changed;
    w->ctx = ctx;
    w->fired = true;
    w->next = s->inside;
    s->inside = w;
    xs_dispatch(s);
    return (struct store_watch *)(void *)w;
}

void store_unwatch(struct store *s, struct store_watch *watch)
{
    struct xs_watch *w = (struct xs_watch *)(void *)watch;

    if (w == NULL)
        return;
    w->dead = true;
    xs_dispatch(s);
}
