/* SPDX-License-Identifier: MIT */
/*
 * append_private.h: between the files of the append thread.
 *
 * Owner, Lock: as append.h; the append thread.
 */
#ifndef VCONS_SERVICE_APPEND_PRIVATE_H
#define VCONS_SERVICE_APPEND_PRIVATE_H
#include "append.h"

/* For append_collect: a set of enum append_news. */
void append_tell(struct append *a, struct console *c, uint32_t news);
/* From the source into its log, at most so many bytes and events; how many bytes into *moved. VC_OK: more may be there. VC_ENOSPC: nothing is left. */
int append_move(struct append *a, struct console *c, uint32_t bytes, uint32_t events, uint32_t *moved);

#endif
