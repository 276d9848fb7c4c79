/* SPDX-License-Identifier: MIT */
/*
 * memory.h: a guest's RAM, one sealed memfd, and checked copies in and out of it.
 *
 * Owner: struct guest_memory belongs to its domain; an engine creates it in its create, and destroys it.
 * Lock:  none. Copies may race with the guest's own accesses: a copy is a snapshot, never to be looked at twice in
 *        guest memory.
 * Trust: every address and length is the guest's and may be anything: outside, wrapping, of any size. Nothing here
 *        ever touches a byte outside the RAM. The memfd cannot shrink under us (sealed), so no access can raise
 *        SIGBUS.
 */
#ifndef VCONS_VMM_MEMORY_H
#define VCONS_VMM_MEMORY_H
#include "host/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_memory {
    uint8_t *base;     /* where the VMM has it mapped; NULL: none */
    uint64_t bytes;    /* a multiple of 4096; guest physical addresses run from 0 */
    uint64_t gva_base; /* hypercall pointers are guest virtual: gpa + this. 0 for PVH `tiny`, which maps 1:1 */
    int fd;            /* the memfd, close-on-exec */
};

/* Zeroed RAM. problem names the size when there is not enough. */
int memory_create(struct guest_memory *m, uint64_t bytes, uint64_t gva_base, struct problem *problem);
void memory_destroy(struct guest_memory *m);
/* All zero again, and the pages given back to the host. Nobody may use it meanwhile. */
int memory_clear(struct guest_memory *m);

/* By guest physical address, as devices and boot code use it. False: not wholly inside; nothing was copied.
 */
bool memory_read(const struct guest_memory *m, uint64_t gpa, void *to, size_t n);
bool memory_write(const struct guest_memory *m, uint64_t gpa, const void *from, size_t n);
/* n bytes at gpa as they lie in the VMM; NULL: not wholly inside. What is there may change at any moment. */
void *memory_at(const struct guest_memory *m, uint64_t gpa, size_t n);

/* By guest virtual address, as hypercall arguments are. */
bool memory_copy_from_guest(const struct guest_memory *m, uint64_t gva, void *to, size_t n);
bool memory_copy_to_guest(const struct guest_memory *m, uint64_t gva, const void *from, size_t n);

#endif
