/* SPDX-License-Identifier: MIT */
/*
 * virtqueue.h: the driver's side of a split virtqueue: buffers lent to a device, and got back.
 *
 * Spec:  VIRTIO 1.2, 2.7, with indirect descriptors and the event index where negotiated. Layout: wire/virtio.h.
 * Owner: the caller gives memory that the device reaches, aligned to 16, for as long as the queue lives, and lends buffers in
 *        such memory: a chain's buffers, and its indirect table, stay untouched until virtqueue_get gives its token back.
 * Lock:  the caller's, around every call.
 * Trust: the used ring is the device's, to be changed at any moment: each word is read once. An index beyond what was lent, an
 *        id that was not, or more bytes written than there was room for give VC_EPEER, and this queue is broken: it lends
 *        nothing more, and gives nothing back. Descriptors are read by the device alone: free ones and what each chain has are
 *        remembered here.
 */
#ifndef GUEST_VIRTQUEUE_H
#define GUEST_VIRTQUEUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/error.h>
#include <vcons/wire/virtio.h>

#define VIRTQUEUE_SIZE_MAX 256u

struct virtqueue_buffer {
    uint64_t gpa;
    uint32_t n;
};
struct virtqueue_lent { /* private: of a chain, by its head; of a free descriptor: next */
    void *token;        /* NULL: not lent */
    uint32_t room;      /* bytes that the device may write */
    uint16_t n, next;   /* descriptors of the chain; the next of it, or the next free one */
};
struct virtqueue {                 /* for the caller to place; the addresses, broken and free_count may be read */
    uint64_t desc, driver, device; /* gpa, for the transport */
    uint32_t size;
    bool event_idx, broken;
    uint16_t free_head, free_count;
    uint16_t avail, shown; /* lent so far; at the last virtqueue_show */
    uint16_t last_used;    /* got back so far */
    struct virtq_desc *descs;
    uint16_t *avail_ring;
    const uint8_t *used_ring;
    struct virtqueue_lent lent[VIRTQUEUE_SIZE_MAX];
};

/* Of memory for a queue of that size; 0: not a power of two, 1..VIRTQUEUE_SIZE_MAX. */
size_t virtqueue_bytes(uint32_t size);
/* An empty queue in memory, which the device finds at gpa. VC_EINVAL: size. */
int virtqueue_init(struct virtqueue *q, uint32_t size, bool event_idx, void *memory, uint64_t gpa);
/*
 * Lend a chain: first n_out buffers that the device reads, then n_in that it writes; together at least one. token is not
 * NULL, for virtqueue_get. VC_ENOSPC: not so many descriptors are free; VC_EPEER: broken.
 */
int virtqueue_lend(struct virtqueue *q, const struct virtqueue_buffer *buffers, uint32_t n_out, uint32_t n_in,
                   void *token);
/* As virtqueue_lend, by one descriptor: table, at table_gpa, has room for n_out + n_in. Indirect descriptors were negotiated. */
int virtqueue_lend_table(struct virtqueue *q, const struct virtqueue_buffer *buffers, uint32_t n_out, uint32_t n_in,
                         struct virtq_desc *table, uint64_t table_gpa, void *token);
/* Show the device what was lent. True: it wants to be notified. */
bool virtqueue_show(struct virtqueue *q);
/* One chain back: its token, and bytes that the device wrote. *token NULL: none is back. VC_EPEER: broken. */
int virtqueue_get(struct virtqueue *q, void **token, uint32_t *written);
/* No interrupt is wanted; but with the event index they stop only while nothing is got back. */
void virtqueue_quiet(struct virtqueue *q);
/* An interrupt, please, when the next chain comes back. True: one did meanwhile, look first. */
bool virtqueue_listen(struct virtqueue *q);

#endif
