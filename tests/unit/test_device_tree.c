/* SPDX-License-Identifier: MIT */
/* The guest's reader of device trees, and what tiny takes from one: good trees, and damaged ones at the end of their memory. */
#include "arm64/tree.h"
#include "random.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4, END = 9 };
enum { STRUCTURE_MAX = 16384, STRINGS_MAX = 1024, HEADER = 40 };

struct writer { /* makes a tree as the specification's chapter 5 says */
    uint8_t structure[STRUCTURE_MAX], strings[STRINGS_MAX];
    uint32_t n, n_strings;
};

static void be32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void word(struct writer *w, uint32_t v)
{
    be32(w->structure + w->n, v);
    w->n += 4;
}

static void bytes(struct writer *w, const void *from, uint32_t n)
{
    memcpy(w->structure + w->n, from, n);
    w->n += n;
    while (w->n % 4 != 0)
        w->structure[w->n++] = 0;
}

static void begin(struct writer *w, const char *name)
{
    word(w, BEGIN_NODE);
    bytes(w, name, (uint32_t)strlen(name) + 1);
}

static void end(struct writer *w) { word(w, END_NODE); }

static void property(struct writer *w, const char *name, const void *value, uint32_t n)
{
    word(w, PROPERTY);
    word(w, n);
    word(w, w->n_strings);
    strcpy((char *)w->strings + w->n_strings, name);
    w->n_strings += (uint32_t)strlen(name) + 1;
    bytes(w, value, n);
}

static void text(struct writer *w, const char *name, const char *value)
{
    property(w, name, value, (uint32_t)strlen(value) + 1);
}

static void cells(struct writer *w, const char *name, uint32_t n, const uint32_t *values)
{
    uint8_t be[64];

    for (uint32_t i = 0; i < n; i++)
        be32(be + 4 * i, values[i]);
    property(w, name, be, 4 * n);
}
#define CELLS(w, name, ...) cells(w, name, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (const uint32_t[]){__VA_ARGS__})

/* On the heap, of exactly its size: a read beyond it is seen. */
static uint8_t *finish(struct writer *w, uint32_t *total)
{
    uint8_t *dtb;

    word(w, END);
    *total = HEADER + w->n + w->n_strings;
    dtb = calloc(1, *total);
    assert_non_null(dtb);
    be32(dtb, 0xd00dfeed);
    be32(dtb + 4, *total);
    be32(dtb + 8, HEADER);
    be32(dtb + 12, HEADER + w->n);
    be32(dtb + 20, 17);
    be32(dtb + 24, 16);
    be32(dtb + 32, w->n_strings);
    be32(dtb + 36, w->n);
    memcpy(dtb + HEADER, w->structure, w->n);
    memcpy(dtb + HEADER + w->n, w->strings, w->n_strings);
    return dtb;
}

static void write_root(struct writer *w)
{
    begin(w, "");
    CELLS(w, "#address-cells", 2);
    CELLS(w, "#size-cells", 2);
}

static void write_cpus(struct writer *w)
{
    begin(w, "cpus");
    CELLS(w, "#address-cells", 1);
    CELLS(w, "#size-cells", 0);
    for (uint32_t i = 0; i < 2; i++) {
        begin(w, i == 0 ? "cpu@0" : "cpu@100");
        text(w, "device_type", "cpu");
        CELLS(w, "reg", i * 0x100);
        end(w);
    }
    end(w);
}

static void write_uart(struct writer *w, const char *name, const char *compatible, uint32_t base, uint32_t spi)
{
    begin(w, name);
    text(w, "compatible", compatible);
    CELLS(w, "reg", 0, base, 0, 0x1000);
    CELLS(w, "interrupts", 0, spi, 4);
    end(w);
}

/* All that tiny looks for, as QEMU and vcons-vmm have it. */
static uint8_t *machine(uint32_t *total, const char *stdout_path)
{
    struct writer *w = calloc(1, sizeof *w);
    uint8_t *dtb;

    assert_non_null(w);
    write_root(w);
    word(w, NOP);
    begin(w, "memory@40000000");
    text(w, "device_type", "memory");
    CELLS(w, "reg", 0, 0x40000000, 0, 0x8000000, 1, 0, 0, 0x200000);
    end(w);
    begin(w, "chosen");
    text(w, "bootargs", "console=uart1; spew 3");
    text(w, "stdout-path", stdout_path);
    end(w);
    begin(w, "aliases");
    text(w, "serial1", "/soc/uart@b000000");
    end(w);
    write_cpus(w);
    begin(w, "psci");
    property(w, "compatible", "arm,psci-1.0\0arm,psci-0.2", 26);
    text(w, "method", "smc");
    end(w);
    begin(w, "intc@8000000");
    text(w, "compatible", "arm,gic-v3");
    CELLS(w, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000);
    end(w);
    begin(w, "hypervisor@c000000");
    text(w, "compatible", "vcons,doorbell");
    CELLS(w, "reg", 0, 0xc000000, 0, 0x1000);
    end(w);
    begin(w, "hypervisor"); /* as Xen has it */
    property(w, "compatible", "xen,xen-4.17\0xen,xen", 21);
    CELLS(w, "reg", 0, 0x38000000, 0, 0x1000000);
    CELLS(w, "interrupts", 1, 15, 0xf08);
    end(w);
    begin(w, "soc");
    CELLS(w, "#address-cells", 2);
    CELLS(w, "#size-cells", 2);
    write_uart(w, "uart@9000000", "arm,pl011", 0x9000000, 1);
    begin(w, "uart@a000000");
    text(w, "compatible", "arm,pl011");
    text(w, "status", "disabled");
    CELLS(w, "reg", 0, 0xa000000, 0, 0x1000);
    end(w);
    write_uart(w, "uart@b000000", "arm,sbsa-uart", 0xb000000, 7);
    end(w);
    end(w);
    dtb = finish(w, total);
    free(w);
    return dtb;
}

static void machine_is_read(void **state)
{
    uint32_t total;
    uint8_t *dtb = machine(&total, "/soc/uart@9000000");
    struct tree t = {0};

    (void)state;
    assert_true(tree_read(&t, dtb));
    assert_int_equal(t.n_rams, 2);
    assert_int_equal(t.rams[0].base, 0x40000000);
    assert_int_equal(t.rams[0].bytes, 0x8000000);
    assert_int_equal(t.rams[1].base, UINT64_C(1) << 32);
    assert_string_equal(t.cmdline, "console=uart1; spew 3");
    assert_int_equal(t.n_cpus, 2);
    assert_int_equal(t.cpus[1], 0x100);
    assert_int_equal(t.psci, TREE_PSCI_SMC);
    assert_int_equal(t.gic, TREE_GICV3);
    assert_int_equal(t.distributor, 0x8000000);
    assert_int_equal(t.redistributor_bytes, 0xf60000);
    assert_int_equal(t.doorbell, 0xc000000);
    assert_true(t.xen);
    assert_int_equal(t.xen_ppi, 31);
    assert_int_equal(t.n_uarts, 2); /* the disabled one is none */
    assert_int_equal(t.uarts[0].base, 0x9000000);
    assert_int_equal(t.uarts[0].spi, 1);
    assert_false(t.uarts[0].sbsa);
    assert_true(t.uarts[1].sbsa);
    assert_int_equal(t.uarts[1].spi, 7);
    free(dtb);
}

static const struct {
    const char *path;
    uint32_t uart;
} paths[] = {
    {"/soc/uart@b000000", 1},
    {"/soc/uart@b000000:115200n8", 1},
    {"serial1", 1},
    {"serial1:9600", 1},
    {"/soc/uart@9000000", 0},
    {"serial9", 0},
    {"/soc", 0},
    {"", 0},
    {"/soc/uart@b000000/", 0},
};

static void stdout_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(paths); i++) {
        uint32_t total;
        uint8_t *dtb = machine(&total, paths[i].path);
        struct tree t = {0};

        if (!tree_read(&t, dtb) || t.stdout_uart != paths[i].uart)
            fail_msg("stdout-path %s: uart %u", paths[i].path, t.stdout_uart);
        free(dtb);
    }
}

/* Where the header lies about the tree, there is none. */
static const struct {
    const char *what;
    uint32_t at, value;
} headers[] = {
    {"another magic", 0, 0xd00dfeee},
    {"larger than a kernel takes", 4, FDT_BYTES_MAX + 1},
    {"smaller than its header", 4, HEADER - 1},
    {"structure beyond the end", 8, 0x10000},
    {"structure not aligned", 8, HEADER + 1},
    {"structure that wraps", 36, UINT32_MAX},
    {"strings beyond the end", 12, 0x7fffffff},
    {"strings that wrap", 32, UINT32_MAX - 8},
    {"a format to come", 24, 18},
};

static void lying_headers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(headers); i++) {
        uint32_t total;
        uint8_t *dtb = machine(&total, "");
        struct fdt f;

        assert_true(fdt_open(&f, dtb, total));
        be32(dtb + headers[i].at, headers[i].value);
        if (fdt_open(&f, dtb, FDT_BYTES_MAX))
            fail_msg("taken: %s", headers[i].what);
        free(dtb);
    }
}

static uint32_t walk(const struct fdt *f)
{
    struct fdt_node node = {0};
    uint32_t n = 0;

    for (; fdt_next(f, &node); n++) {
        assert_true(node.depth >= 1 && node.depth <= FDT_DEPTH_MAX && node.at <= f->structure_end);
        assert_non_null(memchr(node.path, '\0', sizeof node.path));
    }
    return n;
}

/* Every cut that leaves the header, in memory of just that size. */
static void cut_trees_end(void **state)
{
    uint32_t total, whole;
    uint8_t *dtb = machine(&total, "serial1");
    struct fdt f;

    (void)state;
    assert_true(fdt_open(&f, dtb, total));
    whole = walk(&f);
    assert_int_equal(whole, 15);
    for (uint32_t n = 0; n < total - HEADER; n += 4) {
        uint8_t *cut = malloc(HEADER + n + STRINGS_MAX);
        uint32_t strings = total - HEADER - (f.structure_end - f.structure);

        assert_non_null(cut);
        if (n > f.structure_end - f.structure)
            n = f.structure_end - f.structure;
        memcpy(cut, dtb, HEADER + n);
        memcpy(cut + HEADER + n, dtb + f.strings, strings);
        be32(cut + 4, HEADER + n + strings);
        be32(cut + 12, HEADER + n);
        be32(cut + 36, n);
        cut = realloc(cut, HEADER + n + strings);
        assert_true(tree_read(&(struct tree){0}, cut));
        free(cut);
        if (n == f.structure_end - f.structure)
            break;
    }
    free(dtb);
}

static void spoiled_trees_end(void **state)
{
    uint64_t seed = 5;
    uint32_t total;
    uint8_t *dtb = machine(&total, "serial1"), *spoiled = malloc(total);

    (void)state;
    assert_non_null(spoiled);
    for (uint32_t round = 0; round < 20000; round++) {
        struct tree t = {0};
        struct fdt f;

        memcpy(spoiled, dtb, total);
        for (uint32_t i = 0; i <= round % 3; i++)
            spoiled[HEADER + random_below(&seed, total - HEADER)] = (uint8_t)(random_next(&seed) >> 20);
        assert_true(fdt_open(&f, spoiled, total));
        walk(&f);
        tree_read(&t, spoiled);
        assert_true(t.n_rams <= TREE_RAMS && t.n_uarts <= TREE_UARTS && t.n_cpus <= TREE_CPUS);
        for (uint32_t i = 0; i < t.n_rams; i++)
            assert_true(t.rams[i].bytes <= TREE_ADDRESS_END - t.rams[i].base);
    }
    free(spoiled);
    free(dtb);
}

static void deep_trees_end(void **state)
{
    struct writer *w = calloc(1, sizeof *w);
    uint32_t total;
    uint8_t *dtb;
    struct fdt f;

    (void)state;
    assert_non_null(w);
    begin(w, "");
    for (uint32_t i = 0; i < 200; i++)
        begin(w, "a-node-with-a-name-of-some-length");
    dtb = finish(w, &total);
    assert_true(fdt_open(&f, dtb, total));
    assert_int_equal(walk(&f), FDT_DEPTH_MAX);
    free(dtb);
    free(w);
}

static void more_than_fits_is_left_out(void **state)
{
    struct writer *w = calloc(1, sizeof *w);
    struct tree t = {0};
    uint32_t total;
    uint8_t *dtb;

    (void)state;
    assert_non_null(w);
    write_root(w);
    for (uint32_t i = 0; i < 20; i++) {
        begin(w, "memory");
        text(w, "device_type", "memory");
        CELLS(w, "reg", i == 0 ? 0xffffffff : i == 1 ? 0x7f : 1, 0, 0xffffffff, 0xffffffff);
        end(w);
        write_uart(w, "uart", "arm,pl011", i << 12, 2000);
    }
    end(w);
    dtb = finish(w, &total);
    assert_true(tree_read(&t, dtb));
    assert_int_equal(t.n_rams, TREE_RAMS); /* the one beyond all addresses is none */
    assert_int_equal(t.rams[0].base, UINT64_C(0x7f00000000));
    assert_int_equal(t.rams[0].bytes, UINT64_C(0x100000000)); /* cut off */
    assert_int_equal(t.n_uarts, TREE_UARTS);
    assert_int_equal(t.uarts[3].spi, TREE_NO_SPI);
    free(dtb);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(machine_is_read),           cmocka_unit_test(stdout_is_found),
                                       cmocka_unit_test(lying_headers_are_refused), cmocka_unit_test(cut_trees_end),
                                       cmocka_unit_test(spoiled_trees_end),         cmocka_unit_test(deep_trees_end),
                                       cmocka_unit_test(more_than_fits_is_left_out)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
