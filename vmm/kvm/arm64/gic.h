/* SPDX-License-Identifier: MIT */
/*
 * gic.h: KVM's GICv3.
 *
 * Spec:  Linux Documentation/virt/kvm/devices/arm-vgic-v3.rst; api.rst, KVM_IRQ_LINE.
 * Owner: KVM's machine has it; the descriptor is closed by gic_finish.
 */
#ifndef VMM_KVM_ARM64_GIC_H
#define VMM_KVM_ARM64_GIC_H
#include "../machine.h"

/* Where layout.h says. After all vCPUs, for its size depends on them. *fd -1: none. */
int gic_make(int *fd, const struct kvm_machine *m, struct problem *problem);
void gic_finish(int *fd);
/* A device's line, as its device tree node names it: SPI 0 and more. Any thread; never waits. */
void gic_line(const struct kvm_machine *m, uint32_t spi, bool level);

#endif
