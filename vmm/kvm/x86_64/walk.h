/* SPDX-License-Identifier: MIT */
/*
 * walk.h: a guest's page tables, looked at as its processor does for an access of its kernel's.
 *
 * Spec:  AMD64 Architecture Programmer's Manual, volume 2, chapter 5. KVM_TRANSLATE does not look at who may write, and sets neither
 *        Accessed nor Dirty. Not looked at: SMAP and protection keys, for a kernel lifts those around a hypercall (as Linux' privcmd),
 *        and reserved bits: what they would refuse is outside the memory, or harmless.
 * Lock:  none. Tables may change at any moment; each entry is read once, and its Accessed and Dirty bits are set only if it is
 *        still as it was read.
 * Trust: registers and tables are the guest's. Tables outside its memory map nothing.
 */
#ifndef VMM_KVM_X86_64_WALK_H
#define VMM_KVM_X86_64_WALK_H
#include "../../memory.h"

struct walk_mode { /* registers of the vCPU */
    uint64_t cr0, cr3, cr4, efer;
};

/* Where gva is in guest physical memory. False: nowhere, or write and the kernel may not write there. */
bool walk(const struct guest_memory *m, const struct walk_mode *mode, uint64_t gva, bool write, uint64_t *gpa);

#endif
