/* SPDX-License-Identifier: MIT */
/*
 * log_frames.h: compressed segments. Private to the log store, as log_private.h, which includes it.
 *
 * Spec:  RFC 8878 (zstd); seek table: zstd_seekable_compression_format.md 0.1.0 of zstd's contrib; docs/vcons-log-format.5.
 * Owner: the store owns what is open; a log_frames_open has its log_frames_close.
 * Lock:  the store's frames_lock, taken inside, held while one frame of 1 MiB is unpacked: about a millisecond. Never
 *        by an append thread.
 * Trust: the file may be cut, changed or made by anybody: what is not as its table and checksums say is damaged, no more.
 */
#ifndef VCONS_SERVICE_LOG_FRAMES_H
#define VCONS_SERVICE_LOG_FRAMES_H
#include <stddef.h>
#include <stdint.h>

#define LOG_FRAME_BYTES (UINT64_C(1) << 20) /* of content in a frame, less in the last */
#define LOG_COMPRESSED  ".log.zst"

#define LOG_TABLE_SKIP  UINT32_C(0x184d2a5e) /* a skippable frame */
#define LOG_TABLE_MAGIC UINT32_C(0x8f92eab1) /* the file's last four bytes */
struct log_table_head {
    uint32_t magic, bytes; /* bytes: of the entries and the foot */
};
struct log_table_entry {
    uint32_t packed, content; /* bytes of the frame, and in it */
};
struct __attribute__((packed)) log_table_foot {
    uint32_t n; /* frames */
    uint8_t descriptor;
    uint32_t magic;
};
_Static_assert(sizeof(struct log_table_head) == 8 && sizeof(struct log_table_entry) == 8 &&
                   sizeof(struct log_table_foot) == 9,
               "the seekable format");

struct log_frames;
struct log_store;

/* Takes fd, unless it fails: -ENOMEM, or what fstat answers. A damaged file opens, with the frames that are found. */
int log_frames_open(struct log_frames **f, struct log_store *s, int fd);
void log_frames_close(struct log_store *s, struct log_frames *f);
uint64_t log_frames_bytes(const struct log_frames *f); /* of content */
/*
 * Bytes of the segment from position on, below log_frames_bytes. How many, 1..size; 0: the next *damaged bytes cannot be had;
 * or a negative errno.
 */
ptrdiff_t log_frames_read(struct log_store *s, struct log_frames *f, uint64_t position, void *bytes, size_t size,
                          uint64_t *damaged);
uint64_t log_frames_content(int dir, uint64_t start); /* the same of a file that is not open */

/* A segment that is closed, of either kind, from one place to another. */
struct log_segment;
struct log_bytes {
    uint64_t start;
    int fd;
    struct log_store *store;
    struct log_frames *frames; /* it is compressed */
};
int log_bytes_open(struct log_bytes *b, struct log_store *store, int dir, const struct log_segment *segment);
/* How many, 1..n; 0: none can be had there; or a negative errno. */
ptrdiff_t log_bytes_read(const struct log_bytes *b, uint64_t offset, uint8_t *bytes, size_t n);
void log_bytes_close(struct log_bytes *b);

#endif
