/* SPDX-License-Identifier: MIT */
/* Event channels and shared pages of one domain, saved, and restored as another with its memory. */
#include "event_rig.h"
#include <stdlib.h>
#include <vcons/save.h>

static int doors[3];

static uint32_t number_of(void *ctx, const void *door)
{
    (void)ctx;
    return (uint32_t)((const int *)door - doors);
}
static void *door_of(void *ctx, uint32_t number)
{
    (void)ctx;
    return number < 3 ? &doors[number] : NULL;
}
static const struct vc_save_doors door_numbers = {.number = number_of, .door = door_of};

struct saved { /* both sections */
    uint8_t bytes[262144];
    size_t shared_bytes, bytes_in_all;
};

static void save(struct rig_domain *d, struct saved *s)
{
    struct vc_writer w;

    vc_writer_init(&w, s->bytes, VC_SAVE_SHARED_INFO_BYTES(d->shared.n_vcpus));
    vc_shared_info_save(&d->shared, &w);
    assert_true(vc_writer_ok(&w));
    s->shared_bytes = w.n;
    vc_writer_init(&w, s->bytes + s->shared_bytes, VC_SAVE_EVENTS_BYTES(d->events.n_ports, d->shared.n_vcpus));
    vc_events_save(&d->events, &door_numbers, &w);
    assert_true(vc_writer_ok(&w));
    s->bytes_in_all = s->shared_bytes + w.n;
}

static int restore_shared(struct rig_domain *d, const uint8_t *bytes, size_t n)
{
    struct vc_reader r;
    struct vc_section s;
    bool there;

    vc_reader_init(&r, bytes, n);
    return vc_read_section(&r, &s, &there) != VC_OK || !there ? VC_EINVAL : vc_shared_info_restore(&d->shared, &s);
}

static int restore_events(struct rig_domain *d, const uint8_t *bytes, size_t n)
{
    struct vc_reader r;
    struct vc_section s;
    bool there;

    vc_reader_init(&r, bytes, n);
    return vc_read_section(&r, &s, &there) != VC_OK || !there ? VC_EINVAL
                                                              : vc_events_restore(&d->events, &door_numbers, &s);
}

/* Domain 1 becomes domain 2, with its memory. */
static struct rig_domain *become(struct rig_domain *d, const struct saved *s)
{
    struct rig_domain *e = &d->rig->domains[1];

    memcpy(e->ram, d->ram, sizeof e->ram);
    assert_int_equal(restore_shared(e, s->bytes, s->shared_bytes), VC_OK);
    assert_int_equal(restore_events(e, s->bytes + s->shared_bytes, s->bytes_in_all - s->shared_bytes), VC_OK);
    return e;
}

enum { CONSOLE = 1, GUESTS, TIMER, IPI, WAITS, LOOP_A, LOOP_B, PEER }; /* ports of busy, in their order */

/* A domain with a port of each kind, a vcpu_info of its own, areas, and events pending. */
static struct rig_domain *busy(const struct rig_shape *shape)
{
    struct rig_domain *d = rig_one(shape);
    uint32_t port, theirs;

    assert_int_equal(vc_events_open(&d->events, &doors[1], VC_DOOR_SEND, &port), VC_OK);
    assert_int_equal(port, CONSOLE);
    assert_int_equal(rig_unbound_port(d, 0, &port), 0);
    assert_int_equal(vc_events_bind(&d->events, &doors[2], port), VC_OK);
    assert_int_equal(rig_virq(d, VIRQ_TIMER, 1, &port), 0);
    assert_int_equal(rig_ipi(d, 2, &port), 0);
    assert_int_equal(rig_unbound_port(d, 0, &port), 0);
    assert_int_equal(rig_unbound_port(d, 1, &port), 0);
    assert_int_equal(rig_interdomain(d, 1, LOOP_A, &port), 0);
    assert_int_equal(rig_unbound_port(&d->rig->domains[1], 1, &theirs), 0);
    assert_int_equal(rig_interdomain(d, 2, theirs, &port), 0);
    assert_int_equal(port, PEER);
    vc_events_reset(&d->rig->domains[1].events); /* who is to be restored into it is fresh */
    assert_int_equal(rig_interdomain(d, 2, theirs, &port), -XEN_EINVAL);
    return d;
}

static void place(struct rig_domain *d)
{
    assert_int_equal(vc_shared_info_place(&d->shared, 3), 0);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 2, 5, 128), 0);
    memset(d->n_upcalls, 0, sizeof d->n_upcalls);
}

static bool is_pending(struct rig_domain *d, uint32_t port)
{
    return (rig_page(d, 3)->evtchn_pending[port / 64] >> port % 64 & 1) != 0;
}

static bool same(const struct vc_event_binding *a, const struct vc_event_binding *b)
{
    return a->kind == b->kind && a->vcpu == b->vcpu && a->virq == b->virq && a->remote_dom == b->remote_dom &&
           a->remote_port == b->remote_port && a->door == b->door;
}

static void everything_comes_back(void **state)
{
    static const struct vc_event_binding wanted[] = {
        [CONSOLE] = {.kind = VC_EVENT_DOOR, .door = &doors[1]},
        [GUESTS] = {.kind = VC_EVENT_DOOR, .door = &doors[2]},
        [TIMER] = {.kind = VC_EVENT_VIRQ, .vcpu = 1, .virq = VIRQ_TIMER},
        [IPI] = {.kind = VC_EVENT_IPI, .vcpu = 2},
        [WAITS] = {.kind = VC_EVENT_UNBOUND, .remote_dom = 0},
        [LOOP_A] = {.kind = VC_EVENT_INTERDOMAIN, .remote_dom = 2, .remote_port = LOOP_B},
        [LOOP_B] = {.kind = VC_EVENT_INTERDOMAIN, .remote_dom = 2, .remote_port = LOOP_A},
    };
    static struct saved s;
    struct rig_domain *d = busy(&(struct rig_shape){0}), *e;
    uint32_t port;

    (void)state;
    place(d);
    save(d, &s);
    e = become(d, &s);
    for (port = 1; port < N_ROWS(wanted); port++) {
        struct vc_event_binding b;

        assert_int_equal(vc_events_look(&e->events, port, &b), VC_OK);
        if (!same(&b, &wanted[port]))
            fail_msg("port %u is kind %d of vCPU %u, virq %u, remote %u/%u", port, b.kind, b.vcpu, b.virq, b.remote_dom,
                     b.remote_port);
    }
    /* They do what they did, to the restored domain's pages. */
    memset(rig_page(e, 3)->evtchn_pending, 0, sizeof rig_page(e, 3)->evtchn_pending);
    memset(d->ram + 3 * 4096, 0, 4096);
    memset(e->ram + 3 * 4096, 0, XEN_LEGACY_MAX_VCPUS * sizeof(struct vcpu_info_x86_64));
    assert_int_equal(rig_send(e, LOOP_A), 0);
    assert_true(is_pending(e, LOOP_B) && !is_pending(d, LOOP_B));
    vc_events_virq(&e->events, 1, VIRQ_TIMER);
    assert_true(is_pending(e, TIMER));
    assert_int_equal(e->n_upcalls[1], 1);
    assert_int_equal(rig_send(e, CONSOLE), 0);
    assert_ptr_equal(e->sent_to, &doors[1]);
    assert_int_equal(vc_events_notify(&e->events, GUESTS, &doors[2]), VC_OK);
    /* What was private is, what was the guest's is unbound again when its door goes. */
    assert_int_equal(rig_port_op(e, EVTCHNOP_close, CONSOLE), -XEN_EINVAL);
    assert_int_equal(vc_events_close(&e->events, GUESTS, &doors[2]), VC_OK);
    assert_int_equal(vc_events_bind(&e->events, &doors[2], GUESTS), VC_OK);
    /* The virq is taken, the numbers are, and the next free one is free. */
    assert_int_equal(rig_virq(e, VIRQ_TIMER, 1, &port), -XEN_EEXIST);
    assert_int_equal(rig_ipi(e, 0, &port), 0);
    assert_int_equal(port, PEER + 1);
}

static void vcpu_info_stays_where_it_was(void **state)
{
    static struct saved s;
    struct rig_domain *d = busy(&(struct rig_shape){0}), *e;
    uint8_t *info;

    (void)state;
    place(d);
    save(d, &s);
    e = become(d, &s);
    assert_true(vc_shared_info_gpa(&e->shared, 2) == 5 * 4096 + 128);
    assert_true(vc_shared_info_gpa(&e->shared, 1) == 3 * 4096 + sizeof(struct vcpu_info_x86_64));
    assert_int_equal(e->moved_to[2], 5 * 4096 + 128);
    info = e->ram + 5 * 4096 + 128;
    memset(info, 0, sizeof(struct vcpu_info_x86_64));
    assert_int_equal(rig_send(e, IPI), 0);
    assert_int_equal(info[0], 1);
    assert_int_equal(e->n_upcalls[2], 1);
    assert_int_equal(vc_shared_info_register(&e->shared, 2, 2, 6, 0), -XEN_EINVAL); /* one time only */
}

/* A channel to somebody else is as if that had closed it. */
static void peers_are_gone(void **state)
{
    static struct saved s;
    struct rig_domain *d = rig_one(&(struct rig_shape){0}), *e = &d->rig->domains[1];
    struct vc_event_binding b;
    uint32_t port, theirs;

    (void)state;
    assert_int_equal(rig_unbound_port(e, 1, &theirs), 0);
    assert_int_equal(rig_interdomain(d, 2, theirs, &port), 0);
    save(d, &s);
    vc_events_reset(&d->events);
    vc_events_reset(&e->events);
    assert_int_equal(restore_shared(d, s.bytes, s.shared_bytes), VC_OK);
    assert_int_equal(restore_events(d, s.bytes + s.shared_bytes, s.bytes_in_all - s.shared_bytes), VC_OK);
    assert_int_equal(vc_events_look(&d->events, port, &b), VC_OK);
    assert_int_equal(b.kind, VC_EVENT_UNBOUND);
    assert_int_equal(b.remote_dom, 2);
}

/* What is pending while there is no page to see it in. */
static void pending_before_shared_info(void **state)
{
    static struct saved s;
    struct rig_domain *d = busy(&(struct rig_shape){0}), *e;
    struct sched_poll poll = {.ports = LIST, .nr_ports = 1, .timeout = 1};
    uint32_t port = CONSOLE;

    (void)state;
    assert_int_equal(vc_events_notify(&d->events, CONSOLE, &doors[1]), VC_OK);
    save(d, &s);
    e = become(d, &s);
    memcpy(e->ram + ARGS, &poll, sizeof poll);
    memcpy(e->ram + LIST, &port, sizeof port);
    assert_int_equal(vc_events_sched_op(&e->events, e, 0, SCHEDOP_poll, ARGS), 0);
    assert_int_equal(e->n_waits, 0); /* it was pending */
    assert_int_equal(vc_shared_info_place(&e->shared, 3), 0);
    assert_true(is_pending(e, CONSOLE));
}

static void areas_and_times(void **state)
{
    static struct saved s;
    struct rig_domain *d = busy(&(struct rig_shape){0}), *e;
    const uint64_t area = 7 * 4096 - 16;
    struct vcpu_runstate_info run;
    struct vcpu_time_info time = {.system_time = 77, .tsc_to_system_mul = 1}, seen;

    (void)state;
    place(d);
    memcpy(d->ram + ARGS, &(uint64_t){0x100000 + area}, 8);
    assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 1, VCPUOP_register_vcpu_time_memory_area, 1, ARGS), 0);
    vc_shared_info_runstate(&d->shared, 1, RUNSTATE_running, 1000);
    vc_shared_info_runstate(&d->shared, 1, RUNSTATE_blocked, 1500);
    vc_shared_info_time(&d->shared, 1, &time);
    save(d, &s);
    e = become(d, &s);
    vc_shared_info_runstate_get(&e->shared, 1, &run);
    assert_int_equal(run.state, RUNSTATE_blocked);
    assert_int_equal(run.time[RUNSTATE_running], 500);
    time.system_time = 78;
    vc_shared_info_time(&e->shared, 1, &time);
    memcpy(&seen, e->ram + area, sizeof seen);
    assert_int_equal(seen.system_time, 78);
    assert_int_equal(seen.version, 4); /* two told before, two after: a reader who slept over it sees a change */
}

/* ---- Refused. ---- */

/* A number of the events' section, which begins at byte 0: its head, then 5 words, then 9 words a port. */
#define WORD(n)        (16 + 4 * (n))
#define FIELD(port, n) WORD(5 + 9 * ((port)-1) + (n))
enum { F_PORT, F_KIND, F_RIGHTS, F_MADE, F_VCPU, F_VIRQ, F_DOM, F_REMOTE, F_DOOR };

static bool is_empty(const struct rig_domain *d)
{
    struct rig_domain *e = (struct rig_domain *)(uintptr_t)d;
    struct vc_event_binding b;
    uint32_t port = 0;

    for (uint32_t i = 1; i < e->events.n_ports; i++)
        if (vc_events_look(&e->events, i, &b) != VC_OK || b.kind != VC_EVENT_FREE)
            return false;
    return rig_virq(e, VIRQ_TIMER, 1, &port) == 0 && port == 1 && rig_port_op(e, EVTCHNOP_close, 1) == 0;
}

static void events_refused(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint32_t value;
    } rows[] = {
        {"another tag", 0, VC_SAVE_SHARED_INFO},
        {"version 2", 4, 2},
        {"no such domid", WORD(0), 0x10000},
        {"4 vCPUs of 3", WORD(1), 4},
        {"1 word a row", WORD(2), 1},
        {"2^32 - 1 ports", WORD(3), UINT32_MAX},
        {"one port more than there is", WORD(3), 9},
        {"one port fewer", WORD(3), 7},
        {"reserved", WORD(4), 1},
        {"port 0", FIELD(1, F_PORT), 0},
        {"port 4096", FIELD(1, F_PORT), 4096},
        {"port 2^32 - 1", FIELD(1, F_PORT), UINT32_MAX},
        {"a port twice", FIELD(2, F_PORT), CONSOLE},
        {"a free one", FIELD(1, F_KIND), VC_EVENT_FREE},
        {"kind 6", FIELD(1, F_KIND), VC_EVENT_DOOR + 1},
        {"rights beyond all", FIELD(1, F_RIGHTS), 8},
        {"rights of an IPI", FIELD(IPI, F_RIGHTS), 1},
        {"made twice", FIELD(GUESTS, F_MADE), 2},
        {"an IPI that a guest made for the backend", FIELD(IPI, F_MADE), 1},
        {"vCPU 3 of 3", FIELD(IPI, F_VCPU), 3},
        {"vCPU 2^31", FIELD(IPI, F_VCPU), 1u << 31},
        {"virq 24", FIELD(TIMER, F_VIRQ), NR_VIRQS},
        {"a virq of an IPI", FIELD(IPI, F_VIRQ), 1},
        {"a peer of an IPI", FIELD(IPI, F_DOM), 1},
        {"domid 65536", FIELD(WAITS, F_DOM), 0x10000},
        {"a port of nobody yet", FIELD(WAITS, F_REMOTE), 1},
        {"remote port 4096", FIELD(LOOP_A, F_REMOTE), 4096},
        {"to itself, port 0", FIELD(LOOP_A, F_REMOTE), 0},
        {"to itself, a port that is free", FIELD(LOOP_A, F_REMOTE), 100},
        {"to itself, a port that is something else", FIELD(LOOP_A, F_REMOTE), TIMER},
        {"to itself, a port that names another", FIELD(LOOP_A, F_REMOTE), LOOP_A},
        {"no door 3", FIELD(CONSOLE, F_DOOR), 3},
        {"a door of an IPI", FIELD(IPI, F_DOOR), 1},
        {"a virq bound twice", FIELD(IPI, F_KIND), VC_EVENT_VIRQ}, /* VIRQ_TIMER of vCPU 2; see below */
    };
    static struct saved s, bad;
    struct rig_domain *d, *e;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint8_t *section;

        d = busy(&(struct rig_shape){0});
        place(d);
        save(d, &s);
        bad = s;
        section = bad.bytes + bad.shared_bytes;
        memcpy(section + rows[i].at, &rows[i].value, 4);
        if (rows[i].at == FIELD(IPI, F_KIND))
            memcpy(section + FIELD(IPI, F_VCPU), &(uint32_t){1}, 4);
        e = &d->rig->domains[1];
        memcpy(e->ram, d->ram, sizeof e->ram);
        assert_int_equal(restore_shared(e, bad.bytes, bad.shared_bytes), VC_OK);
        if (restore_events(e, section, bad.bytes_in_all - bad.shared_bytes) != VC_EINVAL || !is_empty(e))
            fail_msg("taken: %s", rows[i].name);
    }
}

/* The shared section: head, 12 words of its own, then 28 words a vCPU. */
#define VCPU(vcpu, n) WORD(12 + 28 * (vcpu) + (n))

static void shared_info_refused(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint32_t value;
    } rows[] = {
        {"another tag", 0, VC_SAVE_EVENTS},
        {"version 0", 4, 0},
        {"no ABI", WORD(0), 3},
        {"Arm's on x86", WORD(0), VC_ABI_ARM64},
        {"of another machine", WORD(1), VC_ABI_ARM64},
        {"2 vCPUs of 3", WORD(2), 2},
        {"placed twice", WORD(3), 2},
        {"a frame that is none", WORD(4), RIG_PAGES},
        {"a frame beyond 2^52", WORD(5), 0xffffffff},
        {"an odd version of the wall clock", WORD(9), 1},
        {"runstate flag 2", WORD(10), 2},
        {"reserved", WORD(11), 1},
        {"registered twice", VCPU(2, 0), 2},
        {"dropped twice", VCPU(2, 1), 2},
        {"not registered, but somewhere", VCPU(1, 2), 0},
        {"registered, unaligned", VCPU(2, 2), 5 * 4096 + 132},
        {"registered, across pages", VCPU(2, 2), 5 * 4096 + 4040},
        {"registered where no memory is", VCPU(2, 3), 1},
        {"an odd version of the time", VCPU(2, 4), 1},
        {"runstate 4", VCPU(2, 5), 4},
        {"a time area of 33 bytes", VCPU(0, 21), 33},
        {"a time area that begins nowhere", VCPU(0, 20), 0},
        {"a time area with more on its first page than there is", VCPU(0, 16), 4096 * 7 - 8},
        {"a time area whose second part does not begin a page", VCPU(0, 18), 4096 * 7 + 4},
        {"a time area where no memory is", VCPU(0, 18), RIG_PAGES * 4096},
    };
    static struct saved s;
    struct rig_domain *d, *e;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint64_t gfn;

        d = busy(&(struct rig_shape){0});
        place(d);
        memcpy(d->ram + ARGS, &(uint64_t){0x100000 + 7 * 4096 - 16}, 8);
        assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_register_vcpu_time_memory_area, 0, ARGS), 0);
        save(d, &s);
        memcpy(s.bytes + rows[i].at, &rows[i].value, 4);
        e = &d->rig->domains[1];
        memcpy(e->ram, d->ram, sizeof e->ram);
        if (restore_shared(e, s.bytes, s.shared_bytes) != VC_EINVAL || vc_shared_info_placed(&e->shared, &gfn))
            fail_msg("taken: %s", rows[i].name);
        if (vc_shared_info_register(&e->shared, 2, 2, 5, 128) != 0)
            fail_msg("not as before: %s", rows[i].name);
    }
}

/* Every byte turned over, and every length: taken or refused, but never more than that. What is taken can be used. */
static void any_byte(void **state)
{
    static struct saved s;
    struct rig_domain *d = busy(&(struct rig_shape){0}), *e = &d->rig->domains[1];
    unsigned taken = 0;

    (void)state;
    place(d);
    save(d, &s);
    memcpy(e->ram, d->ram, sizeof e->ram);
    for (size_t at = 0; at < s.bytes_in_all; at++) {
        s.bytes[at] ^= 0x41;
        if (restore_shared(e, s.bytes, s.shared_bytes) == VC_OK &&
            restore_events(e, s.bytes + s.shared_bytes, s.bytes_in_all - s.shared_bytes) == VC_OK) {
            taken++;
            for (uint32_t port = 1; port < 12; port++)
                (void)rig_send(e, port);
        }
        s.bytes[at] ^= 0x41;
        vc_events_reset(&e->events);
        vc_shared_info_reset(&e->shared);
    }
    assert_true(taken > 0 && taken < s.bytes_in_all);
    for (size_t n = 0; n < s.shared_bytes; n++)
        assert_int_equal(restore_shared(e, s.bytes, n), VC_EINVAL);
    for (size_t n = 0; n < s.bytes_in_all - s.shared_bytes; n++)
        assert_int_equal(restore_events(e, s.bytes + s.shared_bytes, n), VC_EINVAL);
    assert_true(is_empty(e));
}

/* A page that was saved after the event came, and one that was saved before its upcall was marked: nobody else would ever mark it. */
static void an_event_between_two_pages(void **state)
{
    static const struct {
        const char *name;
        bool pending, masked, selected, upcall;
        unsigned told;
    } rows[] = {{"nothing pending", false, false, false, false, 0},
                {"pending, and no more", true, false, false, false, 1},
                {"pending and selected", true, false, true, false, 1},
                {"all of it: but is its interrupt?", true, false, true, true, 1},
                {"only the upcall", false, false, false, true, 1},
                {"masked: the guest asks when it unmasks", true, true, false, false, 0}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        static struct saved s;
        struct rig_domain *d = busy(&(struct rig_shape){0}), *e;
        struct shared_info_x86_64 *page;
        struct vcpu_info_x86_64 *info;

        assert_int_equal(vc_shared_info_place(&d->shared, 3), 0);
        page = rig_page(d, 3);
        info = &page->vcpu_info[2]; /* of IPI's */
        memset(page, 0, sizeof *page);
        page->evtchn_pending[0] = rows[i].pending ? UINT64_C(1) << IPI : 0;
        page->evtchn_mask[0] = rows[i].masked ? UINT64_C(1) << IPI : 0;
        info->evtchn_pending_sel = rows[i].selected;
        info->evtchn_upcall_pending = rows[i].upcall;
        save(d, &s);
        e = become(d, &s);
        memset(e->n_upcalls, 0, sizeof e->n_upcalls);
        vc_events_tell_again(&e->events);
        info = &rig_page(e, 3)->vcpu_info[2];
        if (e->n_upcalls[2] != rows[i].told ||
            (info->evtchn_upcall_pending != 0) != (rows[i].upcall || rows[i].told > 0) ||
            (info->evtchn_pending_sel != 0) != (rows[i].selected || (rows[i].pending && !rows[i].masked)))
            fail_msg("%s: %u upcalls", rows[i].name, (unsigned)e->n_upcalls[2]);
        assert_int_equal(e->n_upcalls[0] + e->n_upcalls[1], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(vcpu_info_stays_where_it_was),
        cmocka_unit_test(peers_are_gone),
        cmocka_unit_test(pending_before_shared_info),
        cmocka_unit_test(areas_and_times),
        cmocka_unit_test(events_refused),
        cmocka_unit_test(shared_info_refused),
        cmocka_unit_test(any_byte),
        cmocka_unit_test(an_event_between_two_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
