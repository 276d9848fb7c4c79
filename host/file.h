/* SPDX-License-Identifier: MIT */
/*
 * file.h: reading a file whose size may change meanwhile, writing one that is there whole or not at all; the descriptors that a
 * program begins with.
 *
 * Owner: the descriptor and the memory are the caller's.
 * Lock:  none.
 * Trust: the file may be cut or grow while it is read: never more than n bytes are placed.
 */
#ifndef HOST_FILE_H
#define HOST_FILE_H
#include <sys/types.h>

/* Read up to n bytes, fewer only where the file ends: how many; -errno. */
ssize_t file_read(int fd, void *to, size_t n);
/* All n bytes: 0; -EIO where the file ends before; -errno. */
int file_read_all(int fd, void *to, size_t n);
/*
 * A file of that text, 0600, in place of what has the name: whoever dies or fails meanwhile leaves the old one. One at a time in a
 * directory: it is made as ".new" there. 0 or -errno.
 */
int file_replace(int directory, const char *name, const char *text);
/*
 * Before anything else is opened: whoever started us may have closed descriptors 0 to 2, and what we open next, a console's log say,
 * would be what we print to. Nothing is to be read then, and output fails.
 */
void file_standard(void);

#endif
