/* SPDX-License-Identifier: MIT */
/*
 * boot.h: numbers that entry.S and C of the PVH kernels share.
 *
 * Spec: AMD64 manual volume 2: CR4 and CR0 3.1, EFER 3.1.7, page tables 5.3, local APIC 16; wire/pvh.h for the notes.
 */
#ifndef GUEST_PVH_BOOT_H
#define GUEST_PVH_BOOT_H

#define CR0_PG            0x80000000
#define CR0_PE            0x1
#define CR4_PAE           0x20
#define MSR_EFER          0xc0000080
#define EFER_LME          0x100
#define EFER_LMA          0x400
#define EFLAGS_INTERRUPTS 0x200
#define EFLAGS_ALWAYS     0x2
#define PTE_PRESENT       0x3 /* and writable */
#define PTE_LARGE         0x80
#define CODE_SELECTOR     8
#define DATA_SELECTOR     16
#define GATE_INTERRUPT    0x8e00
#define CODE_RIGHTS       0xc9b /* flat, 32 bits, accessed; as Xen has them: bits 8-15 and 20-23 of a descriptor */
#define DATA_RIGHTS       0xc93
#define TSS_RIGHTS        0x8b /* 32 bits, busy */
#define TSS_LIMIT         0x67
#define STACK_BYTES                                                                                                    \
    16384 /* of each vCPU, aligned to as much: what its lowest word points at is found by rounding down */
#define PIC_VECTOR      0x20 /* of the first of the two, 16 from there on */
#define VIRTIO_VECTOR   0x40 /* above the two's */
#define UPCALL_VECTOR   0xf3 /* Linux's, too */
#define SPURIOUS_VECTOR 0xff

#ifdef __ASSEMBLER__
#define XEN_ELFNOTE_HYPERCALL_PAGE 2
#define XEN_ELFNOTE_PHYS32_ENTRY   18
#endif

#endif
