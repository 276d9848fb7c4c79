/* SPDX-License-Identifier: MIT */
/*
 * params.h: the HVM parameters of one domain: who may get and set which.
 *
 * Spec:  Xen public/hvm/params.h, hvm_op.h; access as in arch/x86/hvm/hvm.c and arch/arm/hvm.c. Errors are Xen's.
 * Owner: the caller places struct vc_params.
 * Lock:  the caller's, one a domain, around every call; no env.
 * Trust: index, domid and value are the guest's. It may change CONSOLE_EVTCHN: a backend takes the port from
 *        its own records, never from here.
 */
#ifndef VCONS_PARAMS_H
#define VCONS_PARAMS_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/wire/xen.h>

enum vc_param_role { VC_PARAM_GUEST, VC_PARAM_DM, VC_PARAM_TOOLSTACK };
enum vc_param_arch { VC_PARAM_X86, VC_PARAM_ARM };

struct vc_params { /* for the caller to place, not to read */
    enum vc_param_arch arch;
    uint64_t hidden; /* bit a parameter: private to toolstack and device model */
    uint64_t values[HVM_NR_PARAMS];
};

void vc_params_init(struct vc_params *p, enum vc_param_arch arch);
/* From now on the guest can neither get nor set it: -EPERM. For what names a page or port that is not the guest's. */
void vc_params_hide(struct vc_params *p, uint32_t index);
/* 0, or the negative XEN_E that role gets; *value is 0 then. Unset parameters are 0. */
int vc_params_get(const struct vc_params *p, enum vc_param_role role, uint32_t index, uint64_t *value);
int vc_params_set(struct vc_params *p, enum vc_param_role role, uint32_t index, uint64_t value);
/*
 * HVMOP_set_param and HVMOP_get_param by the guest whose number is domid: op is Xen's, *arg the caller's copy
 * of guest memory, which it copies back if the result is 0 and op is HVMOP_get_param. Other ops: -ENOSYS;
 * another domain's id: -ESRCH.
 */
int64_t vc_params_hvm_op(struct vc_params *p, uint16_t domid, uint64_t op, struct xen_hvm_param *arg);

/* ---- How upcalls come: what HVM_PARAM_CALLBACK_IRQ says (facts §6.4). ---- */

enum vc_callback_kind {
    VC_CALLBACK_NONE,   /* 0, or of a type that Xen does not know either */
    VC_CALLBACK_GSI,    /* level-like: asserted while vCPU 0's evtchn_upcall_pending is set; so is INTx */
    VC_CALLBACK_INTX,   /* of a PCI device */
    VC_CALLBACK_VECTOR, /* x86, of every vCPU */
    VC_CALLBACK_PPI,    /* Arm */
};
struct vc_callback {
    enum vc_callback_kind kind;
    uint32_t number; /* GSI, vector or PPI: 0..255 */
    uint32_t device; /* VC_CALLBACK_INTX, as Xen takes them from it: 0..31 */
    uint32_t pin;    /* 0..3 */
    bool edge;       /* VC_CALLBACK_PPI */
    bool active_low; /* VC_CALLBACK_PPI */
};
struct vc_callback vc_params_callback(enum vc_param_arch arch, uint64_t value);
/*
 * HVMOP_set_evtchn_upcall_vector of a domain with n_vcpus: 0; -XEN_EINVAL for a vector of the processor's exceptions, then
 * -XEN_ENOENT for no vCPU: Xen's order.
 */
int vc_params_upcall_vector(const struct xen_hvm_evtchn_upcall_vector *arg, uint32_t n_vcpus);

#endif
