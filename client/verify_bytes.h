/* SPDX-License-Identifier: MIT */
/*
 * verify_bytes.h: the bytes of one segment, raw or compressed, block by block. Private to verify.c and verify_bytes.c.
 *
 * Spec:  docs/vcons-log-format.5 (Compressed segments).
 * Owner: the caller places struct segment_bytes and closes it, also after a failed open.
 * Lock:  none: one thread.
 * Trust: the file may hold anything, and change meanwhile: it is read, not mapped.
 */
#ifndef CLIENT_VERIFY_BYTES_H
#define CLIENT_VERIFY_BYTES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERIFY_FRAME_BYTES (1u << 20)

struct segment_frame {
    uint64_t at, begin; /* in the file; in the segment */
};

struct segment_bytes {
    int fd;
    bool compressed;
    bool no_table;  /* it was cut: what is left of it was found without */
    uint64_t bytes; /* how long the segment is */
    struct segment_frame *frames;
    size_t n_frames, unpacked; /* unpacked: which of them is in content, n_frames: none */
    uint8_t *packed, *content;
};

/* START.log, else START.log.zst in this directory. 0 or a negative errno. */
int segment_open(struct segment_bytes *s, int dir, uint64_t start);
/* n bytes at this place of the segment, all in one of its 64 KiB blocks. False: they cannot be had. */
bool segment_read(struct segment_bytes *s, uint64_t at, void *bytes, size_t n);
void segment_close(struct segment_bytes *s);

#endif
