/* SPDX-License-Identifier: MIT */
#include "device_tree.h"
#include <libfdt.h>
#include <stdio.h>
#include <string.h>
#include <vcons/wire/doorbell.h>

enum { PHANDLE_GIC = 1, PHANDLE_CLOCK = 2 };
enum { GIC_SPI = 0, GIC_PPI = 1 }; /* arm,gic-v3.yaml: the first of three cells */
enum { LEVEL_HIGH = 4 };           /* the third */
enum {
    PPI_SECURE = 13,
    PPI_PHYSICAL = 14,
    PPI_VIRTUAL = 11,
    PPI_HYPERVISOR = 10
};                              /* arm,arch_timer.yaml, in its order */
#define UART_CLOCK_HZ 24000000u /* what boards have; nothing here counts in it */

struct writer {
    void *fdt;
    int error; /* the first; nothing is written afterwards */
};

static void begin(struct writer *w, const char *name)
{
    if (w->error == 0)
        w->error = fdt_begin_node(w->fdt, name);
}

static void end(struct writer *w)
{
    if (w->error == 0)
        w->error = fdt_end_node(w->fdt);
}

static void begin_at(struct writer *w, const char *name, uint64_t address)
{
    char unit[64];

    snprintf(unit, sizeof unit, "%s@%llx", name, (unsigned long long)address);
    begin(w, unit);
}

static void bytes(struct writer *w, const char *name, const void *value, size_t n)
{
    if (w->error == 0)
        w->error = fdt_property(w->fdt, name, value, (int)n);
}

static void string(struct writer *w, const char *name, const char *value) { bytes(w, name, value, strlen(value) + 1); }

/* Several strings in one property: n counts the last one's NUL. */
#define STRINGS(w, name, value) bytes(w, name, value, sizeof(value))

static void empty(struct writer *w, const char *name) { bytes(w, name, NULL, 0); }

static void cells(struct writer *w, const char *name, const uint32_t *values, size_t n)
{
    fdt32_t big[16];

    for (size_t i = 0; i < n; i++)
        big[i] = cpu_to_fdt32(values[i]);
    bytes(w, name, big, n * sizeof big[0]);
}
#define CELLS(w, name, ...)                                                                                            \
    cells(w, name, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void cell(struct writer *w, const char *name, uint32_t value) { cells(w, name, &value, 1); }

static void wide(struct writer *w, const char *name, uint64_t value)
{
    CELLS(w, name, (uint32_t)(value >> 32), (uint32_t)value);
}

static void reg(struct writer *w, uint64_t address, uint64_t size)
{
    CELLS(w, "reg", (uint32_t)(address >> 32), (uint32_t)address, (uint32_t)(size >> 32), (uint32_t)size);
}

static void uart_path(char path[64], const struct device_tree_uart *uart)
{
    snprintf(path, 64, "/%s@%llx", uart->sbsa ? "uart" : "pl011", (unsigned long long)uart->gpa);
}

/* serialN keeps ttyAMA numbers to the configuration's order. */
static void write_aliases(struct writer *w, const struct device_tree_machine *m)
{
    char name[32], path[64];

    begin(w, "aliases");
    for (uint32_t i = 0; i < m->n_uarts; i++) {
        snprintf(name, sizeof name, "serial%u", (unsigned)i);
        uart_path(path, &m->uarts[i]);
        string(w, name, path);
    }
    end(w);
}

static void write_chosen(struct writer *w, const struct device_tree_machine *m)
{
    begin(w, "chosen");
    string(w, "bootargs", m->bootargs);
    if (m->n_uarts > 0)
        string(w, "stdout-path", "serial0:115200n8");
    if (m->initrd_begin != m->initrd_end) {
        wide(w, "linux,initrd-start", m->initrd_begin);
        wide(w, "linux,initrd-end", m->initrd_end);
    }
    end(w);
}

static void write_memory(struct writer *w, const struct device_tree_machine *m)
{
    begin_at(w, "memory", ARM64_RAM_GPA);
    string(w, "device_type", "memory");
    reg(w, ARM64_RAM_GPA, m->ram_bytes);
    end(w);
}

/* KVM gives vCPU n the affinity 0.0.(n >> 4).(n & 15) (vcpu_id in reset_mpidr). */
static void write_cpus(struct writer *w, const struct device_tree_machine *m)
{
    begin(w, "cpus");
    cell(w, "#address-cells", 1);
    cell(w, "#size-cells", 0);
    for (uint32_t i = 0; i < m->n_vcpus; i++) {
        uint32_t affinity = (i >> 4) << 8 | (i & 15);

        begin_at(w, "cpu", affinity);
        string(w, "device_type", "cpu");
        string(w, "compatible", "arm,armv8");
        string(w, "enable-method", "psci");
        cell(w, "reg", affinity);
        end(w);
    }
    end(w);
}

static void write_psci(struct writer *w)
{
    begin(w, "psci");
    STRINGS(w, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    string(w, "method", "hvc");
    end(w);
}

static void write_gic(struct writer *w, const struct device_tree_machine *m)
{
    const uint64_t redistributors = m->n_vcpus * ARM64_GICR_BYTES;

    begin_at(w, "intc", ARM64_GICD_GPA);
    string(w, "compatible", "arm,gic-v3");
    cell(w, "#interrupt-cells", 3);
    empty(w, "interrupt-controller");
    CELLS(w, "reg", 0, (uint32_t)ARM64_GICD_GPA, 0, (uint32_t)ARM64_GICD_BYTES, 0, (uint32_t)ARM64_GICR_GPA, 0,
          (uint32_t)redistributors);
    cell(w, "phandle", PHANDLE_GIC);
    end(w);
}

static void write_timer(struct writer *w)
{
    begin(w, "timer");
    string(w, "compatible", "arm,armv8-timer");
    CELLS(w, "interrupts", GIC_PPI, PPI_SECURE, LEVEL_HIGH, GIC_PPI, PPI_PHYSICAL, LEVEL_HIGH, GIC_PPI, PPI_VIRTUAL,
          LEVEL_HIGH, GIC_PPI, PPI_HYPERVISOR, LEVEL_HIGH);
    empty(w, "always-on");
    end(w);
}

/* Linux' bus for PrimeCells will not look at a device without its apb_pclk. */
static void write_clock(struct writer *w)
{
    begin(w, "apb-pclk");
    string(w, "compatible", "fixed-clock");
    cell(w, "#clock-cells", 0);
    cell(w, "clock-frequency", UART_CLOCK_HZ);
    string(w, "clock-output-names", "clk24mhz");
    cell(w, "phandle", PHANDLE_CLOCK);
    end(w);
}

static void write_uart(struct writer *w, const struct device_tree_uart *uart)
{
    char path[64];

    uart_path(path, uart);
    begin(w, path + 1);
    if (uart->sbsa) {
        string(w, "compatible", "arm,sbsa-uart");
        cell(w, "current-speed", 115200);
    } else {
        STRINGS(w, "compatible", "arm,pl011\0arm,primecell");
        CELLS(w, "clocks", PHANDLE_CLOCK, PHANDLE_CLOCK);
        STRINGS(w, "clock-names", "uartclk\0apb_pclk");
    }
    reg(w, uart->gpa, ARM64_UART_BYTES);
    CELLS(w, "interrupts", GIC_SPI, uart->spi, LEVEL_HIGH);
    end(w);
}

/* dma-coherent: its rings lie in memory that is cached on both sides (device-abi 2.5). */
static void write_virtio(struct writer *w, uint32_t number)
{
    const uint64_t gpa = ARM64_VIRTIO_GPA + number * (uint64_t)VC_VIRTIO_BYTES;

    begin_at(w, "virtio_mmio", gpa);
    string(w, "compatible", "virtio,mmio");
    reg(w, gpa, VC_VIRTIO_BYTES);
    CELLS(w, "interrupts", GIC_SPI, ARM64_VIRTIO_SPI + number, LEVEL_HIGH);
    empty(w, "dma-coherent");
    end(w);
}

static void write_doorbell(struct writer *w)
{
    begin_at(w, "hypervisor", ARM64_DOORBELL_GPA);
    string(w, "compatible", VC_DOORBELL_COMPATIBLE);
    reg(w, ARM64_DOORBELL_GPA, VC_DOORBELL_BYTES);
    end(w);
}

static void write_root(struct writer *w, const struct device_tree_machine *m)
{
    begin(w, "");
    cell(w, "#address-cells", 2);
    cell(w, "#size-cells", 2);
    cell(w, "interrupt-parent", PHANDLE_GIC);
    string(w, "model", "vcons");
    string(w, "compatible", "linux,dummy-virt");
    write_aliases(w, m);
    write_chosen(w, m);
    write_memory(w, m);
    write_cpus(w, m);
    write_psci(w);
    write_gic(w, m);
    write_timer(w);
    write_clock(w);
    for (uint32_t i = 0; i < m->n_uarts; i++)
        write_uart(w, &m->uarts[i]);
    for (uint32_t i = 0; i < VC_VIRTIO_MAX; i++)
        if ((m->virtio >> i & 1) != 0)
            write_virtio(w, i);
    write_doorbell(w);
    end(w);
}

bool device_tree_write(void *to, const struct device_tree_machine *machine)
{
    struct writer w = {.fdt = to};

    w.error = fdt_create(to, DEVICE_TREE_BYTES);
    if (w.error == 0)
        w.error = fdt_finish_reservemap(to);
    write_root(&w, machine);
    if (w.error == 0)
        w.error = fdt_finish(to);
    return w.error == 0;
}
