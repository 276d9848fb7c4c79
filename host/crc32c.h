/* SPDX-License-Identifier: MIT */
/*
 * crc32c.h: the checksum of logs' indices and of saved domains.
 *
 * Spec:  CRC-32C (Castagnoli), RFC 3720 appendix B.4: polynomial 0x1EDC6F41, reflected, initial and final value all ones.
 * Lock:  none; pure.
 * Trust: the bytes may change meanwhile; the result then fits neither state.
 */
#ifndef HOST_CRC32C_H
#define HOST_CRC32C_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Go on from crc, 0 at the beginning: crc32c(crc32c(0, a), b) is that of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);
typedef uint32_t crc32c_way(uint32_t crc, const void *bytes, size_t n);
#define CRC32C_WAYS 3u
/* Every way that this machine can take, best first, the last with no special instruction; for tests. How many. */
unsigned crc32c_ways(crc32c_way *ways[CRC32C_WAYS]);
/* The last of these: what other machines run. */
uint32_t crc32c_plain(uint32_t crc, const void *bytes, size_t n);

#endif
