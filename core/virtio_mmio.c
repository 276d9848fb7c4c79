/* SPDX-License-Identifier: MIT */
#include "virtio.h"
#include <vcons/virtio_mmio.h>

enum {
    STATUS_BITS = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK |
                  VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED
};
#define VENDOR UINT32_C(0x534e4356) /* "VCNS"; any will do */

/* ---- The interrupt line. ---- */

void vc_virtio_settle(struct vc_virtio_mmio *m)
{
    bool level = m->interrupt != 0;

    if (level == m->level)
        return;
    m->level = level;
    m->env->irq(m->ctx, level);
}

static void raise_interrupt(struct vc_virtio_mmio *m, uint32_t bit)
{
    m->interrupt |= bit;
    vc_virtio_settle(m);
}

void vc_virtio_publish(struct vc_virtio_mmio *m, struct vc_virtqueue *q)
{
    if (vc_virtqueue_publish(q))
        raise_interrupt(m, VIRTIO_MMIO_INT_USED);
}

void vc_virtio_config_changed(struct vc_virtio_mmio *m)
{
    m->generation++; /* 4.2.2.1: before the interrupt */
    if (vc_virtio_running(m))
        raise_interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

void vc_virtio_needs_reset(struct vc_virtio_mmio *m)
{
    if ((m->status & VIRTIO_STATUS_NEEDS_RESET) != 0)
        return;
    m->status |= VIRTIO_STATUS_NEEDS_RESET;
    if (vc_virtio_running(m)) /* 2.1.2 */
        raise_interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

bool vc_virtio_negotiated(const struct vc_virtio_mmio *m, uint32_t feature)
{
    return (m->status & VIRTIO_STATUS_FEATURES_OK) != 0 && (m->accepted & VIRTIO_FEATURE(feature)) != 0;
}

/* ---- Life. ---- */

static void set_reset(struct vc_virtio_mmio *m)
{
    m->status = m->device_sel = m->driver_sel = m->queue_sel = m->interrupt = 0;
    m->accepted = 0;
    m->beyond = false;
    for (uint32_t i = 0; i < m->n_queues; i++)
        m->queues[i] = (struct vc_virtqueue){0};
}

void vc_virtio_mmio_init(struct vc_virtio_mmio *m, const struct vc_virtio_type *type, const struct vc_virtio_env *env,
                         void *ctx, struct vc_virtqueue *queues, uint32_t n_queues, uint32_t size_max, uint64_t offered)
{
    *m = (struct vc_virtio_mmio){.type = *type,
                                 .env = env,
                                 .ctx = ctx,
                                 .vendor = VENDOR,
                                 .queues = queues,
                                 .n_queues = n_queues,
                                 .size_max = size_max,
                                 .offered = offered | VIRTIO_FEATURE(VIRTIO_F_VERSION_1)};
    set_reset(m);
}

void vc_virtio_mmio_reset(struct vc_virtio_mmio *m)
{
    set_reset(m);
    m->type.reset(m);
    vc_virtio_settle(m);
}

void vc_virtio_mmio_remapped(struct vc_virtio_mmio *m)
{
    for (uint32_t i = 0; i < m->n_queues; i++)
        if (vc_virtqueue_remap(&m->queues[i], m->env, m->ctx) != VC_OK)
            vc_virtio_needs_reset(m);
}

bool vc_virtio_features_legal(const struct vc_virtio_mmio *m)
{
    return (m->accepted & ~m->offered) == 0 && !m->beyond &&
           (m->accepted & VIRTIO_FEATURE(VIRTIO_F_VERSION_1)) != 0; /* 6.1 */
}

static void start(struct vc_virtio_mmio *m)
{
    for (uint32_t i = 0; i < m->n_queues; i++) {
        m->queues[i].indirect = vc_virtio_negotiated(m, VIRTIO_F_INDIRECT_DESC);
        m->queues[i].event_idx = vc_virtio_negotiated(m, VIRTIO_F_EVENT_IDX);
    }
    m->type.started(m);
}

static void write_status(struct vc_virtio_mmio *m, uint32_t value)
{
    uint32_t added = value & STATUS_BITS & ~m->status;

    if (value == 0) {
        vc_virtio_mmio_reset(m);
        return;
    }
    if ((added & VIRTIO_STATUS_FEATURES_OK) != 0 && !vc_virtio_features_legal(m))
        added &= ~(uint32_t)VIRTIO_STATUS_FEATURES_OK; /* 3.1.1, 6: the driver reads that back */
    if (((m->status | added) & VIRTIO_STATUS_FEATURES_OK) == 0)
        added &= ~(uint32_t)VIRTIO_STATUS_DRIVER_OK;
    m->status |= added;
    if ((added & VIRTIO_STATUS_DRIVER_OK) != 0)
        start(m);
}

/* ---- Queues. ---- */

/* The one that QueueSel names, NULL: there is none. */
static struct vc_virtqueue *selected(const struct vc_virtio_mmio *m)
{
    return m->queue_sel < m->type.n_queues(m) ? &m->queues[m->queue_sel] : NULL;
}

static void write_ready(struct vc_virtio_mmio *m, struct vc_virtqueue *q, uint32_t value)
{
    if (value == 0)
        vc_virtqueue_stop(q);
    else if (value == 1 && !q->ready && vc_virtqueue_start(q, m->env, m->ctx, m->size_max) != VC_OK)
        vc_virtio_needs_reset(m);
}

static void set_low(uint64_t *address, uint32_t value) { *address = (*address & ~(uint64_t)UINT32_MAX) | value; }
static void set_high(uint64_t *address, uint32_t value) { *address = (*address & UINT32_MAX) | (uint64_t)value << 32; }

/* R30: a queue that is in use, or may be, stays what it was checked as. */
static void write_queue(struct vc_virtio_mmio *m, uint64_t offset, uint32_t value)
{
    struct vc_virtqueue *q = selected(m);

    if (q == NULL || vc_virtio_running(m))
        return;
    if (offset == VIRTIO_MMIO_QUEUE_READY) {
        write_ready(m, q, value);
        return;
    }
    if (q->ready)
        return;
    switch (offset) {
    case VIRTIO_MMIO_QUEUE_SIZE: q->size = value; break;
    case VIRTIO_MMIO_QUEUE_DESC_LOW: set_low(&q->desc, value); break;
    case VIRTIO_MMIO_QUEUE_DESC_HIGH: set_high(&q->desc, value); break;
    case VIRTIO_MMIO_QUEUE_DRIVER_LOW: set_low(&q->driver, value); break;
    case VIRTIO_MMIO_QUEUE_DRIVER_HIGH: set_high(&q->driver, value); break;
    case VIRTIO_MMIO_QUEUE_DEVICE_LOW: set_low(&q->device, value); break;
    case VIRTIO_MMIO_QUEUE_DEVICE_HIGH: set_high(&q->device, value); break;
    default: break; /* what is read only */
    }
}

void vc_virtio_mmio_notify(struct vc_virtio_mmio *m, uint32_t queue)
{
    if (vc_virtio_running(m) && queue < m->type.n_queues(m) && m->queues[queue].ready)
        m->type.notified(m, queue);
}

/* ---- Registers. ---- */

static void write_features(struct vc_virtio_mmio *m, uint32_t value)
{
    if ((m->status & VIRTIO_STATUS_FEATURES_OK) != 0)
        return;
    if (m->driver_sel == 0)
        set_low(&m->accepted, value);
    else if (m->driver_sel == 1)
        set_high(&m->accepted, value);
    else
        m->beyond = m->beyond || value != 0;
}

static void write_register(struct vc_virtio_mmio *m, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL: m->device_sel = value; break;
    case VIRTIO_MMIO_DRIVER_FEATURES: write_features(m, value); break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL: m->driver_sel = value; break;
    case VIRTIO_MMIO_QUEUE_SEL: m->queue_sel = value; break;
    case VIRTIO_MMIO_QUEUE_NOTIFY: vc_virtio_mmio_notify(m, value); break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        m->interrupt &= ~value;
        vc_virtio_settle(m);
        break;
    case VIRTIO_MMIO_STATUS: write_status(m, value); break;
    default: write_queue(m, offset, value); break;
    }
}

static uint32_t read_register(const struct vc_virtio_mmio *m, uint64_t offset)
{
    const struct vc_virtqueue *q = selected(m);

    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE: return VIRTIO_MMIO_MAGIC;
    case VIRTIO_MMIO_VERSION_VALUE: return VIRTIO_MMIO_VERSION;
    case VIRTIO_MMIO_DEVICE_ID: return m->type.id;
    case VIRTIO_MMIO_VENDOR_ID: return m->vendor;
    case VIRTIO_MMIO_DEVICE_FEATURES: return m->device_sel < 2 ? (uint32_t)(m->offered >> (32 * m->device_sel)) : 0;
    case VIRTIO_MMIO_QUEUE_SIZE_MAX: return q != NULL ? m->size_max : 0;
    case VIRTIO_MMIO_QUEUE_READY: return q != NULL && q->ready;
    case VIRTIO_MMIO_INTERRUPT_STATUS: return m->interrupt;
    case VIRTIO_MMIO_STATUS: return m->status;
    case VIRTIO_MMIO_SHM_LEN_LOW:
    case VIRTIO_MMIO_SHM_LEN_HIGH:
    case VIRTIO_MMIO_SHM_BASE_LOW:
    case VIRTIO_MMIO_SHM_BASE_HIGH: return UINT32_MAX; /* 4.2.2.1: there is none */
    case VIRTIO_MMIO_CONFIG_GENERATION: return m->generation;
    default: return 0;
    }
}

static bool width_is_one(uint32_t width) { return width == 1 || width == 2 || width == 4; }

/* Whether it is an access that 4.2.2.2 lets a driver make. *config: to the device's configuration. */
static bool legal(uint64_t offset, uint32_t width, bool *config)
{
    *config = offset >= VIRTIO_MMIO_CONFIG;
    if (offset >= VIRTIO_MMIO_BYTES || !width_is_one(width) || width > VIRTIO_MMIO_BYTES - offset)
        return false;
    return *config || (width == 4 && offset % 4 == 0);
}

bool vc_virtio_mmio_read(struct vc_virtio_mmio *m, uint64_t offset, uint32_t width, uint32_t *value)
{
    bool config;

    *value = 0;
    if (!legal(offset, width, &config))
        return false;
    *value = config ? m->type.config_read(m, (uint32_t)offset - VIRTIO_MMIO_CONFIG, width) : read_register(m, offset);
    return true;
}

bool vc_virtio_mmio_write(struct vc_virtio_mmio *m, uint64_t offset, uint32_t width, uint32_t value)
{
    bool config;

    if (!legal(offset, width, &config))
        return false;
    if (config)
        m->type.config_write(m, (uint32_t)offset - VIRTIO_MMIO_CONFIG, width, value);
    else
        write_register(m, offset, value);
    return true;
}
