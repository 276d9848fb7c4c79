/* SPDX-License-Identifier: MIT */
/*
 * slurp.h: a whole file in memory, if it is not too large.
 *
 * Owner: what is read is the caller's to free; a NUL stands behind it. Aligned for anything.
 * Trust: the path is the user's; what is there may be anything, and may change meanwhile.
 */
#ifndef VMM_DOM0LESS_SLURP_H
#define VMM_DOM0LESS_SLURP_H
#include <stddef.h>

struct problem;

/* A regular file of at most `most` bytes. 0; -1: the problem says FILE: why. */
int slurp(const char *path, size_t most, char **bytes, size_t *n, struct problem *problem);
/* What an open file holds from where it stands; name is for messages. The descriptor stays the caller's. */
int slurp_fd(int fd, const char *name, size_t most, char **bytes, size_t *n, struct problem *problem);

#endif
