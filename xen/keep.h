/* SPDX-License-Identifier: MIT */
/*
 * keep.h: consoles that a domain is given again when it starts the next time: `vcons xen console add --keep`.
 *
 * Spec:  a file for each domain, by its name, in the directory xen of the state directory, lines of text: "1 UUID", then the names of
 *        its consoles, one each. A domain is known by its UUID, whatever its name is now, else by its name: xl gives a new
 *        UUID to one whose configuration has none.
 * Owner: struct keep is the caller's; the directory is opened once. keep_close accepts a zeroed one.
 * Lock:  none, the module's thread.
 * Trust: the files may hold anything: what is not as above counts as no file, and is told once for each domain's start.
 */
#ifndef VCONS_XEN_KEEP_H
#define VCONS_XEN_KEEP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/name.h"

#define KEEP_CONSOLES 9u /* as many as a domain can have: SEATS_FURTHER */
#define KEEP_BYTES    1024u

struct keep {
    int fd; /* of the directory; -1: it cannot be had */
};

struct kept { /* of one domain */
    uint8_t uuid[16];
    uint32_t n;
    char names[KEEP_CONSOLES][NAME_BYTES];
};

/* What these bytes say. False: they are no such file. */
bool keep_parse(const char *text, size_t bytes, struct kept *k);
/* As text, with its NUL: its length. */
size_t keep_format(const struct kept *k, char text[KEEP_BYTES]);

int keep_open(struct keep *keep, const char *state); /* 0 or a negative errno */
void keep_close(struct keep *keep);
/* What is kept for that domain, and the name of its file: 0, -ENOENT: nothing, -EPROTO: no such file as above. */
int keep_find(const struct keep *keep, const char *domain, const uint8_t uuid[16], struct kept *k,
              char file[NAME_BYTES]);
/* A console more for it, or one less. 0; -ENOENT: it is not kept; -ENOSPC: there are too many; a negative errno. */
int keep_add(const struct keep *keep, const char *domain, const uint8_t uuid[16], const char *console);
/* uuid NULL: of a domain that does not run, by its name alone. */
int keep_remove(const struct keep *keep, const char *domain, const uint8_t *uuid, const char *console);

#endif
