/* SPDX-License-Identifier: MIT */
/*
 * kernel.h: a domain's kernel, an ELF file or a bzImage around one, read once and put into its RAM at every start.
 *
 * Owner: holds its own copy of the file: it may change or go while the domain runs.
 * Lock:  none.
 * Trust: the file may hold anything (elf_image.h); no more than KERNEL_MAX_BYTES of it are read.
 */
#ifndef VMM_KVM_KERNEL_H
#define VMM_KVM_KERNEL_H
#include "../elf_image.h"
#include "../memory.h"

#define KERNEL_MAX_BYTES (256u << 20) /* Debian's vmlinux has 50 MiB */

struct kvm_kernel {
    uint8_t *bytes;
    struct elf elf;
    char name[64]; /* the end of its path, for messages */
};

/* A look, as far as it is cheap: a bzImage is not unpacked. name: as in the configuration. -1: problem names the file. */
int kernel_check(const char *name, struct problem *problem);
/* The same, whole, for later. -1: *kernel is as if finished. */
int kernel_read(struct kvm_kernel *kernel, const char *name, struct problem *problem);
void kernel_finish(struct kvm_kernel *kernel);
/* Segments, and the hypercall page if a note asks for it, into RAM that is zero. */
int kernel_place(const struct kvm_kernel *kernel, const struct guest_memory *memory, struct problem *problem);

#endif
