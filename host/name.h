/* SPDX-License-Identifier: MIT */
/*
 * name.h: names of domains and consoles, as people type them and as directories carry them.
 *
 * Spec:  wire/link.h: [A-Za-z0-9][A-Za-z0-9._-]{0,31}, so that a name is never a path, an option or an escape
 *        sequence. %XX, two digits of 0-9A-F, may stand for any one character of a name that others gave: Xen and libvirt
 *        allow more.
 * Owner: the caller places everything.
 * Lock:  none.
 * Trust: any bytes at all may be offered as a name.
 */
#ifndef HOST_NAME_H
#define HOST_NAME_H
#include <stdbool.h>
#include <stdint.h>

#include "message.h"

#define NAME_CHARS      32u
#define NAME_BYTES      (NAME_CHARS + 1)
#define NAME_FULL_BYTES (2 * NAME_CHARS + 2) /* DOMAIN/CONSOLE and its NUL */

struct name {
    char domain[NAME_BYTES];
    char console[NAME_BYTES]; /* empty: the domain's first console */
};

bool name_ok(const char *text);
/* DOMAIN or DOMAIN/CONSOLE. -EINVAL: *p says what a name looks like, *name is empty. */
int name_split(const char *text, struct name *name, struct problem *p);
/* A domain id, written in decimal without sign or leading zero, 0..2^32-1. */
bool name_domid(const char *text, uint32_t *domid);

#endif
