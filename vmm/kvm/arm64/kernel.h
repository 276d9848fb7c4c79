/* SPDX-License-Identifier: MIT */
/*
 * kernel.h: a domain's kernel, ramdisk and device tree: the kernel is read once, all are put into its RAM at every start.
 *
 *     RAM + text_offset     the Image, and what its header asks for behind it
 *                …          the ramdisk, at the end of what lies within 1 GiB of RAM's beginning
 *     below that            the device tree, DEVICE_TREE_BYTES at a multiple of them
 *
 * Spec:  Linux Documentation/arm64/booting.rst: kernel and ramdisk within one aligned stretch of 32 GiB, the device tree
 *        aligned to 8 bytes and in no more than 2 MiB.
 * Owner: holds its own copy of the file.
 * Trust: the file may hold anything (image.h); no more than KERNEL_MAX_BYTES of it are read, or unpacked.
 */
#ifndef VMM_KVM_ARM64_KERNEL_H
#define VMM_KVM_ARM64_KERNEL_H
#include "../../memory.h"
#include "../kernel_file.h"
#include "device_tree.h"
#include "image.h"

struct domain_config;

struct arm64_kernel {
    uint8_t *bytes;
    struct arm64_image image;
    char name[64]; /* the end of its path, for messages */
};

struct arm64_entry {
    uint64_t pc, device_tree; /* guest physical */
};

/* A look, as far as it is cheap: an Image.gz is not unpacked. name: as in the configuration. -1: problem names the file. */
int arm64_kernel_check(const char *name, struct problem *problem);
/* The same, whole, for later. -1: *kernel is as if finished. */
int arm64_kernel_read(struct arm64_kernel *kernel, const char *name, struct problem *problem);
void arm64_kernel_finish(struct arm64_kernel *kernel);
/* All into RAM that is zero. machine has the UARTs; the rest is filled in. */
int arm64_kernel_place(const struct arm64_kernel *kernel, struct guest_memory *memory,
                       const struct domain_config *config, struct device_tree_machine *machine,
                       struct arm64_entry *entry, struct problem *problem);

#endif
