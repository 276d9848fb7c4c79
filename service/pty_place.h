/* SPDX-License-Identifier: MIT */
/*
 * pty_place.h: how far a module's pseudo-terminal has been read, for the service that comes next.
 *
 * Spec:  ours. xl console asks for a terminal when it is started, and has whatever nobody has read yet, whichever service wrote it
 *        down; a terminal itself ends with its service. So its place in the log is kept in a file of the runtime directory,
 *        ptys/LINE: the number in 20 digits, a newline. LINE is the line's id (source.h), which names one life of one guest
 *        since the machine was started; the runtime directory lasts no longer. Files are written over in place: so few bytes are
 *        there whole or not at all, whenever the service is killed.
 * Owner: nothing is held. A file of a guest that ended while no service ran stays until the machine is started anew.
 * Lock:  none, the control thread; the directory is memory.
 * Trust: the runtime directory is the service's own; a file that is none of ours counts for none.
 */
#ifndef VCONS_SERVICE_PTY_PLACE_H
#define VCONS_SERVICE_PTY_PLACE_H
#include <stdbool.h>
#include <stdint.h>

/* False: none is kept, *offset is untouched. */
bool pty_place_find(const char *runtime, const uint8_t line_id[16], uint64_t *offset);
int pty_place_keep(const char *runtime, const uint8_t line_id[16], uint64_t offset); /* 0 or a negative errno */
void pty_place_forget(const char *runtime, const uint8_t line_id[16]);

#endif
