/* SPDX-License-Identifier: MIT */
/*
 * line_memory.h: the memory and the event descriptors of one line, as ADD hands them to a service.
 *
 * Spec:  wire/line.h, wire/link.h (enum vc_link_fd).
 * Owner: the caller, from line_memory_create to line_memory_destroy; a service that has the descriptors keeps its
 *        own.
 * Trust: the service shares everything here. Kicking it is host/kick.h's matter.
 */
#ifndef VCONS_VMM_LINE_MEMORY_H
#define VCONS_VMM_LINE_MEMORY_H
#include "host/message.h"
#include <stddef.h>
#include <stdint.h>
#include <vcons/wire/line.h>
#include <vcons/wire/link.h>

struct line_memory {
    enum vc_link_geometry geometry; /* XEN: a ring page of Xen's instead of rings of the default sizes */
    void *base;
    size_t bytes;
    int fds[VC_LINK_FDS]; /* in the order of ADD, close-on-exec */
    uint8_t id[VC_LINE_ID_BYTES];
};

int line_memory_create(struct line_memory *m, enum vc_link_geometry geometry, struct problem *problem);
void line_memory_destroy(struct line_memory *m);
/* A fresh line in place of m, under the same descriptor numbers. -1: m is as it was. */
int line_memory_replace(struct line_memory *m, struct problem *problem);
/* Take all kicks that came; never waits, whatever the service made of the descriptor. */
void line_unkick(int fd);

#endif
