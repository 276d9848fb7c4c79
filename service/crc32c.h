/* SPDX-License-Identifier: MIT */
/*
 * crc32c.h: the checksum of the log's index.
 *
 * Spec:  CRC-32C (Castagnoli), RFC 3720 appendix B.4: polynomial 0x1EDC6F41, reflected, initial and final value all ones.
 * Lock:  none; pure.
 * Trust: the bytes may change meanwhile; the result then fits neither state.
 */
#ifndef VCONS_SERVICE_CRC32C_H
#define VCONS_SERVICE_CRC32C_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Go on from crc, 0 at the beginning: crc32c(crc32c(0, a), b) is that of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);
/* The same without the machine's instruction: what other machines run, and the tests compare with. */
uint32_t crc32c_plain(uint32_t crc, const void *bytes, size_t n);

#endif
