/* SPDX-License-Identifier: MIT */
/*
 * log_compress.h: closed segments of a store become START.log.zst.
 *
 * Spec:  design §5; log_frames.h for the file; docs/vcons-log-format.5.
 * Owner: the caller places struct log_compress; from log_compress_next that answers true to log_compress_end it holds
 *        descriptors and memory.
 * Lock:  one compression at a time for each store. log_compress_run takes no lock and allocates nothing, so a thread that
 *        hardly ever runs may do it; the others take the store's lock for moments, and wait for the disk.
 * Trust: as log.h. A file that changes meanwhile is left as it is.
 */
#ifndef VCONS_SERVICE_LOG_COMPRESS_H
#define VCONS_SERVICE_LOG_COMPRESS_H
#include "log.h"

struct log_compress_name {
    char domain[LOG_NAME_BYTES], console[LOG_NAME_BYTES];
};

struct log_compress { /* for the caller to place, not to read */
    char domain[LOG_NAME_BYTES], console[LOG_NAME_BYTES];
    struct log_compress_name *names; /* of logs that nobody may have open: to be looked into once */
    size_t n_names, room;
    uint64_t start, bytes, had, packed; /* the segment; how long; what it has on the disk, and will have */
    int dir, raw_fd, packed_fd;
    int error;
    void *memory, *zstd;
    size_t memory_bytes;
};

void log_compress_init(struct log_compress *c, struct log_store *s); /* looks for what an earlier process left */
void log_compress_finish(struct log_compress *c);                    /* accepts a zeroed one; between segments */
/* Prepare the next closed segment. False: there is none, until log_env's closed is called again. */
bool log_compress_next(struct log_store *s, struct log_compress *c);
/* Compress it; give up when *stop, atomic, is not 0. */
void log_compress_run(struct log_compress *c, const uint32_t *stop);
/* Put it in the place of the raw one. 0, or why that stays: a negative errno. */
int log_compress_end(struct log_store *s, struct log_compress *c);

#endif
