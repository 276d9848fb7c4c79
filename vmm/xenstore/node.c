/* SPDX-License-Identifier: MIT */
/* node.c: nodes, and trees of them that share what is the same. Recursion is as deep as a path has components: 1,024. */
#include "store_private.h"
#include <string.h>

static void *copy_of(const struct store *s, struct xs_domain *payer, const void *from, size_t n)
{
    void *to = xs_alloc(s, payer, n);

    if (to != NULL && n > 0)
        memcpy(to, from, n);
    return to;
}

static void free_node(struct xs_node *node)
{
    xs_free(node->payer, node->perms, node->n_perms * sizeof *node->perms);
    xs_free(node->payer, node->value, node->n_value);
    xs_free(node->payer, node->children, node->room * sizeof *node->children);
    xs_free(node->payer, node, sizeof *node + strlen(node->name) + 1);
}

struct xs_node *xs_node_create(const struct store *s, struct xs_domain *payer, const char *name, size_t n_name,
                               const struct xs_perm *perms, uint32_t n_perms, const void *value, size_t n)
{
    struct xs_node *node = xs_alloc(s, payer, sizeof *node + n_name + 1);

    if (node == NULL)
        return NULL;
    memcpy(node->name, name, n_name);
    node->refs = 1;
    node->payer = payer;
    node->perms = copy_of(s, payer, perms, n_perms * sizeof *perms);
    node->n_perms = n_perms;
    node->value = copy_of(s, payer, value, n);
    node->n_value = (uint32_t)n;
    node->children = xs_alloc(s, payer, 0);
    if (node->perms != NULL && node->value != NULL && node->children != NULL)
        return node;
    free_node(node);
    return NULL;
}

void xs_node_pay(struct xs_node *node, struct xs_domain *payer)
{
    xs_move(node->payer, payer, node->n_perms * sizeof *node->perms);
    xs_move(node->payer, payer, node->n_value);
    xs_move(node->payer, payer, node->room * sizeof *node->children);
    xs_move(node->payer, payer, sizeof *node + strlen(node->name) + 1);
    node->payer = payer;
}

struct xs_node *xs_node_ref(struct xs_node *node)
{
    node->refs++;
    return node;
}

void xs_node_unref(struct xs_node *node)
{
    if (node == NULL || --node->refs > 0)
        return;
    for (uint32_t i = 0; i < node->n_children; i++)
        xs_node_unref(node->children[i]);
    free_node(node);
}

struct xs_node *xs_node_copy(const struct store *s, struct xs_domain *payer, const struct xs_node *node)
{
    struct xs_node *copy = xs_node_create(s, payer, node->name, strlen(node->name), node->perms, node->n_perms,
                                          node->value, node->n_value);
    struct xs_node **children =
        copy == NULL ? NULL : copy_of(s, payer, node->children, node->n_children * sizeof *children);

    if (children == NULL) {
        xs_node_unref(copy);
        return NULL;
    }
    xs_free(payer, copy->children, 0);
    copy->children = children;
    copy->n_children = copy->room = node->n_children;
    copy->names_bytes = node->names_bytes;
    copy->generation = node->generation;
    for (uint32_t i = 0; i < copy->n_children; i++)
        xs_node_ref(copy->children[i]);
    return copy;
}

static struct xs_node **child_slot(const struct xs_node *node, const char *name, size_t n_name, uint32_t hint)
{
    for (uint32_t k = 0; k < node->n_children; k++) {
        uint32_t i = hint + k < node->n_children ? hint + k : hint + k - node->n_children;

        if (strncmp(node->children[i]->name, name, n_name) == 0 && node->children[i]->name[n_name] == '\0')
            return &node->children[i];
    }
    return NULL;
}

struct xs_node *xs_node_child(const struct xs_node *node, const char *name, size_t n_name, uint32_t hint)
{
    struct xs_node **slot = child_slot(node, name, n_name, hint < node->n_children ? hint : 0);

    return slot == NULL ? NULL : *slot;
}

/* The slot below *slot that the next component of *path names, which is stepped over; *slot itself at the end. */
static struct xs_node **step(struct xs_node **slot, const char **path)
{
    const char *name = *path + strspn(*path, "/");
    size_t n = strcspn(name, "/");

    *path = name + n;
    return n == 0 ? slot : child_slot(*slot, name, n, 0);
}

struct xs_node *xs_node_find(struct xs_node *root, const char *path)
{
    struct xs_node **slot = &root;

    while (*path != '\0' && slot != NULL)
        slot = step(slot, &path);
    return slot == NULL ? NULL : *slot;
}

static bool own(const struct store *s, struct xs_domain *payer, struct xs_node **slot)
{
    struct xs_node *copy = xs_node_copy(s, payer, *slot);

    if (copy == NULL)
        return false;
    xs_node_unref(*slot);
    *slot = copy;
    return true;
}

struct xs_node *xs_node_own(const struct store *s, struct xs_domain *payer, struct xs_node **root, const char *path)
{
    struct xs_node **slot = root;

    for (;;) {
        /* Who changes a node pays for what it holds from then on: nobody's limit can stand in another's way. */
        bool last = path[strspn(path, "/")] == '\0';

        if (((*slot)->refs > 1 || (last && (*slot)->payer != payer)) && !own(s, payer, slot))
            return NULL;
        if (last)
            return *slot;
        slot = step(slot, &path);
    }
}

bool xs_node_set_value(const struct store *s, struct xs_node *node, const void *value, size_t n)
{
    uint8_t *copy = copy_of(s, node->payer, value, n);

    if (copy == NULL)
        return false;
    xs_free(node->payer, node->value, node->n_value);
    node->value = copy;
    node->n_value = (uint32_t)n;
    return true;
}

bool xs_node_set_perms(const struct store *s, struct xs_node *node, const struct xs_perm *perms, uint32_t n)
{
    struct xs_perm *copy = copy_of(s, node->payer, perms, n * sizeof *perms);

    if (copy == NULL)
        return false;
    xs_free(node->payer, node->perms, node->n_perms * sizeof *perms);
    node->perms = copy;
    node->n_perms = n;
    return true;
}

static bool grow(const struct store *s, struct xs_node *node)
{
    uint32_t room = 2 * node->room + 1;
    struct xs_node **children = xs_alloc(s, node->payer, room * sizeof(struct xs_node *));

    if (children == NULL)
        return false;
    if (node->n_children > 0)
        memcpy(children, node->children, node->n_children * sizeof(struct xs_node *));
    xs_free(node->payer, node->children, node->room * sizeof(struct xs_node *));
    node->children = children;
    node->room = room;
    return true;
}

bool xs_node_adopt(const struct store *s, struct xs_node *node, struct xs_node *child)
{
    if (node->n_children == node->room && !grow(s, node))
        return false;
    node->children[node->n_children++] = child;
    node->names_bytes += (uint32_t)strlen(child->name) + 1;
    return true;
}

void xs_node_disown(struct xs_node *node, const char *name)
{
    struct xs_node **slot = child_slot(node, name, strlen(name), 0), *child = *slot;

    node->names_bytes -= (uint32_t)strlen(name) + 1;
    node->n_children--;
    memmove(slot, slot + 1, (size_t)(node->children + node->n_children - slot) * sizeof *slot);
    xs_node_unref(child);
}
