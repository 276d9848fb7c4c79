/* SPDX-License-Identifier: MIT */
#include "grant_pages.h"
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/xen.h>

#define PAGE XEN_PAGE_BYTES
_Static_assert(PAGE == GRANTS_FRAME_BYTES, "a frame is a page");

void grant_pages_init(struct grant_pages *g) { pthread_mutex_init(&g->lock, NULL); }

static void forget(struct grant_pages *g)
{
    for (uint32_t i = 0; i < GRANTS_FRAMES_MAX; i++) {
        free(g->frames[i].own);
        g->frames[i].own = g->frames[i].page = NULL;
        g->frames[i].gpa = ENGINE_NOWHERE;
        g->frames[i].outside = false;
    }
    g->n = 0;
    grants_init(&g->table);
}

void grant_pages_finish(struct grant_pages *g)
{
    forget(g);
    pthread_mutex_destroy(&g->lock);
}

/* [locked] All frames up to this one are there, each in a page of ours until the guest places it. */
static int grow(struct grant_pages *g, uint64_t idx)
{
    while (g->n <= idx) {
        uint8_t *own = aligned_alloc(PAGE, PAGE);

        if (own == NULL)
            return -1;
        memset(own, 0, PAGE);
        g->frames[g->n].own = g->frames[g->n].page = own;
        g->n++;
        grants_add_frame(&g->table, own);
    }
    return 0;
}

int grant_pages_reset(struct grant_pages *g, const struct guest_memory *memory, const struct engine_ops *ops,
                      void *engine, uint64_t console_gfn, uint64_t store_gfn)
{
    int result;

    pthread_mutex_lock(&g->lock);
    forget(g);
    g->memory = memory;
    g->ops = ops;
    g->engine = engine;
    result = grow(g, 0);
    if (result == 0 && console_gfn != 0)
        grants_seed(&g->table, GRANT_CONSOLE, console_gfn);
    if (result == 0 && store_gfn != 0)
        grants_seed(&g->table, GRANT_XENSTORE, store_gfn);
    pthread_mutex_unlock(&g->lock);
    return result;
}

bool grant_pages_used(struct grant_pages *g)
{
    bool used = false;

    pthread_mutex_lock(&g->lock);
    for (uint32_t i = 0; i < g->n; i++)
        used |= g->frames[i].gpa != ENGINE_NOWHERE;
    pthread_mutex_unlock(&g->lock);
    return used;
}

bool grant_pages_grow(struct grant_pages *g, uint32_t n)
{
    bool has;

    if (n > GRANTS_FRAMES_MAX)
        return false;
    pthread_mutex_lock(&g->lock);
    has = n == 0 || grow(g, n - 1) == 0;
    pthread_mutex_unlock(&g->lock);
    return has;
}

uint64_t grant_pages_gfn(struct grant_pages *g, uint32_t i)
{
    uint64_t gpa;

    pthread_mutex_lock(&g->lock);
    gpa = i < g->n ? g->frames[i].gpa : ENGINE_NOWHERE;
    pthread_mutex_unlock(&g->lock);
    return gpa == ENGINE_NOWHERE ? UINT64_MAX : gpa / PAGE;
}

uint32_t grant_pages_frames(struct grant_pages *g)
{
    uint32_t n;

    pthread_mutex_lock(&g->lock);
    n = g->n;
    pthread_mutex_unlock(&g->lock);
    return n;
}

/* ---- Places. ---- */

/* [locked] Two frames in one page would overwrite each other. */
static bool is_taken(const struct grant_pages *g, uint64_t gpa)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (g->frames[i].gpa == gpa)
            return true;
    return false;
}

/* [locked] */
static void take_away(struct grant_pages *g, uint32_t i)
{
    if (g->frames[i].outside)
        g->ops->map_page(g->engine, g->frames[i].gpa, NULL);
    g->frames[i].outside = false;
    g->frames[i].gpa = ENGINE_NOWHERE;
}

/* [locked] Our own page is never at two places: what the guest writes to the old one is not to be found at the new. */
static int64_t place_outside(struct grant_pages *g, uint32_t i, uint64_t gpa)
{
    int error;

    if (g->ops->map_page == NULL)
        return -XEN_EINVAL;
    if (g->frames[i].page != g->frames[i].own)
        memcpy(g->frames[i].own, g->frames[i].page, PAGE);
    take_away(g, i);
    g->frames[i].page = g->frames[i].own;
    grants_move_frame(&g->table, i, g->frames[i].own);
    error = g->ops->map_page(g->engine, gpa, g->frames[i].own);
    if (error != 0)
        return error;
    g->frames[i].outside = true;
    g->frames[i].gpa = gpa;
    return 0;
}

/* [locked] */
static void place_inside(struct grant_pages *g, uint32_t i, uint64_t gpa, uint8_t *page)
{
    if (page != g->frames[i].page)
        memcpy(page, g->frames[i].page, PAGE);
    take_away(g, i);
    g->frames[i].page = page;
    g->frames[i].gpa = gpa;
    grants_move_frame(&g->table, i, page);
}

/* [locked] */
static int64_t place(struct grant_pages *g, uint64_t idx, uint64_t gpa)
{
    uint8_t *page = memory_at(g->memory, gpa, PAGE);

    if (grow(g, idx) != 0)
        return -XEN_ENOMEM;
    if (g->frames[idx].gpa == gpa)
        return 0;
    if (is_taken(g, gpa))
        return -XEN_EBUSY;
    if (page == NULL)
        return place_outside(g, (uint32_t)idx, gpa);
    place_inside(g, (uint32_t)idx, gpa, page);
    return 0;
}

int64_t grant_pages_place(struct grant_pages *g, uint64_t idx, uint64_t gfn)
{
    int64_t result;

    if (idx >= GRANTS_FRAMES_MAX || gfn >= ENGINE_NOWHERE / PAGE)
        return -XEN_EINVAL;
    pthread_mutex_lock(&g->lock);
    result = place(g, idx, gfn * PAGE);
    pthread_mutex_unlock(&g->lock);
    return result;
}

uint8_t *grant_pages_at(struct grant_pages *g, uint64_t gfn)
{
    uint8_t *page = NULL;

    pthread_mutex_lock(&g->lock);
    for (uint32_t i = 0; i < g->n; i++)
        if (g->frames[i].outside && g->frames[i].gpa / PAGE == gfn)
            page = g->frames[i].own;
    pthread_mutex_unlock(&g->lock);
    return page;
}

/* ---- Grants in use. ---- */

void *grant_pages_map(struct grant_pages *g, uint32_t ref)
{
    void *page = NULL;
    uint64_t gfn;

    pthread_mutex_lock(&g->lock);
    if (grants_pin(&g->table, ref, &gfn)) {
        page = memory_at(g->memory, gfn * PAGE, PAGE);
        if (page == NULL) /* it granted what it has not */
            grants_unpin(&g->table, ref);
    }
    pthread_mutex_unlock(&g->lock);
    return page;
}

void grant_pages_unmap(struct grant_pages *g, uint32_t ref)
{
    pthread_mutex_lock(&g->lock);
    grants_unpin(&g->table, ref);
    pthread_mutex_unlock(&g->lock);
}
