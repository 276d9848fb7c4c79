/* SPDX-License-Identifier: MIT */
/*
 * wire/virtio_places.h: where a domain's virtio-mmio devices are, for guests that cannot ask: number n of them, from 0, has
 * VC_VIRTIO_BYTES of registers at its base + n * VC_VIRTIO_BYTES. Where there is none, reads do not give the magic number.
 *
 * PC (engines kvm, kvm-xen): in the hole below the I/O APIC, as QEMU's `microvm` has them; the DSDT names those that there are.
 *     Lines are the pins of the I/O APIC that no device of a PC's has, levels, shared by every eighth device.
 * Process engine: the same addresses, which its calls take (wire/callpage.h).
 * arm64: the device tree names those that there are, and nothing else is promised.
 */
#ifndef VCONS_WIRE_VIRTIO_PLACES_H
#define VCONS_WIRE_VIRTIO_PLACES_H
#include <stdint.h>

#define VC_VIRTIO_MAX     32u /* devices of one domain */
#define VC_VIRTIO_BYTES   512u
#define VC_VIRTIO_PC_BASE UINT64_C(0xfeb00000)

#define VC_VIRTIO_PC_LINE  16u /* device n has line VC_VIRTIO_PC_LINE + n % VC_VIRTIO_PC_LINES */
#define VC_VIRTIO_PC_LINES 8u

#endif
