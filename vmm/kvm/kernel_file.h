/* SPDX-License-Identifier: MIT */
/*
 * kernel_file.h: the file of a kernel, whole, in memory of ours: it may change or go while the domain runs.
 *
 * Owner: the caller frees what was read.
 * Trust: the path may name anything, and the file be of any size: no more than KERNEL_MAX_BYTES are read.
 */
#ifndef VMM_KVM_KERNEL_FILE_H
#define VMM_KVM_KERNEL_FILE_H
#include "host/message.h"
#include <stddef.h>
#include <stdint.h>

#define KERNEL_MAX_BYTES (256u << 20) /* Debian's vmlinux has 50 MiB */

/* *n bytes, to be freed. -1: problem names the file. */
int kernel_file_read(const char *path, uint8_t **bytes, size_t *n, struct problem *problem);

#endif
