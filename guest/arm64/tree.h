/* SPDX-License-Identifier: MIT */
/*
 * tree.h: what tiny takes from the device tree of an arm64 machine.
 *
 * Spec:  Linux's bindings xen, virtio,mmio, arm,pl011, arm,sbsa-uart, arm,gic-v3, arm,cortex-a15-gic, arm,psci; device ABI 1.8, 5.6;
 *        wire/doorbell.h.
 * Owner: the caller's; nothing points into the tree afterwards.
 * Lock:  none; before anything else runs, with no cache and no MMU, so nothing here needs an unaligned load.
 * Trust: fdt.h; what is more than fits is left out, RAM beyond what can be mapped cut off.
 */
#ifndef GUEST_ARM64_TREE_H
#define GUEST_ARM64_TREE_H
#include "fdt.h"

#define TREE_RAMS          8u
#define TREE_UARTS         4u
#define TREE_VIRTIOS       32u
#define TREE_CPUS          64u
#define TREE_CMDLINE_BYTES 1024u
#define TREE_ADDRESS_END   (UINT64_C(1) << 39) /* nothing beyond it is used */

struct tree_uart {
    uint64_t base;
    bool sbsa;
    uint32_t spi; /* INTID - 32; TREE_NO_SPI: none */
};
#define TREE_NO_SPI UINT32_MAX

struct tree_virtio {
    uint64_t base;
    uint32_t spi; /* as of a UART */
};

enum tree_gic { TREE_NO_GIC = 0, TREE_GICV2 = 2, TREE_GICV3 = 3 };
enum tree_psci { TREE_NO_PSCI, TREE_PSCI_HVC, TREE_PSCI_SMC };

struct tree {
    struct tree_range {
        uint64_t base, bytes;
    } rams[TREE_RAMS];
    uint32_t n_rams, n_uarts, n_cpus;
    uint32_t stdout_uart; /* of uarts, by /chosen/stdout-path; the first without it */
    struct tree_uart uarts[TREE_UARTS];
    uint32_t n_virtios;
    struct tree_virtio virtios[TREE_VIRTIOS]; /* of any kind; by address: QEMU has them the other way round */
    uint64_t cpus[TREE_CPUS];                 /* MPIDR affinity */
    enum tree_gic gic;
    uint64_t distributor, redistributor, redistributor_bytes; /* of a GICv2 the second is the CPU interface */
    enum tree_psci psci;
    uint64_t doorbell; /* 0: none */
    bool xen;          /* a Xen to call */
    uint32_t xen_ppi;  /* INTID of its upcalls, from 16 to 31; 0: none */
    char cmdline[TREE_CMDLINE_BYTES];
};

/* *t is all zero before. False: no device tree; then *t is empty. */
bool tree_read(struct tree *t, const void *dtb);

#endif
