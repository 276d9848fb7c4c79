/* SPDX-License-Identifier: MIT */
/*
 * kernel.h: a domain's kernel, an ELF file or a bzImage around one, read once and put into its RAM at every start.
 *
 * Owner: holds its own copy of the file: it may change or go while the domain runs.
 * Lock:  none.
 * Trust: the file may hold anything (elf_image.h); no more than KERNEL_MAX_BYTES of it are read.
 */
#ifndef VMM_KVM_X86_64_KERNEL_H
#define VMM_KVM_X86_64_KERNEL_H
#include "../../elf_image.h"
#include "../../memory.h"
#include "../kernel_file.h"
#include "callsites.h"
#include "quiet.h"

/* How a kernel is to call its hypervisor. */
enum kernel_calls {
    KERNEL_CALLS_BY_PORT, /* an `out`, which every KVM lets through: its hypercall page, or its call sites, are ours */
    KERNEL_CALLS_ITSELF,  /* by the processor's instruction, which KVM hands to us */
};

struct kvm_kernel {
    uint8_t *bytes;
    struct elf elf;
    enum kernel_calls calls;
    struct call_sites sites; /* to be patched: KERNEL_CALLS_BY_PORT, and no hypercall page */
    struct quiet_plan quiet; /* what goes there besides */
    char name[64];           /* the end of its path, for messages */
};

/* A look, as far as it is cheap: a bzImage is not unpacked. name: as in the configuration. -1: problem names the file. */
int kernel_check(const char *name, enum kernel_calls calls, struct problem *problem);
/* The same, whole, for later. -1: *kernel is as if finished. */
int kernel_read(struct kvm_kernel *kernel, const char *name, enum kernel_calls calls, struct problem *problem);
void kernel_finish(struct kvm_kernel *kernel);
/* Segments into RAM that is zero; the hypercall page if a note asks for it; call sites patched; then kernel_quiet. */
int kernel_place(const struct kvm_kernel *kernel, const struct guest_memory *memory, struct quiet *quiet,
                 struct problem *problem);
/* Where in this memory, a restored domain's maybe, our code for sends stands as it was placed; else nowhere. */
void kernel_quiet(const struct kvm_kernel *kernel, const struct guest_memory *memory, struct quiet *quiet);

#endif
