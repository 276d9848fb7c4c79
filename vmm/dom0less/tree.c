/* SPDX-License-Identifier: MIT */
#include "tree.h"
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 200u /* of a node in a message; what is longer is cut */
#define TEXT_BYTES 700u

void tree_path(const struct tree *t, int node, char *path, size_t n)
{
    const char *name;

    if (fdt_get_path(t->fdt, node, path, (int)n) == 0)
        return;
    name = fdt_get_name(t->fdt, node, NULL);
    snprintf(path, n, "…/%s", name != NULL ? name : "");
}

static void where(const struct tree *t, int node, const char *property, char *to, size_t n)
{
    char path[PATH_BYTES];

    tree_path(t, node, path, sizeof path);
    snprintf(to, n, "%s: %s%s%.64s", t->file, path, property != NULL ? ": " : "", property != NULL ? property : "");
}

int tree_error(struct tree *t, int node, const char *property, const char *format, ...)
{
    char at[PROBLEM_BYTES], text[TEXT_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    where(t, node, property, at, sizeof at);
    return problem_set(t->problem, -1, "%s: %s", at, text);
}

void tree_note(struct tree *t, int node, const char *property, const char *format, ...)
{
    char at[PROBLEM_BYTES], text[TEXT_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    where(t, node, property, at, sizeof at);
    config_note(t->config, "%s: %s", at, text);
}

bool tree_find(const struct tree *t, int node, const char *name, struct property *p)
{
    p->name = name;
    p->value = fdt_getprop(t->fdt, node, name, &p->bytes);
    return p->value != NULL;
}

int tree_u32(struct tree *t, int node, const struct property *p, uint32_t *value)
{
    if (p->bytes != 4)
        return tree_error(t, node, p->name, "expected one cell, 4 bytes, there are %d", p->bytes);
    *value = fdt32_ld((const fdt32_t *)p->value);
    return 0;
}

int tree_u64(struct tree *t, int node, const struct property *p, uint64_t *value)
{
    if (p->bytes != 8)
        return tree_error(t, node, p->name, "expected a number of two cells, 8 bytes, there are %d", p->bytes);
    *value = fdt64_ld((const fdt64_t *)p->value);
    return 0;
}

int tree_text(struct tree *t, int node, const struct property *p, const char **text)
{
    const char *end = p->bytes > 0 ? memchr(p->value, '\0', (size_t)p->bytes) : NULL;

    if (end == NULL)
        return tree_error(t, node, p->name, "expected a string, this one has no NUL at its end");
    if (end != (const char *)p->value + p->bytes - 1)
        return tree_error(t, node, p->name, "expected one string, there is more behind its NUL");
    for (const uint8_t *at = p->value; *at != '\0'; at++)
        if (*at < ' ' || *at == 0x7f)
            return tree_error(t, node, p->name, "expected text, there is a control character 0x%02x", *at);
    *text = (const char *)p->value;
    return 0;
}

/* booting.txt wants both, in the node whose children have a reg; Xen would inherit what is missing, and read something else. */
static int cells_of(struct tree *t, int parent, const char *name, uint32_t *cells)
{
    struct property p;

    if (!tree_find(t, parent, name, &p))
        return tree_error(t, parent, name, "is missing: expected 1 or 2, for the reg of the modules in this node");
    if (tree_u32(t, parent, &p, cells) != 0)
        return -1;
    if (*cells != 1 && *cells != 2)
        return tree_error(t, parent, name, "is %" PRIu32 ": expected 1 or 2", *cells);
    return 0;
}

static uint64_t take_cells(const uint8_t **at, uint32_t n)
{
    uint64_t value = n == 2 ? fdt64_ld((const fdt64_t *)*at) : fdt32_ld((const fdt32_t *)*at);

    *at += n * 4;
    return value;
}

int tree_reg(struct tree *t, int parent, int node, const struct property *p, uint64_t *address, uint64_t *bytes)
{
    const uint8_t *at = p->value;
    uint32_t of_address, of_size;

    if (cells_of(t, parent, "#address-cells", &of_address) != 0 || cells_of(t, parent, "#size-cells", &of_size) != 0)
        return -1;
    if ((uint32_t)p->bytes != (of_address + of_size) * 4)
        return tree_error(t, node, p->name,
                          "expected one address and one size, %" PRIu32 " bytes by the parent's #address-cells and "
                          "#size-cells, there are %d",
                          (of_address + of_size) * 4, p->bytes);
    *address = take_cells(&at, of_address);
    *bytes = take_cells(&at, of_size);
    if (*bytes == 0)
        return tree_error(t, node, p->name, "is empty: expected the size of what was loaded there");
    if (*address > UINT64_MAX - *bytes)
        return tree_error(t, node, p->name, "0x%" PRIx64 " bytes at 0x%" PRIx64 " go past the end of all memory",
                          *bytes, *address);
    return 0;
}

int tree_compatible(struct tree *t, int node, struct property *compatible)
{
    if (!tree_find(t, node, "compatible", compatible))
        return 0;
    if (compatible->bytes == 0 || compatible->value[compatible->bytes - 1] != '\0')
        return tree_error(t, node, "compatible", "expected strings, the last has no NUL at its end");
    return 0;
}

bool compatible_has(const struct property *compatible, const char *word)
{
    return compatible->value != NULL &&
           fdt_stringlist_contains((const char *)compatible->value, compatible->bytes, word) != 0;
}
