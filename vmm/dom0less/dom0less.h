/* SPDX-License-Identifier: MIT */
/*
 * dom0less.h: a device tree of the kind that U-Boot hands to Xen, as a configuration: the domains below /chosen.
 *
 * Spec:  Xen's docs/misc/arm/device-tree/booting.txt (of 4.21), with each property honoured, noted as not honoured, or refused where
 *        a guest would be another one without it; xen-abi §10.1; Devicetree Specification 0.4; ImageBuilder's README.md.
 *        docs/vcons-domains.5 (DEVICE TREES) is what users see of it.
 * Owner: what is read goes into the caller's configuration; nothing else is kept.
 * Lock:  none.
 * Trust: tree and ImageBuilder's configuration may hold anything at all. A tree has at most DOM0LESS_TREE_BYTES, libfdt checks its
 *        structure whole before a property is looked at, phandles are followed one step, and nothing here recurses. An
 *        error is one line with node and property. Of what a tree holds nothing is executed; dtc reads sources.
 */
#ifndef VMM_DOM0LESS_DOM0LESS_H
#define VMM_DOM0LESS_DOM0LESS_H
#include "../config.h"

#define DOM0LESS_TREE_BYTES (2u << 20) /* Xen's MAX_FDT_SIZE */

/* Domains of options->device_tree, or of options->imagebuilder alone. 0; -1: the problem says FILE: NODE: PROPERTY: why. */
int dom0less_read(struct vmm_config *config, const struct vmm_config_options *options, struct problem *problem);
/* The same of a tree in memory, aligned to 8 bytes; file is for messages. */
int dom0less_take(struct vmm_config *config, const struct vmm_config_options *options, const char *file,
                  const void *fdt, size_t bytes, struct problem *problem);

#endif
