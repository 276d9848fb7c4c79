/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

ssize_t file_read(int fd, void *to, size_t n)
{
    size_t have = 0;

    while (have < n) {
        ssize_t got = read(fd, (char *)to + have, n - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

void file_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) /* open takes the lowest that is free */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return;
}

int file_read_all(int fd, void *to, size_t n)
{
    ssize_t got = file_read(fd, to, n);

    if (got < 0)
        return (int)got;
    return (size_t)got == n ? 0 : -EIO;
}

int file_replace(int directory, const char *name, const char *text)
{
    static const char made[] = ".new";
    size_t n = strlen(text);
    int fd = openat(directory, made, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600), error = 0;
    ssize_t written;

    if (fd < 0)
        return -errno;
    written = write(fd, text, n);
    if (written != (ssize_t)n)
        error = written < 0 ? -errno : -ENOSPC;
    close(fd);
    if (error == 0 && renameat(directory, made, directory, name) != 0)
        error = -errno;
    return error;
}
