/* SPDX-License-Identifier: MIT */
/*
 * save_file.h: the file that a domain is saved to: records with checksums, written once, in order; read back as an enemy's.
 *
 *     header   8 bytes "vcnsave\n", u32 version, u32 crc32c of the header with this field 0, 16 bytes id, random
 *     record   u32 kind, u32 0, u64 bytes, u32 crc32c of the three before and of what follows, u32 0; then so many bytes
 *
 * Little-endian. Records stand in the order of their kinds: CONFIG, STATE, ENGINE, any number of RAM, END, and behind that
 * nothing. CONFIG is save_config.h's, STATE sections of vcons/save.h, ENGINE the engine's own; RAM a u64 guest physical
 * address and the pages from there on, ascending; pages that are nowhere are zero. The id is for whoever remembers which file
 * was restored; a copy of a file has its id.
 *
 * Owner: the caller places both structs; a descriptor that save_in_open opened is closed by save_in_close.
 * Lock:  none: one thread at a time.
 * Trust: a checksum finds accidents, not enemies. Nothing read makes us allocate more than the file has bytes, nor more than
 *        the kind's limit.
 */
#ifndef VCONS_VMM_SAVE_FILE_H
#define VCONS_VMM_SAVE_FILE_H
#include "host/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAVE_FILE_VERSION 2u
#define SAVE_ID_BYTES     16u
#define SAVE_RAM_BYTES    (UINT64_C(1) << 20) /* of pages in one record, at most */

enum save_kind { SAVE_CONFIG = 1, SAVE_STATE = 2, SAVE_ENGINE = 3, SAVE_RAM = 4, SAVE_END = 5 };

struct save_out {
    int fd;
    uint64_t at;
    int error; /* the first, as -errno; nothing is written after it */
};
/* At the beginning of the file. */
void save_out_begin(struct save_out *out, int fd, const uint8_t id[SAVE_ID_BYTES]);
/* The two parts of one record; the second may be NULL. */
void save_out_record(struct save_out *out, enum save_kind kind, const void *a, size_t a_bytes, const void *b,
                     size_t b_bytes);
/* END, and all of it on the disk. 0, or the first -errno. */
int save_out_end(struct save_out *out);

struct save_in {
    int fd;
    const char *path; /* for messages; the caller's */
    uint64_t at, size;
    uint8_t id[SAVE_ID_BYTES];
    bool ended;       /* END was read */
    uint8_t *payload; /* of the last record */
    size_t bytes;
};
/* A regular file with our header. -1: *p says what is wrong with it. */
int save_in_open(struct save_in *in, const char *path, struct problem *p);
/* The next record, into payload and bytes. -1: it is cut off, damaged, or none that may stand here after `last` (0 at first). */
int save_in_next(struct save_in *in, enum save_kind last, enum save_kind *kind, struct problem *p);
/* The last payload, from now on the caller's to free. */
uint8_t *save_in_take(struct save_in *in, size_t *bytes);
void save_in_close(struct save_in *in); /* accepts one that open refused */

#endif
