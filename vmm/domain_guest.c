/* SPDX-License-Identifier: MIT */
/* What a guest's hypercalls work on, from the domain's creation to its end. */
#include "boot.h"
#include "domain_private.h"
#include "vmm.h"
#include <sched.h>
#include <stdlib.h>

static void init_vcpu(struct domain *d, uint32_t number)
{
    struct domain_vcpu *v = &d->vcpus[number];
    pthread_condattr_t monotonic;

    v->domain = d;
    v->number = number;
    v->timer_fd = -1;
    pthread_mutex_init(&v->lock, NULL);
    pthread_mutex_init(&v->sleep_lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&v->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void free_vcpu(struct domain_vcpu *v)
{
    domain_timer_free(v);
    pthread_cond_destroy(&v->woken);
    pthread_mutex_destroy(&v->sleep_lock);
    pthread_mutex_destroy(&v->lock);
}

static int init_core(struct domain *d, struct problem *problem)
{
    uint32_t n_vcpus = d->config->vcpus;
    void *vcpu_locks[CONFIG_VCPUS_MAX];
    const struct vc_shared_info_config config = {.abi = d->ops->arm ? VC_ABI_ARM64 : VC_ABI_X86_64,
                                                 .n_vcpus = n_vcpus,
                                                 .domid = d->id,
                                                 .xen_version = d->config->xen_version,
                                                 .lock = &d->event_lock,
                                                 .vcpu_locks = vcpu_locks};

    for (uint32_t i = 0; i < n_vcpus; i++)
        vcpu_locks[i] = &d->vcpus[i].lock;
    d->shared_memory = aligned_alloc(VC_SHARED_INFO_ALIGN, vc_shared_info_bytes(n_vcpus));
    d->events_memory = aligned_alloc(VC_SHARED_INFO_ALIGN, vc_events_bytes(VC_EVENTS_PORTS_MAX, n_vcpus));
    if (d->shared_memory == NULL || d->events_memory == NULL)
        return problem_set(problem, -1, "no memory");
    domain_envs(d);
    vc_shared_info_init(&d->shared, &d->shared_env, d, &config, d->shared_memory);
    vc_events_init(&d->events, &d->events_env, d, &d->shared, VC_EVENTS_PORTS_MAX, d->events_memory);
    vc_console_io_init(&d->io, &domain_console_io_env);
    d->io.may_read = d->io.may_write = true; /* every domain here is one that Xen would build with is_console */
    return 0;
}

int guest_init(struct domain *d, struct problem *problem)
{
    pthread_mutex_init(&d->event_lock, NULL);
    pthread_mutex_init(&d->vcpus_lock, NULL);
    pthread_mutex_init(&d->params_lock, NULL);
    grant_pages_init(&d->grants);
    domain_store_init(d);
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        init_vcpu(d, i);
    if (init_core(d, problem) != 0)
        return -1;
    for (uint32_t i = 0; !d->ops->stream && i < d->config->vcpus; i++)
        if (domain_timer_init(&d->vcpus[i], problem) != 0)
            return -1;
    return 0;
}

void guest_finish(struct domain *d)
{
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        domain_timer_finish(&d->vcpus[i]);
}

void guest_free(struct domain *d)
{
    domain_store_free(d);
    grant_pages_finish(&d->grants);
    free(d->events_memory);
    free(d->shared_memory);
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        free_vcpu(&d->vcpus[i]);
    pthread_mutex_destroy(&d->params_lock);
    pthread_mutex_destroy(&d->vcpus_lock);
    pthread_mutex_destroy(&d->event_lock);
}

void guest_reset(struct domain *d)
{
    for (uint32_t i = 0; !d->ops->stream && i < d->config->vcpus; i++)
        domain_timer_set(&d->vcpus[i], DOMAIN_TIMER_NONE);
    vc_events_reset(
        &d->events); /* while peers still find it: a port that one closes meanwhile takes its other end with it */
    atomic_store(&d->has_ports, false);
    /* Whoever had found it is in the middle of one event: it does not wait for us, nor for anybody who does. */
    while (atomic_load(&d->n_peers) > 0)
        sched_yield();
    vc_shared_info_reset(&d->shared);
}

int guest_open(struct domain *d, struct problem *problem)
{
    guest_reset(d);
    vc_params_init(&d->params, d->ops->arm ? VC_PARAM_ARM : VC_PARAM_X86);
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        d->vcpus[i].initialised = i == 0;
    vc_shared_info_runstate(&d->shared, 0, RUNSTATE_running, domain_guest_time(d));
    if (d->ops->stream)
        return 0;
    if (grant_pages_reset(&d->grants, &d->memory, d->ops, d->engine, boot_console_gpa(&d->memory) / XEN_PAGE_BYTES,
                          boot_store_gpa(&d->memory) / XEN_PAGE_BYTES) != 0)
        return problem_set(problem, -1, "no memory");
    atomic_store(&d->has_ports, true);
    return 0;
}
