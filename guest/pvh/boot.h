/* SPDX-License-Identifier: MIT */
/*
 * boot.h: numbers that entry.S and C of the PVH kernel share.
 *
 * Spec: AMD64 manual volume 2: CR4 and CR0 3.1, EFER 3.1.7, page tables 5.3; wire/pvh.h for the notes.
 */
#ifndef GUEST_PVH_BOOT_H
#define GUEST_PVH_BOOT_H

#define CR0_PG        0x80000000
#define CR4_PAE       0x20
#define MSR_EFER      0xc0000080
#define EFER_LME      0x100
#define PTE_PRESENT   0x3 /* and writable */
#define PTE_LARGE     0x80
#define CODE_SELECTOR 8
#define DATA_SELECTOR 16
#define STACK_BYTES   65536

#ifdef __ASSEMBLER__
#define XEN_ELFNOTE_HYPERCALL_PAGE 2
#define XEN_ELFNOTE_PHYS32_ENTRY   18
#endif

#endif
