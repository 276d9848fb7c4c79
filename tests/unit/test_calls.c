/* SPDX-License-Identifier: MIT */
/* Hypercalls of a domain whose engine only records: answers by Xen's headers, pointers and numbers of every hostile kind. */
#include "vmm/calls.h"
#include "vmm/vmm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/shared_info.h>
#include <vcons/wire/xen.h>

#include <cmocka.h>

#define RAM     (UINT64_C(8) << 20)
#define BASE    VC_CALL_RAM_BASE
#define ARG     (BASE + 0x3000)
#define NOWHERE (BASE + RAM - 1) /* its first byte is there, no more */
#define N_VCPUS 3u
#define SHARED  0x20u /* gfn */
#define OUTSIDE 0x107fffu

static struct recorded {
    uint32_t up, n_ups, vectors;
    uint64_t vector, mapped_gpa;
    void *mapped_page;
    int map_result;
    bool holes; /* translate: odd pages are not there */
    bool low;   /* translate: one to one, for pointers of 32 bits */
} seen;

static int initialise(void *engine, uint32_t vcpu, const struct vcpu_hvm_context *context)
{
    (void)engine, (void)vcpu;
    return context->cpu_regs.x86_64.rip == 0xbad ? -XEN_EINVAL : 0;
}

static int bring_up(void *engine, uint32_t vcpu)
{
    (void)engine;
    seen.up |= 1u << vcpu;
    seen.n_ups++;
    return 0;
}

static int put_down(void *engine, uint32_t vcpu)
{
    (void)engine;
    seen.up &= ~(1u << vcpu);
    return 0;
}

static bool is_up(void *engine, uint32_t vcpu)
{
    (void)engine;
    return (seen.up & 1u << vcpu) != 0;
}

static int set_vector(void *engine, uint32_t vcpu, uint64_t value)
{
    (void)engine, (void)vcpu;
    seen.vectors++;
    seen.vector = value;
    return value == 0x0200000000000066 ? -XEN_EINVAL : 0;
}

static int map_page(void *engine, uint64_t gpa, void *page)
{
    (void)engine;
    if (page != NULL && seen.map_result != 0)
        return seen.map_result;
    seen.mapped_gpa = page != NULL ? gpa : ENGINE_NOWHERE;
    seen.mapped_page = page;
    return 0;
}

static bool translate(void *engine, uint32_t vcpu, uint64_t gva, bool write, uint64_t *gpa)
{
    (void)engine, (void)vcpu, (void)write;
    if (seen.holes && (gva / XEN_PAGE_BYTES & 1) != 0)
        return false;
    *gpa = seen.low ? gva : gva - BASE;
    return true;
}

static void kick_nobody(void *engine) { (void)engine; }

static const struct engine_ops ops = {.name = "recorder",
                                      .kick = kick_nobody,
                                      .vcpu_initialise = initialise,
                                      .vcpu_up = bring_up,
                                      .vcpu_down = put_down,
                                      .vcpu_is_up = is_up,
                                      .set_vector = set_vector,
                                      .map_page = map_page,
                                      .translate = translate};

struct rig {
    struct vmm vmm;
    struct domain_config config;
    struct domain domain;
};

static int make(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct domain *d = &r->domain;
    struct problem problem;

    seen = (struct recorded){.up = 1, .mapped_gpa = ENGINE_NOWHERE};
    uv_loop_init(&r->vmm.loop);
    r->vmm.trace_fd = -1;
    r->config =
        (struct domain_config){.name = "rig", .vcpus = N_VCPUS, .xen_version = XEN_VERSION_OF(4, 17), .uuid = {7}};
    d->vmm = &r->vmm;
    d->config = &r->config;
    d->id = 5;
    d->ops = &ops;
    d->engine = r;
    assert_int_equal(memory_create(&d->memory, RAM, BASE, &problem), 0);
    assert_int_equal(guest_init(d, &problem), 0);
    assert_int_equal(guest_open(d, &problem), 0);
    *state = r;
    return 0;
}

static int unmake(void **state)
{
    struct rig *r = *state;

    guest_finish(&r->domain);
    while (uv_run(&r->vmm.loop, UV_RUN_NOWAIT) != 0)
        continue;
    guest_reset(&r->domain);
    guest_free(&r->domain);
    uv_loop_close(&r->vmm.loop);
    memory_destroy(&r->domain.memory);
    free(r);
    return 0;
}

static void *at(struct rig *r, uint64_t gva) { return r->domain.memory.base + (gva - BASE); }

static int64_t call_by(struct rig *r, uint32_t vcpu, uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    return domain_hypercall(&r->domain, vcpu, nr, (const uint64_t[6]){a, b, c, 0, 0, 0});
}

static int64_t call(struct rig *r, uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    return call_by(r, 0, nr, a, b, c);
}

/* ---- Pointers: each call that has one, in each of these ways, before it looks at anything else. ---- */

static void pointers_outside_are_faults(void **state)
{
    static const struct {
        const char *name;
        uint64_t nr, cmd, second;
        bool third; /* the pointer is the third argument, `second` stands before it */
    } rows[] = {
        {"extraversion", XEN_xen_version, XENVER_extraversion, 0, false},
        {"capabilities", XEN_xen_version, XENVER_capabilities, 0, false},
        {"changeset", XEN_xen_version, XENVER_changeset, 0, false},
        {"command line", XEN_xen_version, XENVER_commandline, 0, false},
        {"platform parameters", XEN_xen_version, XENVER_platform_parameters, 0, false},
        {"features", XEN_xen_version, XENVER_get_features, 0, false},
        {"guest handle", XEN_xen_version, XENVER_guest_handle, 0, false},
        {"add to physmap", XEN_memory_op, XENMEM_add_to_physmap, 0, false},
        {"memory map", XEN_memory_op, XENMEM_memory_map, 0, false},
        {"set param", XEN_hvm_op, HVMOP_set_param, 0, false},
        {"get param", XEN_hvm_op, HVMOP_get_param, 0, false},
        {"upcall vector", XEN_hvm_op, HVMOP_set_evtchn_upcall_vector, 0, false},
        {"initialise", XEN_vcpu_op, VCPUOP_initialise, 1, true},
        {"single shot", XEN_vcpu_op, VCPUOP_set_singleshot_timer, 0, true},
        {"register vcpu_info", XEN_vcpu_op, VCPUOP_register_vcpu_info, 0, true},
        {"register runstate", XEN_vcpu_op, VCPUOP_register_runstate_memory_area, 0, true},
        {"register time", XEN_vcpu_op, VCPUOP_register_vcpu_time_memory_area, 0, true},
        {"bind virq", XEN_event_channel_op, EVTCHNOP_bind_virq, 0, false},
        {"poll", XEN_sched_op, SCHEDOP_poll, 0, false},
        {"shut down", XEN_sched_op, SCHEDOP_shutdown, 0, false},
    };
    static const uint64_t pointers[] = {0, NOWHERE, BASE - 1, BASE + RAM, UINT64_MAX, UINT64_MAX - 3};
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t j = 0; j < sizeof pointers / sizeof pointers[0]; j++) {
            uint64_t b = rows[i].third ? rows[i].second : pointers[j], c = pointers[j];

            if (call(r, rows[i].nr, rows[i].cmd, b, c) != -XEN_EFAULT)
                fail_msg("no fault: %s at 0x%llx", rows[i].name, (unsigned long long)pointers[j]);
        }
    assert_false(domain_stopping(&r->domain));
}

/* The argument lies on two pages, the second of which the guest has not mapped. */
static void copies_cross_pages(void **state)
{
    struct xen_feature_info *info;
    struct rig *r = *state;

    info = at(r, BASE + 0x2ffc);
    memset(info, 0, sizeof *info);
    assert_int_equal(call(r, XEN_xen_version, XENVER_get_features, BASE + 0x2ffc, 0), 0);
    assert_true((info->submap & 1u << XENFEAT_hvm_callback_vector) != 0);
    info->submap = 0;
    seen.holes = true;
    assert_int_equal(call(r, XEN_xen_version, XENVER_get_features, BASE + 0x2ffc, 0), -XEN_EFAULT);
    assert_int_equal(info->submap, 0);
    assert_int_equal(call(r, XEN_xen_version, XENVER_get_features, BASE + 0x2ff8, 0), 0);
}

/* ---- What has no or few bytes of argument. ---- */

static void plain_answers(void **state)
{
    static const struct {
        const char *name;
        uint64_t nr, a, b, c;
        int64_t result;
    } rows[] = {
        {"no such hypercall", 60, 0, 0, 0, -XEN_ENOSYS},
        {"far beyond the table", UINT64_MAX, 0, 0, 0, -XEN_ENOSYS},
        {"multicall", XEN_multicall, ARG, 1, 0, -XEN_ENOSYS},
        {"physdev_op", XEN_physdev_op, 0, ARG, 0, -XEN_ENOSYS},
        {"platform_op", XEN_platform_op, ARG, 0, 0, -XEN_ENOSYS},
        {"xenpmu_op", XEN_xenpmu_op, 0, ARG, 0, -XEN_ENOSYS},
        {"version", XEN_xen_version, XENVER_version, 0, 0, 0x40011},
        {"page size", XEN_xen_version, XENVER_pagesize, 0, 0, 4096},
        {"page size with a pointer", XEN_xen_version, XENVER_pagesize, ARG, 0, -XEN_EINVAL},
        {"no such version", XEN_xen_version, 77, ARG, 0, -XEN_ENOSYS},
        {"upper half of a command is not looked at", XEN_xen_version, 1ull << 32, 0, 0, 0x40011},
        {"the machine's memory map", XEN_memory_op, 10, ARG, 0, -XEN_ENOSYS},
        {"reservation", XEN_memory_op, XENMEM_current_reservation, ARG, 0, -XEN_ENOSYS},
        {"page tables die", XEN_hvm_op, HVMOP_pagetable_dying, ARG, 0, -XEN_ENOSYS},
        {"page tables die nowhere", XEN_hvm_op, HVMOP_pagetable_dying, 0, 0, -XEN_ENOSYS},
        {"is up", XEN_vcpu_op, VCPUOP_is_up, 0, 0, 1},
        {"is not up", XEN_vcpu_op, VCPUOP_is_up, 1, 0, 0},
        {"no such vCPU is up", XEN_vcpu_op, VCPUOP_is_up, N_VCPUS, 0, -XEN_ENOENT},
        {"no vCPU at all", XEN_vcpu_op, VCPUOP_is_up, UINT32_MAX, 0, -XEN_ENOENT},
        {"up before initialise", XEN_vcpu_op, VCPUOP_up, 1, 0, -XEN_EINVAL},
        {"up of one that is", XEN_vcpu_op, VCPUOP_up, 0, 0, 0},
        {"stop a periodic timer", XEN_vcpu_op, VCPUOP_stop_periodic_timer, 0, 0, 0},
        {"set one", XEN_vcpu_op, VCPUOP_set_periodic_timer, 0, ARG, -XEN_ENOSYS},
        {"stop a single shot", XEN_vcpu_op, VCPUOP_stop_singleshot_timer, 0, 0, 0},
        {"stop another's", XEN_vcpu_op, VCPUOP_stop_singleshot_timer, 1, 0, -XEN_EINVAL},
        {"set another's", XEN_vcpu_op, VCPUOP_set_singleshot_timer, 1, ARG, -XEN_EINVAL},
        {"NMI", XEN_vcpu_op, VCPUOP_send_nmi, 1, 0, -XEN_ENOSYS},
        {"vm_assist on", XEN_vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag, 0, 0},
        {"vm_assist of another kind", XEN_vm_assist, VMASST_CMD_enable, 2, 0, -XEN_EINVAL},
        {"set_timer_op, none", XEN_set_timer_op, 0, 0, 0, 0},
        {"map a grant", XEN_grant_table_op, GNTTABOP_map_grant_ref, ARG, 1, -XEN_ENOSYS},
        {"set up two tables", XEN_grant_table_op, GNTTABOP_setup_table, ARG, 2, -XEN_EINVAL},
        {"no query", XEN_grant_table_op, GNTTABOP_query_size, ARG, 0, -XEN_EINVAL},
        {"two queries", XEN_grant_table_op, GNTTABOP_query_size, ARG, 2, -XEN_EINVAL},
        {"FIFO events", XEN_event_channel_op, EVTCHNOP_init_control, ARG, 0, -XEN_ENOSYS},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t result = call(r, rows[i].nr, rows[i].a, rows[i].b, rows[i].c);

        if (result != rows[i].result)
            fail_msg("%s: %lld, not %lld", rows[i].name, (long long)result, (long long)rows[i].result);
    }
    assert_int_equal(r->domain.vcpus[0].calls[XEN_xen_version], 5);
    assert_int_equal(r->domain.vcpus[0].refused[XEN_xen_version], 1);
    assert_int_equal(r->domain.vcpus[0].calls[60], 1);
    assert_int_equal(r->domain.vcpus[0].other_refused, 1);
}

static void features_by_version(void **state)
{
    struct rig *r = *state;
    struct xen_feature_info *info = at(r, ARG);

    info->submap_idx = 1;
    assert_int_equal(call(r, XEN_xen_version, XENVER_get_features, ARG, 0), -XEN_EINVAL);
    info->submap_idx = 0;
    assert_int_equal(call(r, XEN_xen_version, XENVER_get_features, ARG, 0), 0);
    assert_int_equal(info->submap, 1u << 2 | 1u << 8 | 1u << 9 | 1u << 13);
    r->config.xen_version = XEN_VERSION_OF(4, 21);
    assert_int_equal(call(r, XEN_xen_version, XENVER_version, 0, 0), 0x40015);
    assert_int_equal(call(r, XEN_xen_version, XENVER_get_features, ARG, 0), 0);
    assert_int_equal(info->submap, 1u << 2 | 1u << 8 | 1u << 9 | 1u << 13 | 3u << 18);
}

/* ---- Parameters and vectors. ---- */

static int64_t param(struct rig *r, uint64_t op, uint16_t domid, uint32_t index, uint64_t *value)
{
    struct xen_hvm_param *p = at(r, ARG);
    int64_t result;

    *p = (struct xen_hvm_param){.domid = domid, .index = index, .value = *value};
    result = call(r, XEN_hvm_op, op, ARG, 0);
    *value = p->value;
    return result;
}

static void callback_is_the_engines_to_take(void **state)
{
    uint64_t value = 0x02000000000000f3;
    struct rig *r = *state;

    assert_int_equal(param(r, HVMOP_set_param, XEN_DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &value), 0);
    assert_true(seen.vectors == 1 && seen.vector == value);
    assert_int_equal(param(r, HVMOP_set_param, 4, HVM_PARAM_CALLBACK_IRQ, &value), -XEN_ESRCH);
    value = 0x0200000000000066; /* which this engine refuses: what was set before stays */
    assert_int_equal(param(r, HVMOP_set_param, 5, HVM_PARAM_CALLBACK_IRQ, &value), -XEN_EINVAL);
    assert_int_equal(param(r, HVMOP_get_param, 5, HVM_PARAM_CALLBACK_IRQ, &value), 0);
    assert_int_equal(value, 0x02000000000000f3);
    value = 1;
    assert_int_equal(param(r, HVMOP_set_param, 5, HVM_PARAM_CONSOLE_PFN, &value), -XEN_EPERM);
    assert_int_equal(param(r, HVMOP_set_param, 5, HVM_NR_PARAMS, &value), -XEN_EINVAL);
    assert_int_equal(seen.vectors, 2);
}

static void vectors_of_vcpus(void **state)
{
    static const struct {
        uint32_t vcpu;
        uint8_t vector;
        int64_t result;
    } rows[] = {{0, 0xf3, 0},           {2, 0x10, 0},
                {0, 0x0f, -XEN_EINVAL}, {0, 0, -XEN_EINVAL},
                {3, 0xf3, -XEN_ENOENT}, {UINT32_MAX, 0, -XEN_EINVAL}}; /* both: Xen looks at the vector first */
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        *(struct xen_hvm_evtchn_upcall_vector *)at(r, ARG) =
            (struct xen_hvm_evtchn_upcall_vector){.vcpu = rows[i].vcpu, .vector = rows[i].vector};
        if (call(r, XEN_hvm_op, HVMOP_set_evtchn_upcall_vector, ARG, 0) != rows[i].result)
            fail_msg("vector 0x%x of vCPU %u", rows[i].vector, rows[i].vcpu);
    }
    assert_int_equal(seen.vectors, 2);
}

/* ---- vCPUs. ---- */

static void vcpus_come_and_go(void **state)
{
    struct rig *r = *state;
    struct vcpu_hvm_context *context = at(r, ARG);

    memset(context, 0, sizeof *context);
    context->mode = 2;
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_initialise, 1, ARG), -XEN_EINVAL);
    context->mode = VCPU_HVM_MODE_64B;
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_initialise, 0, ARG), -XEN_EEXIST);
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_initialise, N_VCPUS, ARG), -XEN_ENOENT);
    context->cpu_regs.x86_64.rip = 0xbad;
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_initialise, 1, ARG), -XEN_EINVAL);
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_up, 1, 0), -XEN_EINVAL);
    context->cpu_regs.x86_64.rip = 0;
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_initialise, 1, ARG), 0);
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_initialise, 1, ARG), -XEN_EEXIST);
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_up, 1, 0), 0);
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_up, 1, 0), 0);
    assert_int_equal(seen.n_ups, 1);
    assert_int_equal(call(r, XEN_vcpu_op, VCPUOP_down, 0, 0), 0);
    assert_false(domain_stopping(&r->domain));
    assert_int_equal(call_by(r, 1, XEN_vcpu_op, VCPUOP_down, 1, 0), 0); /* the last one */
    assert_true(domain_stopping(&r->domain));
    assert_int_equal(atomic_load(&r->domain.request), REQUEST_POWEROFF);
}

/* ---- Pages. ---- */

static int64_t place(struct rig *r, uint16_t domid, uint32_t space, uint64_t idx, uint64_t gpfn)
{
    *(struct xen_add_to_physmap *)at(r, ARG) =
        (struct xen_add_to_physmap){.domid = domid, .space = space, .idx = idx, .gpfn = gpfn};
    return call(r, XEN_memory_op, XENMEM_add_to_physmap, ARG, 0);
}

static void places_that_are_none(void **state)
{
    static const struct {
        const char *name;
        uint16_t domid;
        uint32_t space;
        uint64_t idx, gpfn;
        int64_t result;
    } rows[] = {
        {"another domain", 4, XENMAPSPACE_shared_info, 0, SHARED, -XEN_ESRCH},
        {"the hypervisor", 0, XENMAPSPACE_grant_table, 0, SHARED, -XEN_ESRCH},
        {"no such space", XEN_DOMID_SELF, 9, 0, SHARED, -XEN_ENOSYS},
        {"second shared_info", XEN_DOMID_SELF, XENMAPSPACE_shared_info, 1, SHARED, -XEN_EINVAL},
        {"shared_info behind RAM", XEN_DOMID_SELF, XENMAPSPACE_shared_info, 0, RAM / 4096, -XEN_EINVAL},
        {"shared_info at the end of numbers", XEN_DOMID_SELF, XENMAPSPACE_shared_info, 0, UINT64_MAX, -XEN_EINVAL},
        {"too many frames", XEN_DOMID_SELF, XENMAPSPACE_grant_table, GRANTS_FRAMES_MAX, 0x30, -XEN_EINVAL},
        {"frame status", XEN_DOMID_SELF, XENMAPSPACE_grant_table, 0x80000000u, 0x30, -XEN_EINVAL},
        {"grants at the end of numbers", XEN_DOMID_SELF, XENMAPSPACE_grant_table, 0, UINT64_MAX, -XEN_EINVAL},
        {"grants where addresses wrap", XEN_DOMID_SELF, XENMAPSPACE_grant_table, 0, UINT64_MAX / 4096, -XEN_EINVAL},
        {"shared_info", XEN_DOMID_SELF, XENMAPSPACE_shared_info, 0, SHARED, 0},
        {"by its own number", 5, XENMAPSPACE_shared_info, 0, SHARED + 1, 0},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (place(r, rows[i].domid, rows[i].space, rows[i].idx, rows[i].gpfn) != rows[i].result)
            fail_msg("wrong answer: %s", rows[i].name);
}

static void grants_move_with_their_content(void **state)
{
    struct rig *r = *state;
    struct gnttab_query_size *query = at(r, ARG);
    struct grant_entry_v1 *inside = at(r, BASE + 0x30000), *outside;
    void *page = at(r, BASE + 0x50000);

    *query = (struct gnttab_query_size){.dom = XEN_DOMID_SELF};
    assert_int_equal(call(r, XEN_grant_table_op, GNTTABOP_query_size, ARG, 1), 0);
    assert_true(query->status == GNTST_okay && query->nr_frames == 1 && query->max_nr_frames == GRANTS_FRAMES_MAX);
    *query = (struct gnttab_query_size){.dom = 4};
    assert_int_equal(call(r, XEN_grant_table_op, GNTTABOP_query_size, ARG, 1), 0);
    assert_int_equal(query->status, GNTST_bad_domain);

    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 0, 0x30), 0); /* in RAM */
    assert_int_equal(inside[GNTTAB_RESERVED_CONSOLE].flags, GTF_permit_access);
    inside[9] = (struct grant_entry_v1){.flags = GTF_permit_access, .frame = 0x50};
    assert_ptr_equal(grant_pages_map(&r->domain.grants, 9), page);
    assert_int_equal(inside[9].flags, GTF_permit_access | GTF_reading | GTF_writing);

    seen.map_result = -XEN_ENOSPC;
    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 0, OUTSIDE), -XEN_ENOSPC);
    seen.map_result = 0;
    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 0, OUTSIDE), 0);
    assert_true(seen.mapped_gpa == OUTSIDE * UINT64_C(4096) && seen.mapped_page != NULL);
    outside = seen.mapped_page;
    assert_int_equal(outside[9].frame, 0x50);
    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 1, OUTSIDE), -XEN_EBUSY);
    grant_pages_unmap(&r->domain.grants, 9);
    assert_int_equal(outside[9].flags, GTF_permit_access);

    outside[10] = (struct grant_entry_v1){.flags = GTF_permit_access, .frame = UINT32_MAX};
    assert_null(grant_pages_map(&r->domain.grants, 10)); /* it granted what it has not */
    assert_int_equal(outside[10].flags, GTF_permit_access);
    assert_null(grant_pages_map(&r->domain.grants, 600));
    assert_null(grant_pages_map(&r->domain.grants, UINT32_MAX));
    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 3, 0x31), 0); /* the table grows */
    assert_int_equal(grant_pages_frames(&r->domain.grants), 4);
}

/* shared_info lies on a frame of the grant table outside RAM, and the frame goes elsewhere: nothing is written to it any more,
 * neither there nor where it is then. */
static void events_leave_a_frame_that_moved(void **state)
{
    struct rig *r = *state;
    struct evtchn_bind_ipi *bind = at(r, ARG);
    struct shared_info_x86_64 *info;
    uint32_t port;
    size_t nonzero = 0;

    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 1, OUTSIDE), 0);
    info = seen.mapped_page;
    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_shared_info, 0, OUTSIDE), 0);
    *bind = (struct evtchn_bind_ipi){.vcpu = 0};
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_bind_ipi, ARG, 0), 0);
    port = bind->port;
    *(struct evtchn_send *)at(r, ARG) = (struct evtchn_send){.port = port};
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_send, ARG, 0), 0);
    assert_int_equal(info->evtchn_pending[0], UINT64_C(1) << port);

    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 1, OUTSIDE + 1), 0);
    assert_ptr_equal(seen.mapped_page, info); /* the same page, elsewhere: full of grants from now on */
    memset(info, 0, sizeof *info);
    *(struct evtchn_send *)at(r, ARG) = (struct evtchn_send){.port = port};
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_send, ARG, 0), 0);
    vc_shared_info_wallclock(&r->domain.shared, 7, 7);
    for (size_t i = 0; i < XEN_PAGE_BYTES; i++)
        nonzero += ((const uint8_t *)info)[i] != 0;
    assert_int_equal(nonzero, 0);

    /* A move that fails half-way has taken it away, too. */
    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_shared_info, 0, OUTSIDE + 1), 0);
    seen.map_result = -XEN_ENOSPC;
    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 1, OUTSIDE), -XEN_ENOSPC);
    memset(info, 0, sizeof *info);
    *(struct evtchn_send *)at(r, ARG) = (struct evtchn_send){.port = port};
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_send, ARG, 0), 0);
    assert_int_equal(info->evtchn_pending[0], 0);
}

static void tables_are_listed_as_by_xen(void **state)
{
    static const struct {
        const char *name;
        uint16_t dom;
        uint32_t nr_frames;
        uint64_t list;
        int16_t status;
    } rows[] = {{"its own", XEN_DOMID_SELF, 2, ARG + 64, GNTST_okay},
                {"by number", 5, 0, 0, GNTST_okay},
                {"no such domain", 99, 1, ARG + 64, GNTST_bad_domain},
                {"the hypervisor", 0, 1, ARG + 64, GNTST_permission_denied},
                {"too many", XEN_DOMID_SELF, GRANTS_FRAMES_MAX + 1, ARG + 64, GNTST_general_error},
                {"far too many", XEN_DOMID_SELF, UINT32_MAX, ARG + 64, GNTST_general_error},
                {"a list that is nowhere", XEN_DOMID_SELF, 1, NOWHERE, GNTST_bad_virt_addr}};
    struct rig *r = *state;
    struct gnttab_setup_table *table = at(r, ARG);
    struct compat_gnttab_setup_table *compat = at(r, ARG);
    const uint64_t *list = at(r, ARG + 64);

    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_grant_table, 0, 0x30), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        *table = (struct gnttab_setup_table){
            .dom = rows[i].dom, .nr_frames = rows[i].nr_frames, .status = 77, .frame_list = rows[i].list};
        assert_int_equal(call(r, XEN_grant_table_op, GNTTABOP_setup_table, ARG, 1), 0);
        if (table->status != rows[i].status)
            fail_msg("%s: status %d", rows[i].name, table->status);
    }
    assert_true(list[0] == 0x30 && list[1] == UINT64_MAX); /* the second one has no place yet */
    assert_int_equal(grant_pages_frames(&r->domain.grants), 2);
    *compat = (struct compat_gnttab_setup_table){
        .dom = XEN_DOMID_SELF, .nr_frames = 2, .status = 77, .frame_list = (uint32_t)(ARG - BASE) + 64};
    seen.low = true;
    assert_int_equal(domain_hypercall_compat(&r->domain, 0, XEN_grant_table_op,
                                             (const uint64_t[6]){GNTTABOP_setup_table, ARG - BASE, 1}),
                     0);
    assert_int_equal(compat->status, GNTST_okay);
    assert_int_equal(list[0], 0xffffffff00000030);
}

static uint64_t e820_end(const struct xen_e820_entry *e)
{
    return (e->addr_low | (uint64_t)e->addr_high << 32) + (e->size_low | (uint64_t)e->size_high << 32);
}

/* The one of hvm_start_info: all of RAM but for what the builder keeps at its end. */
static void memory_map_is_the_boot_map(void **state)
{
    struct rig *r = *state;
    struct xen_memory_map *map = at(r, ARG);
    struct compat_memory_map *compat = at(r, ARG);
    struct xen_e820_entry *entries = at(r, ARG + 64);

    *map = (struct xen_memory_map){.nr_entries = 128, .buffer = ARG + 64};
    assert_int_equal(call(r, XEN_memory_op, XENMEM_memory_map, ARG, 0), 0);
    assert_int_equal(map->nr_entries, 2);
    assert_true(entries[0].type == 1 && entries[0].addr_low == 0 && entries[1].type == 2);
    assert_int_equal(e820_end(&entries[0]), entries[1].addr_low);
    assert_int_equal(e820_end(&entries[1]), RAM);
    assert_in_range(entries[1].addr_low, RAM - 0x20000, RAM - 0x9000);

    memset(entries, 0xee, 2 * sizeof *entries);
    *map = (struct xen_memory_map){.nr_entries = 1, .buffer = ARG + 64}; /* room for one */
    assert_int_equal(call(r, XEN_memory_op, XENMEM_memory_map, ARG, 0), 0);
    assert_true(map->nr_entries == 1 && entries[0].type == 1 && entries[1].type == 0xeeeeeeee);
    *map = (struct xen_memory_map){.nr_entries = 2, .buffer = NOWHERE};
    assert_int_equal(call(r, XEN_memory_op, XENMEM_memory_map, ARG, 0), -XEN_EFAULT);
    *compat = (struct compat_memory_map){.nr_entries = 2, .buffer = (uint32_t)(ARG - BASE) + 64};
    seen.low = true;
    assert_int_equal(
        domain_hypercall_compat(&r->domain, 0, XEN_memory_op, (const uint64_t[6]){XENMEM_memory_map, ARG - BASE}), 0);
    assert_true(compat->nr_entries == 2 && entries[1].type == 2);
}

static void shutdowns_have_their_reasons(void **state)
{
    static const struct {
        uint32_t reason;
        enum domain_request request;
        const char *why;
    } rows[] = {{SHUTDOWN_poweroff, REQUEST_POWEROFF, ""},      {SHUTDOWN_reboot, REQUEST_REBOOT, ""},
                {SHUTDOWN_suspend, REQUEST_NONE, ""},           {SHUTDOWN_crash, REQUEST_CRASH, "the guest says so"},
                {SHUTDOWN_watchdog, REQUEST_CRASH, "watchdog"}, {SHUTDOWN_soft_reset, REQUEST_CRASH, "soft reset"},
                {6, REQUEST_CRASH, "the guest says so"}};
    struct rig *r = *state;
    struct domain *d = &r->domain;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        atomic_store(&d->request, REQUEST_NONE);
        atomic_store(&d->stopping, false);
        d->why[0] = '\0';
        *(uint32_t *)at(r, ARG) = rows[i].reason;
        assert_int_equal(call(r, XEN_sched_op, SCHEDOP_shutdown, ARG, 0),
                         rows[i].request == REQUEST_NONE ? -XEN_EOPNOTSUPP : 0);
        if (domain_stopping(d) != (rows[i].request != REQUEST_NONE) ||
            atomic_load(&d->request) != (int)rows[i].request || strstr(d->why, rows[i].why) == NULL)
            fail_msg("reason %u: request %d, \"%s\"", rows[i].reason, atomic_load(&d->request), d->why);
    }
}

static void versions_of_grants(void **state)
{
    static const struct {
        uint32_t version;
        int64_t result;
    } rows[] = {{1, 0}, {2, -XEN_ENOSYS}, {0, -XEN_EINVAL}, {3, -XEN_EINVAL}};
    struct rig *r = *state;
    struct gnttab_get_version *get = at(r, ARG);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        *(struct gnttab_set_version *)at(r, ARG) = (struct gnttab_set_version){rows[i].version};
        assert_int_equal(call(r, XEN_grant_table_op, GNTTABOP_set_version, ARG, 1), rows[i].result);
    }
    *get = (struct gnttab_get_version){.dom = 5};
    assert_int_equal(call(r, XEN_grant_table_op, GNTTABOP_get_version, ARG, 1), 0);
    assert_int_equal(get->version, 1);
}

/* ---- 32-bit code: the same calls, structures as it has them. ---- */

static void compat_layouts(void **state)
{
    struct rig *r = *state;
    struct compat_vcpu_set_singleshot_timer *timer = at(r, ARG);

    *(struct compat_add_to_physmap *)at(r, ARG) =
        (struct compat_add_to_physmap){.domid = XEN_DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = SHARED};
    assert_int_equal(
        domain_hypercall_compat(&r->domain, 0, XEN_memory_op, (const uint64_t[6]){XENMEM_add_to_physmap, ARG}), 0);
    assert_int_equal(r->domain.shared.abi, VC_ABI_X86_32);
    *timer = (struct compat_vcpu_set_singleshot_timer){.timeout_abs_ns_low = 1, .flags = VCPU_SSHOTTMR_future};
    assert_int_equal(
        domain_hypercall_compat(&r->domain, 0, XEN_vcpu_op, (const uint64_t[6]){VCPUOP_set_singleshot_timer, 0, ARG}),
        -XEN_ETIME);
    timer->timeout_abs_ns_high = UINT32_MAX;
    assert_int_equal(
        domain_hypercall_compat(&r->domain, 0, XEN_vcpu_op, (const uint64_t[6]){VCPUOP_set_singleshot_timer, 0, ARG}),
        0);
}

/* ---- Timers: in the past, in a moment, never, stopped. ---- */

static bool timer_pending(struct rig *r, uint32_t port)
{
    struct shared_info_x86_64 *info = at(r, BASE + SHARED * 4096);

    return (__atomic_fetch_and(&info->evtchn_pending[port / 64], ~(UINT64_C(1) << port % 64), __ATOMIC_SEQ_CST) >>
                port % 64 &
            1) != 0;
}

static bool fires(struct rig *r, uint32_t port, unsigned ms)
{
    uint64_t end = domain_time_ns() + ms * UINT64_C(1000000);

    while (!timer_pending(r, port) && domain_time_ns() < end) {
        uv_run(&r->vmm.loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    return domain_time_ns() < end;
}

static int64_t set_timer(struct rig *r, uint64_t deadline_ns, uint32_t flags)
{
    *(struct vcpu_set_singleshot_timer *)at(r, ARG) =
        (struct vcpu_set_singleshot_timer){.timeout_abs_ns = deadline_ns, .flags = flags};
    return call_by(r, 1, XEN_vcpu_op, VCPUOP_set_singleshot_timer, 1, ARG);
}

static void timers_fire_their_vcpus_virq(void **state)
{
    struct rig *r = *state;
    struct evtchn_bind_virq *bind = at(r, ARG);
    uint32_t port;

    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_shared_info, 0, SHARED), 0);
    *bind = (struct evtchn_bind_virq){.virq = VIRQ_TIMER, .vcpu = 1};
    assert_int_equal(call(r, XEN_event_channel_op, EVTCHNOP_bind_virq, ARG, 0), 0);
    port = bind->port;

    assert_int_equal(set_timer(r, 1, 0), 0); /* long ago: Xen fires it at once */
    assert_true(fires(r, port, 10000));
    assert_int_equal(set_timer(r, 1, VCPU_SSHOTTMR_future), -XEN_ETIME);
    assert_int_equal(set_timer(r, domain_time_ns() + 20000000, 0), 0);
    assert_false(timer_pending(r, port));
    assert_true(fires(r, port, 10000));
    assert_int_equal(set_timer(r, UINT64_MAX - 1, 0), 0);
    assert_false(fires(r, port, 20));
    assert_int_equal(call_by(r, 1, XEN_set_timer_op, domain_time_ns() + 10000000, 0, 0), 0);
    assert_int_equal(call_by(r, 1, XEN_vcpu_op, VCPUOP_stop_singleshot_timer, 1, 0), 0);
    assert_false(fires(r, port, 40));
    assert_int_equal(call_by(r, 1, XEN_set_timer_op, 1, 0, 0), 0);
    assert_true(fires(r, port, 10000));
}

/* ---- The clock in vcpu_info. ---- */

static uint64_t ns_of(const struct vcpu_time_info *t, uint64_t ticks)
{
    ticks = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
    return (ticks >> 32) * t->tsc_to_system_mul + ((ticks & UINT32_MAX) * t->tsc_to_system_mul >> 32);
}

static void rates_are_exact(void **state)
{
    static const struct {
        uint64_t ticks, ns;
    } rows[] = {{1000000000, 1000000000},
                {2599966000, 1000000000},
                {24000000, 1000000000},
                {5200000123, 999999937},
                {1000003, 1000000007}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vcpu_time_info t = {0};
        uint64_t ns;

        guest_clock_rate(rows[i].ticks, rows[i].ns, &t.tsc_to_system_mul, &t.tsc_shift);
        ns = ns_of(&t, rows[i].ticks);
        assert_true(t.tsc_to_system_mul >= UINT32_C(1) << 31);
        /* 31 digits of mul, and what a right shift of the ticks drops */
        if (ns > rows[i].ns || rows[i].ns - ns > 3)
            fail_msg("%llu ticks: %llu ns", (unsigned long long)rows[i].ticks, (unsigned long long)ns);
    }
}

#if defined(__x86_64__)
static void vcpu_info_tells_the_time(void **state)
{
    struct rig *r = *state;
    struct shared_info_x86_64 *info = at(r, BASE + SHARED * 4096);
    int64_t off;

    guest_clock_start(&r->vmm.clock);
    uv_sleep(50);
    assert_int_equal(place(r, XEN_DOMID_SELF, XENMAPSPACE_shared_info, 0, SHARED), 0);
    for (uint32_t i = 0; i < N_VCPUS; i++) {
        struct vcpu_time_info t = info->vcpu_info[i].time;

        assert_true(t.tsc_to_system_mul != 0 && t.version % 2 == 0 && t.version != 0);
        off = (int64_t)(t.system_time + ns_of(&t, __builtin_ia32_rdtsc() - t.tsc_timestamp) - domain_time_ns());
        if (off > 2000000 || off < -200000000) /* a busy machine may stop us between the two, not turn time back */
            fail_msg("vCPU %u is off by %lld ns", i, (long long)off);
    }
    assert_true(info->wc_version % 2 == 0 && info->wc_sec != 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pointers_outside_are_faults, make, unmake),
        cmocka_unit_test_setup_teardown(copies_cross_pages, make, unmake),
        cmocka_unit_test_setup_teardown(plain_answers, make, unmake),
        cmocka_unit_test_setup_teardown(features_by_version, make, unmake),
        cmocka_unit_test_setup_teardown(callback_is_the_engines_to_take, make, unmake),
        cmocka_unit_test_setup_teardown(vectors_of_vcpus, make, unmake),
        cmocka_unit_test_setup_teardown(vcpus_come_and_go, make, unmake),
        cmocka_unit_test_setup_teardown(places_that_are_none, make, unmake),
        cmocka_unit_test_setup_teardown(grants_move_with_their_content, make, unmake),
        cmocka_unit_test_setup_teardown(events_leave_a_frame_that_moved, make, unmake),
        cmocka_unit_test_setup_teardown(tables_are_listed_as_by_xen, make, unmake),
        cmocka_unit_test_setup_teardown(memory_map_is_the_boot_map, make, unmake),
        cmocka_unit_test_setup_teardown(shutdowns_have_their_reasons, make, unmake),
        cmocka_unit_test_setup_teardown(versions_of_grants, make, unmake),
        cmocka_unit_test_setup_teardown(compat_layouts, make, unmake),
        cmocka_unit_test_setup_teardown(timers_fire_their_vcpus_virq, make, unmake),
        cmocka_unit_test(rates_are_exact),
#if defined(__x86_64__)
        cmocka_unit_test_setup_teardown(vcpu_info_tells_the_time, make, unmake),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
