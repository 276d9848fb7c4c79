/* SPDX-License-Identifier: MIT */
#include "boot.h"
#include "host/file.h"
#include "host/paths.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PC_LOW_END  UINT64_C(0xa0000) /* a PC's first 640 KiB */
#define PC_AREA_GPA UINT64_C(0xc0000)

struct boot_area {
    struct hvm_start_info start_info;
    struct hvm_modlist_entry module;
    struct hvm_memmap_table_entry memmap[BOOT_MAP_MAX];
    char cmdline[BOOT_CMDLINE_MAX + 1];
};
_Static_assert(sizeof(struct boot_area) <= BOOT_AREA_BYTES, "boot.h");
_Static_assert(PC_AREA_GPA + BOOT_AREA_BYTES <= BOOT_PC_ACPI_GPA, "boot.h");
_Static_assert(BOOT_PC_ACPI_GPA + BOOT_PC_ACPI_BYTES <= BOOT_PC_KERNEL_GPA, "boot.h");

static uint64_t area_gpa(const struct guest_memory *m)
{
    return m->special_apart ? PC_AREA_GPA : m->special_gpa - BOOT_AREA_BYTES;
}

int boot_place_ramdisk(struct guest_memory *m, const char *path, uint64_t lowest, uint64_t top, uint64_t *gpa,
                       uint64_t *bytes, struct problem *problem)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = 0; /* a FIFO must not stop us */
    uint64_t size;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        problem_set(problem, -1, "ramdisk %s: %s", path, fd < 0 ? strerror(errno) : "not a regular file");
        result = -1;
        goto close_fd;
    }
    *bytes = (uint64_t)st.st_size;
    size = (*bytes + 4095) & ~UINT64_C(4095);
    if (size > top || top - size < lowest) {
        result = problem_set(problem, -1, "ramdisk %s: %lld bytes do not fit into memory of %llu MiB", path,
                             (long long)st.st_size, (unsigned long long)(m->bytes >> 20));
        goto close_fd;
    }
    *gpa = top - size;
    result = file_read_all(fd, memory_at(m, *gpa, *bytes), *bytes);
    if (result != 0)
        result = problem_set(problem, -1, "ramdisk %s: %s", path, strerror(-result));
close_fd:
    if (fd >= 0)
        close(fd);
    return result;
}

static struct hvm_memmap_table_entry range(uint64_t begin, uint64_t end, uint32_t type)
{
    return (struct hvm_memmap_table_entry){.addr = begin, .size = end - begin, .type = type};
}

uint32_t boot_map(const struct guest_memory *m, struct hvm_memmap_table_entry map[BOOT_MAP_MAX])
{
    const uint32_t ram = XEN_HVM_MEMMAP_TYPE_RAM, reserved = XEN_HVM_MEMMAP_TYPE_RESERVED;
    uint32_t n = 0;

    if (!m->special_apart) {
        map[n++] = range(0, area_gpa(m), ram);
        map[n++] = range(area_gpa(m), m->bytes, reserved);
        return n;
    }
    map[n++] = range(0, PC_LOW_END, ram);
    map[n++] = range(PC_AREA_GPA, PC_AREA_GPA + BOOT_AREA_BYTES, reserved);
    map[n++] = range(BOOT_PC_ACPI_GPA, BOOT_PC_ACPI_GPA + BOOT_PC_ACPI_BYTES, XEN_HVM_MEMMAP_TYPE_ACPI);
    map[n++] = range(BOOT_PC_KERNEL_GPA, m->low_bytes, ram);
    map[n++] = range(m->special_gpa, m->special_gpa + MEMORY_SPECIAL_PAGES * 4096, reserved);
    if (m->bytes > m->low_bytes)
        map[n++] = range(MEMORY_HIGH, MEMORY_HIGH + (m->bytes - m->low_bytes), ram);
    return n;
}

static void fill_area(struct boot_area *area, const struct guest_memory *m, const char *cmdline)
{
    uint64_t at = area_gpa(m);
    uint32_t n_modules = area->module.size > 0;

    snprintf(area->cmdline, sizeof area->cmdline, "%s", cmdline);
    area->start_info = (struct hvm_start_info){
        .magic = XEN_HVM_START_MAGIC_VALUE,
        .version = 1,
        .nr_modules = n_modules,
        .modlist_paddr = n_modules ? at + offsetof(struct boot_area, module) : 0,
        .cmdline_paddr = at + offsetof(struct boot_area, cmdline),
        .rsdp_paddr = m->special_apart ? BOOT_PC_ACPI_GPA : 0,
        .memmap_paddr = at + offsetof(struct boot_area, memmap),
    };
    area->start_info.memmap_entries = boot_map(m, area->memmap);
}

int boot_write(struct guest_memory *m, const char *cmdline, const char *ramdisk, uint64_t kernel_end,
               uint64_t *start_info, struct problem *problem)
{
    uint64_t top = m->special_apart ? m->low_bytes : area_gpa(m);
    struct boot_area area = {0};

    if (ramdisk != NULL &&
        boot_place_ramdisk(m, ramdisk, kernel_end, top, &area.module.paddr, &area.module.size, problem) != 0)
        return -1;
    fill_area(&area, m, cmdline);
    memory_write(m, area_gpa(m), &area, sizeof area);
    *start_info = area_gpa(m) + offsetof(struct boot_area, start_info);
    return 0;
}

int boot_kernel_path(const char *kernel, const char *program, char *path, size_t path_bytes, struct problem *problem)
{
    char found[PATH_MAX], bundled[64];
    struct problem why;

    snprintf(bundled, sizeof bundled, "%s%s", program, strcmp(kernel, "tiny32") == 0 ? "32" : "");
    if (strchr(kernel, '/') != NULL) {
        snprintf(found, sizeof found, "%s", kernel);
        if (access(found, R_OK) != 0)
            return problem_set(problem, -1, "kernel %s: %s", kernel, strerror(errno));
    } else if (strcmp(kernel, "tiny") != 0 && strcmp(kernel, "tiny32") != 0) {
        return problem_set(
            problem, -1,
            "kernel \"%s\": no such bundled kernel; there are \"tiny\" and \"tiny32\", and a path has a '/'", kernel);
    } else if (paths_kernel(found, bundled, &why) != 0) {
        return problem_set(problem, -1, "kernel \"%s\": %s", kernel, why.text);
    }
    if ((size_t)snprintf(path, path_bytes, "%s", found) >= path_bytes)
        return problem_set(problem, -1, "kernel %s: path is too long", kernel);
    return 0;
}
