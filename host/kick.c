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

int kick(struct kicker *k, int fd)
{
    struct iocb read_nothing = {.aio_lio_opcode = IOCB_CMD_PREAD,
                                .aio_fildes = (uint32_t)k->nothing,
                                .aio_flags = IOCB_FLAG_RESFD,
                                .aio_resfd = (uint32_t)fd};
    struct iocb *list[1] = {&read_nothing};

    if (k->context == 0)
        return kick_by_write(fd);
    if (++k->outstanding > COMPLETIONS / 2)
        collect(k);
    while (syscall(SYS_io_submit, k->context, 1, list) != 1) {
        if (errno != EAGAIN || k->outstanding == 0)
            return -errno;
        collect(k);
    }
    return 0;
}
