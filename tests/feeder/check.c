/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "feed.h"

static int is_segment(const struct dirent *d)
{
    return strlen(d->d_name) == 24 && strspn(d->d_name, "0123456789") == 20 && strcmp(d->d_name + 20, ".log") == 0;
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

static int check_segment(struct feed *f, int dir, const char *name)
{
    uint64_t begin = strtoull(name, NULL, 10);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), bad = 0;
    struct stat st;
    void *bytes;

    if (fd < 0 || fstat(fd, &st) != 0)
        err(1, "%s", name);
    if (f->got != 0 && begin != f->position) {
        warnx("console %u: segment %s, the one before ended at %" PRIu64, f->number, name, f->position);
        return 1;
    }
    f->got = 1; /* not the first segment any more */
    f->position = begin;
    if (st.st_size > 0) {
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            err(1, "%s", name);
        bad = differs(f, bytes, (uint64_t)st.st_size);
        munmap(bytes, (size_t)st.st_size);
    }
    f->position += (uint64_t)st.st_size;
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
        bad |= bad ? 0 : check_segment(&f, dir, names[i]->d_name);
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
