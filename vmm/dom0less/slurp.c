/* SPDX-License-Identifier: MIT */
#include "slurp.h"
#include "host/file.h"
#include "host/message.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int slurp_fd(int fd, const char *name, size_t most, char **bytes, size_t *n, struct problem *problem)
{
    ssize_t got;

    *n = 0;
    *bytes = malloc(most + 2);
    got = *bytes != NULL ? file_read(fd, *bytes, most + 1) : -ENOMEM;
    if (got >= 0 && (size_t)got <= most) {
        (*bytes)[got] = '\0';
        *n = (size_t)got;
        return 0;
    }
    free(*bytes);
    *bytes = NULL;
    return got < 0 ? problem_set(problem, -1, "%s: %s", name, strerror((int)-got))
                   : problem_set(problem, -1, "%s: expected at most %zu MiB", name, most >> 20);
}

int slurp(const char *path, size_t most, char **bytes, size_t *n, struct problem *problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result; /* a fifo without a writer must not hang us */
    struct stat st;

    *bytes = NULL;
    if (fd < 0)
        return problem_set(problem, -1, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        result = problem_set(problem, -1, "%s: expected a regular file", path);
    else
        result = slurp_fd(fd, path, most, bytes, n, problem);
    close(fd);
    return result;
}
