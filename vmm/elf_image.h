/* SPDX-License-Identifier: MIT */
/*
 * elf_image.h: a kernel image: what of it is loaded where, and what its Xen notes ask for.
 *
 * Spec:  ELF-64 object file format, and the 32-bit one; System V gABI ch. 5 (program header, notes); Xen public/elfnote.h.
 * Owner: the caller keeps the bytes as long as the struct; nothing here allocates.
 * Lock:  none; a struct elf is a value.
 * Trust: the file may hold anything. After elf_parse every offset lies in the file, every sum fits 64 bits, and
 *        segments are disjoint in guest memory; elf_load checks them against the guest's memory.
 */
#ifndef VMM_ELF_IMAGE_H
#define VMM_ELF_IMAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAX_SEGMENTS 64u /* Debian's vmlinux has 5 program headers */

struct elf_segment {
    uint64_t offset; /* in the file */
    uint64_t paddr, vaddr;
    uint64_t file_bytes, memory_bytes; /* the rest of memory_bytes is zero */
    bool executable;
};

struct elf {
    const uint8_t *bytes;
    size_t n_bytes;
    uint16_t machine; /* EM_X86_64, EM_386 or EM_AARCH64 */
    unsigned n_segments;
    struct elf_segment segments[ELF_MAX_SEGMENTS];
    bool has_pvh_entry, has_hypercall_page;
    uint32_t pvh_entry;      /* XEN_ELFNOTE_PHYS32_ENTRY, inside a segment */
    uint64_t hypercall_page; /* guest physical, page-aligned, inside one segment */
};

/* Null, or why this is no kernel that can be loaded: a phrase that follows "FILE: ". *elf then holds nothing of use. */
const char *elf_parse(struct elf *elf, const void *bytes, size_t n_bytes);

/* The guest physical address behind the last segment. */
uint64_t elf_end(const struct elf *elf);
/* Copy the segments into memory that starts at guest address 0 and is zero. Null, or why not; nothing is written then.
 * low_bytes: the first so many bytes of guest memory are the loader's own, and no segment may touch them. */
const char *elf_load(const struct elf *elf, void *memory, uint64_t memory_bytes, uint64_t low_bytes);

#endif
