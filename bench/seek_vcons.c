/* SPDX-License-Identifier: MIT */
/*
 * seek: where a reader begins in a long history, by offset and by time, to the first byte read. Arguments: an empty directory,
 * segments of 16 MiB. Their bytes are holes, their indices what a console that never rests writes; every answer is checked
 * against them.
 */
#include "bench.h"
#include "host/crc32c.h"
#include "service/log.h"
#include <stddef.h>
#include <sys/stat.h>

#define SEGMENT_BYTES UINT64_C(16777216)
#define STEP_NS       UINT64_C(1000000) /* a block of zeroes each */
#define BEGAN_NS      UINT64_C(1700000000000000000)
#define SEEKS         1001

static struct vc_index_record record(enum vc_index_kind kind, uint64_t offset, uint64_t value)
{
    struct vc_index_record r = {.offset = offset,
                                .realtime_ns = BEGAN_NS + offset / VC_INDEX_CRC_BLOCK * STEP_NS,
                                .mono_ns = 1 + offset / VC_INDEX_CRC_BLOCK * STEP_NS,
                                .kind = (uint16_t)kind,
                                .value = value};

    r.crc32c = crc32c(0, &r, sizeof r);
    return r;
}

static int file(const char *dir, uint64_t start, const char *suffix)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof path, "%s/d/c/%020llu%s", dir, (unsigned long long)start, suffix);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    require(fd >= 0);
    return fd;
}

static void write_segment(const char *dir, uint64_t start)
{
    static const uint8_t zeroes[VC_INDEX_CRC_BLOCK];
    uint32_t crc = crc32c(0, zeroes, sizeof zeroes);
    struct vc_index_record r = record(VC_INDEX_START, start, 0);
    int log = file(dir, start, ".log"), idx = file(dir, start, ".idx");

    require(ftruncate(log, (off_t)SEGMENT_BYTES) == 0 && write(idx, &r, sizeof r) == sizeof r);
    for (uint64_t at = VC_INDEX_CRC_BLOCK; at <= SEGMENT_BYTES; at += VC_INDEX_CRC_BLOCK) {
        struct vc_index_record both[2] = {record(VC_INDEX_CRC, start + at, crc), record(VC_INDEX_TIME, start + at, 0)};

        require(write(idx, both, sizeof both) == sizeof both);
    }
    close(log);
    close(idx);
}

static void make(const char *dir, uint64_t segments)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/d", dir);
    require(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/d/c", dir);
    require(mkdir(path, 0700) == 0);
    for (uint64_t i = 0; i < segments; i++)
        write_segment(dir, i * SEGMENT_BYTES);
}

/* To the first byte behind what was asked for. */
static uint64_t seek(const struct log *l, const struct log_from *from, uint64_t expected)
{
    uint64_t began = now_ns(), offset;
    struct log_cursor c;
    struct log_item item;
    uint8_t byte = 1;

    require(log_locate(l, from, &offset) == 0 && offset == expected);
    require(log_cursor_open(&c, l, offset, 0) == 0 && log_cursor_next(&c, &item) == 0);
    require(item.kind == LOG_BYTES && item.offset == offset && log_cursor_read(&c, &item, &byte, 1) == 1 && byte == 0);
    began = now_ns() - began;
    log_cursor_close(&c);
    return began;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t median_ns(const struct log *l, enum log_from_kind kind, uint64_t length)
{
    static uint64_t took[SEEKS];
    uint64_t random = 88172645463325252u;

    for (unsigned i = 0; i < SEEKS; i++) {
        uint64_t at;
        struct log_from from = {.kind = kind};

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        at = random % length;
        from.value = (int64_t)at;
        if (kind == LOG_FROM_TIME) { /* what was stored at a block's end begins where the block before it ends */
            at = (at / VC_INDEX_CRC_BLOCK) * VC_INDEX_CRC_BLOCK;
            from.value = (int64_t)(BEGAN_NS + at / VC_INDEX_CRC_BLOCK * STEP_NS);
            at -= at > 0 ? VC_INDEX_CRC_BLOCK : 0;
        }
        took[i] = seek(l, &from, at);
    }
    qsort(took, SEEKS, sizeof *took, by_value);
    return took[SEEKS / 2];
}

static void message(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "seek: %s\n", text);
}

int main(int argc, char **argv)
{
    const struct log_env env = {.message = message};
    const struct log_limits limits = {.segment_bytes = SEGMENT_BYTES};
    const struct log_time now = {BEGAN_NS, 1};
    struct log_store store;
    struct log log;
    uint64_t segments = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;

    require(segments > 0);
    make(argv[1], segments);
    require(log_store_open(&store, argv[1], &limits, &env, NULL) == 0);
    require(log_open(&log, &store, "d", "c", LOG_READ, &now) == 0);
    printf("{\"offset_us\": %.3f, \"time_us\": %.3f}\n",
           (double)median_ns(&log, LOG_FROM_OFFSET, segments * SEGMENT_BYTES) / 1e3,
           (double)median_ns(&log, LOG_FROM_TIME, segments * SEGMENT_BYTES) / 1e3);
    log_close(&log, &now);
    log_store_close(&store);
    return 0;
}
