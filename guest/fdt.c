/* SPDX-License-Identifier: MIT */
#include "fdt.h"
#include <string.h>

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4 };
enum {
    MAGIC = 0,
    TOTAL = 4,
    STRUCTURE = 8,
    STRINGS = 12,
    LAST_COMPATIBLE = 24,
    STRINGS_BYTES = 32,
    STRUCTURE_BYTES = 36
};

#define MAGIC_VALUE   0xd00dfeedu
#define HEADER_BYTES  40u
#define VERSION       17u
#define ADDRESS_CELLS 2u /* what a node has that does not say */
#define SIZE_CELLS    1u

static uint32_t load32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool is_within(uint32_t at, uint32_t bytes, uint32_t total) { return at <= total && bytes <= total - at; }

bool fdt_open(struct fdt *f, const void *bytes, size_t max)
{
    const uint8_t *b = bytes;
    uint32_t total, n;

    if (max < HEADER_BYTES || load32(b + MAGIC) != MAGIC_VALUE || load32(b + LAST_COMPATIBLE) > VERSION)
        return false;
    total = load32(b + TOTAL);
    if (total < HEADER_BYTES || total > max)
        return false;
    *f = (struct fdt){.bytes = b, .structure = load32(b + STRUCTURE), .strings = load32(b + STRINGS)};
    n = load32(b + STRUCTURE_BYTES);
    f->structure_end = f->structure + n;
    if (!is_within(f->structure, n, total) || f->structure % 4 != 0)
        return false;
    n = load32(b + STRINGS_BYTES);
    f->strings_end = f->strings + n;
    return is_within(f->strings, n, total);
}

/* The text at an offset, if it ends before end; NULL: it does not. */
static const char *text_at(const struct fdt *f, uint32_t at, uint32_t end, uint32_t *length)
{
    for (uint32_t i = at; i < end; i++) {
        if (f->bytes[i] == '\0') {
            *length = i - at;
            return (const char *)f->bytes + at;
        }
    }
    return NULL;
}

static uint32_t aligned(uint32_t at) { return (at + 3) & ~3u; }

static bool token(const struct fdt *f, uint32_t at, uint32_t *t)
{
    if (!is_within(at, 4, f->structure_end))
        return false;
    *t = load32(f->bytes + at);
    return true;
}

/* The property at *at, which moves behind it; false: none is there, or a broken one. */
static bool next_property(const struct fdt *f, uint32_t *at, const char **name, struct fdt_value *v)
{
    uint32_t t, length, name_at;

    while (token(f, *at, &t) && t == NOP)
        *at += 4;
    if (!token(f, *at, &t) || t != PROPERTY || !is_within(*at, 12, f->structure_end))
        return false;
    v->n = load32(f->bytes + *at + 4);
    name_at = load32(f->bytes + *at + 8);
    if (!is_within(*at + 12, v->n, f->structure_end) || name_at >= f->strings_end - f->strings)
        return false;
    *name = text_at(f, f->strings + name_at, f->strings_end, &length);
    v->bytes = f->bytes + *at + 12;
    *at = aligned(*at + 12 + v->n);
    return *name != NULL;
}

static bool equal(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++)
        b++;
    return *a == *b;
}

bool fdt_get(const struct fdt *f, const struct fdt_node *node, const char *name, struct fdt_value *v)
{
    uint32_t at = node->properties;
    const char *found;

    while (next_property(f, &at, &found, v))
        if (equal(found, name))
            return true;
    *v = (struct fdt_value){NULL, 0};
    return false;
}

static uint32_t cells_of(const struct fdt *f, const struct fdt_node *node, const char *name, uint32_t without)
{
    struct fdt_value v;
    uint64_t n;

    return fdt_get(f, node, name, &v) && fdt_cells(&v, 0, 1, &n) ? (uint32_t)n : without;
}

/* Into the node whose name is at an offset. */
static bool enter(const struct fdt *f, struct fdt_node *node, uint32_t at)
{
    uint32_t length, end = node->path_ends[node->depth];
    const char *name = text_at(f, at, f->structure_end, &length);

    if (name == NULL || node->depth == FDT_DEPTH_MAX)
        return false;
    if (node->depth == 1)
        end = 0; /* the root's own path is "/" and not part of others */
    if (length < FDT_PATH_BYTES - 1 && end < FDT_PATH_BYTES - 1 - length) {
        node->path[end] = '/';
        memcpy(node->path + end + 1, name, length);
        end += 1 + length;
    }
    node->path[end] = '\0';
    node->path_ends[++node->depth] = end;
    node->at = node->properties = aligned(at + length + 1);
    node->cells[node->depth][0] = cells_of(f, node, "#address-cells", ADDRESS_CELLS);
    node->cells[node->depth][1] = cells_of(f, node, "#size-cells", SIZE_CELLS);
    return true;
}

bool fdt_next(const struct fdt *f, struct fdt_node *node)
{
    struct fdt_value v;
    const char *name;
    uint32_t t;

    if (node->at == 0)
        node->at = f->structure;
    for (;;) {
        while (next_property(f, &node->at, &name, &v))
            ;
        if (!token(f, node->at, &t))
            return false;
        node->at += 4;
        if (t == BEGIN_NODE)
            return enter(f, node, node->at);
        if (t != END_NODE || node->depth <= 1) /* the root's end is the tree's */
            return false;
        node->depth--;
    }
}

bool fdt_cells(const struct fdt_value *v, uint32_t at, uint32_t n_cells, uint64_t *number)
{
    *number = 0;
    if (n_cells > 2 || at > v->n / 4 || n_cells > v->n / 4 - at)
        return false;
    for (uint32_t i = 0; i < n_cells; i++)
        *number = *number << 32 | load32(v->bytes + 4 * (at + i));
    return true;
}

bool fdt_reg(const struct fdt *f, const struct fdt_node *node, uint32_t i, uint64_t *address, uint64_t *size)
{
    const uint32_t *cells = node->cells[node->depth - 1];
    struct fdt_value v;

    if (node->depth < 2 || cells[0] > 2 || cells[1] > 2 || i > FDT_BYTES_MAX || !fdt_get(f, node, "reg", &v))
        return false;
    return fdt_cells(&v, i * (cells[0] + cells[1]), cells[0], address) &&
           fdt_cells(&v, i * (cells[0] + cells[1]) + cells[0], cells[1], size) && cells[0] > 0;
}

bool fdt_says(const struct fdt *f, const struct fdt_node *node, const char *property, const char *text)
{
    struct fdt_value v;
    uint32_t begin = 0;

    fdt_get(f, node, property, &v);
    for (uint32_t i = 0; i < v.n; i++) {
        if (v.bytes[i] != '\0')
            continue;
        if (equal((const char *)v.bytes + begin, text))
            return true;
        begin = i + 1;
    }
    return false;
}

void fdt_copy_text(const struct fdt *f, const struct fdt_node *node, const char *property, char *to, size_t bytes)
{
    struct fdt_value v;
    size_t n = 0;

    fdt_get(f, node, property, &v);
    for (; n < v.n && n < bytes - 1 && v.bytes[n] != '\0'; n++)
        to[n] = (char)v.bytes[n];
    to[n] = '\0';
}
