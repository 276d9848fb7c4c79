/* SPDX-License-Identifier: MIT */
/*
 * device_tree.h: the device tree that an arm64 domain is started with.
 *
 * Spec:  Devicetree Specification 0.4; Linux Documentation/devicetree/bindings: arm/cpus.yaml, arm/psci.yaml,
 *        interrupt-controller/arm,gic-v3.yaml, timer/arm,arch_timer.yaml, serial/pl011.yaml, serial/arm,sbsa-uart,
 *        virtio/mmio.yaml.
 * Owner: the caller's memory.
 * Trust: bootargs is the configuration's; all else the VMM's own.
 */
#ifndef VMM_KVM_ARM64_DEVICE_TREE_H
#define VMM_KVM_ARM64_DEVICE_TREE_H
#include "layout.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_TREE_BYTES 65536u /* that it fits into, whatever the machine */

struct device_tree_uart {
    uint64_t gpa;
    uint32_t spi;
    bool sbsa; /* the generic UART of SBSA; false: a PL011 */
};

struct device_tree_machine {
    const char *bootargs;
    uint32_t n_vcpus;
    uint64_t ram_bytes;                   /* from ARM64_RAM_GPA on */
    uint64_t initrd_begin, initrd_end;    /* guest physical; the same: none */
    const struct device_tree_uart *uarts; /* the first is where the kernel talks, unless told otherwise */
    uint32_t n_uarts;
    uint32_t virtio; /* bit n: virtio device n is there */
};

/* Into DEVICE_TREE_BYTES at to. False: bootargs is too long. */
bool device_tree_write(void *to, const struct device_tree_machine *machine);

#endif
