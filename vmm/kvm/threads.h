/* SPDX-License-Identifier: MIT */
/*
 * threads.h: the threads of a domain's vCPUs: they begin together, when all of them could be made, and the last to end
 * knows it.
 *
 * Owner: the engine, from kvm_threads_init to kvm_threads_finish.
 * Lock:  lock, a leaf. start and join are the loop's; enter and leave each thread's own.
 */
#ifndef VMM_KVM_THREADS_H
#define VMM_KVM_THREADS_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct kvm_threads {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    enum { GATE_SHUT, GATE_OPEN, GATE_ABORT } gate;
    atomic_uint n_running;
};

struct kvm_thread { /* one, to start */
    pthread_t *id;
    void *(*main)(void *arg);
    void *arg;
};

void kvm_threads_init(struct kvm_threads *t);
void kvm_threads_finish(struct kvm_threads *t);
/* n of them; thread(ctx, i) says which. name: of the domain, for people. 0, or errno and there is none. */
int kvm_threads_start(struct kvm_threads *t, uint32_t n, struct kvm_thread (*thread)(void *ctx, uint32_t i), void *ctx,
                      const char *name);
/* First in a thread. False: there will be no run, it returns at once. */
bool kvm_threads_enter(struct kvm_threads *t);
/* Between start and the end of the last. Any thread. */
bool kvm_threads_running(struct kvm_threads *t);
/* Have the calling thread come out of KVM once a second, to look at a vCPU that never does by itself. False: it will not; else
 * timer_delete ends it. */
bool kvm_threads_tick(timer_t *timer);
/* Last in a thread that entered. True: all others have left. */
bool kvm_threads_leave(struct kvm_threads *t);

#endif
