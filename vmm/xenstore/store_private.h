/* SPDX-License-Identifier: MIT */
/*
 * store_private.h: the inside of the store.
 *
 * Trees are persistent: a node may stand in the store's tree and in those of transactions at once, and whoever changes a tree
 * first makes the nodes from the root down to the changed one its own (refs 1), by copies where they are
 * shared. To begin a transaction is to take one more reference to the root. A node's generation is new whenever its value, its
 * permissions or the list of its children changes, and stays the same in a copy: it says whether two nodes are one.
 *
 * Every byte is paid for by the domain whose request made it, until it is freed.
 */
#ifndef VCONS_VMM_XENSTORE_STORE_PRIVATE_H
#define VCONS_VMM_XENSTORE_STORE_PRIVATE_H
#include "store.h"

#define XS_PATH_BYTES (sizeof "/local/domain/65535/" + XENSTORE_REL_PATH_MAX) /* with its NUL */

enum { XS_MAY_READ = 1, XS_MAY_WRITE = 2, XS_MAY_OWN = 4 };

struct xs_domain { /* stays as long as the store: what it paid for may outlive it */
    struct xs_domain *next;
    uint32_t domid;
    bool introduced;
    size_t bytes;
    uint32_t nodes;
};

struct xs_perm {
    uint32_t domid;
    uint8_t may;
    bool ignored; /* names a domain that there was not when it was set: a later one of that number gets nothing */
};

struct xs_node {
    uint32_t refs;
    uint32_t n_perms, n_value, n_children;
    uint32_t room;        /* for children */
    uint32_t names_bytes; /* of its children, with a NUL each */
    uint64_t generation;
    struct xs_domain *payer;
    struct xs_perm *perms; /* the first is the owner, and what all others may */
    uint8_t *value;
    struct xs_node **children; /* in the order of their creation */
    char name[];
};

struct xs_watch { /* the VMM's are struct store_watch outside */
    struct xs_watch *next;
    size_t bytes, n_path;
    uint32_t relative; /* bytes of path that its events leave out */
    bool dirty;        /* an event had no room */
    /* of the VMM: */
    void (*changed)(void *ctx);
    void *ctx;
    bool fired, dead;
    const char *token;
    char path[];
};

struct xs_touched { /* a path that a transaction looked at */
    struct xs_touched *next;
    uint64_t generation; /* as it was then; 0: there was none */
    uint32_t hash;
    bool fire, exact;
    size_t n_path;
    char path[];
};
struct xs_delta {
    struct xs_delta *next;
    struct xs_domain *domain;
    int64_t nodes;
};
struct xs_transaction {
    struct xs_transaction *next;
    struct xs_domain *payer;
    uint32_t id, n_touched;
    struct xs_node *base, *root; /* as it began, and as it is now */
    struct xs_touched *first, **last;
    struct xs_delta *deltas;
    bool failed; /* something in it did: it cannot be committed */
    bool stale;  /* what it looked at counts as changed: it was restored */
};

struct store_conn {
    struct store_conn *next;
    struct store *store;
    struct xs_domain *domain;
    struct store_queue *out;
    const struct store_conn_env *env;
    void *ctx;
    struct xs_watch *watches, **last_watch;
    struct xs_transaction *transactions; /* in the order of their start */
    uint32_t next_id, n_watches, n_transactions, n_dirty;
};

struct store {
    struct store_limits limits;
    struct xs_node *root;
    uint64_t generation;
    struct xs_domain dom0, *domains; /* dom0 is the last of the list */
    struct store_conn *conns;
    struct xs_watch *inside;
    struct xs_perm specials[2][8]; /* @introduceDomain and @releaseDomain */
    uint32_t n_specials[2];
    bool dispatching;
};

struct xs_who { /* who does something to which tree */
    struct store *store;
    struct xs_domain *domain;
    struct xs_transaction *transaction; /* NULL: the store's own tree */
};
static inline bool xs_privileged(const struct xs_domain *d) { return d->domid == 0; }
static inline struct xs_node **xs_root(const struct xs_who *who)
{
    return who->transaction ? &who->transaction->root : &who->store->root;
}

/* memory.c */
void *xs_alloc(const struct store *s, struct xs_domain *payer, size_t n); /* zeroed; NULL: none, or over the limit */
void xs_free(struct xs_domain *payer, void *p, size_t n);
void xs_move(struct xs_domain *from, struct xs_domain *to, size_t n); /* who pays */

/* path.c. An absolute path that may be looked up: xenstored's rules. */
bool xs_path_valid(const char *path);
/* "/local/domain/N/" before a relative one; false: longer than any valid path. special paths (@…) stay as they are. */
bool xs_path_absolute(uint32_t domid, const char *path, char out[XS_PATH_BYTES]);
/* Cut the last component off; "/" stays. */
void xs_path_parent(char *path);
bool xs_path_below(const char *path, const char *top, size_t n_top); /* or the same */

/* perms.c */
uint32_t xs_may(const struct xs_perm *perms, uint32_t n, const struct xs_domain *d);
/* n strings with a NUL each. False: malformed. */
bool xs_perms_parse(const struct store *s, const char *strings, struct xs_perm *perms, uint32_t n);
size_t xs_perms_print(const struct xs_perm *perms, uint32_t n, char *out, size_t size); /* strings with their NULs */

/* node.c. Those that take a payer return NULL or false if there is no memory, and have changed nothing then. */
struct xs_node *xs_node_create(const struct store *s, struct xs_domain *payer, const char *name, size_t n_name,
                               const struct xs_perm *perms, uint32_t n_perms, const void *value, size_t n);
struct xs_node *xs_node_ref(struct xs_node *node);
void xs_node_unref(struct xs_node *node); /* NULL is none */
struct xs_node *xs_node_copy(const struct store *s, struct xs_domain *payer, const struct xs_node *node);
void xs_node_pay(struct xs_node *node, struct xs_domain *payer); /* from now on */
struct xs_node *xs_node_find(struct xs_node *root, const char *path);
struct xs_node *xs_node_child(const struct xs_node *node, const char *name, size_t n_name, uint32_t hint);
/* The node at path, which is there, for changing: alone in its tree, as are those above it. */
struct xs_node *xs_node_own(const struct store *s, struct xs_domain *payer, struct xs_node **root, const char *path);
/* Of an owned node: */
bool xs_node_set_value(const struct store *s, struct xs_node *node, const void *value, size_t n);
bool xs_node_set_perms(const struct store *s, struct xs_node *node, const struct xs_perm *perms, uint32_t n);
bool xs_node_adopt(const struct store *s, struct xs_node *node, struct xs_node *child); /* takes the reference */
void xs_node_disown(struct xs_node *node, const char *name);
static inline uint32_t xs_node_may(const struct xs_node *node, const struct xs_domain *d)
{
    return xs_may(node->perms, node->n_perms, d);
}

/* tree.c: what a domain does to a tree; 0 or an errno. Watches fire, or will at the transaction's end. */
int xs_look(const struct xs_who *who, const char *path, uint32_t may, struct xs_node **node);
int xs_write(const struct xs_who *who, const char *path, const void *value, size_t n);
int xs_mkdir(const struct xs_who *who, const char *path);
int xs_remove(const struct xs_who *who, const char *path);
int xs_set_perms(const struct xs_who *who, const char *path, const struct xs_perm *perms, uint32_t n);
struct xs_domain *xs_domain_find(const struct store *s, uint32_t domid);
/* The domain owns so many nodes more, in that tree. */
void xs_account(const struct xs_who *who, uint32_t domid, int64_t nodes);

/* transaction.c */
int xs_transaction_start(struct store_conn *c, uint32_t *id);
struct xs_transaction *xs_transaction_find(const struct store_conn *c, uint32_t id);
int xs_transaction_commit(struct store_conn *c, struct xs_transaction *t); /* it has ended, whatever is returned */
void xs_transaction_end(struct store_conn *c, struct xs_transaction *t);
/* Remember that it looked at path; false: at too many. */
bool xs_touch(const struct xs_who *who, const char *path, const struct xs_node *node);
void xs_touch_fires(struct xs_transaction *t, const char *path, bool exact);
int64_t xs_transaction_delta(const struct xs_transaction *t, const struct xs_domain *d);

/* watch.c */
int xs_watch_add(struct store_conn *c, const char *path, const char *token, struct xs_watch **added);
void xs_watch_announce(struct store_conn *c, struct xs_watch *w); /* its first event */
int xs_watch_remove(struct store_conn *c, const char *path, const char *token);
void xs_watch_remove_all(struct store_conn *c);
/*
 * A change at path. exact: watches above it know already. node, and above, which is over it, are as they stand in the store's
 * tree, or stood there; NULL: there is none. before: its permissions until now, which may have let more look.
 */
void xs_fire(struct store *s, const char *path, const struct xs_node *node, const struct xs_node *above, bool exact,
             const struct xs_node *before);
void xs_fire_special(struct store *s, uint32_t which, const char *path);
void xs_dispatch(struct store *s); /* call the VMM's watches that have fired */

/* store.c */
bool xs_queue_event(struct store_conn *c, const char *path, const char *token); /* false: no room */
void xs_queue_put(struct store_queue *q, const struct xsd_sockmsg *head, const void *payload);

#endif
