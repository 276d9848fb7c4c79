/* SPDX-License-Identifier: MIT */
/*
 * registers.h: a vCPU's registers as bytes, and a vCPU made so: those that KVM lists, whatever they are.
 *
 * Spec:  Linux Documentation/virt/kvm/api.rst, KVM_GET_REG_LIST, KVM_GET_ONE_REG, KVM_SET_ONE_REG. As bytes: u32 how many, u32 0;
 *        of each u64 id, then its value in as many bytes as the id says.
 *        Read back in the order in which they were listed. One that has its value already is not set: what processor it is, what
 *        its firmware offers and all else that cannot be set has to be as it was. Another KVM may list more: those are as after a
 *        reset; it may not list fewer, nor be without one of the core registers. The virtual counter is one of them: to set it is
 *        what moves its offset, so that it goes on from there.
 * Owner: the caller's structs; nothing is allocated.
 * Lock:  nobody runs the vCPU.
 * Trust: what is read may be anything: an id that this KVM does not list, or for the second time, is refused, so no value is longer
 *        than its register; values KVM checks. The guest does not get to say which vCPU it is (MPIDR_EL1).
 */
#ifndef VMM_KVM_ARM64_REGISTERS_H
#define VMM_KVM_ARM64_REGISTERS_H
#include "host/message.h"
#include <stdbool.h>
#include <stdint.h>
#include <vcons/save.h>

#define REGISTERS_MAX       2048u /* that KVM may list; 6.1 has some 240 */
#define REGISTER_BYTES_MAX  256u  /* KVM_REG_SIZE_U2048 */
#define REGISTERS_MPIDR_EL1 UINT64_C(0x603000000013c005)
/* At most, with all of them vectors of 128 bits. */
#define REGISTERS_BYTES (8 + REGISTERS_MAX * (size_t)24)

struct registers { /* of one vCPU */
    const uint64_t *ids;
    uint32_t n; /* at most REGISTERS_MAX */
    void *ctx;
    bool (*get)(void *ctx, uint64_t id, void *value); /* REGISTER_BYTES_MAX are there */
    bool (*set)(void *ctx, uint64_t id, const void *value);
};

uint32_t register_bytes(uint64_t id);
int registers_write(const struct registers *regs, struct vc_writer *w, struct problem *problem);
/* -1: problem names the register. */
int registers_read(const struct registers *regs, struct vc_reader *r, struct problem *problem);

#endif
