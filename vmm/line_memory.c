/* SPDX-License-Identifier: MIT */
#include "line_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vcons/line.h>

static void close_all(struct line_memory *m)
{
    for (size_t i = 0; i < VC_LINK_FDS; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
}

static int make_fds(struct line_memory *m)
{
    for (size_t i = 0; i < VC_LINK_FDS; i++)
        m->fds[i] = -1;
    m->fds[VC_LINK_FD_MEMORY] = memfd_create("vcons-line", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    for (size_t i = VC_LINK_FD_OUT_BYTES; i < VC_LINK_FDS; i++)
        m->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < VC_LINK_FDS; i++)
        if (m->fds[i] < 0)
            return -1;
    return 0;
}

static void format(struct line_memory *m)
{
    if (m->geometry == VC_LINK_GEOMETRY_XEN)
        vc_line_format_ring(m->base, m->id);
    else
        vc_line_format(m->base, VC_LINE_OUT_DEFAULT, VC_LINE_IN_DEFAULT, m->id);
}

int line_memory_create(struct line_memory *m, enum vc_link_geometry geometry, struct problem *problem)
{
    int fd;

    *m = (struct line_memory){.geometry = geometry,
                              .bytes = geometry == VC_LINK_GEOMETRY_XEN
                                           ? VC_LINE_RING_BYTES
                                           : vc_line_bytes(VC_LINE_OUT_DEFAULT, VC_LINE_IN_DEFAULT)};
    if (make_fds(m) != 0)
        goto close_fds;
    fd = m->fds[VC_LINK_FD_MEMORY];
    if (getrandom(m->id, sizeof m->id, 0) != (ssize_t)sizeof m->id || ftruncate(fd, (off_t)m->bytes) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        goto close_fds;
    m->base = mmap(NULL, m->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (m->base == MAP_FAILED)
        goto close_fds;
    format(m);
    return 0;
close_fds:
    problem_set(problem, -1, "memory for a line: %s", strerror(errno));
    close_all(m);
    *m = (struct line_memory){0};
    return -1;
}

void line_memory_destroy(struct line_memory *m)
{
    if (m->base == NULL)
        return;
    munmap(m->base, m->bytes);
    close_all(m);
    *m = (struct line_memory){0};
}

int line_memory_replace(struct line_memory *m, struct problem *problem)
{
    struct line_memory fresh;

    if (line_memory_create(&fresh, m->geometry, problem) != 0)
        return -1;
    munmap(m->base, m->bytes);
    for (size_t i = 0; i < VC_LINK_FDS; i++) {
        dup3(fresh.fds[i], m->fds[i], O_CLOEXEC); /* onto an open descriptor: needs no new one, cannot fail */
        close(fresh.fds[i]);
    }
    m->base = fresh.base;
    m->bytes = fresh.bytes;
    memcpy(m->id, fresh.id, sizeof m->id);
    return 0;
}

/* O_NONBLOCK is a property of the description that the service shares, and may have been cleared: RWF_NOWAIT is ours. */
void line_unkick(int fd)
{
    uint64_t count;
    struct iovec to = {&count, sizeof count};

    if (preadv2(fd, &to, 1, -1, RWF_NOWAIT) < 0)
        return; /* none came, or somebody else took it */
}
