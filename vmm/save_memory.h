/* SPDX-License-Identifier: MIT */
/*
 * save_memory.h: a guest's memory as RAM records of a file (save_file.h).
 *
 * Lock:  the domain's vCPUs stand still. A guest that is a process may write to its memory all the same.
 * Trust: each page is read once, into a buffer of ours; checksum and file are of the copy. A page that was zero when it was
 *        looked at is none, whatever it is afterwards: only a guest that breaks the rules changes it, and its state with it.
 */
#ifndef VCONS_VMM_SAVE_MEMORY_H
#define VCONS_VMM_SAVE_MEMORY_H
#include "memory.h"
#include "save_file.h"

/* All pages that are not zero; what was never touched is not read. out->error says how it went. */
void save_memory(struct save_out *out, const struct guest_memory *m);

#endif
