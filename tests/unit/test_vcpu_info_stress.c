/* SPDX-License-Identifier: MIT */
/*
 * T16: 8 senders raise events on 4,095 ports of 4 vCPUs, while each vCPU moves its vcpu_info to and fro, shared_info itself
 * moves, the memory map changes, and one sender's ports, which are doors', change the vCPU that they notify. A sender bumps the port's counter before it sends; the vCPU's handler takes the counter
 * when it sees the event. When the senders have ended, with no kick after that, the last value each handler took is the
 * counter: an event that was lost, or written to a place that was left, leaves it behind for ever, and a vCPU that was not
 * woken sleeps. 100,000 moves; VCONS_LONG=1: a million. Then again with shared_info where it is (with any argument: only
 * so): each of its moves has all vCPUs look at all ports, which would hide what a vCPU's own move lost.
 */
#include "unit.h"

#include "event_threads.h"

enum { VCPUS = 4, SENDERS = 8, PORTS = 4096, PLACES = 8, SHARED_FRAMES = 4 };

static struct thread_domain domain;
static uint64_t counters[PORTS], taken[PORTS]; /* the sender's, the handler's */
static uint32_t shared_frame = 1;              /* where the guest has its shared_info */
static uint32_t moves, n_moves, finished;
static bool shared_moves;

static bool is_door(uint32_t port) { return port % SENDERS == 0; }

/* ---- The guest: Linux' loop of the 2-level ABI, on whatever place the vCPU has. ---- */

static uint64_t *pending_words(void)
{
    return ((struct shared_info_x86_64 *)(void *)(domain.frames + vc_load_seq(&shared_frame) * 4096))->evtchn_pending;
}

/* A port that notified another vCPU before may be handled by two: the later value counts. */
static void take(uint32_t port, uint64_t value)
{
    uint64_t had = __atomic_load_n(&taken[port], __ATOMIC_SEQ_CST);

    while (had < value &&
           !__atomic_compare_exchange_n(&taken[port], &had, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

static void handle_word(uint64_t *word, uint32_t first)
{
    uint64_t ready = __atomic_load_n(word, __ATOMIC_SEQ_CST);

    while (ready != 0) {
        uint32_t bit = (uint32_t)__builtin_ctzll(ready), port = first + bit;

        ready &= ready - 1;
        __atomic_fetch_and(word, ~(UINT64_C(1) << bit), __ATOMIC_SEQ_CST); /* before the look at what it is about */
        take(port, __atomic_load_n(&counters[port], __ATOMIC_SEQ_CST));
    }
}

static void handle(struct vcpu_info_x86_64 *info)
{
    while (__atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST) != 0) {
        uint64_t selector = __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

        for (; selector != 0; selector &= selector - 1) {
            uint32_t word = (uint32_t)__builtin_ctzll(selector);

            handle_word(pending_words() + word, word * 64);
        }
    }
}

static uint64_t my_info(uint32_t vcpu, bool registered, uint32_t place)
{
    if (registered) /* a page of its own for each vCPU, 8 places in it, of all alignments that there are */
        return (8 + vcpu) * 4096 + place * (64 + 8);
    return vc_load_seq(&shared_frame) * UINT64_C(4096) + vcpu * sizeof(struct vcpu_info_x86_64);
}

static void *vcpu_thread(void *arg)
{
    uint32_t vcpu = (uint32_t)(uintptr_t)arg, place = 0;
    bool registered = false;
    uint64_t seed = 77 + vcpu;

    while (vc_load_seq(&finished) == 0) {
        handle((void *)(domain.frames + my_info(vcpu, registered, place)));
        random_delay(&seed);
        if (vc_load_seq(&moves) < n_moves && random_below(&seed, 4) != 0) {
            if (registered) {
                require(vc_shared_info_unregister(&domain.shared, vcpu));
            } else {
                uint64_t gpa;

                place = random_below(&seed, PLACES);
                gpa = my_info(vcpu, true, place);
                require(vc_shared_info_register(&domain.shared, vcpu, vcpu, gpa / 4096, gpa % 4096) == 0);
            }
            registered = !registered;
            __atomic_fetch_add(&moves, 1, __ATOMIC_SEQ_CST);
            continue; /* it looks by itself now: upcall_pending came with the content */
        }
        require(vc_events_sched_op(&domain.events, &domain, vcpu, SCHEDOP_block, 0) == 0);
    }
    return NULL;
}

/* ---- Everybody else. ---- */

/*
 * The first sender has few ports, so that it often meets one that is being rebound. While shared_info stays, each word of
 * pending bits has one port in use: else another port's event has the word looked at, and what was lost there is found.
 */
static uint32_t any_port(uint32_t sender, uint64_t *seed)
{
    if (!shared_moves)
        return (sender + SENDERS * random_below(seed, 64 / SENDERS)) * 64 + sender;
    return sender + SENDERS * random_below(seed, sender == 0 ? 8 : PORTS / SENDERS);
}

static void *sender_thread(void *arg)
{
    uint32_t sender = (uint32_t)(uintptr_t)arg;
    uint64_t seed = 1000 + sender;

    do {
        for (unsigned i = 0; i < 64; i++) {
            uint32_t port = any_port(sender, &seed);
            struct evtchn_send send = {port};

            if (port == 0)
                continue;
            __atomic_fetch_add(&counters[port], 1, __ATOMIC_SEQ_CST);
            if (is_door(port))
                require(vc_events_notify(&domain.events, port, &domain) == VC_OK);
            else
                require(thread_op(&domain, EVTCHNOP_send, &send) == 0);
            random_delay(&seed);
        }
    } while (vc_load_seq(&moves) < n_moves);
    return NULL;
}

/* Another vCPU of the guest, if you will: shared_info goes round four frames, and pages of the domain are remapped. */
static void *mover_thread(void *arg)
{
    uint64_t seed = 5;

    while (vc_load_seq(&moves) < n_moves) {
        uint32_t next = 1 + random_below(&seed, SHARED_FRAMES);

        if (shared_moves && random_below(&seed, 2) != 0) {
            require(vc_shared_info_place(&domain.shared, next) == 0);
            vc_store_seq(&shared_frame, next);
            __atomic_fetch_add(&moves, 1, __ATOMIC_SEQ_CST);
        } else {
            vc_shared_info_remapped(&domain.shared);
        }
        for (uint32_t i = random_below(&seed, 64); i > 0; i--) {
            struct evtchn_bind_vcpu bind = {.port = shared_moves ? SENDERS * (1 + random_below(&seed, 7))
                                                                 : 512 * (1 + random_below(&seed, 7)),
                                            .vcpu = random_below(&seed, VCPUS)};

            require(thread_op(&domain, EVTCHNOP_bind_vcpu, &bind) == 0);
        }
        random_delay(&seed);
    }
    return arg;
}

static uint32_t behind(void)
{
    for (uint32_t port = 1; port < PORTS; port++)
        if (__atomic_load_n(&taken[port], __ATOMIC_SEQ_CST) != __atomic_load_n(&counters[port], __ATOMIC_SEQ_CST))
            return port;
    return 0;
}

static void run(bool moving)
{
    pthread_t vcpus[VCPUS], senders[SENDERS], mover;
    uint64_t sent = 0;

    shared_moves = moving;
    moves = finished = 0;
    shared_frame = 1;
    memset(counters, 0, sizeof counters);
    memset(taken, 0, sizeof taken);
    memset(&domain, 0, sizeof domain);
    n_moves = getenv("VCONS_LONG") != NULL ? 1000000 : 100000;
    thread_domain_init(&domain, 1, VCPUS, PORTS);
    require(vc_shared_info_place(&domain.shared, shared_frame) == 0);
    for (uint32_t port = 1; port < PORTS; port++) {
        struct evtchn_bind_ipi bind = {.vcpu = port / 3 % VCPUS};

        if (is_door(port))
            require(vc_events_open(&domain.events, &domain, VC_DOOR_GUEST, &bind.port) == VC_OK);
        else
            require(thread_op(&domain, EVTCHNOP_bind_ipi, &bind) == 0);
        require(bind.port == port);
    }
    for (uintptr_t i = 0; i < VCPUS; i++)
        pthread_create(&vcpus[i], NULL, vcpu_thread, (void *)i);
    for (uintptr_t i = 0; i < SENDERS; i++)
        pthread_create(&senders[i], NULL, sender_thread, (void *)i);
    pthread_create(&mover, NULL, mover_thread, NULL);
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    pthread_join(mover, NULL);
    for (unsigned ms = 0; behind() != 0; ms++) {
        if (ms == 10000)
            fail_msg("port %u: %llu of %llu seen", behind(), (unsigned long long)taken[behind()],
                     (unsigned long long)counters[behind()]);
        usleep(1000);
    }
    vc_store_seq(&finished, 1);
    thread_domain_stop(&domain);
    for (unsigned i = 0; i < VCPUS; i++)
        pthread_join(vcpus[i], NULL);
    for (uint32_t port = 1; port < PORTS; port++)
        sent += counters[port];
    print_message("%llu events, %u moves\n", (unsigned long long)sent, moves);
    thread_domain_finish(&domain);
}

static void nothing_is_lost(void **state)
{
    (void)state;
    run(true);
}

static void nor_where_shared_info_stays(void **state)
{
    (void)state;
    run(false);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest still[] = {cmocka_unit_test(nor_where_shared_info_stays)};
    const struct CMUnitTest both[] = {cmocka_unit_test(nor_where_shared_info_stays), cmocka_unit_test(nothing_is_lost)};

    (void)argv;
    return argc > 1 ? cmocka_run_group_tests(still, NULL, NULL) : cmocka_run_group_tests(both, NULL, NULL);
}
