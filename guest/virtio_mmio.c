/* SPDX-License-Identifier: MIT */
#include "virtio_mmio.h"

#define RESET_LOOKS 100000u /* a device that is emulated is reset at once; one of hardware within microseconds */

static uint32_t get(const struct virtio_io *io, enum virtio_mmio_register at) { return io->read(io, at, 4); }
static void set(const struct virtio_io *io, enum virtio_mmio_register at, uint32_t value)
{
    io->write(io, at, 4, value);
}

uint32_t virtio_mmio_id(const struct virtio_io *io)
{
    if (get(io, VIRTIO_MMIO_MAGIC_VALUE) != VIRTIO_MMIO_MAGIC ||
        get(io, VIRTIO_MMIO_VERSION_VALUE) != VIRTIO_MMIO_VERSION)
        return 0;
    return get(io, VIRTIO_MMIO_DEVICE_ID);
}

static bool reset(const struct virtio_io *io)
{
    set(io, VIRTIO_MMIO_STATUS, 0);
    for (uint32_t looks = 0; looks < RESET_LOOKS; looks++)
        if (get(io, VIRTIO_MMIO_STATUS) == 0)
            return true; /* 4.2.3.1: not before */
    return false;
}

static uint64_t offered(const struct virtio_io *io)
{
    uint64_t features;

    set(io, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    features = (uint64_t)get(io, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
    set(io, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    return features | get(io, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void add_status(const struct virtio_io *io, uint32_t bits)
{
    set(io, VIRTIO_MMIO_STATUS, get(io, VIRTIO_MMIO_STATUS) | bits);
}

/* 3.1.1, steps 4 to 6. */
static bool negotiate(struct virtio_mmio *m, uint64_t wanted)
{
    m->features = offered(&m->io) & (wanted | VIRTIO_FEATURE(VIRTIO_F_VERSION_1));
    if (!virtio_mmio_has(m, VIRTIO_F_VERSION_1))
        return false;
    set(&m->io, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    set(&m->io, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(m->features >> 32));
    set(&m->io, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    set(&m->io, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)m->features);
    add_status(&m->io, VIRTIO_STATUS_FEATURES_OK);
    return (get(&m->io, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK) != 0;
}

int virtio_mmio_begin(struct virtio_mmio *m, const struct virtio_io *io, uint64_t wanted)
{
    m->io = *io; /* in one piece, where it is the same: an interrupt may come at any time */
    m->features = 0;
    if (virtio_mmio_id(io) == 0)
        return VC_ENOENT;
    if (!reset(io))
        return VC_EPEER;
    add_status(io, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(io, VIRTIO_STATUS_DRIVER);
    if (negotiate(m, wanted))
        return VC_OK;
    virtio_mmio_end(m);
    return VC_EPEER;
}

/* The largest power of two that is no more than either; 0: none. */
static uint32_t size_for(uint32_t theirs, uint32_t ours)
{
    while (ours > theirs)
        ours /= 2;
    return ours;
}

static void set_address(const struct virtio_io *io, enum virtio_mmio_register low, enum virtio_mmio_register high,
                        uint64_t gpa)
{
    set(io, low, (uint32_t)gpa);
    set(io, high, (uint32_t)(gpa >> 32));
}

int virtio_mmio_queue(struct virtio_mmio *m, uint32_t index, uint32_t size_max, struct virtqueue *q, void *memory,
                      uint64_t gpa)
{
    const struct virtio_io *io = &m->io;
    uint32_t size;
    int error;

    set(io, VIRTIO_MMIO_QUEUE_SEL, index);
    if (get(io, VIRTIO_MMIO_QUEUE_READY) != 0)
        return VC_EPEER; /* 4.2.3.2: nobody has it before us */
    size = size_for(get(io, VIRTIO_MMIO_QUEUE_SIZE_MAX), size_max);
    if (size == 0)
        return VC_ENOENT;
    error = virtqueue_init(q, size, virtio_mmio_has(m, VIRTIO_F_EVENT_IDX), memory, gpa);
    if (error)
        return error;
    set(io, VIRTIO_MMIO_QUEUE_SIZE, size);
    set_address(io, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH, q->desc);
    set_address(io, VIRTIO_MMIO_QUEUE_DRIVER_LOW, VIRTIO_MMIO_QUEUE_DRIVER_HIGH, q->driver);
    set_address(io, VIRTIO_MMIO_QUEUE_DEVICE_LOW, VIRTIO_MMIO_QUEUE_DEVICE_HIGH, q->device);
    set(io, VIRTIO_MMIO_QUEUE_READY, 1);
    return get(io, VIRTIO_MMIO_QUEUE_READY) == 1 ? VC_OK : VC_EPEER;
}

void virtio_mmio_go(struct virtio_mmio *m) { add_status(&m->io, VIRTIO_STATUS_DRIVER_OK); }

int virtio_mmio_end(struct virtio_mmio *m)
{
    add_status(&m->io, VIRTIO_STATUS_FAILED);
    return reset(&m->io) ? VC_OK : VC_EPEER;
}

void virtio_mmio_notify(const struct virtio_mmio *m, uint32_t queue) { set(&m->io, VIRTIO_MMIO_QUEUE_NOTIFY, queue); }

uint32_t virtio_mmio_interrupt(const struct virtio_mmio *m)
{
    uint32_t why = get(&m->io, VIRTIO_MMIO_INTERRUPT_STATUS) & (VIRTIO_MMIO_INT_USED | VIRTIO_MMIO_INT_CONFIG);

    if (why != 0)
        set(&m->io, VIRTIO_MMIO_INTERRUPT_ACK, why);
    return why;
}

bool virtio_mmio_needs_reset(const struct virtio_mmio *m)
{
    return (get(&m->io, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET) != 0;
}

uint32_t virtio_mmio_config(const struct virtio_mmio *m, uint32_t offset, uint32_t width)
{
    return m->io.read(&m->io, VIRTIO_MMIO_CONFIG + offset, width);
}

void virtio_mmio_set_config(const struct virtio_mmio *m, uint32_t offset, uint32_t width, uint32_t value)
{
    m->io.write(&m->io, VIRTIO_MMIO_CONFIG + offset, width, value);
}

uint32_t virtio_mmio_generation(const struct virtio_mmio *m) { return get(&m->io, VIRTIO_MMIO_CONFIG_GENERATION); }
