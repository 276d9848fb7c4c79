/* SPDX-License-Identifier: MIT */
#include <vcons/params.h>

/* x86: guest gets, guest sets, toolstack and device model, they but once; Arm: guest gets, they. A hole has none. */
enum { GET = 1, SET = 2, TOOLS = 4, ONCE = 8, ARM_GET = 16, ARM_TOOLS = 32, ARM = ARM_GET | ARM_TOOLS };

static const uint8_t classes[HVM_NR_PARAMS] = {
    [0] = TOOLS | GET | SET | ARM, /* CALLBACK_IRQ */
    [1] = TOOLS | GET | ARM,       /* STORE_PFN */
    [2] = TOOLS | GET | SET | ARM, /* STORE_EVTCHN */
    [5] = TOOLS | ONCE,            /* IOREQ_PFN */
    [6] = TOOLS | ONCE,            /* BUFIOREQ_PFN */
    [9] = TOOLS | ONCE,            /* VIRIDIAN */
    [10] = TOOLS,                  /* TIMER_MODE */
    [11] = TOOLS,                  /* HPET_ENABLED */
    [12] = TOOLS,                  /* IDENT_PT */
    [14] = TOOLS,                  /* ACPI_S_STATE */
    [15] = TOOLS | GET | SET,      /* VM86_TSS */
    [16] = TOOLS,                  /* VPT_ALIGN */
    [HVM_PARAM_CONSOLE_PFN] = TOOLS | GET | ARM,
    [HVM_PARAM_CONSOLE_EVTCHN] = TOOLS | GET | SET | ARM,
    [19] = TOOLS | GET | SET, /* ACPI_IOPORTS_LOCATION */
    [27] = TOOLS,             /* PAGING_RING_PFN */
    [28] = TOOLS | ARM_TOOLS, /* MONITOR_RING_PFN */
    [29] = TOOLS,             /* SHARING_RING_PFN */
    [31] = TOOLS,             /* TRIPLE_FAULT_REASON */
    [32] = TOOLS | ONCE,      /* IOREQ_SERVER_PFN */
    [33] = TOOLS | ONCE,      /* NR_IOREQ_SERVER_PAGES */
    [34] = TOOLS | GET | SET, /* VM_GENERATION_ID_ADDR */
    [35] = TOOLS | GET,       /* ALTP2M */
    [36] = TOOLS | GET | SET, /* X87_FIP_WIDTH */
    [37] = TOOLS | GET | SET, /* VM86_TSS_SIZED */
    [38] = TOOLS | ONCE,      /* MCA_CAP */
};

void vc_params_init(struct vc_params *p, enum vc_param_arch arch) { *p = (struct vc_params){.arch = arch}; }

void vc_params_hide(struct vc_params *p, uint32_t index)
{
    if (index < HVM_NR_PARAMS)
        p->hidden |= UINT64_C(1) << index;
}

/* Whether role may do what the class bit of a guest says; the tools may do it if they may do anything. */
static int check(const struct vc_params *p, enum vc_param_role role, uint32_t index, unsigned guest_bit)
{
    unsigned tools_bit = p->arch == VC_PARAM_ARM ? ARM_TOOLS : TOOLS;

    if (index >= HVM_NR_PARAMS || (classes[index] & tools_bit) == 0)
        return -XEN_EINVAL;
    if (role != VC_PARAM_GUEST)
        return 0;
    if ((p->hidden >> index & 1) != 0 || (classes[index] & guest_bit) == 0)
        return -XEN_EPERM;
    return 0;
}

int vc_params_get(const struct vc_params *p, enum vc_param_role role, uint32_t index, uint64_t *value)
{
    int error = check(p, role, index, p->arch == VC_PARAM_ARM ? ARM_GET : GET);

    *value = error ? 0 : p->values[index];
    return error;
}

int vc_params_set(struct vc_params *p, enum vc_param_role role, uint32_t index, uint64_t value)
{
    int error = check(p, role, index, p->arch == VC_PARAM_ARM ? 0 : SET); /* an Arm guest sets none */

    if (error)
        return error;
    if (p->arch == VC_PARAM_X86 && (classes[index] & ONCE) != 0 && p->values[index] != 0 && p->values[index] != value)
        return -XEN_EEXIST;
    p->values[index] = value;
    return 0;
}

int64_t vc_params_hvm_op(struct vc_params *p, uint16_t domid, uint64_t op, struct xen_hvm_param *arg)
{
    if (op != HVMOP_set_param && op != HVMOP_get_param)
        return -XEN_ENOSYS;
    if (arg->index >= HVM_NR_PARAMS)
        return -XEN_EINVAL;
    if (arg->domid != XEN_DOMID_SELF && arg->domid != domid)
        return -XEN_ESRCH;
    if (op == HVMOP_set_param)
        return vc_params_set(p, VC_PARAM_GUEST, arg->index, arg->value);
    return vc_params_get(p, VC_PARAM_GUEST, arg->index, &arg->value);
}

struct vc_callback vc_params_callback(enum vc_param_arch arch, uint64_t value)
{
    struct vc_callback c = {.number = value & 0xff};

    switch (value >> 56) {
    case HVM_PARAM_CALLBACK_TYPE_GSI: c.kind = value != 0 ? VC_CALLBACK_GSI : VC_CALLBACK_NONE; break;
    case HVM_PARAM_CALLBACK_TYPE_PCI_INTX:
        c.kind = VC_CALLBACK_INTX;
        c.number = 0;
        c.device = value >> 11 & 31;
        c.pin = value & 3;
        break;
    case HVM_PARAM_CALLBACK_TYPE_VECTOR: /* and _PPI: one number for two machines */
        c.kind = arch == VC_PARAM_ARM ? VC_CALLBACK_PPI : VC_CALLBACK_VECTOR;
        c.edge = arch == VC_PARAM_ARM && (value >> 8 & 1) != 0;
        c.active_low = arch == VC_PARAM_ARM && (value >> 9 & 1) != 0;
        break;
    default: c = (struct vc_callback){.kind = VC_CALLBACK_NONE};
    }
    if (arch == VC_PARAM_ARM && c.kind != VC_CALLBACK_PPI)
        c = (struct vc_callback){.kind = VC_CALLBACK_NONE}; /* there are no other lines there */
    return c;
}

int vc_params_upcall_vector(const struct xen_hvm_evtchn_upcall_vector *arg, uint32_t n_vcpus)
{
    if (arg->vector < 0x10)
        return -XEN_EINVAL;
    return arg->vcpu < n_vcpus ? 0 : -XEN_ENOENT;
}
