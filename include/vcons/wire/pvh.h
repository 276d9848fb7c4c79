/* SPDX-License-Identifier: MIT */
/*
 * wire/pvh.h: what a PVH kernel is given at its entry point.
 *
 * Source: Xen public/arch-x86/hvm/start_info.h and docs/misc/pvh; ELF note "Xen", type 18 (XEN_ELFNOTE_PHYS32_ENTRY)
 * holds the 32-bit entry point, type 2 (XEN_ELFNOTE_HYPERCALL_PAGE) where a kernel wants the hypercall page.
 * At entry: ebx = address of hvm_start_info, CR0.PE only, flat 32-bit segments, interrupts off.
 */
#ifndef VCONS_WIRE_PVH_H
#define VCONS_WIRE_PVH_H
#include <stddef.h>
#include <stdint.h>

#define XEN_HVM_START_MAGIC_VALUE 0x336ec578u
enum { XEN_ELFNOTE_HYPERCALL_PAGE = 2, XEN_ELFNOTE_PHYS32_ENTRY = 18 };
enum { XEN_HVM_MEMMAP_TYPE_RAM = 1, XEN_HVM_MEMMAP_TYPE_RESERVED = 2, XEN_HVM_MEMMAP_TYPE_ACPI = 3 };

struct hvm_start_info {
    uint32_t magic;
    uint32_t version; /* 1 */
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modlist_paddr;
    uint64_t cmdline_paddr;
    uint64_t rsdp_paddr;
    uint64_t memmap_paddr;
    uint32_t memmap_entries;
    uint32_t reserved;
};
struct hvm_modlist_entry {
    uint64_t paddr, size, cmdline_paddr, reserved;
};
struct hvm_memmap_table_entry {
    uint64_t addr, size;
    uint32_t type, reserved;
};

_Static_assert(sizeof(struct hvm_start_info) == 56, "start_info.h");
_Static_assert(offsetof(struct hvm_start_info, cmdline_paddr) == 24, "start_info.h");
_Static_assert(sizeof(struct hvm_modlist_entry) == 32, "start_info.h");
_Static_assert(sizeof(struct hvm_memmap_table_entry) == 24, "start_info.h");

#endif
