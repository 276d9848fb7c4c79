/* SPDX-License-Identifier: MIT */
/* Core's questions to this process: locks, guest memory, sleep and wake, upcalls, the end. */
#include "calls.h"
#include "vmm.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <vcons/atomic.h>
#include <vcons/wire/xen.h>

#define NS_A_SECOND 1000000000u
#define FOR_EVER_NS (UINT64_C(1000000000) * NS_A_SECOND) /* 31 years */

static unsigned long lock_mutex(void *lock)
{
    pthread_mutex_lock(lock);
    return 0;
}

static void unlock_mutex(void *lock, unsigned long saved)
{
    (void)saved;
    pthread_mutex_unlock(lock);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* Builds that look for faults look for this one, too. */
static struct vc_lock_held *held_here(void)
{
    static _Thread_local struct vc_lock_held held;

    return &held;
}

static void wrong_order(const struct vc_lock_held *held, const void *lock, bool taking)
{
    fprintf(stderr, "lock order: %s %p with %u held\n", taking ? "taking" : "dropping", lock, held->n);
    abort();
}

const struct vc_lock_env domain_locks = {
    .lock = lock_mutex, .unlock = unlock_mutex, .held = held_here, .wrong = wrong_order};
#else
const struct vc_lock_env domain_locks = {.lock = lock_mutex, .unlock = unlock_mutex};
#endif

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n) { return calls_copy_in(ctx, to, from, n); }

static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n) { return calls_copy_out(ctx, to, from, n); }

static bool translate(void *ctx, uint64_t address, uint64_t *gpa) { return calls_translate(ctx, address, true, gpa); }

static int map(void *domain, uint64_t gfn, uint8_t **page)
{
    struct domain *d = domain;

    *page = gfn <= UINT64_MAX / XEN_PAGE_BYTES ? memory_at(&d->memory, gfn * XEN_PAGE_BYTES, XEN_PAGE_BYTES) : NULL;
    if (*page == NULL)
        *page = grant_pages_at(&d->grants, gfn);
    return *page != NULL ? VC_OK : VC_ENOENT;
}

/* ---- vCPUs that sleep in SCHEDOP_poll and SCHEDOP_block: each on a condition of its own. ---- */

/* [locked] False: the deadline, of the guest's clock, has passed. */
static bool sleep_until(struct domain_vcpu *v, uint64_t deadline_ns)
{
    uint64_t now, wake_ns;
    struct timespec t;

    if (deadline_ns == 0) {
        pthread_cond_wait(&v->woken, &v->sleep_lock);
        return true;
    }
    now = domain_guest_time(v->domain);
    if (now >= deadline_ns)
        return false;
    wake_ns = domain_time_ns() + (deadline_ns - now < FOR_EVER_NS ? deadline_ns - now : FOR_EVER_NS);
    t = (struct timespec){.tv_sec = (time_t)(wake_ns / NS_A_SECOND), .tv_nsec = (long)(wake_ns % NS_A_SECOND)};
    pthread_cond_timedwait(&v->woken, &v->sleep_lock, &t);
    return true; /* looked at again: the guest's clock decides */
}

static enum vc_wait wait_for_word(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct domain_vcpu *v = ctx;
    struct domain *d = v->domain;
    enum vc_wait result = VC_WAIT_WOKEN;

    vc_shared_info_runstate(&d->shared, v->number, RUNSTATE_blocked, domain_guest_time(d));
    atomic_store(&v->sleeps_on, word); /* before the look at word: see wake_word */
    pthread_mutex_lock(&v->sleep_lock);
    while (result == VC_WAIT_WOKEN && vc_load_seq(word) == value) {
        if (domain_interrupted(d))
            result = VC_WAIT_STOP;
        else if (!sleep_until(v, deadline_ns))
            result = VC_WAIT_TIMEOUT;
    }
    pthread_mutex_unlock(&v->sleep_lock);
    atomic_store(&v->sleeps_on, NULL);
    vc_shared_info_runstate(&d->shared, v->number, RUNSTATE_running, domain_guest_time(d));
    return result;
}

static void wake_vcpu(struct domain_vcpu *v)
{
    pthread_mutex_lock(&v->sleep_lock);
    pthread_cond_broadcast(&v->woken);
    pthread_mutex_unlock(&v->sleep_lock);
}

/* Maybe under a vCPU's lock; sleep_lock is only ever held for a look at the word. */
static void wake_word(void *domain, const uint32_t *word)
{
    struct domain *d = domain;

    /* Either we see who sleeps, or it sees the word that its waker had changed before: both are seq_cst. */
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        if (atomic_load(&d->vcpus[i].sleeps_on) == word)
            wake_vcpu(&d->vcpus[i]);
}

void domain_wake_all(struct domain *d)
{
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        wake_vcpu(&d->vcpus[i]);
}

/* A guest that waits for room in a ring whose sends do not come asks so. */
static void yield(void *ctx)
{
    if (!doors_quiet_look(((struct domain_vcpu *)ctx)->domain, true))
        sched_yield();
}

void domain_virq(struct domain *d, uint32_t virq) { vc_events_virq(&d->events, 0, virq); }

/* ---- What happens to the domain. ---- */

/* A soft reset would keep its memory for the kernel that it has loaded there (kexec). */
static void shut_down(void *ctx, uint32_t reason)
{
    struct domain *d = ((struct domain_vcpu *)ctx)->domain;

    switch (reason) {
    case SHUTDOWN_poweroff: domain_end(d, REQUEST_POWEROFF); return;
    case SHUTDOWN_reboot: domain_end(d, REQUEST_REBOOT); return;
    case SHUTDOWN_watchdog: domain_crashed(d, "its watchdog fired"); return;
    case SHUTDOWN_soft_reset: domain_crashed(d, "it wants a soft reset, which there is not"); return;
    default: domain_crashed(d, "the guest says so"); return;
    }
}

static void sent(void *ctx, void *door)
{
    struct domain_port *port = door;

    (void)ctx;
    port->sent(port);
}

static bool offline(void *domain, uint32_t vcpu)
{
    struct domain *d = domain;

    return d->ops->vcpu_is_up != NULL ? !d->ops->vcpu_is_up(d->engine, vcpu) : vcpu != 0;
}

static bool upcall(void *domain, uint32_t vcpu)
{
    struct domain *d = domain;

    return d->ops->upcall == NULL || d->ops->upcall(d->engine, vcpu);
}

static void moved(void *domain, uint32_t vcpu, uint64_t gpa)
{
    struct domain *d = domain;

    if (d->ops->placed != NULL)
        d->ops->placed(d->engine, ENGINE_VCPU_INFO, vcpu, gpa);
}

/* One that does not run is no domain. Counted first, then looked at: guest_reset does it the other way round. */
static struct vc_events *peer(void *domain, uint32_t domid)
{
    struct vmm *vmm = ((struct domain *)domain)->vmm;
    struct domain *other = vmm_domain_of_id(vmm, domid);

    if (other == NULL || other->ops->stream)
        return NULL;
    atomic_fetch_add(&other->n_peers, 1);
    if (atomic_load(&other->has_ports))
        return &other->events;
    atomic_fetch_sub(&other->n_peers, 1);
    return NULL;
}

static void peer_done(void *domain, struct vc_events *other)
{
    (void)domain;
    atomic_fetch_sub(&((struct domain *)other->domain)->n_peers, 1);
}

/* ---- Ways on which the kernel below the engine delivers. ---- */

const struct engine_events *domain_engine_events(struct domain *d)
{
    return d->ops->events != NULL ? d->ops->events(d->engine) : NULL;
}

static int64_t place_shared(void *domain, uint64_t gfn, enum vc_abi abi)
{
    struct domain *d = domain;

    (void)abi; /* latched before: domain_mode */
    return d->ops->placed(d->engine, ENGINE_SHARED_INFO, 0, gfn * XEN_PAGE_BYTES);
}

static int64_t place_info(void *domain, uint32_t vcpu, uint64_t gpa)
{
    struct domain *d = domain;

    return d->ops->placed(d->engine, ENGINE_VCPU_INFO, vcpu, gpa);
}

static void deliver(void *domain, uint32_t vcpu, uint32_t port)
{
    struct domain *d = domain;

    domain_engine_events(d)->deliver(d->engine, vcpu, port);
}

static void bound(void *domain, uint32_t port, const struct vc_event_binding *binding)
{
    struct domain *d = domain;

    domain_engine_events(d)->bound(d->engine, port, binding);
}

/* Whoever gets this number next is no console. */
static void unbound(void *domain, uint32_t port)
{
    struct domain *d = domain;

    if (d->ops->quiet != NULL)
        d->ops->quiet(d->engine, port, false);
    if (domain_engine_events(d) != NULL)
        domain_engine_events(d)->unbound(d->engine, port);
}

void domain_envs(struct domain *d)
{
    d->shared_env = (struct vc_shared_info_env){.lock = domain_locks,
                                                .map = map,
                                                .copy_in = copy_in,
                                                .copy_out = copy_out,
                                                .translate = translate,
                                                .offline = offline,
                                                .upcall = upcall,
                                                .wake = wake_word,
                                                .moved = moved};
    d->events_env = (struct vc_events_env){.copy_in = copy_in,
                                           .copy_out = copy_out,
                                           .sent = sent,
                                           .wait = wait_for_word,
                                           .yield = yield,
                                           .shutdown = shut_down,
                                           .peer = peer,
                                           .peer_done = peer_done};
    if (d->engine == NULL)
        return;
    d->events_env.unbound = unbound;
    if (domain_engine_events(d) == NULL)
        return;
    d->shared_env.place_shared = place_shared;
    d->shared_env.place_info = place_info;
    d->events_env.deliver = deliver;
    d->events_env.bound = bound;
}
