/* SPDX-License-Identifier: MIT */
/*
 * tiny_cpus.h: tiny's vCPUs. vCPU 0 runs tiny; the others are started when a word needs them, and do the jobs it gives.
 *
 * Spec:  VCPUOP_is_up, _initialise, _up of public/vcpu.h; Xen ABI 5.3 for vCPUs 32 and up, which get no event before
 *        they registered a vcpu_info.
 * Lock:  vCPU 0 alone calls what is here, but for tiny_cpu_main, which is where each other vCPU begins. A job is handed
 *        over by `state` (release), its effects come back by it (acquire).
 */
#ifndef GUEST_TINY_CPUS_H
#define GUEST_TINY_CPUS_H
#include "events.h"

#define TINY_CPUS       64u
#define TINY_INFO_BYTES 64u /* of a vcpu_info, and what it is aligned to: it never crosses a page */

struct tiny;
struct tiny_cpu;
typedef void tiny_job(struct tiny_cpu *cpu, void *arg);

enum tiny_cpu_state { TINY_CPU_OFF = 0, TINY_CPU_IDLE = 1, TINY_CPU_BUSY = 2 };

struct tiny_cpu {
    _Alignas(TINY_INFO_BYTES) uint8_t info[TINY_INFO_BYTES]; /* its own vcpu_info, once it registered it */
    struct tiny *tiny;
    uint32_t id;
    struct platform platform;
    struct events_cpu events;
    bool registered; /* info, on its behalf, before it ran */
    uint32_t wake;   /* port: it has a job */
    uint32_t state;
    tiny_job *job;
    void *arg;
};

/* What the machine does for a vCPU. */
struct tiny_cpu_ops {
    /* On vCPU 0, before the vCPU runs: fill in its platform. */
    void (*prepare)(struct tiny_cpu *cpu);
    /* On vCPU 0: have it begin in tiny_cpu_main. 0, or -XEN_E. */
    int64_t (*start)(struct tiny_cpu *cpu);
    /* On the vCPU itself, upcalls off, events.way not set yet: how it is interrupted. */
    void (*interrupts)(struct tiny_cpu *cpu);
};

/* How many vCPUs this domain has, up or not: 1 where the hypervisor does not tell. */
uint32_t tiny_cpus_count(struct tiny *t);
/* Start vCPUs until n run, vCPU 0 among them. How many do: less, if the domain has no more or the hypervisor refuses. */
uint32_t tiny_cpus_start(struct tiny *t, uint32_t n);
/* Give an idle vCPU, not 0, a job. */
void tiny_cpu_run(struct tiny_cpu *cpu, tiny_job *job, void *arg);
/* It has done its job, or has never had one. */
bool tiny_cpu_is_done(const struct tiny_cpu *cpu);
/* Both: give it the job, and wait. */
void tiny_cpu_do(struct tiny_cpu *cpu, tiny_job *job, void *arg);
/*
 * While shared_info moves no vCPU may look at it: those from first on stay where upcalls are off, until they are let go. What
 * came for them by then they find in the new place.
 */
void tiny_cpus_park(struct tiny *t, uint32_t first);
void tiny_cpus_let_go(struct tiny *t, uint32_t first);
_Noreturn void tiny_cpu_main(struct tiny_cpu *cpu);

#endif
