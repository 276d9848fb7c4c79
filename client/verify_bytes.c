/* SPDX-License-Identifier: MIT */
#include "verify_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define FRAMES_MAX   65536u
#define PACKED_BYTES ZSTD_COMPRESSBOUND(VERIFY_FRAME_BYTES)
#define FOOT_BYTES   9u
#define HEAD_BYTES   8u

static bool read_all(int fd, void *bytes, size_t n, uint64_t at)
{
    for (uint8_t *p = bytes; n > 0;) {
        ssize_t got = pread(fd, p, n, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return true;
}

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The entries of the table; NULL: there is none that could be right. */
static uint8_t *read_table(int fd, uint64_t file_bytes, uint32_t *n)
{
    uint8_t foot[FOOT_BYTES], *table;
    uint64_t bytes;

    if (file_bytes < HEAD_BYTES + FOOT_BYTES || !read_all(fd, foot, sizeof foot, file_bytes - sizeof foot))
        return NULL;
    *n = word(foot);
    bytes = HEAD_BYTES + *n * UINT64_C(8) + FOOT_BYTES;
    if (word(foot + 5) != 0x8f92eab1 || foot[4] != 0 || *n == 0 || *n > FRAMES_MAX || bytes > file_bytes)
        return NULL;
    table = malloc(bytes);
    if (table != NULL && (!read_all(fd, table, bytes, file_bytes - bytes) || word(table) != 0x184d2a5e ||
                          word(table + 4) != bytes - HEAD_BYTES)) {
        free(table);
        table = NULL;
    }
    return table;
}

static bool frames_of_table(struct segment_bytes *s, uint64_t file_bytes)
{
    uint32_t n;
    uint8_t *table = read_table(s->fd, file_bytes, &n);
    uint64_t packed = 0, content = 0;
    bool right = table != NULL;

    for (uint32_t i = 0; right && i <= n; i++) {
        const uint8_t *entry = table + HEAD_BYTES + i * 8;

        s->frames[i] = (struct segment_frame){packed, content};
        if (i == n)
            break;
        right = word(entry + 4) > 0 && word(entry + 4) <= VERIFY_FRAME_BYTES && word(entry) <= PACKED_BYTES;
        packed += word(entry);
        content += word(entry + 4);
    }
    right = right && packed + HEAD_BYTES + n * UINT64_C(8) + FOOT_BYTES == file_bytes;
    s->n_frames = right ? n : 0;
    s->bytes = content;
    free(table);
    return right;
}

static void frames_by_walk(struct segment_bytes *s)
{
    struct segment_frame end = {0, 0};

    for (s->n_frames = 0; s->n_frames < FRAMES_MAX; s->n_frames++) {
        ssize_t got = pread(s->fd, s->packed, PACKED_BYTES, (off_t)end.at);
        unsigned long long content = got > 0 ? ZSTD_getFrameContentSize(s->packed, (size_t)got) : 0;
        size_t bytes = got > 0 ? ZSTD_findFrameCompressedSize(s->packed, (size_t)got) : 0;

        s->frames[s->n_frames] = end;
        if (got <= 0 || ZSTD_isError(bytes) || content == 0 || content > VERIFY_FRAME_BYTES)
            break;
        end.at += bytes;
        end.begin += content;
    }
    s->frames[s->n_frames] = end;
    s->bytes = end.begin;
    s->no_table = true;
}

static int open_file(int dir, uint64_t start, const char *suffix)
{
    char name[40];
    int fd;

    snprintf(name, sizeof name, "%020llu%s", (unsigned long long)start, suffix);
    fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int segment_open(struct segment_bytes *s, int dir, uint64_t start)
{
    struct stat st;

    *s = (struct segment_bytes){.fd = open_file(dir, start, ".log")};
    if (s->fd == -ENOENT) {
        s->compressed = true;
        s->fd = open_file(dir, start, ".log.zst");
    }
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return s->fd < 0 ? s->fd : -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    s->bytes = (uint64_t)st.st_size;
    if (!s->compressed)
        return 0;
    s->packed = malloc(PACKED_BYTES);
    s->content = malloc(VERIFY_FRAME_BYTES);
    s->frames = calloc(FRAMES_MAX + 1, sizeof *s->frames);
    if (s->packed == NULL || s->content == NULL || s->frames == NULL)
        return -ENOMEM;
    if (!frames_of_table(s, (uint64_t)st.st_size))
        frames_by_walk(s);
    s->unpacked = s->n_frames;
    return 0;
}

static bool unpack(struct segment_bytes *s, size_t i)
{
    size_t packed = s->frames[i + 1].at - s->frames[i].at, content = s->frames[i + 1].begin - s->frames[i].begin;

    if (s->unpacked == i)
        return true;
    s->unpacked = s->n_frames;
    if (!read_all(s->fd, s->packed, packed, s->frames[i].at) ||
        ZSTD_decompress(s->content, VERIFY_FRAME_BYTES, s->packed, packed) != content)
        return false;
    s->unpacked = i;
    return true;
}

/* A frame that is not as long as the format says may end in the midst of what is asked for. */
static bool read_compressed(struct segment_bytes *s, uint64_t at, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; n > 0 && i < s->n_frames; i++) {
        uint64_t begin = s->frames[i].begin, end = s->frames[i + 1].begin;
        size_t part;

        if (at < begin || at >= end)
            continue;
        if (!unpack(s, i))
            return false;
        part = end - at < n ? end - at : n;
        memcpy(bytes, s->content + (at - begin), part);
        at += part;
        bytes += part;
        n -= part;
    }
    return n == 0;
}

bool segment_read(struct segment_bytes *s, uint64_t at, void *bytes, size_t n)
{
    return s->compressed ? read_compressed(s, at, bytes, n) : read_all(s->fd, bytes, n, at);
}

void segment_close(struct segment_bytes *s)
{
    if (s->fd >= 0)
        close(s->fd);
    free(s->frames);
    free(s->packed);
    free(s->content);
    *s = (struct segment_bytes){.fd = -1};
}
