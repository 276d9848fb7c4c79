/* SPDX-License-Identifier: MIT */
/* Who has a terminal says so in a file that the others look at: UUCP's way, and libvirt's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connector.h"

#define LOCKS "/var/lock" /* Filesystem Hierarchy Standard 3.0, 5.9 */

/*
 * A pseudo-terminal's as libvirt calls it, which is what `virsh console` looks at: LCK.._pts_4. Any other's by its last part: LCK..ttyS0.
 * False: there is none for it.
 */
static bool name_lock(char *lock, size_t bytes, const char *device)
{
    static const char ptys[] = "/dev/pts/", as[] = "_pts_";
    const char *slash = strrchr(device, '/'); /* source_text.c, libvirt_xml.c: it has one */
    int n;

    if (strncmp(device, ptys, sizeof ptys - 1) == 0)
        n = snprintf(lock, bytes, LOCKS "/LCK..%s%s", as, slash + 1);
    else
        n = snprintf(lock, bytes, LOCKS "/LCK..%s", slash + 1);
    return n < (int)bytes;
}

/* Whose it is, if it is somebody's who lives; else 0, and a file that nobody stands for is away. */
static pid_t lock_holder(const char *lock)
{
    char text[16] = "";
    int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    pid_t pid = n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;

    if (fd >= 0)
        close(fd);
    if (pid > 0 && (kill(pid, 0) == 0 || errno == EPERM))
        return pid;
    unlink(lock);
    return 0;
}

static bool make(const char *lock)
{
    char pid[16];
    int n, fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);

    if (fd < 0)
        return false;
    n = snprintf(pid, sizeof pid, "%10d\n", (int)getpid());
    (void)fchmod(fd, 0644); /* for the others to read */
    (void)!write(fd, pid, (size_t)n);
    close(fd);
    return true;
}

int connect_lock(struct connector *k, const char *device, struct problem *p)
{
    pid_t holder;

    for (int i = 0; name_lock(k->lock, sizeof k->lock, device) && i < 2; i++) {
        if (make(k->lock))
            return 0;
        if (errno != EEXIST)
            break; /* such files cannot be made at all: then nobody else makes them either */
        holder = lock_holder(k->lock);
        if (holder != 0) {
            problem_set(p, -EBUSY, "%s: pid %d has it, says %s", k->place.where, (int)holder, k->lock);
            k->lock[0] = '\0';
            return -EBUSY;
        }
    }
    k->lock[0] = '\0';
    return 0;
}

void connect_lock_again(struct connector *k, const char *device)
{
    struct problem p;

    if (connect_lock(k, device, &p) != 0)
        message("%s", p.text);
}

void connect_unlock(struct connector *k)
{
    if (k->lock[0] != '\0')
        unlink(k->lock);
    k->lock[0] = '\0';
}
