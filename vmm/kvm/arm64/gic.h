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
#include <vcons/save.h>

/* Where layout.h says. After all vCPUs, for its size depends on them. *fd -1: none. */
int gic_make(int *fd, const struct kvm_machine *m, uint32_t n_irqs, struct problem *problem);
void gic_finish(int *fd);
/* A device's line, as its device tree node names it: SPI 0 and more. Any thread; never waits. Why it is no irqfd: x86_64/lines.h. */
void gic_line(const struct kvm_machine *m, uint32_t spi, bool level);

/* All that it is (gic_state.h). No vCPU is in KVM. */
int gic_save(int fd, uint32_t n_vcpus, uint32_t n_irqs, struct vc_writer *w, struct problem *problem);
/* Into one that was just made; bit n of spis is the level of SPI n. r may hold anything. */
int gic_restore(int fd, uint32_t n_vcpus, uint32_t n_irqs, uint64_t spis, struct vc_reader *r, struct problem *problem);

#endif
