/* SPDX-License-Identifier: MIT */
/* hvm_op: parameters, and how upcalls reach a vCPU. Spec: Xen public/hvm/hvm_op.h; xen-abi §6. */
#include "calls.h"
#include <vcons/wire/xen.h>

/*
 * CALLBACK_IRQ latches the mode, too (xen-abi §6.3). A way that the engine cannot go is refused, and the guest then knows
 * that it gets no interrupts at all.
 */
static int64_t callback_set(struct domain_vcpu *v, uint64_t value)
{
    struct domain *d = v->domain;
    int64_t result = d->ops->set_vector != NULL ? d->ops->set_vector(d->engine, ENGINE_ALL_VCPUS, value) : 0;

    if (result != 0)
        return result;
    domain_mode(d, !v->compat);
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        vc_shared_info_renew_upcall(&d->shared, i);
    return 0;
}

static int64_t param_op(struct domain_vcpu *v, uint32_t op, uint64_t arg)
{
    struct domain *d = v->domain;
    struct xen_hvm_param param;
    uint64_t before = 0;
    int64_t result;

    if (!calls_copy_in(v, &param, arg, sizeof param))
        return -XEN_EFAULT;
    pthread_mutex_lock(&d->params_lock);
    vc_params_get(&d->params, VC_PARAM_TOOLSTACK, param.index, &before);
    result = vc_params_hvm_op(&d->params, (uint16_t)d->id, op, &param);
    pthread_mutex_unlock(&d->params_lock);
    if (result == 0 && op == HVMOP_set_param && param.index == HVM_PARAM_CALLBACK_IRQ) {
        result = callback_set(v, param.value);
        if (result != 0) {
            pthread_mutex_lock(&d->params_lock);
            vc_params_set(&d->params, VC_PARAM_TOOLSTACK, param.index, before);
            pthread_mutex_unlock(&d->params_lock);
        }
    }
    if (result == 0 && op == HVMOP_get_param && !calls_copy_out(v, arg, &param, sizeof param))
        return -XEN_EFAULT;
    return result;
}

static int64_t set_upcall_vector(struct domain_vcpu *v, uint64_t arg)
{
    struct xen_hvm_evtchn_upcall_vector call;
    struct domain *d = v->domain;
    int64_t result;

    if (!calls_copy_in(v, &call, arg, sizeof call))
        return -XEN_EFAULT;
    result = vc_params_upcall_vector(&call, d->config->vcpus);
    if (result != 0)
        return result;
    result = d->ops->set_vector != NULL ? d->ops->set_vector(d->engine, call.vcpu, call.vector) : 0;
    if (result == 0)
        vc_shared_info_renew_upcall(&d->shared, call.vcpu);
    return result;
}

int64_t calls_hvm_op(struct domain_vcpu *v, const uint64_t args[6])
{
    switch ((uint32_t)args[0]) {
    case HVMOP_set_param:
    case HVMOP_get_param: return param_op(v, (uint32_t)args[0], args[1]);
    case HVMOP_set_evtchn_upcall_vector: return set_upcall_vector(v, args[1]);
    default: return -XEN_ENOSYS; /* Linux probes pagetable_dying, and is content with this */
    }
}
