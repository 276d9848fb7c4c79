/* SPDX-License-Identifier: MIT */
/* xen_version: what the guest is told of its hypervisor. Spec: Xen public/version.h, features.h, common/kernel.c. */
#include "calls.h"
#include <stdio.h>
#include <string.h>
#include <vcons/wire/xen.h>

#define DENIED "<denied>" /* what Xen tells a domain that is not privileged (deny_string) */

/* A text, zero-filled to the size that its field has. */
static int64_t give_text(struct domain_vcpu *v, uint64_t to, const char *text, size_t size)
{
    char field[XEN_CAPABILITIES_INFO_BYTES] = "";

    snprintf(field, size, "%s", text);
    return calls_copy_out(v, to, field, size) ? 0 : -XEN_EFAULT;
}

/*
 * Bits that Linux asks for as a PVH guest (xen-abi §8.6), no pirqs and no dom0. Areas by physical address came with 4.19.
 */
static uint32_t features(const struct domain *d)
{
    uint32_t bits = 1u << XENFEAT_auto_translated_physmap | 1u << XENFEAT_hvm_callback_vector |
                    1u << XENFEAT_hvm_safe_pvclock | 1u << XENFEAT_memory_op_vnode_supported;

    if (d->config->xen_version >= XEN_VERSION_OF(4, 19))
        bits |= 1u << XENFEAT_runstate_phys_area | 1u << XENFEAT_vcpu_time_phys_area;
    return bits;
}

static int64_t get_features(struct domain_vcpu *v, uint64_t arg)
{
    struct xen_feature_info info;

    if (!calls_copy_in(v, &info, arg, sizeof info))
        return -XEN_EFAULT;
    if (info.submap_idx != 0) /* XENFEAT_NR_SUBMAPS is 1 */
        return -XEN_EINVAL;
    info.submap = features(v->domain);
    return calls_copy_out(v, arg, &info, sizeof info) ? 0 : -XEN_EFAULT;
}

static int64_t platform_parameters(struct domain_vcpu *v, uint64_t arg)
{
    uint64_t virt_start = 0; /* no part of the guest's address space is the hypervisor's; a long in the guest's ABI */

    return calls_copy_out(v, arg, &virt_start, v->compat ? 4 : 8) ? 0 : -XEN_EFAULT;
}

int64_t calls_xen_version(struct domain_vcpu *v, const uint64_t args[6])
{
    const struct domain *d = v->domain;

    switch ((uint32_t)args[0]) {
    case XENVER_version: return d->config->xen_version;
    case XENVER_extraversion: return give_text(v, args[1], ".0-vcons", XEN_EXTRAVERSION_BYTES);
    case XENVER_capabilities:
        return give_text(v, args[1], "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64", XEN_CAPABILITIES_INFO_BYTES);
    case XENVER_changeset: return give_text(v, args[1], DENIED, XEN_CHANGESET_INFO_BYTES);
    case XENVER_commandline: return give_text(v, args[1], DENIED, XEN_COMMANDLINE_BYTES);
    case XENVER_platform_parameters: return platform_parameters(v, args[1]);
    case XENVER_get_features: return get_features(v, args[1]);
    case XENVER_pagesize: return args[1] == 0 ? (int64_t)XEN_PAGE_BYTES : -XEN_EINVAL;
    case XENVER_guest_handle:
        return calls_copy_out(v, args[1], d->config->uuid, sizeof d->config->uuid) ? 0 : -XEN_EFAULT;
    default: return -XEN_ENOSYS;
    }
}
