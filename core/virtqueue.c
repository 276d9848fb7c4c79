/* SPDX-License-Identifier: MIT */
#include <vcons/atomic.h>
#include <vcons/virtqueue.h>

/* ---- Rings. ---- */

static bool wraps(uint64_t gpa, uint32_t n) { return gpa > UINT64_MAX - n; }

static void *ring_at(const struct vc_virtio_env *env, void *ctx, uint64_t gpa, uint32_t n, uint32_t align, bool write)
{
    return gpa % align != 0 || wraps(gpa, n) ? NULL : env->at(ctx, gpa, n, write);
}

static bool find_rings(struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx)
{
    q->descs = ring_at(env, ctx, q->desc, VIRTQ_DESC_BYTES(q->size), VIRTQ_DESC_ALIGN, false);
    q->avail = ring_at(env, ctx, q->driver, VIRTQ_AVAIL_BYTES(q->size), VIRTQ_AVAIL_ALIGN, false);
    q->used_ring = ring_at(env, ctx, q->device, VIRTQ_USED_BYTES(q->size), VIRTQ_USED_ALIGN, true);
    return q->descs != NULL && q->avail != NULL && q->used_ring != NULL;
}

void vc_virtqueue_stop(struct vc_virtqueue *q)
{
    q->ready = q->broken = false;
    q->last_avail = q->used = q->published = q->seen = 0;
    q->descs = NULL;
    q->avail = NULL;
    q->used_ring = NULL;
}

int vc_virtqueue_start(struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx, uint32_t size_max)
{
    vc_virtqueue_stop(q);
    if (q->size == 0 || q->size > size_max || (q->size & (q->size - 1)) != 0)
        return VC_EINVAL;
    q->ready = find_rings(q, env, ctx);
    return q->ready ? VC_OK : VC_EINVAL;
}

void vc_virtqueue_break(struct vc_virtqueue *q) { q->broken = true; }

static int mark_broken(struct vc_virtqueue *q)
{
    q->broken = true;
    return VC_EPEER;
}

int vc_virtqueue_remap(struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx)
{
    if (!q->ready || find_rings(q, env, ctx))
        return VC_OK;
    return mark_broken(q);
}

static uint16_t *used_word(const struct vc_virtqueue *q, uint32_t word)
{
    return (uint16_t *)(void *)q->used_ring + word;
}

/* 2.7.10.1, behind the last element. */
static uint16_t *avail_event(const struct vc_virtqueue *q) { return used_word(q, 2 + 4 * q->size); }
/* 2.7.7.1, behind the last entry. */
static const uint16_t *used_event(const struct vc_virtqueue *q) { return q->avail + VIRTQ_AVAIL_RING + q->size; }

/* ---- A chain. ---- */

struct walk { /* along one table of descriptors */
    const struct virtq_desc *table;
    uint32_t entries, left; /* left: to be looked at before it must be a loop */
    uint32_t at;
    bool inside; /* an indirect table */
};

static bool add_buffer(const struct vc_virtio_env *env, void *ctx, struct vc_chain *chain, const struct virtq_desc *d)
{
    bool write = (d->flags & VIRTQ_DESC_F_WRITE) != 0;
    uint32_t *total = write ? &chain->writable : &chain->readable, n = (uint32_t)chain->n_readable + chain->n_writable;
    struct vc_segment *s;

    if (!write && chain->n_writable > 0)
        return false; /* 2.7.4.2: what the device writes comes last */
    if (d->len == 0)
        return true;
    if (n == VC_CHAIN_MAX || d->len > UINT32_MAX - chain->readable - chain->writable || wraps(d->addr, d->len))
        return false; /* 2.7.5.2: no chain is longer than 2^32 bytes */
    s = &chain->segments[n];
    *s = (struct vc_segment){env->at(ctx, d->addr, d->len, write), d->len};
    *total += d->len;
    if (write)
        chain->n_writable++;
    else
        chain->n_readable++;
    return s->at != NULL;
}

/* 2.7.5.3.1: only as negotiated, never nested, and nothing follows it. */
static bool enter_table(const struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx, struct walk *w,
                        const struct virtq_desc *d)
{
    uint32_t entries = d->len / (uint32_t)sizeof *d;

    if (!q->indirect || w->inside || (d->flags & VIRTQ_DESC_F_NEXT) != 0)
        return false;
    if (entries == 0 || entries > VC_CHAIN_MAX || d->len % sizeof *d != 0 || wraps(d->addr, d->len))
        return false;
    *w = (struct walk){env->at(ctx, d->addr, d->len, false), entries, entries, 0, true};
    return w->table != NULL;
}

/* False: the chain is against the spec. */
static bool walk_chain(const struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx, struct vc_chain *chain)
{
    struct walk w = {q->descs, q->size, q->size, chain->head, false};

    for (;;) {
        struct virtq_desc d;

        if (w.at >= w.entries || w.left-- == 0)
            return false; /* beyond the table, or a loop */
        vc_copy_once(&d, (const uint8_t *)w.table + sizeof d * w.at, sizeof d);
        if ((d.flags & VIRTQ_DESC_F_INDIRECT) != 0) {
            if (!enter_table(q, env, ctx, &w, &d))
                return false;
            continue;
        }
        if (!add_buffer(env, ctx, chain, &d))
            return false;
        if ((d.flags & VIRTQ_DESC_F_NEXT) == 0)
            return true;
        w.at = d.next;
    }
}

int vc_virtqueue_peek(struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx, struct vc_chain *chain,
                      bool *there)
{
    *there = false;
    if (!q->ready || q->broken)
        return VC_OK;
    if (q->seen == q->last_avail) {
        /* Pairs with the driver's release of idx: entries and descriptors before it. */
        q->seen = vc_load16_acquire(q->avail + VIRTQ_AVAIL_IDX);
        if ((uint16_t)(q->seen - q->last_avail) > q->size)
            return mark_broken(q); /* it has no more than size chains to make available */
    }
    if (q->seen == q->last_avail)
        return VC_OK;
    chain->head = vc_load16_relaxed(q->avail + VIRTQ_AVAIL_RING + (q->last_avail & (q->size - 1)));
    chain->n_readable = chain->n_writable = 0;
    chain->readable = chain->writable = 0;
    if (!walk_chain(q, env, ctx, chain))
        return mark_broken(q);
    *there = true;
    return VC_OK;
}

void vc_virtqueue_take(struct vc_virtqueue *q, const struct vc_chain *chain, uint32_t written)
{
    struct virtq_used_elem used = {chain->head, written};

    __builtin_memcpy(q->used_ring + VIRTQ_USED_RING + sizeof used * (q->used & (q->size - 1)), &used, sizeof used);
    q->used++;
    q->last_avail++;
}

/* ---- Notifications: who publishes and then looks whether the other wants to know, sees that, or is seen
 * (models/virtqueue.pml). ---- */

bool vc_virtqueue_publish(struct vc_virtqueue *q)
{
    uint16_t old = q->published, count = (uint16_t)(q->used - old);

    if (count == 0)
        return false;
    q->published = q->used;
    /* Pairs with the driver's load of idx, elements before it; and before our load below: with its store of what it wants. */
    vc_store16_seq(used_word(q, VIRTQ_USED_IDX), q->used);
    if (q->event_idx) /* 2.7.7.2 */
        return (uint16_t)(q->used - vc_load16_seq(used_event(q)) - 1) < count;
    return (vc_load16_seq(q->avail + VIRTQ_AVAIL_FLAGS) & VIRTQ_AVAIL_F_NO_INTERRUPT) == 0;
}

bool vc_virtqueue_arm_ahead(struct vc_virtqueue *q, uint32_t n)
{
    if (!q->ready || q->broken || !q->event_idx)
        return false;
    /* Before the load: pairs with the driver's store of idx, before its load of avail_event. */
    vc_store16_seq(avail_event(q), (uint16_t)(q->last_avail + n - 1));
    return (uint16_t)(vc_load16_seq(q->avail + VIRTQ_AVAIL_IDX) - q->last_avail) >= n;
}

bool vc_virtqueue_arm(struct vc_virtqueue *q) { return vc_virtqueue_arm_ahead(q, 1); }
