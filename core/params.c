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
