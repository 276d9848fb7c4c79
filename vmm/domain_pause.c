/* SPDX-License-Identifier: MIT */
/* A domain that stands still: its vCPUs' threads sleep where the engine can read what they are. */
#include "domain_private.h"
#include "vmm.h"

void pause_init(struct domain *d)
{
    pthread_mutex_init(&d->pause.lock, NULL);
    pthread_cond_init(&d->pause.go_on, NULL);
}

void pause_finish(struct domain *d)
{
    pthread_cond_destroy(&d->pause.go_on);
    pthread_mutex_destroy(&d->pause.lock);
}

bool domain_interrupted(const struct domain *d) { return atomic_load(&d->pause.wanted) || domain_stopping(d); }

bool domain_park(struct domain *d)
{
    if (!atomic_load(&d->pause.wanted))
        return !domain_stopping(d);
    pthread_mutex_lock(&d->pause.lock);
    d->pause.n_parked++;
    if (d->pause.n_parked == d->config->vcpus)
        vmm_notify(d->vmm);
    while (atomic_load(&d->pause.wanted) && !domain_stopping(d))
        pthread_cond_wait(&d->pause.go_on, &d->pause.lock);
    d->pause.n_parked--;
    pthread_mutex_unlock(&d->pause.lock);
    return !domain_stopping(d);
}

bool domain_call_again(struct domain *d, uint32_t vcpu, uint64_t args[6])
{
    struct domain_vcpu *v = &d->vcpus[vcpu];

    if (!v->again)
        return false;
    v->again = false;
    for (unsigned i = 0; i < 6; i++)
        args[i] = v->again_args[i];
    return true;
}

void domain_pause(struct domain *d)
{
    atomic_store(&d->pause.wanted, true);
    domain_wake_all(d);
    doors_wake(d);
    d->ops->pause(d->engine);
}

bool domain_is_paused(struct domain *d)
{
    bool all;

    pthread_mutex_lock(&d->pause.lock);
    all = atomic_load(&d->pause.wanted) && d->pause.n_parked == d->config->vcpus;
    pthread_mutex_unlock(&d->pause.lock);
    return all;
}

void domain_unpause(struct domain *d)
{
    atomic_store(&d->pause.wanted, false);
    pause_wake(d);
}

void pause_wake(struct domain *d)
{
    pthread_mutex_lock(&d->pause.lock);
    pthread_cond_broadcast(&d->pause.go_on);
    pthread_mutex_unlock(&d->pause.lock);
}
