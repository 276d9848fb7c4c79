/* SPDX-License-Identifier: MIT */
/*
 * bzimage.h: a bzImage, as distributions ship kernels, unpacked to the vmlinux inside.
 *
 * Spec:  Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"; offsets below are of that header. Formats:
 *        RFC 1952 (gzip), the .xz file format, RFC 8878 (zstd), lz4's legacy frame (lz4_Frame_format.md). The last four
 *        bytes of the payload are the size of what is inside.
 * Owner: *kernel is the caller's to free.
 * Lock:  none.
 * Trust: the file may hold anything. No more than max_bytes are made of it, whatever it says; the libraries that unpack
 *        check their input.
 */
#ifndef VMM_KVM_X86_64_BZIMAGE_H
#define VMM_KVM_X86_64_BZIMAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the file begins as a bzImage does; what follows may still be damaged. */
bool bzimage_is(const uint8_t *bytes, size_t n_bytes);
/* Null, or why it cannot be unpacked, looking at its header alone: a phrase that follows "FILE: ". */
const char *bzimage_check(const uint8_t *bytes, size_t n_bytes, size_t max_bytes);
/* As above; then unpack. After a failure *kernel is NULL. */
const char *bzimage_unpack(const uint8_t *bytes, size_t n_bytes, size_t max_bytes, uint8_t **kernel,
                           size_t *kernel_bytes);

#endif
