/* SPDX-License-Identifier: MIT */
/*
 * pages.h: the arm64 kernel's memory, one to one: RAM cacheable, all else as devices are.
 *
 * Spec:  Arm ARM (DDI 0487) D8.3: blocks of 1 GiB and of 2 MiB; D8.14.1 for break-before-make.
 * Owner: the tables are here, for good.
 * Lock:  vCPU 0 alone, before another runs.
 */
#ifndef GUEST_ARM64_PAGES_H
#define GUEST_ARM64_PAGES_H
#include "tree.h"

/* For entry.S: reads the tree, and fills the tables while the MMU is off. */
void arm64_map_all(const void *dtb);
/* Make what lies there, some frame that is no RAM of the tree's, cacheable memory too. False: beyond what can be mapped. */
bool arm64_map_memory(uint64_t address, uint64_t bytes);
/* It is RAM, all of it. */
bool arm64_is_ram(uint64_t address, uint64_t bytes);
extern struct tree arm64_tree;

#endif
