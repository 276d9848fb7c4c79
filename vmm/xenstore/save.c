/* SPDX-License-Identifier: MIT */
/* save.c: a store, and a connection with its ring, as bytes, and back from bytes of anybody's. */
#include "ring.h"
#include "store_private.h"
#include <stdlib.h>
#include <string.h>

#define LAST       UINT32_MAX          /* in the place of a depth: there are no more */
#define DEPTH_MAX  (XS_PATH_BYTES / 2) /* of a node that a path leads to */
#define OTHERS_MAX 4096u               /* nodes of domain 0, at most: what the VMM writes is a hundred */
#define PERMS_MAX  8u                  /* of a node: inside.c takes so many, guests have less */
#define IGNORED    256u

/* ---- The tree. ---- */

/* Less than what it was made of: a node's and a watch's struct are larger than their numbers here. */
size_t store_save_bytes(const struct store *s)
{
    size_t bytes = 4096;

    for (const struct xs_domain *d = s->domains; d != NULL; d = d->next)
        bytes += d->bytes;
    return bytes;
}

static void write_node(const struct xs_node *node, uint32_t depth, struct vc_writer *w)
{
    uint32_t n_name = (uint32_t)strlen(node->name);

    vc_write_u32(w, depth);
    vc_write_u32(w, node->payer->domid);
    vc_write_u32(w, node->n_perms);
    vc_write_u32(w, n_name);
    vc_write_u32(w, node->n_value);
    for (uint32_t i = 0; i < node->n_perms; i++) {
        vc_write_u32(w, node->perms[i].domid);
        vc_write_u32(w, node->perms[i].may | (node->perms[i].ignored ? IGNORED : 0));
    }
    vc_write_bytes(w, node->name, n_name);
    vc_write_bytes(w, node->value, node->n_value);
    for (uint32_t i = 0; i < node->n_children; i++)
        write_node(node->children[i], depth + 1, w);
}

void store_save(const struct store *s, struct vc_writer *w)
{
    write_node(s->root, 0, w);
    vc_write_u32(w, LAST);
}

struct loader {
    struct store *store;
    struct xs_domain *guest;
    struct vc_reader *from;
    uint32_t depth, n_others;      /* of the last node; of domain 0's */
    struct xs_node *at[DEPTH_MAX]; /* the last node and those above it */
    size_t n_path[DEPTH_MAX];      /* … and their paths' bytes in: */
    char path[XS_PATH_BYTES];
};

struct saved_node {
    uint32_t depth, n_perms, n_name, n_value;
    struct xs_domain *payer;
    struct xs_perm perms[PERMS_MAX];
    const char *name;
    const uint8_t *value;
};

static bool read_perms(struct vc_reader *r, struct saved_node *n)
{
    for (uint32_t i = 0; i < n->n_perms; i++) {
        uint32_t domid = vc_read_u32(r), may = vc_read_u32(r);

        if ((may & ~(uint32_t)(XS_MAY_READ | XS_MAY_WRITE | IGNORED)) != 0)
            return false;
        n->perms[i] = (struct xs_perm){.domid = domid, .may = (uint8_t)may, .ignored = (may & IGNORED) != 0};
    }
    return true;
}

/* Its depth was read. */
static bool read_node(struct loader *l, struct saved_node *n)
{
    struct vc_reader *r = l->from;
    uint32_t payer = vc_read_u32(r);

    n->n_perms = vc_read_u32(r);
    n->n_name = vc_read_u32(r);
    n->n_value = vc_read_u32(r);
    n->payer = payer == 0 ? &l->store->dom0 : payer == l->guest->domid ? l->guest : NULL;
    if (!vc_reader_ok(r) || n->payer == NULL || n->n_perms < 1 || n->n_perms > PERMS_MAX ||
        n->n_value > XENSTORE_PAYLOAD_MAX || !read_perms(r, n))
        return false;
    n->name = vc_read_span(r, n->n_name);
    n->value = vc_read_span(r, n->n_value);
    return vc_reader_ok(r) && n->name != NULL && n->value != NULL;
}

/* The owner of one more node; false: more than there may be. */
static bool count(struct loader *l, const struct saved_node *n)
{
    struct xs_domain *owner = xs_domain_find(l->store, n->perms[0].domid);

    if (owner != NULL)
        owner->nodes++;
    if (n->perms[0].domid == l->guest->domid)
        return l->guest->nodes <= l->store->limits.nodes + OTHERS_MAX; /* domain 0 may have given it some */
    return ++l->n_others <= OTHERS_MAX;
}

static bool take_root(struct loader *l, const struct saved_node *n)
{
    struct xs_node *root = l->store->root;

    l->at[0] = root;
    l->n_path[0] = 0;
    l->path[0] = '\0';
    return n->n_name == 0 && n->depth == 0 && xs_node_set_perms(l->store, root, n->perms, n->n_perms) &&
           xs_node_set_value(l->store, root, n->value, n->n_value);
}

/* Its path is one that a request may name, and nobody has it yet. */
static bool name_ok(struct loader *l, const struct saved_node *n)
{
    size_t above = l->n_path[n->depth - 1];

    if (n->n_name == 0 || n->n_name >= sizeof l->path - above - 1 || memchr(n->name, '/', n->n_name) != NULL ||
        memchr(n->name, '\0', n->n_name) != NULL)
        return false;
    l->path[above] = '/';
    memcpy(l->path + above + 1, n->name, n->n_name);
    l->path[above + 1 + n->n_name] = '\0';
    l->n_path[n->depth] = above + 1 + n->n_name;
    return xs_path_valid(l->path) && xs_node_child(l->at[n->depth - 1], n->name, n->n_name, 0) == NULL;
}

static bool take_node(struct loader *l, const struct saved_node *n)
{
    struct xs_node *node;

    if (n->depth > l->depth + 1 || n->depth >= DEPTH_MAX || n->depth == 0 || !name_ok(l, n))
        return false;
    node = xs_node_create(l->store, n->payer, n->name, n->n_name, n->perms, n->n_perms, n->value, n->n_value);
    if (node == NULL || !xs_node_adopt(l->store, l->at[n->depth - 1], node)) {
        xs_node_unref(node);
        return false;
    }
    node->generation = ++l->store->generation;
    l->at[n->depth] = node;
    l->depth = n->depth;
    return true;
}

static bool load(struct loader *l)
{
    struct saved_node n = {.depth = vc_read_u32(l->from)};

    if (!read_node(l, &n) || !take_root(l, &n) || !count(l, &n))
        return false;
    while ((n.depth = vc_read_u32(l->from)) != LAST)
        if (!vc_reader_ok(l->from) || !read_node(l, &n) || !take_node(l, &n) || !count(l, &n))
            return false;
    return vc_reader_ok(l->from);
}

bool store_restore(struct store *s, uint32_t domid, struct vc_reader *r)
{
    struct xs_domain *guest = xs_domain_find(s, domid);
    struct loader *l = guest == NULL || domid == 0 ? NULL : calloc(1, sizeof *l);
    bool right;

    if (l == NULL)
        return false;
    l->store = s;
    l->guest = guest;
    l->from = r;
    right = load(l);
    free(l);
    return right;
}

/* ---- A connection. ---- */

void store_conn_save(const struct store_conn *c, struct vc_writer *w)
{
    vc_write_u32(w, c->n_watches);
    for (const struct xs_watch *i = c->watches; i != NULL; i = i->next) {
        vc_write_u32(w, (uint32_t)i->n_path);
        vc_write_u32(w, (uint32_t)strlen(i->token));
        vc_write_u32(w, i->relative);
        vc_write_u32(w, i->dirty);
        vc_write_bytes(w, i->path, i->n_path);
        vc_write_bytes(w, i->token, strlen(i->token));
    }
    vc_write_u32(w, c->next_id);
    vc_write_u32(w, c->n_transactions);
    for (const struct xs_transaction *t = c->transactions; t != NULL; t = t->next)
        vc_write_u32(w, t->id);
}

/* n bytes as a string; false: not there, too long, or with a NUL among them. */
static bool read_string(struct vc_reader *r, uint32_t n, char *to, size_t size)
{
    const char *from = n < size ? vc_read_span(r, n) : NULL;

    if (from == NULL || memchr(from, '\0', n) != NULL)
        return false;
    memcpy(to, from, n);
    to[n] = '\0';
    return true;
}

static bool restore_watch(struct store_conn *c, struct vc_reader *r)
{
    uint32_t n_path = vc_read_u32(r), n_token = vc_read_u32(r), relative = vc_read_u32(r), dirty = vc_read_u32(r);
    char path[XS_PATH_BYTES], token[XENSTORE_PAYLOAD_MAX];
    struct xs_watch *w;

    if (!read_string(r, n_path, path, sizeof path) || !read_string(r, n_token, token, sizeof token) || dirty > 1 ||
        relative > n_path || xs_watch_add(c, path + relative, token, &w) != 0)
        return false;
    if (w->relative != relative || strcmp(w->path, path) != 0)
        return false;
    w->dirty = dirty != 0;
    c->n_dirty += dirty;
    return true;
}

static bool restore_transaction(struct store_conn *c, struct vc_reader *r)
{
    uint32_t id = vc_read_u32(r), got;

    c->next_id = id - 1;
    if (!vc_reader_ok(r) || id == 0 || xs_transaction_start(c, &got) != 0)
        return false;
    xs_transaction_find(c, got)->stale = true;
    return got == id; /* else there is one of that id already */
}

bool store_conn_restore(struct store_conn *c, struct vc_reader *r)
{
    uint32_t n = vc_read_u32(r), last;

    for (uint32_t i = 0; i < n; i++)
        if (!restore_watch(c, r))
            return false;
    last = vc_read_u32(r);
    n = vc_read_u32(r);
    for (uint32_t i = 0; i < n; i++)
        if (!restore_transaction(c, r))
            return false;
    c->next_id = last;
    return vc_reader_ok(r);
}

/* ---- A ring. ---- */

static void write_queue(const struct store_queue *q, struct vc_writer *w)
{
    vc_write_u32(w, q->prod - q->cons);
    for (uint32_t i = q->cons; i != q->prod; i++)
        vc_write_u8(w, q->bytes[i & (q->size - 1)]);
}

void store_ring_save(const struct store_ring *r, struct vc_writer *w)
{
    uint32_t n_head = r->got < sizeof r->head ? r->got : (uint32_t)sizeof r->head;

    vc_write_u32(w, r->error);
    vc_write_u32(w, r->got);
    vc_write_bytes(w, &r->head, n_head);
    vc_write_bytes(w, r->payload, r->got - n_head);
    write_queue(&r->queue, w);
    store_conn_save(r->conn, w);
}

/* A part of a request, no more than all of it. */
static bool restore_request(struct store_ring *r, struct vc_reader *reader)
{
    uint32_t got = vc_read_u32(reader), n_head = got < sizeof r->head ? got : (uint32_t)sizeof r->head;

    if (got > sizeof r->head + sizeof r->payload)
        return false;
    vc_read_bytes(reader, &r->head, n_head);
    vc_read_bytes(reader, r->payload, got - n_head);
    if (got >= sizeof r->head && (r->head.len > sizeof r->payload || got > sizeof r->head + r->head.len))
        return false;
    r->got = got;
    return vc_reader_ok(reader);
}

static bool restore_queue(struct store_queue *q, struct vc_reader *reader)
{
    uint32_t n = vc_read_u32(reader);

    if (n > q->size)
        return false;
    vc_read_bytes(reader, q->bytes, n);
    q->cons = 0;
    q->prod = n;
    return vc_reader_ok(reader);
}

bool store_ring_restore(struct store_ring *r, struct store *s, uint32_t domid, struct xenstore_domain_interface *page,
                        const struct store_ring_env *env, void *ctx, struct vc_reader *reader)
{
    uint32_t error = vc_read_u32(reader);
    bool dead;

    if (!store_ring_attach(r, s, domid, page, env, ctx))
        return false;
    dead = r->dead; /* by what stands in the page */
    if (error > XENSTORE_ERROR_PROTO || !restore_request(r, reader) || !restore_queue(&r->queue, reader) ||
        !store_conn_restore(r->conn, reader))
        return false;
    if (error == XENSTORE_ERROR_NONE && !dead)
        return true;
    r->error = dead ? r->error : error;
    r->dead = true;
    r->got = 0;
    store_reset(r->conn);
    return true;
}
