/* SPDX-License-Identifier: MIT */
/*
 * layout.h: guest physical addresses and interrupts of an arm64 domain, as its device tree names them.
 *
 *     0800 0000   GICv3 distributor, 64 KiB
 *     080a 0000   GICv3 redistributors, 128 KiB for each vCPU
 *     0900 0000   UARTs, 64 KiB apart (a page of the largest size); number n has SPI 1 + n
 *     0a00 0000   the doorbell page (wire/doorbell.h)
 *     0a01 0000   virtio-mmio devices, VC_VIRTIO_BYTES apart; number n has SPI 17 + n
 *     0b00 0000   the special pages (memory.h), which the device tree does not name: memory, but nobody's to allocate
 *     4000 0000   RAM
 *
 * These are the addresses of QEMU's `virt` machine where that has the same device: firmware and old images know them by
 * heart. None may overlap: KVM and the bus would not see it.
 */
#ifndef VMM_KVM_ARM64_LAYOUT_H
#define VMM_KVM_ARM64_LAYOUT_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/wire/virtio_places.h>

#define ARM64_GICD_GPA     UINT64_C(0x08000000)
#define ARM64_GICD_BYTES   UINT64_C(0x10000)
#define ARM64_GICR_GPA     UINT64_C(0x080a0000)
#define ARM64_GICR_BYTES   UINT64_C(0x20000)
#define ARM64_UART_GPA     UINT64_C(0x09000000)
#define ARM64_UART_BYTES   UINT64_C(0x1000)
#define ARM64_UART_STRIDE  UINT64_C(0x10000)
#define ARM64_UART_SPI     1u
#define ARM64_UARTS_MAX    16u
#define ARM64_DOORBELL_GPA UINT64_C(0x0a000000)
#define ARM64_VIRTIO_GPA   UINT64_C(0x0a010000)
#define ARM64_VIRTIO_SPI   (ARM64_UART_SPI + ARM64_UARTS_MAX)
#define ARM64_SPECIAL_GPA  UINT64_C(0x0b000000)
#define ARM64_RAM_GPA      UINT64_C(0x40000000)

#define ARM64_VCPUS_MAX 16u /* one GICv3 cluster: Aff0 0 … 15 */
/* SGIs, PPIs and SPIs: UARTs have the first, virtio devices the next. A saved GIC is as large as the one that it came from. */
#define ARM64_N_IRQS(virtio) ((virtio) ? 96u : 64u)

_Static_assert(ARM64_GICR_GPA + ARM64_VCPUS_MAX * ARM64_GICR_BYTES <= ARM64_UART_GPA, "redistributors end");
_Static_assert(ARM64_UART_GPA + ARM64_UARTS_MAX * ARM64_UART_STRIDE <= ARM64_DOORBELL_GPA, "UARTs end");
_Static_assert(ARM64_DOORBELL_GPA + 4096 <= ARM64_VIRTIO_GPA, "the doorbell page ends");
_Static_assert(ARM64_VIRTIO_GPA + VC_VIRTIO_MAX * (uint64_t)VC_VIRTIO_BYTES <= ARM64_SPECIAL_GPA, "virtio devices end");
_Static_assert(32 + ARM64_UART_SPI + ARM64_UARTS_MAX <= ARM64_N_IRQS(false), "each UART has its SPI");
_Static_assert(32 + ARM64_VIRTIO_SPI + VC_VIRTIO_MAX <= ARM64_N_IRQS(true), "each virtio device has its SPI");
_Static_assert(ARM64_N_IRQS(true) <= 32 + 64, "levels of SPIs are bits of 64");

#endif
