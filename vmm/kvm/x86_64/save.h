/* SPDX-License-Identifier: MIT */
/*
 * save.h: engine_ops.save and .restore of both ways.
 *
 * Lock:  as engine.h.
 * Trust: bytes of kvm_restore may be anything; registers are the guest's own, KVM checks what it could not run.
 */
#ifndef VMM_KVM_X86_64_SAVE_H
#define VMM_KVM_X86_64_SAVE_H
#include "host/message.h"
#include <stddef.h>
#include <stdint.h>

int kvm_save(void *engine, void **bytes, size_t *n, struct problem *problem);
int kvm_restore(void *engine, const void *bytes, size_t n, uint64_t time_ns, struct problem *problem);

#endif
