/* SPDX-License-Identifier: MIT */
/* Clocks, wall time and run states, at every offset, across two pages (R24). Facts §5.1, §5.2, §5.5. */
#include "event_rig.h"

#define GVA 0x100000u /* where the guest's memory begins for the guest */

static int64_t area(struct rig_domain *d, uint64_t cmd, uint32_t vcpu, uint64_t address)
{
    memcpy(d->ram + ARGS, &address, sizeof address);
    return vc_shared_info_vcpu_op(&d->shared, d, 0, cmd, vcpu, ARGS);
}

static const struct vcpu_time_info clock_of = {.tsc_timestamp = UINT64_C(0x1122334455667788),
                                               .system_time = UINT64_C(0x99aabbccddeeff00),
                                               .tsc_to_system_mul = 0x80000001,
                                               .tsc_shift = -3,
                                               .flags = XEN_PVCLOCK_TSC_STABLE};

static void check_clock(const uint8_t *at)
{
    struct vcpu_time_info t;

    memcpy(&t, at, sizeof t);
    assert_true(t.version != 0 && t.version % 2 == 0);
    assert_memory_equal((uint8_t *)&t + 4, (const uint8_t *)&clock_of + 4, sizeof t - 4);
}

static void clocks(void **state)
{
    static const struct {
        enum vc_abi abi;
        uint32_t at;
    } rows[] = {{VC_ABI_X86_64, 32}, {VC_ABI_X86_32, 32}, {VC_ABI_ARM64, 16}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct rig_domain *d = rig_one(&(struct rig_shape){.abi = rows[i].abi});
        uint32_t first;

        vc_shared_info_place(&d->shared, 1);
        vc_shared_info_time(&d->shared, 0, &clock_of);
        check_clock(d->ram + 4096 + rows[i].at);
        memcpy(&first, d->ram + 4096 + rows[i].at, 4);
        vc_shared_info_time(&d->shared, 0, &clock_of);
        assert_int_equal(d->ram[4096 + rows[i].at], first + 2); /* each writing is another version */
        /* "It also refreshes time." */
        assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 64), 0);
        check_clock(d->ram + 2 * 4096 + 64 + rows[i].at);
        assert_int_equal(area(d, VCPUOP_register_vcpu_time_memory_area, 0, GVA + 3 * 4096 + 5), 0);
        check_clock(d->ram + 3 * 4096 + 5);
        vc_shared_info_time(&d->shared, RIG_VCPUS, &clock_of);
        d->map_error[1] = VC_ENOENT; /* its pages go: nothing happens */
        vc_shared_info_remapped(&d->shared);
        vc_shared_info_time(&d->shared, 0, &clock_of);
    }
}

static void a_vcpu_without_vcpu_info_has_a_time_area(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){.n_vcpus = 40});

    (void)state;
    assert_int_equal(area(d, VCPUOP_register_vcpu_time_memory_area, 39, GVA + 4096), 0);
    assert_int_equal(d->ram[4096], 0); /* nobody told any time yet */
    vc_shared_info_time(&d->shared, 39, &clock_of);
    check_clock(d->ram + 4096);
}

/* All 4,096 offsets: no byte but those of the area changes, and what is in it is right. */
static void at_every_offset(void **state)
{
    static const struct vcpu_runstate_info wanted = {
        .state = RUNSTATE_blocked, .state_entry_time = 700, .time = {600, 0, 0, 100}};

    (void)state;
    for (int flag = 0; flag < 2; flag++)
        for (int compat = 0; compat < 2; compat++) {
            struct rig_domain *d = rig_one(&(struct rig_shape){.abi = compat ? VC_ABI_X86_32 : VC_ABI_X86_64});
            uint32_t n = compat ? 44 : 48;

            vc_shared_info_vm_assist(&d->shared, flag ? VMASST_CMD_enable : VMASST_CMD_disable,
                                     VMASST_TYPE_runstate_update_flag);
            vc_shared_info_runstate(&d->shared, 0, RUNSTATE_running, 100);
            vc_shared_info_runstate(&d->shared, 0, RUNSTATE_blocked, 700);
            for (uint32_t offset = 0; offset < 4096; offset++) {
                uint8_t *at = d->ram + 4096 + offset, bytes[48] = {0};
                uint32_t entry = compat ? 4 : 8;

                memset(d->ram + 4096, 0xaa, 3 * 4096);
                assert_int_equal(area(d, VCPUOP_register_runstate_memory_area, 0, GVA + 4096 + offset), 0);
                memcpy(bytes, &wanted.state, 4);
                memcpy(bytes + entry, &wanted.state_entry_time, n - entry);
                if (memcmp(at, bytes, n) != 0 || at[n] != 0xaa || at[-1] != (offset == 0 ? at[-1] : 0xaa))
                    fail_msg("%s, offset %u", compat ? "compat" : "64-bit", offset);
            }
        }
}

static void run_states(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    struct vcpu_runstate_info r, in_page;

    (void)state;
    assert_int_equal(area(d, VCPUOP_register_runstate_memory_area, 1, GVA + 8192 - 20), 0);
    vc_shared_info_runstate(&d->shared, 1, RUNSTATE_running, 1000);
    vc_shared_info_runstate(&d->shared, 1, RUNSTATE_runnable, 1500);
    vc_shared_info_runstate(&d->shared, 1, RUNSTATE_running, 1600);
    vc_shared_info_runstate(&d->shared, 1, RUNSTATE_blocked, 2600);
    vc_shared_info_runstate(&d->shared, 1, RUNSTATE_blocked, 2000); /* a clock that goes back: no time passes */
    vc_shared_info_runstate(&d->shared, 1, 4, 9999);                /* no state */
    vc_shared_info_runstate(&d->shared, RIG_VCPUS, RUNSTATE_running, 1);
    vc_shared_info_runstate_get(&d->shared, 1, &r);
    assert_int_equal(r.state, RUNSTATE_blocked);
    assert_int_equal(r.time[RUNSTATE_running], 1500);
    assert_int_equal(r.time[RUNSTATE_runnable], 100);
    assert_int_equal(r.time[RUNSTATE_offline], 1000);
    assert_int_equal(r.time[0] + r.time[1] + r.time[2] + r.time[3], r.state_entry_time);
    memcpy(&in_page, d->ram + 8192 - 20, sizeof in_page);
    assert_memory_equal(&r, &in_page, sizeof r);
    assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_get_runstate_info, 1, ARGS), 0);
    memcpy(&in_page, d->ram + ARGS, sizeof in_page);
    assert_memory_equal(&r, &in_page, sizeof r);
    assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_get_runstate_info, 1, RIG_BYTES - 47),
                     -XEN_EFAULT);
    /* Taken back: nothing is written any more. */
    assert_int_equal(area(d, VCPUOP_register_runstate_memory_area, 1, 0), 0);
    memset(d->ram + 4096, 0xaa, 8192);
    vc_shared_info_runstate(&d->shared, 1, RUNSTATE_running, 5000);
    assert_int_equal(d->ram[8192], 0xaa);
}

/*
 * A guest reads while another thread writes: with the flag, what it read between two looks at state_entry_time that agree, and
 * have bit 63 clear, is of one moment: the times' sum is state_entry_time.
 */
static struct rig_domain *written;
static uint32_t stop_writing;
static void *write_states(void *arg)
{
    for (uint64_t now = 1; vc_load_seq(&stop_writing) == 0; now += 3)
        vc_shared_info_runstate(&written->shared, 0, now % 4, now);
    return arg;
}

static uint64_t read64(const uint8_t *at)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)vc_load8_seq(at + i) << (8 * i);
    return value;
}

static void a_guest_that_reads_meanwhile(void **state)
{
    uint8_t *at;
    pthread_t writer;
    unsigned good = 0;

    (void)state;
    written = rig_one(&(struct rig_shape){0});
    at = written->ram + 8192 - 20;
    vc_shared_info_vm_assist(&written->shared, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
    assert_int_equal(area(written, VCPUOP_register_runstate_memory_area, 0, GVA + 8192 - 20), 0);
    pthread_create(&writer, NULL, write_states, NULL);
    for (unsigned i = 0; i < 3000000 && good < 20000; i++) {
        uint64_t before = read64(at + 8), sum = 0, after;

        for (unsigned k = 0; k < 4; k++)
            sum += read64(at + 16 + 8 * k);
        after = read64(at + 8);
        if (before != after || before >> 63 != 0)
            continue;
        good++;
        if (sum != before)
            fail_msg("%llu of %llu", (unsigned long long)sum, (unsigned long long)before);
    }
    vc_store_seq(&stop_writing, 1);
    pthread_join(writer, NULL);
    assert_true(good > 0);
}

static void the_update_flag(void **state)
{
    static const struct {
        uint64_t cmd, type;
        int64_t result;
    } rows[] = {{VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag, 0},
                {VMASST_CMD_disable, VMASST_TYPE_runstate_update_flag, 0},
                {VMASST_CMD_enable, 0, -XEN_EINVAL},
                {VMASST_CMD_enable, UINT64_MAX, -XEN_EINVAL},
                {2, VMASST_TYPE_runstate_update_flag, -XEN_ENOSYS}};
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    struct vcpu_runstate_info r;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        assert_int_equal(vc_shared_info_vm_assist(&d->shared, rows[i].cmd, rows[i].type), rows[i].result);
    vc_shared_info_vm_assist(&d->shared, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag);
    assert_int_equal(area(d, VCPUOP_register_runstate_memory_area, 0, GVA + 8192 - 20), 0);
    /* The second page goes away: what is on the first is written all the same. */
    d->map_error[2] = VC_ENOENT;
    vc_shared_info_remapped(&d->shared);
    memset(d->ram + 4096, 0xaa, 8192);
    vc_shared_info_runstate(&d->shared, 0, RUNSTATE_running, 5);
    memcpy(&r, d->ram + 8192 - 20, 16);
    assert_int_equal(r.state, RUNSTATE_running);
    assert_int_equal(r.state_entry_time, 5); /* and the flag is down */
    assert_int_equal(d->ram[8192], 0xaa);
}

static const struct {
    const char *name;
    uint64_t cmd, address;
    uint32_t version;
    int64_t result;
} areas[] = {
    {"runstate, at the end of memory", VCPUOP_register_runstate_memory_area, GVA + RIG_BYTES - 48, 17, 0},
    {"runstate, beyond the end", VCPUOP_register_runstate_memory_area, GVA + RIG_BYTES - 47, 17, -XEN_EFAULT},
    {"runstate, nowhere", VCPUOP_register_runstate_memory_area, 5, 17, -XEN_EFAULT},
    {"runstate, round the end", VCPUOP_register_runstate_memory_area, UINT64_MAX - 8, 17, -XEN_EFAULT},
    {"time, nowhere", VCPUOP_register_vcpu_time_memory_area, GVA - 1, 17, -XEN_EFAULT},
    {"time, taken back", VCPUOP_register_vcpu_time_memory_area, 0, 17, 0},
    {"runstate by gpa, an old Xen", VCPUOP_register_runstate_phys_area, 4096, 17, -XEN_ENOSYS},
    {"time by gpa, an old Xen", VCPUOP_register_vcpu_time_phys_area, 4096, 17, -XEN_ENOSYS},
    {"runstate by gpa", VCPUOP_register_runstate_phys_area, 4096 - 48, 21, 0},
    {"runstate by gpa, across pages", VCPUOP_register_runstate_phys_area, 4096 - 40, 21, -XEN_ENXIO},
    {"runstate by gpa, unaligned", VCPUOP_register_runstate_phys_area, 4096 + 4, 21, -XEN_ENXIO},
    {"runstate by gpa, no frame", VCPUOP_register_runstate_phys_area, RIG_BYTES, 21, -XEN_EINVAL},
    {"time by gpa", VCPUOP_register_vcpu_time_phys_area, 4096 + 8, 21, 0},
    {"time by gpa, taken back", VCPUOP_register_vcpu_time_phys_area, UINT64_MAX, 21, 0},
};
static void registrations(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(areas); i++) {
        struct rig_domain *d = rig_one(&(struct rig_shape){.version = XEN_VERSION_OF(4, areas[i].version)});

        vc_shared_info_place(&d->shared, 1);
        if (area(d, areas[i].cmd, 2, areas[i].address) != areas[i].result)
            fail_msg("%s", areas[i].name);
        assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, areas[i].cmd, 2, RIG_BYTES - 3),
                         areas[i].result == -XEN_ENOSYS ? -XEN_ENOSYS : -XEN_EFAULT);
        assert_int_equal(area(d, areas[i].cmd, 3, areas[i].address), -XEN_ENOENT);
        vc_shared_info_time(&d->shared, 2, &clock_of);
        vc_shared_info_runstate(&d->shared, 2, RUNSTATE_running, 7);
    }
}

static void addresses_are_physical_without_translation(void **state)
{
    struct vc_shared_info_env direct = rig_shared_env;
    struct rig_domain *d;

    (void)state;
    direct.translate = NULL;
    d = rig_one(&(struct rig_shape){.shared_env = &direct});
    vc_shared_info_time(&d->shared, 0, &clock_of);
    assert_int_equal(area(d, VCPUOP_register_vcpu_time_memory_area, 0, 3 * 4096 - 7), 0);
    check_clock(d->ram + 3 * 4096 - 7);
    assert_int_equal(area(d, VCPUOP_register_runstate_memory_area, 0, UINT64_MAX - 20), -XEN_EFAULT);
    /* An area on pages that are not there: registered, and nothing is written (Xen does not say so either). */
    assert_int_equal(area(d, VCPUOP_register_vcpu_time_memory_area, 0, RIG_BYTES - 16), 0);
    vc_shared_info_time(&d->shared, 0, &clock_of);
}

/* A 32-bit guest's handle has 4 bytes: what stands behind them is not the address. */
static void compat_handles(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){.abi = VC_ABI_X86_32});

    (void)state;
    vc_shared_info_time(&d->shared, 0, &clock_of);
    assert_int_equal(area(d, VCPUOP_register_vcpu_time_memory_area, 0, (GVA + 4096) | UINT64_C(0xdead) << 32), 0);
    check_clock(d->ram + 4096);
}

static void wallclock(void **state)
{
    static const struct {
        enum vc_abi abi;
        uint32_t at, high;
    } rows[] = {{VC_ABI_X86_64, 3072, 3084}, {VC_ABI_X86_32, 2304, 2340}, {VC_ABI_ARM64, 1072, 1084}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct rig_domain *d = rig_one(&(struct rig_shape){.abi = rows[i].abi});
        uint32_t words[3], high;

        vc_shared_info_wallclock(&d->shared, UINT64_C(0x300000005), 77); /* before the guest has a page */
        vc_shared_info_place(&d->shared, 1);
        for (unsigned k = 0; k < 2; k++) {
            memcpy(words, d->ram + 4096 + rows[i].at, sizeof words);
            memcpy(&high, d->ram + 4096 + rows[i].high, 4);
            assert_int_equal(words[0], 2 + 2 * k);
            assert_int_equal(words[1], 5 + k);
            assert_int_equal(words[2], 77);
            assert_int_equal(high, 3);
            vc_shared_info_wallclock(&d->shared, UINT64_C(0x300000006), 77);
        }
        d->map_error[1] = VC_ENOENT;
        vc_shared_info_wallclock(&d->shared, 1, 1); /* to nowhere */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks),          cmocka_unit_test(a_vcpu_without_vcpu_info_has_a_time_area),
        cmocka_unit_test(at_every_offset), cmocka_unit_test(run_states),
        cmocka_unit_test(the_update_flag), cmocka_unit_test(a_guest_that_reads_meanwhile),
        cmocka_unit_test(registrations),   cmocka_unit_test(addresses_are_physical_without_translation),
        cmocka_unit_test(compat_handles),  cmocka_unit_test(wallclock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
