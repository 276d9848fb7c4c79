/* SPDX-License-Identifier: MIT */
#include "kernel.h"
#include "../../boot.h"
#include "../kernel_file.h"
#include "bzimage.h"
#include "cpu.h"
#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Linux Documentation/arm64/booting.rst: the magic number of an Image. */
static bool is_arm64_image(const uint8_t *bytes, size_t n) { return n >= 64 && memcmp(bytes + 56, "ARM\x64", 4) == 0; }

/* Of a kernel without a page for it. A KVM that knows Xen's ABI serves the calls wherever they are. */
static const char *find_calls(struct kvm_kernel *kernel)
{
    bool by_port = kernel->calls == KERNEL_CALLS_BY_PORT;
    const char *why = callsites_find(&kernel->elf, &kernel->sites);

    if (why == NULL && kernel->sites.n > 0) {
        quiet_plan(&kernel->quiet, &kernel->elf, &kernel->sites, by_port);
        return NULL;
    }
    kernel->sites.n = 0;
    if (why == NULL)
        why = "the places where it calls Xen are not found, and on a KVM without KVM_XEN they must be";
    return by_port ? why : NULL;
}

static const char *judge(struct kvm_kernel *kernel, size_t n)
{
    const char *why = elf_parse(&kernel->elf, kernel->bytes, n);

    if (is_arm64_image(kernel->bytes, n) || (why == NULL && kernel->elf.machine == EM_AARCH64))
        return "an arm64 kernel; this machine is x86_64";
    if (why == NULL && !kernel->elf.has_pvh_entry)
        return "no PVH kernel: it has no Xen note of type 18 with a 32-bit entry point";
    if (why != NULL || kernel->elf.has_hypercall_page)
        return why;
    return find_calls(kernel);
}

/* What the file holds, in place of the file. */
static const char *unpack(struct kvm_kernel *kernel, size_t *n)
{
    uint8_t *packed = kernel->bytes;
    const char *why = bzimage_unpack(packed, *n, KERNEL_MAX_BYTES, &kernel->bytes, n);

    free(packed);
    return why;
}

static int read_whole(struct kvm_kernel *kernel, const char *name, enum kernel_calls calls, bool thorough,
                      struct problem *problem)
{
    char path[PATH_MAX];
    const char *why = NULL;
    size_t n = 0;

    *kernel = (struct kvm_kernel){.calls = calls};
    if (boot_kernel_path(name, "tiny-pvh", path, sizeof path, problem) != 0)
        return -1;
    snprintf(kernel->name, sizeof kernel->name, "%.63s", strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    if (kernel_file_read(path, &kernel->bytes, &n, problem) != 0) {
        kernel_finish(kernel);
        return -1;
    }
    if (!bzimage_is(kernel->bytes, n))
        why = judge(kernel, n);
    else if (!thorough)
        why = bzimage_check(kernel->bytes, n, KERNEL_MAX_BYTES);
    else if ((why = unpack(kernel, &n)) == NULL)
        why = judge(kernel, n);
    if (why == NULL)
        return 0;
    kernel_finish(kernel);
    return problem_set(problem, -1, "%s: %s", path, why);
}

int kernel_check(const char *name, enum kernel_calls calls, struct problem *problem)
{
    struct kvm_kernel kernel;

    if (read_whole(&kernel, name, calls, false, problem) != 0)
        return -1;
    kernel_finish(&kernel);
    return 0;
}

int kernel_read(struct kvm_kernel *kernel, const char *name, enum kernel_calls calls, struct problem *problem)
{
    return read_whole(kernel, name, calls, true, problem);
}

void kernel_finish(struct kvm_kernel *kernel)
{
    free(kernel->bytes);
    kernel->bytes = NULL;
}

static bool is_by_port(const struct kvm_kernel *kernel) { return kernel->calls == KERNEL_CALLS_BY_PORT; }

static bool is_64(const struct kvm_kernel *kernel) { return kernel->elf.machine == EM_X86_64; }

static void fill_page(const struct kvm_kernel *kernel, uint8_t page[CPU_PAGE_BYTES])
{
    cpu_fill_hypercall_page(page, is_by_port(kernel));
    if (is_64(kernel))
        quiet_fill_page(page, is_by_port(kernel));
}

int kernel_place(const struct kvm_kernel *kernel, const struct guest_memory *memory, struct quiet *quiet,
                 struct problem *problem)
{
    const char *why = elf_load(&kernel->elf, memory->base, memory->low_bytes, BOOT_PC_KERNEL_GPA);
    uint8_t page[CPU_PAGE_BYTES];

    if (why != NULL)
        return problem_set(problem, -1, "%s: %s", kernel->name, why);
    if (is_by_port(kernel))
        callsites_patch(&kernel->sites, memory->base, CPU_HYPERCALL_PORT);
    quiet_plan_place(&kernel->quiet, memory);
    fill_page(kernel, page);
    if (kernel->elf.has_hypercall_page && !memory_write(memory, kernel->elf.hypercall_page, page, sizeof page))
        return problem_set(problem, -1, "%s: its hypercall page lies outside the domain's memory", kernel->name);
    kernel_quiet(kernel, memory, quiet);
    return 0;
}

void kernel_quiet(const struct kvm_kernel *kernel, const struct guest_memory *memory, struct quiet *quiet)
{
    uint8_t page[CPU_PAGE_BYTES];
    const uint8_t *there =
        kernel->elf.has_hypercall_page ? memory_at(memory, kernel->elf.hypercall_page, sizeof page) : NULL;

    quiet_forget(quiet);
    fill_page(kernel, page);
    if (there != NULL && is_64(kernel) && memcmp(there, page, sizeof page) == 0)
        quiet_in_page(quiet, memory, kernel->elf.hypercall_page, is_by_port(kernel));
    else if (quiet_plan_stands(&kernel->quiet, memory))
        quiet_by_plan(quiet, &kernel->quiet, memory);
}
