/* SPDX-License-Identifier: MIT */
/*
 * Three vCPUs wait by poll, without a time limit, on one port, while doors raise it as fast as they can. Each must see the last
 * value: an event that got lost between a look and a sleep, or that one vCPU took from another, leaves a thread asleep,
 * and the hang guard ends the test.
 */
#include "unit.h"

#include "stress.h"
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <vcons/atomic.h>
#include <vcons/events.h>

#define VCPUS  3u
#define EVENTS 100000u

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct vc_shared_info shared;
static struct vc_events events;
static uint32_t port, value; /* value is what the door put into its ring, so to speak */
static int door;

static unsigned long lock(void *which)
{
    pthread_mutex_lock(which);
    return 0;
}
static void unlock(void *which, unsigned long saved)
{
    (void)saved;
    pthread_mutex_unlock(which);
}

/* A guest in this process: its addresses are ours. */
static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    (void)ctx;
    memcpy(to, (const void *)(uintptr_t)from, n);
    return true;
}
static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    (void)ctx;
    memcpy((void *)(uintptr_t)to, from, n);
    return true;
}
static void sent(void *ctx, void *to)
{
    (void)ctx;
    (void)to;
}
static enum vc_wait wait_for(void *ctx, const uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
    (void)ctx;
    require(deadline_ns == 0);
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    return VC_WAIT_WOKEN;
}
static void wake(void *domain, const uint32_t *word)
{
    (void)domain;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1000, NULL, NULL, 0);
}
static void yield(void *ctx)
{
    (void)ctx;
    sched_yield();
}
static void shut(void *ctx, uint32_t reason)
{
    (void)ctx;
    (void)reason;
}
static int map(void *domain, uint64_t gfn, uint8_t **page)
{
    (void)domain;
    (void)gfn;
    (void)page;
    return VC_ENOENT;
}
static const struct vc_shared_info_env shared_env = {
    .lock = {.lock = lock, .unlock = unlock}, .map = map, .copy_in = copy_in, .copy_out = copy_out, .wake = wake};
static const struct vc_events_env env = {
    .copy_in = copy_in, .copy_out = copy_out, .sent = sent, .wait = wait_for, .yield = yield, .shutdown = shut};

static void *vcpu(void *arg)
{
    uint32_t number = (uint32_t)(uintptr_t)arg;
    uint64_t seed = number + 1;

    while (vc_load_acquire(&value) < EVENTS) {
        struct sched_poll p = {.ports = (uint64_t)(uintptr_t)&port, .nr_ports = 1};

        random_delay(&seed); /* here an event may come: the poll must not sleep */
        require(vc_events_sched_op(&events, NULL, number, SCHEDOP_poll, (uint64_t)(uintptr_t)&p) == 0);
    }
    return NULL;
}

static void nobody_sleeps_through_the_last_event(void **state)
{
    void *memory = aligned_alloc(64, vc_events_bytes(64, VCPUS));
    void *shared_memory = aligned_alloc(64, vc_shared_info_bytes(VCPUS));
    pthread_t threads[VCPUS];
    uint64_t seed = 99;

    (void)state;
    static pthread_mutex_t vcpu_mutexes[VCPUS];
    void *locks[VCPUS];
    for (uint32_t i = 0; i < VCPUS; i++) {
        pthread_mutex_init(&vcpu_mutexes[i], NULL);
        locks[i] = &vcpu_mutexes[i];
    }
    struct vc_shared_info_config c = {.n_vcpus = VCPUS, .domid = 1, .lock = &mutex, .vcpu_locks = locks};
    assert_int_equal(vc_shared_info_init(&shared, &shared_env, NULL, &c, shared_memory), VC_OK);
    assert_int_equal(vc_events_init(&events, &env, NULL, &shared, 64, memory), VC_OK);
    assert_int_equal(vc_events_open(&events, &door, VC_DOOR_GUEST, &port), VC_OK);
    for (uintptr_t i = 0; i < VCPUS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, vcpu, (void *)i), 0);
    for (uint32_t i = 1; i <= EVENTS; i++) {
        vc_store_release(&value, i);
        require(vc_events_notify(&events, port, &door) == VC_OK);
        random_delay(&seed);
    }
    for (uint32_t i = 0; i < VCPUS; i++)
        pthread_join(threads[i], NULL);
    free(memory);
    free(shared_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_sleeps_through_the_last_event)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
