/* SPDX-License-Identifier: MIT */
/* inside.c: the VMM's calls, as domain 0 and outside of transactions. */
#include "store_private.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct xs_who dom0(struct store *s) { return (struct xs_who){.store = s, .domain = &s->dom0}; }

static int done(struct store *s, int error)
{
    xs_dispatch(s);
    return -error;
}

int store_write(struct store *s, const char *path, const void *value, size_t n)
{
    struct xs_who who = dom0(s);

    return n > XENSTORE_PAYLOAD_MAX ? -EINVAL : done(s, xs_write(&who, path, value, n));
}

int store_printf(struct store *s, const char *path, const char *format, ...)
{
    char value[1024];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    return n < 0 || (size_t)n >= sizeof value ? -EINVAL : store_write(s, path, value, (size_t)n);
}

int store_mkdir(struct store *s, const char *path)
{
    struct xs_who who = dom0(s);

    return done(s, xs_mkdir(&who, path));
}

int store_remove(struct store *s, const char *path)
{
    struct xs_who who = dom0(s);

    return done(s, xs_remove(&who, path));
}

int store_set_perms(struct store *s, const char *path, const char *perms)
{
    struct xs_who who = dom0(s);
    struct xs_perm parsed[8];
    char strings[128];
    uint32_t n = 1;

    if (snprintf(strings, sizeof strings, "%s", perms) >= (int)sizeof strings)
        return -EINVAL;
    for (char *p = strings; *p != '\0'; p++)
        if (*p == ' ') {
            *p = '\0';
            n++;
        }
    if (n > sizeof parsed / sizeof parsed[0] || !xs_perms_parse(s, strings, parsed, n))
        return -EINVAL;
    return parsed[0].ignored ? -ENOENT : done(s, xs_set_perms(&who, path, parsed, n));
}

int store_read(struct store *s, const char *path, char *value, size_t size)
{
    struct xs_who who = dom0(s);
    struct xs_node *node;
    int error = xs_look(&who, path, XS_MAY_READ, &node);
    size_t n = error != 0 ? 0 : node->n_value < size - 1 ? node->n_value : size - 1;

    if (n > 0)
        memcpy(value, node->value, n);
    value[n] = '\0';
    return error != 0 ? -error : (int)node->n_value;
}

int64_t store_owner(struct store *s, const char *path)
{
    const struct xs_node *node = xs_path_valid(path) ? xs_node_find(s->root, path) : NULL;

    return node == NULL ? -1 : (int64_t)node->perms[0].domid;
}
