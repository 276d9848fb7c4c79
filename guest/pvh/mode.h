/* SPDX-License-Identifier: MIT */
/*
 * mode.h: what differs between PVH kernels of 64 and of 32 bits: gates, the state a vCPU starts in, calling a hypercall's stub.
 *
 * Spec:  as the two say. Lock: none.
 */
#ifndef GUEST_PVH_MODE_H
#define GUEST_PVH_MODE_H
#include <stdint.h>
#if UINTPTR_MAX > UINT32_MAX
#include "x86_64/mode.h"
#else
#include "x86_32/mode.h"
#endif
#endif
