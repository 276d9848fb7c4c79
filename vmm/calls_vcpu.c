/* SPDX-License-Identifier: MIT */
/*
 * vcpu_op and set_timer_op: vCPUs that come and go, their timers; areas of their memory are core's (shared_info.h), or the
 * engine's where the kernel below it writes them. Spec: Xen public/vcpu.h, common/domain.c.
 */
#include "calls.h"
#include <stdatomic.h>
#include <vcons/wire/xen.h>

static bool is_up(const struct domain *d, uint32_t vcpu)
{
    return d->ops->vcpu_is_up != NULL ? d->ops->vcpu_is_up(d->engine, vcpu) : vcpu == 0;
}

static int64_t initialise(struct domain_vcpu *v, uint32_t vcpu, uint64_t arg)
{
    struct domain *d = v->domain;
    struct vcpu_hvm_context context;
    int64_t result;

    if (!calls_copy_in(v, &context, arg, sizeof context))
        return -XEN_EFAULT;
    if (context.mode != VCPU_HVM_MODE_32B && context.mode != VCPU_HVM_MODE_64B)
        return -XEN_EINVAL;
    if (d->ops->vcpu_initialise == NULL)
        return -XEN_ENOSYS;
    pthread_mutex_lock(&d->vcpus_lock);
    result = d->vcpus[vcpu].initialised ? -XEN_EEXIST : d->ops->vcpu_initialise(d->engine, vcpu, &context);
    if (result == 0)
        d->vcpus[vcpu].initialised = true;
    pthread_mutex_unlock(&d->vcpus_lock);
    return result;
}

static int64_t up(struct domain *d, uint32_t vcpu)
{
    int64_t result = 0;

    pthread_mutex_lock(&d->vcpus_lock);
    if (!d->vcpus[vcpu].initialised)
        result = -XEN_EINVAL;
    else if (!is_up(d, vcpu) && d->ops->vcpu_up != NULL) {
        vc_shared_info_runstate(&d->shared, vcpu, RUNSTATE_running, domain_guest_time(d));
        result = d->ops->vcpu_up(d->engine, vcpu);
    }
    pthread_mutex_unlock(&d->vcpus_lock);
    return result;
}

/* The last one that goes switches the domain off (hvm_vcpu_down). */
static int64_t down(struct domain *d, uint32_t vcpu)
{
    bool any = false;
    int64_t result;

    if (d->ops->vcpu_down == NULL)
        return -XEN_ENOSYS;
    pthread_mutex_lock(&d->vcpus_lock);
    result = is_up(d, vcpu) ? d->ops->vcpu_down(d->engine, vcpu) : 0;
    for (uint32_t i = 0; i < d->config->vcpus; i++)
        any |= is_up(d, i) && i != vcpu;
    pthread_mutex_unlock(&d->vcpus_lock);
    if (result == 0 && !any)
        domain_end(d, REQUEST_POWEROFF);
    return result;
}

/* ---- Timers: each fires VIRQ_TIMER of its vCPU. ---- */

static int64_t set_timer(struct domain_vcpu *v, uint64_t deadline_ns)
{
    struct domain *d = v->domain;
    const struct engine_events *events = domain_engine_events(d);

    if (events != NULL && events->timer != NULL)
        return events->timer(d->engine, v->number, deadline_ns);
    domain_timer_set(v, deadline_ns);
    return 0;
}

static bool copy_singleshot(struct domain_vcpu *v, uint64_t arg, struct vcpu_set_singleshot_timer *call)
{
    struct compat_vcpu_set_singleshot_timer compat;

    if (!v->compat)
        return calls_copy_in(v, call, arg, sizeof *call);
    if (!calls_copy_in(v, &compat, arg, sizeof compat))
        return false;
    call->timeout_abs_ns = compat.timeout_abs_ns_low | (uint64_t)compat.timeout_abs_ns_high << 32;
    call->flags = compat.flags;
    return true;
}

static int64_t set_singleshot(struct domain_vcpu *v, uint32_t vcpu, uint64_t arg)
{
    struct vcpu_set_singleshot_timer call;

    if (vcpu != v->number)
        return -XEN_EINVAL;
    if (!copy_singleshot(v, arg, &call))
        return -XEN_EFAULT;
    if ((call.flags & VCPU_SSHOTTMR_future) != 0 && call.timeout_abs_ns < domain_guest_time(v->domain))
        return -XEN_ETIME;
    return set_timer(v, call.timeout_abs_ns);
}

/* One argument, a s64: two registers in a 32-bit guest. 0: none. */
int64_t calls_set_timer_op(struct domain_vcpu *v, const uint64_t args[6])
{
    uint64_t deadline_ns = v->compat ? (uint32_t)args[0] | args[1] << 32 : args[0];

    return set_timer(v, deadline_ns == 0 ? DOMAIN_TIMER_NONE : deadline_ns);
}

/* ---- Areas that the kernel below an engine keeps. ---- */

static bool area_of(struct domain_vcpu *v, uint32_t cmd, uint64_t arg, uint64_t *gpa)
{
    uint64_t address = 0;

    if (!calls_copy_in(v, &address, arg, v->compat ? sizeof(struct compat_vcpu_register_area) : sizeof address))
        return false;
    *gpa = address;
    if (cmd == VCPUOP_register_runstate_memory_area || cmd == VCPUOP_register_vcpu_time_memory_area)
        return address != 0 ? calls_translate(v, address, true, gpa) : (*gpa = ENGINE_NOWHERE, true);
    return true;
}

/* True: the engine's, *result is what the guest gets. */
static bool engine_takes(struct domain_vcpu *v, uint32_t cmd, uint32_t vcpu, uint64_t arg, int64_t *result)
{
    struct domain *d = v->domain;
    bool time = cmd == VCPUOP_register_vcpu_time_memory_area || cmd == VCPUOP_register_vcpu_time_phys_area;
    bool runstate = cmd == VCPUOP_register_runstate_memory_area || cmd == VCPUOP_register_runstate_phys_area;
    uint64_t gpa;

    /* Time is the engine's whenever it has a clock of its own; run states are where the kernel delivers. */
    if (d->ops->placed == NULL || (!time && !(runstate && domain_engine_events(d) != NULL)))
        return false;
    *result = area_of(v, cmd, arg, &gpa) ? d->ops->placed(d->engine, time ? ENGINE_TIME : ENGINE_RUNSTATE, vcpu, gpa)
                                         : -XEN_EFAULT;
    return true;
}

int64_t calls_vcpu_op(struct domain_vcpu *v, const uint64_t args[6])
{
    uint32_t cmd = (uint32_t)args[0], vcpu = (uint32_t)args[1];
    struct domain *d = v->domain;
    int64_t result;

    if (vcpu >= d->config->vcpus)
        return -XEN_ENOENT;
    switch (cmd) {
    case VCPUOP_initialise: return initialise(v, vcpu, args[2]);
    case VCPUOP_up: return up(d, vcpu);
    case VCPUOP_down: return down(d, vcpu);
    case VCPUOP_is_up: return is_up(d, vcpu);
    case VCPUOP_stop_periodic_timer: return 0; /* there never is one: set_periodic_timer is refused */
    case VCPUOP_set_singleshot_timer: return set_singleshot(v, vcpu, args[2]);
    case VCPUOP_stop_singleshot_timer: return vcpu == v->number ? set_timer(v, DOMAIN_TIMER_NONE) : -XEN_EINVAL;
    default: break;
    }
    if (engine_takes(v, cmd, vcpu, args[2], &result))
        return result;
    return vc_shared_info_vcpu_op(&d->shared, v, v->number, cmd, vcpu, args[2]);
}
