/* SPDX-License-Identifier: MIT */
/* The guest's drivers alone, against a hypervisor and a backend that say what they like. */
#include "console_io.h"
#include "random.h"
#include "spew.h"
#include "unit.h"
#include "xen_console.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT       7u
#define VIRQ_PORT  9u
#define WRITES_MAX 65536u

struct fake { /* a hypervisor that records, and answers as told */
    struct xencons_interface *page;
    int64_t write_result, read_result, poll_result, time, bind_result;
    const char *input; /* what CONSOLEIO_read gives */
    uint64_t evtchn, pfn;
    int64_t param_result;
    bool no_page;
    uint32_t n_writes, n_reads, n_sends, n_yields, n_polls, n_ports, sent_port;
    uint64_t poll_until;
    uint8_t written[WRITES_MAX];
    size_t n_written;
    void (*on_wait)(struct fake *f); /* what the backend does while the guest waits */
};

static int64_t console_io(struct fake *f, uint64_t cmd, uint64_t n, uint64_t address)
{
    if (cmd == CONSOLEIO_write) {
        f->n_writes++;
        assert_true(f->n_written + n <= WRITES_MAX);
        if (f->write_result >= 0) {
            memcpy(f->written + f->n_written, (void *)(uintptr_t)address, n);
            f->n_written += n;
        }
        return f->write_result;
    }
    f->n_reads++;
    if (f->input == NULL)
        return f->read_result;
    n = n < strlen(f->input) ? n : strlen(f->input);
    memcpy((void *)(uintptr_t)address, f->input, n);
    f->input += n;
    return (int64_t)n;
}

static int64_t event_channel_op(struct fake *f, uint64_t op, uint64_t address)
{
    if (op == EVTCHNOP_send) {
        f->n_sends++;
        f->sent_port = ((struct evtchn_send *)(uintptr_t)address)->port;
        return 0;
    }
    assert_int_equal(op, EVTCHNOP_bind_virq);
    ((struct evtchn_bind_virq *)(uintptr_t)address)->port = VIRQ_PORT;
    return f->bind_result;
}

static int64_t sched_op(struct fake *f, uint64_t op, uint64_t address)
{
    if (op == SCHEDOP_poll) {
        const struct sched_poll *poll = (void *)(uintptr_t)address;

        f->n_polls++;
        f->n_ports = poll->nr_ports;
        f->poll_until = poll->timeout;
        if (f->poll_result < 0)
            return f->poll_result;
    } else {
        f->n_yields++;
    }
    if (f->on_wait != NULL)
        f->on_wait(f);
    return 0;
}

static int64_t hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct fake *f = ctx;

    switch (nr) {
    case XEN_console_io: return console_io(f, a0, a1, a2);
    case XEN_event_channel_op: return event_channel_op(f, a0, a1);
    case XEN_sched_op: return sched_op(f, a0, a1);
    case VC_CALL_TIME: return f->time;
    case XEN_hvm_op: {
        struct xen_hvm_param *param = (void *)(uintptr_t)a1;

        param->value = param->index == HVM_PARAM_CONSOLE_PFN ? f->pfn : f->evtchn;
        return f->param_result;
    }
    default: return -XEN_ENOSYS;
    }
}

static void *map(void *ctx, uint64_t gpa, size_t bytes)
{
    struct fake *f = ctx;

    assert_int_equal(bytes, XENCONS_PAGE_BYTES);
    return f->no_page || gpa != f->pfn << 12 ? NULL : f->page;
}

struct setup { /* a driver on a page of exactly its size: the address sanitizer sees each step outside */
    struct fake fake;
    struct platform platform;
    struct xen_console x;
};

static struct setup *create(uint8_t flag)
{
    struct setup *s = calloc(1, sizeof *s);

    s->fake.page = calloc(1, sizeof *s->fake.page);
    s->fake.page->connection = flag;
    s->fake.time = 1000;
    s->platform = (struct platform){.ctx = &s->fake, .hypercall = hypercall, .map = map};
    xen_console_init(&s->x, &s->platform, s->fake.page, PORT, "hvc0");
    return s;
}

static void destroy(struct setup *s)
{
    free(s->fake.page);
    free(s);
}

static size_t put(struct setup *s, const void *bytes, size_t n) { return s->x.hvc.driver->put(&s->x.hvc, bytes, n); }

/* Xen ABI 11, seen from a frontend that knows the flag and console_io. */
static const struct {
    const char *name;
    uint8_t builder;              /* what the builder left in the page */
    bool backend_writes;          /* a new backend: 0 at its attach */
    bool ring_before, ring_after; /* where output goes before and after the attach */
} flag_rows[] = {
    {"old backend, old builder", 0, false, true, true},
    {"new backend, old builder", 0, true, true, true},
    {"new backend, new builder: the intended case", 1, true, false, true},
    {"old backend, new builder: nothing is lost, all goes by hypercall", 1, false, false, false},
    {"any other value is connected", 2, false, true, true},
    {"any other value is connected, all bits", 255, true, true, true},
};

static void expect_way(struct setup *s, const char *name, bool ring)
{
    uint32_t prod = s->fake.page->out_prod, sends = s->fake.n_sends, writes = s->fake.n_writes;

    if (put(s, "abc", 3) != 3)
        fail_msg("%s: not taken", name);
    if (s->fake.page->out_prod != prod + (ring ? 3 : 0) || s->fake.n_sends != sends + (ring ? 1 : 0) ||
        s->fake.n_writes != writes + (ring ? 0 : 1))
        fail_msg("%s: went the wrong way, or both", name);
}

static void test_flag_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(flag_rows); i++) {
        struct setup *s = create(flag_rows[i].builder);

        expect_way(s, flag_rows[i].name, flag_rows[i].ring_before);
        s->fake.page->out_cons = s->fake.page->out_prod; /* attach: drain, then the flag */
        if (flag_rows[i].backend_writes)
            s->fake.page->connection = XENCONSOLE_CONNECTED;
        expect_way(s, flag_rows[i].name, flag_rows[i].ring_after);
        memcpy(s->fake.page->in, "key", 3); /* input works whatever the flag says */
        s->fake.page->in_prod = 3;
        char got[8] = "";
        if (hvc_read(&s->x.hvc, got, sizeof got) != 3 || strcmp(got, "key") != 0 || s->fake.page->in_cons != 3)
            fail_msg("%s: input", flag_rows[i].name);
        destroy(s);
    }
}

static void test_order_of_input(void **state)
{
    struct setup *s = create(XENCONSOLE_DISCONNECTED);
    char got[8] = "";

    (void)state;
    s->fake.page->in[0] = '1';
    s->fake.page->in_prod = 1;
    s->fake.input = "2";
    assert_int_equal(hvc_read(&s->x.hvc, got, 8), 1); /* the ring first: put there before the flag went */
    assert_int_equal(got[0], '1');
    assert_int_equal(hvc_read(&s->x.hvc, got, 8), 1);
    assert_int_equal(got[0], '2');
    assert_int_equal(hvc_read(&s->x.hvc, got, 8), 0);
    s->fake.page->connection = XENCONSOLE_CONNECTED;
    s->fake.input = "3";
    assert_int_equal(hvc_read(&s->x.hvc, got, 8), 0); /* connected: the hypercall is not asked */
    destroy(s);
}

static void test_one_event_a_batch(void **state)
{
    struct setup *s = create(0);
    uint8_t bytes[3000] = {0}, got[16];

    (void)state;
    assert_int_equal(put(s, bytes, 100), 100);
    assert_int_equal(put(s, bytes, 3000), 1948);
    assert_int_equal(s->fake.n_sends, 2);
    assert_int_equal(s->fake.sent_port, PORT);
    assert_int_equal(put(s, bytes, 1), 0); /* full: no event without a change */
    assert_int_equal(hvc_read(&s->x.hvc, got, sizeof got), 0);
    assert_int_equal(s->fake.n_sends, 2);
    destroy(s);
}

/* That input was taken is told with the next output, or when there is no more; and once. */
static void test_event_for_input(void **state)
{
    struct setup *s = create(0);
    uint8_t got[4];

    (void)state;
    s->fake.page->in_prod = 10;
    assert_int_equal(hvc_read(&s->x.hvc, got, 4), 4);
    assert_int_equal(s->fake.n_sends, 0);
    assert_int_equal(put(s, "a", 1), 1);
    assert_int_equal(s->fake.n_sends, 1); /* with the echo */
    assert_int_equal(hvc_read(&s->x.hvc, got, 4), 4);
    assert_int_equal(hvc_read(&s->x.hvc, got, 4), 2);
    assert_int_equal(s->fake.n_sends, 1);
    assert_int_equal(hvc_read(&s->x.hvc, got, 4), 0);
    assert_int_equal(s->fake.n_sends, 2); /* no more */
    assert_int_equal(hvc_read(&s->x.hvc, got, 4), 0);
    assert_int_equal(s->fake.n_sends, 2);
    destroy(s);
}

static void drain_all(struct fake *f) { __atomic_store_n(&f->page->out_cons, f->page->out_prod, __ATOMIC_SEQ_CST); }
static void disconnect(struct fake *f) { f->page->connection = XENCONSOLE_DISCONNECTED; }

static const struct {
    const char *name;
    int64_t time, poll_result;
    void (*on_wait)(struct fake *f);
    uint32_t n_polls, n_yields, n_writes; /* for 2048 + 10 bytes */
    uint64_t until;
} full_rows[] = {
    {"polls with a limit", 5000, 0, drain_all, 1, 0, 0, 5000 + HVC_FULL_WAIT_NS},
    {"no clock: yields, for the flag may change without an event", 0, 0, drain_all, 0, 1, 0, 0},
    {"no clock, refused", -XEN_ENOSYS, 0, drain_all, 0, 1, 0, 0},
    {"poll refused: yields", 5000, -XEN_ENOSYS, drain_all, 1, 1, 0, 5000 + HVC_FULL_WAIT_NS},
    {"disconnected while it waits: the rest by hypercall", 5000, 0, disconnect, 1, 0, 1, 5000 + HVC_FULL_WAIT_NS},
};

static void test_full_ring_waits(void **state)
{
    static const uint8_t bytes[XENCONS_OUT_SIZE + 10] = {1};

    (void)state;
    for (size_t i = 0; i < N_ROWS(full_rows); i++) {
        struct setup *s = create(0);

        s->fake.time = full_rows[i].time;
        s->fake.poll_result = full_rows[i].poll_result;
        s->fake.on_wait = full_rows[i].on_wait;
        hvc_write(&s->x.hvc, bytes, sizeof bytes);
        if (s->fake.n_polls != full_rows[i].n_polls || s->fake.n_yields != full_rows[i].n_yields ||
            s->fake.n_writes != full_rows[i].n_writes || s->fake.poll_until != full_rows[i].until)
            fail_msg("%s: %u polls, %u yields, %u writes", full_rows[i].name, s->fake.n_polls, s->fake.n_yields,
                     s->fake.n_writes);
        assert_int_equal(s->fake.page->out_prod + s->fake.n_written, sizeof bytes);
        destroy(s);
    }
}

static const struct {
    const char *name;
    uint8_t flag;
    int64_t bind_result, time;
    uint32_t n_ports, n_yields;
    bool limited;
} idle_rows[] = {
    {"connected: both ports, no limit", 0, 0, 1, 2, 0, false},
    {"connected, no virq: its port alone", 0, -XEN_EINVAL, 1, 1, 0, false},
    {"disconnected with a virq: no limit", 1, 0, 1, 2, 0, false},
    {"disconnected without: looks again soon", 1, -XEN_EPERM, 1, 0, 0, true},
    {"disconnected without, no clock: yields", 1, -XEN_EPERM, 0, 0, 1, false},
};

static void test_idle(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(idle_rows); i++) {
        struct setup *s = create(idle_rows[i].flag);
        struct hvc *hvc = &s->x.hvc;

        s->fake.bind_result = idle_rows[i].bind_result;
        s->fake.time = idle_rows[i].time;
        xen_console_init(&s->x, &s->platform, s->fake.page, PORT, "hvc0");
        hvc_idle(&hvc, 1);
        if (s->fake.n_ports != idle_rows[i].n_ports || s->fake.n_yields != idle_rows[i].n_yields ||
            (s->fake.poll_until != 0) != idle_rows[i].limited)
            fail_msg("%s", idle_rows[i].name);
        destroy(s);
    }
}

/* Rule R35: indices of a hostile backend. The table's are relative to ours, which stand at 100. */
static const struct {
    const char *name;
    uint32_t out_cons, in_prod;
    bool out_ok, in_ok;
    uint32_t room, waiting;
} hostile_rows[] = {
    {"empty", 0, 0, true, true, 2048, 0},
    {"full", (uint32_t)-2048, 1024, true, true, 0, 1024},
    {"one more than fits", (uint32_t)-2049, 1025, false, false, 0, 0},
    {"consumer ahead of producer, producer behind consumer", 1, (uint32_t)-1, false, false, 0, 0},
    {"half the space away", 1u << 31, 1u << 31, false, false, 0, 0},
    {"only output is bad", 5, 10, false, true, 0, 10},
    {"only input is bad", (uint32_t)-10, 5000, true, false, 2038, 0},
};

static void test_hostile_indices(void **state)
{
    static uint8_t bytes[4096];

    (void)state;
    for (size_t i = 0; i < N_ROWS(hostile_rows); i++) {
        struct setup *s = create(0);
        struct xencons_interface *page = s->fake.page;
        size_t n;

        page->out_prod = page->out_cons = page->in_prod = page->in_cons = 100;
        xen_console_resume(&s->x, PORT);
        page->out_cons = 100 + hostile_rows[i].out_cons;
        page->in_prod = 100 + hostile_rows[i].in_prod;
        n = put(s, bytes, sizeof bytes);
        /* bad: one chunk went by hypercall, and nobody waits for such a backend */
        assert_int_equal(n, hostile_rows[i].out_ok ? hostile_rows[i].room : CONSOLE_IO_CHUNK);
        assert_int_equal(s->fake.n_writes, hostile_rows[i].out_ok ? 0 : 1);
        assert_int_equal(page->out_prod, 100 + (hostile_rows[i].out_ok ? hostile_rows[i].room : 0));
        n = hvc_read(&s->x.hvc, bytes, sizeof bytes);
        assert_int_equal(n, hostile_rows[i].waiting);
        assert_int_equal(page->in_cons, 100 + hostile_rows[i].waiting);
        assert_int_equal(s->x.violations, !hostile_rows[i].out_ok + !hostile_rows[i].in_ok);
        page->out_cons = page->out_prod; /* it heals: by the ring again, from our own indices */
        page->in_prod = page->in_cons;
        expect_way(s, hostile_rows[i].name, true);
        destroy(s);
    }
}

/* Indices that are not legal from the start are taken up once they are. */
static void test_illegal_at_start(void **state)
{
    struct setup *s = create(0);
    uint8_t got[8];

    (void)state;
    s->fake.page->in_prod = 5000;
    xen_console_init(&s->x, &s->platform, s->fake.page, PORT, "hvc0");
    expect_way(s, "illegal input indices: use neither ring", false);
    assert_int_equal(hvc_read(&s->x.hvc, got, 8), 0);
    assert_int_equal(s->x.violations, 2);
    s->fake.page->in_cons = 4998;
    expect_way(s, "legal by now", true);
    assert_int_equal(hvc_read(&s->x.hvc, got, 8), 2);
    destroy(s);
}

/* Own indices live here: what the page says of them later is nobody's business. */
static void test_own_indices_are_private(void **state)
{
    struct setup *s = create(0);
    uint8_t got[8];

    (void)state;
    s->fake.page->in_prod = 4;
    s->fake.page->out_prod = 77;
    s->fake.page->in_cons = 3;
    assert_int_equal(put(s, "a", 1), 1);
    assert_int_equal(s->fake.page->out_prod, 1);
    assert_int_equal(hvc_read(&s->x.hvc, got, 8), 4);
    assert_int_equal(s->fake.page->in_cons, 4);
    destroy(s);
}

static void test_random_backend(void **state)
{
    struct setup *s = create(0);
    static uint8_t bytes[4096];
    uint64_t seed = 35;

    (void)state;
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t r = (uint32_t)random_next(&seed);
        size_t n = r % 5000, took;

        s->fake.page->out_cons = r & 1 ? s->fake.page->out_prod - r % 4096 : (uint32_t)random_next(&seed);
        s->fake.page->in_prod = r & 2 ? s->fake.page->in_cons + r % 2048 : (uint32_t)random_next(&seed);
        s->fake.page->connection = (uint8_t)(r >> 24);
        s->fake.n_written = 0;
        took = put(s, bytes, n < sizeof bytes ? n : sizeof bytes);
        assert_true(took <= n);
        took = hvc_read(&s->x.hvc, bytes, n < sizeof bytes ? n : sizeof bytes);
        assert_true(took <= XENCONS_IN_SIZE && took <= n);
    }
    assert_true(s->x.violations > 1000);
    destroy(s);
}

/* Results of hypercalls from a hypervisor that lies. */
static const struct {
    const char *name;
    int64_t result;
    size_t wanted;
} read_rows[] = {{"nothing", 0, 0},
                 {"all", 16, 16},
                 {"one more than asked", 17, 0},
                 {"huge", INT64_MAX, 0},
                 {"smallest", INT64_MIN, 0},
                 {"refused", -XEN_EPERM, 0},
                 {"past 32 bits", 1LL << 32, 0}};

static void test_console_io_read_results(void **state)
{
    struct setup *s = create(0);
    uint8_t got[16];

    (void)state;
    for (size_t i = 0; i < N_ROWS(read_rows); i++) {
        s->fake.read_result = read_rows[i].result;
        if (console_io_read(&s->platform, got, sizeof got) != read_rows[i].wanted)
            fail_msg("%s", read_rows[i].name);
    }
    destroy(s);
}

static void test_refused_writes_never_wait(void **state)
{
    static const uint8_t bytes[10000];
    struct setup *s = create(XENCONSOLE_DISCONNECTED);
    struct console_io io;

    (void)state;
    s->fake.write_result = -XEN_EPERM;
    hvc_write(&s->x.hvc, bytes, sizeof bytes);
    assert_int_equal(s->x.hvc.dropped, sizeof bytes);
    console_io_init(&io, &s->platform);
    hvc_write(&io.hvc, bytes, sizeof bytes);
    assert_int_equal(io.hvc.dropped, sizeof bytes);
    assert_int_equal(s->fake.n_writes, 6); /* chunks of 4 KiB */
    assert_int_equal(s->fake.n_polls + s->fake.n_yields, 0);
    destroy(s);
}

static const struct {
    const char *name;
    int64_t result;
    uint64_t evtchn, pfn;
    bool no_page, there;
} discover_rows[] = {
    {"there", 0, 3, 0xfeffc, false, true},
    {"no port", 0, 0, 0xfeffc, false, false},
    {"no frame", 0, 3, 0, false, false},
    {"refused", -XEN_EINVAL, 3, 0xfeffc, false, false},
    {"port of more than 32 bits", 0, 1ull << 32, 0xfeffc, false, false},
    {"frame whose address wraps", 0, 3, 1ull << 52, false, false},
    {"frame that is no memory", 0, 3, 0xfeffc, true, false},
};

static void test_discover(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(discover_rows); i++) {
        struct setup *s = create(0);

        s->x.hvc.port = 1234;
        s->fake.param_result = discover_rows[i].result;
        s->fake.evtchn = discover_rows[i].evtchn;
        s->fake.pfn = discover_rows[i].pfn;
        s->fake.no_page = discover_rows[i].no_page;
        if (xen_console_discover(&s->x, &s->platform) != (discover_rows[i].there ? VC_OK : VC_ENOENT) ||
            s->x.hvc.port != (discover_rows[i].there ? 3 : 1234))
            fail_msg("%s", discover_rows[i].name);
        destroy(s);
    }
}

static void test_resume_takes_the_new_page_up(void **state)
{
    struct setup *s = create(0);

    (void)state;
    assert_int_equal(put(s, "before", 6), 6);
    memset(s->fake.page, 0, sizeof *s->fake.page); /* Xen ABI 11: restore clears the page */
    xen_console_resume(&s->x, PORT + 1);
    expect_way(s, "after", true);
    assert_int_equal(s->fake.page->out_prod, 3);
    assert_int_equal(s->fake.sent_port, PORT + 1);
    destroy(s);
}

/* The odometer and the table against the words of spew.h, spelt out. */
static void naive_line(uint64_t i, uint32_t width, char *line)
{
    uint32_t n = (uint32_t)sprintf(line, "%llu", (unsigned long long)i);

    if (n < width)
        line[n++] = ' ';
    for (uint64_t k = 0; n < width; k++)
        line[n++] = SPEW_PATTERN[(i + k) % 64];
    strcpy(line + n, "\r\n");
}

static void test_spew_lines(void **state)
{
    static const uint32_t widths[] = {1, 2, 3, 7, 8, 78, 1023, 1024, 0, 5000};
    char line[SPEW_LINE_MAX], wanted[2048];

    (void)state;
    for (size_t w = 0; w < N_ROWS(widths); w++) {
        uint32_t width = widths[w] < 1 ? 1 : widths[w] > 1024 ? 1024 : widths[w];
        struct spew *spew = calloc(1, sizeof *spew);

        spew_init(spew, widths[w]);
        for (uint64_t i = 0; i < (width < 100 ? 110000 : 2000); i++) {
            uint32_t n = spew_line(spew, line);

            naive_line(i, width, wanted);
            if (n != strlen(wanted) || memcmp(line, wanted, n) != 0)
                fail_msg("line %llu, width %u: %.*s", (unsigned long long)i, width, (int)n, line);
        }
        free(spew);
    }
}

/* Linux since 7.1 (Xen ABI 1.5): while DISCONNECTED output is gone, and counted; then the ring again. */
static void test_dropping_while_disconnected(void **state)
{
    struct setup *s = create(XENCONSOLE_DISCONNECTED);

    (void)state;
    s->x.drops = true;
    assert_int_equal(put(s, "lost", 4), 4);
    assert_int_equal(s->x.hvc.dropped, 4);
    assert_int_equal(s->fake.n_writes + s->fake.n_sends + s->fake.page->out_prod, 0);
    s->fake.page->connection = XENCONSOLE_CONNECTED;
    assert_int_equal(put(s, "kept", 4), 4);
    assert_int_equal(s->x.hvc.dropped, 4);
    assert_memory_equal(s->fake.page->out, "kept", 4);
    destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flag_rows),
        cmocka_unit_test(test_order_of_input),
        cmocka_unit_test(test_one_event_a_batch),
        cmocka_unit_test(test_event_for_input),
        cmocka_unit_test(test_full_ring_waits),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_hostile_indices),
        cmocka_unit_test(test_illegal_at_start),
        cmocka_unit_test(test_own_indices_are_private),
        cmocka_unit_test(test_random_backend),
        cmocka_unit_test(test_console_io_read_results),
        cmocka_unit_test(test_refused_writes_never_wait),
        cmocka_unit_test(test_discover),
        cmocka_unit_test(test_resume_takes_the_new_page_up),
        cmocka_unit_test(test_spew_lines),
        cmocka_unit_test(test_dropping_while_disconnected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
