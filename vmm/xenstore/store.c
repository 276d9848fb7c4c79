/* SPDX-License-Identifier: MIT */
/* store.c: the store itself, domains, connections and their queues. */
#include "store_private.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct store_limits store_default_limits = {
    .nodes = 1000,
    .watches = 128,
    .transactions = 10,
    .touched = 1024,
    .perms = 5,
    .node_bytes = 2048,
    .bytes = 2u << 20,
};

struct store *store_create(const struct store_limits *limits)
{
    static const struct xs_perm nobody = {0};
    struct store *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->limits = limits != NULL ? *limits : store_default_limits;
    s->dom0.introduced = true;
    s->domains = &s->dom0;
    s->n_specials[0] = s->n_specials[1] = 1;
    s->root = xs_node_create(s, &s->dom0, "", 0, &nobody, 1, "", 0);
    if (s->root == NULL) {
        free(s);
        return NULL;
    }
    s->root->generation = ++s->generation;
    return s;
}

void store_destroy(struct store *s)
{
    if (s == NULL)
        return;
    while (s->conns != NULL)
        store_disconnect(s->conns);
    for (struct xs_watch *w = s->inside, *next; w != NULL; w = next) {
        next = w->next;
        xs_free(&s->dom0, w, w->bytes);
    }
    xs_node_unref(s->root);
    for (struct xs_domain *d = s->domains, *next; d != &s->dom0; d = next) {
        next = d->next;
        free(d);
    }
    free(s);
}

bool store_introduce(struct store *s, uint32_t domid)
{
    struct xs_domain *d = xs_domain_find(s, domid);

    if (d == NULL) {
        d = calloc(1, sizeof *d);
        if (d == NULL)
            return false;
        *d = (struct xs_domain){.next = s->domains, .domid = domid};
        s->domains = d;
    }
    d->introduced = true;
    xs_fire_special(s, 0, "@introduceDomain");
    return true;
}

/* ---- The end of a domain ---- */

/* A node that stays: the domain has no place in it any more. */
static void forget(struct store *s, struct xs_node *node, uint32_t domid)
{
    uint32_t kept = 1;

    if (node->perms[0].domid == domid) { /* the root, or one that there was no memory to remove */
        node->perms[0] = (struct xs_perm){0};
        xs_domain_find(s, domid)->nodes--;
    }
    for (uint32_t i = 1; i < node->n_perms; i++)
        if (node->perms[i].domid != domid)
            node->perms[kept++] = node->perms[i];
    for (uint32_t i = kept; i < node->n_perms; i++)
        node->perms[i] = (struct xs_perm){.domid = domid, .ignored = true};
}

/*
 * Below node, whose path is in path: what is the domain's goes, the rest forgets it. Nodes are taken as they stand, shared with
 * transactions or not: a place in permissions is lost in all trees at once, and a node that goes, goes from the
 * store's tree only.
 */
static void clean(const struct xs_who *who, struct xs_node *node, char path[XS_PATH_BYTES], uint32_t domid)
{
    size_t n = strlen(path);

    forget(who->store, node, domid);
    if (node->payer->domid == domid)
        xs_node_pay(node, &who->store->dom0); /* it stays: one that many share */
    for (uint32_t i = 0; i < node->n_children;) {
        struct xs_node *child = node->children[i];

        path[n] = '/';
        strcpy(path + n + 1, child->name);
        if (child->perms[0].domid == domid && xs_remove(who, path) == 0)
            node = n == 0 ? who->store->root : (path[n] = '\0', xs_node_find(who->store->root, path));
        else
            clean(who, child, path, domid), i++;
        path[n] = '\0';
    }
}

void store_release(struct store *s, uint32_t domid)
{
    struct xs_who who = {.store = s, .domain = &s->dom0};
    struct xs_domain *d = xs_domain_find(s, domid);
    char path[XS_PATH_BYTES] = "";

    if (d == NULL || d == &s->dom0 || !d->introduced)
        return;
    for (struct store_conn *c = s->conns; c != NULL; c = c->next)
        if (c->domain == d)
            store_reset(c);
    clean(&who, s->root, path, domid);
    d->introduced = false;
    xs_fire_special(s, 1, "@releaseDomain");
    xs_dispatch(s);
}

/* ---- Connections ---- */

struct store_conn *store_connect(struct store *s, uint32_t domid, struct store_queue *out,
                                 const struct store_conn_env *env, void *ctx)
{
    struct xs_domain *d = xs_domain_find(s, domid);
    struct store_conn *c = d == NULL || !d->introduced ? NULL : calloc(1, sizeof *c);

    assert(out->size >= 2 * STORE_MESSAGE_MAX && (out->size & (out->size - 1)) == 0);
    if (c == NULL)
        return NULL;
    *c = (struct store_conn){.next = s->conns, .store = s, .domain = d, .out = out, .env = env, .ctx = ctx};
    c->last_watch = &c->watches;
    s->conns = c;
    return c;
}

void store_reset(struct store_conn *c)
{
    xs_watch_remove_all(c);
    while (c->transactions != NULL)
        xs_transaction_end(c, c->transactions);
    c->out->cons = c->out->prod;
}

void store_disconnect(struct store_conn *c)
{
    struct store_conn **link;

    if (c == NULL)
        return;
    store_reset(c);
    for (link = &c->store->conns; *link != c;)
        link = &(*link)->next;
    *link = c->next;
    free(c);
}

struct store_usage store_usage(const struct store *s, uint32_t domid)
{
    const struct xs_domain *d = xs_domain_find(s, domid);
    struct store_usage u = {0};

    if (d == NULL)
        return u;
    u.nodes = d->nodes;
    u.bytes = d->bytes;
    for (const struct store_conn *c = s->conns; c != NULL; c = c->next)
        if (c->domain == d) {
            u.watches += c->n_watches;
            u.transactions += c->n_transactions;
        }
    return u;
}

/* ---- Queues ---- */

static uint32_t room(const struct store_queue *q) { return q->size - (q->prod - q->cons); }

bool store_ready(const struct store_conn *c) { return room(c->out) >= STORE_MESSAGE_MAX; }

static void put(struct store_queue *q, const void *bytes, uint32_t n)
{
    uint32_t slot = q->prod & (q->size - 1), first = n < q->size - slot ? n : q->size - slot;

    if (first > 0)
        memcpy(q->bytes + slot, bytes, first);
    if (n > first)
        memcpy(q->bytes, (const uint8_t *)bytes + first, n - first);
    q->prod += n;
}

void xs_queue_put(struct store_queue *q, const struct xsd_sockmsg *head, const void *payload)
{
    assert(room(q) >= sizeof *head + head->len);
    put(q, head, sizeof *head);
    put(q, payload, head->len);
}

bool xs_queue_event(struct store_conn *c, const char *path, const char *token)
{
    uint32_t n_path = (uint32_t)strlen(path) + 1, n_token = (uint32_t)strlen(token) + 1;
    struct xsd_sockmsg head = {.type = XS_WATCH_EVENT, .len = n_path + n_token};

    if (head.len > XENSTORE_PAYLOAD_MAX)
        return true; /* no message can carry it: xenstored drops it too */
    if (room(c->out) < STORE_MESSAGE_MAX + sizeof head + head.len)
        return false;
    put(c->out, &head, sizeof head);
    put(c->out, path, n_path);
    put(c->out, token, n_token);
    if (c->env != NULL && c->env->queued != NULL)
        c->env->queued(c->ctx);
    return true;
}
