/* SPDX-License-Identifier: MIT */
/* The thread of a vCPU, and what can be seen of PSCI's CPU_ON and CPU_OFF, which KVM serves by itself. */
#include "cpu.h"
#include "engine.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

/* Of any vCPU that is not in KVM, or waits until it is not. One that KVM does not tell is taken to be up. */
static bool is_off(const struct arm64_vcpu *v)
{
    struct kvm_mp_state state;

    return ioctl(v->cpu.fd, KVM_GET_MP_STATE, &state) == 0 && state.mp_state == KVM_MP_STATE_STOPPED;
}

static void wait_while_held(struct arm64_engine *e)
{
    if (!atomic_load(&e->held))
        return;
    pthread_mutex_lock(&e->held_lock);
    while (atomic_load(&e->held))
        pthread_cond_wait(&e->released, &e->held_lock);
    pthread_mutex_unlock(&e->held_lock);
}

static void release(struct arm64_engine *e)
{
    pthread_mutex_lock(&e->held_lock);
    atomic_store(&e->held, false);
    pthread_cond_broadcast(&e->released);
    pthread_mutex_unlock(&e->held_lock);
}

/*
 * Nobody is told when a vCPU goes off, and one that is off is switched on by another: that all were off when each was last looked
 * at proves nothing. So all are had out of KVM, where none can switch another on, and looked at together. One that is just then in
 * a call or an access is out of KVM too, and not off.
 */
static bool all_are_off(struct arm64_vcpu *own)
{
    struct arm64_engine *e = own->engine;
    bool off = true;

    atomic_store(&e->held, true); /* before the kicks: threads look at it before they go back */
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (&e->vcpus[i] != own)
            kvm_cpu_kick(&e->vcpus[i].cpu);
    for (uint32_t i = 0; off && i < e->n_vcpus; i++)
        off = is_off(&e->vcpus[i]);
    release(e);
    return off;
}

/* Kicked, or its second is over. As on Xen for x86, and as there without a way back, a domain without a vCPU that is on is off. */
static void look_at_state(struct arm64_vcpu *v)
{
    struct arm64_engine *e = v->engine;
    bool off = is_off(v);

    atomic_store(&v->up, !off);
    for (uint32_t i = 0; off && i < e->n_vcpus; i++)
        off = !atomic_load(&e->vcpus[i].up);
    if (!off || pthread_mutex_trylock(&e->look_lock) != 0) /* who holds it looks */
        return;
    off = all_are_off(v);
    pthread_mutex_unlock(&e->look_lock);
    if (off)
        domain_exited(e->domain, 0);
}

static void serve(struct arm64_vcpu *v)
{
    atomic_store(&v->up, true);
    arm64_exit_serve(v);
}

static void run(struct arm64_vcpu *v)
{
    struct domain *d = v->engine->domain;
    int error;

    wait_while_held(v->engine);
    error = kvm_cpu_run(&v->cpu);
    if (error == 0)
        serve(v);
    else if (error == -EINTR)
        look_at_state(v);
    else if (error == -ENOSYS) /* api.rst, KVM_CAP_ARM_NISV_TO_USER */
        domain_crashed(d, "an access to a device that KVM does not decode, at 0x%llx",
                       (unsigned long long)arm64_cpu_instruction(&v->cpu));
    else if (error != -EAGAIN)
        domain_crashed(d, "KVM: %s", strerror(-error));
    domain_vcpu_exit(d, v->cpu.id);
}

/*
 * False: the domain stops. For KVM a call is complete, whatever came of it; one that was cut short, now or before it was saved, is
 * made again when the domain goes on.
 */
static bool stands_or_goes(struct arm64_vcpu *v)
{
    struct domain *d = v->engine->domain;

    while (v->again || domain_interrupted(d)) {
        if (domain_stopping(d))
            return false;
        while (kvm_cpu_complete(&v->cpu) == 0)
            serve(v);
        if (!domain_park(d))
            return false;
        if (v->again)
            arm64_call(v);
    }
    return true;
}

void *arm64_vcpu_main(void *vcpu)
{
    struct arm64_vcpu *v = vcpu;
    struct arm64_engine *e = v->engine;
    timer_t timer;
    bool timed;

    if (!kvm_threads_enter(&e->threads))
        return NULL;
    kvm_cpu_own(&v->cpu, true);
    timed = kvm_threads_tick(&timer);
    while (stands_or_goes(v)) /* looked at after every kick: kvm_cpu_run took note of it before */
        run(v);
    if (timed)
        timer_delete(timer);
    kvm_cpu_own(&v->cpu, false);
    if (kvm_threads_leave(&e->threads))
        domain_ended(e->domain);
    return NULL;
}
