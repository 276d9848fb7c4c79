/* SPDX-License-Identifier: MIT */
#include "conflict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_xenconsoled(const char *pid)
{
    char path[300], comm[32];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, comm, sizeof comm - 1) : -1;
    if (fd >= 0)
        close(fd);
    comm[n > 0 ? n : 0] = '\0';
    return strcmp(comm, "xenconsoled\n") == 0;
}

int conflict_find(struct problem *p)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    int error = 0;

    if (proc == NULL)
        return problem_set(p, -errno, "/proc: %s", strerror(errno));
    while (error == 0 && (entry = readdir(proc)) != NULL)
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && is_xenconsoled(entry->d_name))
            error = problem_set(
                p, -EBUSY,
                "xenconsoled serves the consoles of this dom0, as pid %.20s: end it first, or both would take "
                "bytes out of the same rings",
                entry->d_name);
    closedir(proc);
    return error;
}
