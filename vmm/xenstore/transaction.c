/* SPDX-License-Identifier: MIT */
#include "store_private.h"
#include <errno.h>
#include <string.h>

struct xs_transaction *xs_transaction_find(const struct store_conn *c, uint32_t id)
{
    struct xs_transaction *t = c->transactions;

    while (t != NULL && t->id != id)
        t = t->next;
    return t;
}

int xs_transaction_start(struct store_conn *c, uint32_t *id)
{
    struct store *s = c->store;
    struct xs_transaction *t, **last = &c->transactions;

    if (!xs_privileged(c->domain) && c->n_transactions >= s->limits.transactions)
        return ENOSPC;
    t = xs_alloc(s, c->domain, sizeof *t);
    if (t == NULL)
        return ENOMEM;
    do
        *id = ++c->next_id;
    while (*id == 0 || xs_transaction_find(c, *id) != NULL);
    *t = (struct xs_transaction){
        .payer = c->domain, .id = *id, .base = xs_node_ref(s->root), .root = xs_node_ref(s->root), .last = &t->first};
    while (*last != NULL)
        last = &(*last)->next;
    *last = t;
    c->n_transactions++;
    return 0;
}

static void free_lists(struct xs_transaction *t)
{
    for (struct xs_touched *i = t->first, *next; i != NULL; i = next) {
        next = i->next;
        xs_free(t->payer, i, sizeof *i + i->n_path + 1);
    }
    for (struct xs_delta *i = t->deltas, *next; i != NULL; i = next) {
        next = i->next;
        xs_free(t->payer, i, sizeof *i);
    }
}

void xs_transaction_end(struct store_conn *c, struct xs_transaction *t)
{
    struct xs_transaction **link = &c->transactions;

    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    c->n_transactions--;
    xs_node_unref(t->base);
    xs_node_unref(t->root);
    free_lists(t);
    xs_free(t->payer, t, sizeof *t);
}

/* ---- What it looked at ---- */

static uint32_t hash_of(const char *path)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (; *path != '\0'; path++)
        h = (h ^ (uint8_t)*path) * 16777619u;
    return h;
}

static struct xs_touched *find_touched(const struct xs_transaction *t, const char *path, uint32_t hash)
{
    struct xs_touched *i = t->first;

    while (i != NULL && (i->hash != hash || strcmp(i->path, path) != 0))
        i = i->next;
    return i;
}

bool xs_touch(const struct xs_who *who, const char *path, const struct xs_node *node)
{
    struct xs_transaction *t = who->transaction;
    uint32_t hash = t == NULL ? 0 : hash_of(path);
    struct xs_touched *i;
    size_t n;

    if (t == NULL || find_touched(t, path, hash) != NULL)
        return true;
    if (!xs_privileged(who->domain) && t->n_touched >= who->store->limits.touched)
        return false;
    n = strlen(path);
    i = xs_alloc(who->store, t->payer, sizeof *i + n + 1);
    if (i == NULL)
        return false;
    i->generation = node == NULL ? 0 : node->generation;
    i->hash = hash;
    i->n_path = n;
    memcpy(i->path, path, n);
    *t->last = i;
    t->last = &i->next;
    t->n_touched++;
    return true;
}

void xs_touch_fires(struct xs_transaction *t, const char *path, bool exact)
{
    struct xs_touched *i = find_touched(t, path, hash_of(path)); /* it is there: nothing is changed unseen */

    i->exact = exact && (!i->fire || i->exact);
    i->fire = true;
}

int64_t xs_transaction_delta(const struct xs_transaction *t, const struct xs_domain *d)
{
    for (const struct xs_delta *i = t == NULL ? NULL : t->deltas; i != NULL; i = i->next)
        if (i->domain == d)
            return i->nodes;
    return 0;
}

/* ---- The commit ---- */

static bool conflicts(const struct xs_transaction *t, struct xs_node *root)
{
    for (const struct xs_touched *i = t->first; i != NULL; i = i->next) {
        const struct xs_node *node = xs_node_find(root, i->path);

        if (i->generation != (node == NULL ? 0 : node->generation))
            return true;
    }
    return false;
}

static struct xs_node *namesake(const struct xs_node *node, const struct xs_node *child, uint32_t i)
{
    return xs_node_child(node, child->name, strlen(child->name), i);
}

/*
 * What both sides made of base: a new reference, or NULL without memory. No node was changed by both, that is what conflicts()
 * saw to; so each node, and its list of children, is taken from the side that changed it.
 */
static struct xs_node *merge(const struct store *s, struct xs_domain *payer, struct xs_node *base, struct xs_node *mine,
                             struct xs_node *theirs)
{
    bool take_mine = mine->generation != base->generation;
    struct xs_node *both;

    if (mine == base || mine == theirs)
        return xs_node_ref(theirs);
    if (theirs == base)
        return xs_node_ref(mine);
    both = xs_node_copy(s, payer, take_mine ? mine : theirs);
    for (uint32_t i = 0; both != NULL && i < both->n_children; i++) {
        struct xs_node *old = namesake(base, both->children[i], i), *m = namesake(mine, both->children[i], i),
                       *t = namesake(theirs, both->children[i], i), *merged;

        if (old == NULL || m == NULL || t == NULL)
            continue; /* created by the side whose list this is */
        merged = merge(s, payer, old, m, t);
        xs_node_unref(merged == NULL ? both : both->children[i]);
        if (merged == NULL)
            return NULL;
        both->children[i] = merged;
    }
    return both;
}

static bool over_quota(const struct store *s, const struct xs_transaction *t, const struct xs_domain *d)
{
    int64_t more = xs_transaction_delta(t, d);

    return !xs_privileged(d) && more > 0 && d->nodes + more > s->limits.nodes;
}

/* Each path that was changed is told of as it is now; who could see it before, but cannot now, hears of it too. */
static void fire_all(struct store *s, const struct xs_transaction *t)
{
    for (const struct xs_touched *i = t->first; i != NULL; i = i->next) {
        char above[XS_PATH_BYTES];

        if (!i->fire)
            continue;
        memcpy(above, i->path, i->n_path + 1);
        xs_path_parent(above);
        xs_fire(s, i->path, xs_node_find(s->root, i->path), xs_node_find(s->root, above), i->exact,
                xs_node_find(t->base, i->path));
    }
}

static int commit(struct store *s, const struct xs_domain *d, struct xs_transaction *t)
{
    struct xs_node *merged;

    if (t->stale)
        return EAGAIN;
    if (t->failed)
        return ENOMEM;
    if (over_quota(s, t, d))
        return ENOSPC;
    if (conflicts(t, s->root))
        return EAGAIN;
    merged = merge(s, t->payer, t->base, t->root, s->root);
    if (merged == NULL)
        return ENOMEM;
    xs_node_unref(s->root);
    s->root = merged;
    for (const struct xs_delta *i = t->deltas; i != NULL; i = i->next)
        i->domain->nodes = (uint32_t)(i->domain->nodes + i->nodes);
    fire_all(s, t);
    return 0;
}

int xs_transaction_commit(struct store_conn *c, struct xs_transaction *t)
{
    int error = commit(c->store, c->domain, t);

    xs_transaction_end(c, t);
    return error;
}
