/* SPDX-License-Identifier: MIT */
/* The device tree of an arm64 domain, as libfdt reads it: each property by the binding that wants it. */
#include "../../vmm/kvm/arm64/device_tree.h"
#include "unit.h"
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/doorbell.h>

static uint8_t *tree; /* its own memory, so that one byte behind it is seen */

static int make(void **state)
{
    (void)state;
    tree = malloc(DEVICE_TREE_BYTES);
    return tree == NULL;
}

static int unmake(void **state)
{
    (void)state;
    free(tree);
    return 0;
}

static const struct device_tree_uart uarts[] = {{ARM64_UART_GPA, 1, false},
                                                {ARM64_UART_GPA + ARM64_UART_STRIDE, 2, true}};

static struct device_tree_machine machine(void)
{
    return (struct device_tree_machine){.bootargs = "console=ttyAMA0 quiet",
                                        .n_vcpus = 4,
                                        .ram_bytes = UINT64_C(5) << 30,
                                        .initrd_begin = 0x48000000,
                                        .initrd_end = 0x48123456,
                                        .uarts = uarts,
                                        .n_uarts = 2,
                                        .virtio = 5};
}

static void write_tree(const struct device_tree_machine *m)
{
    memset(tree, 0xa5, DEVICE_TREE_BYTES);
    assert_true(device_tree_write(tree, m));
    assert_int_equal(fdt_check_full(tree, DEVICE_TREE_BYTES), 0);
}

static const void *property(const char *path, const char *name, int n_expected)
{
    int node = fdt_path_offset(tree, path), n = 0;
    const void *value;

    if (node < 0)
        fail_msg("no node %s", path);
    value = fdt_getprop(tree, node, name, &n);
    if (value == NULL || n != n_expected)
        fail_msg("%s of %s: %d bytes, expected %d", name, path, n, n_expected);
    return value;
}

static void is_text(const char *path, const char *name, const char *text, size_t n)
{
    assert_memory_equal(property(path, name, (int)n), text, n);
}
#define IS_TEXT(path, name, text) is_text(path, name, text, sizeof(text))

static void is_cells(const char *path, const char *name, const uint32_t *cells, size_t n)
{
    const fdt32_t *at = property(path, name, (int)(n * 4));

    for (size_t i = 0; i < n; i++)
        if (fdt32_ld(at + i) != cells[i])
            fail_msg("%s of %s: cell %zu is 0x%x, not 0x%x", name, path, i, fdt32_ld(at + i), cells[i]);
}
#define IS_CELLS(path, name, ...)                                                                                      \
    is_cells(path, name, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void what_linux_looks_for(void **state)
{
    struct device_tree_machine m = machine();

    (void)state;
    write_tree(&m);
    IS_CELLS("/", "#address-cells", 2);
    IS_CELLS("/", "#size-cells", 2);
    IS_TEXT("/chosen", "bootargs", "console=ttyAMA0 quiet");
    IS_TEXT("/chosen", "stdout-path", "serial0:115200n8");
    IS_CELLS("/chosen", "linux,initrd-start", 0, 0x48000000);
    IS_CELLS("/chosen", "linux,initrd-end", 0, 0x48123456);
    IS_TEXT("/memory@40000000", "device_type", "memory");
    IS_CELLS("/memory@40000000", "reg", 0, 0x40000000, 1, 0x40000000);
    IS_TEXT("/cpus/cpu@3", "enable-method", "psci");
    IS_CELLS("/cpus/cpu@3", "reg", 3);
    IS_TEXT("/psci", "compatible", "arm,psci-1.0\0arm,psci-0.2");
    IS_TEXT("/psci", "method", "hvc");
    IS_TEXT("/intc@8000000", "compatible", "arm,gic-v3");
    IS_CELLS("/intc@8000000", "#interrupt-cells", 3);
    IS_CELLS("/intc@8000000", "reg", 0, 0x08000000, 0, 0x10000, 0, 0x080a0000, 0, 0x80000);
    IS_TEXT("/timer", "compatible", "arm,armv8-timer");
    IS_CELLS("/timer", "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
    IS_TEXT("/pl011@9000000", "compatible", "arm,pl011\0arm,primecell");
    IS_TEXT("/pl011@9000000", "clock-names", "uartclk\0apb_pclk");
    IS_CELLS("/pl011@9000000", "reg", 0, 0x09000000, 0, 0x1000);
    IS_CELLS("/pl011@9000000", "interrupts", 0, 1, 4);
    IS_TEXT("/uart@9010000", "compatible", "arm,sbsa-uart");
    IS_CELLS("/uart@9010000", "current-speed", 115200);
    IS_CELLS("/uart@9010000", "interrupts", 0, 2, 4);
    IS_TEXT("/aliases", "serial1", "/uart@9010000");
    IS_TEXT("/virtio_mmio@a010400", "compatible", "virtio,mmio");
    IS_CELLS("/virtio_mmio@a010400", "reg", 0, 0x0a010400, 0, 0x200);
    IS_CELLS("/virtio_mmio@a010400", "interrupts", 0, 19, 4);
    property("/virtio_mmio@a010000", "dma-coherent", 0);
    assert_true(fdt_path_offset(tree, "/virtio_mmio@a010200") < 0); /* the gap between the two */
    IS_TEXT("/hypervisor@a000000", "compatible", VC_DOORBELL_COMPATIBLE);
}

/* A phandle that names nothing is the mistake that no reader of single properties sees. */
static void references_lead_somewhere(void **state)
{
    struct device_tree_machine m = machine();
    uint32_t gic, clock;

    (void)state;
    write_tree(&m);
    gic = fdt32_ld(property("/", "interrupt-parent", 4));
    clock = fdt32_ld(property("/pl011@9000000", "clocks", 8));
    assert_int_equal(fdt_node_offset_by_phandle(tree, gic), fdt_path_offset(tree, "/intc@8000000"));
    assert_int_equal(fdt_node_offset_by_phandle(tree, clock), fdt_path_offset(tree, "/apb-pclk"));
    assert_true(fdt_path_offset(tree, fdt_get_alias(tree, "serial0")) == fdt_path_offset(tree, "/pl011@9000000"));
}

static void as_little_as_may_be(void **state)
{
    struct device_tree_machine m = {.bootargs = "", .n_vcpus = 1, .ram_bytes = 8 << 20};
    int chosen;

    (void)state;
    write_tree(&m);
    chosen = fdt_path_offset(tree, "/chosen");
    assert_null(fdt_getprop(tree, chosen, "stdout-path", NULL));
    assert_null(fdt_getprop(tree, chosen, "linux,initrd-start", NULL));
    IS_TEXT("/chosen", "bootargs", "");
}

static void as_much_as_fits(void **state)
{
    struct device_tree_uart many[ARM64_UARTS_MAX];
    struct device_tree_machine m = {.n_vcpus = ARM64_VCPUS_MAX,
                                    .ram_bytes = UINT64_C(64) << 30,
                                    .uarts = many,
                                    .n_uarts = ARM64_UARTS_MAX,
                                    .virtio = UINT32_MAX};
    char bootargs[DEVICE_TREE_BYTES + 1];

    (void)state;
    for (uint32_t i = 0; i < ARM64_UARTS_MAX; i++)
        many[i] = (struct device_tree_uart){ARM64_UART_GPA + i * ARM64_UART_STRIDE, ARM64_UART_SPI + i, i % 2 != 0};
    memset(bootargs, 'a', sizeof bootargs);
    bootargs[4095] = '\0'; /* the longest that the configuration takes */
    m.bootargs = bootargs;
    write_tree(&m);
    IS_CELLS("/cpus/cpu@f", "reg", 15);
    IS_CELLS("/virtio_mmio@a013e00", "interrupts", 0, 48, 4);
    bootargs[4095] = 'a';
    bootargs[DEVICE_TREE_BYTES] = '\0';
    assert_false(device_tree_write(tree, &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_linux_looks_for),
        cmocka_unit_test(references_lead_somewhere),
        cmocka_unit_test(as_little_as_may_be),
        cmocka_unit_test(as_much_as_fits),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
