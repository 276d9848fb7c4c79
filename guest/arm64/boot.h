/* SPDX-License-Identifier: MIT */
/*
 * boot.h: numbers that entry.S and C of the arm64 kernel share.
 *
 * Spec: Arm ARM (DDI 0487) D17.2 for the registers, D8.3 for descriptors; Linux Documentation/arm64/booting.rst.
 */
#ifndef GUEST_ARM64_BOOT_H
#define GUEST_ARM64_BOOT_H

#define STACK_BYTES                                                                                                    \
    16384 /* of each vCPU, aligned to as much: what its lowest word points at is found by rounding down */

#define SCTLR_ON     0x1005     /* MMU and both caches, above what is always 1 */
#define SCTLR_ALWAYS 0x30d00800 /* RES1 of ARMv8.0 */
#define MAIR_VALUE   0x04ff     /* 0: normal memory, write-back; 1: Device-nGnRE */
#define TCR_VALUE    0x993519 /* 39 bits of addresses below, pages of 4 KiB, tables cacheable and shared; none above */
#define TCR_IPS      32       /* where the size of physical addresses goes, as ID_AA64MMFR0_EL1 has it */
#define PARANGE_MAX  5        /* 48 bits: more would need another format */

#define HCR_EL1_IS_64   0x80000000
#define CNTHCTL_EL1_MAY 3
#define ICC_SRE_EL2_ON  9 /* the system registers of a GICv3, for EL1 too */
#define SPSR_EL1H_OFF   0x3c5

#define R_AARCH64_RELATIVE 1027

#endif
