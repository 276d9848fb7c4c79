/* SPDX-License-Identifier: MIT */
/*
 * wire/link.h: what a hypervisor and the console service say to each other over link.sock.
 *
 * A UNIX seqpacket socket, mode 0600; the service listens, the hypervisor dials. One packet is one message: a
 * vc_link_head, then the struct of its type; a packet of any other length is a violation and ends the link.
 * Little-endian. Text fields are NUL-terminated within their size and hold checked names (see below) or printable
 * ASCII. Descriptors travel as SCM_RIGHTS with ADD
 * and a SAVE only.
 *
 *     hypervisor                      service
 *     HELLO(version, name)     ->
 *                              <-     HELLO(version) or REFUSED
 *     ADD(cookie, names, fds)  ->
 *                              <-     OK(cookie) or REFUSED(cookie, reason)
 *     STATE, GONE, CLAIM, ALL  ->
 *                              <-     TOKEN, REQUEST, CONSOLE
 *     OK/REFUSED(serial)       ->            (answers a REQUEST or a CONSOLE)
 *
 * ADD and GONE come at any time, also of a name that went: it goes on in the same log. A cookie is free again once its
 * console is GONE or was REFUSED. The ADD of a console that a CONSOLE asked for comes before the answer to that, and so does
 * the GONE of one that was to go.
 *
 * ALL follows the ADDs of all consoles that the hypervisor has when a link begins: what it brought on an earlier link, and has not
 * added by then, has ended meanwhile.
 *
 * A name is [A-Za-z0-9][A-Za-z0-9._-]{0,31}. A link that ends takes its consoles' state to "away"; the service first
 * drains what each line still holds up to out_prod.
 */
#ifndef VCONS_WIRE_LINK_H
#define VCONS_WIRE_LINK_H
#include <stddef.h>
#include <stdint.h>
#include <vcons/wire/state.h>

#define VC_LINK_VERSION    1u
#define VC_LINK_NAME_BYTES 36u /* 32 characters and the NUL, padded */
#define VC_LINK_TEXT_BYTES 128u
#define VC_LINK_UUID_BYTES 16u
#define VC_LINK_PACKET_MAX 512u

enum vc_link_type {
    VC_LINK_HELLO = 1,
    VC_LINK_ADD = 2,
    VC_LINK_GONE = 3, /* hypervisor: this console ends for good */
    VC_LINK_OK = 4,
    VC_LINK_REFUSED = 5,
    VC_LINK_CLAIM = 6,    /* hypervisor: the terminal wants, or gives back, the write token */
    VC_LINK_TOKEN = 7,    /* service: whether the terminal holds the write token */
    VC_LINK_STATE = 8,    /* hypervisor: the domain's state, the bytes dropped so far, the guest's end */
    VC_LINK_REQUEST = 9,  /* service: a user asks for stop, reset or save of a domain */
    VC_LINK_CONSOLE = 10, /* service: a user asks for a console more, or less, of a domain that may well run */
    VC_LINK_ALL = 11,     /* hypervisor: no other console is left of an earlier link; the head alone */
};

enum vc_link_reason {
    VC_LINK_E_VERSION = 1, /* no common version */
    VC_LINK_E_NAME = 2,    /* not a name */
    VC_LINK_E_BUSY = 3,    /* that name, or that link, is live already */
    VC_LINK_E_OWNER = 4,   /* the name belongs to another user or domain UUID */
    VC_LINK_E_MEMORY = 5,  /* memory not sealed, of the wrong size, or its header does not check */
    VC_LINK_E_FDS = 6,     /* not the descriptors that ADD needs */
    VC_LINK_E_LIMIT = 7,   /* no descriptors, memory or disk left for one more console */
    VC_LINK_E_BAD = 8,     /* a message that breaks the protocol */
    VC_LINK_E_UNKNOWN = 9, /* no such cookie, serial or domain */
    VC_LINK_E_FAILED = 10, /* what was asked for could not be done */
};

enum vc_link_kind { /* which door a console is, for people to see */
                    VC_LINK_XEN = 1,
                    VC_LINK_CONSOLE_IO = 2,
                    VC_LINK_COMMAND = 3,
                    VC_LINK_TERMINAL = 4, /* the hypervisor's own console */
                    VC_LINK_PL011 = 5,
                    VC_LINK_SBSA = 6,
                    VC_LINK_16550 = 7,
                    VC_LINK_VIRTIO = 8,
                    VC_LINK_FEEDER = 9,       /* a test's or a bench's source */
                    VC_LINK_VIRTIO_PORT = 10, /* a virtio port with a name that is no console to the guest */
};

enum vc_link_geometry {
    VC_LINK_GEOMETRY_LINE = 1, /* wire/line.h */
    VC_LINK_GEOMETRY_XEN = 2,  /* wire/line.h, geometry XEN: Xen's ring page, no wait words, notify on every change */
};

/* A SAVE comes with one descriptor, of the file that it goes to, open for writing; it is answered when the domain is saved and
 * GONE, or goes on. */
enum vc_link_request { VC_LINK_STOP = 1, VC_LINK_RESET = 2, VC_LINK_STOP_ALL = 3, VC_LINK_SAVE = 4 };

enum vc_link_console_request { VC_LINK_CONSOLE_ADD = 1, VC_LINK_CONSOLE_REMOVE = 2 };

/* Order of the descriptors of ADD. The side named first writes, the other reads. */
enum vc_link_fd {
    VC_LINK_FD_MEMORY,    /* the line */
    VC_LINK_FD_OUT_BYTES, /* hypervisor -> service: bytes or events are there */
    VC_LINK_FD_OUT_ROOM,  /* service -> hypervisor: out has room again */
    VC_LINK_FD_IN_BYTES,  /* service -> hypervisor: input or events are there */
    VC_LINK_FD_IN_ROOM,   /* hypervisor -> service: in has room again */
    VC_LINK_FDS
};

struct vc_link_head {
    uint32_t type;  /* enum vc_link_type */
    uint32_t bytes; /* of the whole packet, this head included */
};
struct vc_link_hello {
    struct vc_link_head head;
    uint32_t version;
    uint32_t pid;
    char name[VC_LINK_NAME_BYTES]; /* of the hypervisor; empty from the service */
};
struct vc_link_add {
    struct vc_link_head head;
    uint32_t cookie;   /* the hypervisor's number for this console on this link */
    uint32_t kind;     /* enum vc_link_kind */
    uint32_t geometry; /* enum vc_link_geometry */
    uint32_t domid;    /* 0 is the hypervisor */
    uint32_t boot;     /* of the domain, from 1 */
    uint32_t first;    /* 1: the domain's first console, which its bare name means */
    uint8_t line_id[16];
    uint8_t uuid[VC_LINK_UUID_BYTES]; /* the domain's identity, for its history */
    char domain[VC_LINK_NAME_BYTES];
    char console[VC_LINK_NAME_BYTES];
    char engine[VC_LINK_NAME_BYTES]; /* "kvm", "process", "command", or empty */
};
struct vc_link_answer { /* OK, REFUSED, GONE */
    struct vc_link_head head;
    uint32_t cookie;               /* or the serial of a REQUEST or CONSOLE */
    uint32_t reason;               /* enum vc_link_reason; 0 in OK and GONE */
    char text[VC_LINK_TEXT_BYTES]; /* for people */
};
struct vc_link_claim { /* CLAIM and TOKEN */
    struct vc_link_head head;
    uint32_t cookie;
    uint32_t holds;                  /* CLAIM: 1 take, 0 give back. TOKEN: 1 the terminal holds it, 0 not */
    char holder[VC_LINK_TEXT_BYTES]; /* TOKEN: who does, when it is not the terminal; empty: nobody */
};
struct vc_link_status { /* STATE */
    struct vc_link_head head;
    uint32_t cookie;
    uint32_t state;   /* enum vc_domain_state */
    uint64_t dropped; /* bytes that the guest wrote and no log holds */
    uint32_t guest;   /* enum vc_guest_end, for a service that saw none of its line's events; later ones tell */
    uint32_t zero;
};
struct vc_link_ask { /* REQUEST */
    struct vc_link_head head;
    uint32_t serial;  /* answered by OK or REFUSED with this number as cookie */
    uint32_t request; /* enum vc_link_request */
    char domain[VC_LINK_NAME_BYTES];
};
struct vc_link_console { /* CONSOLE */
    struct vc_link_head head;
    uint32_t serial;  /* answered by OK or REFUSED with this number as cookie */
    uint32_t request; /* enum vc_link_console_request */
    uint32_t kind;    /* to add: VC_LINK_VIRTIO or VC_LINK_VIRTIO_PORT; to remove: 0 */
    uint32_t device;  /* to add: the domain's virtio device of that number, from 0; to remove: 0 */
    char domain[VC_LINK_NAME_BYTES];
    char console[VC_LINK_NAME_BYTES];
};

_Static_assert(sizeof(struct vc_link_hello) == 52, "wire layout");
_Static_assert(sizeof(struct vc_link_add) == 172, "wire layout");
_Static_assert(sizeof(struct vc_link_answer) == 144, "wire layout");
_Static_assert(sizeof(struct vc_link_claim) == 144, "wire layout");
_Static_assert(sizeof(struct vc_link_status) == 32, "wire layout");
_Static_assert(sizeof(struct vc_link_ask) == 52, "wire layout");
_Static_assert(sizeof(struct vc_link_console) == 96, "wire layout");

#endif
