/* SPDX-License-Identifier: MIT */
/*
 * store.h: XenStore: a tree of small values with owners, for guests by messages and for the VMM by calls.
 *
 * Spec:  docs/misc/xenstore.txt of Xen; where it is silent, what Xen 4.17's xenstored (the C one) answers: tests/xenstore
 *        holds one table that both are put to, and names each difference. The numbers of messages are in wire/xenstore.h.
 * Owner: the heap. A connection's queue is the caller's storage and outlives the connection.
 * Lock:  the caller's, one for each store, around every call. The functions of env and those given to store_watch run
 *        under it; the former may not call back, the latter may call everything of this header that takes a store.
 * Trust: a connection's messages are a guest's and may be anything. What a guest can make this keep is bounded by its
 *        limits, whatever else happens; what one request can make this do is bounded by nodes times watches of all
 *        that share the store (with the default limits and one guest, the worst found is the end of a transaction that
 *        removed a chain of 900 nodes: 22 ms on a busy machine; most take some microseconds). A domain cannot see, slow
 *        or fill what belongs to another except where a permission says so; give domains that must not even share a lock
 *        a store each.
 * Time:  transactions see the tree as it was when they began (the C xenstored only does from the first look at a node
 *        on); one that looked at, or changed, what was changed outside meanwhile ends with EAGAIN.
 */
#ifndef VCONS_VMM_XENSTORE_STORE_H
#define VCONS_VMM_XENSTORE_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/save.h>
#include <vcons/wire/xenstore.h>

#define STORE_MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)

/* What a domain other than 0 may have. Domain 0, which is the VMM, has no limit. */
struct store_limits {
    uint32_t nodes;        /* that it owns; ENOSPC. xenstored: 1000 */
    uint32_t watches;      /* E2BIG. xenstored: 128, and lets one more pass */
    uint32_t transactions; /* at once; ENOSPC. xenstored: 10, and lets one more pass */
    uint32_t touched;      /* nodes that one transaction may look at; ENOSPC. xenstored: 1024 */
    uint32_t perms;        /* entries of one node; ENOSPC. xenstored: 5 */
    uint32_t node_bytes; /* value, names of children, permissions and 24, together; ENOSPC. xenstored: less than 2048 */
    uint32_t bytes;      /* of memory, in all; ENOMEM. xenstored: 2.5 MiB */
};
extern const struct store_limits store_default_limits;

struct store;
struct store *store_create(const struct store_limits *limits); /* NULL: the default ones. NULL: no memory */
void store_destroy(struct store *s);                           /* with all connections */

/*
 * A domain comes: permissions may name it from now on, and its connection count against its limits. Fires
 * @introduceDomain. False: no memory.
 */
bool store_introduce(struct store *s, uint32_t domid);
/* It goes: its nodes, and those below them, its connections' watches and transactions, its place in permissions. Fires
 * @releaseDomain. */
void store_release(struct store *s, uint32_t domid);

/* ---- Connections, by messages ---- */

/*
 * Messages to the client, whole ones in order. The caller places bytes, a power of two and at least twice
 * STORE_MESSAGE_MAX, and takes from cons on (free-running, slot = index & (size - 1)); the store only ever adds, and
 * never fills the last STORE_MESSAGE_MAX bytes with events: while that much is free, a request's reply has room.
 */
struct store_queue {
    uint8_t *bytes;
    uint32_t size;
    uint32_t prod, cons;
};
struct store_conn_env {
    void (*queued)(void *ctx); /* an event was put into the queue, by whatever request or call; may be NULL */
};
struct store_conn;
/* domid must have been introduced, or be 0, which may do everything. NULL: no memory, or no such domain. */
struct store_conn *store_connect(struct store *s, uint32_t domid, struct store_queue *out,
                                 const struct store_conn_env *env, void *ctx);
void store_disconnect(struct store_conn *c); /* its watches and transactions end; NULL is none */
/* As after connecting: no watches, no transactions, and the queue empty. */
void store_reset(struct store_conn *c);
/* Is there room for what a request may answer? */
bool store_ready(const struct store_conn *c);
/*
 * One request, with its reply into the queue; watches of inside are called before it returns. payload holds head->len
 * bytes, at most XENSTORE_PAYLOAD_MAX, and may not change meanwhile. store_ready(c) must hold.
 */
void store_request(struct store_conn *c, const struct xsd_sockmsg *head, const uint8_t *payload);
/*
 * Room was made in the queue: put in what had no place. An event that found no room is not lost: its watch fires once more,
 * with the path that it was registered for, as soon as there is some.
 */
void store_drained(struct store_conn *c);

/* ---- The VMM, by calls, as domain 0 ---- */

/* Each takes an absolute path and returns 0 or a negative errno: -EINVAL path, -ENOENT, -ENOMEM. */
int store_write(struct store *s, const char *path, const void *value, size_t n); /* n at most XENSTORE_PAYLOAD_MAX */
int store_printf(struct store *s, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));
int store_mkdir(struct store *s, const char *path);
int store_remove(struct store *s, const char *path);
/* perms as in a message, "n0 r1" with a space for each NUL: owner and what all others may, then single domains. What is
 * created below a node inherits its permissions. */
int store_set_perms(struct store *s, const char *path, const char *perms);
/* Copies at most size - 1 bytes and a NUL; returns how many bytes the value has, or a negative errno. */
int store_read(struct store *s, const char *path, char *value, size_t size);
/* The owner of a node, or -1: who could have written it. */
int64_t store_owner(struct store *s, const char *path);

/*
 * changed(ctx) after the node, or one below it, may have changed, once for any number of changes, and once right after
 * registration; before the call that changed it returns, but never within another changed(). The path need not exist.
 */
struct store_watch;
struct store_watch *store_watch(struct store *s, const char *path, void (*changed)(void *ctx), void *ctx);
void store_unwatch(struct store *s, struct store_watch *watch); /* NULL is none; also from within changed() */

/* ---- Save and restore: vcons/save.h. Bytes may be anything; what a file makes this keep counts as what a guest does. ---- */

/*
 * Version 1: of each node, from the root down, those below it right after it, u32 depth, u32 domid that pays, u32 permissions, u32
 * bytes of its name, u32 bytes of its value, of each permission u32 domid, u32 1 read, 2 write, 256 it names nobody; name,
 * value. At the end u32 all ones.
 * restore: into a store that was just made, domid introduced, with no watch of the inside yet. False: it is no tree, or one
 * that domid could not have; the store is to be destroyed then. No watch fires.
 */
size_t store_save_bytes(const struct store *s); /* at most, with all connections */
void store_save(const struct store *s, struct vc_writer *w);
bool store_restore(struct store *s, uint32_t domid, struct vc_reader *r);
/*
 * Version 1: u32 watches; of each u32 bytes of its path, u32 of its token, u32 bytes that its events leave out, u32 1 if an
 * event had no room; path, token. u32 the last transaction's id, u32 transactions, of each u32 id.
 * restore: into a connection that was just made. Transactions come back, but what they looked at counts as changed: they end with
 * EAGAIN, as those do that somebody overtook.
 */
void store_conn_save(const struct store_conn *c, struct vc_writer *w);
bool store_conn_restore(struct store_conn *c, struct vc_reader *r);

/* For tests and for people: what a domain has now. */
struct store_usage {
    uint32_t nodes, watches, transactions;
    size_t bytes;
};
struct store_usage store_usage(const struct store *s, uint32_t domid);

#endif
