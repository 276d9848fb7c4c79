/* SPDX-License-Identifier: MIT */
/*
 * vcpu.h: one virtual CPU of a running domain: its thread, and how others get at its state.
 *
 * A vCPU belongs to its thread, which is in KVM_RUN nearly always, also while the vCPU waits for its INIT; KVM then holds
 * the vCPU's mutex, and any ioctl on it would wait as long. So whoever wants one claims the vCPU first: its thread leaves
 * KVM_RUN, and stays out until the last claim is over. A thread that is busy elsewhere (in a hypercall) is no obstacle.
 *
 * Owner: the engine, one for each vCPU, from kvm_vcpu_init to kvm_vcpu_finish.
 * Lock:  lock, a leaf, for claims. kvm_vcpu_claim and kvm_vcpu_await may be called with the domain's event lock held: they
 *        wait only for KVM_RUN to return, which takes no lock of ours.
 * Trust: what the guest left in registers is the guest's.
 */
#ifndef VMM_KVM_X86_64_VCPU_H
#define VMM_KVM_X86_64_VCPU_H
#include "../../engine.h"
#include "../machine.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <vcons/wire/xen.h>

struct kvm_engine;

struct kvm_vcpu {
    struct kvm_engine *engine;
    struct kvm_cpu cpu;
    pthread_t thread;
    sem_t wake; /* no local APIC: it is halted or offline */

    pthread_mutex_t lock;
    pthread_cond_t unclaimed;
    atomic_uint claims;

    atomic_bool up;
    atomic_bool halted;         /* for ever: hlt with interrupts off */
    atomic_uint vector;         /* of its upcall; 0: none */
    _Atomic uint64_t clock_gpa; /* where KVM's clock writes; ENGINE_NOWHERE */
    atomic_bool dropped;        /* kvm-xen: an upcall that its local APIC, still off, did not take */
    bool quietly;               /* its last call came through quiet.h's code. Its own thread's */
    bool again;                 /* a call is to be made again, with the arguments now in registers */
    bool has_context;           /* of VCPUOP_initialise, not yet started from */
    struct vcpu_hvm_context context;

    struct {                 /* under told_lock of the engine */
        bool registered;     /* its vcpu_info is no longer the one in shared_info */
        uint64_t info_gpa;   /* kvm-xen: where KVM has its vcpu_info; ENGINE_NOWHERE */
        uint32_t timer_port; /* kvm-xen: of VIRQ_TIMER; 0: not bound */
        bool missed;         /* kvm-xen: an event came while it had no vcpu_info */
    } told;
};

/* v->cpu is made by the caller before its thread runs. */
void kvm_vcpu_init(struct kvm_vcpu *v, struct kvm_engine *e);
void kvm_vcpu_finish(struct kvm_vcpu *v);

/* Begin and end a time in which the vCPU does not run and its ioctls do not wait. In its own thread: nothing to do. */
void kvm_vcpu_claim(struct kvm_vcpu *v);
void kvm_vcpu_release(struct kvm_vcpu *v);
/* Of a claimed one: when it returns, the vCPU has left KVM_RUN, and so the guest. */
void kvm_vcpu_await(struct kvm_vcpu *v);
/* One ioctl under a claim. 0 or more, or -errno. */
int kvm_vcpu_ioctl(struct kvm_vcpu *v, unsigned long request, void *arg);

/* Whether the calling thread is that of a vCPU of this engine, whose last call came through the code of quiet.h. */
bool kvm_vcpu_called_quietly(const struct kvm_engine *e);

/* The engine's operations of the same names. */
int kvm_vcpu_initialise(struct kvm_vcpu *v, const struct vcpu_hvm_context *context);
int kvm_vcpu_up(struct kvm_vcpu *v);
int kvm_vcpu_down(struct kvm_vcpu *v);

/* A thread's whole life, from one start of the domain to its end. */
void *kvm_vcpu_main(void *vcpu);

#endif
