/* SPDX-License-Identifier: MIT */
/*
 * start_info.h: reads what a PVH kernel is given at its entry.
 *
 * Spec:  wire/pvh.h.
 * Owner: the caller's platform and buffers; nothing is kept.
 * Lock:  none; before anything else runs.
 * Trust: the builder is trusted with this guest's life, but addresses are still checked, so that a mistake is an empty
 *        command line and no wild read.
 */
#ifndef GUEST_START_INFO_H
#define GUEST_START_INFO_H
#include "platform.h"

#define START_INFO_CMDLINE_BYTES 1024u

struct start_info {
    uint64_t ram_bytes;                     /* all entries of type RAM */
    char cmdline[START_INFO_CMDLINE_BYTES]; /* cut to this; always ends in 0 */
};
/* What is not there, or not where map says memory is, stays 0 or empty. */
void start_info_read(struct start_info *info, const struct platform *platform, uint64_t gpa);

#endif
