/* SPDX-License-Identifier: MIT */
#include "host/crc32c.h"
#include "log_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are little-endian: wire/index.h");

static uint32_t checksum(const struct vc_index_record *r)
{
    static const uint8_t zero[sizeof r->crc32c];
    const uint8_t *p = (const uint8_t *)r;
    const size_t at = offsetof(struct vc_index_record, crc32c), behind = at + sizeof zero;
    uint32_t crc = crc32c(0, p, at);

    crc = crc32c(crc, zero, sizeof zero);
    return crc32c(crc, p + behind, sizeof *r - behind);
}

bool log_record_ok(const struct vc_index_record *r, uint64_t low, uint64_t high)
{
    return r->offset >= low && r->offset <= high && r->kind != 0 && r->crc32c == checksum(r);
}

void log_record_seal(struct vc_index_record *r) { r->crc32c = checksum(r); }

struct vc_index_record log_record(const struct log *l, enum vc_index_kind kind, uint64_t value,
                                  const struct log_time *now)
{
    struct vc_index_record r = {.offset = l->length,
                                .realtime_ns = now->real_ns,
                                .mono_ns = now->mono_ns,
                                .kind = (uint16_t)kind,
                                .event = l->event,
                                .value = value,
                                .boot = l->boot,
                                .line_index = l->line_index};

    memcpy(r.line_id, l->line_id, sizeof r.line_id);
    r.crc32c = checksum(&r);
    return r;
}

static int write_all(int fd, const void *bytes, size_t n, uint64_t at)
{
    const uint8_t *p = bytes;

    while (n > 0) {
        ssize_t w = pwrite(fd, p, n, (off_t)at);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return w < 0 ? -errno : -EIO;
        p += w;
        n -= (size_t)w;
        at += (uint64_t)w;
    }
    return 0;
}

int log_records_write(struct log *l, const struct vc_index_record *r, unsigned n)
{
    int error;

    const struct log_time then = {r[n - 1].realtime_ns, r[n - 1].mono_ns};

    if (l->idx_fd < 0)
        return -(l->error != 0 ? l->error : EBADF);
    error =
        l->memory == NULL ? 0 : log_unsaved_write(l, l->idx_bytes + n * sizeof *r, &then); /* first: it stays last */
    if (error != 0)
        return error;
    error = write_all(l->idx_fd, r, n * sizeof *r, l->idx_bytes);
    if (error != 0)
        return error;
    l->idx_bytes += n * sizeof *r;
    log_account(l, n * sizeof *r);
    log_index_reserve(l);
    return 0;
}

int log_record_write_at(struct log *l, const struct vc_index_record *r, uint64_t at)
{
    return write_all(l->idx_fd, r, sizeof *r, at);
}

int log_records_read(int fd, uint64_t at, struct vc_index_record *r, unsigned n)
{
    ssize_t got;

    do
        got = pread(fd, r, n * sizeof *r, (off_t)at);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : (int)((size_t)got / sizeof *r);
}

void log_index_reserve(struct log *l)
{
    uint64_t ahead = l->idx_bytes < LOG_ROOM_BYTES        ? LOG_ROOM_BYTES
                     : l->idx_bytes < 16 * LOG_ROOM_BYTES ? l->idx_bytes
                                                          : 16 * LOG_ROOM_BYTES;

    if (l->idx_bytes + LOG_ROOM_BYTES <= l->idx_room)
        return;
    ahead += LOG_ROOM_BYTES;
    if (fallocate(l->idx_fd, FALLOC_FL_KEEP_SIZE, (off_t)l->idx_bytes, (off_t)ahead) == 0)
        l->idx_room = l->idx_bytes + ahead;
    else if (errno == EOPNOTSUPP)
        l->idx_room = UINT64_MAX; /* no such thing here: records then need luck on a full disk */
}

int log_time_mark(struct log *l, const struct log_time *now)
{
    struct vc_index_record r = log_record(l, VC_INDEX_TIME, l->crc, now);
    int error = log_records_write(l, &r, 1);

    if (error == 0) {
        l->marked_offset = l->length;
        l->marked_mono = now->mono_ns;
    }
    return error;
}
