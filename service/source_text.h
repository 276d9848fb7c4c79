/* SPDX-License-Identifier: MIT */
/*
 * source_text.h: what a source's text means: KIND:WHERE.
 *
 * Spec:  docs/vconsd.conf.5, key "source".
 * Owner: the caller places everything; where points into the text.
 * Lock:  none.
 * Trust: any text.
 */
#ifndef VCONS_SERVICE_SOURCE_TEXT_H
#define VCONS_SERVICE_SOURCE_TEXT_H

#include <stdint.h>

enum source_kind {
    SOURCE_UNIX,
    SOURCE_UNIX_LISTEN,
    SOURCE_PTY,
    SOURCE_SERIAL,
    SOURCE_TCP,
    SOURCE_TELNET,
    SOURCE_RFC2217,
    SOURCE_COMMAND,
    SOURCE_LIBVIRT,
    SOURCE_XL,
    SOURCE_KINDS
};

struct source_place {
    enum source_kind kind;
    const char *where; /* what stands behind the colon */
    char host[256];    /* of those behind a network, without brackets */
    uint16_t port;
};

/* NULL, or what was expected in its place. */
const char *source_text_parse(const char *text, struct source_place *place);

#endif
