/* SPDX-License-Identifier: MIT */
/*
 * wire/xencons.h: Xen's PV console ring page.
 *
 * Source: Xen public/io/console.h, struct xencons_interface (4.21 added the connection byte).
 * Indices run freely modulo 2^32; used = prod - cons, at most the size. Each side notifies the other by event channel
 * after every change of an index. Little-endian; the page is 4096 bytes on every architecture, the rest reserved.
 */
#ifndef VCONS_WIRE_XENCONS_H
#define VCONS_WIRE_XENCONS_H
#include <stddef.h>
#include <stdint.h>

#define XENCONS_IN_SIZE    1024u
#define XENCONS_OUT_SIZE   2048u
#define XENCONS_PAGE_BYTES 4096u

enum { XENCONSOLE_CONNECTED = 0, XENCONSOLE_DISCONNECTED = 1 };

struct xencons_interface {
    uint8_t in[XENCONS_IN_SIZE];   /* to the guest; written by the backend */
    uint8_t out[XENCONS_OUT_SIZE]; /* from the guest */
    uint32_t in_cons, in_prod;     /* written by the guest, by the backend */
    uint32_t out_cons, out_prod;   /* written by the backend, by the guest */
    uint8_t connection;            /* written by the builder, then the backend; never read back by it */
};

_Static_assert(offsetof(struct xencons_interface, out) == 1024, "xen/public/io/console.h");
_Static_assert(offsetof(struct xencons_interface, in_cons) == 3072, "xen/public/io/console.h");
_Static_assert(offsetof(struct xencons_interface, in_prod) == 3076, "xen/public/io/console.h");
_Static_assert(offsetof(struct xencons_interface, out_cons) == 3080, "xen/public/io/console.h");
_Static_assert(offsetof(struct xencons_interface, out_prod) == 3084, "xen/public/io/console.h");
_Static_assert(offsetof(struct xencons_interface, connection) == 3088, "xen/public/io/console.h");
_Static_assert(sizeof(struct xencons_interface) == 3092, "xen/public/io/console.h");

#endif
