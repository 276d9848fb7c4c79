/* SPDX-License-Identifier: MIT */
/*
 * boot.h: what every engine with a PVH kernel lays into RAM before the first vCPU runs, and where.
 *
 * Spec:  wire/pvh.h. The special pages are kept from the guest's allocator by a reserved range in the memory map, for
 *        Linux does not reserve the console page by itself (xen-abi §1.6). By the memory's layout (memory.h):
 *
 *        flat  0 … ramdisk        usable
 *              ramdisk            page aligned, below the boot area, if there is one; named in the module list
 *              bytes - 96 KiB     boot area, 64 KiB: start_info, module list, memory map, command line; reserved
 *              bytes - 32 KiB     the special pages; reserved
 *
 *        PC    0 … 640 KiB        usable
 *              768 KiB            boot area, as above; reserved. Linux maps only the first GiB when it reads them
 *              896 KiB            ACPI tables, 64 KiB, filled by the caller
 *              1 MiB … 3 GiB      usable: kernel, … ramdisk at the end
 *              special pages      below 4 GiB; reserved
 *              4 GiB …            usable
 *
 * Owner: the caller's memory.
 * Trust: cmdline and ramdisk are the configuration's.
 */
#ifndef VCONS_VMM_BOOT_H
#define VCONS_VMM_BOOT_H
#include "memory.h"
#include <vcons/wire/pvh.h>

#define BOOT_MAP_MAX       6u /* ranges of a memory map */
#define BOOT_AREA_BYTES    65536u
#define BOOT_CMDLINE_MAX   4095u
#define BOOT_PC_KERNEL_GPA UINT64_C(0x100000) /* a kernel's lowest address in the PC layout */
#define BOOT_PC_ACPI_GPA   0xe0000u           /* the RSDP first */
#define BOOT_PC_ACPI_BYTES 0x10000u

/* Where the console page lies, and that of XenStore. */
static inline uint64_t boot_console_gpa(const struct guest_memory *m) { return m->special_gpa + 4 * UINT64_C(4096); }
static inline uint64_t boot_store_gpa(const struct guest_memory *m) { return m->special_gpa + 5 * UINT64_C(4096); }
/* What names the ring page of UART number n, which is in nobody's memory. */
static inline uint64_t boot_uart_ring_gpa(const struct guest_memory *m, uint32_t n)
{
    return m->special_gpa + (MEMORY_SPECIAL_PAGES + n) * UINT64_C(4096);
}
/* The memory map, as hvm_start_info has it. How many ranges there are. */
uint32_t boot_map(const struct guest_memory *m, struct hvm_memmap_table_entry map[BOOT_MAP_MAX]);
/*
 * Write the boot area, and read the file ramdisk into RAM (NULL: none). kernel_end: the ramdisk goes above it. *start_info
 * is its guest physical address.
 */
int boot_write(struct guest_memory *m, const char *cmdline, const char *ramdisk, uint64_t kernel_end,
               uint64_t *start_info, struct problem *problem);
/* The file, at the last whole pages below top, none of them below lowest: *gpa, *bytes. */
int boot_place_ramdisk(struct guest_memory *m, const char *path, uint64_t lowest, uint64_t top, uint64_t *gpa,
                       uint64_t *bytes, struct problem *problem);
/*
 * The file of a kernel: one with a '/' is taken as it is (the configuration already made it relative to its
 * own place); a bare word is bundled: for "tiny", program (such as "tiny-process") beside vcons-vmm, in the
 * build tree's guest/, or in libexecdir. path has path_bytes.
 */
int boot_kernel_path(const char *kernel, const char *program, char *path, size_t path_bytes, struct problem *problem);

#endif
