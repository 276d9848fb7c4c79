/* SPDX-License-Identifier: MIT */
/*
 * Device trees for Xen that are anything at all: bytes as they are, or trees that libfdt itself makes of names, values and nesting
 * that the input chooses among those that mean something, and then perhaps changes a byte of. What comes out is a
 * configuration within its limits, or one line that names the file. The same of ImageBuilder's configuration, by its reader.
 */
#include "fuzz.h"
#include "vmm/config_value.h"
#include "vmm/dom0less/dom0less.h"
#include "vmm/dom0less/imagebuilder.h"
#include "vmm/engine.h"
#include "vmm/save.h"
#include <libfdt.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is linked here has no engines, and keeps no file. */
const struct engine_ops *engine_find(const char *name)
{
    (void)name;
    return NULL;
}
void save_config_close(struct vmm_config *config) { (void)config; }

#define ROOM 16384

static const char *const names[] = {"memory",
                                    "cpus",
                                    "vpl011",
                                    "xen,enhanced",
                                    "capabilities",
                                    "passthrough",
                                    "sve",
                                    "nr_spis",
                                    "reg",
                                    "bootargs",
                                    "compatible",
                                    "id",
                                    "hard-affinity",
                                    "#address-cells",
                                    "#size-cells",
                                    "domain-cpupool",
                                    "phandle",
                                    "xen,static-mem",
                                    "llc-colors",
                                    "xen,uefi-binary",
                                    "xen,sci_type",
                                    "direct-map",
                                    "xen,xen-bootargs",
                                    "max_grant_version",
                                    "acme"};
static const struct {
    const char *value;
    int bytes;
} values[] = {{"", 0},
              {"\0\0\0\1", 4},
              {"\0\0\0\2", 4},
              {"\0\0\0\0\0\0\x40\0", 8},
              {"\xff\xff\xff\xff\xff\xff\xff\xff", 8},
              {"\x40\0\0\0\0\0\x10\0", 8},
              {"\0\0\0\0\x40\0\0\0\0\0\0\0\0\0\x10\0", 16},
              {"xen,domain", 11},
              {"multiboot,kernel\0multiboot,module", 34},
              {"multiboot,ramdisk\0multiboot,module", 35},
              {"multiboot,device-tree\0multiboot,module", 39},
              {"xen,vcpu", 9},
              {"xen,cpupool", 12},
              {"enabled", 8},
              {"no NUL", 6},
              {"conswitch=ax console=dtuart", 28},
              {"a\0b", 4}};
static const char *const nodes[] = {"chosen",          "domU0", "domU1",    "domU1",
                                    "module@40000000", "vcpu0", "memory@0", "domU@2,x+"};

#define PICK(in, table) (table)[take(in, 1) % (sizeof(table) / sizeof(table)[0])]

/* Whatever libfdt refuses, as a node that ends too often, is left out. */
static void build(struct input *in, void *fdt)
{
    int depth = 2;

    require(fdt_create(fdt, ROOM) == 0 && fdt_finish_reservemap(fdt) == 0);
    require(fdt_begin_node(fdt, "") == 0 && fdt_begin_node(fdt, "chosen") == 0);
    while (in->left > 0 && depth < 60) {
        switch (take(in, 1) % 8) {
        case 0: depth -= depth > 2 && fdt_end_node(fdt) == 0; break;
        case 1: depth += fdt_begin_node(fdt, PICK(in, nodes)) == 0; break;
        case 2: /* a domain with all it must have, to which more is added */
            depth += fdt_begin_node(fdt, PICK(in, nodes)) == 0;
            fdt_property(fdt, "compatible", "xen,domain", 11);
            fdt_property(fdt, "memory", "\0\0\0\0\0\0\x40\0", 8);
            fdt_property_u32(fdt, "cpus", 1);
            fdt_property_u32(fdt, "#address-cells", 1);
            fdt_property_u32(fdt, "#size-cells", 1);
            break;
        case 3: fdt_property_u32(fdt, PICK(in, names), (uint32_t)take(in, 4)); break;
        default: {
            size_t value = take(in, 1) % (sizeof values / sizeof values[0]);

            fdt_property(fdt, PICK(in, names), values[value].value, values[value].bytes);
        }
        }
    }
    while (depth-- > 0 && fdt_end_node(fdt) == 0)
        continue;
    fdt_finish(fdt);
}

static void one_line(const struct problem *p)
{
    require(p->text[0] != '\0' && strchr(p->text, '\n') == NULL && strlen(p->text) < sizeof p->text);
}

static void try_tree(const void *fdt, size_t n, bool with_file)
{
    static const char *const modules[] = {"0x40000000=tiny"};
    const struct vmm_config_options options = {.list = true, .modules = modules, .n_modules = with_file};
    struct vmm_config config;
    struct problem p = {""};

    config_defaults(&config, NULL);
    if (dom0less_take(&config, &options, "it", fdt, n, &p) != 0)
        one_line(&p);
    else
        for (size_t i = 0; i < config.n_domains; i++) {
            const struct domain_config *d = &config.domains[i];

            require(d->vcpus >= 1 && d->vcpus <= CONFIG_VCPUS_MAX && d->n_consoles >= 1 && d->n_consoles <= 2);
            require(d->memory_bytes >= CONFIG_MEMORY_MIN && d->memory_bytes <= CONFIG_MEMORY_MAX);
            require(strlen(d->name) > 0 && strlen(d->name) < CONFIG_NAME_BYTES);
        }
    vmm_config_finish(&config);
}

static void try_imagebuilder(struct input *in)
{
    struct imagebuilder b;
    struct problem p = {""};
    const char *file;
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);

    require(fd >= 0 && write(fd, in->at, in->left) == (ssize_t)in->left);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (imagebuilder_read(&b, path, &p) == 0) {
        require(b.n_domains <= IMAGEBUILDER_DOMAINS_MAX && b.n_values <= in->left);
        for (size_t i = 0; i < b.n_values; i++)
            require(b.values[i].name[0] != '\0' && strlen(b.values[i].text) < in->left);
        if (imagebuilder_file(&b, "domU0", "DOMU_KERNEL", &file, &p) != 0)
            one_line(&p);
        imagebuilder_finish(&b);
    } else {
        one_line(&p);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint64_t way = take(&in, 1);
    uint8_t *fdt, *exact;
    size_t at, n;

    if (way % 4 == 0) {
        try_imagebuilder(&in);
        return 0;
    }
    fdt = calloc(1, ROOM);
    require(fdt != NULL);
    at = take(&in, 2);
    if (way % 4 == 1 && in.left <= ROOM)
        memcpy(fdt, in.at, n = in.left);
    else
        build(&in, fdt), n = fdt_totalsize(fdt);
    if (n > 0 && way % 4 == 2)
        fdt[at % n] ^= (uint8_t)(way >> 2);
    exact = malloc(n + 1);
    require(exact != NULL && n <= ROOM);
    memcpy(exact, fdt, n);
    try_tree(exact, n, way >= 128);
    free(exact);
    free(fdt);
    return 0;
}
