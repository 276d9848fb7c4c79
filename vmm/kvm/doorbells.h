/* SPDX-License-Identifier: MIT */
/*
 * doorbells.h: notifications of virtio devices that KVM turns into eventfds, so that the vCPU which rings goes on at once.
 *
 * Spec:  Linux Documentation/virt/kvm/api.rst 4.59 (KVM_IOEVENTFD): of one length, with a value to match.
 * Owner: struct kvm_doorbells is part of the engine; descriptors are whoever's that gave them (engine.h, doorbell).
 * Lock:  its own, taken inside, a leaf; KVM waits under it for vCPUs that are in the midst of an exit, for no thread of ours.
 */
#ifndef VMM_KVM_DOORBELLS_H
#define VMM_KVM_DOORBELLS_H
#include "machine.h"
#include <pthread.h>

#define KVM_DOORBELLS_MAX                                                                                              \
    900u /* KVM's bus holds 1000 things (NR_IOBUS_DEVS), controllers and recorded zones among them */

struct kvm_doorbell {
    uint64_t address;
    uint32_t value;
    int fd;
};

struct kvm_doorbells {
    pthread_mutex_t lock;
    int vm; /* -1: no machine */
    uint32_t n;
    struct kvm_doorbell bells[KVM_DOORBELLS_MAX];
};

void kvm_doorbells_init(struct kvm_doorbells *b);
void kvm_doorbells_finish(struct kvm_doorbells *b);
/* There is a new machine, or none any more (vm -1): it has none. */
void kvm_doorbells_attach(struct kvm_doorbells *b, int vm);
/* engine.h, doorbell. */
bool kvm_doorbell_set(struct kvm_doorbells *b, uint64_t address, uint32_t value, int fd);

#endif
