/* SPDX-License-Identifier: MIT */
/* tree.c: what domains do to trees. Which error comes first, and what is only told to those who may look, is xenstored's. */
#include "store_private.h"
#include <errno.h>
#include <string.h>

enum { NODE_OVERHEAD = 24, PERM_BYTES = 8 }; /* as xenstored counts a node's bytes */

struct xs_domain *xs_domain_find(const struct store *s, uint32_t domid)
{
    struct xs_domain *d = s->domains;

    while (d != NULL && d->domid != domid)
        d = d->next;
    return d;
}

void xs_account(const struct xs_who *who, uint32_t domid, int64_t nodes)
{
    struct xs_domain *d = xs_domain_find(who->store, domid);
    struct xs_delta *delta;

    if (d == NULL)
        return;
    if (who->transaction == NULL) {
        d->nodes = (uint32_t)(d->nodes + nodes);
        return;
    }
    for (delta = who->transaction->deltas; delta != NULL && delta->domain != d; delta = delta->next)
        ;
    if (delta == NULL) {
        delta = xs_alloc(who->store, who->transaction->payer, sizeof *delta);
        if (delta == NULL) {
            who->transaction->failed = true;
            return;
        }
        *delta = (struct xs_delta){.next = who->transaction->deltas, .domain = d};
        who->transaction->deltas = delta;
    }
    delta->nodes += nodes;
}

/* An error within a transaction that xenstored answers by refusing to commit it. */
static int fail(const struct xs_who *who, int error)
{
    if (who->transaction != NULL)
        who->transaction->failed = true;
    return error;
}

static bool too_large(const struct xs_who *who, size_t n_perms, size_t n_value, size_t names_bytes)
{
    return !xs_privileged(who->domain) &&
           NODE_OVERHEAD + PERM_BYTES * n_perms + n_value + names_bytes >= who->store->limits.node_bytes;
}

/* The node at path, and a transaction remembers that it was looked at. */
static int look_up(const struct xs_who *who, const char *path, struct xs_node **node)
{
    *node = xs_node_find(*xs_root(who), path);
    return xs_touch(who, path, *node) ? 0 : fail(who, ENOSPC);
}

/* What may be said of a node that is not to be seen: error if the nearest node above lets the domain in, else EACCES. */
static int hide(const struct xs_who *who, const char *path, uint32_t may, int error)
{
    char above[XS_PATH_BYTES];
    struct xs_node *node;

    memcpy(above, path, strlen(path) + 1);
    do {
        int failed;

        xs_path_parent(above);
        failed = look_up(who, above, &node);
        if (failed != 0)
            return failed;
    } while (node == NULL); /* there is always "/" */
    return (xs_node_may(node, who->domain) & may) != 0 ? error : EACCES;
}

int xs_look(const struct xs_who *who, const char *path, uint32_t may, struct xs_node **node)
{
    int error;

    *node = NULL;
    if (!xs_path_valid(path))
        return EINVAL;
    error = look_up(who, path, node);
    if (error != 0)
        return error;
    if (*node != NULL && (xs_node_may(*node, who->domain) & may) == may)
        return 0;
    error = *node != NULL ? EACCES : ENOENT;
    *node = NULL;
    return hide(who, path, may, error);
}

/* A change at path was made: watches fire now, or at the transaction's end. */
static void changed(const struct xs_who *who, const char *path, const struct xs_node *before)
{
    char above[XS_PATH_BYTES];

    if (who->transaction != NULL) {
        xs_touch_fires(who->transaction, path, false);
        return;
    }
    memcpy(above, path, strlen(path) + 1);
    xs_path_parent(above);
    xs_fire(who->store, path, xs_node_find(who->store->root, path), xs_node_find(who->store->root, above), false,
            before);
}

/* ---- Creation: the nodes from the first missing one down, hung in at once ---- */

struct chain {
    char path[XS_PATH_BYTES]; /* of the node that they go below */
    struct xs_node *above;
    uint32_t n; /* to create */
};

static int find_above(const struct xs_who *who, const char *path, struct chain *c)
{
    memcpy(c->path, path, strlen(path) + 1);
    c->above = NULL;
    for (c->n = 0; c->above == NULL; c->n++) {
        int error;

        xs_path_parent(c->path);
        error = look_up(who, c->path, &c->above);
        if (error != 0)
            return error;
    }
    return 0;
}

/* One missing node with its child, if any, of which it takes the reference even if it fails. */
static struct xs_node *new_node(const struct xs_who *who, const struct chain *c, const char *name, size_t n_name,
                                const void *value, size_t n, struct xs_node *child)
{
    struct store *s = who->store;
    struct xs_node *node = xs_node_create(s, who->domain, name, n_name, c->above->perms, c->above->n_perms, value, n);

    if (node != NULL) {
        if (!xs_privileged(who->domain))
            node->perms[0].domid = who->domain->domid; /* guests own what they create */
        node->generation = ++s->generation;
        if (child == NULL || xs_node_adopt(s, node, child))
            return node;
    }
    xs_node_unref(node);
    xs_node_unref(child);
    return NULL;
}

/* From the last component of path up to the first missing one. */
static int build(const struct xs_who *who, const char *path, const struct chain *c, const void *value, size_t n,
                 struct xs_node **top)
{
    const char *end = path + strlen(path);

    *top = NULL;
    for (uint32_t i = 0; i < c->n; i++) {
        const char *name = (const char *)memrchr(path, '/', (size_t)(end - path)) + 1;
        size_t names = *top == NULL ? 0 : strlen((*top)->name) + 1;

        if (too_large(who, c->above->n_perms, i == 0 ? n : 0, names)) {
            xs_node_unref(*top);
            return ENOSPC;
        }
        *top = new_node(who, c, name, (size_t)(end - name), value, i == 0 ? n : 0, *top);
        if (*top == NULL)
            return ENOMEM;
        end = name - 1;
    }
    return 0;
}

static bool too_many(const struct xs_who *who, uint32_t n)
{
    int64_t has = who->domain->nodes + xs_transaction_delta(who->transaction, who->domain);

    return !xs_privileged(who->domain) && has + n > who->store->limits.nodes;
}

static int hang_in(const struct xs_who *who, const struct chain *c, struct xs_node *top)
{
    struct xs_node *above = xs_node_own(who->store, who->domain, xs_root(who), c->path);
    uint32_t owner = top->perms[0].domid;

    if (above == NULL || !xs_node_adopt(who->store, above, top)) {
        xs_node_unref(top);
        return ENOMEM;
    }
    above->generation = ++who->store->generation;
    xs_account(who, owner, c->n);
    return 0;
}

static int create(const struct xs_who *who, const char *path, const void *value, size_t n)
{
    struct xs_node *top;
    struct chain c;
    int error = find_above(who, path, &c);

    if (error != 0)
        return error;
    if (too_many(who, c.n))
        return fail(who, ENOSPC);
    error = build(who, path, &c, value, n, &top);
    if (error != 0)
        return fail(who, error);
    if (too_large(who, c.above->n_perms, c.above->n_value, c.above->names_bytes + strlen(top->name) + 1)) {
        xs_node_unref(top);
        return fail(who, ENOSPC);
    }
    error = hang_in(who, &c, top);
    return error == 0 ? 0 : fail(who, error);
}

static int overwrite(const struct xs_who *who, const char *path, const struct xs_node *old, const void *value, size_t n)
{
    struct xs_node *node;

    if (too_large(who, old->n_perms, n, old->names_bytes))
        return fail(who, ENOSPC);
    node = xs_node_own(who->store, who->domain, xs_root(who), path);
    if (node == NULL || !xs_node_set_value(who->store, node, value, n))
        return fail(who, ENOMEM);
    node->generation = ++who->store->generation;
    return 0;
}

int xs_write(const struct xs_who *who, const char *path, const void *value, size_t n)
{
    struct xs_node *node;
    int error = xs_look(who, path, XS_MAY_WRITE, &node);

    if (error == 0)
        error = overwrite(who, path, node, value, n);
    else if (error == ENOENT)
        error = create(who, path, value, n);
    if (error == 0)
        changed(who, path, NULL);
    return error;
}

int xs_mkdir(const struct xs_who *who, const char *path)
{
    struct xs_node *node;
    int error = xs_look(who, path, XS_MAY_WRITE, &node);

    if (error != ENOENT)
        return error; /* being there is fine */
    error = create(who, path, "", 0);
    if (error == 0)
        changed(who, path, NULL);
    return error;
}

int xs_set_perms(const struct xs_who *who, const char *path, const struct xs_perm *perms, uint32_t n)
{
    struct xs_node *node, *before;
    int error = xs_look(who, path, XS_MAY_WRITE | XS_MAY_OWN, &node);
    uint32_t owner;

    if (error != 0)
        return error;
    owner = node->perms[0].domid;
    if (!xs_privileged(who->domain) && perms[0].domid != owner)
        return EPERM;
    if (too_large(who, n, node->n_value, node->names_bytes))
        return fail(who, ENOSPC);
    before = xs_node_copy(who->store, who->domain, node);
    node = before == NULL ? NULL : xs_node_own(who->store, who->domain, xs_root(who), path);
    if (node == NULL || !xs_node_set_perms(who->store, node, perms, n)) {
        xs_node_unref(before);
        return fail(who, ENOMEM);
    }
    node->generation = ++who->store->generation;
    xs_account(who, owner, -1);
    xs_account(who, perms[0].domid, 1);
    changed(who, path, before);
    xs_node_unref(before);
    return 0;
}

/* ---- Removal ---- */

struct removal {
    const struct xs_who *who;
    size_t n_top;             /* bytes of the path that is removed */
    char path[XS_PATH_BYTES]; /* of the node at hand */
};

/* Children first, as xenstored does: each is told of, exactly, and is owned no more. */
static int remove_below(struct removal *r, const struct xs_node *node, const struct xs_node *above)
{
    size_t n = strlen(r->path);
    int error = xs_touch(r->who, r->path, node) ? 0 : fail(r->who, ENOSPC);

    for (uint32_t i = 0; i < node->n_children && error == 0; i++) {
        r->path[n] = '/';
        strcpy(r->path + n + 1, node->children[i]->name); /* it was created by a path that fits */
        error = remove_below(r, node->children[i], node);
        r->path[n] = '\0';
    }
    if (error != 0)
        return error;
    if (r->who->transaction != NULL)
        xs_touch_fires(r->who->transaction, r->path, n > r->n_top);
    else
        xs_fire(r->who->store, r->path, node, above, n > r->n_top, NULL);
    xs_account(r->who, node->perms[0].domid, -1);
    return 0;
}

/* Its parent is made the transaction's own first: after that, nothing can fail outside of one. */
static int remove_node(const struct xs_who *who, const char *path, struct xs_node *node)
{
    struct removal r = {.who = who, .n_top = strlen(path)};
    struct xs_node *above;
    int error;

    memcpy(r.path, path, r.n_top + 1);
    xs_path_parent(r.path);
    error = look_up(who, r.path, &above);
    if (error != 0)
        return error;
    above = xs_node_own(who->store, who->domain, xs_root(who), r.path);
    if (above == NULL)
        return fail(who, ENOMEM);
    memcpy(r.path, path, r.n_top + 1);
    error = remove_below(&r, node, above);
    if (error != 0)
        return error;
    xs_node_disown(above, node->name);
    above->generation = ++who->store->generation;
    return 0;
}

int xs_remove(const struct xs_who *who, const char *path)
{
    char above[XS_PATH_BYTES];
    struct xs_node *node;
    int error = xs_look(who, path, XS_MAY_WRITE, &node);

    if (error == 0)
        return strcmp(path, "/") == 0 ? EINVAL : remove_node(who, path, node);
    if (error != ENOENT)
        return error;
    memcpy(above, path, strlen(path) + 1);
    xs_path_parent(above);
    error = look_up(who, above, &node);
    return error != 0 ? error : node != NULL ? 0 : ENOENT; /* what is not there is gone, if its parent is there */
}
