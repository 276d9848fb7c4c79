/* SPDX-License-Identifier: MIT */
/* memory_op and grant_table_op: pages that the guest wants of its hypervisor. Spec: Xen public/memory.h, grant_table.h. */
#include "calls.h"
#include <vcons/wire/xen.h>

#define MEMOP_CMD_MASK 0x3fu /* public/memory.h: above it stands where a continuation goes on */

static bool copy_add(struct domain_vcpu *v, uint64_t arg, struct xen_add_to_physmap *call)
{
    struct compat_add_to_physmap compat;

    if (!v->compat)
        return calls_copy_in(v, call, arg, sizeof *call);
    if (!calls_copy_in(v, &compat, arg, sizeof compat))
        return false;
    *call = (struct xen_add_to_physmap){
        .domid = compat.domid, .size = compat.size, .space = compat.space, .idx = compat.idx, .gpfn = compat.gpfn};
    return true;
}

/* Placing it latches the mode where nothing has yet, for a kernel that writes no MSR (xen-abi §8.4). */
static int64_t place_shared_info(struct domain_vcpu *v, uint64_t idx, uint64_t gfn)
{
    struct domain *d = v->domain;
    uint64_t before;
    int64_t result;

    if (idx != 0)
        return -XEN_EINVAL;
    if (!vc_shared_info_placed(&d->shared, &before))
        domain_mode(d, !v->compat);
    result = vc_shared_info_place(&d->shared, gfn);
    if (result == 0)
        domain_tell_time(d);
    return result;
}

static int64_t add_to_physmap(struct domain_vcpu *v, uint64_t arg)
{
    struct domain *d = v->domain;
    struct xen_add_to_physmap call;

    if (!copy_add(v, arg, &call))
        return -XEN_EFAULT;
    if (!calls_is_self(v, call.domid))
        return -XEN_ESRCH;
    switch (call.space) {
    case XENMAPSPACE_shared_info: return place_shared_info(v, call.idx, call.gpfn);
    case XENMAPSPACE_grant_table: return grant_pages_place(&d->grants, call.idx, call.gpfn);
    default: return -XEN_ENOSYS;
    }
}

int64_t calls_memory_op(struct domain_vcpu *v, const uint64_t args[6])
{
    return ((uint32_t)args[0] & MEMOP_CMD_MASK) == XENMEM_add_to_physmap ? add_to_physmap(v, args[1]) : -XEN_ENOSYS;
}

/* ---- grant_table_op: the table's size and version; mapping is for backends, and no domain here is one. ---- */

static int64_t query_size(struct domain_vcpu *v, uint64_t arg)
{
    struct gnttab_query_size call;

    if (!calls_copy_in(v, &call, arg, sizeof call))
        return -XEN_EFAULT;
    call.status = GNTST_bad_domain;
    if (calls_is_self(v, call.dom)) {
        call.nr_frames = grant_pages_frames(&v->domain->grants);
        call.max_nr_frames = GRANTS_FRAMES_MAX;
        call.status = GNTST_okay;
    }
    return calls_copy_out(v, arg, &call, sizeof call) ? 0 : -XEN_EFAULT;
}

/* Version 2 as on a Xen that was told not to have it: -ENOSYS, "as before set_version was introduced" (grant_table.c). */
static int64_t set_version(struct domain_vcpu *v, uint64_t arg)
{
    struct gnttab_set_version call;

    if (!calls_copy_in(v, &call, arg, sizeof call))
        return -XEN_EFAULT;
    if (call.version != 1 && call.version != 2)
        return -XEN_EINVAL;
    if (call.version == 2)
        return -XEN_ENOSYS;
    return calls_copy_out(v, arg, &call, sizeof call) ? 0 : -XEN_EFAULT;
}

static int64_t get_version(struct domain_vcpu *v, uint64_t arg)
{
    struct gnttab_get_version call;

    if (!calls_copy_in(v, &call, arg, sizeof call))
        return -XEN_EFAULT;
    if (!calls_is_self(v, call.dom))
        return -XEN_ESRCH;
    call.version = 1;
    return calls_copy_out(v, arg, &call, sizeof call) ? 0 : -XEN_EFAULT;
}

int64_t calls_grant_table_op(struct domain_vcpu *v, const uint64_t args[6])
{
    uint32_t cmd = (uint32_t)args[0], count = (uint32_t)args[2];

    if (count != 1 && (cmd == GNTTABOP_query_size || cmd == GNTTABOP_set_version || cmd == GNTTABOP_get_version))
        return -XEN_EINVAL;
    switch (cmd) {
    case GNTTABOP_query_size: return query_size(v, args[1]);
    case GNTTABOP_set_version: return set_version(v, args[1]);
    case GNTTABOP_get_version: return get_version(v, args[1]);
    default: return -XEN_ENOSYS;
    }
}
