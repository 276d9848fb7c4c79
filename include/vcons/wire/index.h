/* SPDX-License-Identifier: MIT */
/*
 * wire/index.h: a record of a console's log index, NNNNNNNNNNNNNNNNNNNN.idx beside the segment of that name.
 *
 * Records stand in the order they were written, 64 bytes each, little-endian; a tail that is no whole record, or whose
 * crc32c is wrong, is cut off when the log is opened. A marker is a record here and never a byte in the segment.
 *
 * Every record says which byte of the line (line_index) stands at which byte of the log (offset). After a crash the
 * service goes on at line_index + (length of the log - offset), modulo 2^32, of the newest record, if that carries the
 * line's id. Only the record of a gap that still grows, and UNSAVED, are ever overwritten.
 */
#ifndef VCONS_WIRE_INDEX_H
#define VCONS_WIRE_INDEX_H
#include <stddef.h>
#include <stdint.h>
#include <vcons/wire/state.h>

#define VC_INDEX_RECORD_BYTES 64u
#define VC_INDEX_CRC_BLOCK    65536u /* a CRC record closes each whole block of this size of a segment */

#define VC_INDEX_BROKEN_VIRTIO 16u /* stands still until its driver resets it; below, what is taken up anew by itself */

enum vc_index_kind {
    VC_INDEX_TIME = 1,   /* bytes up to offset were stored by now; value is the CRC32C of those behind the last block */
    VC_INDEX_ATTACH = 2, /* a source came; value 0 */
    VC_INDEX_DETACH = 3, /* it went */
    VC_INDEX_GAP = 4,    /* value bytes are missing here; UINT64_MAX: an unknown number */
    VC_INDEX_BOOT = 5,   /* the domain starts; value is its boot number */
    VC_INDEX_RESET = 6,
    VC_INDEX_RESIZE = 7, /* value is rows << 16 | columns */
    VC_INDEX_BREAK = 8,
    VC_INDEX_OPEN = 9,
    VC_INDEX_CLOSE = 10,  /* value is an enum vc_domain_state */
    VC_INDEX_BROKEN = 11, /* value is the door's reason: from VC_INDEX_BROKEN_VIRTIO on a virtio-console's */
    VC_INDEX_RESTORE = 12,
    VC_INDEX_CRC = 13,   /* value is the CRC32C of the VC_INDEX_CRC_BLOCK bytes that end at offset */
    VC_INDEX_START = 14, /* first record of a segment; value tells boots of the machine apart, 0: not known */
    /* The very last record while the disk is full: history and its source had come to offset, which lies behind the
     * segment's end; bytes between are in memory only, and value more are missing. Overwritten as it grows. */
    VC_INDEX_UNSAVED = 15,
};

struct vc_index_record {
    uint64_t offset;      /* into the console's log, from byte 0 of its history */
    uint64_t realtime_ns; /* CLOCK_REALTIME */
    uint64_t mono_ns;     /* CLOCK_MONOTONIC: order survives a clock that jumps */
    uint16_t kind;        /* enum vc_index_kind */
    uint16_t event;       /* for what came as a line event: its vc_line_event_tag; else 0 */
    uint32_t crc32c;      /* CRC32C of this record with crc32c = 0 */
    uint64_t value;
    uint8_t line_id[16]; /* of the newest attach; zero where the source has no line */
    uint32_t boot;       /* boots counted in this log, with this record */
    uint32_t line_index; /* the line's out index at offset */
};

_Static_assert(sizeof(struct vc_index_record) == VC_INDEX_RECORD_BYTES, "wire layout");
_Static_assert(offsetof(struct vc_index_record, kind) == 24, "wire layout");
_Static_assert(offsetof(struct vc_index_record, crc32c) == 28, "wire layout");
_Static_assert(offsetof(struct vc_index_record, value) == 32, "wire layout");
_Static_assert(offsetof(struct vc_index_record, line_id) == 40, "wire layout");
_Static_assert(offsetof(struct vc_index_record, boot) == 56, "wire layout");

#endif
