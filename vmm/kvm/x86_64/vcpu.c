/* SPDX-License-Identifier: MIT */
#include "vcpu.h"
#include "cpu.h"
#include "engine.h"
#include "exits.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

static _Thread_local struct kvm_vcpu *own; /* the vCPU that this thread runs */

void kvm_vcpu_init(struct kvm_vcpu *v, struct kvm_engine *e)
{
    *v = (struct kvm_vcpu){.engine = e, .cpu.fd = -1, .clock_gpa = ENGINE_NOWHERE, .told.info_gpa = ENGINE_NOWHERE};
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->unclaimed, NULL);
    sem_init(&v->wake, 0, 0);
}

void kvm_vcpu_finish(struct kvm_vcpu *v)
{
    kvm_cpu_finish(&v->cpu);
    sem_destroy(&v->wake);
    pthread_cond_destroy(&v->unclaimed);
    pthread_mutex_destroy(&v->lock);
}

/* ---- Claims. ---- */

void kvm_vcpu_claim(struct kvm_vcpu *v)
{
    if (v == own)
        return;
    atomic_fetch_add(&v->claims, 1); /* before the kick: the thread looks at it before it goes back */
    kvm_cpu_kick(&v->cpu);
}

void kvm_vcpu_release(struct kvm_vcpu *v)
{
    if (v == own || atomic_fetch_sub(&v->claims, 1) > 1)
        return;
    pthread_mutex_lock(&v->lock);
    pthread_cond_broadcast(&v->unclaimed);
    pthread_mutex_unlock(&v->lock);
}

void kvm_vcpu_await(struct kvm_vcpu *v)
{
    if (v != own) /* any ioctl waits for the vCPU's mutex; this one does nothing else, and its answer is known */
        ioctl(v->cpu.fd, KVM_GET_TSC_KHZ, 0);
}

static void wait_for_claims(struct kvm_vcpu *v)
{
    if (atomic_load(&v->claims) == 0)
        return;
    pthread_mutex_lock(&v->lock);
    while (atomic_load(&v->claims) > 0)
        pthread_cond_wait(&v->unclaimed, &v->lock);
    pthread_mutex_unlock(&v->lock);
}

int kvm_vcpu_ioctl(struct kvm_vcpu *v, unsigned long request, void *arg)
{
    int result;

    kvm_vcpu_claim(v);
    result = ioctl(v->cpu.fd, request, arg);
    result = result < 0 ? -errno : result;
    kvm_vcpu_release(v);
    return result;
}

bool kvm_vcpu_called_quietly(const struct kvm_engine *e) { return own != NULL && own->engine == e && own->quietly; }

/* ---- Up and down by hypercall. ---- */

int kvm_vcpu_initialise(struct kvm_vcpu *v, const struct vcpu_hvm_context *context)
{
    if (!cpu_context_ok(context))
        return -XEN_EINVAL;
    v->context = *context;
    v->has_context = true;
    return 0;
}

static int set_runnable(struct kvm_vcpu *v, bool runnable)
{
    struct kvm_mp_state state = {.mp_state = runnable ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED};

    if (!v->engine->lapic) /* without one KVM knows no other state */
        return 0;
    return ioctl(v->cpu.fd, KVM_SET_MP_STATE, &state) < 0 ? -XEN_EINVAL : 0;
}

int kvm_vcpu_up(struct kvm_vcpu *v)
{
    int result = 0;

    kvm_vcpu_claim(v);
    if (v->has_context) /* else it goes on where it went down */
        result = cpu_set_context(&v->cpu, &v->context) == 0 ? 0 : -XEN_EINVAL;
    if (result == 0)
        result = set_runnable(v, true);
    if (result == 0) {
        v->has_context = false;
        atomic_store(&v->halted, false);
        atomic_store(&v->up, true);
    }
    kvm_vcpu_release(v);
    sem_post(&v->wake);
    return result;
}

int kvm_vcpu_down(struct kvm_vcpu *v)
{
    int result;

    kvm_vcpu_claim(v);
    result = set_runnable(v, false);
    if (result == 0)
        atomic_store(&v->up, false);
    kvm_vcpu_release(v);
    return result;
}

/* ---- Its thread. ---- */

/*
 * Kicked, or its second is over. Xen: the last vCPU that halts with interrupts off switches the domain off (hvm_vcpu_down).
 * To tell a vCPU's state is also what takes an INIT that just came, so that KVM_RUN does not tell us of it.
 */
static void look_at_state(struct kvm_vcpu *v)
{
    struct kvm_mp_state state;
    bool halted;

    atomic_store(&v->halted, false);
    if (!v->engine->lapic || cpu_interrupts_on(&v->cpu) || ioctl(v->cpu.fd, KVM_GET_MP_STATE, &state) < 0)
        return;
    if (state.mp_state == KVM_MP_STATE_INIT_RECEIVED)
        v->engine->way->restarted(v);
    halted = state.mp_state == KVM_MP_STATE_HALTED;
    atomic_store(&v->halted, halted);
    if (halted)
        kvm_engine_halted(v->engine);
}

/* Without a local APIC nothing but a kick or a call ends it. */
static void sleep_until_woken(struct kvm_vcpu *v)
{
    while (sem_wait(&v->wake) < 0 && errno == EINTR)
        continue;
}

static void serve(struct kvm_vcpu *v)
{
    atomic_store(&v->up, true); /* also by INIT and SIPI, of which nobody tells us */
    atomic_store(&v->halted, false);
    switch (exit_serve(v)) {
    case EXIT_RUN: break;
    case EXIT_HALT: sleep_until_woken(v); break;
    case EXIT_DOWN:
        atomic_store(&v->halted, true);
        kvm_engine_halted(v->engine);
        sleep_until_woken(v);
        break;
    case EXIT_BROKEN: break; /* domain_stopping is true now */
    }
}

static void run(struct kvm_vcpu *v)
{
    struct domain *d = v->engine->domain;
    int error;

    wait_for_claims(v);
    if (!v->engine->lapic && !atomic_load(&v->up)) {
        sleep_until_woken(v);
        return;
    }
    error = kvm_cpu_run(&v->cpu);
    if (error == 0)
        serve(v);
    else if (error == -EAGAIN) /* it waited for INIT, and has it */
        v->engine->way->restarted(v);
    else if (error == -EINTR)
        look_at_state(v);
    else
        domain_crashed(d, "KVM: %s", strerror(-error));
    if (v->engine->way->after_exit != NULL)
        v->engine->way->after_exit(v);
    domain_vcpu_exit(d, v->cpu.id);
}

/* All exits are completed; then a call that was cut short is before its instruction again. */
static void settle(struct kvm_vcpu *v)
{
    int error = 0;

    while (error == 0 && atomic_load(&v->up)) {
        error = kvm_cpu_complete(&v->cpu);
        if (error == 0)
            serve(v);
    }
    if (error == -EAGAIN)
        v->engine->way->restarted(v);
    if (v->again)
        cpu_call_again(&v->cpu, v->engine->way->calls == KERNEL_CALLS_BY_PORT);
    v->again = false;
}

/* False: the domain stops. */
static bool stands_or_goes(struct kvm_vcpu *v)
{
    struct domain *d = v->engine->domain;

    if (!v->again && !domain_interrupted(d))
        return true;
    if (domain_stopping(d))
        return false;
    settle(v);
    return domain_park(d);
}

void *kvm_vcpu_main(void *vcpu)
{
    struct kvm_vcpu *v = vcpu;
    struct kvm_engine *e = v->engine;
    timer_t timer;
    bool timed;

    if (!kvm_threads_enter(&e->threads))
        return NULL;
    own = v;
    kvm_cpu_own(&v->cpu, true);
    timed = e->lapic && kvm_threads_tick(&timer); /* with a local APIC KVM keeps a halted vCPU to itself */
    while (stands_or_goes(v))                     /* looked at after every kick: kvm_cpu_run took note of it before */
        run(v);
    if (timed)
        timer_delete(timer);
    kvm_cpu_own(&v->cpu, false);
    own = NULL;
    if (kvm_threads_leave(&e->threads))
        domain_ended(e->domain);
    return NULL;
}
