/* SPDX-License-Identifier: MIT */
/*
 * T21, R18-R25: two domains do everything to their ports at once, each with three threads: allocate, bind to each other,
 * close what others send on, rebind, unmask, ask, reset; doors open, notify and close; vcpu_info is registered and taken
 * back, shared_info moves, the other mode is latched, memory is remapped. At rest the two tables agree, and nothing is
 * held. 2 s; VCONS_LONG=1: two minutes.
 */
#include "unit.h"

#include "event_threads.h"

enum { VCPUS = 4, PORTS = 200, THREADS = 3 };

static struct thread_domain domains[2];
static uint32_t stop;
static uint64_t n_done[2 * THREADS];

static void guest_op(struct thread_domain *d, uint64_t *seed)
{
    union {
        struct evtchn_alloc_unbound alloc;
        struct evtchn_bind_interdomain interdomain;
        struct evtchn_bind_virq virq;
        struct evtchn_bind_ipi ipi;
        struct evtchn_bind_vcpu vcpu;
        struct evtchn_status status;
        struct evtchn_send port;
        struct evtchn_reset reset;
    } a;
    uint64_t op = random_below(seed, 11);
    int64_t result;

    memset(&a, 0, sizeof a);
    switch (op) {
    case EVTCHNOP_alloc_unbound:
        a.alloc = (struct evtchn_alloc_unbound){.dom = XEN_DOMID_SELF, .remote_dom = (uint16_t)random_below(seed, 3)};
        break;
    case EVTCHNOP_bind_interdomain:
        a.interdomain.remote_dom = (uint16_t)(1 + random_below(seed, 2));
        a.interdomain.remote_port = random_below(seed, PORTS / 4);
        break;
    case EVTCHNOP_bind_virq:
        a.virq = (struct evtchn_bind_virq){.virq = random_below(seed, 3), .vcpu = random_below(seed, VCPUS)};
        break;
    case EVTCHNOP_bind_ipi: a.ipi.vcpu = random_below(seed, VCPUS); break;
    case EVTCHNOP_bind_vcpu:
        a.vcpu = (struct evtchn_bind_vcpu){random_below(seed, PORTS / 4), random_below(seed, VCPUS)};
        break;
    case EVTCHNOP_status:
        a.status = (struct evtchn_status){.dom = XEN_DOMID_SELF, .port = random_below(seed, PORTS)};
        break;
    case EVTCHNOP_reset:
        if (random_below(seed, 64) != 0)
            return;
        a.reset.dom = XEN_DOMID_SELF;
        break;
    default: a.port.port = random_below(seed, PORTS / 4);
    }
    result = thread_op(d, op, &a);
    require(result <= 0 && result != -XEN_EFAULT && result != -XEN_ENOSYS);
}

static void page_op(struct thread_domain *d, uint32_t thread, uint64_t *seed)
{
    uint32_t vcpu = random_below(seed, VCPUS);
    struct sched_poll p = {.ports = (uint64_t)(uintptr_t)&vcpu, .nr_ports = 1, .timeout = 1};
    struct vcpu_time_info t = {.tsc_to_system_mul = 1};

    switch (random_below(seed, 9)) {
    case 0:
        vc_shared_info_register(&d->shared, vcpu, vcpu, random_below(seed, THREAD_FRAMES + 2),
                                random_below(seed, 70) * 64);
        break;
    case 1: vc_shared_info_unregister(&d->shared, vcpu); break;
    case 2: vc_shared_info_place(&d->shared, random_below(seed, THREAD_FRAMES + 2)); break;
    case 3: vc_shared_info_latch(&d->shared, random_below(seed, 2) ? VC_ABI_X86_64 : VC_ABI_X86_32); break;
    case 4: vc_shared_info_remapped(&d->shared); break;
    case 5: vc_shared_info_time(&d->shared, vcpu, &t); break;
    case 6:
        vc_shared_info_runstate(&d->shared, thread, random_below(seed, 4), random_next(seed));
        break; /* one thread a vCPU */
    case 7: vc_shared_info_wallclock(&d->shared, 1, 2); break;
    default: require(vc_events_sched_op(&d->events, d, thread, SCHEDOP_poll, (uint64_t)(uintptr_t)&p) <= 0);
    }
}

static void door_op(struct thread_domain *d, uint32_t thread, uint64_t *seed)
{
    void *door = &n_done[thread];
    uint32_t port = random_below(seed, PORTS / 4);

    switch (random_below(seed, 5)) {
    case 0: vc_events_open(&d->events, door, random_below(seed, 8), &port); break;
    case 1: vc_events_bind(&d->events, door, port); break;
    case 2: vc_events_close(&d->events, port, door); break;
    case 3: vc_events_virq(&d->events, random_below(seed, VCPUS), random_below(seed, 3)); break;
    default: vc_events_notify(&d->events, port, door);
    }
}

static void *storm(void *arg)
{
    uint32_t me = (uint32_t)(uintptr_t)arg, thread = me % THREADS;
    struct thread_domain *d = &domains[me / THREADS];
    uint64_t seed = 31 + me;

    while (vc_load_seq(&stop) == 0) {
        uint32_t kind = random_below(&seed, 16);

        if (kind < 9)
            guest_op(d, &seed);
        else if (kind < 14)
            door_op(d, thread, &seed);
        else
            page_op(d, thread, &seed);
        n_done[me]++;
    }
    return NULL;
}

/* Each end of a channel names the other; a virq's slot is its port's. */
static void check_tables(void)
{
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t port = 0; port < PORTS; port++) {
            struct vc_event_binding b, other;

            require(vc_events_look(&domains[i].events, port, &b) == VC_OK);
            require((b.kind != VC_EVENT_FREE) == vc_ids_live(&domains[i].events.ids, port));
            require((b.kind == VC_EVENT_DOOR) == (b.door != NULL));
            if (b.kind != VC_EVENT_INTERDOMAIN)
                continue;
            require(vc_events_look(&domains[b.remote_dom - 1].events, b.remote_port, &other) == VC_OK);
            require(other.kind == VC_EVENT_INTERDOMAIN && other.remote_dom == i + 1 && other.remote_port == port);
        }
}

static void everything_at_once(void **state)
{
    pthread_t threads[2 * THREADS];
    uint64_t sum = 0;

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        domains[i].others = domains;
        domains[i].n_others = 2;
        thread_domain_init(&domains[i], i + 1, VCPUS, PORTS);
    }
    for (uintptr_t i = 0; i < 2 * THREADS; i++)
        pthread_create(&threads[i], NULL, storm, (void *)i);
    sleep(getenv("VCONS_LONG") != NULL ? 120 : 2);
    vc_store_seq(&stop, 1);
    for (uint32_t i = 0; i < 2 * THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += n_done[i];
    }
    check_tables();
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(domains[i].events.n_pollers, 0);
        vc_events_reset(&domains[i].events);
        check_tables();
    }
    for (uint32_t i = 0; i < 2; i++) {
        vc_events_reset(&domains[i].events); /* what the other's reset left unbound here */
        for (uint32_t port = 1; port < PORTS; port++)
            assert_false(vc_ids_live(&domains[i].events.ids, port));
        for (uint32_t k = 0; k < VCPUS * NR_VIRQS; k++)
            assert_int_equal(domains[i].events.virq_port[k], 0);
    }
    print_message("%llu calls\n", (unsigned long long)sum);
    thread_domain_finish(&domains[0]);
    thread_domain_finish(&domains[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_at_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
