/* SPDX-License-Identifier: MIT */
#include "threads.h"
#include "machine.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define TICK_S 1

void kvm_threads_init(struct kvm_threads *t)
{
    *t = (struct kvm_threads){.gate = GATE_SHUT};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->moved, NULL);
}

void kvm_threads_finish(struct kvm_threads *t)
{
    pthread_cond_destroy(&t->moved);
    pthread_mutex_destroy(&t->lock);
}

static void move_gate(struct kvm_threads *t, bool open)
{
    pthread_mutex_lock(&t->lock);
    t->gate = open ? GATE_OPEN : GATE_ABORT;
    pthread_cond_broadcast(&t->moved);
    pthread_mutex_unlock(&t->lock);
}

static int start_all(struct kvm_threads *t, uint32_t n, struct kvm_thread (*thread)(void *ctx, uint32_t i), void *ctx,
                     const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        struct kvm_thread next = thread(ctx, i);
        int error = pthread_create(next.id, NULL, next.main, next.arg);
        char shown[16];

        if (error != 0) {
            move_gate(t, false);
            while (i-- > 0)
                pthread_join(*thread(ctx, i).id, NULL);
            return error;
        }
        snprintf(shown, sizeof shown, "kvm%u/%.8s", i % 1000, name);
        pthread_setname_np(*next.id, shown);
    }
    move_gate(t, true);
    return 0;
}

int kvm_threads_start(struct kvm_threads *t, uint32_t n, struct kvm_thread (*thread)(void *ctx, uint32_t i), void *ctx,
                      const char *name)
{
    sigset_t all, before;
    int error;

    t->gate = GATE_SHUT;
    atomic_store(&t->n_running, n);
    /* Signals for the program are the loop's; ours ends KVM_RUN. */
    sigfillset(&all);
    sigdelset(&all, KVM_KICK_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = start_all(t, n, thread, ctx, name);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

bool kvm_threads_enter(struct kvm_threads *t)
{
    bool open;

    pthread_mutex_lock(&t->lock);
    while (t->gate == GATE_SHUT)
        pthread_cond_wait(&t->moved, &t->lock);
    open = t->gate == GATE_OPEN;
    pthread_mutex_unlock(&t->lock);
    return open;
}

bool kvm_threads_tick(timer_t *timer)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KVM_KICK_SIGNAL};
    const struct itimerspec interval = {{.tv_sec = TICK_S}, {.tv_sec = TICK_S}};

    event._sigev_un._tid = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, timer) < 0)
        return false;
    timer_settime(*timer, 0, &interval, NULL);
    return true;
}

bool kvm_threads_running(struct kvm_threads *t) { return atomic_load(&t->n_running) > 0; }

bool kvm_threads_leave(struct kvm_threads *t) { return atomic_fetch_sub(&t->n_running, 1) == 1; }
