/* SPDX-License-Identifier: MIT */
/* The hypercall itself; what it has to do with the focus is in test_focus_weak_points.c. */
#include "unit.h"

#include <string.h>
#include <vcons/atomic.h>
#include <vcons/console_io.h>

#define RAM_BYTES 0x10000u

struct rig {
    uint8_t ram[RAM_BYTES]; /* guest addresses 0..RAM_BYTES */
    struct vc_console_io io;
    uint8_t log[RAM_BYTES];
    uint32_t n_log, accepts, accepts_per_wait;
    const char *input;
    unsigned n_go_on, stop_after; /* go_on says stop at that call; 0: never */
    uint32_t largest;
};

static bool inside(uint64_t at, uint32_t n) { return at < RAM_BYTES && n <= RAM_BYTES - at; }

static bool copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    struct rig *r = ctx;

    r->largest = n > r->largest ? n : r->largest;
    assert_true(from + (n - 1) >= from); /* env need not think of that */
    if (!inside(from, n))
        return false;
    memcpy(to, r->ram + from, n);
    return true;
}

static bool copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    struct rig *r = ctx;

    assert_true(to + (n - 1) >= to);
    if (!inside(to, n))
        return false;
    memcpy(r->ram + to, from, n);
    return true;
}

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct rig *r = ctx;

    n = n < r->accepts ? n : r->accepts;
    r->accepts -= n;
    memcpy(r->log + r->n_log, bytes, n);
    r->n_log += n;
    return n;
}

static uint32_t in(void *ctx, uint8_t *bytes, uint32_t n)
{
    struct rig *r = ctx;
    uint32_t have = (uint32_t)strlen(r->input);

    n = n < have ? n : have;
    memcpy(bytes, r->input, n);
    r->input += n;
    return n;
}

static bool go_on(void *ctx, bool full)
{
    struct rig *r = ctx;

    if (full)
        r->accepts += r->accepts_per_wait; /* the service made room */
    return ++r->n_go_on != r->stop_after;
}

static const struct vc_console_io_env env = {copy_in, copy_out, out, in, go_on};

static struct rig *rig_new(void)
{
    static struct rig r;

    memset(&r, 0, sizeof r);
    for (uint32_t i = 0; i < RAM_BYTES; i++)
        r.ram[i] = (uint8_t)(i * 7 + i / 255);
    r.accepts = UINT32_MAX;
    r.input = "";
    vc_console_io_init(&r.io, &env);
    return &r;
}

static int64_t call(struct rig *r, uint64_t cmd, uint64_t count, uint64_t buffer)
{
    struct vc_console_io_call c = {.cmd = cmd, .count = count, .buffer = buffer, .result = 12345};

    assert_true(vc_console_io(&r->io, r, &c));
    return c.result;
}

/* Xen ABI 2.1, and the bad input of the issue: outside memory, of maximal length, wrapping. */
static const struct {
    const char *name;
    uint64_t cmd, count, buffer;
    int64_t result;
    uint32_t written; /* bytes that reached the log */
} calls[] = {
    {"write: 0, not a count", CONSOLEIO_write, 5, 0x100, 0, 5},
    {"write nothing", CONSOLEIO_write, 0, 0x100, 0, 0},
    {"write nothing from nowhere", CONSOLEIO_write, 0, UINT64_MAX, 0, 0},
    {"write all of memory", CONSOLEIO_write, RAM_BYTES, 0, 0, RAM_BYTES},
    {"write from outside", CONSOLEIO_write, 1, RAM_BYTES, -XEN_EFAULT, 0},
    {"write over the end: whole chunks before it are out", CONSOLEIO_write, 4096, RAM_BYTES - 2000, -XEN_EFAULT, 1024},
    {"write of maximal length", CONSOLEIO_write, UINT32_MAX, 0, -XEN_EFAULT, RAM_BYTES},
    {"write that wraps", CONSOLEIO_write, 16, UINT64_MAX - 7, -XEN_EFAULT, 0},
    {"write of the last address", CONSOLEIO_write, 1, UINT64_MAX, -XEN_EFAULT, 0},
    {"count is an unsigned int", CONSOLEIO_write, UINT64_C(0x100000003), 0, 0, 3},
    {"cmd is an unsigned int", UINT64_C(0xffffffff00000000), 3, 0, 0, 3},
    {"read: nothing there", CONSOLEIO_read, 100, 0x100, 0, 0},
    {"read nothing", CONSOLEIO_read, 0, UINT64_MAX, 0, 0},
    {"read INT_MAX", CONSOLEIO_read, 0x7fffffff, 0x100, 0, 0},
    {"read more than INT_MAX", CONSOLEIO_read, 0x80000000u, 0x100, -XEN_E2BIG, 0},
    {"read UINT_MAX", CONSOLEIO_read, UINT32_MAX, 0x100, -XEN_E2BIG, 0},
    {"cmd 2", 2, 1, 0, -XEN_ENOSYS, 0},
    {"cmd of all ones", UINT64_MAX, 1, 0, -XEN_ENOSYS, 0},
};

static void results(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(calls); i++) {
        struct rig *r = rig_new();
        int64_t result = call(r, calls[i].cmd, calls[i].count, calls[i].buffer);

        if (result != calls[i].result || r->n_log != calls[i].written)
            fail_msg("%s: %lld, %u written", calls[i].name, (long long)result, r->n_log);
        if (r->n_log > 0)
            assert_memory_equal(r->log, r->ram + calls[i].buffer, r->n_log);
        assert_true(r->largest <= 4096); /* "in chunks of at most 4 KiB" */
    }
}

static const struct {
    const char *name;
    bool may_read, may_write;
    int64_t read, write, other;
} permissions[] = {
    {"is_console", true, true, 0, 0, -XEN_ENOSYS},
    {"may only write", false, true, -XEN_EPERM, 0, -XEN_ENOSYS},
    {"may only read", true, false, 0, -XEN_EPERM, -XEN_ENOSYS},
    {"neither", false, false, -XEN_EPERM, -XEN_EPERM, -XEN_EPERM},
};

static void without_leave(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(permissions); i++) {
        struct rig *r = rig_new();

        r->io.may_read = permissions[i].may_read;
        r->io.may_write = permissions[i].may_write;
        assert_int_equal(call(r, CONSOLEIO_read, 1, 0), permissions[i].read);
        assert_int_equal(call(r, CONSOLEIO_write, 1, 0), permissions[i].write);
        assert_int_equal(call(r, 7, 1, 0), permissions[i].other);
        assert_int_equal(r->n_log, permissions[i].may_write ? 1 : 0);
    }
}

static void reading(void **state)
{
    static char much[3001];
    struct rig *r = rig_new();

    (void)state;
    r->input = "hello world";
    assert_int_equal(call(r, CONSOLEIO_read, 5, 0x100), 5);
    assert_memory_equal(r->ram + 0x100, "hello", 5);
    assert_int_equal(call(r, CONSOLEIO_read, 100, 0x200), 6);
    assert_memory_equal(r->ram + 0x200, " world", 6);
    memset(much, 'm', 3000);
    r->input = much;
    assert_int_equal(call(r, CONSOLEIO_read, 2500, 0x300), 2500); /* more than one chunk */
    assert_memory_equal(r->ram + 0x300, much, 2500);
    assert_int_equal(r->ram[0x300 + 2500], (uint8_t)((0x300 + 2500) * 7 + (0x300 + 2500) / 255));
    assert_int_equal(r->io.fault_bytes, 0);
}

static void a_fault_loses_its_chunk_and_no_more(void **state)
{
    static char much[3001];
    struct rig *r = rig_new();

    (void)state;
    memset(much, 'm', 3000);
    r->input = much;
    assert_int_equal(call(r, CONSOLEIO_read, 3000, RAM_BYTES - 1500), 1024); /* the first chunk was delivered */
    assert_int_equal(vc_load_relaxed(&r->io.fault_bytes), 1024);
    assert_int_equal(strlen(r->input), 3000 - 2048);
    assert_int_equal(call(r, CONSOLEIO_read, 10, RAM_BYTES), -XEN_EFAULT);
    assert_int_equal(call(r, CONSOLEIO_read, 10, UINT64_MAX - 3), -XEN_EFAULT);
    assert_int_equal(vc_load_relaxed(&r->io.fault_bytes), 1044);
    assert_int_equal(call(r, CONSOLEIO_read, 1000, 0), 932); /* the rest is there */
}

static void a_full_line_is_waited_for_in_slices(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    r->accepts = 100;
    r->accepts_per_wait = 300;
    assert_int_equal(call(r, CONSOLEIO_write, 2000, 0), 0);
    assert_int_equal(r->n_log, 2000);
    assert_memory_equal(r->log, r->ram, 2000);
}

/* Pause and kill are seen between chunks, and a call that is served again goes on where it was. */
static void a_stopped_write_can_go_on(void **state)
{
    (void)state;
    for (unsigned stop = 1; stop < 8; stop++) {
        struct rig *r = rig_new();
        struct vc_console_io_call c = {.cmd = CONSOLEIO_write, .count = 4000, .buffer = 0x10};

        r->accepts = 500;
        r->accepts_per_wait = 600;
        r->stop_after = stop;
        assert_false(vc_console_io(&r->io, r, &c));
        assert_int_equal(c.count + r->n_log, 4000);
        assert_int_equal(c.buffer, 0x10 + r->n_log);
        assert_true(vc_console_io(&r->io, r, &c));
        assert_int_equal(c.result, 0);
        assert_int_equal(r->n_log, 4000);
        assert_memory_equal(r->log, r->ram + 0x10, 4000);
    }
}

static void a_stopped_read_gives_what_it_has(void **state)
{
    static char much[3001];
    struct rig *r = rig_new();

    (void)state;
    memset(much, 'm', 3000);
    r->input = much;
    r->stop_after = 1;
    assert_int_equal(call(r, CONSOLEIO_read, 3000, 0), 1024);
    assert_int_equal(call(r, CONSOLEIO_read, 3000, 0), 1976);
}

static const struct {
    const char *name;
    bool write;
    unsigned size;
    uint32_t value;
    bool may_write;
    uint32_t value_after, written;
} ports[] = {
    {"a byte", true, 1, 'A', true, 'A', 1},
    {"a byte in a dirty register", true, 1, 0xabcdef41, true, 0xabcdef41, 1},
    {"two bytes: ignored", true, 2, 'A', true, 'A', 0},
    {"four bytes: ignored", true, 4, 'A', true, 'A', 0},
    {"without leave", true, 1, 'A', false, 'A', 0},
    {"a read gives its own number", false, 1, 0, true, 0xe9, 0},
    {"a wide read too", false, 4, 0, true, 0xe9, 0},
};

static void port_e9(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(ports); i++) {
        struct rig *r = rig_new();
        uint32_t value = ports[i].value;

        r->io.may_write = ports[i].may_write;
        assert_true(vc_console_io_port(&r->io, r, ports[i].write, ports[i].size, &value));
        if (value != ports[i].value_after || r->n_log != ports[i].written || (r->n_log && r->log[0] != 'A'))
            fail_msg("%s", ports[i].name);
    }
}

static void port_e9_waits_and_stops(void **state)
{
    struct rig *r = rig_new();
    uint32_t value = 'x';

    (void)state;
    r->accepts = 0;
    r->stop_after = 2;
    assert_false(vc_console_io_port(&r->io, r, true, 1, &value));
    assert_int_equal(r->n_log, 0);
    r->accepts_per_wait = 1;
    assert_true(vc_console_io_port(&r->io, r, true, 1, &value)); /* the access again */
    assert_int_equal(r->n_log, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results),
        cmocka_unit_test(without_leave),
        cmocka_unit_test(reading),
        cmocka_unit_test(a_fault_loses_its_chunk_and_no_more),
        cmocka_unit_test(a_full_line_is_waited_for_in_slices),
        cmocka_unit_test(a_stopped_write_can_go_on),
        cmocka_unit_test(a_stopped_read_gives_what_it_has),
        cmocka_unit_test(port_e9),
        cmocka_unit_test(port_e9_waits_and_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
