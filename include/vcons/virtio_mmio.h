/* SPDX-License-Identifier: MIT */
/*
 * virtio_mmio.h: the MMIO transport of virtio, version 2: its registers, and what they do to a device's queues.
 *
 * Spec:  VIRTIO 1.2, 2.1, 2.2, 3.1 and 4.2.2; bare section numbers are its own. Registers: wire/virtio.h. What the spec
 *        leaves open, or forbids to drivers without a word on what follows:
 *        - a queue's size, rings and readiness are frozen while it is ready, and once the driver said DRIVER_OK; features
 *          once it said FEATURES_OK. Later writes are ignored, until reset;
 *        - a queue whose size or rings are not legal does not become ready, and the device needs a reset;
 *        - bits of Status are only ever added, but by reset; DRIVER_OK only over FEATURES_OK, that only over features that
 *          were offered, VERSION_1 among them;
 *        - a notification before DRIVER_OK, of a queue that is not ready, or is not there, is ignored;
 *        - a device that needs a reset goes on with those of its queues that are sound.
 * Owner: the caller places the device, which embeds this, and its queues. Nothing here allocates or waits.
 * Lock:  the caller's, one for each device, around every call. env functions run under it: no calls back.
 * Trust: offset, width and value are the guest's and may be anything at all. So is what was saved.
 */
#ifndef VCONS_VIRTIO_MMIO_H
#define VCONS_VIRTIO_MMIO_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/virtqueue.h>

struct vc_virtio_mmio;

struct vc_virtio_type { /* a kind of device; its functions run under the device's lock */
    uint32_t id;        /* 5 */
    /* Queues that there are, by what was negotiated so far; at most those that init was given. */
    uint32_t (*n_queues)(const struct vc_virtio_mmio *m);
    void (*started)(struct vc_virtio_mmio *m);                  /* DRIVER_OK: features and queues are final */
    void (*reset)(struct vc_virtio_mmio *m);                    /* no queue is ready any more */
    void (*notified)(struct vc_virtio_mmio *m, uint32_t queue); /* DRIVER_OK, and this one is ready */
    /* width 1, 2 or 4, offset from the configuration's begin; what is not there reads 0. */
    uint32_t (*config_read)(const struct vc_virtio_mmio *m, uint32_t offset, uint32_t width);
    void (*config_write)(struct vc_virtio_mmio *m, uint32_t offset, uint32_t width, uint32_t value);
};

struct vc_virtio_mmio { /* the first member of its device; status and offered may be read */
    struct vc_virtio_type type;
    const struct vc_virtio_env *env;
    void *ctx;
    uint64_t offered, accepted; /* features; what the driver wrote */
    uint32_t status, vendor;
    uint32_t device_sel, driver_sel, queue_sel;
    uint32_t interrupt, generation;
    bool beyond; /* the driver wants features of a number that nobody has */
    bool level;  /* as last told to env->irq */
    uint32_t n_queues, size_max;
    struct vc_virtqueue *queues;
};

/* Reset state. VERSION_1 is offered beside what is in offered. All pointers but type outlive it; n_queues at most 65536, size_max a power of two. */
void vc_virtio_mmio_init(struct vc_virtio_mmio *m, const struct vc_virtio_type *type, const struct vc_virtio_env *env,
                         void *ctx, struct vc_virtqueue *queues, uint32_t n_queues, uint32_t size_max,
                         uint64_t offered);
/* As a write of 0 to Status. */
void vc_virtio_mmio_reset(struct vc_virtio_mmio *m);
/*
 * One guest access of width bytes at offset from the base. False: registers by another width than 4 or not aligned,
 * the configuration by none of 1, 2, 4, or past the place: *value is 0, nothing changed. *value has width bytes.
 */
bool vc_virtio_mmio_read(struct vc_virtio_mmio *m, uint64_t offset, uint32_t width, uint32_t *value);
bool vc_virtio_mmio_write(struct vc_virtio_mmio *m, uint64_t offset, uint32_t width, uint32_t value);
/* As a write of queue to QueueNotify, for who has it by other ways (ioeventfd). */
void vc_virtio_mmio_notify(struct vc_virtio_mmio *m, uint32_t queue);
/* The guest's memory lies elsewhere now: before anything that env->at gave becomes invalid. */
void vc_virtio_mmio_remapped(struct vc_virtio_mmio *m);

/* ---- For devices. ---- */

static inline bool vc_virtio_running(const struct vc_virtio_mmio *m)
{
    return (m->status & VIRTIO_STATUS_DRIVER_OK) != 0;
}
/* From FEATURES_OK on. */
bool vc_virtio_negotiated(const struct vc_virtio_mmio *m, uint32_t feature);
/* vc_virtqueue_publish, and the interrupt if it is wanted. */
void vc_virtio_publish(struct vc_virtio_mmio *m, struct vc_virtqueue *q);
/* What config_read gives has changed: the generation, and while it runs an interrupt. */
void vc_virtio_config_changed(struct vc_virtio_mmio *m);
/* 2.1.2: something cannot go on before a reset. */
void vc_virtio_needs_reset(struct vc_virtio_mmio *m);

#endif
