/* SPDX-License-Identifier: MIT */
/*
 * callsites.h: where a Linux kernel that uses no hypercall page calls its hypervisor, and how such a kernel is made to call
 * us on a KVM that keeps the calling instructions to itself.
 *
 * Spec:  Linux since its answer to XSA-466 has two tiny functions, one with Intel's instruction and one with AMD's, next to
 *        each other: `0f 01 d9` (vmmcall) and `0f 01 c1` (vmcall), each followed by a return (c3) or by a jump to the return
 *        thunk (e9). The bare three bytes also stand elsewhere, in data and in KVM's own code; the pair does not. In place
 *        of the three bytes goes `out %al, $port; nop`: an exit from every KVM. Nothing in the kernel rewrites them.
 * Owner: the caller's structs.
 * Lock:  none.
 * Trust: the file may hold anything; it was parsed (elf_image.h).
 */
#ifndef VMM_KVM_X86_64_CALLSITES_H
#define VMM_KVM_X86_64_CALLSITES_H
#include "../../elf_image.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call_site { /* of the first byte of the instruction */
    uint64_t paddr, vaddr;
};
struct call_sites {
    unsigned n; /* 2; 0: none found */
    struct call_site at[2];
};

/* Null; or why the kernel is to be refused: there are several pairs, and one of them is something else. */
const char *callsites_find(const struct elf *elf, struct call_sites *sites);
/* In memory that starts at guest address 0, after elf_load. */
void callsites_patch(const struct call_sites *sites, uint8_t *memory, uint8_t port);
/*
 * Whether rip, virtual or (before paging is the kernel's own) physical, stands at one of them: at the `out` when KVM took the
 * processor's word for it, behind it when KVM emulated it (a nested KVM without help emulates all).
 */
bool callsites_has(const struct call_sites *sites, uint64_t rip);

#endif
