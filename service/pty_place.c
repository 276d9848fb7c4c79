/* SPDX-License-Identifier: MIT */
#include "pty_place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/paths.h"

#define TEXT_BYTES 21 /* 20 digits, a newline */

static int path_of(char path[PATH_MAX], const char *runtime, const uint8_t line_id[16])
{
    char name[2 * 16 + 1];

    for (int i = 0; i < 16; i++)
        snprintf(name + 2 * i, 3, "%02x", line_id[i]);
    return paths_format(path, "%s/ptys/%s", runtime, name) != 0 ? -ENAMETOOLONG : 0;
}

static int make_directory(const char *runtime)
{
    char path[PATH_MAX];

    if (paths_format(path, "%s/ptys", runtime) != 0)
        return -ENAMETOOLONG;
    return mkdir(path, 0700) != 0 && errno != EEXIST ? -errno : 0;
}

static bool all_digits(const char text[TEXT_BYTES])
{
    for (int i = 0; i < TEXT_BYTES - 1; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return text[TEXT_BYTES - 1] == '\n';
}

bool pty_place_find(const char *runtime, const uint8_t line_id[16], uint64_t *offset)
{
    char path[PATH_MAX], text[TEXT_BYTES + 1];
    int fd = path_of(path, runtime, line_id) == 0 ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;

    if (fd >= 0)
        close(fd);
    if (n != TEXT_BYTES || !all_digits(text))
        return false;
    *offset = strtoull(text, NULL, 10); /* UINT64_MAX where it is more: who asks knows how long the log is */
    return true;
}

int pty_place_keep(const char *runtime, const uint8_t line_id[16], uint64_t offset)
{
    char path[PATH_MAX], text[TEXT_BYTES + 1];
    int fd = -1, error = path_of(path, runtime, line_id);
    ssize_t n;

    if (error == 0)
        error = make_directory(runtime);
    if (error == 0)
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error ? error : -errno;
    snprintf(text, sizeof text, "%020" PRIu64 "\n", offset);
    n = pwrite(fd, text, TEXT_BYTES, 0);
    error = n == TEXT_BYTES ? 0 : n < 0 ? -errno : -EIO;
    close(fd);
    return error;
}

void pty_place_forget(const char *runtime, const uint8_t line_id[16])
{
    char path[PATH_MAX];

    if (path_of(path, runtime, line_id) == 0)
        unlink(path);
}
