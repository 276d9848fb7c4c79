/* SPDX-License-Identifier: MIT */
/*
 * gic.h: as much of GICv2 and GICv3 as brings shared peripheral interrupts to one vCPU, and private ones to each.
 *
 * Spec:  Arm IHI 0048B (GICv2), IHI 0069 (GICv3). All interrupts are of group 1 where there are groups, level sensitive.
 * Owner: nobody; the registers are the machine's.
 * Lock:  vCPU 0 alone, interrupts off; but what says so is each vCPU's own.
 * Trust: no register is waited for without bound; an INTID that is none is nobody's.
 */
#ifndef GUEST_ARM64_GIC_H
#define GUEST_ARM64_GIC_H
#include "tree.h"

#define GIC_NONE 1023u

/* False: the tree names none, or it cannot be used. */
bool gic_begin(const struct tree *t);
/* On each other vCPU, once it runs. */
bool gic_begin_cpu(void);
/* This private interrupt, an INTID from 16 to 31, comes to the vCPU that calls from now on. */
void gic_enable_private(uint32_t intid);
/* This SPI comes to this vCPU from now on; or no more. */
void gic_enable(uint32_t intid);
void gic_disable(uint32_t intid);
/* On each vCPU: the interrupt that is due, or GIC_NONE; then gic_end for it. */
uint32_t gic_take(void);
void gic_end(uint32_t intid);

#endif
