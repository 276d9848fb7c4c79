/* SPDX-License-Identifier: MIT */
/*
 * The engine `kvm` with several vCPUs, its interrupts, pages and call sites, on this machine's KVM. Skipped, with the
 * probe's own reason, where KVM cannot be used.
 */
#include "../../vmm/kvm/probe.h"
#include "engine_run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vcons/wire/xen.h>

#define FLAG   0x300000u
#define TABLES 0x400000u
#define VECTOR 0xf3u

extern const uint8_t guest_sipi[], guest_echo[], guest_start64[], guest_upcall[], guest_power_off[], guest_page[],
    guest_sites[], guest_spin[];

static uint32_t gpa_of(const uint8_t *label) { return RUN_LOAD + (uint32_t)(label - guests); }

static void set_flag(struct run *r, uint8_t value) { assert_true(memory_write(&r->memory, FLAG, &value, 1)); }

/* ---- vCPUs come and go. ---- */

static int by_value(const void *a, const void *b) { return *(const char *)a - *(const char *)b; }

static void others_start_by_init_and_sipi(void **state)
{
    struct run r;

    (void)state;
    run_create_with(&r, guest_sipi, &(struct run_options){.vcpus = 5});
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(engine_kvm.vcpu_is_up(r.domain.engine, i), i == 0);
    run_start(&r);
    run_wait(&r, SIZE_MAX, SIZE_MAX); /* all halt for ever: the domain is off */
    run_stop(&r);
    assert_int_equal(r.domain.exited, 0);
    qsort(r.domain.printed, r.domain.n_printed, 1, by_value);
    assert_printed(&r, "1234", 4); /* each is told its own number */
    for (uint32_t i = 0; i < 5; i++)
        assert_true(engine_kvm.vcpu_is_up(r.domain.engine, i));
    run_finish(&r);
}

static struct vcpu_hvm_context context32(char shown)
{
    const uint16_t code = 0xc9b, data = 0xc93, tss = 0x8b; /* hvm_vcpu.h: type, present, then size and granularity */
    struct vcpu_hvm_context c = {.mode = VCPU_HVM_MODE_32B};

    c.cpu_regs.x86_32 = (struct vcpu_hvm_x86_32){.eax = (uint8_t)shown,
                                                 .eip = gpa_of(guest_echo),
                                                 .cr0 = 1,
                                                 .cs_limit = UINT32_MAX,
                                                 .ds_limit = UINT32_MAX,
                                                 .ss_limit = UINT32_MAX,
                                                 .es_limit = UINT32_MAX,
                                                 .tr_limit = 0x67,
                                                 .cs_ar = code,
                                                 .ds_ar = data,
                                                 .ss_ar = data,
                                                 .es_ar = data,
                                                 .tr_ar = tss};
    return c;
}

static void a_vcpu_starts_and_stops_by_hypercall(void **state)
{
    struct vcpu_hvm_context c = context32('x');
    void *engine;
    struct run r;

    (void)state;
    run_create_with(&r, guest_spin, &(struct run_options){.vcpus = 2});
    engine = r.domain.engine;
    run_start(&r);
    assert_int_equal(engine_kvm.vcpu_initialise(engine, 1, &c), 0);
    assert_false(engine_kvm.vcpu_is_up(engine, 1));
    assert_int_equal(engine_kvm.vcpu_up(engine, 1), 0);
    run_wait(&r, 1, SIZE_MAX);
    assert_true(engine_kvm.vcpu_is_up(engine, 1));
    for (unsigned round = 0; round < 20; round++) { /* it goes on where it was, each time from another place */
        assert_int_equal(engine_kvm.vcpu_down(engine, 1), 0);
        assert_false(engine_kvm.vcpu_is_up(engine, 1));
        set_flag(&r, (uint8_t)('a' + round));
        assert_int_equal(r.domain.n_printed, round + 1); /* nobody is there to see it */
        assert_int_equal(engine_kvm.vcpu_up(engine, 1), 0);
        run_wait(&r, round + 2, SIZE_MAX);
    }
    run_stop(&r);
    assert_printed(&r, "xabcdefghijklmnopqrst", 21);
    run_finish(&r);
}

static struct vcpu_hvm_context context64(void)
{
    struct vcpu_hvm_context c = {.mode = VCPU_HVM_MODE_64B};

    c.cpu_regs.x86_64 = (struct vcpu_hvm_x86_64){
        .rip = gpa_of(guest_start64), .rsp = TABLES, .cr0 = 0x80000001, .cr3 = TABLES, .cr4 = 0x20, .efer = 0x500};
    return c;
}

static void a_vcpu_starts_in_long_mode(void **state)
{
    const uint64_t directories = TABLES + 0x1003, pages = TABLES + 0x2003, page = 0x83;
    struct vcpu_hvm_context c = context64();
    struct run r;

    (void)state;
    run_create_with(&r, guest_spin, &(struct run_options){.vcpus = 2});
    assert_true(memory_write(&r.memory, TABLES, &directories, 8));
    assert_true(memory_write(&r.memory, TABLES + 0x1000, &pages, 8));
    assert_true(memory_write(&r.memory, TABLES + 0x2000, &page, 8));
    run_start(&r);
    assert_int_equal(engine_kvm.vcpu_initialise(r.domain.engine, 1, &c), 0);
    assert_int_equal(engine_kvm.vcpu_up(r.domain.engine, 1), 0);
    run_wait(&r, 1, SIZE_MAX);
    run_stop(&r);
    assert_printed(&r, "", 1); /* a NUL: r8 began as 0, and there is one */
    run_finish(&r);
}

static void states_that_no_vcpu_starts_in(void **state)
{
    struct vcpu_hvm_context rows[8];
    struct run r;

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        rows[i] = context32('?');
    rows[0].mode = 2;
    rows[1].cpu_regs.x86_32.cs_ar = 0xc1b;       /* not present */
    rows[2].cpu_regs.x86_32.cs_ar = 0xc93;       /* data */
    rows[3].cpu_regs.x86_32.cs_limit = RUN_LOAD; /* the entry lies behind it */
    rows[4].cpu_regs.x86_32.cr0 = 0;             /* real mode */
    for (unsigned i = 5; i < 8; i++)
        rows[i] = context64();
    rows[5].cpu_regs.x86_64.efer = 0x100; /* long mode that is not active */
    rows[6].cpu_regs.x86_64.cr0 = 1;      /* no paging */
    rows[7].cpu_regs.x86_64.efer = 0;
    run_create_with(&r, guest_spin, &(struct run_options){.vcpus = 2});
    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (engine_kvm.vcpu_initialise(r.domain.engine, 1, &rows[i]) != -XEN_EINVAL)
            fail_msg("row %zu is taken", i);
    run_finish(&r);
}

static void more_vcpus_than_kvm_has(void **state)
{
    struct domain_config config = {.cmdline = (char[1]){""}, .memory_bytes = RUN_MEMORY_BYTES, .vcpus = 100000};
    struct problem problem;
    char path[32];

    (void)state;
    run_write_kernel(path, guest_spin, false);
    config.kernel = path;
    assert_int_not_equal(engine_kvm.check(&config, &problem), 0);
    assert_non_null(strstr(problem.text, "vcpus = 100000: expected at most"));
    remove(path);
}

/* ---- Interrupts. ---- */

static void an_upcall_is_taken_or_known_to_be_dropped(void **state)
{
    void *engine;
    struct run r;

    (void)state;
    run_create(&r, guest_upcall);
    engine = r.domain.engine;
    run_start(&r);
    run_wait(&r, 1, SIZE_MAX);
    assert_true(engine_kvm.upcall(engine, 0)); /* without a vector there is nothing to do */
    assert_int_equal(engine_kvm.set_vector(engine, 0, VECTOR), 0);
    assert_false(engine_kvm.upcall(engine, 0)); /* its local APIC is off */
    set_flag(&r, 1);
    run_wait(&r, 2, SIZE_MAX);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(engine_kvm.upcall(engine, 0));
        run_wait(&r, 3 + i, SIZE_MAX);
    }
    run_stop(&r);
    assert_printed(&r, "reuuuuuuuuuu", 12);
    assert_true(r.domain.exits >= 12); /* after each of them a dropped one could be tried again */
    run_finish(&r);
}

static void callbacks_for_all_vcpus(void **state)
{
    static const struct {
        const char *name;
        uint64_t value;
        int result;
    } rows[] = {{"none", 0, 0},
                {"the mark that each vCPU has its own", 1, 0},
                {"a vector without an end of interrupt", UINT64_C(0x02000000000000f3), -XEN_EINVAL},
                {"a GSI", 8, -XEN_EINVAL},
                {"a PCI interrupt", UINT64_C(0x0100000000000800), -XEN_EINVAL}};
    struct run r;

    (void)state;
    run_create(&r, guest_spin);
    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (engine_kvm.set_vector(r.domain.engine, ENGINE_ALL_VCPUS, rows[i].value) != rows[i].result)
            fail_msg("%s", rows[i].name);
    run_finish(&r);
}

/* ---- Ports, pages, places. ---- */

static void acpi_switches_off(void **state)
{
    struct run r;

    (void)state;
    run_all(&r, guest_power_off);
    assert_printed(&r, "a", 1);
    assert_int_equal(r.domain.exited, 0);
    assert_string_equal(r.domain.crashed, "");
    run_finish(&r);
}

static void a_page_outside_ram(void **state)
{
    _Alignas(4096) static char page[4096] = "page", other[4096];
    const uint64_t gpa = 0xd0000000;
    void *engine;
    struct run r;

    (void)state;
    run_create(&r, guest_page);
    engine = r.domain.engine;
    assert_int_equal(engine_kvm.map_page(engine, gpa + 1, page), -XEN_EINVAL);
    assert_int_equal(engine_kvm.map_page(engine, 0, page), -XEN_EINVAL); /* RAM */
    assert_int_equal(engine_kvm.map_page(engine, MEMORY_SPECIAL_PC, page), -XEN_EINVAL);
    assert_int_equal(engine_kvm.map_page(engine, gpa, NULL), -XEN_EINVAL);
    assert_int_equal(engine_kvm.map_page(engine, gpa, other), 0);
    assert_int_equal(engine_kvm.map_page(engine, gpa, page), -XEN_EINVAL); /* there is one */
    assert_int_equal(engine_kvm.map_page(engine, gpa, NULL), 0);
    assert_int_equal(engine_kvm.map_page(engine, gpa, page), 0);
    run_start(&r);
    run_wait(&r, SIZE_MAX, SIZE_MAX);
    run_stop(&r);
    assert_printed(&r, "p", 1);
    assert_int_equal(page[1], '!');
    run_finish(&r);
}

static void only_call_sites_call(void **state)
{
    struct run r;

    (void)state;
    run_create_with(&r, guest_sites, &(struct run_options){.no_page = true});
    run_start(&r);
    run_wait(&r, SIZE_MAX, SIZE_MAX);
    run_stop(&r);
    assert_string_equal(r.domain.crashed, "");
    assert_int_equal(r.domain.n_calls, 3);
    assert_int_equal(r.domain.calls[0].nr, 18);
    assert_int_equal(r.domain.calls[0].args[0], 0x12345);
    assert_true(r.domain.calls[0].translated && r.domain.calls[0].gpa == 0x12345); /* no paging */
    assert_int_equal(r.domain.calls[1].nr, 32);
    assert_int_equal(r.domain.calls[2].nr, XEN_sched_op);
    run_finish(&r);
}

static void the_clock_goes_on(void **state)
{
    uint64_t first, second;
    struct run r;

    (void)state;
    run_create(&r, guest_spin);
    first = engine_kvm.time_ns(r.domain.engine);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    second = engine_kvm.time_ns(r.domain.engine);
    assert_true(second - first >= 19000000 && second - first < UINT64_C(20000000000));
    run_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_start_by_init_and_sipi),
        cmocka_unit_test(a_vcpu_starts_and_stops_by_hypercall),
        cmocka_unit_test(a_vcpu_starts_in_long_mode),
        cmocka_unit_test(states_that_no_vcpu_starts_in),
        cmocka_unit_test(more_vcpus_than_kvm_has),
        cmocka_unit_test(an_upcall_is_taken_or_known_to_be_dropped),
        cmocka_unit_test(callbacks_for_all_vcpus),
        cmocka_unit_test(acpi_switches_off),
        cmocka_unit_test(a_page_outside_ram),
        cmocka_unit_test(only_call_sites_call),
        cmocka_unit_test(the_clock_goes_on),
    };
    struct problem why;

    if (!kvm_probe(&why)) {
        printf("skipped: KVM cannot be used here: %s\n", why.text);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
