/* SPDX-License-Identifier: MIT */
/* engine.h: the inside of the engine `kvm` on arm64, for engine.c and exits.c. */
#ifndef VMM_KVM_ARM64_ENGINE_H
#define VMM_KVM_ARM64_ENGINE_H
#include "../../config.h"
#include "../../engine.h"
#include "../coalesced.h"
#include "../threads.h"
#include "gic.h"
#include "kernel.h"

struct arm64_vcpu {
    struct arm64_engine *engine;
    struct kvm_cpu cpu;
    pthread_t thread;
    atomic_bool seen; /* since PSCI started it: KVM does that by itself, and tells nobody */
};

struct arm64_engine {
    struct domain *domain;
    const struct domain_config *config;
    struct guest_memory *memory;
    struct arm64_kernel kernel;
    int kvm, gic; /* -1: none */
    struct kvm_machine machine;
    struct kvm_coalesced coalesced;
    struct kvm_threads threads; /* of a run */
    uint32_t n_vcpus;
    struct arm64_vcpu vcpus[ARM64_VCPUS_MAX];
    struct device_tree_uart uarts[ARM64_UARTS_MAX];
    uint32_t n_uarts;
};

/*
 * After kvm_cpu_run returned 0: what the guest wanted. KVM decodes its accesses; each is completed: reads where nothing is give 0,
 * writes go nowhere. What cannot go on is the guest's crash and nobody else's.
 */
void arm64_exit_serve(struct arm64_vcpu *v);

#endif
