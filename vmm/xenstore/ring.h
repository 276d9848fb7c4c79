/* SPDX-License-Identifier: MIT */
/*
 * ring.h: a guest's connection to the store over its shared page.
 *
 * Spec:  Xen docs/misc/xenstore-ring.txt; the page is struct xenstore_domain_interface of wire/xenstore.h.
 * Owner: the caller places struct store_ring; the page outlives it, mapped by the VMM for good.
 * Lock:  the store's, around every call. notify runs under it and may not call back.
 * Trust: every byte of the page is the guest's at any moment. Our own indices are private copies, its are read once a pass,
 *        checked, used; a message is copied out before it is looked at. Wild indices and messages of more than
 *        XENSTORE_PAYLOAD_MAX bytes end the connection: watches and transactions are gone, the page says why in
 *        `error`, and nothing moves until the guest asks for a reconnect or the domain starts anew. No other guest notices.
 * Event: the guest is notified after every call that moved an index, never else. Linux kicks only if it believes that we
 *        sleep (its new bytes begin where our req_cons is): so store_ring_serve looks again after it published req_cons.
 */
#ifndef VCONS_VMM_XENSTORE_RING_H
#define VCONS_VMM_XENSTORE_RING_H
#include "store.h"
#include <vcons/ring.h>

#define STORE_RING_QUEUE  16384u /* bytes that wait for room in the page: two replies at least */
#define STORE_RING_BUDGET 16u    /* requests that one call serves, at most */

struct store_ring_env {
    void (*notify)(void *ctx); /* an event for the guest's port */
    void (*work)(
        void *ctx); /* something was queued outside of a call of this header: call store_ring_serve soon. May not
                                  call back */
};
struct store_ring { /* for the caller to place, not to read */
    const struct store_ring_env *env;
    void *ctx;
    struct store *store;
    struct store_conn *conn;
    struct xenstore_domain_interface *page;
    struct vc_consumer req;
    struct vc_producer rsp;
    bool serving, dead;
    uint32_t error;           /* as last written into the page */
    uint32_t got;             /* bytes of the message that is coming in */
    struct xsd_sockmsg head;  /* whole once got has reached its size */
    struct store_queue queue; /* on its way out */
    uint8_t payload[XENSTORE_PAYLOAD_MAX];
    uint8_t waiting[STORE_RING_QUEUE];
};

/*
 * domid has been introduced. The page is read from where its indices stand; the features that we have are written into it.
 * False: no memory. Wild indices are no failure: the ring is dead until the guest reconnects.
 */
bool store_ring_attach(struct store_ring *r, struct store *s, uint32_t domid, struct xenstore_domain_interface *page,
                       const struct store_ring_env *env, void *ctx);
void store_ring_detach(struct store_ring *r); /* a zeroed or a detached one: nothing to do */
/* The guest kicked, or work() was called: everything that can move moves. True: it used its budget up; call it again
 * when others had their turn. */
bool store_ring_serve(struct store_ring *r);
/*
 * Version 1: u32 error, u32 bytes of a request that have come, these; u32 bytes that wait for room in the page, these; then as
 * store_conn_save. What is in the page is saved with that. restore: as store_ring_attach, with the page as it was; the bytes may
 * be anything: false: no memory, or no connection was like that, and it is to be detached.
 */
#define STORE_RING_SAVE_BYTES (12u + STORE_MESSAGE_MAX + STORE_RING_QUEUE)
void store_ring_save(const struct store_ring *r, struct vc_writer *w);
bool store_ring_restore(struct store_ring *r, struct store *s, uint32_t domid, struct xenstore_domain_interface *page,
                        const struct store_ring_env *env, void *ctx, struct vc_reader *reader);
/* Does it stand still for what the guest did? The XENSTORE_ERROR_ number, 0 for none. */
uint32_t store_ring_error(const struct store_ring *r);

#endif
