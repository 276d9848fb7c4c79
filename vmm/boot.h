/* SPDX-License-Identifier: MIT */
/*
 * boot.h: what every engine with a PVH kernel lays into RAM before the first vCPU runs, and where.
 *
 * Spec:  wire/pvh.h. The top of RAM is kept from the guest's allocator by a reserved range in the memory map, for
 *        Linux does not reserve the console page by itself (xen-abi §1.6):
 *
 *            0 … ramdisk        usable
 *            ramdisk            page aligned, below the boot area, if there is one; named in the module list
 *            bytes - 64 KiB     boot area: start_info, module list, memory map, command line; reserved
 *            bytes - 4 KiB      the Xen console page; reserved
 *
 * Owner: the caller's memory.
 * Trust: cmdline and ramdisk are the configuration's.
 */
#ifndef VCONS_VMM_BOOT_H
#define VCONS_VMM_BOOT_H
#include "memory.h"

#define BOOT_AREA_BYTES  65536u
#define BOOT_CMDLINE_MAX 4095u

/* Where the console page lies in RAM of this size. */
static inline uint64_t boot_console_gpa(const struct guest_memory *m) { return m->bytes - 4096; }
/* Write the boot area, and read the file ramdisk into RAM (NULL: none). *start_info is its guest physical address. */
int boot_write(struct guest_memory *m, const char *cmdline, const char *ramdisk, uint64_t *start_info,
               struct problem *problem);
/*
 * The file of a kernel: one with a '/' is taken as it is (the configuration already made it relative to its
 * own place); a bare word is bundled: for "tiny", program (such as "tiny-process") beside vcons-vmm, in the
 * build tree's guest/, or in libexecdir. path has path_bytes.
 */
int boot_kernel_path(const char *kernel, const char *program, char *path, size_t path_bytes, struct problem *problem);

#endif
