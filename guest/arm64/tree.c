/* SPDX-License-Identifier: MIT */
#include "tree.h"
#include <vcons/wire/doorbell.h>
#include <vcons/wire/virtio.h>

/* As much of a range as can be used; false: nothing. */
static bool is_usable(uint64_t base, uint64_t *bytes)
{
    if (base >= TREE_ADDRESS_END)
        return false;
    if (*bytes > TREE_ADDRESS_END - base)
        *bytes = TREE_ADDRESS_END - base;
    return *bytes > 0;
}

static void add_ram(struct tree *t, const struct fdt *f, const struct fdt_node *node)
{
    uint64_t base, bytes;

    for (uint32_t i = 0; t->n_rams < TREE_RAMS && fdt_reg(f, node, i, &base, &bytes); i++)
        if (is_usable(base, &bytes))
            t->rams[t->n_rams++] = (struct tree_range){base, bytes};
}

/* The first of `interrupts`, if it is an SPI in the three cells of a GIC. */
static uint32_t spi_of(const struct fdt *f, const struct fdt_node *node)
{
    struct fdt_value v;
    uint64_t kind, number;

    if (!fdt_get(f, node, "interrupts", &v) || v.n < 12 || !fdt_cells(&v, 0, 1, &kind) || !fdt_cells(&v, 1, 1, &number))
        return TREE_NO_SPI;
    return kind == 0 && number < 988 ? (uint32_t)number : TREE_NO_SPI;
}

static void add_uart(struct tree *t, const struct fdt *f, const struct fdt_node *node, bool sbsa)
{
    uint64_t base, bytes;

    if (t->n_uarts < TREE_UARTS && fdt_reg(f, node, 0, &base, &bytes) && is_usable(base, &bytes))
        t->uarts[t->n_uarts++] = (struct tree_uart){base, sbsa, spi_of(f, node)};
}

static void add_virtio(struct tree *t, const struct fdt *f, const struct fdt_node *node)
{
    uint64_t base, bytes;
    uint32_t at = t->n_virtios;

    if (t->n_virtios == TREE_VIRTIOS || !fdt_reg(f, node, 0, &base, &bytes) || !is_usable(base, &bytes) ||
        bytes < VIRTIO_MMIO_BYTES)
        return;
    for (; at > 0 && t->virtios[at - 1].base > base; at--)
        t->virtios[at] = t->virtios[at - 1];
    t->virtios[at] = (struct tree_virtio){base, spi_of(f, node)};
    t->n_virtios++;
}

static void take_gic(struct tree *t, const struct fdt *f, const struct fdt_node *node, enum tree_gic gic)
{
    uint64_t bytes = 0;

    if (fdt_reg(f, node, 0, &t->distributor, &bytes) && is_usable(t->distributor, &bytes) &&
        fdt_reg(f, node, 1, &t->redistributor, &t->redistributor_bytes) &&
        is_usable(t->redistributor, &t->redistributor_bytes))
        t->gic = gic;
}

static void take_doorbell(struct tree *t, const struct fdt *f, const struct fdt_node *node)
{
    uint64_t base, bytes;

    if (fdt_reg(f, node, 0, &base, &bytes) && is_usable(base, &bytes) && bytes >= VC_DOORBELL_BYTES)
        t->doorbell = base;
}

/* The first of its `interrupts` is for upcalls; the other values are of grant tables, which nobody uses here. */
static void take_xen(struct tree *t, const struct fdt *f, const struct fdt_node *node)
{
    struct fdt_value v;
    uint64_t kind, number;

    t->xen = true;
    if (fdt_get(f, node, "interrupts", &v) && v.n >= 12 && fdt_cells(&v, 0, 1, &kind) && fdt_cells(&v, 1, 1, &number) &&
        kind == 1 && number < 16)
        t->xen_ppi = 16 + (uint32_t)number;
}

static void add_cpu(struct tree *t, const struct fdt *f, const struct fdt_node *node)
{
    uint64_t bytes;

    if (t->n_cpus < TREE_CPUS && fdt_reg(f, node, 0, &t->cpus[t->n_cpus], &bytes))
        t->n_cpus++;
}

static bool is_disabled(const struct fdt *f, const struct fdt_node *node)
{
    struct fdt_value v;

    return fdt_get(f, node, "status", &v) && !fdt_says(f, node, "status", "okay") && !fdt_says(f, node, "status", "ok");
}

static bool equal(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++)
        b++;
    return *a == *b;
}

static void take(struct tree *t, const struct fdt *f, const struct fdt_node *node)
{
    if (fdt_says(f, node, "device_type", "memory"))
        add_ram(t, f, node);
    else if (fdt_says(f, node, "device_type", "cpu"))
        add_cpu(t, f, node);
    else if (fdt_says(f, node, "compatible", "arm,pl011"))
        add_uart(t, f, node, false);
    else if (fdt_says(f, node, "compatible", "arm,sbsa-uart"))
        add_uart(t, f, node, true);
    else if (fdt_says(f, node, "compatible", "virtio,mmio"))
        add_virtio(t, f, node);
    else if (fdt_says(f, node, "compatible", "arm,gic-v3"))
        take_gic(t, f, node, TREE_GICV3);
    else if (fdt_says(f, node, "compatible", "arm,cortex-a15-gic") || fdt_says(f, node, "compatible", "arm,gic-400"))
        take_gic(t, f, node, TREE_GICV2);
    else if (fdt_says(f, node, "compatible", VC_DOORBELL_COMPATIBLE))
        take_doorbell(t, f, node);
    else if (fdt_says(f, node, "compatible", "xen,xen"))
        take_xen(t, f, node);
    else if (fdt_says(f, node, "compatible", "arm,psci-0.2") || fdt_says(f, node, "compatible", "arm,psci-1.0"))
        t->psci = fdt_says(f, node, "method", "smc") ? TREE_PSCI_SMC : TREE_PSCI_HVC;
}

/* The node of that path; false: there is none. */
static bool find(const struct fdt *f, struct fdt_node *node, const char *path)
{
    *node = (struct fdt_node){0};
    while (fdt_next(f, node))
        if (equal(node->path, path))
            return true;
    return false;
}

/* Where /chosen sends output: a path, or an alias, each up to a colon. */
static void take_chosen(struct tree *t, const struct fdt *f, struct fdt_node *node)
{
    char path[FDT_PATH_BYTES];
    uint64_t base, bytes;
    uint32_t n = 0;

    if (!find(f, node, "/chosen"))
        return;
    fdt_copy_text(f, node, "bootargs", t->cmdline, sizeof t->cmdline);
    fdt_copy_text(f, node, "stdout-path", path, sizeof path);
    while (path[n] != '\0' && path[n] != ':')
        n++;
    path[n] = '\0';
    if (path[0] != '/' && find(f, node, "/aliases"))
        fdt_copy_text(f, node, path, path, sizeof path);
    if (!find(f, node, path) || !fdt_reg(f, node, 0, &base, &bytes))
        return;
    for (uint32_t i = 0; i < t->n_uarts; i++)
        if (t->uarts[i].base == base)
            t->stdout_uart = i;
}

bool tree_read(struct tree *t, const void *dtb)
{
    struct fdt_node node = {0};
    struct fdt f;

    if (!fdt_open(&f, dtb, FDT_BYTES_MAX))
        return false;
    while (fdt_next(&f, &node))
        if (!is_disabled(&f, &node))
            take(t, &f, &node);
    take_chosen(t, &f, &node);
    return true;
}
