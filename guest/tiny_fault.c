/* SPDX-License-Identifier: MIT */
/* A file of their own: who runs tiny in its own process, as a fuzz target does, brings other ones. */
#include "tiny.h"

#define NOWHERE UINT64_C(0x600000000000) /* canonical, and beyond what any engine maps; in 32 bits it is address 0 */

void tiny_fault_trap(void) { __builtin_trap(); }

void tiny_fault_touch(void) { *(volatile uint32_t *)(uintptr_t)NOWHERE = 0; }
