/* SPDX-License-Identifier: MIT */
/*
 * virtios.h: where a PVH kernel's virtio-mmio devices may be: as its boot arguments say, and where vcons has them; and their
 * interrupts, through the I/O APIC.
 *
 * Spec:  Linux's virtio_mmio.device=BYTES@ADDRESS:IRQ, which QEMU's microvm adds; wire/virtio_places.h; Intel 82093AA data sheet, 3.
 * Owner: the places stay for good.
 * Lock:  vCPU 0 alone.
 * Trust: the builder's. An address that is not mapped adds nothing; where nothing is, a read gives no magic number.
 */
#ifndef GUEST_PVH_VIRTIOS_H
#define GUEST_PVH_VIRTIOS_H
#include "tiny.h"

/* Words that name devices are taken out of cmdline. hypervisor: it may be vcons, which names none. */
const struct tiny_virtio_place *pvh_virtio_places(char *cmdline, bool hypervisor, uint32_t *n);
/* As tiny_machine.virtio_interrupts; interrupts are on then. */
bool pvh_virtio_interrupts(struct virtio_console *c, uint32_t irq);

#endif
