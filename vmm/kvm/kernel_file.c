/* SPDX-License-Identifier: MIT */
#include "kernel_file.h"
#include "host/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int kernel_file_read(const char *path, uint8_t **bytes, size_t *n, struct problem *problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1; /* a FIFO must not stop us */
    struct stat st;

    *bytes = NULL;
    if (fd < 0)
        return problem_set(problem, -1, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        problem_set(problem, -1, "%s: not a regular file", path);
        goto close_fd;
    }
    if (st.st_size > (off_t)KERNEL_MAX_BYTES) {
        problem_set(problem, -1, "%s: larger than %u MiB", path, KERNEL_MAX_BYTES >> 20);
        goto close_fd;
    }
    *n = (size_t)st.st_size;
    *bytes = malloc(*n + 1);
    if (*bytes == NULL) {
        problem_set(problem, -1, "%s: out of memory", path);
        goto close_fd;
    }
    result = file_read_all(fd, *bytes, *n);
    if (result != 0)
        result = problem_set(problem, -1, "%s: %s", path, strerror(-result));
close_fd:
    close(fd);
    return result;
}
