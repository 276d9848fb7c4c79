/* SPDX-License-Identifier: MIT */
/*
 * wire/virtio.h: what every virtio device has: the split virtqueue's rings in guest memory, feature and status bits, and the
 * registers of the MMIO transport.
 *
 * Spec: VIRTIO 1.2, 2.1 (status), 2.7 (split virtqueues), 4.2.2 (MMIO, version 2), 6 (reserved features). All little-endian,
 *       as everything that vcons runs on is; legacy devices are not spoken to.
 */
#ifndef VCONS_WIRE_VIRTIO_H
#define VCONS_WIRE_VIRTIO_H
#include <stddef.h>
#include <stdint.h>

enum virtio_status { /* 2.1 */
                     VIRTIO_STATUS_ACKNOWLEDGE = 0x01,
                     VIRTIO_STATUS_DRIVER = 0x02,
                     VIRTIO_STATUS_DRIVER_OK = 0x04,
                     VIRTIO_STATUS_FEATURES_OK = 0x08,
                     VIRTIO_STATUS_NEEDS_RESET = 0x40,
                     VIRTIO_STATUS_FAILED = 0x80,
};
enum virtio_feature { /* numbers of bits: 6 */
                      VIRTIO_F_INDIRECT_DESC = 28,
                      VIRTIO_F_EVENT_IDX = 29,
                      VIRTIO_F_VERSION_1 = 32,
};
#define VIRTIO_FEATURE(number) (UINT64_C(1) << (number))

/* ---- The split virtqueue: 2.7. N, its size, is a power of two, 1 to 32768. ---- */

enum { VIRTQ_DESC_F_NEXT = 1, VIRTQ_DESC_F_WRITE = 2, VIRTQ_DESC_F_INDIRECT = 4 };
struct virtq_desc { /* 2.7.5; the table has N of them, aligned to 16 */
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};
struct virtq_used_elem { /* 2.7.8 */
    uint32_t id;         /* the head of the chain that was used */
    uint32_t len;        /* bytes that the device wrote into it */
};
/*
 * 2.7.6: the available ring, written by the driver, is 16-bit words: flags, idx, ring[N], used_event. 2.7.8: the used ring,
 * written by the device, is flags, idx, both 16 bits, N elements, then avail_event, 16 bits.
 */
enum { VIRTQ_AVAIL_FLAGS = 0, VIRTQ_AVAIL_IDX = 1, VIRTQ_AVAIL_RING = 2 }; /* words */
enum { VIRTQ_USED_FLAGS = 0, VIRTQ_USED_IDX = 1 };                         /* words */
enum { VIRTQ_USED_RING = 4 };                                              /* bytes */
enum { VIRTQ_AVAIL_F_NO_INTERRUPT = 1, VIRTQ_USED_F_NO_NOTIFY = 1 };
enum { VIRTQ_DESC_ALIGN = 16, VIRTQ_AVAIL_ALIGN = 2, VIRTQ_USED_ALIGN = 4, VIRTQ_SIZE_MAX = 32768 };
#define VIRTQ_DESC_BYTES(n)  (16u * (uint32_t)(n))
#define VIRTQ_AVAIL_BYTES(n) (6u + 2u * (uint32_t)(n))
#define VIRTQ_USED_BYTES(n)  (6u + 8u * (uint32_t)(n))

_Static_assert(sizeof(struct virtq_desc) == 16, "wire layout");
_Static_assert(offsetof(struct virtq_desc, len) == 8, "wire layout");
_Static_assert(offsetof(struct virtq_desc, flags) == 12, "wire layout");
_Static_assert(offsetof(struct virtq_desc, next) == 14, "wire layout");
_Static_assert(sizeof(struct virtq_used_elem) == 8, "wire layout");
_Static_assert(offsetof(struct virtq_used_elem, len) == 4, "wire layout");

/* ---- MMIO, version 2: 4.2.2. Registers are 32 bits, aligned; the device's configuration is reached by 1, 2 or 4 bytes. ---- */

#define VIRTIO_MMIO_MAGIC   0x74726976u
#define VIRTIO_MMIO_VERSION 2u
#define VIRTIO_MMIO_BYTES   0x200u /* of a device's place, as usual: 4.2 says nothing */

enum virtio_mmio_register {
    VIRTIO_MMIO_MAGIC_VALUE = 0x000,
    VIRTIO_MMIO_VERSION_VALUE = 0x004,
    VIRTIO_MMIO_DEVICE_ID = 0x008,
    VIRTIO_MMIO_VENDOR_ID = 0x00c,
    VIRTIO_MMIO_DEVICE_FEATURES = 0x010,
    VIRTIO_MMIO_DEVICE_FEATURES_SEL = 0x014,
    VIRTIO_MMIO_DRIVER_FEATURES = 0x020,
    VIRTIO_MMIO_DRIVER_FEATURES_SEL = 0x024,
    VIRTIO_MMIO_QUEUE_SEL = 0x030,
    VIRTIO_MMIO_QUEUE_SIZE_MAX = 0x034,
    VIRTIO_MMIO_QUEUE_SIZE = 0x038,
    VIRTIO_MMIO_QUEUE_READY = 0x044,
    VIRTIO_MMIO_QUEUE_NOTIFY = 0x050,
    VIRTIO_MMIO_INTERRUPT_STATUS = 0x060,
    VIRTIO_MMIO_INTERRUPT_ACK = 0x064,
    VIRTIO_MMIO_STATUS = 0x070,
    VIRTIO_MMIO_QUEUE_DESC_LOW = 0x080,
    VIRTIO_MMIO_QUEUE_DESC_HIGH = 0x084,
    VIRTIO_MMIO_QUEUE_DRIVER_LOW = 0x090,
    VIRTIO_MMIO_QUEUE_DRIVER_HIGH = 0x094,
    VIRTIO_MMIO_QUEUE_DEVICE_LOW = 0x0a0,
    VIRTIO_MMIO_QUEUE_DEVICE_HIGH = 0x0a4,
    VIRTIO_MMIO_SHM_LEN_LOW = 0x0b0,
    VIRTIO_MMIO_SHM_LEN_HIGH = 0x0b4,
    VIRTIO_MMIO_SHM_BASE_LOW = 0x0b8,
    VIRTIO_MMIO_SHM_BASE_HIGH = 0x0bc,
    VIRTIO_MMIO_CONFIG_GENERATION = 0x0fc,
    VIRTIO_MMIO_CONFIG = 0x100,
};
enum virtio_mmio_interrupt { VIRTIO_MMIO_INT_USED = 1, VIRTIO_MMIO_INT_CONFIG = 2 };

#endif
