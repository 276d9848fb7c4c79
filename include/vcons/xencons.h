/* SPDX-License-Identifier: MIT */
/*
 * xencons.h: the two ends of Xen's PV console page: views of its two rings and of its connection flag.
 *
 * Spec:  wire/xencons.h (Xen public/io/console.h). There is no event index: notify after every change of an index.
 * Owner: the caller maps the page and places the end; the page outlives both. Nothing here waits or notifies.
 * Lock:  the caller's, one for each end.
 * Trust: as ring.h: the peer's index is read once, checked, used; own indices are private copies. The backend
 *        writes the flag and never reads it back. A frontend takes it for a hint: 0 does not prove that
 *        somebody listens.
 */
#ifndef VCONS_XENCONS_H
#define VCONS_XENCONS_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/ring.h>
#include <vcons/wire/xencons.h>

/* What a builder does, before anybody else sees the page: all zero, flag DISCONNECTED. */
void vc_xencons_build(struct xencons_interface *page);

struct vc_xencons_back {
    struct vc_consumer out; /* from the guest */
    struct vc_producer in;  /* to the guest */
    struct xencons_interface *page;
};
struct vc_xencons_front {
    struct vc_producer out;
    struct vc_consumer in;
    struct xencons_interface *page;
};

/* Take one end, starting from the indices in the page. VC_EPEER: they claim more than a ring holds; use
 * neither ring. */
int vc_xencons_back_attach(struct vc_xencons_back *b, struct xencons_interface *page);
int vc_xencons_front_attach(struct vc_xencons_front *f, struct xencons_interface *page);

/* Backend: tell the frontend. Ordered behind everything the backend did to the rings before; notify afterwards. */
void vc_xencons_back_connect(struct vc_xencons_back *b, bool connected);
/* Frontend: false only while the byte is exactly XENCONSOLE_DISCONNECTED. Look again in every write and every
 * wait. */
bool vc_xencons_front_connected(const struct vc_xencons_front *f);

/* The rings themselves are used by ring.h: vc_producer_put(&f->out, …), vc_consumer_get(&f->in, …). */

#endif
