/* SPDX-License-Identifier: MIT */
/*
 * xl_lookup.h: where the console of a domain of Xen's is, by the domain's name: as `xl console NAME` finds it.
 *
 * Spec:  Xen docs/misc/xenstore.txt, xenstore-paths.pandoc; tools/console/client. /local/domain/ID/name, then below that domain
 *        console/tty, or serial/0/tty where QEMU has its first console, or vuart/0/tty.
 * Owner: nothing is kept.
 * Lock:  none. It waits for the store as long as that takes: for a process that may (starter.h).
 * Trust: the store is the toolstack's; each message is checked for its lengths. The nodes are written by dom0 alone, and yet nothing but
 *        a pseudo-terminal is taken from them.
 */
#ifndef VCONS_SERVICE_XL_LOOKUP_H
#define VCONS_SERVICE_XL_LOOKUP_H
#include <stddef.h>
#include <stdint.h>

#define XL_NAME_BYTES 128u
#define XL_TTY_BYTES  24u

struct xl_place {
    uint32_t domid;
    char tty[XL_TTY_BYTES]; /* /dev/pts/N */
};

/* NAME, NAME/pv0 or NAME/vuart0, as it stands behind "xl:". NULL and *place; else why there is none. */
const char *xl_lookup(const char *text, struct xl_place *place);
/* Whether text can be one at all. */
int xl_text_ok(const char *text);

#endif
