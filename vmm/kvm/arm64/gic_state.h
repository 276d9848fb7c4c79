/* SPDX-License-Identifier: MIT */
/*
 * gic_state.h: all that a GICv3 without an ITS is, as bytes, and a GICv3 made so.
 *
 * Spec:  Linux Documentation/virt/kvm/devices/arm-vgic-v3.rst, whose groups of attributes are the parts here; Arm IHI 0069 for
 *        registers. As bytes: u32 how many interrupts, u32 0; u32 each of the distributor's registers in the order of the table in
 *        gic_state.c; of each vCPU its redistributor's so, u64 each of its CPU interface's, u32 levels of its PPIs.
 *        Pending is the latch alone: what a level adds to it is the device's to say. Levels of SPIs are not saved, for who drives
 *        them tells. There are no LPIs, so there is nothing of theirs in memory.
 * Owner: the caller's structs; nothing is allocated.
 * Lock:  no vCPU runs.
 * Trust: what is read may be anything: it has no say in which register a value is for; values KVM checks.
 */
#ifndef VMM_KVM_ARM64_GIC_STATE_H
#define VMM_KVM_ARM64_GIC_STATE_H
#include "host/message.h"
#include <stdbool.h>
#include <stdint.h>
#include <vcons/save.h>

enum gic_part {
    GIC_DISTRIBUTOR,   /* at: offset from its base; 32 bits; vcpu means nothing */
    GIC_REDISTRIBUTOR, /* at: offset from its first frame; 32 bits */
    GIC_INTERFACE,     /* at: op0, op1, CRn, CRm, op2 in 2, 3, 4, 4, 3 bits; 64 bits */
    GIC_LEVELS,        /* at: the first of 32 interrupts, whose lines' levels bits 0 to 31 are */
};

struct gic_state {
    uint32_t n_vcpus, n_irqs;
    void *ctx;
    bool (*get)(void *ctx, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t *value);
    bool (*set)(void *ctx, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t value);
};

/* At most. */
#define GIC_STATE_BYTES(vcpus, irqs) (64 + (size_t)(irqs)*13 + (size_t)(vcpus)*512)

int gic_state_write(const struct gic_state *g, struct vc_writer *w, struct problem *problem);
/* Into one that was just made, and knows its SPIs' levels or will be told. -1: problem names the register. */
int gic_state_read(const struct gic_state *g, struct vc_reader *r, struct problem *problem);

#endif
