/* SPDX-License-Identifier: MIT */
/*
 * coalesced.h: writes of the guest's that KVM records in a ring, instead of stopping the vCPU for each.
 *
 * Spec:  Linux Documentation/virt/kvm/api.rst 4.116, KVM_REGISTER_COALESCED_MMIO; engine.h, zone and recorded.
 * Owner: the engine, from kvm_coalesced_init to kvm_coalesced_finish; attached to one machine at a time. The ring is KVM's, in
 *        a vCPU's mapping.
 * Lock:  its own, taken with a device's lock held; held while recorded writes are handed over, which takes locks that are
 *        behind the device's. There is one ring, and one zone at a time, so that only the thread with that device's lock
 *        takes anything out of it: what it holds leaves it in order.
 * Trust: indices are KVM's, and checked all the same. Entries are what the guest wrote, at any address and of any length.
 */
#ifndef VMM_KVM_COALESCED_H
#define VMM_KVM_COALESCED_H
#include "../engine.h"
#include "machine.h"
#include <pthread.h>

struct kvm_coalesced {
    pthread_mutex_t lock;
    /* Under lock. */
    int vm;
    struct kvm_coalesced_mmio_ring *ring; /* NULL: none, nothing is ever recorded */
    bool ports;                           /* KVM records writes to ports, too */
    const struct engine_device *owner;    /* whose zone it is, or whose writes are still in the ring; NULL: nobody's */
    bool on;                              /* KVM records */
    struct kvm_coalesced_mmio_zone zone;  /* of owner */
};

/* As many writes a ring of a page can hold: one place in it is never used. */
#define KVM_COALESCED_PLACES                                                                                           \
    ((4096u - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio)) /* 4.116 */

void kvm_coalesced_init(struct kvm_coalesced *c);
void kvm_coalesced_finish(struct kvm_coalesced *c);
/* To a machine that has this vCPU; off it before that vCPU's mapping goes. Where KVM records nothing: nothing happens. */
void kvm_coalesced_attach(struct kvm_coalesced *c, const struct kvm_machine *m, const struct kvm_cpu *cpu);
void kvm_coalesced_detach(struct kvm_coalesced *c);

/* engine.h, zone and recorded. */
bool kvm_coalesced_zone(struct kvm_coalesced *c, const struct engine_device *place, uint32_t bytes, bool on);
bool kvm_coalesced_take(struct kvm_coalesced *c, const struct engine_device *place, engine_take *take, void *ctx);

#endif
