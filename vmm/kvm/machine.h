/* SPDX-License-Identifier: MIT */
/*
 * machine.h: one virtual machine of KVM's and its virtual CPUs: descriptors, mappings and the way to stop them.
 *
 * Spec:  Linux Documentation/virt/kvm/api.rst; bare section numbers below are its own.
 * Owner: the caller places both structs; a zeroed-by-init one may be finished. The memory outlives the machine.
 * Lock:  a vCPU is run by one thread; kvm_cpu_kick comes from any. Everything else is the maker's.
 * Trust: struct kvm_run is written by the kernel alone; what the guest put into registers is the guest's.
 */
#ifndef VMM_KVM_MACHINE_H
#define VMM_KVM_MACHINE_H
#include "host/message.h"
#include <linux/kvm.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Takes a thread out of KVM_RUN; does nothing else. libc keeps its first two real-time signals to itself. */
#define KVM_KICK_SIGNAL (SIGRTMIN + 3)

struct kvm_machine {
    int kvm, vm;        /* -1: none */
    uint32_t n_slots;   /* of memory, in use */
    bool hypercall_msr; /* writes to the hypercall page's MSR come to us */
};

struct kvm_cpu {
    int fd; /* -1: none */
    uint32_t id;
    struct kvm_run *run;
    size_t run_bytes;
    _Atomic pid_t tid; /* of the thread that runs it; 0: none */
};

/* Once in a process, from any thread: without it a kick would end the program. */
void kvm_kick_prepare(void);

/* Open /dev/kvm and look whether it has what we need. -1: problem says why, as one clause. */
int kvm_open(struct problem *problem);
/* A machine without memory. kvm stays the caller's to close. */
int kvm_machine_init(struct kvm_machine *m, int kvm, struct problem *problem);
/* Memory, whole pages, at a guest physical address where there is none yet, as the next slot. It outlives the machine. */
int kvm_machine_map(struct kvm_machine *m, uint64_t gpa, void *memory, uint64_t bytes, struct problem *problem);
/* What lies in a slot, of the caller's choice; bytes 0: nothing. 0 or -errno. */
int kvm_machine_slot(struct kvm_machine *m, uint32_t slot, uint64_t gpa, void *memory, uint64_t bytes);
/* Local APICs in KVM, all there is of interrupt controllers; before the first vCPU. False: this KVM has none. */
bool kvm_can_have_lapics(int kvm);
bool kvm_machine_give_lapics(struct kvm_machine *m);
void kvm_machine_finish(struct kvm_machine *m);

int kvm_cpu_init(struct kvm_cpu *c, const struct kvm_machine *m, uint32_t id, struct problem *problem);
void kvm_cpu_finish(struct kvm_cpu *c);
/* The calling thread runs this vCPU from now on (true) or no longer (false). */
void kvm_cpu_own(struct kvm_cpu *c, bool own);
/* Run until the guest needs something: 0. -EINTR: kicked; -EAGAIN: nothing happened but INIT; else what KVM said. */
int kvm_cpu_run(struct kvm_cpu *c);
/*
 * KVM completes an exit when it next runs: have it do that and no more, so that all that the vCPU is can be read. As kvm_cpu_run: 0
 * is another exit, for one comes in parts; -EINTR: done.
 */
int kvm_cpu_complete(struct kvm_cpu *c);
/* Whatever it does, kvm_cpu_run returns soon, or at once when it is next called. Takes no lock, never waits. */
void kvm_cpu_kick(struct kvm_cpu *c);

#endif
