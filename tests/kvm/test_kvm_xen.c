/* SPDX-License-Identifier: MIT */
/*
 * The engine `kvm-xen`: what it has KVM do with shared_info, vcpu_info, upcalls, IPIs and timers, seen in guest memory.
 * Skipped, with the reason, where KVM has no KVM_XEN: the lab's machine kvm-xen has one.
 */
#include "engine_run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vcons/events.h>
#include <vcons/wire/shared_info.h>
#include <vcons/wire/xen.h>

#define SHARED UINT64_C(0x500000)
#define OTHER  UINT64_C(0x600000) /* a second place for it */
#define FIRST  (SHARED + 0x1100)  /* places of a vcpu_info */
#define SECOND (SHARED + 0x2240)
#define FLAG   0x300000u
#define VECTOR 0xf3u
#define WAIT_S 20

extern const uint8_t guest_spin[], guest_upcall[], guest_send[];

static const struct engine_events *events;

static void create(struct run *r, const uint8_t *entry, uint32_t vcpus)
{
    run_create_with(r, entry, &(struct run_options){.vcpus = vcpus, .ops = &engine_kvm_xen});
    events = engine_kvm_xen.events(r->domain.engine);
}

static int place(struct run *r, enum engine_area area, uint32_t vcpu, uint64_t gpa)
{
    return engine_kvm_xen.placed(r->domain.engine, area, vcpu, gpa);
}

static void deliver(struct run *r, uint32_t vcpu, uint32_t port) { events->deliver(r->domain.engine, vcpu, port); }

static struct shared_info_x86_64 *shared_of(struct run *r) { return memory_at(&r->memory, SHARED, 4096); }

static struct vcpu_info_x86_64 *info_at(struct run *r, uint64_t gpa)
{
    return memory_at(&r->memory, gpa, sizeof(struct vcpu_info_x86_64));
}

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

/* KVM merges what it keeps in a shadow when the vCPU next enters the guest: soon, but not at once. */
static bool soon(const uint64_t *word, uint64_t bit)
{
    for (unsigned i = 0; i < WAIT_S * 1000; i++, nap())
        if ((__atomic_load_n(word, __ATOMIC_ACQUIRE) >> bit & 1) != 0)
            return true;
    return false;
}

static bool upcall_soon(const struct vcpu_info_x86_64 *info)
{
    for (unsigned i = 0; i < WAIT_S * 1000; i++, nap())
        if (__atomic_load_n(&info->evtchn_upcall_pending, __ATOMIC_ACQUIRE) != 0)
            return true;
    return false;
}

static void events_go_where_the_guest_looks(void **state)
{
    struct shared_info_x86_64 *shared;
    struct run r;

    (void)state;
    create(&r, guest_spin, 2);
    shared = shared_of(&r);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    run_start(&r);
    deliver(&r, 0, 5);
    assert_true(soon(&shared->evtchn_pending[0], 5));
    assert_true(soon(&shared->vcpu_info[0].evtchn_pending_sel, 0));
    assert_true(upcall_soon(&shared->vcpu_info[0]));
    shared->evtchn_mask[2] = UINT64_C(1) << 3; /* masked: pending, and nothing else */
    deliver(&r, 0, 131);
    assert_true(soon(&shared->evtchn_pending[2], 3));
    assert_int_equal(shared->vcpu_info[0].evtchn_pending_sel, 1);
    assert_int_equal(shared->vcpu_info[1].evtchn_pending_sel, 0);
    assert_true(shared->wc_sec > 1700000000 || shared->wc_sec_hi > 0); /* KVM keeps the clocks, too */
    run_stop(&r);
    run_finish(&r);
}

static void a_32_bit_guest_has_its_own_layout(void **state)
{
    struct shared_info_x86_32 *shared;
    uint32_t selector;
    struct run r;

    (void)state;
    create(&r, guest_spin, 1);
    engine_kvm_xen.latched(r.domain.engine, false);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    shared = memory_at(&r.memory, SHARED, 4096);
    run_start(&r);
    deliver(&r, 0, 37);
    for (unsigned i = 0; i < WAIT_S * 1000; i++, nap())
        if ((selector = __atomic_load_n(&shared->vcpu_info[0].evtchn_pending_sel, __ATOMIC_ACQUIRE)) != 0)
            break;
    assert_int_equal(selector, 2); /* words of 32 bits */
    assert_int_equal(shared->evtchn_pending[1], 1u << 5);
    run_stop(&r);
    run_finish(&r);
}

static void what_was_pending_moves_along(void **state)
{
    struct vcpu_info_x86_64 *first, *second;
    struct shared_info_x86_64 *shared;
    struct run r;

    (void)state;
    create(&r, guest_spin, 2);
    shared = shared_of(&r);
    first = info_at(&r, FIRST);
    second = info_at(&r, SECOND);
    memset(first, 0x5a, sizeof *first);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    run_start(&r);
    /* Nothing pending: copied, and no mark that an interrupt would have to be spent on. */
    assert_int_equal(place(&r, ENGINE_VCPU_INFO, 0, FIRST), 0);
    assert_int_equal(first->evtchn_upcall_pending, 0);
    assert_int_equal(first->evtchn_pending_sel, 0);
    deliver(&r, 0, 70);
    assert_true(upcall_soon(first));
    assert_true(soon(&first->evtchn_pending_sel, 1));
    assert_int_equal(shared->vcpu_info[0].evtchn_upcall_pending, 0); /* the old place is left alone */
    /* Pending: the new place says "look at all", and the old one is left alone again. */
    assert_int_equal(place(&r, ENGINE_VCPU_INFO, 0, SECOND), 0);
    assert_int_equal(second->evtchn_upcall_pending, 1);
    assert_true(second->evtchn_pending_sel == UINT64_MAX);
    first->evtchn_pending_sel = 0;
    deliver(&r, 0, 4095);
    assert_true(soon(&shared->evtchn_pending[63], 63));
    assert_int_equal(first->evtchn_pending_sel, 0);
    run_stop(&r);
    run_finish(&r);
}

struct storm {
    struct run *r;
    atomic_bool over;
};

static void *send_all(void *arg)
{
    struct storm *s = arg;

    for (uint32_t port = 1; port < 4096; port++)
        deliver(s->r, 0, port);
    atomic_store(&s->over, true);
    return NULL;
}

/* Events fly while vcpu_info moves to and fro: at rest every port is pending, and seen from the place that is the last. */
static void no_event_is_lost_on_the_way(void **state)
{
    struct shared_info_x86_64 *shared;
    struct vcpu_info_x86_64 *last = NULL;
    struct storm storm;
    pthread_t thread;
    unsigned moves = 0;
    struct run r;

    (void)state;
    create(&r, guest_spin, 1);
    shared = shared_of(&r);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    run_start(&r);
    storm.r = &r;
    atomic_init(&storm.over, false);
    assert_int_equal(pthread_create(&thread, NULL, send_all, &storm), 0);
    while (!atomic_load(&storm.over) || moves < 10) {
        uint64_t to = moves++ % 2 ? FIRST : SECOND;

        assert_int_equal(place(&r, ENGINE_VCPU_INFO, 0, to), 0);
        last = info_at(&r, to);
    }
    pthread_join(thread, NULL);
    for (unsigned word = 0; word < 64; word++) {
        if (shared->evtchn_pending[word] != (word == 0 ? UINT64_MAX - 1 : UINT64_MAX))
            fail_msg("word %u of pending is %#llx", word, (unsigned long long)shared->evtchn_pending[word]);
        if (!soon(&last->evtchn_pending_sel, word))
            fail_msg("word %u is not selected after %u moves", word, moves);
    }
    assert_true(upcall_soon(last));
    printf("%u moves\n", moves);
    run_stop(&r);
    run_finish(&r);
}

/* The same with the page itself, in which the vcpu_info is. The mask is the guest's, and goes along. */
static void no_event_is_lost_with_the_page(void **state)
{
    struct shared_info_x86_64 *pages[2];
    struct storm storm;
    pthread_t thread;
    unsigned moves = 0;
    struct run r;

    (void)state;
    create(&r, guest_spin, 2);
    pages[0] = shared_of(&r);
    pages[1] = memory_at(&r.memory, OTHER, 4096);
    run_start(&r);
    memset(pages[0], 0x5a, 4096); /* what was there before it was placed is gone, as on Xen */
    deliver(&r, 0, 4095);         /* and what came before is there */
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    assert_true(upcall_soon(&pages[0]->vcpu_info[0]));
    assert_true(pages[0]->evtchn_pending[63] == UINT64_C(1) << 63);
    assert_int_equal(pages[0]->evtchn_pending[1], 0);
    pages[0]->evtchn_mask[7] = 1;
    pages[0]->vcpu_info[0].evtchn_pending_sel = 0;
    __atomic_store_n(&pages[0]->vcpu_info[0].evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    storm.r = &r;
    atomic_init(&storm.over, false);
    assert_int_equal(pthread_create(&thread, NULL, send_all, &storm), 0);
    while (!atomic_load(&storm.over) || moves < 10)
        assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, ++moves % 2 ? OTHER : SHARED), 0);
    pthread_join(thread, NULL);
    for (unsigned word = 0; word < 64; word++) {
        if (pages[moves % 2]->evtchn_pending[word] != (word == 0 ? UINT64_MAX - 1 : UINT64_MAX))
            fail_msg("word %u of pending is %#llx after %u moves", word,
                     (unsigned long long)pages[moves % 2]->evtchn_pending[word], moves);
        if (!soon(&pages[moves % 2]->vcpu_info[0].evtchn_pending_sel, word))
            fail_msg("word %u is not selected after %u moves", word, moves);
    }
    assert_true(upcall_soon(&pages[moves % 2]->vcpu_info[0]));
    assert_int_equal(pages[moves % 2]->evtchn_mask[7], 1);
    assert_int_equal(pages[moves % 2]->vcpu_info[1].evtchn_upcall_pending, 0); /* nothing was for it */
    printf("%u moves\n", moves);
    run_stop(&r);
    run_finish(&r);
}

static void *bind_and_unbind(void *arg)
{
    const struct vc_event_binding virq = {.kind = VC_EVENT_VIRQ, .virq = VIRQ_TIMER, .vcpu = 0};
    const struct vc_event_binding ipi = {.kind = VC_EVENT_IPI, .vcpu = 1};
    struct storm *s = arg;
    void *engine = s->r->domain.engine;

    for (unsigned i = 0; i < 30; i++) {
        events->bound(engine, 7, &virq);
        events->bound(engine, 9, &ipi);
        events->unbound(engine, 7);
        events->unbound(engine, 9);
    }
    atomic_store(&s->over, true);
    return NULL;
}

static void *set_timers(void *arg)
{
    struct storm *s = arg;

    while (!atomic_load(&s->over)) { /* bound or not: either answer is right */
        events->timer(s->r->domain.engine, 0, engine_kvm_xen.time_ns(s->r->domain.engine) + 1000000);
        events->timer(s->r->domain.engine, 0, UINT64_MAX);
        deliver(s->r, 1, 300);
    }
    return NULL;
}

/* What one thread tells KVM and another looks up; the thread sanitizer looks at it too. At rest everything works. */
static void everything_at_once(void **state)
{
    const struct vc_event_binding virq = {.kind = VC_EVENT_VIRQ, .virq = VIRQ_TIMER, .vcpu = 0};
    struct shared_info_x86_64 *shared;
    struct storm storm;
    pthread_t threads[2];
    struct run r;

    (void)state;
    create(&r, guest_spin, 2);
    shared = shared_of(&r);
    run_start(&r);
    storm.r = &r;
    atomic_init(&storm.over, false);
    assert_int_equal(pthread_create(&threads[0], NULL, bind_and_unbind, &storm), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, set_timers, &storm), 0);
    for (unsigned i = 0; i < 10 || !atomic_load(&storm.over); i++) {
        engine_kvm_xen.latched(r.domain.engine, true);
        assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, i % 2 ? SHARED : OTHER), 0);
        assert_int_equal(place(&r, ENGINE_VCPU_INFO, 1, i % 2 ? FIRST : SECOND), 0);
        assert_int_equal(engine_kvm_xen.set_vector(r.domain.engine, 1, VECTOR), 0);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    shared->evtchn_pending[0] = 0;
    events->bound(r.domain.engine, 7, &virq);
    assert_int_equal(events->timer(r.domain.engine, 0, 1), 0);
    assert_true(soon(&shared->evtchn_pending[0], 7));
    run_stop(&r);
    run_finish(&r);
}

static void upcalls_reach_a_vector(void **state)
{
    uint8_t one = 1;
    struct run r;

    (void)state;
    create(&r, guest_upcall, 1);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    run_start(&r);
    run_wait(&r, 1, SIZE_MAX);
    deliver(&r, 0, 5); /* before there is a vector: it comes when there is one, or its local APIC */
    assert_int_equal(engine_kvm_xen.set_vector(r.domain.engine, 0, VECTOR), 0);
    assert_true(memory_write(&r.memory, FLAG, &one, 1));
    run_wait(&r, 3, SIZE_MAX);
    for (unsigned i = 0; i < 5; i++) {
        shared_of(&r)->vcpu_info[0].evtchn_pending_sel = 0; /* as the guest does */
        __atomic_store_n(&shared_of(&r)->vcpu_info[0].evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
        deliver(&r, 0, 64 * (i + 1));
        run_wait(&r, 4 + i, SIZE_MAX);
    }
    run_stop(&r);
    assert_printed(&r, "reuuuuuu", 8);
    run_finish(&r);
}

/* The guest sends on a port that KVM knows as an IPI: no exit. Then the same port is closed, and the call is ours. */
static void ipis_need_no_exit(void **state)
{
    const struct vc_event_binding ipi = {.kind = VC_EVENT_IPI, .vcpu = 0};
    uint8_t one = 1;

    (void)state;
    for (unsigned closed = 0; closed < 2; closed++) {
        struct run r;

        create(&r, guest_send, 1);
        engine_kvm_xen.latched(r.domain.engine, false);
        assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
        events->bound(r.domain.engine, 9, &ipi);
        if (closed)
            events->unbound(r.domain.engine, 9);
        run_start(&r);
        run_wait(&r, 1, SIZE_MAX);
        assert_true(memory_write(&r.memory, FLAG, &one, 1));
        run_wait(&r, SIZE_MAX, SIZE_MAX);
        run_stop(&r);
        assert_int_equal(r.domain.n_calls, closed + 1); /* the last is the end */
        assert_int_equal(r.domain.calls[closed].nr, XEN_sched_op);
        assert_int_equal(r.domain.printed[1], closed ? (char)('0' - XEN_ENOSYS) : '0');
        assert_int_equal(shared_of(&r)->evtchn_pending[0], closed ? 0 : 1u << 9);
        run_finish(&r);
    }
}

static void timers_fire_and_stop(void **state)
{
    const struct vc_event_binding virq = {.kind = VC_EVENT_VIRQ, .virq = VIRQ_TIMER, .vcpu = 0};
    struct shared_info_x86_64 *shared;
    uint64_t now;
    void *engine;
    struct run r;

    (void)state;
    create(&r, guest_spin, 2);
    engine = r.domain.engine;
    shared = shared_of(&r);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    run_start(&r);
    assert_int_not_equal(events->timer(engine, 0, 1), 0); /* nobody has bound it */
    events->bound(engine, 7, &virq);
    now = engine_kvm_xen.time_ns(engine);
    assert_int_equal(events->timer(engine, 0, now + UINT64_C(3600000000000)), 0);
    assert_int_equal(events->timer(engine, 0, UINT64_MAX), 0);
    assert_int_equal(shared->evtchn_pending[0], 0);
    assert_int_equal(events->timer(engine, 0, now + 20000000), 0);
    assert_true(soon(&shared->evtchn_pending[0], 7));
    assert_true(engine_kvm_xen.time_ns(engine) >= now + 20000000);
    shared->evtchn_pending[0] = 0;
    assert_int_equal(events->timer(engine, 0, now), 0); /* it has passed: now */
    assert_true(soon(&shared->evtchn_pending[0], 7));
    run_stop(&r);
    run_finish(&r);
}

/* vCPUs above 31 have no vcpu_info until they register one: what came before is found then, as on Xen. */
static void events_before_there_is_a_place(void **state)
{
    struct vcpu_info_x86_64 *first;
    struct run r;

    (void)state;
    create(&r, guest_spin, 34);
    first = info_at(&r, FIRST);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    deliver(&r, 33, 200);
    assert_int_equal(shared_of(&r)->evtchn_pending[3], UINT64_C(1) << 8);
    assert_int_equal(place(&r, ENGINE_VCPU_INFO, 33, FIRST), 0);
    assert_int_equal(first->evtchn_upcall_pending, 1);
    assert_true(first->evtchn_pending_sel == UINT64_MAX);
    run_finish(&r);
}

static void places_that_are_none(void **state)
{
    struct run r;

    (void)state;
    create(&r, guest_spin, 1);
    assert_int_equal(place(&r, ENGINE_SHARED_INFO, 0, SHARED), 0);
    assert_int_equal(place(&r, ENGINE_VCPU_INFO, 0, RUN_MEMORY_BYTES), -XEN_EINVAL);
    assert_int_equal(place(&r, ENGINE_VCPU_INFO, 0, FIRST + 2), -XEN_EINVAL);
    assert_int_equal(place(&r, ENGINE_VCPU_INFO, 0, SHARED + 4096 - 8), -XEN_EINVAL); /* across a page */
    run_start(&r);
    deliver(&r, 0, 6); /* it is where it was */
    assert_true(upcall_soon(&shared_of(&r)->vcpu_info[0]));
    run_stop(&r);
    run_finish(&r);
}

/*
 * A vCPU's runstate may have begun after the time that was saved with it: KVM counts on while it is asked. It goes on all the same,
 * and has run no longer than there was time.
 */
static void a_runstate_later_than_its_time(void **state)
{
    struct problem why = {0};
    struct run from, to;
    void *bytes;
    size_t n;

    (void)state;
    create(&from, guest_spin, 2);
    assert_int_equal(place(&from, ENGINE_SHARED_INFO, 0, SHARED), 0);
    run_start(&from);
    for (unsigned i = 0; i < 50; i++)
        nap();
    run_stop(&from);
    assert_int_equal(engine_kvm_xen.save(from.domain.engine, &bytes, &n, &why), 0);
    create(&to, guest_spin, 2);
    assert_int_equal(place(&to, ENGINE_SHARED_INFO, 0, SHARED), 0);
    if (engine_kvm_xen.restore(to.domain.engine, bytes, n, 1, &why) != 0)
        fail_msg("%s", why.text);
    free(bytes);
    run_finish(&from);
    run_finish(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_go_where_the_guest_looks),
        cmocka_unit_test(a_32_bit_guest_has_its_own_layout),
        cmocka_unit_test(what_was_pending_moves_along),
        cmocka_unit_test(no_event_is_lost_on_the_way),
        cmocka_unit_test(no_event_is_lost_with_the_page),
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(upcalls_reach_a_vector),
        cmocka_unit_test(ipis_need_no_exit),
        cmocka_unit_test(timers_fire_and_stop),
        cmocka_unit_test(events_before_there_is_a_place),
        cmocka_unit_test(places_that_are_none),
        cmocka_unit_test(a_runstate_later_than_its_time),
    };
    struct problem why;

    if (!engine_kvm_xen.usable(&why)) {
        printf("skipped: %s\n", why.text);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
