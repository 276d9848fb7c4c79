/* SPDX-License-Identifier: MIT */
/*
 * engine_run.h: the engine `kvm` alone, on this machine's KVM: kernels of a few instructions (guests.S) against a domain that
 * records what it is asked.
 *
 * Owner: the test; engine_run.c holds the domain's side of engine.h.
 * Lock:  domain.lock for what is under it; the test waits with run_wait.
 */
#ifndef VCONS_TESTS_KVM_ENGINE_RUN_H
#define VCONS_TESTS_KVM_ENGINE_RUN_H
#include "../../vmm/boot.h"
#include "../../vmm/config.h"
#include "../../vmm/engine.h"
#include "../unit/unit.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define RUN_LOAD         0x100000u
#define RUN_MEMORY_BYTES (8u << 20)
#define RUN_LIMIT_S      20 /* a hang guard: everything here takes milliseconds */

extern const uint8_t guests[], guests_end[], guests_hypercall_page[];

struct call {
    uint32_t vcpu;
    uint64_t nr, args[6];
    bool compat;
    bool translated; /* args[0] was mapped at that time ... */
    uint64_t gpa;    /* ... and lay here */
};

struct device_access {
    enum engine_space space;
    uint64_t address, value;
    uint32_t width;
    bool write;
};

struct domain { /* the engine sees only a name for it */
    void *engine;
    const struct engine_ops *ops;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under lock. */
    char printed[256], crashed[128];
    size_t n_printed; /* all of it, also what did not fit */
    struct call calls[8];
    size_t n_calls;
    int ends, exited; /* exited: -1 not */
    unsigned exits;   /* of vCPUs, as domain_vcpu_exit tells */
    int modes;        /* how often a mode was told */
    bool device; /* there is one: registers as wide as they may be, each of which reads as its address's lowest byte */
    struct device_access accesses[8]; /* the last ones */
    size_t n_accesses;
};

struct run {
    struct domain domain;
    struct guest_memory memory;
    struct problem error;
    struct domain_config config;
    char kernel[32];
};

struct run_options {
    uint32_t vcpus;               /* 0: one */
    bool virtio;                  /* it has one device, at the first place */
    bool no_page;                 /* the kernel has no note for a hypercall page */
    const struct engine_ops *ops; /* NULL: engine_kvm */
};

void run_create(struct run *r, const uint8_t *entry);
void run_create_with(struct run *r, const uint8_t *entry, const struct run_options *options);
/* The kernel's file alone: create's answer is the test's to look at. */
void run_write_kernel(char path[32], const uint8_t *entry, bool no_page);
void run_start(struct run *r);
/* Wait until the run ended, or printed so many bytes, or made so many calls: what comes first. */
void run_wait(struct run *r, size_t n_printed, size_t n_calls);
void run_stop(struct run *r);
void run_finish(struct run *r);
/* Create, start, wait until it ends by itself, stop. */
void run_all(struct run *r, const uint8_t *entry);
void assert_printed(struct run *r, const char *bytes, size_t n);

#endif
