/* SPDX-License-Identifier: MIT */
/*
 * image.h: kernels as arm64 boots them: an Image, or one in gzip's wrapping.
 *
 * Spec:  Linux Documentation/arm64/booting.rst, "Call the kernel image"; Microsoft's PE format, for kernels that firmware
 *        can start too; RFC 1952.
 * Owner: the caller's memory.
 * Trust: a file may hold anything: nothing outside its bytes is looked at, and no more than max_bytes are unpacked.
 */
#ifndef VMM_KVM_ARM64_IMAGE_H
#define VMM_KVM_ARM64_IMAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arm64_image {
    const uint8_t *bytes; /* the file */
    size_t n;
    uint64_t text_offset; /* where it goes, from the start of RAM, which is a multiple of 2 MiB */
    uint64_t span;        /* bytes from there on that are its own: at least n */
};

/* NULL, or what is wrong with it, as one clause. */
const char *arm64_image_parse(struct arm64_image *image, const uint8_t *bytes, size_t n);

bool arm64_image_is_packed(const uint8_t *bytes, size_t n);
/* Only as far as the header. NULL, or what is wrong. */
const char *arm64_image_check_packed(const uint8_t *packed, size_t n);
/* All of it; *bytes is the caller's to free. NULL, or what is wrong: then there is nothing to free. */
const char *arm64_image_unpack(const uint8_t *packed, size_t n_packed, size_t max_bytes, uint8_t **bytes, size_t *n);

#endif
