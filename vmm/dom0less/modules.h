/* SPDX-License-Identifier: MIT */
/*
 * modules.h: what a boot loader puts into RAM for Xen, kernels and ramdisks, by address; and which file each is.
 *
 * Spec:  booting.txt: reg of a module is where it was loaded. There is no such RAM here: a file stands for what lies there, by
 *        --module ADDR=FILE, by ImageBuilder's configuration, or by the tree's own xen,uefi-binary, in this order.
 * Owner: module_table_finish frees what was found; strings point to the command line or into the tree.
 * Trust: addresses and sizes are the tree's. Modules that overlap are refused; one that two domains share is not.
 */
#ifndef VMM_DOM0LESS_MODULES_H
#define VMM_DOM0LESS_MODULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct problem;
struct tree;

enum module_kind { MODULE_KERNEL, MODULE_RAMDISK, MODULE_OTHER };

struct module {
    int node, parent;
    enum module_kind kind;
    bool placed; /* it has an address; else it is named by a file */
    uint64_t address, bytes;
};

struct module_file { /* of one --module */
    uint64_t address;
    const char *path;
    bool used;
};

struct module_table {
    struct module *modules;
    size_t n_modules, n_allocated;
    struct module_file *files;
    size_t n_files;
};

/* The command line's --module: 0, or -1. */
int module_table_init(struct module_table *table, const char *const *given, size_t n, struct problem *problem);
void module_table_finish(struct module_table *table);
/* Note one of the tree's modules. -1: it is in the way of another. */
int module_add(struct tree *t, const struct module *m);
/*
 * Which file it is: *path is the caller's to free, absolute or the word of a bundled kernel; NULL: nothing says so, which is noted,
 * and enough where domains are only listed. domain is the node's name, for ImageBuilder's numbers.
 */
int module_find(struct tree *t, const struct module *m, const char *domain, char **path);
/* Each --module has been the address of a module: a wrong number would else go unseen. */
int modules_all_used(struct tree *t);

#endif
