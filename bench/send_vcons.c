/* SPDX-License-Identifier: MIT */
/*
 * send: EVTCHNOP_send on IPI ports, all of the hypercall that core does, to vCPUs that are awake: the guest takes each
 * event with plain stores, so that every send makes its three atomic changes. Arguments: ports, senders (1 or 2, each to a
 * vCPU of its own), distance of their ports (512 at least: else they share cache lines of pending bits), CPU of the first and of the second (-1: anywhere).
 */
#include "bench.h"
#include <pthread.h>
#include <vcons/events.h>

enum { SENDS = 4000000, VCPUS = 2 };

static struct vc_shared_info shared;
static struct vc_events events;
static _Alignas(4096) uint8_t page[4096];
static struct {
    _Alignas(64) uint8_t held;
} locks[1 + VCPUS];
static uint32_t n_ports, n_senders, distance;
static uint64_t ns[VCPUS], cpu_ns[VCPUS];
static int cpus[VCPUS];
static pthread_barrier_t start;

static unsigned long lock(void *l)
{
    uint8_t *held = l;

    while (__atomic_exchange_n(held, 1, __ATOMIC_ACQUIRE) != 0)
        while (__atomic_load_n(held, __ATOMIC_RELAXED) != 0)
            ;
    return 0;
}
static void unlock(void *l, unsigned long saved)
{
    (void)saved;
    __atomic_store_n((uint8_t *)l, 0, __ATOMIC_RELEASE);
}
static int map(void *domain, uint64_t gfn, uint8_t **at)
{
    (void)domain;
    *at = page;
    return gfn == 1 ? VC_OK : VC_ENOENT;
}
static bool copy(void *ctx, void *to, uint64_t from, uint32_t n)
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
static bool upcall(void *domain, uint32_t vcpu) /* awake: it looks by itself */
{
    (void)domain;
    (void)vcpu;
    return true;
}
static void wake(void *domain, const uint32_t *word)
{
    (void)domain;
    (void)word;
}
static void sent(void *ctx, void *door)
{
    (void)ctx;
    (void)door;
}
static enum vc_wait no_wait(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    (void)ctx;
    (void)word;
    (void)value;
    (void)deadline_ns;
    return VC_WAIT_STOP;
}
static void yield(void *ctx) { (void)ctx; }
static void shut(void *ctx, uint32_t reason)
{
    (void)ctx;
    (void)reason;
}
static const struct vc_shared_info_env shared_env = {.lock = {.lock = lock, .unlock = unlock},
                                                     .map = map,
                                                     .copy_in = copy,
                                                     .copy_out = copy_out,
                                                     .upcall = upcall,
                                                     .wake = wake};
static const struct vc_events_env env = {
    .copy_in = copy, .copy_out = copy_out, .sent = sent, .wait = no_wait, .yield = yield, .shutdown = shut};

static void *sender(void *arg)
{
    uint32_t vcpu = (uint32_t)(uintptr_t)arg;
    struct shared_info_x86_64 *s = (void *)page;
    struct vcpu_info_x86_64 *v = &s->vcpu_info[vcpu];
    struct evtchn_send send = {.port = 1 + vcpu * distance};
    uint64_t began, cpu, missed = 0;

    pin_to(cpus[vcpu]);
    pthread_barrier_wait(&start);
    cpu = thread_cpu_ns();
    began = now_ns();
    for (uint32_t i = 0; i < SENDS; i++) {
        vc_events_channel_op(&events, NULL, EVTCHNOP_send, (uintptr_t)&send);
        missed += v->evtchn_upcall_pending != 1;
        __atomic_store_n(&v->evtchn_upcall_pending, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&v->evtchn_pending_sel, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&s->evtchn_pending[send.port / 64], 0, __ATOMIC_RELAXED);
    }
    ns[vcpu] = now_ns() - began;
    cpu_ns[vcpu] = thread_cpu_ns() - cpu;
    require(missed == 0);
    return NULL;
}

int main(int argc, char **argv)
{
    struct vc_shared_info_config config = {
        .n_vcpus = VCPUS, .domid = 1, .lock = &locks[0], .vcpu_locks = (void *const[]){&locks[1], &locks[2]}};
    pthread_t threads[VCPUS];
    void *memory[2];

    require(argc == 6);
    n_ports = (uint32_t)atoi(argv[1]);
    n_senders = (uint32_t)atoi(argv[2]);
    distance = (uint32_t)atoi(argv[3]);
    cpus[0] = atoi(argv[4]);
    cpus[1] = atoi(argv[5]);
    memory[0] = aligned_alloc(64, vc_shared_info_bytes(VCPUS));
    memory[1] = aligned_alloc(64, vc_events_bytes(n_ports, VCPUS));
    require(vc_shared_info_init(&shared, &shared_env, NULL, &config, memory[0]) == VC_OK);
    require(vc_events_init(&events, &env, NULL, &shared, n_ports, memory[1]) == VC_OK);
    require(vc_shared_info_place(&shared, 1) == 0);
    for (uint32_t port = 1; port < n_ports; port++) { /* all there are: two in turn to each vCPU's blocks */
        struct evtchn_bind_ipi bind = {.vcpu = port >= 1 + distance ? 1 : 0};

        require(vc_events_channel_op(&events, NULL, EVTCHNOP_bind_ipi, (uintptr_t)&bind) == 0 && bind.port == port);
    }
    pthread_barrier_init(&start, NULL, n_senders);
    for (uintptr_t i = 0; i < n_senders; i++)
        require(pthread_create(&threads[i], NULL, sender, (void *)i) == 0);
    for (uint32_t i = 0; i < n_senders; i++)
        require(pthread_join(threads[i], NULL) == 0);
    /* Processor time of the slower sender: whoever else runs here is no part of it, but a wait for a lock is: it spins. */
    printf("{\"value\": %.3f, \"wall_ns\": %.3f}\n", (double)(cpu_ns[1] > cpu_ns[0] ? cpu_ns[1] : cpu_ns[0]) / SENDS,
           (double)(ns[1] > ns[0] ? ns[1] : ns[0]) / SENDS);
    free(memory[0]);
    free(memory[1]);
    return 0;
}
