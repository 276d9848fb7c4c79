/* SPDX-License-Identifier: MIT */
/*
 * virtqueue.h: the device's side of a split virtqueue: chains of buffers taken from the driver, and given back used.
 *
 * Spec:  VIRTIO 1.2, 2.7, with indirect descriptors (2.7.5.3) and the event index (2.7.7.2, 2.7.10) where negotiated. Layout:
 *        wire/virtio.h. Of a chain:
 *        - at most VC_CHAIN_MAX buffers, those of an indirect table with them; direct descriptors before the one INDIRECT
 *          descriptor are legal, as in 2.7.5.3.1; buffers of no length are skipped;
 *        - an indirect table may lie at any address: the spec asks for none;
 *        - each buffer, and each of the three rings, lies within one slot of the guest's memory. Linux' buffers do.
 * Owner: the caller places struct vc_virtqueue and struct vc_chain; nothing here allocates or waits.
 * Lock:  the caller's, one for each device, around every call. env->at runs under it.
 * Trust: all that lies in guest memory is the driver's, to be changed at any moment: each index, ring entry and descriptor is
 *        read once, checked, and used from the copy; used rings are never read back. What is against the spec gives VC_EPEER
 *        and marks this queue broken until it is stopped: nothing of it is looked at any more. One call of
 *        vc_virtqueue_peek looks at no more than size + VC_CHAIN_MAX descriptors.
 *
 * A batch is: peek, do what the chain asks, take; again while there are chains; then publish once. What is peeked and not
 * taken is found again by the next peek: a device that cannot finish a chain just stops.
 */
#ifndef VCONS_VIRTQUEUE_H
#define VCONS_VIRTQUEUE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/error.h>
#include <vcons/wire/virtio.h>

#define VC_CHAIN_MAX 256u /* Linux splices as many pages into a port as a pipe has */

struct vc_virtio_env {
    /*
     * n bytes (not 0) of guest memory at gpa, wherever they lie here, at an address that is congruent to gpa modulo 16; write:
     * for writing. NULL: not wholly inside one slot of RAM, or it is read-only. gpa + n does not wrap. Valid until the caller says that the
     * memory map has changed (vc_virtqueue_remap).
     */
    void *(*at)(void *ctx, uint64_t gpa, uint32_t n, bool write);
    void (*irq)(void *ctx, bool level); /* the device's interrupt line has changed to level; not used here */
};

struct vc_segment {
    uint8_t *at; /* guest memory: read each byte once, or write it */
    uint32_t n;  /* not 0 */
};
struct vc_chain {
    uint16_t head;
    uint16_t n_readable, n_writable; /* segments: those that the device reads come first */
    uint32_t readable, writable;     /* their bytes */
    struct vc_segment segments[VC_CHAIN_MAX];
};

struct vc_virtqueue { /* for the caller to place; the first block is the caller's to set while it is not ready */
    uint64_t desc, driver, device; /* gpa of the rings */
    uint32_t size;                 /* as the driver wrote it */
    bool indirect, event_idx;      /* negotiated */

    bool ready, broken;             /* may be read */
    uint16_t last_avail;            /* chains taken */
    uint16_t used, published;       /* chains given back, and those the driver was shown */
    uint16_t seen;                  /* avail.idx as read last, and checked */
    const struct virtq_desc *descs; /* the rings, while it is ready */
    uint16_t *avail;
    uint8_t *used_ring;
};

/*
 * Look at size (at most size_max, itself at most VIRTQ_SIZE_MAX) and rings, and begin at index 0. VC_EINVAL: size is 0 or no power of
 * two or above size_max; a ring is not aligned, wraps, or does not lie in memory. Then it is not ready.
 */
int vc_virtqueue_start(struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx, uint32_t size_max);
/* The device found something against the spec itself. */
void vc_virtqueue_break(struct vc_virtqueue *q);
/* Not ready, not broken; what was peeked is forgotten. The rings' places and the size stay. */
void vc_virtqueue_stop(struct vc_virtqueue *q);
/* The memory map has changed: find the rings anew. VC_EPEER: a ring is not there any more; the queue is broken. */
int vc_virtqueue_remap(struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx);

/*
 * The oldest chain that was not taken, checked as a whole. *there: there is one. VC_EPEER: it, or the driver's index, is
 * against the spec; the queue is broken. A queue that is broken or not ready has none.
 */
int vc_virtqueue_peek(struct vc_virtqueue *q, const struct vc_virtio_env *env, void *ctx, struct vc_chain *chain,
                      bool *there);
/* The chain that was peeked is used, and written bytes of it are the device's: seen by the driver after publish. */
void vc_virtqueue_take(struct vc_virtqueue *q, const struct vc_chain *chain, uint32_t written);
/* Show the driver what was taken since the last publish. True: it wants an interrupt for that. */
bool vc_virtqueue_publish(struct vc_virtqueue *q);
/*
 * Before waiting for a notification: ask for one at the next chain. True: one came meanwhile, look again. Without the
 * event index the driver notifies of every chain, and this is false.
 */
bool vc_virtqueue_arm(struct vc_virtqueue *q);
/*
 * As that, at the nth chain from here, 1..size: the caller looks again by itself, in a while. True: so many are there. False: fewer,
 * or there is no event index.
 */
bool vc_virtqueue_arm_ahead(struct vc_virtqueue *q, uint32_t n);

#endif
