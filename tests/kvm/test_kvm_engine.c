/* SPDX-License-Identifier: MIT */
/*
 * The engine `kvm` alone, on this machine's KVM: kernels of a few instructions (guests.S) against a domain that records
 * what it is asked. Skipped, with the probe's own reason, where KVM cannot be used.
 */
#include "../../vmm/kvm/probe.h"
#include "engine_run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vcons/uart.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/xen.h>

extern const uint8_t guest_ports[], guest_call32[], guest_call64[], guest_user[], guest_spin[], guest_print[],
    guest_call[], guest_wait[], guest_down[], guest_fault[], guest_bad_page[], guest_poison[], guest_write[],
    guest_ring[];

/* ---- What a guest sees */

static void ports_answer_as_xen_does(void **state)
{
    struct run r;

    (void)state;
    run_all(&r, guest_ports);
    assert_printed(&r, "hello\xe9\xff\xff\xff", 9); /* a read; absent ports, a wrong width and absent memory */
    assert_string_equal(r.domain.crashed, "");
    run_finish(&r);
}

static void a_call_in_32_bits(void **state)
{
    const struct call *c;
    struct run r;

    (void)state;
    run_all(&r, guest_call32);
    c = &r.domain.calls[0];
    assert_int_equal(c->nr, XEN_console_io);
    assert_true(c->compat);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(c->args[i], UINT32_C(0x11111111) * (i + 1)); /* zero-extended */
    assert_printed(&r, "\xda\xff", 2);                                /* -ENOSYS, all of eax */
    run_finish(&r);
}

static void a_call_in_64_bits_by_the_msr(void **state)
{
    const struct call *c;
    struct run r;

    (void)state;
    run_all(&r, guest_call64);
    assert_string_equal(r.domain.crashed, "");
    c = r.domain.calls;
    assert_int_equal(r.domain.n_calls, 3);
    assert_int_equal(c[0].nr, XEN_hvm_op);
    assert_false(c[0].compat);
    assert_int_equal(r.domain.modes, 1); /* Xen latches shared_info's layout by the MSR */
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(c[0].args[i], UINT64_C(0x1111111111111111) * (i + 1));
    assert_int_equal(c[1].nr, VC_CALL_TIME);
    assert_int_equal(c[2].nr, XEN_sched_op);
    assert_printed(&r, "\x04X\x05\xda\xff", 5); /* Xen's leaves, "XenV…", domain 5, -ENOSYS, all of rax */
    run_finish(&r);
}

static void a_program_makes_no_hypercalls(void **state)
{
    struct run r;

    (void)state;
    run_create(&r, guest_user);
    run_start(&r);
    run_wait(&r, 1, SIZE_MAX);
    run_stop(&r);
    assert_int_equal(r.domain.n_calls, 0);
    assert_string_equal(r.domain.crashed, "");
    assert_int_equal((uint8_t)r.domain.printed[0], 0xff); /* -EPERM */
    run_finish(&r);
}

/* ---- Ends */

static void a_crash_is_named(void **state)
{
    static const struct {
        const char *name;
        const uint8_t *entry;
    } rows[] = {{"two faults without a table", guest_fault}, {"a hypercall page outside RAM", guest_bad_page}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct run r;

        run_all(&r, rows[i].entry);
        if (strncmp(r.domain.crashed, "triple fault", 12) != 0 || r.domain.n_printed != 0)
            fail_msg("%s: \"%s\"", rows[i].name, r.domain.crashed);
        run_finish(&r);
    }
}

static void halting_for_ever_switches_off(void **state)
{
    struct run r;

    (void)state;
    run_all(&r, guest_down);
    assert_int_equal(r.domain.exited, 0);
    assert_string_equal(r.domain.crashed, "");
    run_finish(&r);
}

static void any_guest_is_stopped(void **state)
{
    static const struct {
        const char *name;
        const uint8_t *entry;
        size_t n_printed, n_calls; /* it is seen running */
    } rows[] = {{"spins", guest_spin, 0, 0},
                {"waits for an interrupt", guest_wait, 0, 0},
                {"prints", guest_print, 300, SIZE_MAX},
                {"calls", guest_call, SIZE_MAX, 300}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        for (unsigned round = 0; round < 20; round++) { /* a kick finds it at another place each time */
            struct run r;

            run_create(&r, rows[i].entry);
            run_start(&r);
            run_wait(&r, rows[i].n_printed, rows[i].n_calls);
            run_stop(&r);
            if (r.domain.crashed[0] != '\0' || r.domain.exited != -1)
                fail_msg("%s: ended by itself: %s", rows[i].name, r.domain.crashed);
            run_finish(&r);
        }
}

static void a_reset_starts_from_zero(void **state)
{
    struct run r;

    (void)state;
    run_create(&r, guest_poison);
    for (unsigned round = 0; round < 5; round++) {
        atomic_store(&r.domain.stopping, false);
        r.domain.ends = 0;
        r.domain.n_printed = 0;
        run_start(&r);
        run_wait(&r, SIZE_MAX, SIZE_MAX);
        run_stop(&r);
        assert_printed(&r, "0", 1); /* no mark of the run before */
        if (engine_kvm.reset(r.domain.engine, &r.error) != 0)
            fail_msg("reset: %s", r.error.text);
    }
    run_finish(&r);
}

/* ---- Writes that KVM records. ---- */

struct got {
    uint32_t n;
    uint8_t bytes[256];
};

static uint32_t take(void *ctx, const struct vc_uart_write *writes, uint32_t n)
{
    struct got *got = ctx;

    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(writes[i].offset, 0);
        assert_int_equal(writes[i].width, 1);
        got->bytes[got->n++ % sizeof got->bytes] = (uint8_t)writes[i].value;
    }
    return n;
}

static unsigned run_writes(struct run *r)
{
    unsigned before = r->domain.exits;

    atomic_store(&r->domain.stopping, false);
    r->domain.ends = 0;
    run_start(r);
    run_wait(r, SIZE_MAX, SIZE_MAX);
    run_stop(r);
    assert_string_equal(r->domain.crashed, "");
    return r->domain.exits - before;
}

static void writes_are_recorded_in_order(void **state)
{
    struct engine_device com1, com2;
    struct got got = {0};
    struct run r;

    (void)state;
    run_create(&r, guest_write);
    assert_true(engine_kvm.uart(DOOR_16550, 0, &com1) && engine_kvm.uart(DOOR_16550, 1, &com2));
    if (!engine_kvm.zone(r.domain.engine, &com1, 1, true)) {
        run_finish(&r);
        skip(); /* a KVM that records nothing of ports */
    }
    assert_false(engine_kvm.zone(r.domain.engine, &com2, 1, true)); /* one at a time */
    assert_true(run_writes(&r) < 10);
    assert_true(engine_kvm.zone(r.domain.engine, &com1, 1, false));
    assert_true(engine_kvm.recorded(r.domain.engine, &com1, take, &got));
    assert_int_equal(got.n, 80);
    for (uint32_t i = 0; i < 80; i++)
        assert_int_equal(got.bytes[i], 80 - i);
    assert_true(engine_kvm.zone(r.domain.engine, &com2, 1, true)); /* all are taken */
    assert_int_equal(engine_kvm.reset(r.domain.engine, &r.error), 0);
    assert_true(run_writes(&r) >= 80); /* of a new machine nothing is recorded */
    assert_true(engine_kvm.recorded(r.domain.engine, &com1, take, &got));
    assert_int_equal(got.n, 80);
    run_finish(&r);
}

/* ---- Devices in memory that is none, and their doorbells. ---- */

#define NOTIFY UINT64_C(0xfeb00050)

static uint64_t rung(int fd)
{
    uint64_t n = 0;

    return read(fd, &n, sizeof n) == sizeof n ? n : 0;
}

static bool is_access(const struct device_access *a, uint64_t address, uint32_t width, uint64_t value, bool write)
{
    return a->address == address && a->width == width && a->value == value && a->write == write;
}

static void registers_are_accessed(void **state)
{
    const struct device_access *a;
    struct engine_device place;
    struct run r;

    (void)state;
    run_create_with(&r, guest_ring, &(struct run_options){.virtio = true});
    assert_true(engine_kvm.virtio(0, &place));
    assert_int_equal(place.space, ENGINE_MEMORY);
    assert_int_equal(place.address, NOTIFY - 0x50);
    run_writes(&r);
    assert_printed(&r, "\x00\x04", 2);
    assert_int_equal(r.domain.n_accesses, 2 + 80 + 2);
    a = r.domain.accesses; /* the last 8 of 84 */
    assert_true(is_access(&a[83 % 8], NOTIFY, 2, 2, true));
    assert_true(is_access(&a[82 % 8], NOTIFY, 4, 3, true));
    assert_true(is_access(&a[81 % 8], NOTIFY, 4, 2, true));
    run_finish(&r);
}

static void places_end_and_lines_are_pins(void **state)
{
    struct engine_device place;

    (void)state;
    for (uint32_t n = 0; n < CONFIG_VIRTIO_MAX; n++) {
        assert_true(engine_kvm.virtio(n, &place));
        assert_int_equal(place.address, UINT64_C(0xfeb00000) + n * 512);
        assert_true(place.address + place.bytes <= 0xfec00000); /* the I/O APIC's */
        assert_in_range(place.line, 16, 23);                    /* pins that no device of a PC's has */
    }
    assert_false(engine_kvm.virtio(CONFIG_VIRTIO_MAX, &place));
}

static void a_doorbell_rings_without_us(void **state)
{
    int fd = eventfd(0, EFD_NONBLOCK);
    void *engine;
    struct run r;

    (void)state;
    run_create_with(&r, guest_ring, &(struct run_options){.virtio = true});
    engine = r.domain.engine;
    assert_true(engine_kvm.doorbell(engine, NOTIFY, 2, fd));
    assert_true(engine_kvm.doorbell(engine, NOTIFY, 2, fd)); /* it is */
    run_writes(&r);
    assert_int_equal(rung(fd), 80);
    assert_int_equal(r.domain.n_accesses, 2 + 2); /* another value, another width */
    assert_true(is_access(&r.domain.accesses[2], NOTIFY, 4, 3, true));
    assert_int_equal(engine_kvm.reset(engine, &r.error), 0);
    r.domain.n_accesses = 0;
    run_writes(&r);
    assert_int_equal(rung(fd), 0); /* a new machine has none */
    assert_int_equal(r.domain.n_accesses, 84);
    run_finish(&r);
    close(fd);
}

static void a_doorbell_is_taken_back(void **state)
{
    int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);
    struct run r;

    (void)state;
    run_create_with(&r, guest_ring, &(struct run_options){.virtio = true});
    assert_true(engine_kvm.doorbell(r.domain.engine, NOTIFY, 2, fd));
    assert_true(engine_kvm.doorbell(r.domain.engine, NOTIFY, 3, fd));
    assert_true(engine_kvm.doorbell(r.domain.engine, NOTIFY, 2, -1));
    assert_true(engine_kvm.doorbell(r.domain.engine, NOTIFY, 2, -1));    /* it is not */
    assert_true(engine_kvm.doorbell(r.domain.engine, NOTIFY, 3, other)); /* from the one to the other */
    run_writes(&r);
    assert_int_equal(rung(fd), 0);
    assert_int_equal(rung(other), 1);
    assert_int_equal(r.domain.n_accesses, 2 + 80 + 1);
    run_finish(&r);
    close(fd);
    close(other);
}

/* KVM has room for so many, and ours is no larger: then notifications come to us, and nothing else is lost. */
static void too_many_doorbells_are_refused(void **state)
{
    int fd = eventfd(0, EFD_NONBLOCK);
    uint32_t n = 0;
    struct run r;

    (void)state;
    run_create_with(&r, guest_ring, &(struct run_options){.virtio = true});
    while (n < 1024 && engine_kvm.doorbell(r.domain.engine, NOTIFY, 1024 + n, fd))
        n++;
    assert_in_range(n, 1, 1000);
    assert_false(engine_kvm.doorbell(r.domain.engine, NOTIFY, 2, fd));
    run_writes(&r);
    assert_int_equal(r.domain.n_accesses, 84);
    run_finish(&r);
    close(fd);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void a_kernel_that_cannot_be_loaded_is_refused(void **state)
{
    static const uint8_t image[64] = {[56] = 'A', 'R', 'M', 0x64};
    char path[] = "/tmp/vcons-test-image-XXXXXX";
    int fd = mkstemp(path);
    struct domain_config config = {.cmdline = (char[1]){""}, .memory_bytes = RUN_MEMORY_BYTES, .vcpus = 1};
    const struct {
        const char *name, *path, *why;
    } rows[] = {{"none", "/nowhere/kernel", "No such file"},
                {"a directory", "/tmp", "not a regular file"},
                {"a device", "/dev/zero", "not a regular file"},
                {"another file", "/etc/passwd", "not an ELF file"},
                {"another machine's", path, "an arm64 kernel; this machine is x86_64"},
                {"a program", "/bin/sh", "no PVH kernel"}};

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    write_file(path, image, sizeof image);
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct guest_memory memory = {0};
        struct problem problem = {""};
        struct domain d;

        config.kernel = (char *)(uintptr_t)rows[i].path;
        if (engine_kvm.check(&config, &problem) == 0 || strstr(problem.text, rows[i].why) == NULL)
            fail_msg("%s: check: %s", rows[i].name, problem.text);
        problem.text[0] = '\0';
        if (engine_kvm.create(&d, &config, &memory, &problem) != NULL || strstr(problem.text, rows[i].why) == NULL)
            fail_msg("%s: create: %s", rows[i].name, problem.text);
    }
    unlink(path);
}

static void one_hundred_machines_leave_nothing_open(void **state)
{
    int before = dup(0), after;

    (void)state;
    close(before);
    for (unsigned i = 0; i < 100; i++) {
        struct run r;

        run_create(&r, guest_spin);
        run_finish(&r);
    }
    after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_answer_as_xen_does),
        cmocka_unit_test(a_call_in_32_bits),
        cmocka_unit_test(a_call_in_64_bits_by_the_msr),
        cmocka_unit_test(a_program_makes_no_hypercalls),
        cmocka_unit_test(a_crash_is_named),
        cmocka_unit_test(halting_for_ever_switches_off),
        cmocka_unit_test(any_guest_is_stopped),
        cmocka_unit_test(a_reset_starts_from_zero),
        cmocka_unit_test(writes_are_recorded_in_order),
        cmocka_unit_test(registers_are_accessed),
        cmocka_unit_test(places_end_and_lines_are_pins),
        cmocka_unit_test(a_doorbell_rings_without_us),
        cmocka_unit_test(a_doorbell_is_taken_back),
        cmocka_unit_test(too_many_doorbells_are_refused),
        cmocka_unit_test(a_kernel_that_cannot_be_loaded_is_refused),
        cmocka_unit_test(one_hundred_machines_leave_nothing_open),
    };
    struct problem why;

    if (!kvm_probe(&why)) {
        printf("skipped: KVM cannot be used here: %s\n", why.text);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
