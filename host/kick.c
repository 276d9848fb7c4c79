/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kick.h"

#define COMPLETIONS 64u

int kicker_open(struct kicker *k)
{
    aio_context_t context = 0;

    *k = (struct kicker){.nothing = memfd_create("vcons-nothing", MFD_CLOEXEC)};
    if (k->nothing < 0)
        return -errno;
    if (syscall(SYS_io_setup, COMPLETIONS, &context) == 0)
        k->context = context;
    return 0;
}

void kicker_close(struct kicker *k)
{
    if (k->context != 0)
        syscall(SYS_io_destroy, k->context);
    if (k->nothing > 0)
        close(k->nothing);
    *k = (struct kicker){0};
}

bool kicker_sure(const struct kicker *k) { return k->context != 0; }

static void collect(struct kicker *k)
{
    struct io_event events[COMPLETIONS];
    struct timespec now = {0};

    syscall(SYS_io_getevents, k->context, 0, COMPLETIONS, events, &now);
    k->outstanding = 0;
}

static int kick_by_write(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    uint64_t one = 1;

    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
        return p.revents & POLLNVAL ? -EBADF : 0; /* full: whoever reads it finds a kick */
    return write(fd, &one, sizeof one) == sizeof one || errno == EAGAIN ? 0 : -errno;
}

static int kick_all_by_write(const int *fds, unsigned n)
{
    int error = 0;

    for (unsigned i = 0; error == 0 && i < n; i++)
        error = kick_by_write(fds[i]);
    return error;
}

int kick_all(struct kicker *k, const int *fds, unsigned n)
{
    struct iocb reads[KICK_MOST], *list[KICK_MOST];
    unsigned done = 0;

    if (k->context == 0)
        return kick_all_by_write(fds, n);
    for (unsigned i = 0; i < n; i++) {
        reads[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD,
                                 .aio_fildes = (uint32_t)k->nothing,
                                 .aio_flags = IOCB_FLAG_RESFD,
                                 .aio_resfd = (uint32_t)fds[i]};
        list[i] = &reads[i];
    }
    if (k->outstanding + n > COMPLETIONS / 2)
        collect(k);
    while (done < n) {
        long taken = syscall(SYS_io_submit, k->context, n - done, list + done);

        if (taken > 0) {
            done += (unsigned)taken;
            k->outstanding += (unsigned)taken;
            continue;
        }
        if (errno != EAGAIN || k->outstanding == 0)
            return -errno;
        collect(k);
    }
    return 0;
}

int kick(struct kicker *k, int fd) { return kick_all(k, &fd, 1); }
