/* SPDX-License-Identifier: MIT */
/* memory_op and grant_table_op: pages that the guest wants of its hypervisor. Spec: Xen public/memory.h, grant_table.h. */
#include "boot.h"
#include "calls.h"
#include "domain_door.h"
#include "vmm.h"
#include <stddef.h>
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

/*
 * Where a UART's ring has its name nothing of the guest's may be: that frame is private, and answers as a page of no memory.
 * Whatever came of it, the frame may be away from where it was, and with it shared_info or a vcpu_info that the guest had put
 * there. The page itself stays ours until the next reset.
 */
static int64_t place_grant_frame(struct domain *d, uint64_t idx, uint64_t gfn)
{
    int64_t result = uart_names_frame(d, gfn) ? -XEN_EINVAL : grant_pages_place(&d->grants, idx, gfn);

    vc_shared_info_remapped(&d->shared);
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
    case XENMAPSPACE_grant_table: return place_grant_frame(d, call.idx, call.gpfn);
    default: return -XEN_ENOSYS;
    }
}

/* ---- The memory map, the one of hvm_start_info: its types have e820's numbers. ---- */

static struct xen_e820_entry e820_of(const struct hvm_memmap_table_entry *range)
{
    return (struct xen_e820_entry){.addr_low = (uint32_t)range->addr,
                                   .addr_high = (uint32_t)(range->addr >> 32),
                                   .size_low = (uint32_t)range->size,
                                   .size_high = (uint32_t)(range->size >> 32),
                                   .type = range->type};
}

static bool copy_map(struct domain_vcpu *v, uint64_t arg, struct xen_memory_map *call)
{
    struct compat_memory_map compat;

    if (!v->compat)
        return calls_copy_in(v, call, arg, sizeof *call);
    if (!calls_copy_in(v, &compat, arg, sizeof compat))
        return false;
    *call = (struct xen_memory_map){.nr_entries = compat.nr_entries, .buffer = compat.buffer};
    return true;
}

/* As many entries as there is room for; how many is the first field in both layouts. */
static int64_t memory_map(struct domain_vcpu *v, uint64_t arg)
{
    struct hvm_memmap_table_entry map[BOOT_MAP_MAX];
    struct xen_e820_entry entries[BOOT_MAP_MAX];
    struct xen_memory_map call;
    uint32_t n = boot_map(&v->domain->memory, map);

    if (!copy_map(v, arg, &call))
        return -XEN_EFAULT;
    if (call.nr_entries < n)
        n = call.nr_entries;
    for (uint32_t i = 0; i < n; i++)
        entries[i] = e820_of(&map[i]);
    if (!calls_copy_out(v, call.buffer, entries, n * sizeof entries[0]) || !calls_copy_out(v, arg, &n, sizeof n))
        return -XEN_EFAULT;
    return 0;
}

int64_t calls_memory_op(struct domain_vcpu *v, const uint64_t args[6])
{
    switch ((uint32_t)args[0] & MEMOP_CMD_MASK) {
    case XENMEM_add_to_physmap: return add_to_physmap(v, args[1]);
    case XENMEM_memory_map: return memory_map(v, args[1]);
    default: return -XEN_ENOSYS;
    }
}

/* ---- grant_table_op: the table's size, places and version; mapping is for backends, and no domain here is one. ---- */

static bool copy_setup(struct domain_vcpu *v, uint64_t arg, struct gnttab_setup_table *call)
{
    struct compat_gnttab_setup_table compat;

    if (!v->compat)
        return calls_copy_in(v, call, arg, sizeof *call);
    if (!calls_copy_in(v, &compat, arg, sizeof compat))
        return false;
    *call =
        (struct gnttab_setup_table){.dom = compat.dom, .nr_frames = compat.nr_frames, .frame_list = compat.frame_list};
    return true;
}

/* Where each frame is; all ones: nowhere, for that is the guest's to choose (XENMAPSPACE_grant_table). */
static int16_t list_frames(struct domain_vcpu *v, const struct gnttab_setup_table *call)
{
    size_t bytes = v->compat ? 4 : 8;

    if (!grant_pages_grow(&v->domain->grants, call->nr_frames))
        return GNTST_general_error;
    for (uint32_t i = 0; i < call->nr_frames; i++) {
        uint64_t gfn = grant_pages_gfn(&v->domain->grants, i);

        if (!calls_copy_out(v, call->frame_list + i * bytes, &gfn, bytes))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

static int64_t setup_table(struct domain_vcpu *v, uint64_t arg)
{
    size_t at =
        v->compat ? offsetof(struct compat_gnttab_setup_table, status) : offsetof(struct gnttab_setup_table, status);
    struct gnttab_setup_table call;
    int16_t status;

    if (!copy_setup(v, arg, &call))
        return -XEN_EFAULT;
    if (!calls_is_self(v, call.dom))
        status = call.dom == 0 || vmm_domain_of_id(v->domain->vmm, call.dom) != NULL ? GNTST_permission_denied
                                                                                     : GNTST_bad_domain;
    else
        status = list_frames(v, &call);
    return calls_copy_out(v, arg + at, &status, sizeof status) ? 0 : -XEN_EFAULT;
}

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

    if (count != 1 && (cmd == GNTTABOP_query_size || cmd == GNTTABOP_setup_table || cmd == GNTTABOP_set_version ||
                       cmd == GNTTABOP_get_version))
        return -XEN_EINVAL;
    switch (cmd) {
    case GNTTABOP_setup_table: return setup_table(v, args[1]);
    case GNTTABOP_query_size: return query_size(v, args[1]);
    case GNTTABOP_set_version: return set_version(v, args[1]);
    case GNTTABOP_get_version: return get_version(v, args[1]);
    default: return -XEN_ENOSYS;
    }
}
