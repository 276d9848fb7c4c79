/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "door_locks.h"
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/events.h>

#define RAM_BYTES 4096u
#define N_PORTS   70u /* more than one word of pending bits */
#define N_VCPUS   3u

struct rig {
    struct vc_events events;
    struct door_lock lock;
    struct vc_shared_info shared;
    struct door_lock vcpu_locks[N_VCPUS];
    _Alignas(64) uint8_t memory[16384], shared_memory[8192];
    uint8_t ram[RAM_BYTES]; /* the guest's, addresses 0..RAM_BYTES */
    bool read_only;
    void *sent_to;
    unsigned n_sent, n_woken, n_yields, n_waits;
    uint32_t shutdown;
    uint64_t deadline;
    /* A wait: the notify that comes meanwhile, on this port; then how it ends. */
    uint32_t notify_port;
    void *notify_door;
    enum vc_wait end;
};

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    struct rig *r = ctx;

    door_may_sleep();
    if (from >= RAM_BYTES || n > RAM_BYTES - from)
        return false;
    memcpy(to, r->ram + from, n);
    return true;
}

static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    struct rig *r = ctx;

    door_may_sleep();
    if (r->read_only || to >= RAM_BYTES || n > RAM_BYTES - to)
        return false;
    memcpy(r->ram + to, from, n);
    return true;
}

static void sent(void *ctx, void *door)
{
    struct rig *r = ctx;

    door_may_sleep();
    r->n_sent++;
    r->sent_to = door;
}

static enum vc_wait wait(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct rig *r = ctx;
    uint32_t port = r->notify_port;

    door_may_sleep();
    if (vc_load_seq(word) != value)
        return VC_WAIT_WOKEN; /* as a futex */
    r->n_waits++;
    r->deadline = deadline_ns;
    r->notify_port = 0;
    if (port == 0)
        return r->end;
    vc_events_notify(&r->events, port, r->notify_door);
    assert_int_not_equal(vc_load_seq(word), value); /* a futex would not sleep now */
    return VC_WAIT_WOKEN;
}

static void wake(void *domain, const uint32_t *word)
{
    struct rig *r = domain;

    assert_true(word == &r->shared.vcpus[0].word || word == &r->shared.vcpus[1].word ||
                word == &r->shared.vcpus[2].word);
    r->n_woken++;
}

static void yield(void *ctx)
{
    door_may_sleep();
    ((struct rig *)ctx)->n_yields++;
}

static void shut(void *ctx, uint32_t reason)
{
    door_may_sleep();
    ((struct rig *)ctx)->shutdown = reason;
}

static int map(void *domain, uint64_t gfn, uint8_t **page)
{
    (void)domain;
    (void)gfn;
    (void)page;
    return VC_ENOENT;
}

static const struct vc_shared_info_env shared_env = {.lock = {.lock = door_lock, .unlock = door_unlock},
                                                     .map = map,
                                                     .copy_in = copy_in,
                                                     .copy_out = copy_out,
                                                     .wake = wake};
static const struct vc_events_env env = {
    .copy_in = copy_in,
    .copy_out = copy_out,
    .sent = sent,
    .wait = wait,
    .yield = yield,
    .shutdown = shut,
};

static struct rig *rig_new(void)
{
    static struct rig r;

    memset(&r, 0, sizeof r);
    r.lock = (struct door_lock)DOOR_LOCK(LOCK_EVENT);
    r.shutdown = UINT32_MAX;
    r.end = VC_WAIT_TIMEOUT;
    assert_true(vc_events_bytes(N_PORTS, N_VCPUS) <= sizeof r.memory);
    assert_true(vc_shared_info_bytes(N_VCPUS) <= sizeof r.shared_memory);
    void *locks[N_VCPUS];
    for (uint32_t i = 0; i < N_VCPUS; i++) {
        r.vcpu_locks[i] = (struct door_lock)DOOR_LOCK(LOCK_VCPU);
        locks[i] = &r.vcpu_locks[i];
    }
    struct vc_shared_info_config c = {.n_vcpus = N_VCPUS, .domid = 7, .lock = &r.lock, .vcpu_locks = locks};
    assert_int_equal(vc_shared_info_init(&r.shared, &shared_env, &r, &c, r.shared_memory), VC_OK);
    assert_int_equal(vc_events_init(&r.events, &env, &r, &r.shared, N_PORTS, r.memory), VC_OK);
    return &r;
}

static int64_t op(struct rig *r, uint64_t cmd, const void *arg, uint32_t n)
{
    memcpy(r->ram + 64, arg, n);
    return vc_events_channel_op(&r->events, r, cmd, 64);
}

static int64_t port_op(struct rig *r, uint64_t cmd, uint32_t port)
{
    struct evtchn_send arg = {port};

    return op(r, cmd, &arg, sizeof arg);
}

/* Polls these ports; how often it slept. */
static unsigned poll(struct rig *r, uint32_t vcpu, const uint32_t *ports, uint32_t n, uint64_t timeout)
{
    struct sched_poll p = {.ports = 512, .nr_ports = n, .timeout = timeout};

    r->n_waits = 0;
    memcpy(r->ram + 512, ports, n * sizeof *ports);
    memcpy(r->ram + 64, &p, sizeof p);
    assert_int_equal(vc_events_sched_op(&r->events, r, vcpu, SCHEDOP_poll, 64), 0);
    return r->n_waits;
}

static void sizes(void **state)
{
    static const uint32_t bad[][2] = {{0, 1}, {1, 1}, {4097, 1}, {UINT32_MAX, 1}, {64, 0}, {64, 129}};
    struct vc_events e;

    (void)state;
    for (size_t i = 0; i < N_ROWS(bad); i++) {
        assert_int_equal(vc_events_bytes(bad[i][0], bad[i][1]), 0);
        if (bad[i][1] == 1)
            assert_int_equal(vc_events_init(&e, &env, NULL, &rig_new()->shared, bad[i][0], NULL), VC_EINVAL);
    }
    assert_true(vc_events_bytes(4096, 128) > 128 * 512);
}

static void the_lowest_free_port_from_1(void **state)
{
    struct rig *r = rig_new();
    uint32_t port;

    (void)state;
    for (uint32_t i = 1; i < N_PORTS; i++) {
        assert_int_equal(vc_events_open(&r->events, r, VC_DOOR_GUEST, &port), VC_OK);
        assert_int_equal(port, i);
    }
    assert_int_equal(vc_events_open(&r->events, r, VC_DOOR_GUEST, &port), VC_ENOSPC);
    assert_int_equal(port_op(r, EVTCHNOP_close, 7), 0);
    assert_int_equal(vc_events_open(&r->events, r, VC_DOOR_GUEST, &port), VC_OK);
    assert_int_equal(port, 7);
    vc_events_reset(&r->events);
    assert_int_equal(vc_events_open(&r->events, r, VC_DOOR_GUEST, &port), VC_OK);
    assert_int_equal(port, 1);
}

static void send_goes_to_the_door(void **state)
{
    struct rig *r = rig_new();
    uint32_t a, b;
    int doors[2];

    (void)state;
    vc_events_open(&r->events, &doors[0], VC_DOOR_GUEST, &a);
    vc_events_open(&r->events, &doors[1], VC_DOOR_GUEST, &b);
    assert_int_equal(port_op(r, EVTCHNOP_send, b), 0);
    assert_ptr_equal(r->sent_to, &doors[1]);
    assert_int_equal(port_op(r, EVTCHNOP_send, a), 0);
    assert_ptr_equal(r->sent_to, &doors[0]);
    assert_int_equal(r->n_sent, 2);
}

/* Xen ABI 4.4. Port 1 is a door's, port 2 VIRQ_CONSOLE's. */
static const struct {
    const char *name;
    uint64_t cmd;
    uint32_t port;
    int64_t result;
} port_ops[] = {
    {"send", EVTCHNOP_send, 1, 0},
    {"send on port 0", EVTCHNOP_send, 0, -XEN_EINVAL},
    {"send on a virq", EVTCHNOP_send, 2, -XEN_EINVAL},
    {"send on a free port", EVTCHNOP_send, 3, -XEN_EINVAL},
    {"send past the last", EVTCHNOP_send, N_PORTS, -XEN_EINVAL},
    {"send far past the last", EVTCHNOP_send, UINT32_MAX, -XEN_EINVAL},
    {"close", EVTCHNOP_close, 1, 0},
    {"close a virq", EVTCHNOP_close, 2, 0},
    {"close port 0", EVTCHNOP_close, 0, -XEN_EINVAL},
    {"close a free port", EVTCHNOP_close, 3, -XEN_EINVAL},
    {"close past the last", EVTCHNOP_close, UINT32_MAX, -XEN_EINVAL},
    {"unmask", EVTCHNOP_unmask, 1, 0},
    {"unmask past the last", EVTCHNOP_unmask, N_PORTS, -XEN_EINVAL},
    {"init_control: stay with the 2-level ABI", EVTCHNOP_init_control, 1, -XEN_ENOSYS},
    {"expand_array", 12, 1, -XEN_ENOSYS},
    {"set_priority", 13, 1, -XEN_ENOSYS},
    {"no such op", UINT64_MAX, 1, -XEN_ENOSYS},
};

static int64_t bind(struct rig *r, uint32_t virq, uint32_t vcpu, uint32_t *port)
{
    struct evtchn_bind_virq b = {.virq = virq, .vcpu = vcpu};
    int64_t result = op(r, EVTCHNOP_bind_virq, &b, sizeof b);

    memcpy(&b, r->ram + 64, sizeof b);
    *port = b.port;
    return result;
}

static void results(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(port_ops); i++) {
        struct rig *r = rig_new();
        uint32_t port;

        vc_events_open(&r->events, r, VC_DOOR_GUEST, &port);
        bind(r, VIRQ_CONSOLE, 0, &port);
        if (port_op(r, port_ops[i].cmd, port_ops[i].port) != port_ops[i].result)
            fail_msg("%s", port_ops[i].name);
    }
}

static void pointers_outside_memory(void **state)
{
    static const uint64_t ops[] = {EVTCHNOP_bind_virq, EVTCHNOP_close, EVTCHNOP_send, EVTCHNOP_status, EVTCHNOP_unmask};
    static const uint64_t where[] = {RAM_BYTES, RAM_BYTES - 2, UINT64_MAX, UINT64_MAX - 3};
    struct rig *r = rig_new();

    (void)state;
    for (size_t i = 0; i < N_ROWS(where); i++) {
        for (size_t k = 0; k < N_ROWS(ops); k++)
            assert_int_equal(vc_events_channel_op(&r->events, r, ops[k], where[i]), -XEN_EFAULT);
        assert_int_equal(vc_events_sched_op(&r->events, r, 0, SCHEDOP_poll, where[i]), -XEN_EFAULT);
        assert_int_equal(vc_events_sched_op(&r->events, r, 0, SCHEDOP_shutdown, where[i]), -XEN_EFAULT);
    }
}

static void virq_console(void **state)
{
    static const uint32_t others[] = {3, 8, 23};
    struct rig *r = rig_new();
    uint32_t port, again, door;

    (void)state;
    vc_events_virq(&r->events, 0, VIRQ_CONSOLE); /* not bound: nothing */
    assert_int_equal(r->n_woken, 0);
    for (size_t i = 0; i < N_ROWS(others); i++)
        assert_int_equal(bind(r, others[i], 0, &port), -XEN_EBUSY);
    assert_int_equal(bind(r, VIRQ_CONSOLE, 1, &port), -XEN_EINVAL);
    assert_int_equal(bind(r, VIRQ_CONSOLE, 0, &port), 0);
    assert_int_equal(port, 1);
    assert_int_equal(bind(r, VIRQ_CONSOLE, 0, &again), -XEN_EEXIST);
    vc_events_virq(&r->events, 0, VIRQ_CONSOLE);
    assert_int_equal(r->n_woken, 0);              /* nobody polls */
    assert_int_equal(poll(r, 0, &port, 1, 0), 0); /* pending: no sleep */
    port_op(r, EVTCHNOP_close, port);
    r->read_only = true;
    assert_int_equal(bind(r, VIRQ_CONSOLE, 0, &port), -XEN_EFAULT); /* and is not left bound */
    r->read_only = false;
    while (vc_events_open(&r->events, r, VC_DOOR_GUEST, &door) == VC_OK)
        ;
    assert_int_equal(bind(r, VIRQ_CONSOLE, 0, &port), -XEN_ENOSPC);
}

static int64_t status(struct rig *r, uint16_t dom, uint32_t port, struct evtchn_status *s)
{
    int64_t result;

    *s = (struct evtchn_status){.dom = dom, .port = port, .status = 99, .vcpu = 99, .u.virq = 99};
    result = op(r, EVTCHNOP_status, s, sizeof *s);
    memcpy(s, r->ram + 64, sizeof *s);
    return result;
}

static void statuses(void **state)
{
    struct rig *r = rig_new();
    struct evtchn_status s;
    uint32_t port;

    (void)state;
    vc_events_open(&r->events, r, VC_DOOR_GUEST, &port);
    bind(r, VIRQ_CONSOLE, 0, &port);
    assert_int_equal(status(r, XEN_DOMID_SELF, 1, &s), 0);
    assert_int_equal(s.status, EVTCHNSTAT_interdomain);
    assert_int_equal(s.u.interdomain.dom, 0);
    assert_int_equal(s.vcpu, 0);
    assert_int_equal(status(r, XEN_DOMID_SELF, 2, &s), 0);
    assert_int_equal(s.status, EVTCHNSTAT_virq);
    assert_int_equal(s.u.virq, VIRQ_CONSOLE);
    assert_int_equal(status(r, XEN_DOMID_SELF, 3, &s), 0);
    assert_int_equal(s.status, EVTCHNSTAT_closed);
    assert_int_equal(status(r, XEN_DOMID_SELF, N_PORTS, &s), -XEN_EINVAL);
    assert_int_equal(status(r, 5, 1, &s), -XEN_ESRCH);
    r->read_only = true;
    assert_int_equal(status(r, XEN_DOMID_SELF, 1, &s), -XEN_EFAULT);
}

static void a_port_belongs_to_its_door(void **state)
{
    struct rig *r = rig_new();
    int mine, other;
    uint32_t port, again;

    (void)state;
    vc_events_open(&r->events, &mine, VC_DOOR_GUEST, &port);
    assert_int_equal(vc_events_notify(&r->events, port, &mine), VC_OK);
    assert_int_equal(vc_events_notify(&r->events, port, &other), VC_ENOENT);
    assert_int_equal(vc_events_notify(&r->events, UINT32_MAX, &mine), VC_ENOENT);
    /* "The event channel may be closed or rebound by the guest at any time; a vanished port is not fatal." */
    port_op(r, EVTCHNOP_close, port);
    assert_int_equal(vc_events_notify(&r->events, port, &mine), VC_ENOENT);
    bind(r, VIRQ_CONSOLE, 0, &again);
    assert_int_equal(again, port);
    assert_int_equal(vc_events_notify(&r->events, port, &mine), VC_ENOENT);
    assert_int_equal(vc_events_close(&r->events, port, &mine), VC_ENOENT);
    assert_int_equal(poll(r, 0, &port, 1, 0), 1); /* nothing was raised */
    vc_events_open(&r->events, &mine, VC_DOOR_GUEST, &port);
    assert_int_equal(vc_events_close(&r->events, port, &mine), VC_OK);
    assert_int_equal(port_op(r, EVTCHNOP_send, port), -XEN_EINVAL);
}

static void poll_waits_until_an_event(void **state)
{
    struct rig *r = rig_new();
    uint32_t ports[2];

    (void)state;
    vc_events_open(&r->events, r, VC_DOOR_GUEST, &ports[0]);
    vc_events_open(&r->events, r, VC_DOOR_GUEST, &ports[1]);
    r->notify_port = ports[1];
    r->notify_door = r;
    assert_int_equal(poll(r, 0, ports, 2, 777), 1);
    assert_int_equal(r->deadline, 777);
    assert_int_equal(poll(r, 0, ports, 2, 777), 1); /* the bit was taken: now it waits to the end */
    r->end = VC_WAIT_STOP;
    assert_int_equal(poll(r, 0, ports, 2, 0), 1);
    vc_events_notify(&r->events, ports[0], r);
    vc_events_notify(&r->events, ports[0], r); /* an edge: coalesced */
    assert_int_equal(poll(r, 0, ports, 2, 0), 0);
    assert_int_equal(poll(r, 0, ports, 2, 0), 1);
    assert_int_equal(poll(r, 0, ports, 0, 5), 1); /* no ports: a sleep */
}

static void events_on_other_ports_do_not_end_a_poll(void **state)
{
    struct rig *r = rig_new();
    uint32_t ports[2];

    (void)state;
    vc_events_open(&r->events, r, VC_DOOR_GUEST, &ports[0]);
    vc_events_open(&r->events, r, VC_DOOR_GUEST, &ports[1]);
    r->notify_port = ports[1];
    r->notify_door = r;
    assert_int_equal(poll(r, 0, ports, 1, 0), 2); /* woken by the other, went on to wait */
    assert_int_equal(poll(r, 0, ports + 1, 1, 0), 0);
}

/* One vCPU's poll does not take what another has yet to see: both may be waiting for room in the same ring. */
static void each_vcpu_has_its_own_pending_bits(void **state)
{
    struct rig *r = rig_new();
    uint32_t port;

    (void)state;
    for (uint32_t i = 1; i < N_PORTS; i++)
        vc_events_open(&r->events, r, VC_DOOR_GUEST, &port);
    assert_int_equal(port, N_PORTS - 1); /* in the second word */
    vc_events_notify(&r->events, port, r);
    for (uint32_t v = 0; v < N_VCPUS; v++)
        assert_int_equal(poll(r, v, &port, 1, 0), 0);
    for (uint32_t v = 0; v < N_VCPUS; v++)
        assert_int_equal(poll(r, v, &port, 1, 0), 1);
    vc_events_notify(&r->events, port, r);
    vc_events_close(&r->events, port, r);
    vc_events_open(&r->events, r, VC_DOOR_GUEST, &port);
    assert_int_equal(poll(r, 0, &port, 1, 0), 1); /* "pending bit cleared" at close */
}

static void hostile_polls(void **state)
{
    struct rig *r = rig_new();
    struct sched_poll p = {.ports = 512, .nr_ports = 129};
    uint32_t bad[] = {1, N_PORTS};

    (void)state;
    memcpy(r->ram + 64, &p, sizeof p);
    assert_int_equal(vc_events_sched_op(&r->events, r, 0, SCHEDOP_poll, 64), -XEN_EINVAL);
    p.nr_ports = 128;
    p.ports = RAM_BYTES - 511;
    memcpy(r->ram + 64, &p, sizeof p);
    assert_int_equal(vc_events_sched_op(&r->events, r, 0, SCHEDOP_poll, 64), -XEN_EFAULT);
    p.nr_ports = 2;
    p.ports = 512;
    memcpy(r->ram + 64, &p, sizeof p);
    memcpy(r->ram + 512, bad, sizeof bad);
    assert_int_equal(vc_events_sched_op(&r->events, r, 0, SCHEDOP_poll, 64), -XEN_EINVAL);
    bad[1] = 1;
    memcpy(r->ram + 512, bad, sizeof bad);
    assert_int_equal(vc_events_sched_op(&r->events, r, N_VCPUS, SCHEDOP_poll, 64), -XEN_EINVAL);
    assert_int_equal(r->n_waits, 0);
}

static const struct {
    uint32_t reason;
    int64_t result;
    uint32_t told;
} shutdowns[] = {
    {SHUTDOWN_poweroff, 0, SHUTDOWN_poweroff},
    {SHUTDOWN_reboot, 0, SHUTDOWN_reboot},
    {SHUTDOWN_suspend, -XEN_EOPNOTSUPP, UINT32_MAX},
    {SHUTDOWN_crash, 0, SHUTDOWN_crash},
    {4, 0, SHUTDOWN_crash}, /* watchdog */
    {UINT32_MAX, 0, SHUTDOWN_crash},
};

static void scheduler_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(shutdowns); i++) {
        struct rig *r = rig_new();

        memcpy(r->ram + 64, &shutdowns[i].reason, 4);
        assert_int_equal(vc_events_sched_op(&r->events, r, 0, SCHEDOP_shutdown, 64), shutdowns[i].result);
        assert_int_equal(r->shutdown, shutdowns[i].told);
        assert_int_equal(vc_events_sched_op(&r->events, r, 0, SCHEDOP_yield, UINT64_MAX), 0);
        assert_int_equal(vc_events_sched_op(&r->events, r, 0, SCHEDOP_block, UINT64_MAX), 0);
        assert_int_equal(r->n_yields, 2);
        assert_int_equal(vc_events_sched_op(&r->events, r, 0, 4, 64), -XEN_ENOSYS);
        assert_int_equal(vc_events_sched_op(&r->events, r, 0, UINT64_MAX, 64), -XEN_ENOSYS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(the_lowest_free_port_from_1),
        cmocka_unit_test(send_goes_to_the_door),
        cmocka_unit_test(results),
        cmocka_unit_test(pointers_outside_memory),
        cmocka_unit_test(virq_console),
        cmocka_unit_test(statuses),
        cmocka_unit_test(a_port_belongs_to_its_door),
        cmocka_unit_test(poll_waits_until_an_event),
        cmocka_unit_test(events_on_other_ports_do_not_end_a_poll),
        cmocka_unit_test(each_vcpu_has_its_own_pending_bits),
        cmocka_unit_test(hostile_polls),
        cmocka_unit_test(scheduler_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
