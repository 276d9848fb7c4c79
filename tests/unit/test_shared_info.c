/* SPDX-License-Identifier: MIT */
/* Where shared_info and vcpu_info lie, and how they move. Facts §5.1-§5.4, a row for each rule. */
#include "event_rig.h"

#define OLD XEN_VERSION_OF(4, 17)
#define NEW XEN_VERSION_OF(4, 21)

static void sizes(void **state)
{
    struct vc_shared_info s;
    struct vc_shared_info_config c = {0};

    (void)state;
    assert_int_equal(vc_shared_info_bytes(0), 0);
    assert_int_equal(vc_shared_info_bytes(129), 0);
    assert_true(vc_shared_info_bytes(128) > 4096);
    assert_int_equal(vc_shared_info_init(&s, &rig_shared_env, NULL, &c, NULL), VC_EINVAL);
    c.n_vcpus = UINT32_MAX;
    assert_int_equal(vc_shared_info_init(&s, &rig_shared_env, NULL, &c, NULL), VC_EINVAL);
}

/* ---- Registering: every errno, of both versions (facts §5.3). ---- */

static const struct {
    const char *name;
    enum vc_abi abi;
    uint32_t vcpu;
    uint64_t gfn;
    uint32_t offset;
    bool again;  /* the second of two */
    bool others; /* the vCPU is another one, and up */
    int error;   /* env->map of that frame */
    int64_t old, new;
} registrations[] = {
    {"good", 0, 0, 2, 256, 0, 0, 0, 0, 0},
    {"at the start of a page", 0, 0, 2, 0, 0, 0, 0, 0, 0},
    {"at the end of a page", 0, 0, 2, 4096 - 64, 0, 0, 0, 0, 0},
    {"aligned to 8", 0, 0, 2, 8, 0, 0, 0, 0, 0},
    {"aligned to 4, 64-bit", 0, 0, 2, 12, 0, 0, 0, -XEN_ENXIO, -XEN_ENXIO},
    {"aligned to 4, 32-bit", VC_ABI_X86_32, 0, 2, 12, 0, 0, 0, 0, 0},
    {"aligned to 2, 32-bit", VC_ABI_X86_32, 0, 2, 14, 0, 0, 0, -XEN_ENXIO, -XEN_ENXIO},
    {"aligned to 8, arm64", VC_ABI_ARM64, 0, 2, 8, 0, 0, 0, 0, 0},
    {"aligned to 4, arm64", VC_ABI_ARM64, 0, 2, 4, 0, 0, 0, -XEN_ENXIO, -XEN_ENXIO},
    {"48 bytes at the end, arm64", VC_ABI_ARM64, 0, 2, 4096 - 48, 0, 0, 0, 0, 0},
    {"unaligned", 0, 0, 2, 1, 0, 0, 0, -XEN_ENXIO, -XEN_ENXIO},
    {"crosses the page", 0, 0, 2, 4096 - 56, 0, 0, 0, -XEN_ENXIO, -XEN_ENXIO},
    {"begins behind the page", 0, 0, 2, 4096, 0, 0, 0, -XEN_ENXIO, -XEN_EINVAL},
    {"offset far outside", 0, 0, 2, UINT32_MAX - 7, 0, 0, 0, -XEN_ENXIO, -XEN_EINVAL},
    {"frame outside memory", 0, 0, RIG_PAGES, 0, 0, 0, 0, -XEN_EINVAL, -XEN_EINVAL},
    {"frame that is no number of one", 0, 0, UINT64_MAX >> 11, 0, 0, 0, 0, -XEN_EINVAL, -XEN_EINVAL},
    {"all ones", 0, 0, UINT64_MAX, 0, 0, 0, 0, -XEN_EINVAL, -XEN_EINVAL},
    {"not mapped", 0, 0, 2, 0, 0, 0, VC_ENOENT, -XEN_EINVAL, -XEN_EINVAL},
    {"not writable", 0, 0, 2, 0, 0, 0, VC_EPERM, -XEN_EINVAL, -XEN_EACCES},
    {"no room to map it", 0, 0, 2, 0, 0, 0, VC_ENOSPC, -XEN_ENOMEM, -XEN_ENOMEM},
    {"twice", 0, 0, 2, 256, 1, 0, 0, -XEN_EINVAL, -XEN_EBUSY},
    {"twice, and unaligned", 0, 0, 2, 257, 1, 0, 0, -XEN_ENXIO, -XEN_EBUSY},
    {"absent vCPU", 0, 3, 2, 0, 0, 0, 0, -XEN_ENOENT, -XEN_ENOENT},
    {"far from a vCPU", 0, UINT32_MAX, 2, 0, 0, 0, 0, -XEN_ENOENT, -XEN_ENOENT},
    {"absent vCPU, and unaligned", 0, 3, 2, 1, 0, 0, 0, -XEN_ENOENT, -XEN_ENOENT},
    {"another that is not up", 0, 1, 2, 0, 0, 0, 0, 0, 0},
    {"another that is up", 0, 1, 2, 0, 0, 1, 0, -XEN_EINVAL, 0},
    {"itself, up", 0, 0, 2, 0, 0, 1, 0, 0, 0},
};

static int64_t op_register(struct rig_domain *d, uint64_t vcpu, uint64_t gfn, uint32_t offset)
{
    struct vcpu_register_vcpu_info info = {.mfn = gfn, .offset = offset};

    memcpy(d->ram + ARGS, &info, sizeof info);
    return vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_register_vcpu_info, vcpu, ARGS);
}

static void every_errno(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(registrations) * 4; i++) {
        size_t row = i / 4;
        bool new = i % 2, placed = i / 2 % 2; /* shared_info is there for us, the guest's or not */
        struct rig_domain *d = rig_one(&(struct rig_shape){.abi = registrations[row].abi, .version = new ? NEW : OLD});
        int64_t result, wanted = new ? registrations[row].new : registrations[row].old;
        uint64_t gpa = registrations[row].gfn * 4096 + registrations[row].offset;

        if (placed)
            vc_shared_info_place(&d->shared, 1);
        if (registrations[row].again)
            assert_int_equal(op_register(d, registrations[row].vcpu, 3, 512), 0);
        d->offline = !registrations[row].others;
        if (registrations[row].gfn < RIG_PAGES)
            d->map_error[registrations[row].gfn] = registrations[row].error;
        result = op_register(d, registrations[row].vcpu, registrations[row].gfn, registrations[row].offset);
        if (result != wanted)
            fail_msg("%s, %s: %d", registrations[row].name, new ? "new" : "old", (int)result);
        if (result == 0 && vc_shared_info_gpa(&d->shared, registrations[row].vcpu) != gpa)
            fail_msg("%s: elsewhere", registrations[row].name);
        if (result == 0 && (d->n_upcalls[registrations[row].vcpu] != 1 || d->moved_to[registrations[row].vcpu] != gpa))
            fail_msg("%s: not told", registrations[row].name);
        if (result != 0 && d->n_upcalls[0] != registrations[row].again)
            fail_msg("%s: an upcall of what was refused", registrations[row].name);
    }
}

static void other_vcpu_ops(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});

    (void)state;
    assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_register_vcpu_info, 0, RIG_BYTES - 8),
                     -XEN_EFAULT);
    assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_register_vcpu_info, 0, UINT64_MAX), -XEN_EFAULT);
    assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_register_vcpu_info, UINT64_C(1) << 32, ARGS),
                     -XEN_ENOENT);
    assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_is_up, 0, 0), -XEN_ENOSYS);
    assert_int_equal(vc_shared_info_vcpu_op(&d->shared, d, 0, VCPUOP_is_up, 3, 0), -XEN_ENOENT);
}

/* ---- What is there afterwards. ---- */

static const struct {
    enum vc_abi abi;
    uint32_t info_bytes, selector, selector_bytes;
} abis[] = {{VC_ABI_X86_64, 64, 8, 8}, {VC_ABI_X86_32, 64, 4, 4}, {VC_ABI_ARM64, 48, 8, 8}};

static void content_is_copied_and_marked(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(abis); i++) {
        struct rig_domain *d = rig_one(&(struct rig_shape){.abi = abis[i].abi});
        uint8_t wanted[64], *to = d->ram + 2 * 4096 + 1024;

        vc_shared_info_place(&d->shared, 1);
        for (uint32_t k = 0; k < abis[i].info_bytes; k++)
            d->ram[4096 + k] = wanted[k] = (uint8_t)(k * 7 + 3);
        d->ram[4096] = 0;
        wanted[0] = 1;
        memset(wanted + abis[i].selector, 0xff, abis[i].selector_bytes);
        memset(to - 64, 0xaa, 256);
        assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 1024), 0);
        assert_memory_equal(to, wanted, abis[i].info_bytes);
        for (uint32_t k = 0; k < 64; k++) { /* and nothing around it */
            assert_int_equal(to[-1 - (int)k], 0xaa);
            assert_int_equal(to[abis[i].info_bytes + k], 0xaa);
        }
        assert_int_equal(d->n_upcalls[0], 1);
    }
}

/* Facts §5.3: "first-time for ids >= 32: zeroed, PV upcall mask = 1". */
static void the_first_of_a_vcpu_without_default(void **state)
{
    static const uint8_t x86[64] = {1, 1, [8] = 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t arm[48] = {1, 0, [8] = 255, 255, 255, 255, 255, 255, 255, 255};
    struct rig_domain *d = rig_one(&(struct rig_shape){.n_vcpus = 40});

    (void)state;
    memset(d->ram + 2 * 4096, 0xaa, 4096);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 39, 2, 0), 0);
    assert_memory_equal(d->ram + 2 * 4096, x86, 64);
    d = rig_one(&(struct rig_shape){.abi = VC_ABI_ARM64});
    memset(d->ram + 2 * 4096, 0xaa, 4096);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 1, 2, 0), 0);
    assert_memory_equal(d->ram + 2 * 4096, arm, 48);
}

/* An interrupt came already for what was pending: none again, but the guest looks at all of it. */
static void an_upcall_that_was_pending(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    uint32_t port;

    (void)state;
    rig_ipi(d, 0, &port);
    vc_shared_info_place(&d->shared, 1);
    rig_send(d, port);
    assert_int_equal(d->n_upcalls[0], 1);
    vc_shared_info_register(&d->shared, 0, 0, 2, 0);
    assert_int_equal(d->n_upcalls[0], 1);
    assert_int_equal(d->ram[2 * 4096], 1);
}

static void events_go_to_the_new_place_only(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    struct vcpu_info_x86_64 *to = (void *)(d->ram + 2 * 4096 + 64);
    uint8_t before[2048];
    uint32_t port;

    (void)state;
    rig_ipi(d, 0, &port);
    vc_shared_info_place(&d->shared, 1);
    vc_shared_info_register(&d->shared, 0, 0, 2, 64);
    memset(to, 0, sizeof *to);
    memcpy(before, d->ram + 4096, sizeof before);
    rig_send(d, port);
    assert_memory_equal(before, d->ram + 4096, sizeof before); /* all that is before the pending bits */
    assert_int_equal(to->evtchn_upcall_pending, 1);
    assert_int_equal(to->evtchn_pending_sel, 1);
    assert_true(vc_shared_info_upcall_pending(&d->shared, 0));
    /* And back, as a soft reset does. */
    assert_true(vc_shared_info_unregister(&d->shared, 0));
    assert_false(vc_shared_info_unregister(&d->shared, 0));
    assert_false(vc_shared_info_unregister(&d->shared, RIG_VCPUS));
    assert_int_equal(rig_page(d, 1)->vcpu_info[0].evtchn_pending_sel, ~UINT64_C(0));
    assert_int_equal(vc_shared_info_gpa(&d->shared, 0), 4096);
    memset(d->ram + 4096, 0, 4096);
    to->evtchn_pending_sel = 0;
    rig_send(d, port);
    assert_int_equal(rig_page(d, 1)->vcpu_info[0].evtchn_pending_sel, 1);
    assert_int_equal(to->evtchn_pending_sel, 0);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 64), 0); /* it may again */
}

/* ---- In the middle of it. ---- */

static uint32_t port_of_0;
static void move_memory(struct rig_domain *d) /* by a vCPU that runs elsewhere: core's lock would make it wait */
{
    d->elsewhere[2] = true;
    __atomic_fetch_add(&d->shared.generation, 1, __ATOMIC_SEQ_CST);
}

static void memory_moves_during_the_copy(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});

    (void)state;
    rig_ipi(d, 0, &port_of_0);
    vc_shared_info_place(&d->shared, 1);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 0), 0);
    move_memory(d); /* and the next delivery finds it out */
    rig_send(d, port_of_0);
    assert_int_equal(d->other[2 * 4096], 1);
}

static void take_away(struct rig_domain *d) { d->map_error[2] = VC_ENOENT; }
static void memory_goes_during_the_copy(void **state)
{
    (void)state;
    for (unsigned when = 0; when < 4; when++) {
        struct rig_domain *d = rig_one(&(struct rig_shape){0});
        uint32_t port;
        int64_t result;

        rig_ipi(d, 0, &port);
        vc_shared_info_place(&d->shared, 1);
        d->map_error[2] = when == 0 ? VC_ENOENT : VC_OK;
        d->meanwhile_at_map = true;
        d->meanwhile = when == 1 ? take_away : NULL; /* at the first look */
        result = vc_shared_info_register(&d->shared, 0, 0, 2, 0);
        assert_int_equal(result, when < 2 ? -XEN_EINVAL : 0);
        d->meanwhile_at_map = false;
        if (when == 3)
            d->map_error[2] = VC_ENOENT, vc_shared_info_remapped(&d->shared);
        rig_send(d, port);
        assert_int_equal(d->n_upcalls[0], 1); /* in the old place, or by the registration */
        if (when == 2) {                      /* a page that is there, but of which none of ours is found */
            d->map_error[1] = VC_ENOENT;
            vc_shared_info_remapped(&d->shared);
            assert_false(vc_shared_info_unregister(&d->shared, 0)); /* there is nothing to go back to */
            assert_int_equal(vc_shared_info_gpa(&d->shared, 0), 2 * 4096);
        }
        if (when == 3) { /* its page has gone: what comes then is lost, until it registers at another */
            assert_true(vc_shared_info_unregister(&d->shared, 0));
            assert_int_equal(rig_page(d, 1)->vcpu_info[0].evtchn_upcall_pending, 1);
        }
    }
}

/* shared_info cannot be found: nothing to copy from. */
static void no_place_to_leave(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});

    (void)state;
    vc_shared_info_place(&d->shared, 1);
    d->map_error[1] = VC_ENOENT;
    vc_shared_info_remapped(&d->shared);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 0), -XEN_EINVAL);
    d->map_error[1] = VC_OK;
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 0), 0);
}

/* ---- Placing shared_info. ---- */

static void places(void **state)
{
    static const struct {
        uint64_t gfn;
        int error;
        int64_t result;
    } rows[] = {{1, 0, 0},
                {RIG_PAGES - 1, 0, 0},
                {RIG_PAGES, 0, -XEN_EINVAL},
                {UINT64_MAX, 0, -XEN_EINVAL},
                {UINT64_MAX / 4096, 0, -XEN_EINVAL},
                {1, VC_EPERM, -XEN_EINVAL}};
    uint64_t gfn;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct rig_domain *d = rig_one(&(struct rig_shape){0});

        if (rows[i].gfn < RIG_PAGES)
            d->map_error[rows[i].gfn] = rows[i].error;
        assert_false(vc_shared_info_placed(&d->shared, &gfn));
        assert_int_equal(vc_shared_info_gpa(&d->shared, 0), VC_NO_GPA);
        assert_int_equal(vc_shared_info_place(&d->shared, rows[i].gfn), rows[i].result);
        assert_int_equal(vc_shared_info_placed(&d->shared, &gfn), rows[i].result == 0);
        if (rows[i].result != 0)
            continue;
        assert_int_equal(gfn, rows[i].gfn);
        assert_int_equal(d->moved_to[2], rows[i].gfn * 4096 + 128);
        assert_int_equal(d->n_upcalls[0], 0); /* nothing was there */
    }
    assert_int_equal(vc_shared_info_gpa(&rig_one(&(struct rig_shape){0})->shared, RIG_VCPUS), VC_NO_GPA);
}

static void shared_info_moves(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    uint32_t port;

    (void)state;
    rig_ipi(d, 1, &port);
    rig_send(d, port); /* before the guest has any */
    assert_int_equal(d->n_upcalls[1], 1);
    vc_shared_info_place(&d->shared, 1);
    assert_int_equal(rig_page(d, 1)->evtchn_pending[0], UINT64_C(1) << port);
    assert_int_equal(rig_page(d, 1)->vcpu_info[1].evtchn_pending_sel, 1);
    assert_int_equal(rig_page(d, 1)->vcpu_info[1].evtchn_upcall_pending, 1);
    memset(d->ram + 4096, 0, 4096);
    rig_page(d, 1)->evtchn_mask[3] = 77;
    vc_shared_info_register(&d->shared, 0, 2, 5, 0);
    memset(d->ram + 5 * 4096, 0, 64);
    /* To another frame: masks and all with it, and every vCPU looks once. */
    assert_int_equal(vc_shared_info_place(&d->shared, 4), 0);
    assert_int_equal(rig_page(d, 4)->evtchn_mask[3], 77);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rig_page(d, 4)->vcpu_info[i].evtchn_pending_sel, ~UINT64_C(0));
        assert_int_equal(rig_page(d, 4)->vcpu_info[i].evtchn_upcall_pending, 1);
    }
    assert_int_equal(d->ram[5 * 4096], 1); /* a registered one stays where it is */
    assert_int_equal(vc_shared_info_gpa(&d->shared, 2), 5 * 4096);
    assert_int_equal(d->n_upcalls[1], 2);
    assert_int_equal(d->n_upcalls[2], 2);
    memset(d->ram + 4096, 0, 4096);
    rig_send(d, port);
    assert_int_equal(rig_page(d, 1)->evtchn_pending[0], 0); /* nothing to the place that was left */
    assert_int_equal(rig_page(d, 4)->evtchn_pending[0], UINT64_C(1) << port);
    /* To where it is: a look, and no more. */
    assert_int_equal(vc_shared_info_place(&d->shared, 4), 0);
    assert_int_equal(rig_page(d, 4)->evtchn_mask[3], 77);
    /* The old page has gone. */
    d->map_error[4] = VC_ENOENT;
    memset(d->ram + 6 * 4096, 0xaa, 4096);
    assert_int_equal(vc_shared_info_place(&d->shared, 6), 0);
    assert_int_equal(rig_page(d, 6)->evtchn_mask[3], 0);
    /* A registered page has gone: the others move all the same. */
    d->map_error[5] = VC_ENOENT;
    assert_int_equal(vc_shared_info_place(&d->shared, 7), 0);
    rig_send(d, port);
    assert_int_equal(rig_page(d, 7)->evtchn_pending[0], UINT64_C(1) << port);
}

/* ---- The guest's mode. ---- */

static void modes(void **state)
{
    static const struct {
        enum vc_abi boot, latch;
        bool good;
    } rows[] = {{VC_ABI_X86_64, VC_ABI_X86_32, true},   {VC_ABI_X86_32, VC_ABI_X86_64, true},
                {VC_ABI_X86_64, VC_ABI_X86_64, true},   {VC_ABI_X86_64, VC_ABI_ARM64, false},
                {VC_ABI_ARM64, VC_ABI_X86_64, false},   {VC_ABI_ARM64, VC_ABI_ARM64, true},
                {VC_ABI_X86_64, (enum vc_abi)3, false}, {VC_ABI_ARM64, (enum vc_abi)99, false}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct rig_domain *d = rig_one(&(struct rig_shape){.abi = rows[i].boot});

        assert_int_equal(vc_shared_info_latch(&d->shared, rows[i].latch), rows[i].good);
    }
}

static void a_latched_mode(void **state)
{
    struct rig_domain *d = rig_one(&(struct rig_shape){0});
    struct shared_info_x86_32 *s = (void *)(d->ram + 4096);
    uint32_t port = 0;

    (void)state;
    while (port < 40)
        rig_ipi(d, 1, &port);
    vc_shared_info_place(&d->shared, 1);
    vc_shared_info_wallclock(&d->shared, UINT64_C(0x500000007), 9);
    assert_true(vc_shared_info_latch(&d->shared, VC_ABI_X86_32));
    assert_int_equal(s->wc_sec, 7); /* "make sure that the timebase is correct" */
    assert_int_equal(s->wc_nsec, 9);
    assert_int_equal(s->wc_sec_hi, 5);
    assert_int_equal(s->wc_version % 2, 0);
    rig_send(d, port);
    assert_int_equal(s->evtchn_pending[1], 1u << (port - 32));
    assert_int_equal(s->vcpu_info[1].evtchn_pending_sel, 2);
    assert_int_equal(s->vcpu_info[1].evtchn_upcall_pending, 1);
    s->evtchn_mask[1] = 1u << (port - 32);
    s->vcpu_info[1].evtchn_pending_sel = s->vcpu_info[1].evtchn_upcall_pending = 0;
    rig_port_op(d, EVTCHNOP_unmask, port);
    assert_int_equal(s->evtchn_mask[1], 0);
    assert_int_equal(s->vcpu_info[1].evtchn_pending_sel, 2);
    vc_shared_info_reset(&d->shared); /* a new boot begins in the old mode, and without a page */
    assert_int_equal(vc_shared_info_gpa(&d->shared, 1), VC_NO_GPA);
    vc_shared_info_place(&d->shared, 1);
    assert_int_equal(s->evtchn_pending[1], 0);
    rig_send(d, port);
    assert_int_equal(rig_page(d, 1)->evtchn_pending[0], UINT64_C(1) << port);
}

/* ---- Delegated: somebody else writes the pages. ---- */

static struct {
    unsigned n_shared, n_info;
    uint64_t gpa;
    int64_t result;
} delegated;
static int64_t take_shared(void *domain, uint64_t gfn, enum vc_abi abi)
{
    (void)domain;
    door_under(LOCK_EVENT);
    assert_int_equal(abi, VC_ABI_X86_64);
    delegated.n_shared++;
    delegated.gpa = gfn * 4096;
    return delegated.result;
}
static int64_t take_info(void *domain, uint32_t vcpu, uint64_t gpa)
{
    (void)domain;
    (void)vcpu;
    door_may_sleep();
    delegated.n_info++;
    delegated.gpa = gpa;
    return delegated.result;
}

static void somebody_else_writes_the_pages(void **state)
{
    static const struct vc_shared_info_env delegating = {RIG_SHARED_ENV, .place_shared = take_shared,
                                                         .place_info = take_info};
    struct rig_domain *d = rig_one(&(struct rig_shape){.shared_env = &delegating});
    uint64_t gfn;

    (void)state;
    memset(&delegated, 0, sizeof delegated);
    delegated.result = -XEN_ENOMEM;
    assert_int_equal(vc_shared_info_place(&d->shared, 3), -XEN_ENOMEM);
    assert_false(vc_shared_info_placed(&d->shared, &gfn));
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 64), -XEN_ENOMEM);
    delegated.result = 0;
    assert_int_equal(vc_shared_info_place(&d->shared, 3), 0);
    assert_true(vc_shared_info_placed(&d->shared, &gfn));
    assert_int_equal(gfn, 3);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 65), -XEN_ENXIO); /* core's to say */
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 64), 0);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 0, 2, 64), -XEN_EINVAL);
    assert_int_equal(delegated.n_shared, 2);
    assert_int_equal(delegated.n_info, 2);
    assert_int_equal(delegated.gpa, 2 * 4096 + 64);
    assert_int_equal(vc_shared_info_gpa(&d->shared, 0), 2 * 4096 + 64);
    for (unsigned i = 0; i < 4 * 4096; i++)
        assert_int_equal(d->ram[i], 0);
}

/* A hypervisor without interrupts to inject, and without a wish to know. */
static void what_env_need_not_have(void **state)
{
    struct vc_shared_info_env bare = rig_shared_env;
    struct rig_domain *d;
    uint32_t port;

    (void)state;
    bare.upcall = NULL;
    bare.moved = NULL;
    bare.offline = NULL;
    d = rig_one(&(struct rig_shape){.shared_env = &bare});
    rig_ipi(d, 1, &port);
    vc_shared_info_place(&d->shared, 1);
    assert_int_equal(vc_shared_info_register(&d->shared, 0, 1, 2, 0), 0);
    rig_send(d, port);
    assert_int_equal(d->ram[2 * 4096], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(every_errno),
        cmocka_unit_test(other_vcpu_ops),
        cmocka_unit_test(content_is_copied_and_marked),
        cmocka_unit_test(the_first_of_a_vcpu_without_default),
        cmocka_unit_test(an_upcall_that_was_pending),
        cmocka_unit_test(events_go_to_the_new_place_only),
        cmocka_unit_test(memory_moves_during_the_copy),
        cmocka_unit_test(memory_goes_during_the_copy),
        cmocka_unit_test(no_place_to_leave),
        cmocka_unit_test(places),
        cmocka_unit_test(shared_info_moves),
        cmocka_unit_test(modes),
        cmocka_unit_test(a_latched_mode),
        cmocka_unit_test(somebody_else_writes_the_pages),
        cmocka_unit_test(what_env_need_not_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
