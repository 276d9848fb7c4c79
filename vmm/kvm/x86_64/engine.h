/* SPDX-License-Identifier: MIT */
/* engine.h: the inside of the engine `kvm` on x86_64, for engine.c, vcpu.c, exits.c and the two ways. */
#ifndef VMM_KVM_X86_64_ENGINE_H
#define VMM_KVM_X86_64_ENGINE_H
#include "../../config.h"
#include "../../engine.h"
#include "../coalesced.h"
#include "../doorbells.h"
#include "../machine.h"
#include "../threads.h"
#include "kernel.h"
#include "lines.h"
#include "quiet.h"
#include "vcpu.h"
#include <vcons/save.h>

#define KVM_ENGINE_PAGES_MAX 64u /* that map_page may have placed at a time */

/*
 * A way in which a Xen guest can be run on KVM. `kvm`: any KVM; calls come through ports, core delivers events, MSIs are the
 * upcalls, KVM's own clock keeps vcpu_info's. `kvm-xen`: a KVM that knows Xen's ABI does most of that below us.
 */
struct kvm_way {
    const char *name;
    enum kernel_calls calls; /* how a kernel is to call */
    /* Whether this KVM can. why: one clause. */
    bool (*usable)(int kvm, struct problem *why);
    /* After KVM_CREATE_VM; after the vCPU was made. */
    int (*prepare)(struct kvm_engine *e, struct problem *problem);
    int (*prepare_vcpu)(struct kvm_vcpu *v, struct problem *problem);
    /* engine.h. */
    bool (*upcall)(struct kvm_engine *e, uint32_t vcpu);
    int (*set_vector)(struct kvm_engine *e, uint32_t vcpu, uint64_t value);
    int (*placed)(struct kvm_engine *e, enum engine_area area, uint32_t vcpu, uint64_t gpa);
    void (*latched)(struct kvm_engine *e, bool long_mode); /* NULL: nothing to do */
    /* INIT took the vCPU's state away: give back what is not the guest's. In its thread. */
    void (*restarted)(struct kvm_vcpu *v);
    void (*after_exit)(struct kvm_vcpu *v); /* in its thread, before it goes on. NULL: nothing to do */
    const struct engine_events *events;     /* NULL: core delivers */
    /* What of this way is in neither memory, vCPUs nor core; restore is the last of all. save.h. */
    int (*save)(struct kvm_engine *e, struct vc_writer *w, struct problem *problem);
    int (*restore)(struct kvm_engine *e, struct vc_reader *r, struct problem *problem);
};

extern const struct kvm_way kvm_way_kvm; /* way_kvm.c */
extern const struct kvm_way kvm_way_xen; /* way_xen.c */

struct kvm_engine {
    struct domain *domain;
    const struct domain_config *config;
    const struct kvm_way *way;
    struct guest_memory *memory;
    struct kvm_kernel kernel;
    int kvm;

    struct kvm_machine machine;
    struct kvm_lines lines; /* of devices' interrupts */
    struct kvm_coalesced coalesced;
    struct kvm_doorbells doorbells;
    struct quiet quiet; /* sends that come to nobody for now */
    bool lapic;         /* in KVM, each vCPU's */
    bool stable_tsc;    /* of the host */
    uint32_t n_vcpus;
    struct kvm_vcpu *vcpus;

    /*
     * What KVM was told of the guest's areas and timers. Behind the domain's event lock, before every other; held while a vCPU
     * that was claimed leaves KVM_RUN, where it waits for no lock of ours.
     */
    pthread_mutex_t told_lock;
    bool long_mode;          /* as latched; kvm-xen's */
    uint64_t shared_gpa;     /* of shared_info; ENGINE_NOWHERE: home stands for it; kvm-xen's */
    uint64_t home[4096 / 8]; /* as on Xen there is a page from the beginning, which the guest sees when it places it */

    struct kvm_threads threads; /* of a run */

    pthread_mutex_t pages_lock;
    struct {
        uint64_t gpa;
        uint32_t slot;
        bool used;
    } pages[KVM_ENGINE_PAGES_MAX];
};

/* After a vCPU halted for ever: if all others did, or are offline, the domain is switched off. */
void kvm_engine_halted(struct kvm_engine *e);
/* Send this vCPU the interrupt. False: its local APIC is off and dropped it. */
bool kvm_engine_interrupt(struct kvm_engine *e, uint32_t vcpu, uint32_t vector);

#endif
