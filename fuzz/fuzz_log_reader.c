/* SPDX-License-Identifier: MIT */
/*
 * A console's directory whose files the input writes: opened to be read, walked, searched; then repaired, appended to,
 * and walked again. Readers end and only go forward (R45); what repair leaves, a second repair leaves as it is.
 */
#include "fuzz.h"
#include "host/crc32c.h"
#include "service/log.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define SEGMENTS 3
#define MOST     2048u /* bytes or records of one file, about */

static char path[64];
static int dir = -1;
static struct log_store store;
static const struct log_time now = {1000000000, 1000000000};

static void clean(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0)
        perror(path);
}

static void begin(void)
{
    char console[80];

    strcpy(path, access("/dev/shm", W_OK) == 0 ? "/dev/shm/vcons-fuzz-XXXXXX" : "/tmp/vcons-fuzz-XXXXXX");
    require(mkdtemp(path) != NULL);
    atexit(clean);
    snprintf(console, sizeof console, "%s/d", path);
    require(mkdir(console, 0700) == 0);
    strcat(console, "/c");
    require(mkdir(console, 0700) == 0);
    dir = open(console, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(dir >= 0);
}

static void write_file(uint64_t start, const char *suffix, const void *bytes, size_t n)
{
    char name[40];
    int fd;

    snprintf(name, sizeof name, "%020llu%s", (unsigned long long)start, suffix);
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
}

static void empty(void)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fdopendir(fd);
    struct dirent *entry;

    require(stream != NULL);
    while ((entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dir, entry->d_name, 0);
    closedir(stream);
}

/* Mostly possible values, so that what is behind the checks is reached. */
static struct vc_index_record record(struct input *in, uint64_t start, uint64_t boot)
{
    struct vc_index_record r = {.offset = start + take(in, 2) % MOST,
                                .realtime_ns = take(in, 1),
                                .kind = (uint16_t)(take(in, 1) % 18),
                                .event = (uint16_t)take(in, 1),
                                .value = take(in, 1),
                                .boot = (uint32_t)(take(in, 1) % 4)};
    uint8_t how = (uint8_t)take(in, 1);

    if ((how & 7) == 0)
        r.offset = take(in, 8);
    if ((how & 8) != 0)
        r.offset = start;
    if (r.kind == VC_INDEX_START)
        r.value = boot;
    if ((how & 0xf0) != 0xf0)
        r.crc32c = crc32c(0, &r, sizeof r);
    return r;
}

/* The same bytes as a compressed segment of two frames, of which a few bytes are others then. */
static void write_compressed(struct input *in, uint64_t start, const uint8_t *bytes, size_t n)
{
    static uint8_t file[2 * ZSTD_COMPRESSBOUND(MOST) + 64];
    size_t first = n / 3, at = 0, changes = take(in, 1) % 4;
    uint32_t table[8] = {0x184d2a5e, 25};

    for (unsigned i = 0; i < 2; i++) {
        size_t part = i == 0 ? first : n - first;
        size_t packed = ZSTD_compress(file + at, sizeof file - at, bytes + (i == 0 ? 0 : first), part, 1);

        require(!ZSTD_isError(packed));
        table[2 + 2 * i] = (uint32_t)packed;
        table[3 + 2 * i] = (uint32_t)part;
        at += packed;
    }
    memcpy(file + at, table, 24);
    memcpy(file + at + 24, "\x02\0\0\0\0\xb1\xea\x92\x8f", 9);
    at += 33;
    while (changes-- > 0) { /* half of them in the table */
        size_t where = take(in, 2);

        file[(where & 1) != 0 ? at - 33 + where / 2 % 33 : where / 2 % at] = (uint8_t)take(in, 1);
    }
    if ((take(in, 1) & 7) == 0)
        at = take(in, 2) % at;
    write_file(start, ".log.zst", file, at);
}

static void write_files(struct input *in)
{
    static uint8_t bytes[MOST];
    uint64_t start = (take(in, 1) & 1) != 0 ? take(in, 8) : 0;

    for (unsigned i = 0; i < SEGMENTS; i++) {
        size_t n = take(in, 2) % MOST, records = take(in, 1) % 20;
        uint8_t kind = (uint8_t)(take(in, 1) % 4);
        struct vc_index_record r[20];
        uint64_t boot = take(in, 1) & 1 ? store.machine_boot : 1;

        for (size_t k = 0; k < records; k++)
            r[k] = record(in, start, boot);
        memset(bytes, (int)take(in, 1), n);
        if (n > 10)
            bytes[n / 2] = '\n';
        if (kind == 1 || kind == 2)
            write_compressed(in, start, bytes, n);
        if (kind != 1)
            write_file(start, ".log", bytes, n);
        write_file(start, ".idx", r, records * sizeof *r - (records > 0 ? take(in, 1) % 64 : 0));
        start += take(in, 1) % 4 == 0 ? take(in, 2) : n;
    }
}

static void walk(const struct log *l, uint64_t offset, uint32_t kinds)
{
    struct log_cursor c;
    struct log_item item;
    uint64_t at = 0, read = 0;
    uint8_t bytes[512];
    unsigned steps = 0;

    if (log_cursor_open(&c, l, offset, kinds) != 0)
        return;
    while (log_cursor_next(&c, &item) == 0 && item.kind != LOG_NOTHING) {
        require(item.offset >= at && ++steps < 10 * MOST);
        at = item.offset;
        if (item.kind == LOG_BYTES) {
            ptrdiff_t n = log_cursor_read(&c, &item, bytes, sizeof bytes);

            require(n <= (ptrdiff_t)item.n && n <= (ptrdiff_t)sizeof bytes);
            if (n > 0)
                log_cursor_take(&c, (uint64_t)n);
            read += n > 0 ? (uint64_t)n : 0;
        }
    }
    require(read <= (SEGMENTS + 1) * (2 * MOST + (2u << 20))); /* a frame may tell of more than went into it */
    log_cursor_close(&c);
}

static void search(struct input *in, const struct log *l)
{
    struct log_status status;

    log_status_get(l, &status);
    require(status.oldest <= status.length);
    for (int i = 0; i < 7; i++) {
        struct log_from from = {(enum log_from_kind)i, (int64_t)take(in, 1) - 100};
        uint64_t offset;

        if (log_locate(l, &from, &offset) == 0)
            require(offset >= status.oldest && offset <= status.length);
    }
    walk(l, 0, ~UINT32_C(0));
    walk(l, status.oldest + take(in, 2), LOG_KINDS_STREAM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct log_limits limits = {.segment_bytes = 4096};
    struct input in = {data, n};
    struct vc_span spans[2] = {{(const uint8_t *)"new", 3}, {NULL, 0}};
    struct log l;
    uint64_t length;

    if (dir < 0)
        begin();
    if (log_store_open(&store, path, &limits, NULL, NULL) != 0)
        return 0;
    write_files(&in);
    if (log_open(&l, &store, "d", "c", LOG_READ, &now) == 0) {
        search(&in, &l);
        log_close(&l, &now);
    }
    if (log_open(&l, &store, "d", "c", 0, &now) == 0) {
        length = l.length;
        search(&in, &l);
        log_close(&l, &now);
        require(log_open(&l, &store, "d", "c", 0, &now) == 0 && l.length == length);
        length += log_append(&l, spans, &now);
        log_close(&l, &now);
        require(log_open(&l, &store, "d", "c", LOG_READ, &now) == 0 && l.length == length);
        log_close(&l, &now);
    }
    log_store_close(&store);
    empty();
    return 0;
}
