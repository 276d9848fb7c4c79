/* SPDX-License-Identifier: MIT */
/*
 * console_backend.h: a PV console beyond the first: its nodes, and the handshake of frontend and backend.
 *
 * Spec:  Xen public/io/console.h and xenbus.h; libxl_console.c for the nodes; states are enum xenbus_state. Linux'
 *        frontend takes devices 1..9 only (it looks at the last digit) and goes from 1 straight to 3.
 * Owner: the caller places struct console_backend; the store and env outlive it.
 * Lock:  the store's, around every call and around every function of env, which may not call back in here.
 * Trust: ring-ref, port and state are the guest's, may be anything, and change at any moment; it may remove its nodes. Nothing
 *        else is read from nodes that it can write. One reaction a change of state: a guest that flaps its state
 *        pays for it in its own requests.
 *
 *   frontend                          backend
 *   1 or absent                       2
 *   3, with ring-ref and port         4: mapped, bound, open; or 6 and a text in error/, until the state changes again
 *   5                                 5: closed, unbound, unmapped
 *   6, or the node is gone            6: the same
 *   6 -> 3 or 1                       as before: a driver may come back
 * By console_backend_unplug the backend says 5, then 6 once the frontend is at 6 (or was never connected), for good.
 */
#ifndef VCONS_VMM_XENSTORE_CONSOLE_BACKEND_H
#define VCONS_VMM_XENSTORE_CONSOLE_BACKEND_H
#include "store.h"

struct console_backend_env {
    /* The page behind the guest's grant, writable, until unmap; NULL: there is no such grant for domain 0. */
    void *(*map)(void *ctx, uint32_t ring_ref);
    void (*unmap)(void *ctx, uint32_t ring_ref, void *page);
    /* Take the other end of the guest's port; false: it does not wait for domain 0. */
    bool (*bind)(void *ctx, uint32_t port);
    void (*unbind)(void *ctx);
    /* The console begins on that page; false: its indices are wild. */
    bool (*open)(void *ctx, void *page);
    /* It ends there: what the ring still holds is taken, then the page is left alone. */
    void (*close)(void *ctx);
};
struct console_backend { /* for the caller to place, not to read */
    struct store *store;
    const struct console_backend_env *env;
    void *ctx;
    struct store_watch *watch;
    uint32_t domid, device;
    uint32_t frontend; /* its state as last seen */
    uint32_t state;    /* ours */
    uint32_t ring_ref;
    void *page; /* not NULL: mapped, bound and open */
    bool unplugged;
};

/*
 * Write both directories (name may be NULL; type is what the frontend shows, "vcons" say), and wait for the frontend.
 * device is 1..9. 0, or a negative errno: nothing is left then. domid has been introduced.
 */
int console_backend_add(struct console_backend *b, struct store *s, uint32_t domid, uint32_t device, const char *name,
                        const struct console_backend_env *env, void *ctx);
/* Ask the guest to let go. */
void console_backend_unplug(struct console_backend *b);
/* At once, whatever the guest does: closed, nodes gone, no more watch. A zeroed one: nothing to do. */
void console_backend_remove(struct console_backend *b);
/*
 * Version 1: u32 the frontend's state as last seen, u32 ours, u32 1 if unplugged, u32 1 if connected, u32 ring-ref. restore: instead
 * of console_backend_add, with the nodes as they were: a connected one maps its page and goes on with it; port and console the
 * caller restores (binds and opens, as env's functions would). The bytes may be anything; -1: nothing is left then, but nodes.
 */
#define CONSOLE_BACKEND_SAVE_BYTES 20u
void console_backend_save(const struct console_backend *b, struct vc_writer *w);
int console_backend_restore(struct console_backend *b, struct store *s, uint32_t domid, uint32_t device,
                            const struct console_backend_env *env, void *ctx, struct vc_reader *r);
/* The page that it goes on with; NULL: not connected. */
void *console_backend_page(const struct console_backend *b);
/* Is the guest connected? */
bool console_backend_connected(const struct console_backend *b);

#endif
