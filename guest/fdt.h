/* SPDX-License-Identifier: MIT */
/*
 * fdt.h: reads a flattened device tree, node by node, and never outside of it.
 *
 * Spec:  Devicetree Specification 0.4, chapter 5 (format), 2.3 (compatible, reg, #address-cells), 3.3 (aliases).
 * Owner: the tree stays where it is, unchanged, for as long as values point into it. Nothing is kept elsewhere.
 * Lock:  none.
 * Trust: every offset, length and string is checked against the tree's own size, and that against the caller's limit. What is
 *        malformed ends the walk; a walk is as long as the tree at most.
 */
#ifndef GUEST_FDT_H
#define GUEST_FDT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FDT_BYTES_MAX  0x200000u /* as Linux has it for its boot protocol */
#define FDT_DEPTH_MAX  16u
#define FDT_PATH_BYTES 160u

struct fdt { /* for the caller to place, not to write */
    const uint8_t *bytes;
    uint32_t structure, structure_end, strings, strings_end; /* offsets */
};
struct fdt_value {
    const uint8_t *bytes;
    uint32_t n;
};
struct fdt_node {                         /* all zero before the first */
    uint32_t at, properties;              /* offsets: where the walk goes on, where this node's properties begin */
    uint32_t depth;                       /* the root's is 1 */
    uint32_t cells[FDT_DEPTH_MAX + 1][2]; /* by depth: #address-cells and #size-cells that a node gives its children */
    uint32_t path_ends[FDT_DEPTH_MAX + 1];
    char path[FDT_PATH_BYTES]; /* "/cpus/cpu@0"; cut if too long, and then no path that anybody asks for */
};

/* False: no device tree of at most max bytes. 8-byte aligned, as boot protocols have it. */
bool fdt_open(struct fdt *f, const void *bytes, size_t max);
/* The next node, parents before their children; false: no more, or malformed from here. */
bool fdt_next(const struct fdt *f, struct fdt_node *node);
/* A property of this node; false: it has none of that name, and *v is empty. */
bool fdt_get(const struct fdt *f, const struct fdt_node *node, const char *name, struct fdt_value *v);
/* The big-endian number of this many cells, at most 2, from cell at on; false: the value ends before. */
bool fdt_cells(const struct fdt_value *v, uint32_t at, uint32_t n_cells, uint64_t *number);
/* The i-th pair of `reg`; false: none. *size is 0 where the parent's #size-cells is. */
bool fdt_reg(const struct fdt *f, const struct fdt_node *node, uint32_t i, uint64_t *address, uint64_t *size);
/* A property that is a string, or a list of which this is one. */
bool fdt_says(const struct fdt *f, const struct fdt_node *node, const char *property, const char *text);
/* Copies a string property, cut and always ended; an absent one is empty. */
void fdt_copy_text(const struct fdt *f, const struct fdt_node *node, const char *property, char *to, size_t bytes);

#endif
