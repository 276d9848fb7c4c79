/* SPDX-License-Identifier: MIT */
/*
 * place.h: where a console is, from the texts of its nodes; and a domain's name as a console's.
 *
 * Spec:  Xen ABI: console nodes (docs/misc/console.txt, xenstore-paths.pandoc): decimal numbers, without anything else.
 * Owner: the caller places everything.
 * Lock:  none.
 * Trust: any texts at all: a toolstack writes most of them, a guest those of its frontends.
 */
#ifndef VCONS_XEN_PLACE_H
#define VCONS_XEN_PLACE_H
#include <stdbool.h>
#include <stdint.h>

#include "host/name.h"

#define PLACE_FRAME_MAX ((UINT64_C(1) << 52) - 1) /* of 4 KiB: more than any processor addresses */
#define PLACE_GRANT_MAX UINT32_MAX
#define PLACE_PORT_MAX  131071u /* of the FIFO ABI, which has most: 2^17 */

struct place {
    uint64_t frame; /* or the number of a grant */
    uint32_t port;  /* the guest's, from 1 */
};

/* A decimal number from 0 to max: digits alone, no more of them than needed. */
bool place_number(const char *text, uint64_t max, uint64_t *n);
/* False: one of the two is no such number; *place is zeroed. */
bool place_of(const char *ring_ref, const char *port, uint64_t ref_max, struct place *place);
/*
 * A name as xl and libvirt allow it, as a domain's here: what is no letter, digit, '.', '_' or '-', and a first character that
 * is no letter or digit, becomes %XX; what is then too long is cut, and ends with a hash of all of it. False: it is empty.
 */
bool place_name(const char *text, char name[NAME_BYTES]);

#endif
