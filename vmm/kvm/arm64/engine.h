/* SPDX-License-Identifier: MIT */
/* engine.h: the inside of the engine `kvm` on arm64, for engine.c, vcpu.c, exits.c and save.c. */
#ifndef VMM_KVM_ARM64_ENGINE_H
#define VMM_KVM_ARM64_ENGINE_H
#include "../../config.h"
#include "../../engine.h"
#include "../coalesced.h"
#include "../doorbells.h"
#include "../threads.h"
#include "gic.h"
#include "kernel.h"

struct arm64_call { /* by the doorbell page (wire/doorbell.h) */
    uint64_t block; /* guest physical; whole in RAM */
    uint64_t nr, args[6];
};

struct arm64_vcpu {
    struct arm64_engine *engine;
    struct kvm_cpu cpu;
    pthread_t thread;
    atomic_bool up; /* as last seen: KVM serves PSCI's CPU_ON and CPU_OFF by itself, and tells nobody */
    /* Its thread's, and those who look at it while that is parked: a call that was cut short, to be made again. */
    bool again;
    struct arm64_call call;
};

struct arm64_engine {
    struct domain *domain;
    const struct domain_config *config;
    struct guest_memory *memory;
    struct arm64_kernel kernel;
    int kvm, gic; /* -1: none */
    struct kvm_machine machine;
    struct kvm_coalesced coalesced;
    struct kvm_doorbells doorbells;
    struct kvm_threads threads; /* of a run */
    pthread_mutex_t look_lock;  /* of the one thread that looks whether all vCPUs are off; behind no other */
    pthread_mutex_t held_lock;  /* a leaf */
    pthread_cond_t released;
    atomic_bool held;      /* by look_lock's holder: no other vCPU goes into KVM */
    _Atomic uint64_t spis; /* whose lines are high, as devices said last: bit n is SPI n */
    int64_t ahead_ns;      /* the guest's clock, of CLOCK_MONOTONIC: it stood still while the guest was saved */
    uint32_t n_vcpus;
    struct arm64_vcpu vcpus[ARM64_VCPUS_MAX];
    struct device_tree_uart uarts[ARM64_UARTS_MAX];
    uint32_t n_uarts, n_irqs;
    uint32_t virtio; /* bit n: it has device n */
};

/* The thread of a vCPU, a struct arm64_vcpu. */
void *arm64_vcpu_main(void *vcpu);

/* The block of a call; NULL: it is not aligned, or not whole in RAM. */
const uint8_t *arm64_call_block(const struct guest_memory *m, uint64_t gpa);
/* In its thread: the call that v->call says. */
void arm64_call(struct arm64_vcpu *v);

/*
 * After kvm_cpu_run returned 0: what the guest wanted. KVM decodes its accesses; each is completed: reads where nothing is give 0,
 * writes go nowhere. What cannot go on is the guest's crash and nobody else's.
 */
void arm64_exit_serve(struct arm64_vcpu *v);

#endif
