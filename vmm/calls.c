/* SPDX-License-Identifier: MIT */
#include "calls.h"
#include "vmm.h"
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/wire/callpage.h>
#include <vcons/wire/xen.h>

#define PAGE XEN_PAGE_BYTES

bool calls_translate(struct domain_vcpu *v, uint64_t gva, bool write, uint64_t *gpa)
{
    struct domain *d = v->domain;

    if (d->ops->translate != NULL)
        return d->ops->translate(d->engine, v->number, gva, write, gpa);
    *gpa = gva - d->memory.gva_base; /* below it the difference wraps to beyond any RAM, which memory_at refuses */
    return true;
}

/* The part of n bytes at gva that lies on one page, as it is here; NULL: not there. */
static uint8_t *part_at(struct domain_vcpu *v, uint64_t gva, bool write, size_t n, size_t *part)
{
    uint64_t gpa;

    *part = PAGE - gva % PAGE < n ? PAGE - gva % PAGE : n;
    return calls_translate(v, gva, write, &gpa) ? memory_at(&v->domain->memory, gpa, *part) : NULL;
}

bool calls_copy_in(struct domain_vcpu *v, void *to, uint64_t from, size_t n)
{
    for (size_t done = 0, part; done < n; done += part) {
        const uint8_t *at = part_at(v, from + done, false, n - done, &part);

        if (at == NULL)
            return false;
        vc_copy_once((uint8_t *)to + done, at, part);
    }
    return true;
}

bool calls_copy_out(struct domain_vcpu *v, uint64_t to, const void *from, size_t n)
{
    for (size_t done = 0, part; done < n; done += part) {
        uint8_t *at = part_at(v, to + done, true, n - done, &part);

        if (at == NULL)
            return false;
        memcpy(at, (const uint8_t *)from + done, part);
    }
    return true;
}

bool calls_is_self(const struct domain_vcpu *v, uint16_t domid)
{
    return domid == XEN_DOMID_SELF || domid == v->domain->id;
}

static int64_t sched_op(struct domain_vcpu *v, const uint64_t args[6])
{
    if ((uint32_t)args[0] != SCHEDOP_yield) /* that has a look of its own: domain_env.c */
        doors_quiet_look(v->domain, false);
    if (v->compat && (uint32_t)args[0] == SCHEDOP_poll)
        return vc_events_compat_poll(&v->domain->events, v, v->number, args[1]);
    return vc_events_sched_op(&v->domain->events, v, v->number, (uint32_t)args[0], args[1]);
}

static int64_t serve(struct domain_vcpu *v, uint64_t nr, const uint64_t args[6])
{
    struct domain *d = v->domain;

    switch (nr) {
    case XEN_console_io: return calls_console_io(v, args);
    case XEN_event_channel_op: return vc_events_channel_op(&d->events, v, (uint32_t)args[0], args[1]);
    case XEN_sched_op: return sched_op(v, args);
    case XEN_hvm_op: return calls_hvm_op(v, args);
    case XEN_vcpu_op: return calls_vcpu_op(v, args);
    case XEN_set_timer_op: return calls_set_timer_op(v, args);
    case XEN_memory_op: return calls_memory_op(v, args);
    case XEN_grant_table_op: return calls_grant_table_op(v, args);
    case XEN_xen_version: return calls_xen_version(v, args);
    case XEN_vm_assist: return vc_shared_info_vm_assist(&d->shared, (uint32_t)args[0], (uint32_t)args[1]);
    case VC_CALL_TIME: return (int64_t)domain_guest_time(d);
    case VC_CALL_YIELD: return vc_events_sched_op(&d->events, v, v->number, SCHEDOP_yield, 0);
    default: return -XEN_ENOSYS;
    }
}

static int64_t hypercall(struct domain_vcpu *v, uint64_t nr, const uint64_t args[6])
{
    int64_t result = serve(v, nr, args);

    calls_note(v, nr, args, result);
    return result;
}

int64_t domain_hypercall(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    d->vcpus[vcpu].compat = false;
    return hypercall(&d->vcpus[vcpu], nr, args);
}

int64_t domain_hypercall_compat(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6])
{
    d->vcpus[vcpu].compat = true;
    return hypercall(&d->vcpus[vcpu], nr, args);
}

void domain_vcpu_exit(struct domain *d, uint32_t vcpu) { vc_events_retry_upcall(&d->events, vcpu); }

void domain_mode(struct domain *d, bool long_mode)
{
    vc_shared_info_latch(&d->shared, long_mode ? VC_ABI_X86_64 : VC_ABI_X86_32);
    if (d->ops->latched != NULL)
        d->ops->latched(d->engine, long_mode);
}
