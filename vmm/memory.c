/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPECIAL_BYTES (MEMORY_SPECIAL_PAGES * UINT64_C(4096))
#define HUGE_BYTES    (UINT64_C(2) << 20)
#define HUGE_FROM     (UINT64_C(128) << 20) /* of RAM: what is smaller is no kernel's that touches much of it */

static uint64_t mapped_bytes(const struct guest_memory *m) { return m->bytes + (m->special_apart ? SPECIAL_BYTES : 0); }

static int no_memory(struct guest_memory *m, struct problem *problem)
{
    problem_set(problem, -1, "%llu MiB of memory for the guest: %s", (unsigned long long)(m->bytes >> 20),
                strerror(errno));
    *m = (struct guest_memory){.fd = -1};
    return -1;
}

/* What m says there is, as one sealed memfd. */
static int map_shared(struct guest_memory *m, struct problem *problem)
{
    uint64_t all = mapped_bytes(m);

    m->fd = memfd_create("vcons-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (m->fd < 0)
        return no_memory(m, problem);
    if (ftruncate(m->fd, (off_t)all) != 0 || fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        goto close_fd;
    m->base = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, 0);
    if (m->base != MAP_FAILED)
        return 0;
close_fd:
    close(m->fd);
    return no_memory(m, problem);
}

/*
 * The same as memory of this process alone, which Linux may back with huge pages (Debian has them for no memfd): a guest that
 * touches its memory for the first time then exits once for 2 MiB, not 512 times. KVM maps such a page as one if its addresses here
 * and in the guest are the same modulo its size.
 */
static int map_private(struct guest_memory *m, struct problem *problem)
{
    uint64_t all = mapped_bytes(m), before;
    uint8_t *place =
        mmap(NULL, all + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    m->fd = -1;
    if (place == MAP_FAILED)
        return no_memory(m, problem);
    before = -(uintptr_t)place & (HUGE_BYTES - 1);
    m->base = place + before;
    if (before > 0)
        munmap(place, before);
    munmap(m->base + all, HUGE_BYTES - before);
    (void)madvise(m->base, all,
                  m->bytes >= HUGE_FROM ? MADV_HUGEPAGE : MADV_NOHUGEPAGE); /* a kernel without: small ones */
    return 0;
}

int memory_create(struct guest_memory *m, uint64_t bytes, uint64_t gva_base, struct problem *problem)
{
    *m = (struct guest_memory){
        .bytes = bytes, .gva_base = gva_base, .fd = -1, .low_bytes = bytes, .special_gpa = bytes - SPECIAL_BYTES};
    return map_shared(m, problem);
}

int memory_create_pc(struct guest_memory *m, uint64_t bytes, struct problem *problem)
{
    *m = (struct guest_memory){.bytes = bytes,
                               .fd = -1,
                               .low_bytes = bytes < MEMORY_HOLE ? bytes : MEMORY_HOLE,
                               .special_gpa = MEMORY_SPECIAL_PC,
                               .special_apart = true};
    return map_private(m, problem);
}

int memory_create_board(struct guest_memory *m, uint64_t bytes, uint64_t ram_gpa, uint64_t special_gpa,
                        struct problem *problem)
{
    *m = (struct guest_memory){.bytes = bytes,
                               .fd = -1,
                               .ram_gpa = ram_gpa,
                               .low_bytes = bytes,
                               .special_gpa = special_gpa,
                               .special_apart = true};
    return map_private(m, problem);
}

void memory_destroy(struct guest_memory *m)
{
    if (m->base == NULL)
        return;
    munmap(m->base, mapped_bytes(m));
    if (m->fd >= 0)
        close(m->fd);
    *m = (struct guest_memory){.fd = -1};
}

int memory_clear(struct guest_memory *m)
{
    if (m->fd < 0)
        return madvise(m->base, mapped_bytes(m), MADV_DONTNEED);
    return fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)mapped_bytes(m));
}

/* [gpa, gpa + n) lies in a stretch of so many bytes from begin on; no sum can overflow. */
static bool within(uint64_t gpa, size_t n, uint64_t begin, uint64_t bytes)
{
    return gpa >= begin && gpa - begin <= bytes && n <= bytes - (gpa - begin);
}

void *memory_at(const struct guest_memory *m, uint64_t gpa, size_t n)
{
    if (within(gpa, n, m->ram_gpa, m->low_bytes))
        return m->base + (gpa - m->ram_gpa);
    if (m->bytes > m->low_bytes && within(gpa, n, MEMORY_HIGH, m->bytes - m->low_bytes))
        return m->base + m->low_bytes + (gpa - MEMORY_HIGH);
    if (m->special_apart && within(gpa, n, m->special_gpa, SPECIAL_BYTES))
        return m->base + m->bytes + (gpa - m->special_gpa);
    return NULL;
}

bool memory_read(const struct guest_memory *m, uint64_t gpa, void *to, size_t n)
{
    const void *from = memory_at(m, gpa, n);

    if (from == NULL)
        return false;
    memcpy(to, from, n);
    return true;
}

bool memory_write(const struct guest_memory *m, uint64_t gpa, const void *from, size_t n)
{
    void *to = memory_at(m, gpa, n);

    if (to == NULL)
        return false;
    memcpy(to, from, n);
    return true;
}

/* Below gva_base the difference wraps to beyond any RAM, so memory_at refuses it. */
bool memory_copy_from_guest(const struct guest_memory *m, uint64_t gva, void *to, size_t n)
{
    return memory_read(m, gva - m->gva_base, to, n);
}

bool memory_copy_to_guest(const struct guest_memory *m, uint64_t gva, const void *from, size_t n)
{
    return memory_write(m, gva - m->gva_base, from, n);
}
