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

/* ---- Save and restore. ---- */

static bool is_in_ram(const struct grant_pages *g, uint32_t i)
{
    return g->frames[i].gpa != ENGINE_NOWHERE && !g->frames[i].outside;
}

void grant_pages_save(struct grant_pages *g, uint32_t tag, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, tag, 1);

    pthread_mutex_lock(&g->lock);
    vc_write_u32(w, g->n);
    vc_write_u32(w, 0);
    for (uint32_t i = 0; i < g->n; i++) {
        vc_write_u64(w, g->frames[i].gpa);
        vc_write_u32(w, g->frames[i].outside);
        vc_write_u32(w, 0);
        vc_write_bytes(w, g->frames[i].page, is_in_ram(g, i) ? 0 : PAGE);
    }
    pthread_mutex_unlock(&g->lock);
    vc_write_end(w, begun);
}

/* [locked] In RAM its content is there. */
static bool restore_in_ram(struct grant_pages *g, uint32_t i, uint64_t gpa)
{
    uint8_t *page = memory_at(g->memory, gpa, PAGE);

    if (page == NULL)
        return false;
    g->frames[i].page = page;
    g->frames[i].gpa = gpa;
    grants_move_frame(&g->table, i, page);
    return true;
}

/* [locked] */
static bool restore_own(struct grant_pages *g, uint32_t i, uint64_t gpa, const uint8_t *content)
{
    if (content == NULL)
        return false;
    memcpy(g->frames[i].own, content, PAGE);
    if (gpa == ENGINE_NOWHERE)
        return true;
    if (memory_at(g->memory, gpa, PAGE) != NULL || g->ops->map_page == NULL ||
        g->ops->map_page(g->engine, gpa, g->frames[i].own) != 0)
        return false;
    g->frames[i].outside = true;
    g->frames[i].gpa = gpa;
    return true;
}

/* [locked] */
static bool restore_frame(struct grant_pages *g, uint32_t i, struct vc_reader *r)
{
    uint64_t gpa = vc_read_u64(r);
    uint32_t outside = vc_read_u32(r), zero = vc_read_u32(r);
    bool nowhere = gpa == ENGINE_NOWHERE;

    if (!vc_reader_ok(r) || outside > 1 || zero != 0 ||
        (nowhere ? outside != 0 : gpa % PAGE != 0 || is_taken(g, gpa)) || grow(g, i) != 0)
        return false;
    return nowhere || outside != 0 ? restore_own(g, i, gpa, vc_read_span(r, PAGE)) : restore_in_ram(g, i, gpa);
}

bool grant_pages_restore(struct grant_pages *g, struct vc_section *s)
{
    uint32_t n = vc_read_u32(&s->body), zero = vc_read_u32(&s->body);
    bool right = s->version == 1 && n >= 1 && n <= GRANTS_FRAMES_MAX && zero == 0;

    pthread_mutex_lock(&g->lock);
    for (uint32_t i = 0; right && i < n; i++)
        right = restore_frame(g, i, &s->body);
    pthread_mutex_unlock(&g->lock);
    return right && vc_reader_done(&s->body);
}
