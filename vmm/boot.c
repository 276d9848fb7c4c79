/* SPDX-License-Identifier: MIT */
#include "boot.h"
#include "host/file.h"
#include "host/paths.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/pvh.h>

struct boot_area { /* at bytes - BOOT_AREA_BYTES */
    struct hvm_start_info start_info;
    struct hvm_modlist_entry module;
    struct hvm_memmap_table_entry memmap[2];
    char cmdline[BOOT_CMDLINE_MAX + 1];
};
_Static_assert(sizeof(struct boot_area) <= BOOT_AREA_BYTES - 4096, "the console page follows");

/* The ramdisk directly below the boot area; where it lies into module. */
static int place_ramdisk(struct guest_memory *m, const char *path, struct hvm_modlist_entry *module,
                         struct problem *problem)
{
    uint64_t top = m->bytes - BOOT_AREA_BYTES, lowest = VC_CALL_LOAD + VC_CALL_LOAD_BYTES, size;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC), result = 0;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        problem_set(problem, -1, "ramdisk %s: %s", path, fd < 0 ? strerror(errno) : "not a regular file");
        result = -1;
        goto close_fd;
    }
    size = ((uint64_t)st.st_size + 4095) & ~UINT64_C(4095);
    if (size > top || top - size < lowest) {
        result = problem_set(problem, -1, "ramdisk %s: %lld bytes do not fit into memory of %llu MiB", path,
                             (long long)st.st_size, (unsigned long long)(m->bytes >> 20));
        goto close_fd;
    }
    *module = (struct hvm_modlist_entry){.paddr = top - size, .size = (uint64_t)st.st_size};
    result = file_read_all(fd, m->base + module->paddr, module->size);
    if (result != 0)
        result = problem_set(problem, -1, "ramdisk %s: %s", path, strerror(-result));
close_fd:
    if (fd >= 0)
        close(fd);
    return result;
}

static void fill_area(struct boot_area *area, uint64_t at, uint64_t bytes, const char *cmdline)
{
    uint64_t n_modules = area->module.size > 0;

    snprintf(area->cmdline, sizeof area->cmdline, "%s", cmdline);
    area->memmap[0] = (struct hvm_memmap_table_entry){.addr = 0, .size = at, .type = XEN_HVM_MEMMAP_TYPE_RAM};
    area->memmap[1] =
        (struct hvm_memmap_table_entry){.addr = at, .size = bytes - at, .type = XEN_HVM_MEMMAP_TYPE_RESERVED};
    area->start_info = (struct hvm_start_info){
        .magic = XEN_HVM_START_MAGIC_VALUE,
        .version = 1,
        .nr_modules = (uint32_t)n_modules,
        .modlist_paddr = n_modules ? at + offsetof(struct boot_area, module) : 0,
        .cmdline_paddr = at + offsetof(struct boot_area, cmdline),
        .memmap_paddr = at + offsetof(struct boot_area, memmap),
        .memmap_entries = 2,
    };
}

int boot_write(struct guest_memory *m, const char *cmdline, const char *ramdisk, uint64_t *start_info,
               struct problem *problem)
{
    uint64_t at = m->bytes - BOOT_AREA_BYTES;
    struct boot_area area = {0};

    if (ramdisk != NULL && place_ramdisk(m, ramdisk, &area.module, problem) != 0)
        return -1;
    fill_area(&area, at, m->bytes, cmdline);
    memory_write(m, at, &area, sizeof area);
    *start_info = at + offsetof(struct boot_area, start_info);
    return 0;
}

int boot_kernel_path(const char *kernel, const char *program, char *path, size_t path_bytes, struct problem *problem)
{
    char found[PATH_MAX];
    struct problem why;

    if (strchr(kernel, '/') != NULL) {
        snprintf(found, sizeof found, "%s", kernel);
        if (access(found, R_OK) != 0)
            return problem_set(problem, -1, "kernel %s: %s", kernel, strerror(errno));
    } else if (strcmp(kernel, "tiny") != 0) {
        return problem_set(problem, -1,
                           "kernel \"%s\": no such bundled kernel; there is \"tiny\", and a path has a '/'", kernel);
    } else if (paths_program(found, program, &why) != 0) {
        return problem_set(problem, -1, "kernel \"tiny\": %s", why.text);
    }
    if ((size_t)snprintf(path, path_bytes, "%s", found) >= path_bytes)
        return problem_set(problem, -1, "kernel %s: path is too long", kernel);
    return 0;
}
