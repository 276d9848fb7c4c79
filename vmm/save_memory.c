/* SPDX-License-Identifier: MIT */
#include "save_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vcons/save.h>

#define PAGE         4096u
#define PAGES_A_LOOK 512u

struct copier {
    struct save_out *out;
    uint8_t *buffer; /* of SAVE_RAM_BYTES */
    uint64_t gpa;    /* of its first page */
    uint64_t n;      /* bytes in it */
    int pagemap;     /* of this process; -1: it does not say */
};

static bool is_zero(const uint8_t *page)
{
    static const uint8_t zero[PAGE];

    return memcmp(page, zero, sizeof zero) == 0;
}

static void flush(struct copier *c)
{
    uint8_t head[8];
    struct vc_writer w;

    if (c->n == 0)
        return;
    vc_writer_init(&w, head, sizeof head);
    vc_write_u64(&w, c->gpa);
    save_out_record(c->out, SAVE_RAM, head, sizeof head, c->buffer, c->n);
    c->n = 0;
}

/* Zero or not is asked of the copy: the guest's own page may be written meanwhile. */
static void take_page(struct copier *c, const uint8_t *page, uint64_t gpa)
{
    if (c->n == SAVE_RAM_BYTES || (c->n > 0 && c->gpa + c->n != gpa))
        flush(c);
    memcpy(c->buffer + c->n, page, PAGE);
    if (is_zero(c->buffer + c->n))
        return;
    if (c->n == 0)
        c->gpa = gpa;
    c->n += PAGE;
}

/* Without touching what was never there: a hole that is read would become a page. */
static void take_shared(struct copier *c, const struct guest_memory *m, uint64_t gpa, const uint8_t *base,
                        uint64_t bytes)
{
    off_t begin = base - m->base, end = begin + (off_t)bytes, data = begin;

    while (c->out->error == 0 && data < end && (data = lseek(m->fd, data, SEEK_DATA)) >= 0 && data < end) {
        off_t hole = lseek(m->fd, data, SEEK_HOLE);

        if (hole < 0 || hole > end)
            hole = end;
        for (; data < hole; data += PAGE)
            take_page(c, base + (data - begin), gpa + (uint64_t)(data - begin));
    }
}

/*
 * Linux Documentation/admin-guide/mm/pagemap.rst: a word for each page, bit 63 if it is present, 62 if it is swapped out. What is
 * neither was never there. It can be read all the same, and is zero: for who has no pagemap.
 */
static void look_which(const struct copier *c, const uint8_t *at, uint64_t map[PAGES_A_LOOK])
{
    if (c->pagemap < 0 || pread(c->pagemap, map, PAGES_A_LOOK * sizeof *map,
                                (off_t)((uintptr_t)at / PAGE * sizeof *map)) != (ssize_t)(PAGES_A_LOOK * sizeof *map))
        memset(map, 0xff, PAGES_A_LOOK * sizeof *map);
}

static void take_private(struct copier *c, uint64_t gpa, const uint8_t *base, uint64_t bytes)
{
    uint64_t map[PAGES_A_LOOK];

    for (uint64_t at = 0; c->out->error == 0 && at < bytes; at += PAGE) {
        uint64_t i = at / PAGE % PAGES_A_LOOK;

        if (i == 0)
            look_which(c, base + at, map);
        if (map[i] >> 62 != 0)
            take_page(c, base + at, gpa + at);
    }
}

/* One stretch of guest memory. */
static void take_stretch(struct copier *c, const struct guest_memory *m, uint64_t gpa, uint64_t bytes)
{
    const uint8_t *base = memory_at(m, gpa, bytes);

    if (m->fd >= 0)
        take_shared(c, m, gpa, base, bytes);
    else
        take_private(c, gpa, base, bytes);
    flush(c);
}

void save_memory(struct save_out *out, const struct guest_memory *m)
{
    struct copier c = {.out = out,
                       .buffer = malloc(SAVE_RAM_BYTES),
                       .pagemap = m->fd < 0 ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1};

    if (c.buffer == NULL) {
        out->error = out->error == 0 ? -ENOMEM : out->error;
        goto close_map;
    }
    if (m->special_apart && m->special_gpa < m->ram_gpa)
        take_stretch(&c, m, m->special_gpa, MEMORY_SPECIAL_PAGES * PAGE);
    take_stretch(&c, m, m->ram_gpa, m->low_bytes);
    if (m->special_apart && m->special_gpa > m->ram_gpa)
        take_stretch(&c, m, m->special_gpa, MEMORY_SPECIAL_PAGES * PAGE);
    if (m->bytes > m->low_bytes)
        take_stretch(&c, m, MEMORY_HIGH, m->bytes - m->low_bytes);
    free(c.buffer);
close_map:
    if (c.pagemap >= 0)
        close(c.pagemap);
}
