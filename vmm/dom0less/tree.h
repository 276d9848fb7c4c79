/* SPDX-License-Identifier: MIT */
/*
 * tree.h: what the readers of one device tree share: its properties by their types, and errors that name node and property.
 *
 * Spec:  Devicetree Specification 0.4 §2.2.4 (types of values), §2.3 (standard properties).
 * Owner: struct tree is dom0less_take's; strings point into the tree.
 * Trust: the tree has passed fdt_check_full: names end and lengths are inside it. Values may be anything.
 */
#ifndef VMM_DOM0LESS_TREE_H
#define VMM_DOM0LESS_TREE_H
#include "../config.h"
#include "imagebuilder.h"
#include "modules.h"

struct tree {
    const void *fdt;
    const char *file; /* for messages */
    struct vmm_config *config;
    const struct vmm_config_options *options;
    const struct imagebuilder *builder; /* NULL: none */
    struct module_table modules;
    struct problem *problem;
};

struct property {
    const char *name;
    const uint8_t *value;
    int bytes;
};

/* -1, and "FILE: PATH: PROPERTY: text" in the problem; property may be NULL. */
__attribute__((format(printf, 4, 5))) int tree_error(struct tree *t, int node, const char *property, const char *format,
                                                     ...);
/* The same as a note of the configuration: it is told, and nothing ends. */
__attribute__((format(printf, 4, 5))) void tree_note(struct tree *t, int node, const char *property, const char *format,
                                                     ...);
/* Of the node's name, as "/chosen/domU1"; cut at n. */
void tree_path(const struct tree *t, int node, char *path, size_t n);

/* False: it has none of that name. */
bool tree_find(const struct tree *t, int node, const char *name, struct property *p);
/* Values of exactly this type: 0; else -1 and an error. Text is one string, with its NUL and no control characters. */
int tree_u32(struct tree *t, int node, const struct property *p, uint32_t *value);
int tree_u64(struct tree *t, int node, const struct property *p, uint64_t *value);
int tree_text(struct tree *t, int node, const struct property *p, const char **text);
/* reg: one range, in the cells that the parent says. */
int tree_reg(struct tree *t, int parent, int node, const struct property *p, uint64_t *address, uint64_t *bytes);
/* The compatible of a node, which is a list of strings; empty if it has none. */
int tree_compatible(struct tree *t, int node, struct property *compatible);
bool compatible_has(const struct property *compatible, const char *word);

#endif
