/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feed.h"

static int is_segment(const struct dirent *d)
{
    const char *suffix = strspn(d->d_name, "0123456789") == 20 ? d->d_name + 20 : "";

    return strcmp(suffix, ".log") == 0 || strcmp(suffix, ".log.zst") == 0;
}

static int differs(const struct feed *f, const uint8_t *bytes, uint64_t n)
{
    static uint8_t want[1 << 16];
    struct feed at = *f;

    for (uint64_t done = 0; done < n;) {
        uint32_t part = n - done < sizeof want ? (uint32_t)(n - done) : sizeof want;

        feed_generate(&at, want, part);
        for (uint32_t i = 0; memcmp(bytes + done, want, part) != 0 && i < part; i++)
            if (bytes[done + i] != want[i]) {
                warnx("console %u: byte %" PRIu64 " of the log is %u, %u was sent", f->number, at.position + i,
                      bytes[done + i], want[i]);
                return 1;
            }
        at.position += part;
        done += part;
    }
    return 0;
}

/* A compressed segment is unpacked by zstd's own program. */
static uint64_t check_compressed(struct feed *f, const char *directory, const char *name, int *bad)
{
    static uint8_t bytes[1 << 16];
    struct feed at = *f;
    char command[PATH_MAX + 32];
    FILE *zstd;
    size_t n;

    snprintf(command, sizeof command, "zstd -dcq '%s/%.20s.log.zst'", directory, name);
    zstd = popen(command, "r");
    if (zstd == NULL)
        err(1, "%s", command);
    for (*bad = 0; !*bad && (n = fread(bytes, 1, sizeof bytes, zstd)) > 0; at.position += n)
        *bad = differs(&at, bytes, n);
    if (pclose(zstd) != 0 && !*bad)
        errx(1, "%s: failed", command);
    return at.position - f->position;
}

static uint64_t check_raw(struct feed *f, int fd, const char *name, int *bad)
{
    struct stat st;
    void *bytes;

    *bad = 0;
    if (fstat(fd, &st) != 0)
        err(1, "%s", name);
    if (st.st_size == 0)
        return 0;
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        err(1, "%s", name);
    *bad = differs(f, bytes, (uint64_t)st.st_size);
    munmap(bytes, (size_t)st.st_size);
    return (uint64_t)st.st_size;
}

#define PINNED (1024u * 1024) /* of the one boot that a feeder has: kept when what stands behind it is too old */

static int check_segment(struct feed *f, const char *directory, int dir, const char *name)
{
    uint64_t begin = strtoull(name, NULL, 10);
    char raw[32];
    int fd, bad = 0;

    if (f->got != 0 && begin + 1 == f->got)
        return 0; /* it was listed twice: while it was compressed */
    snprintf(raw, sizeof raw, "%.20s.log", name);
    fd = openat(dir, raw, O_RDONLY | O_CLOEXEC); /* it goes when the compressed one is there */
    if (f->got != 0 && begin != f->position && (begin < f->position || f->position > PINNED)) {
        warnx("console %u: segment %s, the one before ended at %" PRIu64, f->number, name, f->position);
        return 1;
    }
    f->got = begin + 1; /* not the first segment any more */
    f->position = begin;
    f->position += fd >= 0 ? check_raw(f, fd, name, &bad) : check_compressed(f, directory, name, &bad);
    if (fd >= 0)
        close(fd);
    return bad;
}

int check_log(const char *directory, uint32_t number, uint32_t width, uint64_t total)
{
    static struct feed f;
    struct dirent **names;
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), bad = 0;
    int n = dir < 0 ? -1 : scandir(directory, &names, is_segment, alphasort);

    if (n < 0)
        err(1, "%s", directory);
    f = (struct feed){.number = number, .width = width};
    for (int i = 0; i < n; i++) {
        bad |= bad ? 0 : check_segment(&f, directory, dir, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    close(dir);
    if (!bad && f.position != total) {
        warnx("console %u: the log ends at %" PRIu64 ", %" PRIu64 " were sent", number, f.position, total);
        return 1;
    }
    return bad;
}
