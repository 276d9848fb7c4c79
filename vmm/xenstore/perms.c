/* SPDX-License-Identifier: MIT */
#include "store_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = {'n', 'r', 'w', 'b'}; /* by XS_MAY_READ | XS_MAY_WRITE */

uint32_t xs_may(const struct xs_perm *perms, uint32_t n, const struct xs_domain *d)
{
    if (xs_privileged(d) || perms[0].domid == d->domid)
        return XS_MAY_READ | XS_MAY_WRITE | XS_MAY_OWN;
    for (uint32_t i = 1; i < n; i++)
        if (perms[i].domid == d->domid && !perms[i].ignored)
            return perms[i].may;
    return perms[0].may;
}

static const char *parse_one(const struct store *s, const char *string, struct xs_perm *perm)
{
    const char *letter = string[0] == '\0' ? NULL : memchr(letters, string[0], sizeof letters);
    const struct xs_domain *d;
    char *end;

    if (letter == NULL || string[1] == '\0')
        return NULL;
    *perm = (struct xs_perm){.domid = (uint32_t)strtol(string + 1, &end, 0), .may = (uint8_t)(letter - letters)};
    d = xs_domain_find(s, perm->domid);
    perm->ignored = d == NULL || !d->introduced;
    return *end == '\0' ? end + 1 : NULL;
}

bool xs_perms_parse(const struct store *s, const char *strings, struct xs_perm *perms, uint32_t n)
{
    for (uint32_t i = 0; i < n && strings != NULL; i++)
        strings = parse_one(s, strings, &perms[i]);
    return strings != NULL;
}

size_t xs_perms_print(const struct xs_perm *perms, uint32_t n, char *out, size_t size)
{
    size_t used = 0;

    for (uint32_t i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%c%d", letters[perms[i].may], (int)perms[i].domid) + 1;
    return used;
}
