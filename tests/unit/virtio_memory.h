/* SPDX-License-Identifier: MIT */
/*
 * virtio_memory.h: a guest's memory for tests and fuzz targets of virtio: slots on the heap, each alone, so that the sanitizer
 * guards their ends.
 *
 *     0x10000 … 0x50000   RAM        0x50000 … 0x52000   RAM of another slot, right behind        0x80000 … 0x81000   read-only
 */
#ifndef VCONS_TESTS_VIRTIO_MEMORY_H
#define VCONS_TESTS_VIRTIO_MEMORY_H
#include <stdlib.h>
#include <string.h>
#include <vcons/virtqueue.h>

enum {
    RAM = 0x10000,
    RAM_BYTES = 0x40000,
    NEXT_SLOT = 0x50000,
    NEXT_BYTES = 0x2000,
    ROM = 0x80000,
    ROM_BYTES = 0x1000,
    N_SLOTS = 3,
};
struct memory_slot {
    uint64_t gpa;
    uint32_t bytes;
    bool writable;
    uint8_t *at;
};
struct guest_ram {
    struct memory_slot slots[N_SLOTS];
    bool gone; /* the map has changed: nothing is where it was */
};

static inline void ram_init(struct guest_ram *m)
{
    *m = (struct guest_ram){
        .slots = {{RAM, RAM_BYTES, true, NULL}, {NEXT_SLOT, NEXT_BYTES, true, NULL}, {ROM, ROM_BYTES, false, NULL}}};
    for (int i = 0; i < N_SLOTS; i++)
        m->slots[i].at = calloc(1, m->slots[i].bytes);
}

static inline void ram_finish(struct guest_ram *m)
{
    for (int i = 0; i < N_SLOTS; i++)
        free(m->slots[i].at);
}

static inline void *ram_at(struct guest_ram *m, uint64_t gpa, uint32_t n, bool write)
{
    for (int i = 0; i < N_SLOTS && !m->gone; i++) {
        const struct memory_slot *s = &m->slots[i];

        if (gpa >= s->gpa && gpa - s->gpa < s->bytes && n <= s->bytes - (gpa - s->gpa) && (s->writable || !write))
            return s->at + (gpa - s->gpa);
    }
    return NULL;
}

/* What the guest itself does. */
static inline void ram_put(struct guest_ram *m, uint64_t gpa, const void *from, uint32_t n)
{
    memcpy(ram_at(m, gpa, n, false), from, n);
}
static inline void ram_put16(struct guest_ram *m, uint64_t gpa, uint16_t value) { ram_put(m, gpa, &value, 2); }
static inline uint16_t ram_get16(struct guest_ram *m, uint64_t gpa)
{
    uint16_t value;

    memcpy(&value, ram_at(m, gpa, 2, false), 2);
    return value;
}

#endif
