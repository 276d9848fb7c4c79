/* SPDX-License-Identifier: MIT */
/*
 * An index that is gone, made anew from its segment's bytes: a START that knows no boot of the machine, the CRC of each block, and
 * the time at which the file was last written for all of them. What stood in the stream and was no byte is not known any more.
 */
#include "host/crc32c.h"
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SUFFIX_NEW ".idx.new"

struct rebuild {
    struct vc_index_record next; /* as it will stand there, but for kind, value and offset */
    int fd;
    uint64_t at; /* bytes of the index written */
};

static int put(struct rebuild *r, enum vc_index_kind kind, uint64_t offset, uint64_t value)
{
    struct vc_index_record record;
    ssize_t n;

    r->next.line_index += (uint32_t)(offset - r->next.offset);
    r->next.offset = offset;
    r->next.kind = (uint16_t)kind;
    r->next.value = value;
    record = r->next;
    log_record_seal(&record);
    n = pwrite(r->fd, &record, sizeof record, (off_t)r->at);
    r->at += sizeof record;
    return n == (ssize_t)sizeof record ? 0 : n < 0 ? -errno : -ENOSPC;
}

/* One block, or what is left. 0 at the end; else how much it was, or a negative errno. */
static ptrdiff_t one_block(struct rebuild *r, const struct log_bytes *bytes, uint64_t begin, uint8_t *block)
{
    ptrdiff_t n = 0, got = 1;
    uint32_t crc;
    int error;

    while (got > 0 && n < (ptrdiff_t)VC_INDEX_CRC_BLOCK) {
        got = log_bytes_read(bytes, begin + (uint64_t)n, block + n, VC_INDEX_CRC_BLOCK - (size_t)n);
        n += got > 0 ? got : 0;
    }
    if (got < 0 || n == 0)
        return got < 0 ? got : 0;
    crc = crc32c(0, block, (size_t)n);
    error = put(r, n == (ptrdiff_t)VC_INDEX_CRC_BLOCK ? VC_INDEX_CRC : VC_INDEX_TIME, begin + (uint64_t)n, crc);
    return error != 0 ? error : n;
}

static int all_blocks(struct rebuild *r, const struct log_bytes *bytes)
{
    uint8_t *block = malloc(VC_INDEX_CRC_BLOCK);
    uint64_t at = bytes->start;
    ptrdiff_t n = -ENOMEM;

    if (block != NULL)
        n = put(r, VC_INDEX_START, at, 0) == 0 ? 1 : -ENOSPC;
    while (n > 0) {
        n = one_block(r, bytes, at, block);
        at += n > 0 ? (uint64_t)n : 0;
    }
    free(block);
    return (int)n;
}

int log_index_rebuild(struct log_store *s, int dir, struct log_segment *segment, const struct vc_index_record *before)
{
    char from[LOG_FILE_NAME], to[LOG_FILE_NAME];
    struct rebuild r = {.fd = -1, .at = 0};
    struct log_bytes bytes;
    int error = log_bytes_open(&bytes, s, dir, segment);

    if (error != 0)
        return error;
    r.next = (struct vc_index_record){
        .offset = segment->start, .realtime_ns = segment->modified_ns, .boot = before->boot, .event = 0};
    log_file_name(from, segment->start, SUFFIX_NEW);
    log_file_name(to, segment->start, ".idx");
    (void)unlinkat(dir, from, 0);
    r.fd = log_file_open(dir, segment->start, SUFFIX_NEW, O_RDWR | O_CREAT | O_EXCL);
    error = r.fd < 0 ? r.fd : all_blocks(&r, &bytes);
    log_bytes_close(&bytes);
    if (r.fd >= 0)
        close(r.fd);
    if (error == 0 && renameat2(dir, from, dir, to, RENAME_NOREPLACE) != 0)
        error = -errno; /* somebody brought one back */
    if (error != 0)
        (void)unlinkat(dir, from, 0);
    else
        segment->idx_bytes = r.at;
    return error;
}

/* The newest record of a segment's index that is right; kind 0: there is none. */
static struct vc_index_record last_of(int dir, const struct log_segment *s)
{
    struct vc_index_record r = {.kind = 0};
    uint64_t at = s->idx_bytes - s->idx_bytes % sizeof r;
    int fd = log_file_open(dir, s->start, ".idx", O_RDONLY);

    if (fd < 0)
        return r;
    if (at == 0 || log_records_read(fd, at - sizeof r, &r, 1) != 1 || !log_record_ok(&r, s->start, LOG_OFFSET_MAX))
        r = (struct vc_index_record){.kind = 0};
    close(fd);
    return r;
}

uint64_t log_indices_rebuild(struct log_store *s, int dir, struct log_segments *list, size_t first)
{
    uint64_t bytes = 0;

    for (size_t i = first; i < list->n; i++) {
        struct vc_index_record before = {.kind = 0};
        struct log_segment *segment = &list->at[i];

        if (segment->idx_bytes > 0 || segment->bytes == 0)
            continue;
        if (i > 0)
            before = last_of(dir, &list->at[i - 1]);
        if (log_index_rebuild(s, dir, segment, &before) == 0)
            bytes += segment->idx_bytes;
    }
    return bytes;
}
