/* SPDX-License-Identifier: MIT */
#include "vterm.h"
#include <string.h>

size_t vterms_bytes(uint32_t max)
{
    size_t ids = vc_ids_bytes(max);

    return ids > 0 ? ids + max * sizeof(struct vterm) : 0;
}

int vterms_init(struct vterms *t, const struct vterm_env *env, void *ctx, uint32_t max, void *memory, bool counter)
{
    *t = (struct vterms){.env = env, .ctx = ctx, .counter = counter, .next = 1, .max = max};
    if (vc_ids_init(&t->ids, 1, max, memory) != VC_OK)
        return VC_EINVAL;
    t->list = (struct vterm *)(void *)((uint8_t *)memory + vc_ids_bytes(max));
    memset(t->list, 0, max * sizeof *t->list);
    return VC_OK;
}

static void lock(struct vterms *t)
{
    if (t->env->lock != NULL)
        t->env->lock(t->ctx);
}

static void unlock(struct vterms *t)
{
    if (t->env->unlock != NULL)
        t->env->unlock(t->ctx);
}

/* ---- Under the lock. ---- */

static struct vterm *find(const struct vterms *t, uint32_t number)
{
    for (uint32_t i = 0; i < t->max; i++)
        if (t->list[i].hvc != NULL && t->list[i].number == number && !t->list[i].shared)
            return &t->list[i];
    return NULL;
}

static struct vterm *entry_of(const struct vterms *t, const struct hvc *hvc)
{
    for (uint32_t i = 0; i < t->max; i++)
        if (t->list[i].hvc == hvc)
            return &t->list[i];
    return NULL;
}

static bool index_is_used(const struct vterms *t, uint32_t index)
{
    for (uint32_t i = 0; i < t->max; i++)
        if (t->list[i].hvc != NULL && t->list[i].index == index)
            return true;
    return false;
}

static uint32_t free_index(const struct vterms *t)
{
    uint32_t index = 0;

    while (index_is_used(t, index))
        index++;
    return index;
}

/* NULL: no room. */
static struct vterm *publish(struct vterms *t, struct hvc *hvc, uint32_t number)
{
    const struct vterm *first = find(t, number);
    struct vterm *v = entry_of(t, NULL);

    if (v != NULL)
        *v = (struct vterm){hvc, number, first != NULL ? first->index : free_index(t), first != NULL};
    return v;
}

static void take_back(struct vterms *t, struct vterm *v)
{
    if (!t->counter)
        vc_ids_free(&t->ids, v->number);
    *v = (struct vterm){0};
}

/* ---- Two ways to a number. ---- */

/* The entry, published; NULL: none. Nobody else can come to the number meanwhile. */
static struct vterm *allocate(struct vterms *t, struct hvc *hvc)
{
    struct vterm *v = NULL;
    uint32_t number;

    lock(t);
    if (vc_ids_alloc(&t->ids, &number) == VC_OK)
        v = publish(t, hvc, number);
    unlock(t);
    return v;
}

static struct vterm *read_counter(struct vterms *t, struct hvc *hvc)
{
    struct vterm *v;
    uint32_t number;

    lock(t);
    number = t->next;
    unlock(t);
    if (t->env->yield != NULL)
        t->env->yield(t->ctx);
    lock(t);
    v = publish(t, hvc, number);
    unlock(t);
    return v;
}

static void increment(struct vterms *t)
{
    lock(t);
    t->next += t->counter;
    unlock(t);
}

int vterm_add(struct vterms *t, struct hvc *hvc, uint32_t *number)
{
    struct vterm *v = t->counter ? read_counter(t, hvc) : allocate(t, hvc);

    *number = 0;
    if (v == NULL)
        return VC_ENOSPC;
    if (!v->shared && !t->env->begin(t->ctx, v->number)) {
        vterm_release(t, hvc);
        return VC_ENOSPC;
    }
    increment(t);
    *number = v->number; /* ours alone until it is released */
    return VC_OK;
}

bool vterm_remove(struct vterms *t, struct hvc *hvc)
{
    struct vterm *v;
    bool tell;
    uint32_t number = 0;

    lock(t);
    v = entry_of(t, hvc);
    tell = v != NULL && !v->shared;
    if (v != NULL)
        number = v->number;
    unlock(t);
    if (tell)
        t->env->end(t->ctx, number);
    else
        vterm_release(t, hvc);
    return tell;
}

void vterm_release(struct vterms *t, struct hvc *hvc)
{
    struct vterm *v;

    lock(t);
    v = entry_of(t, hvc);
    if (v != NULL)
        take_back(t, v);
    unlock(t);
}

struct hvc *vterm_find(struct vterms *t, uint32_t number)
{
    const struct vterm *v;
    struct hvc *hvc;

    lock(t);
    v = find(t, number);
    hvc = v != NULL ? v->hvc : NULL;
    unlock(t);
    return hvc;
}

uint32_t vterm_index(struct vterms *t, uint32_t number)
{
    const struct vterm *v;
    uint32_t index;

    lock(t);
    v = find(t, number);
    index = v != NULL ? v->index : UINT32_MAX;
    unlock(t);
    return index;
}
