/* SPDX-License-Identifier: MIT */
/* The guest's event channels against core's, in the layouts of 64 and of 32 bits: masks, upcalls, places, and senders in threads. */
#include "events.h"
#include "guest_machine.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/shared_info.h>

#define N_CPUS    5u
#define N_PORTS   300u /* of the stress */
#define N_ROUNDS  300u
#define N_MOVES   200u
#define INFO_SIZE 64u

struct guest;
struct cpu { /* ctx of a vCPU's platform */
    struct guest *guest;
    struct platform platform;
    struct events_cpu events;
    uint32_t vcpu, n_unmasks;
    bool runs;
};
struct guest {
    struct machine machine;
    struct events events;
    struct cpu cpus[N_CPUS];
    uint8_t *pages; /* two for shared_info, the console's, one of vcpu_info */
    uint32_t page, n;
    uint32_t ports[N_PORTS], place[EVENTS_PORTS], counter[N_PORTS], last[N_PORTS];
};

static const struct {
    const char *name;
    const struct shared_layout *layout;
    enum vc_abi abi;
} shapes[] = {{"64 bits", &shared_layout_64, VC_ABI_X86_64}, {"32 bits", &shared_layout_32, VC_ABI_X86_32}};

static int64_t hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct cpu *c = ctx;
    int64_t result = machine_hypercall(&c->guest->machine, c->vcpu, nr, (const uint64_t[6]){a0, a1, a2});

    c->n_unmasks += nr == XEN_event_channel_op && a0 == EVTCHNOP_unmask;
    if (c->runs)
        events_look(&c->events);
    return result;
}

static uint64_t gpa(void *ctx, const void *at)
{
    (void)ctx;
    return (uintptr_t)at;
}

static uint8_t *page_of(struct guest *g, uint32_t i) { return g->pages + i * SHARED_PAGE_BYTES; }

static struct guest *create(size_t shape)
{
    struct guest *g = calloc(1, sizeof *g);

    g->pages = aligned_alloc(SHARED_PAGE_BYTES, 4 * SHARED_PAGE_BYTES);
    memset(g->pages, 0, 4 * SHARED_PAGE_BYTES);
    machine_init(&g->machine, (void *)page_of(g, 2), 1, true);
    assert_true(vc_shared_info_latch(&g->machine.shared, shapes[shape].abi));
    for (uint32_t i = 0; i < N_CPUS; i++) {
        g->cpus[i] = (struct cpu){.guest = g, .vcpu = i};
        g->cpus[i].platform = (struct platform){.ctx = &g->cpus[i], .hypercall = hypercall, .gpa = gpa};
    }
    assert_int_equal(shared_page_map(&g->cpus[0].platform, page_of(g, 0)), 0);
    events_init(&g->events, shapes[shape].layout, page_of(g, 0));
    for (uint32_t i = 0; i < N_CPUS; i++) {
        events_cpu_init(&g->cpus[i].events, &g->events, &g->cpus[i].platform, i);
        events_cpu_way(&g->cpus[i].events, &events_by_block, &g->cpus[i].events);
        g->cpus[i].runs = true;
    }
    return g;
}

static void destroy(struct guest *g)
{
    machine_finish(&g->machine);
    free(g->pages);
    free(g);
}

static void count(void *ctx, struct events_cpu *cpu, uint32_t port)
{
    (void)cpu, (void)port;
    ++*(uint32_t *)ctx;
}

/* An IPI to vcpu whose upcalls count in g->n; upcalls of vCPU 0 are on. */
static uint32_t ipi(struct guest *g, uint32_t vcpu)
{
    uint32_t port;

    assert_int_equal(events_bind_ipi(&g->cpus[0].events, vcpu, &port), 0);
    events_handle(&g->events, port, count, &g->n);
    g->cpus[0].events.way->on(g->cpus[0].events.way_ctx);
    return port;
}

static void each_shape(void (*test)(struct guest *g))
{
    for (size_t i = 0; i < N_ROWS(shapes); i++) {
        struct guest *g = create(i);

        test(g);
        destroy(g);
    }
}

/* Linux' rules (Xen ABI 4.3): the hypervisor is asked where a hand would lose the event, and only there. */
static void unmask(struct guest *g)
{
    struct events_cpu *cpu = &g->cpus[0].events;
    uint32_t own = ipi(g, 0), other = ipi(g, 1);

    assert_true(events_is_masked(&g->events, own));
    assert_int_equal(events_unmask(cpu, own), 0);
    assert_int_equal(g->cpus[0].n_unmasks, 0); /* nothing was pending */
    events_mask(&g->events, own);
    assert_int_equal(events_send(cpu, own), 0);
    assert_int_equal(g->n, 0);
    assert_int_equal(events_unmask(cpu, own), 0);
    assert_int_equal(g->cpus[0].n_unmasks, 1);
    assert_int_equal(g->n, 1);
    assert_false(events_is_masked(&g->events, own));
    assert_int_equal(events_unmask(cpu, other), 0); /* another vCPU's: always */
    assert_int_equal(g->cpus[0].n_unmasks, 2);
}
static void test_unmask(void **state) { (void)state, each_shape(unmask); }

static void send_again(void *ctx, struct events_cpu *cpu, uint32_t port)
{
    if (++*(uint32_t *)ctx < 5)
        events_send(cpu, port);
}

/* The bit is cleared before the handler runs: what it, or anybody, sends from then on is another event. */
static void again(struct guest *g)
{
    uint32_t port = ipi(g, 0);

    events_handle(&g->events, port, send_again, &g->n);
    events_unmask(&g->cpus[0].events, port);
    events_send(&g->cpus[0].events, port);
    assert_int_equal(g->n, 5);
}
static void test_handler_that_sends(void **state) { (void)state, each_shape(again); }

/* A whole selector, as after a registration: a vCPU takes what is its own. */
static void others(struct guest *g)
{
    uint32_t port = ipi(g, 1);

    events_unmask(&g->cpus[0].events, port);
    events_send(&g->cpus[0].events, port);
    memset(g->cpus[0].events.info + g->events.layout->selector, 0xff, g->events.layout->word_bits / 8);
    vc_store8_seq(g->cpus[0].events.info, 1);
    events_look(&g->cpus[0].events);
    assert_int_equal(g->n, 0);
    assert_true(events_is_pending(&g->events, port) && events_due(&g->cpus[1].events));
    g->cpus[1].events.way->on(&g->cpus[1].events);
    assert_int_equal(g->n, 1);
}
static void test_other_vcpus_ports(void **state) { (void)state, each_shape(others); }

/* Pending state does not move with a port (Xen ABI 4.4): the driver sees to it. */
static void rebound(struct guest *g)
{
    struct events_cpu *cpu = &g->cpus[0].events;
    uint32_t near, far;

    assert_int_equal(events_alloc_unbound(cpu, XEN_DOMID_SELF, &far), 0);
    assert_int_equal(events_bind_interdomain(cpu, XEN_DOMID_SELF, far, &near), 0);
    events_handle(&g->events, far, count, &g->n);
    events_unmask(cpu, far); /* upcalls of vCPU 0 are off */
    events_send(cpu, near);
    assert_int_equal(events_bind_vcpu(cpu, far, 2), 0);
    cpu->way->on(cpu->way_ctx);
    assert_int_equal(g->n, 0);
    g->cpus[2].events.way->on(&g->cpus[2].events);
    assert_int_equal(g->n, 1);
    assert_int_equal(events_bind_vcpu(cpu, far, N_CPUS + MACHINE_VCPUS), -XEN_ENOENT);
    events_send(cpu, near); /* still live, and at vCPU 2 */
    events_look(&g->cpus[2].events);
    assert_int_equal(g->n, 2);
}
static void test_bind_vcpu(void **state) { (void)state, each_shape(rebound); }

static void seen(struct guest *g)
{
    struct events_cpu *cpu = &g->cpus[0].events;
    uint32_t ports[] = {ipi(g, 0), ipi(g, 0)};

    for (int i = 0; i < 2; i++) {
        events_handle(&g->events, ports[i], NULL, NULL);
        events_unmask(cpu, ports[i]);
    }
    events_send(cpu, ports[1]);
    events_wait(cpu, ports, 2, 0); /* an event before the wait ends it: else this hangs */
    assert_false(events_seen(&g->events, ports[1]));
    events_wait(cpu, ports, 2, 1); /* so does a time that has passed */
    assert_int_equal(events_close(cpu, ports[0]), 0);
    assert_true(events_is_masked(&g->events, ports[0]));
    assert_int_equal(events_send(cpu, ports[0]), -XEN_EINVAL);
}
static void test_wait(void **state) { (void)state, each_shape(seen); }

/* ---- Time. ---- */

static struct vcpu_time_info *being_written;
static uint64_t tsc_of_a_slow_writer(void)
{
    static uint32_t n;

    if (++n % 2 != 0) { /* somebody writes while we look: what was read is void */
        being_written->version += 2;
        being_written->system_time = 5000;
    }
    return 1000 + (UINT64_C(1) << 33);
}

static void test_time(void **state)
{
    static const struct {
        int8_t shift;
        uint32_t mul;
        uint64_t ns;
    } rows[] = {/* delta is 2^33: shifted, times mul, over 2^32 (Xen public/xen.h) */
                {0, UINT32_C(1) << 31, 5000 + (UINT64_C(1) << 32)},
                {-3, UINT32_C(1) << 31, 5000 + (UINT64_C(1) << 29)},
                {2, UINT32_C(3) << 30, 5000 + (UINT64_C(3) << 33)},
                {0, 1, 5000 + 2},
                {0, 0, 0}};
    _Alignas(8) uint8_t info[INFO_SIZE] = {0};

    (void)state;
    being_written = (struct vcpu_time_info *)(void *)(info + shared_layout_64.time);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        *being_written = (struct vcpu_time_info){
            .version = 2, .tsc_timestamp = 1000, .tsc_shift = rows[i].shift, .tsc_to_system_mul = rows[i].mul};
        assert_int_equal(shared_info_time(&shared_layout_64, info, tsc_of_a_slow_writer), rows[i].ns);
    }
    being_written = NULL;
}

/* ---- T16 with the guest's own driver, in one process: senders in threads, one receiver that moves both pages. ---- */

static void take(void *ctx, struct events_cpu *cpu, uint32_t port)
{
    struct guest *g = ctx;
    uint32_t i = g->place[port];

    (void)cpu;
    g->n += vc_load_seq(&g->counter[i]) == N_ROUNDS && g->last[i] != N_ROUNDS;
    g->last[i] = vc_load_seq(&g->counter[i]);
}

static void *sender(void *arg)
{
    struct cpu *c = arg;
    struct guest *g = c->guest;

    for (uint32_t round = 1; round <= N_ROUNDS; round++)
        for (uint32_t i = c->vcpu - 1; i < N_PORTS; i += N_CPUS - 1) {
            vc_store_seq(&g->counter[i], round);
            events_send(&c->events, g->ports[i]);
        }
    return NULL;
}

static void move(struct guest *g)
{
    struct events_cpu *cpu = &g->cpus[0].events;
    bool on = cpu->way->off(cpu->way_ctx);

    g->page = 1 - g->page;
    assert_int_equal(shared_page_map(cpu->platform, page_of(g, g->page)), 0);
    events_moved(&g->events, page_of(g, g->page));
    events_cpu_moved(cpu);
    if (on)
        cpu->way->on(cpu->way_ctx);
}

static void receive(struct guest *g)
{
    struct events_cpu *cpu = &g->cpus[0].events;

    for (uint32_t moves = 0; g->n < N_PORTS; moves++) {
        if (moves == N_MOVES / 2)
            assert_int_equal(events_register(cpu, page_of(g, 3)), 0);
        if (moves < N_MOVES)
            move(g);
        else /* with no limit: a wake-up that is lost is a test that hangs */
            events_wait(cpu, NULL, 0, 0);
    }
}

static void stress(struct guest *g)
{
    pthread_t threads[N_CPUS];

    for (uint32_t i = 0; i < N_PORTS; i++) {
        g->ports[i] = ipi(g, 0);
        g->place[g->ports[i]] = i;
        events_handle(&g->events, g->ports[i], take, g);
        events_unmask(&g->cpus[0].events, g->ports[i]);
    }
    for (uint32_t i = 1; i < N_CPUS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sender, &g->cpus[i]), 0);
    receive(g);
    for (uint32_t i = 1; i < N_CPUS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < N_PORTS; i++)
        assert_int_equal(g->last[i], N_ROUNDS);
}
static void test_none_is_lost(void **state) { (void)state, each_shape(stress); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unmask),
        cmocka_unit_test(test_handler_that_sends),
        cmocka_unit_test(test_other_vcpus_ports),
        cmocka_unit_test(test_bind_vcpu),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_none_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
