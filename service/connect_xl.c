/* SPDX-License-Identifier: MIT */
/*
 * Sources that xl knows by name: "xl:DOMAIN", the pseudo-terminal that xenconsoled, QEMU, or whoever else serves the domain, has put into
 * XenStore. A domain that is started again has another id, and mostly another terminal. Who reads it holds xl's lock, as
 * `xl console` does, so neither takes the other's bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connector.h"
#include "service.h"
#include "xl_lookup.h"

#define LOCK                                                                                                           \
    "/var/lock/xenconsole.%u" /* tools/console/client/main.c, console_lock: flock(2); removed when it is let go */
#define TRIES 4

static int begin(struct connector *k, struct problem *p)
{
    k->asked = starter_request(k->service, STARTER_XL, k->place.where);
    if (k->asked == 0)
        return problem_set(p, -EAGAIN, "%s: the process that asks XenStore does not answer", k->place.where);
    return -EINPROGRESS;
}

static bool still_named(int fd, const char *path)
{
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

static int lock(struct connector *k, uint32_t domid, struct problem *p)
{
    int fd, error;

    snprintf(k->lock, sizeof k->lock, LOCK, domid);
    for (int i = 0; i < TRIES; i++) {
        fd = open(k->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        error = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 ? errno : 0;
        if (error == 0 && still_named(fd, k->lock)) {
            k->lock_fd = fd;
            return 0;
        }
        if (fd >= 0)
            close(fd);
        if (error) /* else whoever had it has removed it meanwhile */
            break;
    }
    problem_set(p, -EBUSY, "%s: %s: %s", k->place.where, k->lock,
                error == EWOULDBLOCK || error == 0 ? "an xl console has it" : strerror(error));
    k->lock[0] = '\0';
    return -EBUSY;
}

static void unlock(struct connector *k)
{
    if (k->lock[0] == '\0')
        return;
    unlink(k->lock);
    close(k->lock_fd);
    k->lock[0] = '\0';
}

static void found(struct connector *k, const char *text)
{
    char tty[XL_TTY_BYTES];
    struct problem p;
    unsigned domid;
    int fd = -1;

    if (sscanf(text, "%u %23s", &domid, tty) != 2)
        problem_set(&p, 0, "%s: XenStore says what is no terminal", k->place.where);
    else if (lock(k, domid, &p) == 0 && k->source == NULL)
        fd = connect_open_pty(tty, &p);
    if (k->source != NULL && k->lock[0] == '\0')
        message("%s", p.text);
    else if (k->source == NULL && fd >= 0)
        connector_connected(k, fd);
    else if (k->source == NULL)
        connector_failed(k, &p);
}

/* With a source: an earlier service had made the connection, and only its lock is missing. */
static void answered(struct connector *k, const struct starter_answer *answer, int fd)
{
    struct problem p;

    if (fd >= 0)
        close(fd);
    k->asked = 0;
    if (answer->error == 0) {
        found(k, answer->text);
    } else if (k->source == NULL) {
        problem_set(&p, 0, "%s: %s", k->place.where, answer->text);
        connector_failed(k, &p);
    }
}

static void cancel(struct connector *k) { k->asked = 0; }

static void lock_again(struct connector *k)
{
    struct problem p;

    (void)begin(k, &p);
}

const struct connect_way connect_xl = {.type = "xl",
                                       .tty = true,
                                       .sizes = true,
                                       .begin = begin,
                                       .cancel = cancel,
                                       .adopted = lock_again,
                                       .answered = answered,
                                       .released = unlock};
