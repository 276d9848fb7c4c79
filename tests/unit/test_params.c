/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <vcons/params.h>

/* Xen ABI 6.2 and 6.3: each row a parameter, and who may get and set it ('-': -EPERM, '!': -EINVAL, '.': yes). */
static const struct {
    const char *name;
    uint32_t index;
    const char *x86, *arm; /* guest gets, guest sets, tools get, tools set */
} rows[] = {
    {"CALLBACK_IRQ", 0, "....", ".-.."},
    {"STORE_PFN", 1, ".-..", ".-.."},
    {"STORE_EVTCHN", 2, "....", ".-.."},
    {"a hole", 3, "!!!!", "!!!!"},
    {"PAE_ENABLED, dead", 4, "!!!!", "!!!!"},
    {"IOREQ_PFN", 5, "--..", "!!!!"},
    {"VIRIDIAN", 9, "--..", "!!!!"},
    {"IDENT_PT", 12, "--..", "!!!!"},
    {"DM_DOMAIN, dead", 13, "!!!!", "!!!!"},
    {"VM86_TSS", 15, "....", "!!!!"},
    {"VPT_ALIGN", 16, "--..", "!!!!"},
    {"CONSOLE_PFN", HVM_PARAM_CONSOLE_PFN, ".-..", ".-.."},
    {"CONSOLE_EVTCHN", HVM_PARAM_CONSOLE_EVTCHN, "....", ".-.."},
    {"ACPI_IOPORTS_LOCATION", 19, "....", "!!!!"},
    {"20, dead", 20, "!!!!", "!!!!"},
    {"26, dead", 26, "!!!!", "!!!!"},
    {"MONITOR_RING_PFN", 28, "--..", "--.."},
    {"30, dead", 30, "!!!!", "!!!!"},
    {"VM_GENERATION_ID_ADDR", 34, "....", "!!!!"},
    {"ALTP2M", 35, ".-..", "!!!!"},
    {"X87_FIP_WIDTH", 36, "....", "!!!!"},
    {"VM86_TSS_SIZED", 37, "....", "!!!!"},
    {"MCA_CAP, the last", 38, "--..", "!!!!"},
    {"out of range", 39, "!!!!", "!!!!"},
    {"far out of range", UINT32_MAX, "!!!!", "!!!!"},
};

static int expected(char c) { return c == '.' ? 0 : c == '-' ? -XEN_EPERM : -XEN_EINVAL; }

static void check_row(const char *name, enum vc_param_arch arch, uint32_t index, const char *access)
{
    static const enum vc_param_role roles[] = {VC_PARAM_GUEST, VC_PARAM_TOOLSTACK, VC_PARAM_DM};

    for (size_t i = 0; i < N_ROWS(roles); i++) {
        const char *a = access + (roles[i] == VC_PARAM_GUEST ? 0 : 2);
        struct vc_params p;
        uint64_t value = 77;

        vc_params_init(&p, arch);
        if (vc_params_get(&p, roles[i], index, &value) != expected(a[0]) || value != 0)
            fail_msg("%s: role %d gets", name, (int)roles[i]);
        if (vc_params_set(&p, roles[i], index, 5) != expected(a[1]))
            fail_msg("%s: role %d sets", name, (int)roles[i]);
        vc_params_get(&p, VC_PARAM_TOOLSTACK, index, &value);
        assert_int_equal(value, a[1] == '.' ? 5 : 0);
    }
}

static void who_may_do_what(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        check_row(rows[i].name, VC_PARAM_X86, rows[i].index, rows[i].x86);
        check_row(rows[i].name, VC_PARAM_ARM, rows[i].index, rows[i].arm);
    }
}

static void set_once(void **state)
{
    static const uint32_t once[] = {5, 6, 9, 32, 33, 38};
    struct vc_params p;

    (void)state;
    vc_params_init(&p, VC_PARAM_X86);
    for (size_t i = 0; i < N_ROWS(once); i++) {
        assert_int_equal(vc_params_set(&p, VC_PARAM_TOOLSTACK, once[i], 7), 0);
        assert_int_equal(vc_params_set(&p, VC_PARAM_TOOLSTACK, once[i], 7), 0); /* no change */
        assert_int_equal(vc_params_set(&p, VC_PARAM_TOOLSTACK, once[i], 8), -XEN_EEXIST);
    }
    assert_int_equal(vc_params_set(&p, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_PFN, 7), 0);
    assert_int_equal(vc_params_set(&p, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_PFN, 8), 0);
}

static void hidden_from_the_guest(void **state)
{
    struct vc_params p;
    uint64_t value;

    (void)state;
    vc_params_init(&p, VC_PARAM_X86);
    vc_params_hide(&p, HVM_PARAM_CONSOLE_EVTCHN);
    vc_params_hide(&p, HVM_NR_PARAMS); /* none */
    assert_int_equal(vc_params_set(&p, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_EVTCHN, 7), 0);
    assert_int_equal(vc_params_get(&p, VC_PARAM_GUEST, HVM_PARAM_CONSOLE_EVTCHN, &value), -XEN_EPERM);
    assert_int_equal(value, 0);
    assert_int_equal(vc_params_set(&p, VC_PARAM_GUEST, HVM_PARAM_CONSOLE_EVTCHN, 1), -XEN_EPERM);
    assert_int_equal(vc_params_get(&p, VC_PARAM_DM, HVM_PARAM_CONSOLE_EVTCHN, &value), 0);
    assert_int_equal(value, 7);
}

/* Xen ABI 6.1; the guest is domain 3, with a console page 0xfeff and a port 2. */
static const struct {
    const char *name;
    uint64_t op;
    struct xen_hvm_param arg;
    int64_t result;
    uint64_t value;
} ops[] = {
    {"get the page", HVMOP_get_param, {XEN_DOMID_SELF, 0, HVM_PARAM_CONSOLE_PFN, 0}, 0, 0xfeff},
    {"get the port, by number", HVMOP_get_param, {3, 0, HVM_PARAM_CONSOLE_EVTCHN, 0}, 0, 2},
    {"get an unset one", HVMOP_get_param, {XEN_DOMID_SELF, 0, 1, 99}, 0, 0},
    {"another domain's", HVMOP_get_param, {2, 0, HVM_PARAM_CONSOLE_PFN, 0}, -XEN_ESRCH, 0},
    {"domain 0's", HVMOP_set_param, {0, 0, HVM_PARAM_CONSOLE_EVTCHN, 4}, -XEN_ESRCH, 4},
    {"set the page", HVMOP_set_param, {XEN_DOMID_SELF, 0, HVM_PARAM_CONSOLE_PFN, 4}, -XEN_EPERM, 4},
    {"set the port", HVMOP_set_param, {XEN_DOMID_SELF, 0, HVM_PARAM_CONSOLE_EVTCHN, 4}, 0, 4},
    {"index out of range", HVMOP_get_param, {2, 0, 39, 0}, -XEN_EINVAL, 0},
    {"set_evtchn_upcall_vector", 23, {XEN_DOMID_SELF, 0, 0, 0}, -XEN_ENOSYS, 0},
    {"pagetable_dying", 9, {XEN_DOMID_SELF, 0, 0, 0}, -XEN_ENOSYS, 0},
    {"no such op", UINT64_MAX, {XEN_DOMID_SELF, 0, 0, 0}, -XEN_ENOSYS, 0},
};

static void the_hypercall(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(ops); i++) {
        struct xen_hvm_param arg = ops[i].arg;
        struct vc_params p;

        vc_params_init(&p, VC_PARAM_X86);
        vc_params_set(&p, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_PFN, 0xfeff);
        vc_params_set(&p, VC_PARAM_TOOLSTACK, HVM_PARAM_CONSOLE_EVTCHN, 2);
        if (vc_params_hvm_op(&p, 3, ops[i].op, &arg) != ops[i].result || arg.value != ops[i].value)
            fail_msg("%s", ops[i].name);
    }
}

/* Facts §6.4. */
static const struct {
    const char *name;
    enum vc_param_arch arch;
    uint64_t value;
    struct vc_callback is;
} callbacks[] = {
    {"0 disables", VC_PARAM_X86, 0, {.kind = VC_CALLBACK_NONE}},
    {"GSI 1: Linux' mark", VC_PARAM_X86, 1, {.kind = VC_CALLBACK_GSI, .number = 1}},
    {"GSI, 8 bits of it", VC_PARAM_X86, 0x123, {.kind = VC_CALLBACK_GSI, .number = 0x23}},
    {"vector 0xf3", VC_PARAM_X86, UINT64_C(0x02000000000000f3), {.kind = VC_CALLBACK_VECTOR, .number = 0xf3}},
    {"vector, no bit above it",
     VC_PARAM_X86,
     UINT64_C(0x02000000000003f3),
     {.kind = VC_CALLBACK_VECTOR, .number = 0xf3}},
    {"INTx", VC_PARAM_X86, UINT64_C(0x0100000000001802), {.kind = VC_CALLBACK_INTX, .device = 3, .pin = 2}},
    {"INTx, bits that mean nothing", VC_PARAM_X86, UINT64_C(0x01ffffffffff07fc), {.kind = VC_CALLBACK_INTX}},
    {"no type", VC_PARAM_X86, UINT64_C(0x0300000000000001), {.kind = VC_CALLBACK_NONE}},
    {"all ones", VC_PARAM_X86, UINT64_MAX, {.kind = VC_CALLBACK_NONE}},
    {"PPI 31, low",
     VC_PARAM_ARM,
     UINT64_C(0x020000000000021f),
     {.kind = VC_CALLBACK_PPI, .number = 31, .active_low = true}},
    {"PPI 31, edge", VC_PARAM_ARM, UINT64_C(0x020000000000011f), {.kind = VC_CALLBACK_PPI, .number = 31, .edge = true}},
    {"no GSI on Arm", VC_PARAM_ARM, 5, {.kind = VC_CALLBACK_NONE}},
    {"no INTx on Arm", VC_PARAM_ARM, UINT64_C(0x0100000000001802), {.kind = VC_CALLBACK_NONE}},
};
static void how_upcalls_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(callbacks); i++) {
        struct vc_callback c = vc_params_callback(callbacks[i].arch, callbacks[i].value),
                           *is = &(struct vc_callback){0};

        *is = callbacks[i].is;
        if (c.kind != is->kind || c.number != is->number || c.device != is->device || c.pin != is->pin ||
            c.edge != is->edge || c.active_low != is->active_low)
            fail_msg("%s", callbacks[i].name);
    }
}

static void upcall_vectors(void **state)
{
    static const struct {
        uint32_t vcpu;
        uint8_t vector;
        int result;
    } vectors[] = {
        {0, 0xf3, 0},           {3, 0x10, 0},           {3, 0x0f, -XEN_EINVAL}, {0, 0, -XEN_EINVAL},
        {4, 0xf3, -XEN_ENOENT}, {4, 0xff, -XEN_ENOENT}, {4, 0, -XEN_EINVAL},    {UINT32_MAX, 0x20, -XEN_ENOENT}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(vectors); i++) {
        struct xen_hvm_evtchn_upcall_vector arg = {.vcpu = vectors[i].vcpu, .vector = vectors[i].vector};

        assert_int_equal(vc_params_upcall_vector(&arg, 4), vectors[i].result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_do_what), cmocka_unit_test(set_once),         cmocka_unit_test(hidden_from_the_guest),
        cmocka_unit_test(the_hypercall),   cmocka_unit_test(how_upcalls_come), cmocka_unit_test(upcall_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
