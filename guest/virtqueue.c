/* SPDX-License-Identifier: MIT */
#include "virtqueue.h"
#include <string.h>
#include <vcons/atomic.h>

static bool size_ok(uint32_t size) { return size > 0 && size <= VIRTQUEUE_SIZE_MAX && (size & (size - 1)) == 0; }
static uint32_t driver_at(uint32_t size) { return VIRTQ_DESC_BYTES(size); }
static uint32_t device_at(uint32_t size)
{
    return (driver_at(size) + VIRTQ_AVAIL_BYTES(size) + VIRTQ_USED_ALIGN - 1) & ~(uint32_t)(VIRTQ_USED_ALIGN - 1);
}

size_t virtqueue_bytes(uint32_t size) { return size_ok(size) ? device_at(size) + VIRTQ_USED_BYTES(size) : 0; }

int virtqueue_init(struct virtqueue *q, uint32_t size, bool event_idx, void *memory, uint64_t gpa)
{
    uint8_t *bytes = memory;

    if (!size_ok(size))
        return VC_EINVAL;
    memset(memory, 0, virtqueue_bytes(size));
    memset(q, 0, sizeof *q);
    q->desc = gpa;
    q->driver = gpa + driver_at(size);
    q->device = gpa + device_at(size);
    q->size = size;
    q->event_idx = event_idx;
    q->free_count = (uint16_t)size;
    q->descs = memory;
    q->avail_ring = (uint16_t *)(void *)(bytes + driver_at(size));
    q->used_ring = bytes + device_at(size);
    for (uint32_t i = 0; i < size; i++)
        q->lent[i].next = (uint16_t)(i + 1);
    return VC_OK;
}

static const uint16_t *used_word(const struct virtqueue *q, uint32_t word)
{
    return (const uint16_t *)(const void *)q->used_ring + word;
}

/* ---- Lending. ---- */

static struct virtq_desc describe(const struct virtqueue_buffer *b, bool write, bool more)
{
    return (struct virtq_desc){b->gpa, b->n,
                               (uint16_t)((write ? VIRTQ_DESC_F_WRITE : 0) | (more ? VIRTQ_DESC_F_NEXT : 0)), 0};
}

static uint32_t room_of(const struct virtqueue_buffer *buffers, uint32_t n_out, uint32_t n_in)
{
    uint32_t room = 0;

    for (uint32_t i = n_out; i < n_out + n_in; i++)
        room += buffers[i].n;
    return room;
}

/* The free list's first n descriptors are a chain now. */
static void make_available(struct virtqueue *q, uint16_t n, uint32_t room, void *token)
{
    uint16_t head = q->free_head, last = head;

    for (uint16_t i = 1; i < n; i++)
        last = q->lent[last].next;
    q->free_head = q->lent[last].next;
    q->free_count = (uint16_t)(q->free_count - n);
    q->lent[head].token = token;
    q->lent[head].room = room;
    q->lent[head].n = n;
    vc_store16_relaxed(&q->avail_ring[VIRTQ_AVAIL_RING + (q->avail & (q->size - 1))], head);
    q->avail++;
}

int virtqueue_lend(struct virtqueue *q, const struct virtqueue_buffer *buffers, uint32_t n_out, uint32_t n_in,
                   void *token)
{
    uint32_t n = n_out + n_in;
    uint16_t at = q->free_head;

    if (q->broken)
        return VC_EPEER;
    if (n == 0 || n > q->free_count)
        return VC_ENOSPC;
    for (uint32_t i = 0; i < n; i++) {
        q->descs[at] = describe(&buffers[i], i >= n_out, i + 1 < n);
        q->descs[at].next = q->lent[at].next;
        at = q->lent[at].next;
    }
    make_available(q, (uint16_t)n, room_of(buffers, n_out, n_in), token);
    return VC_OK;
}

int virtqueue_lend_table(struct virtqueue *q, const struct virtqueue_buffer *buffers, uint32_t n_out, uint32_t n_in,
                         struct virtq_desc *table, uint64_t table_gpa, void *token)
{
    uint32_t n = n_out + n_in;

    if (q->broken)
        return VC_EPEER;
    if (n == 0 || q->free_count == 0)
        return VC_ENOSPC;
    for (uint32_t i = 0; i < n; i++) {
        table[i] = describe(&buffers[i], i >= n_out, i + 1 < n);
        table[i].next = (uint16_t)(i + 1);
    }
    q->descs[q->free_head] = (struct virtq_desc){table_gpa, n * (uint32_t)sizeof *table, VIRTQ_DESC_F_INDIRECT, 0};
    make_available(q, 1, room_of(buffers, n_out, n_in), token);
    return VC_OK;
}

bool virtqueue_show(struct virtqueue *q)
{
    uint16_t count = (uint16_t)(q->avail - q->shown);

    if (count == 0 || q->broken)
        return false;
    q->shown = q->avail;
    /* Pairs with the device's load of idx: entries and descriptors before it; and before our load below, with what the
     * device stores before it sleeps. */
    vc_store16_seq(&q->avail_ring[VIRTQ_AVAIL_IDX], q->avail);
    if (q->event_idx) /* 2.7.10 */
        return (uint16_t)(q->avail - vc_load16_seq(used_word(q, 2 + 4 * q->size)) - 1) < count;
    return (vc_load16_seq(used_word(q, VIRTQ_USED_FLAGS)) & VIRTQ_USED_F_NO_NOTIFY) == 0;
}

/* ---- Getting back. ---- */

static int mark_broken(struct virtqueue *q)
{
    q->broken = true;
    return VC_EPEER;
}

static void take_back(struct virtqueue *q, uint16_t head)
{
    struct virtqueue_lent *l = &q->lent[head];
    uint16_t last = head;

    for (uint16_t i = 1; i < l->n; i++)
        last = q->lent[last].next;
    q->lent[last].next = q->free_head;
    q->free_head = head;
    q->free_count = (uint16_t)(q->free_count + l->n);
    l->token = NULL;
}

int virtqueue_get(struct virtqueue *q, void **token, uint32_t *written)
{
    struct virtq_used_elem e;
    uint16_t waiting;

    *token = NULL;
    *written = 0;
    if (q->broken)
        return VC_EPEER;
    /* Pairs with the device's store of idx: elements and buffers before it. */
    waiting = (uint16_t)(vc_load16_acquire(used_word(q, VIRTQ_USED_IDX)) - q->last_used);
    if (waiting == 0)
        return VC_OK;
    if (waiting > (uint16_t)(q->shown - q->last_used))
        return mark_broken(q); /* more than it has */
    vc_copy_once(&e, q->used_ring + VIRTQ_USED_RING + sizeof e * (q->last_used & (q->size - 1)), sizeof e);
    if (e.id >= q->size || q->lent[e.id].token == NULL || e.len > q->lent[e.id].room)
        return mark_broken(q); /* R35 */
    *token = q->lent[e.id].token;
    *written = e.len;
    take_back(q, (uint16_t)e.id);
    q->last_used++;
    return VC_OK;
}

static uint16_t *used_event(struct virtqueue *q) { return &q->avail_ring[VIRTQ_AVAIL_RING + q->size]; }

void virtqueue_quiet(struct virtqueue *q)
{
    if (q->event_idx) /* half a lap away, 2.7.7.2 */
        vc_store16_relaxed(used_event(q), (uint16_t)(q->last_used - 1));
    else
        vc_store16_relaxed(&q->avail_ring[VIRTQ_AVAIL_FLAGS], VIRTQ_AVAIL_F_NO_INTERRUPT);
}

bool virtqueue_listen(struct virtqueue *q)
{
    if (q->event_idx)
        vc_store16_seq(used_event(q), q->last_used);
    else
        vc_store16_seq(&q->avail_ring[VIRTQ_AVAIL_FLAGS], 0);
    /* Before the load: pairs with the device's store of idx, before its load of what we want. */
    return !q->broken && vc_load16_seq(used_word(q, VIRTQ_USED_IDX)) != q->last_used;
}
