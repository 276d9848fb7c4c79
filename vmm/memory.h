/* SPDX-License-Identifier: MIT */
/*
 * memory.h: a guest's RAM, and checked copies in and out of it. Flat it is one sealed memfd, for the guest is another process;
 * else it is this process' own, in huge pages where there is much of it.
 *
 * Guest physical addresses, in one of three layouts:
 *
 *            flat (process)                  PC (kvm)                                board (kvm on arm64)
 *            0 … bytes      RAM              0 … low_bytes               RAM         special_gpa …    special pages
 *                                            special_gpa …     special pages         ram_gpa …        RAM, all of it
 *                                            4 GiB … 4 GiB + the rest    RAM
 *
 * The special pages, MEMORY_SPECIAL_PAGES, hold what Xen's toolstack puts there: console and XenStore rings. In the flat layout
 * they are the last of RAM, and the memory map reserves them; else they lie apart, in the PC layout below 4 GiB, as Xen's own
 * do. A PC has at most 3 GiB of RAM from address 0.
 *
 * Owner: struct guest_memory belongs to its domain; an engine creates it in its create, and destroys it.
 * Lock:  none. Copies may race with the guest's own accesses: a copy is a snapshot, never to be looked at twice in
 *        guest memory.
 * Trust: every address and length is the guest's and may be anything: outside, wrapping, of any size. Nothing here
 *        ever touches a byte outside the RAM. A memfd cannot shrink under us (sealed), so no access can raise
 *        SIGBUS.
 */
#ifndef VCONS_VMM_MEMORY_H
#define VCONS_VMM_MEMORY_H
#include "host/message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_SPECIAL_PAGES 8u
#define MEMORY_SPECIAL_PC    UINT64_C(0xfeff8000)  /* Xen: X86_HVM_END_SPECIAL_REGION less 8 pages */
#define MEMORY_HOLE          UINT64_C(0xc0000000)  /* PC: no RAM from here */
#define MEMORY_HIGH          UINT64_C(0x100000000) /* … to here */

struct guest_memory {
    uint8_t *base;        /* where the VMM has it mapped; NULL: none */
    uint64_t bytes;       /* of RAM, a multiple of 4096 */
    uint64_t gva_base;    /* hypercall pointers are guest virtual: gpa + this. 0 for PVH `tiny`, which maps 1:1 */
    int fd;               /* the memfd, close-on-exec; -1: nobody else has it */
    uint64_t ram_gpa;     /* of RAM's first byte; 0 but on a board */
    uint64_t low_bytes;   /* of RAM, from ram_gpa; what is more begins at MEMORY_HIGH */
    uint64_t special_gpa; /* of the special pages */
    bool special_apart;   /* not flat: they are no RAM; in base they follow it */
};

/* Zeroed RAM, flat, to be shared. problem names the size when there is not enough. */
int memory_create(struct guest_memory *m, uint64_t bytes, uint64_t gva_base, struct problem *problem);
/* Zeroed RAM and special pages as a PC has them; hypercall pointers are translated by the engine (gva_base 0). */
int memory_create_pc(struct guest_memory *m, uint64_t bytes, struct problem *problem);
/* The same as a board has them, which says where. */
int memory_create_board(struct guest_memory *m, uint64_t bytes, uint64_t ram_gpa, uint64_t special_gpa,
                        struct problem *problem);
void memory_destroy(struct guest_memory *m);
/* All zero again, and the pages given back to the host. Nobody may use it meanwhile. */
int memory_clear(struct guest_memory *m);

/* By guest physical address, as devices and boot code use it. False: not wholly inside; nothing was copied.
 */
bool memory_read(const struct guest_memory *m, uint64_t gpa, void *to, size_t n);
bool memory_write(const struct guest_memory *m, uint64_t gpa, const void *from, size_t n);
/* n bytes at gpa as they lie in the VMM; NULL: not wholly inside one stretch of RAM or the special pages. What is there may
 * change at any moment. */
void *memory_at(const struct guest_memory *m, uint64_t gpa, size_t n);

/* By guest virtual address, as hypercall arguments are. */
bool memory_copy_from_guest(const struct guest_memory *m, uint64_t gva, void *to, size_t n);
bool memory_copy_to_guest(const struct guest_memory *m, uint64_t gva, const void *from, size_t n);

#endif
