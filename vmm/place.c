/* SPDX-License-Identifier: MIT */
/* What this VMM has in the file system: the lock on its name, and a directory for its guests' programs. */
#include "host/paths.h"
#include "vmm.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534 /* Debian's base-passwd; see domain_drop_privileges */

static int busy(int fd, const char *name, struct problem *problem)
{
    char pid[16] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

    return problem_set(problem, -1,
                       "hypervisor \"%s\" is running as pid %ld: expected another name, by --name or in the file", name,
                       n > 0 ? strtol(pid, NULL, 10) : 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    remove(path);
    return 0;
}

static void remove_tree(const char *directory) { nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT); }

/* A VMM of this name that was killed could not remove its directory: the second line of its file names it. */
static void remove_left_behind(int fd)
{
    char text[PATH_MAX + 16] = "", *directory, *end;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);

    directory = n > 0 ? strchr(text, '\n') : NULL;
    end = directory != NULL ? strchr(directory + 1, '\n') : NULL;
    if (end == NULL || directory[1] != '/')
        return;
    *end = '\0';
    remove_tree(directory + 1);
}

/* One of a name at a time. The kernel drops the lock with us, so a file left behind says no more than remove_left_behind. */
int vmm_lock_name(struct vmm *vmm, struct problem *problem)
{
    struct paths paths;
    char path[PATH_MAX];

    vmm->lock_fd = -1;
    if (paths_find(PATHS_USER, &paths, problem) != 0 || paths_make(PATHS_USER, &paths, problem) != 0)
        return -1;
    if (paths_format(path, "%s/%s.pid", paths.runtime, vmm->config.name) != 0)
        return problem_set(problem, -1, "%s: path is too long", paths.runtime);
    vmm->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (vmm->lock_fd < 0)
        return problem_set(problem, -1, "%s: %s", path, strerror(errno));
    if (flock(vmm->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return busy(vmm->lock_fd, vmm->config.name, problem);
    remove_left_behind(vmm->lock_fd);
    if (ftruncate(vmm->lock_fd, 0) != 0 || dprintf(vmm->lock_fd, "%ld\n", (long)getpid()) < 0)
        return problem_set(problem, -1, "%s: %s", path, strerror(errno));
    return 0;
}

/* Guests' programs may run as another user, who could not enter the runtime directory. */
const char *vmm_directory(struct vmm *vmm)
{
    const char *base = getenv("TMPDIR");

    if (vmm->directory[0] != '\0')
        return vmm->directory;
    snprintf(vmm->directory, sizeof vmm->directory, "%s/vcons-XXXXXX", base != NULL && base[0] == '/' ? base : "/tmp");
    if (mkdtemp(vmm->directory) == NULL || dprintf(vmm->lock_fd, "%s\n", vmm->directory) < 0 ||
        (geteuid() == 0 && chown(vmm->directory, NOBODY, NOBODY) != 0)) {
        vmm->directory[0] = '\0';
        return NULL;
    }
    return vmm->directory;
}

void vmm_leave_place(struct vmm *vmm)
{
    if (vmm->directory[0] != '\0')
        remove_tree(vmm->directory);
    vmm->directory[0] = '\0';
    if (vmm->lock_fd >= 0)
        close(vmm->lock_fd);
    vmm->lock_fd = -1;
}
