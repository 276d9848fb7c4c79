/* SPDX-License-Identifier: MIT */
/* From a raised port to the guest: bits, selector, upcall, sleepers. Facts §4.1-§4.3, a row for each rule. */
#include "event_rig.h"

static const struct {
    const char *name;
    enum vc_abi abi;
    uint32_t pending, mask, selector, word_bits, info_bytes, n_default, n_ports;
} abis[] = {
    {"x86_64", VC_ABI_X86_64, 2048, 2560, 8, 64, 64, 32, 4096},
    {"x86_32", VC_ABI_X86_32, 2048, 2176, 4, 32, 64, 32, 1024},
    {"arm64", VC_ABI_ARM64, 48, 560, 8, 64, 48, 1, 4096},
};

static bool get(const uint8_t *at, uint32_t bit) { return (at[bit / 8] >> bit % 8 & 1) != 0; }
static void set(uint8_t *at, uint32_t bit, bool value)
{
    at[bit / 8] = (uint8_t)((at[bit / 8] & ~(1u << bit % 8)) | (uint32_t)value << bit % 8);
}

/* Facts §4.2. Before: what the guest finds in its page; after: what it finds then; and whether an interrupt came. */
static const struct {
    const char *name;
    bool pending, masked, selected, upcall;
    bool then_pending, then_selected, then_upcall, raised;
} deliveries[] = {
    {"nothing there: all three", 0, 0, 0, 0, 1, 1, 1, 1},    {"pending already: stop", 1, 0, 0, 0, 1, 0, 0, 0},
    {"masked: no selector", 0, 1, 0, 0, 1, 0, 0, 0},         {"pending and masked", 1, 1, 0, 0, 1, 0, 0, 0},
    {"selected already: no upcall", 0, 0, 1, 0, 1, 1, 0, 0}, {"upcall pending: no interrupt", 0, 0, 0, 1, 1, 1, 1, 0},
    {"upcall pending and selected", 0, 0, 1, 1, 1, 1, 1, 0},
};

static void steps(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_ROWS(abis); k++) {
        uint32_t ports[] = {1, abis[k].word_bits - 1, abis[k].word_bits, abis[k].n_ports / 2 + 5, abis[k].n_ports - 1};

        for (size_t i = 0; i < N_ROWS(deliveries) * N_ROWS(ports); i++) {
            size_t row = i / N_ROWS(ports);
            uint32_t port = ports[i % N_ROWS(ports)], first = 0, vcpu = abis[k].n_default > 1 ? 1 : 0;
            struct rig_domain *d = rig_one(&(struct rig_shape){.abi = abis[k].abi});
            uint8_t *page = d->ram + 4096, *info = page + vcpu * abis[k].info_bytes, copy[4096];

            while (first != port)
                assert_int_equal(rig_ipi(d, vcpu, &first), 0);
            assert_int_equal(vc_shared_info_place(&d->shared, 1), 0);
            set(page + abis[k].pending, port, deliveries[row].pending);
            set(page + abis[k].mask, port, deliveries[row].masked);
            set(info + abis[k].selector, port / abis[k].word_bits, deliveries[row].selected);
            info[0] = deliveries[row].upcall;
            memcpy(copy, page, 4096);
            assert_int_equal(rig_send(d, port), 0);
            set(copy + abis[k].pending, port, deliveries[row].then_pending);
            set(copy + vcpu * abis[k].info_bytes + abis[k].selector, port / abis[k].word_bits,
                deliveries[row].then_selected);
            copy[vcpu * abis[k].info_bytes] = deliveries[row].then_upcall;
            if (memcmp(copy, page, 4096) != 0) /* these bits, and no other byte of the page */
                fail_msg("%s, %s, port %u", abis[k].name, deliveries[row].name, port);
            if (d->n_upcalls[vcpu] != deliveries[row].raised)
                fail_msg("%s, %s, port %u: %u upcalls", abis[k].name, deliveries[row].name, port, d->n_upcalls[vcpu]);
        }
    }
}

/* Facts §4.3. */
static const struct {
    const char *name;
    bool pending, masked, selected, upcall;
    bool then_selected, then_upcall, raised;
} unmasks[] = {
    {"masked and pending: selector and upcall", 1, 1, 0, 0, 1, 1, 1},
    {"masked only", 0, 1, 0, 0, 0, 0, 0},
    {"not masked: nothing, though pending", 1, 0, 0, 0, 0, 0, 0},
    {"neither", 0, 0, 0, 0, 0, 0, 0},
    {"selected already", 1, 1, 1, 0, 1, 0, 0},
    {"upcall pending", 1, 1, 0, 1, 1, 1, 0},
};
static void unmask(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_ROWS(abis); k++)
        for (size_t i = 0; i < N_ROWS(unmasks); i++) {
            struct rig_domain *d = rig_one(&(struct rig_shape){.abi = abis[k].abi});
            uint8_t *page = d->ram + 4096;
            uint32_t port = 0;

            while (port < abis[k].word_bits + 3)
                rig_ipi(d, 0, &port);
            vc_shared_info_place(&d->shared, 1);
            set(page + abis[k].pending, port, unmasks[i].pending);
            set(page + abis[k].mask, port, unmasks[i].masked);
            set(page + abis[k].selector, 1, unmasks[i].selected);
            page[0] = unmasks[i].upcall;
            assert_int_equal(rig_port_op(d, EVTCHNOP_unmask, port), 0);
            if (get(page + abis[k].mask, port) || get(page + abis[k].pending, port) != unmasks[i].pending ||
                get(page + abis[k].selector, 1) != unmasks[i].then_selected || page[0] != unmasks[i].then_upcall ||
                d->n_upcalls[0] != unmasks[i].raised)
                fail_msg("%s: %s", abis[k].name, unmasks[i].name);
        }
}

static void an_edge_at_a_masked_port_is_lost_when_cleared_by_hand(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    uint32_t port;

    (void)state;
    rig_ipi(d, 0, &port);
    vc_shared_info_place(&d->shared, 1);
    rig_page(d, 1)->evtchn_mask[0] = ~UINT64_C(0);
    rig_send(d, port);
    rig_page(d, 1)->evtchn_mask[0] = 0;
    rig_send(d, port);
    rig_port_op(d, EVTCHNOP_unmask, port);
    assert_int_equal(d->n_upcalls[0], 0);
}

/* What the guest writes into its page is bits to be set and cleared, and nothing more. */
static void a_guest_that_scribbles_on_its_page(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    uint32_t port;

    (void)state;
    rig_ipi(d, 0, &port);
    vc_shared_info_place(&d->shared, 1);
    for (unsigned fill = 0; fill < 256; fill++) {
        memset(d->ram + 4096, (int)fill, 4096);
        assert_int_equal(rig_send(d, port), 0);
        assert_int_equal(rig_port_op(d, EVTCHNOP_unmask, port), 0);
        vc_shared_info_retry_upcall(&d->shared, 0);
        vc_shared_info_wallclock(&d->shared, fill, fill);
    }
    assert_true(d->n_upcalls[0] <= 256);
}

/* Opened in 64-bit mode, which has more of them; facts §4.1. */
static void ports_beyond_a_mode(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    uint32_t port = 0;
    uint8_t before[4096];

    (void)state;
    while (port < 2000)
        vc_events_open(&d->events, d, VC_DOOR_GUEST, &port);
    vc_shared_info_place(&d->shared, 1);
    vc_shared_info_latch(&d->shared, VC_ABI_X86_32);
    memcpy(before, d->ram + 4096, 4096);
    assert_int_equal(vc_events_notify(&d->events, port, d), VC_OK);
    assert_memory_equal(before, d->ram + 4096, 4096);
    assert_int_equal(rig_send(d, port), -XEN_EINVAL);
    assert_int_equal(vc_events_close(&d->events, port, d), VC_OK);
    assert_memory_equal(before, d->ram + 4096, 4096);
}

/* ---- vCPUs that have no vcpu_info yet. ---- */

static void no_event_before_registration(void **state)
{
    static const struct {
        enum vc_abi abi;
        uint32_t last, first; /* with a default place, without */
    } rows[] = {{VC_ABI_X86_64, 31, 32}, {VC_ABI_X86_32, 31, 32}, {VC_ABI_ARM64, 0, 1}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct rig_domain *d = rig_one(&(struct rig_shape){.abi = rows[i].abi, .n_vcpus = 40});
        uint32_t ports[2];

        rig_ipi(d, rows[i].last, &ports[0]);
        rig_ipi(d, rows[i].first, &ports[1]);
        vc_shared_info_place(&d->shared, 1);
        assert_int_equal(vc_shared_info_gpa(&d->shared, rows[i].last), 4096 + rows[i].last * 64);
        assert_int_equal(vc_shared_info_gpa(&d->shared, rows[i].first), VC_NO_GPA);
        rig_send(d, ports[0]);
        rig_send(d, ports[1]);
        assert_int_equal(d->n_upcalls[rows[i].last], 1);
        assert_int_equal(d->n_upcalls[rows[i].first], 0);
        assert_false(vc_shared_info_upcall_pending(&d->shared, rows[i].first));
        assert_true(get(d->ram + 4096 + (i < 2 ? 2048 : 48), ports[1])); /* but it finds the bit when it has one */
        assert_int_equal(vc_shared_info_register(&d->shared, 0, rows[i].first, 2, 128), 0);
        assert_int_equal(d->n_upcalls[rows[i].first], 1);
        assert_true(get(d->ram + 2 * 4096 + 128 + (i == 1 ? 4 : 8), ports[1] / 64));
    }
}

/* ---- Upcalls that are dropped. ---- */

static void a_dropped_upcall_is_tried_again(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    uint32_t port;

    (void)state;
    rig_ipi(d, 1, &port);
    vc_shared_info_place(&d->shared, 1);
    assert_false(vc_events_retry_upcall(&d->events, 1)); /* nothing to do */
    d->refuses_upcalls = true;
    rig_send(d, port);
    assert_int_equal(d->n_upcalls[1], 1);
    assert_true(vc_events_retry_upcall(&d->events, 1)); /* dropped again */
    assert_int_equal(d->n_upcalls[1], 2);
    d->refuses_upcalls = false;
    assert_false(vc_events_retry_upcall(&d->events, 1));
    assert_int_equal(d->n_upcalls[1], 3);
    assert_false(vc_events_retry_upcall(&d->events, 1)); /* taken: that was all */
    assert_int_equal(d->n_upcalls[1], 3);
    /* The guest saw it by itself meanwhile: none is due. */
    rig_page(d, 1)->vcpu_info[1].evtchn_upcall_pending = 0;
    rig_page(d, 1)->vcpu_info[1].evtchn_pending_sel = 0;
    rig_page(d, 1)->evtchn_pending[0] = 0;
    d->refuses_upcalls = true;
    rig_send(d, port);
    rig_page(d, 1)->vcpu_info[1].evtchn_upcall_pending = 0;
    assert_false(vc_events_retry_upcall(&d->events, 1));
    assert_int_equal(d->n_upcalls[1], 4);
    assert_false(vc_events_retry_upcall(&d->events, RIG_VCPUS));
}

/* Facts §6.4: "assert at once if already pending". */
static void a_way_of_upcalls_is_set_late(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    vc_shared_info_renew_upcall(&d->shared, 0);
    assert_int_equal(d->n_upcalls[0], 0);
    rig_page(d, 1)->vcpu_info[0].evtchn_upcall_pending = 1;
    vc_shared_info_renew_upcall(&d->shared, 0);
    assert_int_equal(d->n_upcalls[0], 1);
    vc_shared_info_renew_upcall(&d->shared, RIG_VCPUS);
}

/* ---- SCHEDOP_poll. ---- */

/* Polls these ports; how often it slept. */
static unsigned poll(struct rig_domain *d, uint32_t vcpu, const uint32_t *ports, uint32_t n, uint64_t timeout)
{
    struct sched_poll p = {.ports = LIST, .nr_ports = n, .timeout = timeout};

    d->n_waits = 0;
    memcpy(d->ram + LIST, ports, n * sizeof *ports);
    memcpy(d->ram + ARGS, &p, sizeof p);
    assert_int_equal(vc_events_sched_op(&d->events, d, vcpu, SCHEDOP_poll, ARGS), 0);
    assert_int_equal(d->events.n_pollers, 0);
    return d->n_waits;
}

static uint32_t later; /* the port that somebody raises meanwhile */
static void raise_later(struct rig_domain *d) { vc_events_notify(&d->events, later, d); }

static struct rig_domain *with_doors(bool place, uint32_t ports[3])
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});

    for (unsigned i = 0; i < 3; i++)
        vc_events_open(&d->events, d, VC_DOOR_GUEST, &ports[i]);
    if (place)
        vc_shared_info_place(&d->shared, 1);
    return d;
}

static void poll_waits_until_an_event(void **state)
{
    uint32_t ports[3];

    (void)state;
    for (int placed = 0; placed < 2; placed++) {
        struct rig_domain *d = with_doors(placed, ports);

        later = ports[1];
        d->meanwhile = raise_later;
        assert_int_equal(poll(d, 0, ports, 2, 777), 1);
        assert_int_equal(d->deadline, 777);
        assert_int_equal(d->n_wakes, 2);                             /* of the port, and of the upcall */
        assert_int_equal(poll(d, 0, ports, 2, 777), placed ? 0 : 1); /* the guest clears the bit, or it was taken */
        memset(rig_page(d, 1), 0, 4096);
        d->end = VC_WAIT_STOP;
        assert_int_equal(poll(d, 0, ports, 2, 0), 1);
        vc_events_notify(&d->events, ports[0], d);
        vc_events_notify(&d->events, ports[0], d); /* an edge: coalesced */
        assert_int_equal(poll(d, 0, ports, 2, 0), 0);
        memset(rig_page(d, 1), 0, 4096);
        assert_int_equal(poll(d, 0, ports, 2, 0), 1);
        assert_int_equal(poll(d, 0, ports, 0, 5), 1); /* no ports: a sleep */
    }
}

static void an_event_between_the_look_and_the_sleep(void **state)
{
    /* A masked port has no upcall that would end a poll, too: only the word tells. */
    enum { POLL, POLL_MASKED, BLOCK, N_WAYS };
    uint32_t ports[3];

    (void)state;
    for (int way = 0; way < N_WAYS; way++) {
        struct rig_domain *d = with_doors(true, ports);

        rig_page(d, 1)->evtchn_mask[0] = way == POLL_MASKED ? ~UINT64_C(0) : 0;
        later = ports[0];
        rig_raced = d;
        rig_race = raise_later;
        rig_race_at_unlock = true;
        if (way == BLOCK)
            vc_events_sched_op(&d->events, d, 0, SCHEDOP_block, 0);
        else
            poll(d, 0, ports, 1, 0);
        rig_race_at_unlock = false;
        assert_null(rig_race);
        assert_int_equal(d->n_waits, 0);
    }
}

static void masked_ports_end_a_poll(void **state)
{
    uint32_t ports[3];
    struct rig_domain *d = with_doors(true, ports);

    (void)state;
    rig_page(d, 1)->evtchn_mask[0] = ~UINT64_C(0);
    later = ports[0];
    d->meanwhile = raise_later;
    assert_int_equal(poll(d, 0, ports, 1, 0), 1);
    assert_int_equal(d->n_wakes, 1);
    assert_int_equal(d->n_upcalls[0], 0);
}

static void what_else_ends_a_poll(void **state)
{
    static const struct {
        const char *name;
        bool placed, masked;
        uint32_t notifies, polls; /* vCPUs */
        unsigned waits;
    } rows[] = {
        {"an upcall of its own", true, false, 0, 0, 1},
        {"not that of another vCPU", true, false, 1, 0, 2},
        {"not a masked port", true, true, 0, 0, 2},
        {"not what the guest cannot see", false, false, 0, 0, 2},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint32_t ports[3];
        struct rig_domain *d = with_doors(rows[i].placed, ports);

        if (rows[i].masked)
            rig_page(d, 1)->evtchn_mask[0] = ~UINT64_C(0);
        rig_bind_vcpu(d, ports[1], rows[i].notifies);
        later = ports[1];
        d->meanwhile = raise_later;
        if (poll(d, rows[i].polls, ports, 1, 0) != rows[i].waits)
            fail_msg("%s: slept %u times", rows[i].name, d->n_waits);
    }
}

/* One vCPU's poll does not take what another has yet to see, as long as no guest can clear the bit. */
static void each_vcpu_has_its_own_pending_bits_at_first(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    uint32_t port = 0;

    (void)state;
    while (port < 69)
        vc_events_open(&d->events, d, VC_DOOR_GUEST, &port);
    vc_events_notify(&d->events, port, d);
    for (uint32_t v = 0; v < 3; v++)
        assert_int_equal(poll(d, v, &port, 1, 0), 0);
    for (uint32_t v = 0; v < 3; v++)
        assert_int_equal(poll(d, v, &port, 1, 0), 1);
    vc_events_notify(&d->events, port, d); /* pending in the page, which nobody could clear: raised all the same */
    vc_events_close(&d->events, port, d);
    vc_events_open(&d->events, d, VC_DOOR_GUEST, &port);
    assert_int_equal(poll(d, 0, &port, 1, 0), 1); /* "pending bit cleared" at close */
    /* What came before the guest could see it is there when it can. */
    vc_events_notify(&d->events, port, d);
    vc_shared_info_place(&d->shared, 1);
    assert_true(get(d->ram + 4096 + 2048, port));
    assert_int_equal(rig_page(d, 1)->vcpu_info[0].evtchn_upcall_pending, 1);
    assert_int_equal(poll(d, 0, &port, 1, 0), 0);
}

static const struct {
    const char *name;
    uint32_t n, bad; /* bad: the last port */
    uint64_t ports;
    int64_t result;
} polls[] = {
    {"129 ports", 129, 1, LIST, -XEN_EINVAL},
    {"far too many", UINT32_MAX, 1, LIST, -XEN_EINVAL},
    {"128 ports", 128, 1, LIST, 0},
    {"a list that ends outside memory", 128, 1, RIG_BYTES - 511, -XEN_EFAULT},
    {"past the last port", 2, RIG_PORTS, LIST, -XEN_EINVAL},
    {"far past it", 2, UINT32_MAX, LIST, -XEN_EINVAL},
    {"port 0", 1, 0, LIST, 0},
};
static void hostile_polls(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(polls); i++)
        for (int compat = 0; compat < 2; compat++) {
            struct rig_domain *d = rig_one(&(struct rig_shape){0});
            struct sched_poll p = {.ports = polls[i].ports, .nr_ports = polls[i].n, .timeout = 5};
            struct compat_sched_poll c = {.ports = (uint32_t)polls[i].ports, .nr_ports = polls[i].n, .timeout = 5};
            uint32_t list[128] = {0};
            int64_t result;

            list[polls[i].n <= 128 ? polls[i].n - 1 : 0] = polls[i].bad;
            memcpy(d->ram + LIST, list, sizeof list);
            if (compat)
                memcpy(d->ram + ARGS, &c, sizeof c);
            else
                memcpy(d->ram + ARGS, &p, sizeof p);
            result = compat ? vc_events_compat_poll(&d->events, d, 0, ARGS)
                            : vc_events_sched_op(&d->events, d, 0, SCHEDOP_poll, ARGS);
            if (result != polls[i].result || d->n_waits != (result == 0))
                fail_msg("%s%s", polls[i].name, compat ? ", compat" : "");
        }
}

/* ---- SCHEDOP_block. ---- */

static void block_until_an_upcall(void **state)
{
    uint32_t ports[3];
    struct rig_domain *d = with_doors(true, ports);

    (void)state;
    later = ports[2];
    d->meanwhile = raise_later;
    d->end = VC_WAIT_STOP;
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_block, 0), 0);
    assert_int_equal(d->n_waits, 1);
    assert_int_equal(d->n_wakes, 1);
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_block, 0), 0); /* it is pending yet */
    assert_int_equal(d->n_waits, 1);
    rig_page(d, 1)->vcpu_info[0].evtchn_upcall_pending = 0;
    assert_int_equal(vc_events_sched_op(&d->events, d, 0, SCHEDOP_block, 0), 0);
    assert_int_equal(d->n_waits, 2); /* ended by VC_WAIT_STOP */
}

/* ---- Pages that move, and memory that goes. ---- */

static void pages_are_looked_up_once(void **state)
{
    uint32_t ports[3];
    struct rig_domain *d = with_doors(true, ports);
    unsigned maps = d->n_maps;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        vc_events_notify(&d->events, ports[0], d);
        memset(rig_page(d, 1), 0, 4096);
    }
    assert_int_equal(d->n_upcalls[0], 100);
    assert_int_equal(d->n_maps, maps);
}

static void memory_is_remapped(void **state)
{
    uint32_t ports[3];
    struct rig_domain *d = with_doors(true, ports);

    (void)state;
    d->elsewhere[1] = true;
    vc_shared_info_remapped(&d->shared);
    vc_events_notify(&d->events, ports[0], d);
    assert_false(get(d->ram + 4096 + 2048, ports[0]));
    assert_true(get(d->other + 4096 + 2048, ports[0]));
    assert_int_equal(d->n_upcalls[0], 1);
}

static void memory_is_taken_away(void **state)
{
    uint32_t ports[3];
    struct rig_domain *d = with_doors(true, ports);

    (void)state;
    d->map_error[1] = VC_ENOENT;
    vc_shared_info_remapped(&d->shared);
    assert_int_equal(vc_events_notify(&d->events, ports[0], d), VC_OK); /* into nothing */
    assert_int_equal(rig_send(d, ports[0]), 0);
    assert_int_equal(rig_port_op(d, EVTCHNOP_unmask, ports[0]), 0);
    d->end = VC_WAIT_STOP;
    assert_int_equal(poll(d, 0, ports, 1, 0), 1);
    assert_int_equal(vc_events_close(&d->events, ports[1], d), VC_OK);
    assert_false(vc_shared_info_upcall_pending(&d->shared, 0));
    d->map_error[1] = VC_OK; /* it is there again */
    assert_int_equal(vc_events_notify(&d->events, ports[0], d), VC_OK);
    assert_true(get(d->ram + 4096 + 2048, ports[0]));
    assert_int_equal(d->n_upcalls[0], 1);
}

/* ---- Between the look at a port and the lock of the vCPU that it notifies. ---- */

static uint32_t raced_port;
static void closes(struct rig_domain *d) { assert_int_equal(rig_port_op(d, EVTCHNOP_close, raced_port), 0); }
static void closes_and_makes_another(struct rig_domain *d)
{
    uint32_t port;

    closes(d);
    assert_int_equal(rig_ipi(d, 2, &port), 0);
    assert_int_equal(port, raced_port);
}
static void rebinds(struct rig_domain *d) { assert_int_equal(rig_bind_vcpu(d, raced_port, 2), 0); }
static void sender_closes(struct rig_domain *d) { assert_int_equal(rig_port_op(d + 1, EVTCHNOP_close, raced_port), 0); }
static uint32_t receiving_port;
static void receiver_closes(struct rig_domain *d)
{
    assert_int_equal(rig_port_op(d, EVTCHNOP_close, receiving_port), 0);
}

static const struct {
    const char *name;
    enum vc_event_kind kind;
    void (*race)(struct rig_domain *d);
    int64_t result; /* of the send */
    int upcalled;   /* the vCPU, or nobody */
} races[] = {
    {"an ipi is closed", VC_EVENT_IPI, closes, -XEN_EINVAL, -1},
    {"an ipi is another by now", VC_EVENT_IPI, closes_and_makes_another, 0, 2},
    {"a door's notifies another vCPU", VC_EVENT_DOOR, rebinds, VC_OK, 2},
    {"a door's is closed", VC_EVENT_DOOR, closes, VC_ENOENT, -1},
    {"a door's is another by now", VC_EVENT_DOOR, closes_and_makes_another, VC_ENOENT, -1},
    {"another vCPU closes the sender's end", VC_EVENT_INTERDOMAIN, sender_closes, -XEN_EINVAL, -1},
    {"the peer closes its end: nobody hears it", VC_EVENT_INTERDOMAIN, receiver_closes, 0, -1},
    {"a virq is closed", VC_EVENT_VIRQ, closes, 0, -1},
    {"a virq notifies another vCPU", VC_EVENT_VIRQ, rebinds, 0, 2},
};
static void ports_change_while_they_are_raised(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(races); i++) {
        struct rig *r = rig_new(&(struct rig_shape){0});
        struct rig_domain *d = &r->domains[0];
        uint32_t port, remote, unused;
        int64_t result = 0;

        vc_shared_info_place(&d->shared, 1);
        switch (races[i].kind) {
        case VC_EVENT_IPI: rig_ipi(d, 1, &port); break;
        case VC_EVENT_DOOR: vc_events_open(&d->events, d, VC_DOOR_GUEST, &port); break;
        case VC_EVENT_VIRQ: rig_virq(d, VIRQ_CONSOLE, 0, &port); break;
        default:
            rig_unbound_port(d, 0, &unused); /* so that the ends have two numbers */
            rig_unbound_port(d, 2, &port);
            rig_interdomain(d + 1, 1, port, &remote);
        }
        receiving_port = port;
        raced_port = races[i].kind == VC_EVENT_INTERDOMAIN ? remote : port;
        rig_raced = d;
        rig_race = races[i].race;
        if (races[i].kind == VC_EVENT_DOOR)
            result = vc_events_notify(&d->events, port, d);
        else if (races[i].kind == VC_EVENT_VIRQ)
            vc_events_virq(&d->events, 0, VIRQ_CONSOLE);
        else /* by domain 2 to domain 1's vCPU, if it is a channel */
            result = rig_send(races[i].kind == VC_EVENT_INTERDOMAIN ? d + 1 : d, raced_port);
        assert_null(rig_race);
        if (result != races[i].result)
            fail_msg("%s: %d", races[i].name, (int)result);
        for (int v = 0; v < 3; v++)
            if (d->n_upcalls[v] != (v == races[i].upcalled))
                fail_msg("%s: vCPU %d has %u upcalls", races[i].name, v, d->n_upcalls[v]);
        if (get(d->ram + 4096 + 2048, port) != (races[i].upcalled >= 0))
            fail_msg("%s: pending", races[i].name);
    }
}

static void rebound_while_it_is_unmasked(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    vc_events_open(&d->events, d, VC_DOOR_GUEST, &raced_port);
    rig_page(d, 1)->evtchn_mask[0] = rig_page(d, 1)->evtchn_pending[0] = UINT64_C(1) << raced_port;
    rig_raced = d;
    rig_race = rebinds;
    assert_int_equal(rig_port_op(d, EVTCHNOP_unmask, raced_port), 0);
    assert_null(rig_race);
    assert_int_equal(d->n_upcalls[0], 0);
    assert_int_equal(d->n_upcalls[2], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(unmask),
        cmocka_unit_test(an_edge_at_a_masked_port_is_lost_when_cleared_by_hand),
        cmocka_unit_test(a_guest_that_scribbles_on_its_page),
        cmocka_unit_test(ports_beyond_a_mode),
        cmocka_unit_test(no_event_before_registration),
        cmocka_unit_test(a_dropped_upcall_is_tried_again),
        cmocka_unit_test(a_way_of_upcalls_is_set_late),
        cmocka_unit_test(poll_waits_until_an_event),
        cmocka_unit_test(an_event_between_the_look_and_the_sleep),
        cmocka_unit_test(masked_ports_end_a_poll),
        cmocka_unit_test(what_else_ends_a_poll),
        cmocka_unit_test(each_vcpu_has_its_own_pending_bits_at_first),
        cmocka_unit_test(hostile_polls),
        cmocka_unit_test(block_until_an_upcall),
        cmocka_unit_test(ports_change_while_they_are_raised),
        cmocka_unit_test(rebound_while_it_is_unmasked),
        cmocka_unit_test(pages_are_looked_up_once),
        cmocka_unit_test(memory_is_remapped),
        cmocka_unit_test(memory_is_taken_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
