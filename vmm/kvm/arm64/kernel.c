/* SPDX-License-Identifier: MIT */
#include "kernel.h"
#include "../../boot.h"
#include "../../config.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR_BYTES (UINT64_C(1) << 30)

static const char *judge(struct arm64_kernel *kernel, size_t n, bool thorough)
{
    uint8_t *packed = kernel->bytes;
    const char *why;

    if (!arm64_image_is_packed(packed, n))
        return arm64_image_parse(&kernel->image, packed, n);
    if (!thorough)
        return arm64_image_check_packed(packed, n);
    why = arm64_image_unpack(packed, n, KERNEL_MAX_BYTES, &kernel->bytes, &n);
    free(packed);
    return why != NULL ? why : arm64_image_parse(&kernel->image, kernel->bytes, n);
}

static int read_whole(struct arm64_kernel *kernel, const char *name, bool thorough, struct problem *problem)
{
    char path[PATH_MAX];
    const char *why, *slash;
    size_t n = 0;

    *kernel = (struct arm64_kernel){0};
    if (boot_kernel_path(name, "tiny-arm64", path, sizeof path, problem) != 0)
        return -1;
    slash = strrchr(path, '/');
    snprintf(kernel->name, sizeof kernel->name, "%.63s", slash != NULL ? slash + 1 : path);
    if (kernel_file_read(path, &kernel->bytes, &n, problem) != 0) {
        arm64_kernel_finish(kernel);
        return -1;
    }
    why = judge(kernel, n, thorough);
    if (why == NULL)
        return 0;
    arm64_kernel_finish(kernel);
    return problem_set(problem, -1, "%s: %s", path, why);
}

int arm64_kernel_check(const char *name, struct problem *problem)
{
    struct arm64_kernel kernel;

    if (read_whole(&kernel, name, false, problem) != 0)
        return -1;
    arm64_kernel_finish(&kernel);
    return 0;
}

int arm64_kernel_read(struct arm64_kernel *kernel, const char *name, struct problem *problem)
{
    return read_whole(kernel, name, true, problem);
}

void arm64_kernel_finish(struct arm64_kernel *kernel)
{
    free(kernel->bytes);
    kernel->bytes = NULL;
}

/* From the top down: ramdisk, device tree. */
static int place_rest(struct guest_memory *memory, const struct domain_config *config, uint64_t kernel_end,
                      struct device_tree_machine *machine, struct arm64_entry *entry, struct problem *problem)
{
    uint64_t top = ARM64_RAM_GPA + (memory->bytes < NEAR_BYTES ? memory->bytes : NEAR_BYTES), bytes = 0;
    uint64_t lowest = kernel_end + 2 * DEVICE_TREE_BYTES; /* however its place is rounded */

    if (config->ramdisk != NULL && boot_place_ramdisk(memory, config->ramdisk, lowest, top, &top, &bytes, problem) != 0)
        return -1;
    machine->bootargs = config->cmdline;
    machine->n_vcpus = config->vcpus;
    machine->ram_bytes = memory->bytes;
    machine->initrd_begin = top;
    machine->initrd_end = top + bytes;
    entry->device_tree = (top - DEVICE_TREE_BYTES) & ~(uint64_t)(DEVICE_TREE_BYTES - 1);
    if (!device_tree_write(memory_at(memory, entry->device_tree, DEVICE_TREE_BYTES), machine))
        return problem_set(problem, -1, "cmdline of %zu bytes is too long for a device tree", strlen(config->cmdline));
    return 0;
}

int arm64_kernel_place(const struct arm64_kernel *kernel, struct guest_memory *memory,
                       const struct domain_config *config, struct device_tree_machine *machine,
                       struct arm64_entry *entry, struct problem *problem)
{
    uint64_t span = kernel->image.text_offset + kernel->image.span; /* image.h bounds both */

    if (span > memory->bytes || memory->bytes - span < 2 * DEVICE_TREE_BYTES)
        return problem_set(problem, -1, "%s: it needs %llu MiB of memory, the domain has %llu", kernel->name,
                           (unsigned long long)((span + 2 * DEVICE_TREE_BYTES) >> 20) + 1,
                           (unsigned long long)(memory->bytes >> 20));
    entry->pc = ARM64_RAM_GPA + kernel->image.text_offset;
    memory_write(memory, entry->pc, kernel->image.bytes, kernel->image.n);
    return place_rest(memory, config, ARM64_RAM_GPA + span, machine, entry, problem);
}
