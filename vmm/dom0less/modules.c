/* SPDX-License-Identifier: MIT */
#include "modules.h"
#include "tree.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The command line's. ---- */

static int parse_file(struct module_file *file, const char *text, struct problem *problem)
{
    char *end;

    errno = 0;
    file->address = strtoull(text, &end, 0);
    if (!isdigit((unsigned char)text[0]) || errno != 0 || *end != '=' || end[1] == '\0')
        return problem_set(problem, -1, "--module \"%s\": expected ADDR=FILE, as 0x4a000000=Image", text);
    file->path = end + 1;
    return 0;
}

int module_table_init(struct module_table *table, const char *const *given, size_t n, struct problem *problem)
{
    *table = (struct module_table){.files = calloc(n + 1, sizeof *table->files), .n_files = n};
    if (table->files == NULL)
        return problem_set(problem, -1, "no memory");
    for (size_t i = 0; i < n; i++) {
        if (parse_file(&table->files[i], given[i], problem) != 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (table->files[j].address == table->files[i].address)
                return problem_set(problem, -1, "--module 0x%" PRIx64 " is given twice", table->files[i].address);
    }
    return 0;
}

void module_table_finish(struct module_table *table)
{
    free(table->modules);
    free(table->files);
    *table = (struct module_table){0};
}

/* ---- The tree's. ---- */

static bool overlap(const struct module *a, const struct module *b)
{
    return a->address < b->address + b->bytes && b->address < a->address + a->bytes;
}

static bool same(const struct module *a, const struct module *b)
{
    return a->address == b->address && a->bytes == b->bytes && a->kind == b->kind;
}

static int append(struct tree *t, const struct module *m)
{
    struct module_table *table = &t->modules;
    struct module *grown = table->modules;

    if (table->n_modules == table->n_allocated) {
        table->n_allocated = 2 * table->n_allocated + 16;
        grown = realloc(grown, table->n_allocated * sizeof *grown);
    }
    if (grown == NULL)
        return problem_set(t->problem, -1, "no memory");
    table->modules = grown;
    grown[table->n_modules++] = *m;
    return 0;
}

int module_add(struct tree *t, const struct module *m)
{
    struct module_table *table = &t->modules;
    char path[200];

    for (size_t i = 0; m->placed && i < table->n_modules; i++) {
        const struct module *other = &table->modules[i];

        if (!other->placed || !overlap(m, other) || same(m, other))
            continue;
        tree_path(t, other->node, path, sizeof path);
        return tree_error(t, m->node, "reg", "0x%" PRIx64 " bytes at 0x%" PRIx64 " overlap those of %s", m->bytes,
                          m->address, path);
    }
    for (size_t i = 0; m->placed && i < table->n_files; i++)
        table->files[i].used |= table->files[i].address == m->address;
    return append(t, m);
}

/* ---- Which file. ---- */

/* A path relative to where the file lies that names it; file NULL: to where we are. */
static char *relative_to(const char *file, const char *path)
{
    char copy[PATH_MAX], whole[PATH_MAX], *joined;

    if (path[0] == '/')
        return strdup(path);
    snprintf(copy, sizeof copy, "%s", file != NULL ? file : "./.");
    if (realpath(dirname(copy), whole) == NULL || asprintf(&joined, "%s/%s", whole, path) < 0)
        return NULL;
    return joined;
}

static const struct module_file *given_file(const struct tree *t, const struct module *m)
{
    for (size_t i = 0; m->placed && i < t->modules.n_files; i++)
        if (t->modules.files[i].address == m->address)
            return &t->modules.files[i];
    return NULL;
}

static int from_builder(struct tree *t, const struct module *m, const char *domain, char **path, bool *exact)
{
    const char *key = m->kind == MODULE_KERNEL ? "DOMU_KERNEL" : "DOMU_RAMDISK", *file = NULL;
    const struct imagebuilder *b = t->builder;

    if (b == NULL || imagebuilder_file(b, domain, key, &file, t->problem) != 0)
        return b == NULL ? 0 : -1;
    if (file == NULL)
        return 0;
    if (m->placed && (m->address < b->memory_start || m->address + m->bytes > b->memory_end))
        return tree_error(t, m->node, "reg",
                          "0x%" PRIx64 " bytes at 0x%" PRIx64 " lie outside of MEMORY_START to MEMORY_END of %s",
                          m->bytes, m->address, b->file);
    *path = relative_to(b->file, file);
    *exact = true;
    return *path != NULL ? 0 : tree_error(t, m->node, "reg", "%s: %s", file, strerror(errno));
}

/* A firmware's path, which knows no way up. */
static int from_uefi(struct tree *t, const struct module *m, char **path)
{
    struct property p;
    const char *name;

    if (!tree_find(t, m->node, "xen,uefi-binary", &p))
        return 0;
    if (tree_text(t, m->node, &p, &name) != 0)
        return -1;
    if (name[0] == '\0' || name[0] == '/' || strstr(name, "..") != NULL)
        return tree_error(t, m->node, p.name, "\"%s\": expected a file beside the tree, or below", name);
    *path = relative_to(t->file, name);
    return *path != NULL ? 0 : tree_error(t, m->node, p.name, "%s: %s", name, strerror(errno));
}

/* What a loader put there has the size that the tree says; whoever wrote the tree by hand left room. */
static int check_file(struct tree *t, const struct module *m, const char *path, bool exact)
{
    const char *property = m->placed ? "reg" : "xen,uefi-binary";
    struct stat st;

    if (stat(path, &st) != 0)
        return tree_error(t, m->node, property, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return tree_error(t, m->node, property, "%s: expected a regular file", path);
    if (m->placed && ((uint64_t)st.st_size > m->bytes || (exact && (uint64_t)st.st_size != m->bytes)))
        return tree_error(t, m->node, property,
                          "0x%" PRIx64 " bytes: %s has 0x%llx: the tree was made for another file", m->bytes, path,
                          (unsigned long long)st.st_size);
    return 0;
}

static int nothing_says(struct tree *t, const struct module *m)
{
    bool alone = t->options->list && t->options->n_modules == 0 && t->builder == NULL;

    if (!m->placed)
        return tree_error(t, m->node, "reg", "is missing: expected the address of the module, and its size");
    if (!alone)
        return tree_error(t, m->node, "reg",
                          "nothing says which file is at 0x%" PRIx64 ": expected --module 0x%" PRIx64 "=FILE",
                          m->address, m->address);
    tree_note(t, m->node, "reg", "to be run it needs --module 0x%" PRIx64 "=FILE", m->address);
    return 0;
}

int module_find(struct tree *t, const struct module *m, const char *domain, char **path)
{
    const struct module_file *given = given_file(t, m);
    bool exact = false;

    *path = NULL;
    if (given != NULL && m->kind == MODULE_KERNEL &&
        (strcmp(given->path, "tiny") == 0 || strcmp(given->path, "tiny32") == 0)) {
        *path = strdup(given->path); /* a bundled kernel, wherever its file is */
        return *path != NULL ? 0 : problem_set(t->problem, -1, "no memory");
    }
    if (given != NULL) {
        *path = relative_to(NULL, given->path);
        if (*path == NULL)
            return problem_set(t->problem, -1, "--module: %s: %s", given->path, strerror(errno));
    } else if (from_builder(t, m, domain, path, &exact) != 0 || (*path == NULL && from_uefi(t, m, path) != 0)) {
        return -1;
    }
    return *path != NULL ? check_file(t, m, *path, exact) : nothing_says(t, m);
}

int modules_all_used(struct tree *t)
{
    for (size_t i = 0; i < t->modules.n_files; i++)
        if (!t->modules.files[i].used)
            return problem_set(t->problem, -1, "--module 0x%" PRIx64 "=%s: %s has no module at this address",
                               t->modules.files[i].address, t->modules.files[i].path, t->file);
    return 0;
}
