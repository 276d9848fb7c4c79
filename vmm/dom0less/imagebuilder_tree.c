/* SPDX-License-Identifier: MIT */
/* The nodes that uboot-script-gen has U-Boot make, so that one reader serves both. */
#include "../config.h"
#include "dom0less.h"
#include "imagebuilder.h"
#include <inttypes.h>
#include <libfdt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STEP_BYTES (UINT64_C(2) << 20)  /* the script's: addresses are multiples of it, and one is left for itself */
#define LOWEST     (UINT64_C(12) << 20) /* and never below this */

struct maker {
    const struct imagebuilder *b;
    struct vmm_config *config;
    void *fdt;
    int error;        /* libfdt's first; nothing is written afterwards */
    uint64_t address; /* of the next module */
    struct problem *problem;
};

static void begin(struct maker *m, const char *name)
{
    if (m->error == 0)
        m->error = fdt_begin_node(m->fdt, name);
}

static void end(struct maker *m)
{
    if (m->error == 0)
        m->error = fdt_end_node(m->fdt);
}

static void bytes(struct maker *m, const char *name, const void *value, size_t n)
{
    if (m->error == 0)
        m->error = fdt_property(m->fdt, name, value, (int)n);
}

static void cell(struct maker *m, const char *name, uint32_t value)
{
    fdt32_t big = cpu_to_fdt32(value);

    bytes(m, name, &big, sizeof big);
}

static void wide(struct maker *m, const char *name, uint64_t value)
{
    fdt64_t big = cpu_to_fdt64(value);

    bytes(m, name, &big, sizeof big);
}

/* ---- A module: a file, whose size the tree says, at the next address. ---- */

static int size_of(struct maker *m, const char *key, uint32_t n, const char *file, uint64_t *size)
{
    char copy[PATH_MAX], path[2 * PATH_MAX];
    struct stat st;

    snprintf(copy, sizeof copy, "%s", m->b->file);
    snprintf(path, sizeof path, "%s%s%s", file[0] == '/' ? "" : dirname(copy), file[0] == '/' ? "" : "/", file);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return problem_set(m->problem, -1, "%s: %s[%" PRIu32 "]: %s: expected a file, beside this one if it has no /",
                           m->b->file, key, n, path);
    *size = (uint64_t)st.st_size;
    return 0;
}

static int write_module(struct maker *m, const char *key, uint32_t n, const char *kind, size_t kind_bytes,
                        const char *bootargs)
{
    const char *file;
    uint64_t size;
    char name[48];

    if (imagebuilder_text(m->b, key, n, &file, m->problem) != 0)
        return -1;
    if (file == NULL)
        return 0;
    if (size_of(m, key, n, file, &size) != 0)
        return -1;
    snprintf(name, sizeof name, "module@%" PRIx64, m->address);
    begin(m, name);
    bytes(m, "compatible", kind, kind_bytes);
    if (m->error == 0) {
        fdt64_t reg[2] = {cpu_to_fdt64(m->address), cpu_to_fdt64(size)};

        bytes(m, "reg", reg, sizeof reg);
    }
    if (bootargs != NULL)
        bytes(m, "bootargs", bootargs, strlen(bootargs) + 1);
    end(m);
    m->address = (m->address + size + STEP_BYTES - 1) & ~(STEP_BYTES - 1);
    return 0;
}

/* ---- A domain. ---- */

struct numbers {
    uint64_t mem, vcpus, vpl011, enhanced;
};

static int take_numbers(struct maker *m, uint32_t n, struct numbers *of)
{
    *of = (struct numbers){.mem = 512, .vcpus = 1, .vpl011 = 1};
    return imagebuilder_number(m->b, "DOMU_MEM", n, UINT32_MAX, &of->mem, m->problem) != 0 ||
                   imagebuilder_number(m->b, "DOMU_VCPUS", n, UINT32_MAX, &of->vcpus, m->problem) != 0 ||
                   imagebuilder_number(m->b, "DOMU_VPL011", n, 1, &of->vpl011, m->problem) != 0 ||
                   imagebuilder_number(m->b, "DOMU_ENHANCED", n, 1, &of->enhanced, m->problem) != 0
               ? -1
               : 0;
}

static int write_domain(struct maker *m, uint32_t n)
{
    static const char kernel[] = "multiboot,kernel\0multiboot,module",
                      ramdisk[] = "multiboot,ramdisk\0multiboot,module";
    const char *cmd;
    struct numbers of;
    char name[32];

    if (take_numbers(m, n, &of) != 0 || imagebuilder_text(m->b, "DOMU_CMD", n, &cmd, m->problem) != 0)
        return -1;
    if (cmd == NULL && of.vpl011 != 0)
        cmd = "console=ttyAMA0";
    snprintf(name, sizeof name, "domU%" PRIu32, n);
    begin(m, name);
    bytes(m, "compatible", "xen,domain", sizeof "xen,domain");
    cell(m, "#address-cells", 2);
    cell(m, "#size-cells", 2);
    wide(m, "memory", of.mem * 1024);
    cell(m, "cpus", (uint32_t)of.vcpus);
    if (of.vpl011 != 0)
        bytes(m, "vpl011", NULL, 0);
    if (of.enhanced != 0)
        bytes(m, "xen,enhanced", "enabled", sizeof "enabled");
    if (write_module(m, "DOMU_KERNEL", n, kernel, sizeof kernel, cmd) != 0 ||
        write_module(m, "DOMU_RAMDISK", n, ramdisk, sizeof ramdisk, NULL) != 0)
        return -1;
    end(m);
    return 0;
}

/* ---- What stands there besides. ---- */

static bool is_one_of(const char *name, const char *words)
{
    for (; *words != '\0'; words += strlen(words) + 1)
        if (strcmp(name, words) == 0)
            return true;
    return false;
}

static int take_others(struct maker *m)
{
    static const char known[] =
        "DOMU_KERNEL\0DOMU_RAMDISK\0DOMU_CMD\0DOMU_MEM\0DOMU_VCPUS\0DOMU_VPL011\0DOMU_ENHANCED\0";
    static const char vital[] = "DOMU_PASSTHROUGH_DTB\0DOMU_PASSTHROUGH_PATHS\0DOMU_SHARED_MEM\0DOMU_DIRECT_MAP\0"
                                "DOMU_NOBOOT\0DOMU_ROOTFS\0DOMU_DRIVER_DOMAIN\0";

    for (size_t i = 0; i < m->b->n_values; i++) {
        const struct imagebuilder_value *v = &m->b->values[i];

        if (strncmp(v->name, "DOMU_", 5) != 0 || v->index >= m->b->n_domains || v->text[0] == '\0' ||
            is_one_of(v->name, known))
            continue;
        if (is_one_of(v->name, vital) && strcmp(v->text, "0") != 0)
            return problem_set(m->problem, -1,
                               "%s:%u: %s is not there for domains here, and they would be others without", m->b->file,
                               v->line, v->name);
        config_note(m->config, "%s:%u: %s is not honoured", m->b->file, v->line, v->name);
    }
    return 0;
}

static int write_domains(struct maker *m)
{
    begin(m, "");
    begin(m, "chosen");
    for (uint32_t n = 0; n < m->b->n_domains; n++)
        if (write_domain(m, n) != 0)
            return -1;
    end(m);
    end(m);
    if (m->error == 0)
        m->error = fdt_finish(m->fdt);
    return m->error == 0 ? 0
                         : problem_set(m->problem, -1, "%s: the domains' tree: %s", m->b->file, fdt_strerror(m->error));
}

int imagebuilder_tree(const struct imagebuilder *b, struct vmm_config *config, void **fdt, size_t *n,
                      struct problem *problem)
{
    uint64_t lowest = b->memory_start + STEP_BYTES;
    struct maker m = {.b = b, .config = config, .problem = problem};

    if (b->n_domains == 0)
        return problem_set(problem, -1, "%s: NUM_DOMUS: expected the number of domains", b->file);
    if (take_others(&m) != 0)
        return -1;
    m.address = (lowest < LOWEST ? LOWEST : lowest) + STEP_BYTES;
    m.fdt = malloc(DOM0LESS_TREE_BYTES);
    if (m.fdt == NULL)
        return problem_set(problem, -1, "no memory");
    m.error = fdt_create(m.fdt, DOM0LESS_TREE_BYTES);
    if (m.error == 0)
        m.error = fdt_finish_reservemap(m.fdt);
    if (write_domains(&m) != 0) {
        free(m.fdt);
        return -1;
    }
    *fdt = m.fdt;
    *n = fdt_totalsize(m.fdt);
    return 0;
}
