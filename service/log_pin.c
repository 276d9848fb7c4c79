/* SPDX-License-Identifier: MIT */
/*
 * What retention leaves of a segment: the first bytes of each boot, as segments of their own that begin where the boot does.
 * Their CRCs are made anew, for blocks are counted from a segment's first byte. Each piece is written under another name, its
 * index renamed first; while the old segment is there too, readers see its bytes and pass over the pieces.
 */
#include "host/crc32c.h"
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOOTS_MAX 4096u /* pinned of one console */
#define NEW_IDX   ".pin.idx"
#define NEW_LOG   ".pin.log"

struct boots { /* of one segment, oldest first */
    uint64_t offset[BOOTS_MAX];
    size_t n;
};

static bool note_boot(void *ctx, const struct vc_index_record *r)
{
    struct boots *b = ctx;

    if (r->kind == VC_INDEX_BOOT && b->n < BOOTS_MAX)
        b->offset[b->n++] = r->offset;
    return true;
}

/* Records of the two segments' beginnings say whether a boot stands between them. */
static bool has_boots(int dir, const struct log_segments *list, size_t i)
{
    struct vc_index_record first = log_index_start(dir, &list->at[i]), next;

    if (i + 1 == list->n || first.kind == 0)
        return true;
    next = log_index_start(dir, &list->at[i + 1]);
    return next.kind == 0 || next.boot != first.boot;
}

int log_pins_read(struct log_pins *p, int dir, const struct log_segments *list, uint64_t pin_bytes, uint64_t budget)
{
    struct boots *boots = pin_bytes > 0 ? calloc(1, sizeof *boots) : NULL;
    uint64_t limit = UINT64_MAX;

    *p = (struct log_pins){.n = 0};
    if (boots != NULL)
        p->at = calloc(BOOTS_MAX, sizeof *p->at);
    if (pin_bytes > 0 && p->at == NULL) {
        free(boots);
        return -ENOMEM;
    }
    for (size_t i = list->n; pin_bytes > 0 && i-- > 0 && budget > 0;) {
        boots->n = 0;
        if (has_boots(dir, list, i))
            (void)log_index_visit(dir, &list->at[i], note_boot, boots);
        while (boots->n > 0 && p->n < BOOTS_MAX && budget > 0) {
            uint64_t begin = boots->offset[--boots->n], bytes = limit - begin;

            bytes = bytes < pin_bytes ? bytes : pin_bytes;
            bytes = bytes < budget ? bytes : budget;
            if (bytes > 0)
                p->at[p->n++] = (struct log_pin){begin, begin + bytes};
            budget -= bytes;
            limit = begin;
        }
    }
    free(boots);
    return 0;
}

void log_pins_finish(struct log_pins *p)
{
    free(p->at);
    *p = (struct log_pins){.n = 0};
}

bool log_pins_next(const struct log_pins *p, uint64_t from, uint64_t to, struct log_pin *pin)
{
    bool found = false;

    for (size_t i = p->n; i-- > 0;) { /* they stand newest first */
        struct log_pin at = p->at[i];

        at.begin = at.begin < from ? from : at.begin;
        at.end = at.end > to ? to : at.end;
        if (at.begin >= at.end)
            continue;
        if (found && at.begin > pin->end)
            break;
        if (!found)
            *pin = at;
        pin->end = at.end;
        found = true;
    }
    return found;
}

/* One piece. */

struct piece {
    struct log_pin pin;
    int log_fd, idx_fd;
    int error;
    struct vc_index_record start;
    uint64_t at, idx_bytes; /* bytes are there up to at */
    uint32_t crc;           /* of the block that at stands in */
    struct log_bytes from;  /* the old segment's */
    uint8_t bytes[VC_INDEX_CRC_BLOCK];
};

static void put(struct piece *p, int fd, const void *bytes, size_t n, uint64_t at)
{
    if (p->error == 0 && pwrite(fd, bytes, n, (off_t)at) != (ssize_t)n)
        p->error = -ENOSPC;
}

static void put_record(struct piece *p, struct vc_index_record r)
{
    log_record_seal(&r);
    put(p, p->idx_fd, &r, sizeof r, p->idx_bytes);
    p->idx_bytes += sizeof r;
}

/* Copy up to offset, a block at most at once, so that each block's end is met. */
static void copy_to(struct piece *p, uint64_t offset, const struct vc_index_record *when)
{
    while (p->error == 0 && p->at < offset) {
        uint64_t in_block = (p->at - p->pin.begin) % VC_INDEX_CRC_BLOCK, n = VC_INDEX_CRC_BLOCK - in_block;
        ptrdiff_t got = log_bytes_read(&p->from, p->at, p->bytes, n < offset - p->at ? n : offset - p->at);

        if (got <= 0) {
            p->error = got < 0 ? (int)got : -EIO;
            return;
        }
        put(p, p->log_fd, p->bytes, (size_t)got, p->at - p->pin.begin);
        p->crc = crc32c(p->crc, p->bytes, (size_t)got);
        p->at += (uint64_t)got;
        if (in_block + (uint64_t)got == VC_INDEX_CRC_BLOCK) {
            struct vc_index_record r = *when;

            r.offset = p->at;
            r.kind = VC_INDEX_CRC;
            r.value = p->crc;
            put_record(p, r);
            p->crc = 0;
        }
    }
}

static void begin_piece(struct piece *p, const struct vc_index_record *before)
{
    struct vc_index_record r = *before;

    r.line_index += (uint32_t)(p->pin.begin - r.offset);
    r.offset = p->pin.begin;
    r.boot -= before->kind == VC_INDEX_BOOT; /* it counts from its own record on */
    r.kind = VC_INDEX_START;
    r.value = p->start.value;
    put_record(p, r);
}

static bool take_record(void *ctx, const struct vc_index_record *r)
{
    struct piece *p = ctx;
    struct vc_index_record copy = *r;

    if (r->offset < p->pin.begin || r->kind == VC_INDEX_START) {
        if (p->idx_bytes == 0)
            p->start = (struct vc_index_record){.value = r->kind == VC_INDEX_START ? r->value : p->start.value};
        return true;
    }
    if (p->idx_bytes == 0)
        begin_piece(p, r);
    copy_to(p, r->offset < p->pin.end ? r->offset : p->pin.end, r);
    if (r->offset > p->pin.end)
        return false;
    if (r->kind == VC_INDEX_TIME)
        copy.value = p->crc;
    if (r->kind != VC_INDEX_CRC)
        put_record(p, copy);
    return p->error == 0;
}

static int new_file(int dir, uint64_t start, const char *suffix)
{
    char name[LOG_FILE_NAME];

    log_file_name(name, start, suffix);
    (void)unlinkat(dir, name, 0);
    return log_file_open(dir, start, suffix, O_RDWR | O_CREAT | O_EXCL);
}

static int write_piece(struct piece *p, int dir, const struct log_segment *segment)
{
    p->log_fd = new_file(dir, p->pin.begin, NEW_LOG);
    p->idx_fd = new_file(dir, p->pin.begin, NEW_IDX);
    p->at = p->pin.begin;
    p->error = p->log_fd < 0 ? p->log_fd : p->idx_fd < 0 ? p->idx_fd : 0;
    if (p->error == 0)
        p->error = log_index_visit(dir, segment, take_record, p);
    if (p->idx_bytes == 0 && p->error == 0)
        p->error = -ENODATA; /* a pin comes from a record: the index is another now */
    copy_to(p, p->pin.end, &(struct vc_index_record){.offset = p->pin.end});
    if (p->log_fd >= 0)
        close(p->log_fd);
    if (p->idx_fd >= 0)
        close(p->idx_fd);
    return p->error;
}

int log_pin_write(struct log_store *s, int dir, const struct log_segment *segment, const struct log_pin *pin)
{
    struct piece *p = calloc(1, sizeof *p);
    int error;

    if (p == NULL)
        return -ENOMEM;
    p->pin = *pin;
    error = log_bytes_open(&p->from, s, dir, segment);
    if (error == 0) {
        error = write_piece(p, dir, segment);
        log_bytes_close(&p->from);
    }
    free(p);
    return error;
}

int log_pin_place(int dir, const struct log_pin *pin, bool take)
{
    static const char *const names[][2] = {{NEW_IDX, ".idx"}, {NEW_LOG, ".log"}};
    int error = 0;

    for (unsigned i = 0; i < 2; i++) {
        char from[LOG_FILE_NAME], to[LOG_FILE_NAME];

        log_file_name(from, pin->begin, names[i][0]);
        log_file_name(to, pin->begin, names[i][1]);
        if (take && error == 0 && renameat(dir, from, dir, to) != 0)
            error = -errno;
        if (!take || error != 0)
            (void)unlinkat(dir, from, 0);
    }
    return error;
}
