/* SPDX-License-Identifier: MIT */
/*
 * xenstore.h: messages of XenStore, and the page over which a guest exchanges them.
 *
 * Spec:  Xen public/io/xs_wire.h and docs/misc/xenstore{,-ring}.txt. Little-endian, the same for every architecture.
 * Trust: a guest can write every byte of its page, and every byte of a message, at any moment.
 */
#ifndef VCONS_WIRE_XENSTORE_H
#define VCONS_WIRE_XENSTORE_H
#include <stddef.h>
#include <stdint.h>

enum xsd_type {
    XS_CONTROL = 0,
    XS_DIRECTORY = 1,
    XS_READ = 2,
    XS_GET_PERMS = 3,
    XS_WATCH = 4,
    XS_UNWATCH = 5,
    XS_TRANSACTION_START = 6,
    XS_TRANSACTION_END = 7,
    XS_INTRODUCE = 8,
    XS_RELEASE = 9,
    XS_GET_DOMAIN_PATH = 10,
    XS_WRITE = 11,
    XS_MKDIR = 12,
    XS_RM = 13,
    XS_SET_PERMS = 14,
    XS_WATCH_EVENT = 15, /* from the server only, as is the next */
    XS_ERROR = 16,
    XS_IS_DOMAIN_INTRODUCED = 17,
    XS_RESUME = 18,
    XS_SET_TARGET = 19,
    XS_RESET_WATCHES = 21, /* 20 is dead */
    XS_DIRECTORY_PART = 22,
};

#define XENSTORE_PAYLOAD_MAX  4096u /* more ends the connection */
#define XENSTORE_REL_PATH_MAX 2048u /* behind "/local/domain/N/"; more is an error */

struct xsd_sockmsg { /* before each message, len bytes of payload behind it */
    uint32_t type;
    uint32_t req_id; /* the client's, echoed */
    uint32_t tx_id;  /* 0: no transaction */
    uint32_t len;
};
_Static_assert(sizeof(struct xsd_sockmsg) == 16, "xs_wire.h");

#define XENSTORE_RING_SIZE 1024u /* a message may be longer */
struct xenstore_domain_interface {
    uint8_t req[XENSTORE_RING_SIZE]; /* from the guest */
    uint8_t rsp[XENSTORE_RING_SIZE]; /* to it: replies and watch events */
    uint32_t req_cons, req_prod;
    uint32_t rsp_cons, rsp_prod;
    uint32_t server_features;
    uint32_t connection; /* the guest asks for a reconnect by 1; the server answers by 0 */
    uint32_t error;
    uint32_t evtchn_port;
};
_Static_assert(offsetof(struct xenstore_domain_interface, req_cons) == 2048, "xs_wire.h");
_Static_assert(offsetof(struct xenstore_domain_interface, server_features) == 2064, "xs_wire.h");
_Static_assert(offsetof(struct xenstore_domain_interface, error) == 2072, "xs_wire.h");
_Static_assert(sizeof(struct xenstore_domain_interface) == 2080, "xs_wire.h");

#define XENSTORE_SERVER_FEATURE_RECONNECTION 1u
#define XENSTORE_SERVER_FEATURE_ERROR        2u

enum { XENSTORE_CONNECTED = 0, XENSTORE_RECONNECT = 1 };
enum { XENSTORE_ERROR_NONE = 0, XENSTORE_ERROR_COMM = 1, XENSTORE_ERROR_RINGIDX = 2, XENSTORE_ERROR_PROTO = 3 };

enum xenbus_state { /* in the nodes called "state", as decimal text (public/io/xenbus.h) */
                    XENBUS_UNKNOWN = 0,
                    XENBUS_INITIALISING = 1,
                    XENBUS_INIT_WAIT = 2,
                    XENBUS_INITIALISED = 3,
                    XENBUS_CONNECTED = 4,
                    XENBUS_CLOSING = 5,
                    XENBUS_CLOSED = 6,
};

#endif
