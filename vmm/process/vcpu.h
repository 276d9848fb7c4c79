/* SPDX-License-Identifier: MIT */
/*
 * vcpu.h: a vCPU of the process engine: the thread that serves the calls of one call page.
 *
 * Spec:  wire/callpage.h, "vCPUs".
 * Lock:  none; number and page are constant, `up` and `change` atomic, the rest the thread's own.
 * Trust: the page is the guest's: number and arguments are copied once, and of its state only POSTED means anything.
 */
#ifndef VCONS_VMM_PROCESS_VCPU_H
#define VCONS_VMM_PROCESS_VCPU_H
#include "../engine.h"
#include <stdatomic.h>
#include <vcons/wire/callpage.h>

struct engine; /* engine.c's */

struct process_vcpu {
    struct engine *engine;
    struct domain *domain;
    uint32_t number;
    struct vc_call_page *page;
    atomic_bool up;
    uint32_t change; /* one more for each change of up, and at the end; slept on. Atomic */
    uint32_t spins;
    bool ready;  /* its thread said that it is sandboxed */
    bool served; /* the call was, with this result; but it is not up, so that the answer waits */
    int64_t result;
};

/* As before a start: vCPU 0 is up. */
void process_vcpu_reset(struct process_vcpu *v);
/* Serve its calls until the domain stops, or its process is dead. */
void process_vcpu_serve(struct process_vcpu *v);
/* VCPUOP_up and _down. Any thread. */
void process_vcpu_set(struct process_vcpu *v, bool up);
/* The process is dead: whatever serve sleeps in, it looks at domain_stopping. Any thread. */
void process_vcpu_release(struct process_vcpu *v);

/* ---- Saving (wire/callpage.h). All vCPUs are parked, or do not run. ---- */

struct problem;
/* Have its thread come to domain_park soon. Any thread. */
void process_vcpu_pause(struct process_vcpu *v);
/* Version 1: u32 1, u32 vCPUs; of each u32 up, u32 served, u64 result, u64 nr, 6 u64 args, u64 stack, u64 go_on. *bytes is the
 * caller's to free. */
int process_vcpus_save(const struct process_vcpu *vcpus, uint32_t n, void **bytes, size_t *n_bytes,
                       struct problem *problem);
/* Instead of a reset. bytes may be anything; what go_on and stack say concerns nobody but the guest. -1: not such a state. */
int process_vcpus_restore(struct process_vcpu *vcpus, uint32_t n, const void *bytes, size_t n_bytes,
                          struct problem *problem);

#endif
