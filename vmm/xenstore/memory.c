/* SPDX-License-Identifier: MIT */
#include "store_private.h"
#include <stdlib.h>

enum { OVERHEAD = 16 }; /* of malloc, so that many small pieces are not free of charge */

void *xs_alloc(const struct store *s, struct xs_domain *payer, size_t n)
{
    void *p;

    if (!xs_privileged(payer) && payer->bytes + n + OVERHEAD > s->limits.bytes)
        return NULL;
    p = calloc(1, n > 0 ? n : 1);
    if (p != NULL)
        payer->bytes += n + OVERHEAD;
    return p;
}

void xs_move(struct xs_domain *from, struct xs_domain *to, size_t n)
{
    from->bytes -= n + OVERHEAD;
    to->bytes += n + OVERHEAD;
}

void xs_free(struct xs_domain *payer, void *p, size_t n)
{
    if (p == NULL)
        return;
    payer->bytes -= n + OVERHEAD;
    free(p);
}
