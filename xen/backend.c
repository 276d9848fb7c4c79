/* SPDX-License-Identifier: MIT */
#include "backend.h"

static enum backend_act tell(const struct backend_view *v, uint32_t state, uint32_t *say)
{
    *say = state;
    return v->backend == state ? BACKEND_WAIT : BACKEND_SAY;
}

/* Its ring is there, or it thinks that ours is. */
static bool has_ring(uint32_t frontend) { return frontend == XENBUS_INITIALISED || frontend == XENBUS_CONNECTED; }

/* It is to go: the frontend hears of it first, and lets go of the ring. */
static enum backend_act ending(const struct backend_view *v, uint32_t *say)
{
    if (v->attached && has_ring(v->frontend) && !v->impatient)
        return tell(v, XENBUS_CLOSING, say);
    if (v->attached)
        return BACKEND_DETACH;
    if (v->backend != XENBUS_CLOSED)
        return tell(v, XENBUS_CLOSED, say);
    return v->impatient || v->frontend == XENBUS_CLOSED || v->frontend == XENBUS_UNKNOWN ||
                   v->frontend == XENBUS_INITIALISING
               ? BACKEND_REMOVE
               : BACKEND_WAIT;
}

static enum backend_act serving(const struct backend_view *v, uint32_t *say)
{
    if (v->frontend > XENBUS_CLOSED)
        return BACKEND_WAIT; /* 7 and 8 are of no console, and there are no more */
    if (!has_ring(v->frontend))
        return BACKEND_DETACH;
    return v->frontend == XENBUS_INITIALISED && v->moved ? BACKEND_DETACH : tell(v, XENBUS_CONNECTED, say);
}

static enum backend_act waiting(const struct backend_view *v, uint32_t *say)
{
    if (v->frontend > XENBUS_CLOSED)
        return BACKEND_WAIT;
    if (has_ring(v->frontend))
        return BACKEND_ATTACH;
    return tell(v, v->frontend >= XENBUS_CLOSING ? XENBUS_CLOSED : XENBUS_INIT_WAIT, say);
}

enum backend_act backend_next(const struct backend_view *v, uint32_t *say)
{
    *say = v->backend;
    if (v->leaving)
        return BACKEND_WAIT;
    if (!v->online)
        return ending(v, say);
    return v->attached ? serving(v, say) : waiting(v, say);
}
