/* SPDX-License-Identifier: MIT */
/*
 * file.h: reading a file whose size may change meanwhile.
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

#endif
