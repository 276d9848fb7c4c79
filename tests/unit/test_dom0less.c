/* SPDX-License-Identifier: MIT */
/* Device trees for Xen as configuration: each property by booting.txt, and each way to be wrong with one line that names it. */
#include "unit.h"

#include "vmm/dom0less/dom0less.h"
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM 65536

/* ---- A tree with two domains, as a board's; rows below change it. ---- */

static uint8_t *fdt;
static char kernel[] = "/tmp/vcons-test-kernel.XXXXXX"; /* 4096 bytes, no kernel */
static char arguments[2][80];                           /* --module */
static const char *const modules[] = {arguments[0], arguments[1]};
static struct vmm_config config;
static struct problem problem;

static void cells(const char *name, const uint32_t *values, size_t n)
{
    fdt32_t big[8];

    for (size_t i = 0; i < n; i++)
        big[i] = cpu_to_fdt32(values[i]);
    assert_int_equal(fdt_property(fdt, name, big, (int)(4 * n)), 0);
}
#define CELLS(name, ...) cells(name, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)
#define TEXT(name, text) assert_int_equal(fdt_property(fdt, name, text, sizeof(text)), 0)

static void write_module(const char *name, uint32_t address)
{
    assert_int_equal(fdt_begin_node(fdt, name), 0);
    TEXT("compatible", "multiboot,kernel\0multiboot,module");
    CELLS("reg", 0, address, 0, 0x1000);
    TEXT("bootargs", "console=ttyAMA0");
    assert_int_equal(fdt_end_node(fdt), 0);
}

static void write_domain(const char *name, const char *module, uint32_t address)
{
    assert_int_equal(fdt_begin_node(fdt, name), 0);
    TEXT("compatible", "xen,domain");
    CELLS("#address-cells", 2);
    CELLS("#size-cells", 2);
    CELLS("memory", 0, 0x4000);
    CELLS("cpus", 2);
    write_module(module, address);
    assert_int_equal(fdt_end_node(fdt), 0);
}

static void write_tree(void)
{
    assert_int_equal(fdt_create(fdt, ROOM), 0);
    assert_int_equal(fdt_finish_reservemap(fdt), 0);
    assert_int_equal(fdt_begin_node(fdt, ""), 0);
    assert_int_equal(fdt_begin_node(fdt, "chosen"), 0);
    write_domain("domU1", "module@1000", 0x1000);
    write_domain("domU2", "module@4000", 0x4000);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_begin_node(fdt, "pool"), 0);
    TEXT("compatible", "xen,cpupool");
    CELLS("phandle", 7);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_finish(fdt), 0);
    assert_int_equal(fdt_open_into(fdt, fdt, ROOM), 0);
}

static int make(void **state)
{
    int fd = mkstemp(kernel);

    (void)state;
    fdt = malloc(ROOM);
    if (fd < 0 || fdt == NULL || ftruncate(fd, 4096) != 0)
        return 1;
    close(fd);
    snprintf(arguments[0], sizeof arguments[0], "0x1000=%s", kernel);
    snprintf(arguments[1], sizeof arguments[1], "0x4000=%s", kernel);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    free(fdt);
    return unlink(kernel);
}

static const struct vmm_config_options listed = {.list = true};

/* Of size bytes at fdt, in memory of their own so that one more is seen. */
static int take(const struct vmm_config_options *options, size_t size)
{
    void *copy = malloc(size > 0 ? size : 1);
    int result;

    assert_non_null(copy);
    memcpy(copy, fdt, size);
    problem.text[0] = '\0';
    config = (struct vmm_config){.name = "vcons", .conswitch = "a"};
    result = dom0less_take(&config, options, "t.dtb", copy, size, &problem);
    free(copy);
    return result;
}

static bool noted(const char *words)
{
    for (size_t i = 0; i < config.n_notes && i < CONFIG_NOTES_MAX; i++)
        if (strstr(config.notes[i], words) != NULL)
            return true;
    return false;
}

/* ---- What a change to the tree leads to. ---- */

enum change { SET, DELETE, ADD };
struct row {
    enum change change; /* of a property of the node; or a node is added below it, compatible with value */
    const char *node, *property;
    const void *value;
    int bytes;
    const char *words; /* that the error, or the note, has */
};

static int at(const char *path)
{
    int node = fdt_path_offset(fdt, path);

    if (node < 0)
        fail_msg("no node %s", path);
    return node;
}

static void apply(const struct row *row)
{
    int node = at(row->node);

    if (row->change == DELETE)
        assert_int_equal(fdt_delprop(fdt, node, row->property), 0);
    if (row->change == ADD)
        node = fdt_add_subnode(fdt, node, row->property);
    if (row->change != DELETE)
        assert_int_equal(
            fdt_setprop(fdt, node, row->change == ADD ? "compatible" : row->property, row->value, row->bytes), 0);
}

#define S(text) (text), sizeof(text)
#define D1      "/chosen/domU1"
#define D2      "/chosen/domU2"
#define M1      D1 "/module@1000"
#define M2      D2 "/module@4000"
#define ONE     "\0\0\0\1", 4
#define EMPTY   "", 0

static const struct row refused[] = {
    /* numbers, of the wrong type or not to be had */
    {DELETE, D1, "memory", NULL, 0, D1 ": memory: is missing"},
    {SET, D1, "memory", "\0\0\x40\0", 4, D1 ": memory: expected a number of two cells, 8 bytes, there are 4"},
    {SET, D1, "memory", "\xff\xff\xff\xff\xff\xff\xff\xff", 8,
     D1 ": memory: memory = \"18446744073709551615K\": expected 8 to"},
    {SET, D1, "memory", "\0\x40\0\0\0\0\0\0", 8, D1 ": memory: memory = \"18014398509481984K\": expected 8 to"},
    {SET, D1, "memory", "\0\0\0\0\0\0\0\1", 8, D1 ": memory: memory = \"1K\": expected 8 to"},
    {SET, D1, "memory", EMPTY, D1 ": memory: expected"},
    {DELETE, D1, "cpus", NULL, 0, D1 ": cpus: is missing"},
    {SET, D1, "cpus", "\0\0\0\0", 4, D1 ": cpus: vcpus = \"0\": expected a number from 1"},
    {SET, D1, "cpus", "\xff\xff\xff\xff", 4, D1 ": cpus: vcpus = \"4294967295\": expected a number from 1"},
    {SET, D1, "cpus", "\0\0\0\0\0\0\0\1", 8, D1 ": cpus: expected one cell"},
    /* cells of reg */
    {DELETE, D1, "#address-cells", NULL, 0, D1 ": #address-cells: is missing"},
    {DELETE, D2, "#size-cells", NULL, 0, D2 ": #size-cells: is missing"},
    {SET, D1, "#address-cells", "\0\0\0\0", 4, D1 ": #address-cells: is 0: expected 1 or 2"},
    {SET, D1, "#size-cells", "\xff\xff\xff\xff", 4, D1 ": #size-cells: is 4294967295: expected 1 or 2"},
    {SET, D1, "#size-cells", "\0\1", 2, D1 ": #size-cells: expected one cell"},
    {SET, D1, "#size-cells", ONE, M1 ": reg: expected one address and one size, 12 bytes"},
    {SET, M1, "reg", EMPTY, M1 ": reg: expected one address and one size, 16 bytes"},
    {SET, M1, "reg", "\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0", 16, M1 ": reg: is empty"},
    {SET, M1, "reg", "\xff\xff\xff\xff\xff\xff\xff\xf0\0\0\0\0\0\0\0\x20", 16,
     M1 ": reg: 0x20 bytes at 0xfffffffffffffff0 go past"},
    {DELETE, M1, "reg", NULL, 0, M1 ": reg: is missing"},
    /* modules */
    {SET, M2, "reg", "\0\0\0\0\0\0\x18\0\0\0\0\0\0\0\x10\0", 16,
     M2 ": reg: 0x1000 bytes at 0x1800 overlap those of " M1},
    {SET, M2, "reg", "\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x20\0", 16, M2 ": reg: 0x2000 bytes at 0x1000 overlap"},
    {SET, M1, "compatible", S("multiboot,module"), M1 ": compatible: expected \"multiboot,kernel\" or"},
    {SET, M1, "compatible", S("multiboot,kernel"), M1 ": compatible: expected \"multiboot,module\" too"},
    {SET, M1, "compatible", S("multiboot,ramdisk\0multiboot,module"), D1 ": no kernel: expected"},
    {SET, M1, "compatible", S("other"), D1 ": no kernel"},
    {SET, M1, "compatible", "multiboot,kernel", 16, M1 ": compatible: expected strings, the last has no NUL"},
    {SET, M1, "xen,uefi-binary", "Image", 5, M1 ": xen,uefi-binary: expected a string"},
    /* strings */
    {SET, M1, "bootargs", "quiet", 5, M1 ": bootargs: expected a string, this one has no NUL"},
    {SET, M1, "bootargs", EMPTY, M1 ": bootargs: expected a string"},
    {SET, M1, "bootargs", S("a\0b"), M1 ": bootargs: expected one string"},
    {SET, M1, "bootargs", S("a\nb"), M1 ": bootargs: expected text, there is a control character 0x0a"},
    {SET, M1, "bootargs", S("earlycon=pl011,0x22000000"), M1 ": bootargs: 0x22000000 is where Xen has its vpl011"},
    {SET, D1, "compatible", "xen,domain", 10, D1 ": compatible: expected strings"},
    {SET, "/chosen", "xen,xen-bootargs", "conswitch=b", 11, "/chosen: xen,xen-bootargs: expected a string"},
    {SET, "/chosen", "xen,xen-bootargs", S("conswitch=7"), "/chosen: xen,xen-bootargs: conswitch = \"7\""},
    /* what would be another guest without it */
    {SET, D1, "capabilities", ONE, D1 ": capabilities: 0x1: no domain here is in charge"},
    {SET, D1, "capabilities", EMPTY, D1 ": capabilities: expected one cell"},
    {SET, D1, "passthrough", S("enabled"), D1 ": passthrough: \"enabled\": no device"},
    {SET, D1, "passthrough", S("maybe"), D1 ": passthrough: \"maybe\" is no value"},
    {SET, D1, "direct-map", EMPTY, D1 ": direct-map: "},
    {SET, D1, "sve", EMPTY, D1 ": sve: a guest has no SVE"},
    {SET, D1, "sve", "\0\0\0\x80", 4, D1 ": sve: a guest has no SVE"},
    {SET, D1, "xen,sci_type", S("scmi_smc"), D1 ": xen,sci_type: "},
    {SET, D1, "v8r_el1_msa", S("mmu"), D1 ": v8r_el1_msa: "},
    {SET, D1, "xen,enhanced", S("yes"), D1 ": xen,enhanced: \"yes\" is no value"},
    {SET, D1, "nr_spis", EMPTY, D1 ": nr_spis: expected one cell"},
    {SET, D1, "xen,static-mem", "\0", 1, D1 ": xen,static-mem: expected cells"},
    {SET, D1, "llc-colors", "0-3", 3, D1 ": llc-colors: expected a string"},
    {ADD, D1, "dtb", S("multiboot,device-tree\0multiboot,module"),
     D1 "/dtb: compatible: \"multiboot,device-tree\": no device"},
    {ADD, D1, "shm", S("xen,domain-shared-memory-v1"),
     D1 "/shm: compatible: \"xen,domain-shared-memory-v1\": domains share"},
    {ADD, D1, "ec", S("xen,evtchn-v1"), D1 "/ec: compatible: \"xen,evtchn-v1\""},
    {ADD, D1, "vcpu", S("xen,vcpu"), D1 "/vcpu: id: is missing"},
    {ADD, "/chosen", "hypervisor", S("hypervisor,xen"),
     "/chosen/hypervisor: compatible: \"hypervisor,xen\": a tree of hyperlaunch"},
    /* phandles that lead nowhere, elsewhere, and back */
    {SET, D1, "domain-cpupool", "\0\0\0\x63", 4, D1 ": domain-cpupool: 0x63 is not the phandle"},
    {SET, D1, "domain-cpupool", "\0\0\0\0", 4, D1 ": domain-cpupool: 0x0 is not the phandle"},
    {SET, D1, "domain-cpupool", "\xff\xff\xff\xff", 4, D1 ": domain-cpupool: 0xffffffff is not the phandle"},
    /* names */
    {ADD, "/chosen", "domU-with-a-name-longer-than-thirty-two", S("xen,domain"),
     "domain name \"domU-with-a-name-longer"},
    {ADD, "/chosen", "_", S("xen,domain"), "/chosen/_: domain name \"_\": expected 1 to 32"},
};

static void what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(refused); i++) {
        const struct row *row = &refused[i];
        int result;

        write_tree();
        apply(row);
        result = take(&listed, fdt_totalsize(fdt));
        if (result == 0 || strstr(problem.text, row->words) == NULL)
            fail_msg("row %zu, %s: %s: %d, %s", i, row->node, row->property, result, problem.text);
        if (result != 0 && (strncmp(problem.text, "t.dtb: /", 8) != 0 || strchr(problem.text, '\n') != NULL))
            fail_msg("row %zu: not one line that names the file: %s", i, problem.text);
        vmm_config_finish(&config);
    }
}

static const struct row told[] = {
    {SET, D1, "nr_spis", ONE, D1 ": nr_spis: 1 is not honoured"},
    {SET, D1, "xen,domain-p2m-mem-mb", ONE, D1 ": xen,domain-p2m-mem-mb: 1 is not honoured"},
    {SET, D1, "max_grant_version", ONE, D1 ": max_grant_version: 1 is not honoured"},
    {SET, D1, "max_grant_frames", ONE, D1 ": max_grant_frames: "},
    {SET, D1, "max_maptrack_frames", ONE, D1 ": max_maptrack_frames: "},
    {SET, D1, "trap-unmapped-accesses", ONE, D1 ": trap-unmapped-accesses: "},
    {SET, D1, "llc-colors", S("0-3"), D1 ": llc-colors: is not honoured"},
    {SET, D1, "xen,static-mem", "\x30\0\0\0\x20\0\0\0", 8, D1 ": xen,static-mem: is not honoured"},
    {SET, D1, "domain-cpupool", "\0\0\0\7", 4, D1 ": domain-cpupool: is not honoured"},
    {SET, D1, "colour", S("red"), D1 ": colour: is not known"},
    {SET, M1, "colour", S("red"), M1 ": colour: is not known"},
    {ADD, D1, "other", S("acme,thing"), D1 "/other: compatible: is not known"},
    {SET, "/chosen", "xen,xen-bootargs", S("conswitch=b"), "/chosen: xen,xen-bootargs: of it conswitch alone"},
    {SET, "/chosen", "xen,dom0-bootargs", S("x"), "/chosen: xen,dom0-bootargs: is not honoured"},
    {SET, "/chosen", "xen,static-heap", "\0\0\0\0", 4, "/chosen: xen,static-heap: is not honoured"},
    {ADD, "/chosen", "dom0", S("multiboot,kernel\0multiboot,module"), "/chosen/dom0: compatible: is not started"},
    {ADD, "/chosen", "old", S("xen,linux-zimage\0xen,multiboot-module"), "/chosen/old: compatible: is not started"},
    {SET, D1, "capabilities", "\0\0\0\0", 4, NULL},
    {SET, D1, "passthrough", S("disabled"), NULL},
    {SET, D1, "sve", "\0\0\0\0", 4, NULL},
    {SET, D1, "xen,sci_type", S("none"), NULL},
    {SET, D1, "xen,enhanced", S("disabled"), NULL},
    {SET, D1, "phandle", ONE, NULL},
};

static void what_is_told_and_what_is_honoured(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(told); i++) {
        const struct row *row = &told[i];

        write_tree();
        apply(row);
        if (take(&listed, fdt_totalsize(fdt)) != 0)
            fail_msg("%s: %s is refused: %s", row->node, row->property, problem.text);
        if (row->words != NULL ? !noted(row->words) : config.n_notes != 2 /* files that it would need */)
            fail_msg("%s: %s: %zu notes, the first is %s", row->node, row->property, config.n_notes,
                     config.n_notes > 0 ? config.notes[0] : "");
        vmm_config_finish(&config);
    }
}

/* ---- What becomes of it. ---- */

static void what_is_taken(void **state)
{
    const struct domain_config *d;

    (void)state;
    write_tree();
    assert_int_equal(fdt_setprop(fdt, at(D1), "vpl011", NULL, 0), 0);
    assert_int_equal(fdt_setprop_string(fdt, at("/chosen"), "xen,xen-bootargs", "console=dtuart conswitch=bx"), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), 0);
    assert_int_equal(config.n_domains, 2);
    d = &config.domains[0];
    assert_string_equal(d->name, "domU1");
    assert_int_equal(d->memory_bytes, 16 << 20);
    assert_int_equal(d->vcpus, 2);
    assert_string_equal(d->cmdline, "console=ttyAMA0");
    assert_int_equal(d->n_consoles, 1);
    assert_string_equal(d->consoles[0].name, "vuart0");
    assert_true(door_is_uart(d->consoles[0].door));
    assert_string_equal(config.domains[1].name, "domU2");
    assert_int_equal(config.domains[1].consoles[0].door, DOOR_CONSOLE_IO);
    assert_string_equal(config.conswitch, "b");
    assert_true(config.conswitch_to_xen);
    vmm_config_finish(&config);
}

static void one_cell_and_a_shared_kernel(void **state)
{
    static const char *const paths[] = {D1, D2}, *const inside[] = {M1, M2};

    (void)state;
    write_tree();
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fdt_setprop_u32(fdt, at(paths[i]), "#address-cells", 1), 0);
        assert_int_equal(fdt_setprop_u32(fdt, at(paths[i]), "#size-cells", 1), 0);
        assert_int_equal(fdt_setprop(fdt, at(inside[i]), "reg", "\x40\0\0\0\0\0\x10\0", 8), 0);
    }
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), 0);
    assert_true(noted("--module 0x40000000=FILE"));
    vmm_config_finish(&config);
}

static void names_that_are_double(void **state)
{
    int node;

    (void)state;
    write_tree();
    assert_int_equal(fdt_set_name(fdt, at(D2), "domU1"), 0); /* which no dtc would let pass */
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, "/chosen/domU1: domain \"domU1\" is there twice"));
    vmm_config_finish(&config);
    write_tree();
    assert_int_equal(fdt_set_name(fdt, at(D2), "domU@1"), 0);
    node = fdt_subnode_offset(fdt, at("/chosen"), "domU1");
    assert_int_equal(fdt_set_name(fdt, node, "domU-1"), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, "domain \"domU-1\" is there twice"));
    vmm_config_finish(&config);
}

static void vcpus_that_are_not_there(void **state)
{
    int node;

    (void)state;
    write_tree();
    node = fdt_add_subnode(fdt, at(D1), "vcpu0");
    assert_int_equal(fdt_setprop_string(fdt, node, "compatible", "xen,vcpu"), 0);
    assert_int_equal(fdt_setprop_u32(fdt, node, "id", 1), 0);
    assert_int_equal(fdt_setprop_string(fdt, node, "hard-affinity", "0-3"), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), 0);
    assert_true(noted("vcpu0: hard-affinity: \"0-3\" is not honoured"));
    vmm_config_finish(&config);
    assert_int_equal(fdt_setprop_u32(fdt, at(D1 "/vcpu0"), "id", 2), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, "vcpu0: id: 2: expected less than the domain's cpus, 2"));
    vmm_config_finish(&config);
    assert_int_equal(fdt_setprop_u32(fdt, at(D1 "/vcpu0"), "id", 1), 0);
    node = fdt_add_subnode(fdt, at(D1), "vcpu1");
    assert_int_equal(fdt_setprop_string(fdt, node, "compatible", "xen,vcpu"), 0);
    assert_int_equal(fdt_setprop_u32(fdt, node, "id", 1), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, ": id: 1 is there twice"));
    vmm_config_finish(&config);
}

/* A handle is followed one step: to itself, or round and round, is no further than elsewhere. */
static void phandles_that_lead_back(void **state)
{
    (void)state;
    write_tree();
    assert_int_equal(fdt_setprop_u32(fdt, at(D1), "phandle", 8), 0);
    assert_int_equal(fdt_setprop_u32(fdt, at(D1), "domain-cpupool", 8), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, D1 ": domain-cpupool: 0x8 is not the phandle of a node compatible with"));
    vmm_config_finish(&config);
    write_tree();
    assert_int_equal(fdt_setprop_u32(fdt, at(D1), "domain-cpupool", 7), 0);
    assert_int_equal(fdt_setprop_u32(fdt, at("/pool"), "domain-cpupool", 7), 0);
    assert_int_equal(fdt_setprop_u32(fdt, at("/pool"), "interrupt-parent", 7), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), 0);
    vmm_config_finish(&config);
}

static void too_many_domains(void **state)
{
    uint8_t *small = fdt;

    (void)state;
    fdt = malloc(1 << 20);
    assert_non_null(fdt);
    assert_int_equal(fdt_create(fdt, 1 << 20), 0);
    assert_int_equal(fdt_finish_reservemap(fdt), 0);
    assert_int_equal(fdt_begin_node(fdt, ""), 0);
    assert_int_equal(fdt_begin_node(fdt, "chosen"), 0);
    for (unsigned i = 0; i <= CONFIG_DOMAINS_MAX; i++) {
        char name[32];

        snprintf(name, sizeof name, "domU%u", i);
        write_domain(name, "module", 0x1000); /* one kernel for all */
    }
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_end_node(fdt), 0);
    assert_int_equal(fdt_finish(fdt), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, "/chosen/domU1024: domain \"domU1024\": expected at most 1024 domains"));
    vmm_config_finish(&config);
    free(fdt);
    fdt = small;
}

/* ---- Which file. ---- */

static const struct {
    size_t n_modules;
    const char *modules[3], *words;
} files[] = {
    {1, {"0x1000=/dev/null"}, M1 ": reg: /dev/null: expected a regular file"},
    {1, {"0x1000=/nowhere/Image"}, M1 ": reg: /nowhere/Image: No such file"},
    {1, {"0x2000=/dev/null"}, M1 ": reg: nothing says which file is at 0x1000: expected --module 0x1000=FILE"},
    {1, {"0x1000"}, "--module \"0x1000\": expected ADDR=FILE"},
    {1, {"0x1000="}, "--module \"0x1000=\": expected ADDR=FILE"},
    {1, {"-1=x"}, "--module \"-1=x\": expected ADDR=FILE"},
    {1, {"Image=0x1000"}, "--module \"Image=0x1000\": expected ADDR=FILE"},
    {1, {"0x10000000000000000=x"}, "expected ADDR=FILE"},
    {2, {"0x1000=a", "4096=b"}, "--module 0x1000 is given twice"},
};

static void files_that_are_not_there(void **state)
{
    (void)state;
    write_tree();
    for (size_t i = 0; i < N_ROWS(files); i++) {
        const struct vmm_config_options options = {.modules = files[i].modules, .n_modules = files[i].n_modules};

        assert_int_equal(take(&options, fdt_totalsize(fdt)), -1);
        if (strstr(problem.text, files[i].words) == NULL)
            fail_msg("row %zu: %s", i, problem.text);
        vmm_config_finish(&config);
    }
}

static void a_file_that_is_larger_than_its_place(void **state)
{
    const struct vmm_config_options options = {.modules = modules, .n_modules = 2};

    (void)state;
    write_tree();
    assert_int_equal(fdt_setprop(fdt, at(M1), "reg", "\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\xf\xff", 16), 0);
    assert_int_equal(take(&options, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, M1 ": reg: 0xfff bytes: /tmp/"));
    vmm_config_finish(&config);
}

static void a_file_that_is_no_kernel(void **state)
{
    const struct vmm_config_options options = {.modules = modules, .n_modules = 2};

    (void)state;
    write_tree();
    assert_int_equal(take(&options, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, "t.dtb: " D1 ": "));
    vmm_config_finish(&config);
}

static void a_path_of_firmware_that_leads_up(void **state)
{
    const struct vmm_config_options options = {0};

    (void)state;
    write_tree();
    assert_int_equal(fdt_setprop_string(fdt, at(M1), "xen,uefi-binary", "../Image"), 0);
    assert_int_equal(take(&options, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, M1 ": xen,uefi-binary: \"../Image\": expected a file beside the tree"));
    vmm_config_finish(&config);
}

/* ---- Bytes that are no tree. ---- */

static void every_cut_is_seen(void **state)
{
    size_t whole;

    (void)state;
    write_tree();
    assert_int_equal(fdt_pack(fdt), 0);
    whole = fdt_totalsize(fdt);
    for (size_t n = 0; n < whole; n++) {
        assert_int_equal(take(&listed, n), -1);
        assert_non_null(strstr(problem.text, "t.dtb: not a whole device tree: "));
        vmm_config_finish(&config);
    }
    assert_int_equal(take(&listed, whole), 0);
    vmm_config_finish(&config);
}

/* No assertion but that it ends, in bounds, with one line: the sanitizers see the rest. */
static void every_byte_may_be_another(void **state)
{
    (void)state;
    write_tree();
    assert_int_equal(fdt_pack(fdt), 0);
    for (size_t n = 0, whole = fdt_totalsize(fdt); n < whole; n++)
        for (unsigned flip = 1; flip < 256; flip <<= 2) {
            fdt[n] ^= (uint8_t)flip;
            if (take(&listed, whole) != 0)
                assert_true(problem.text[0] != '\0' && strchr(problem.text, '\n') == NULL);
            vmm_config_finish(&config);
            fdt[n] ^= (uint8_t)flip;
        }
}

static void a_tree_that_is_huge(void **state)
{
    uint8_t *small = fdt;

    (void)state;
    fdt = calloc(1, DOM0LESS_TREE_BYTES + 1);
    assert_non_null(fdt);
    assert_int_equal(take(&listed, DOM0LESS_TREE_BYTES + 1), -1);
    assert_non_null(strstr(problem.text, "t.dtb: expected at most 2 MiB"));
    vmm_config_finish(&config);
    free(fdt);
    fdt = small;
}

static void damage_says_where(void **state)
{
    int node;

    (void)state;
    write_tree();
    node = at(D2);
    *(fdt32_t *)(void *)(fdt + fdt_off_dt_struct(fdt) + (unsigned)node + 16) = cpu_to_fdt32(0x77); /* behind its name */
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, "FDT_ERR_BADSTRUCTURE"));
    assert_non_null(strstr(problem.text, "in node \""));
    vmm_config_finish(&config);
}

static void no_chosen_and_no_domain(void **state)
{
    (void)state;
    write_tree();
    assert_int_equal(fdt_set_name(fdt, at("/chosen"), "choice"), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_string_equal(problem.text, "t.dtb: no node /chosen: expected one, with domains");
    vmm_config_finish(&config);
    write_tree();
    assert_int_equal(fdt_del_node(fdt, at(D2)), 0);
    assert_int_equal(fdt_del_node(fdt, at(D1)), 0);
    assert_int_equal(take(&listed, fdt_totalsize(fdt)), -1);
    assert_non_null(strstr(problem.text, "t.dtb: /chosen: no domain: expected a node compatible with \"xen,domain\""));
    vmm_config_finish(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(what_is_told_and_what_is_honoured),
        cmocka_unit_test(one_cell_and_a_shared_kernel),
        cmocka_unit_test(names_that_are_double),
        cmocka_unit_test(vcpus_that_are_not_there),
        cmocka_unit_test(phandles_that_lead_back),
        cmocka_unit_test(too_many_domains),
        cmocka_unit_test(files_that_are_not_there),
        cmocka_unit_test(a_file_that_is_larger_than_its_place),
        cmocka_unit_test(a_file_that_is_no_kernel),
        cmocka_unit_test(a_path_of_firmware_that_leads_up),
        cmocka_unit_test(every_cut_is_seen),
        cmocka_unit_test(every_byte_may_be_another),
        cmocka_unit_test(a_tree_that_is_huge),
        cmocka_unit_test(damage_says_where),
        cmocka_unit_test(no_chosen_and_no_domain),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
