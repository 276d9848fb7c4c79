/* SPDX-License-Identifier: MIT */
/*
 * save.h: engine_ops.save and .restore.
 *
 * Lock:  as engine.h.
 * Trust: bytes of arm64_restore may be anything; registers are the guest's own, KVM checks what it could not run.
 */
#ifndef VMM_KVM_ARM64_SAVE_H
#define VMM_KVM_ARM64_SAVE_H
#include "host/message.h"
#include <stddef.h>
#include <stdint.h>

int arm64_save(void *engine, void **bytes, size_t *n, struct problem *problem);
int arm64_restore(void *engine, const void *bytes, size_t n, uint64_t time_ns, struct problem *problem);

#endif
