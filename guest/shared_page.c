/* SPDX-License-Identifier: MIT */
#include "shared_page.h"
#include <vcons/wire/shared_info.h>

#define PAGE_SHIFT 12u

const struct shared_layout shared_layout_64 = {
    .word_bits = 64,
    .n_ports = 64 * 64,
    .pending = offsetof(struct shared_info_x86_64, evtchn_pending),
    .mask = offsetof(struct shared_info_x86_64, evtchn_mask),
    .n_infos = XEN_LEGACY_MAX_VCPUS,
    .info_bytes = sizeof(struct vcpu_info_x86_64),
    .selector = offsetof(struct vcpu_info_x86_64, evtchn_pending_sel),
    .time = offsetof(struct vcpu_info_x86_64, time),
};
const struct shared_layout shared_layout_32 = {
    .word_bits = 32,
    .n_ports = 32 * 32,
    .pending = offsetof(struct shared_info_x86_32, evtchn_pending),
    .mask = offsetof(struct shared_info_x86_32, evtchn_mask),
    .n_infos = XEN_LEGACY_MAX_VCPUS,
    .info_bytes = sizeof(struct vcpu_info_x86_32),
    .selector = offsetof(struct vcpu_info_x86_32, evtchn_pending_sel),
    .time = offsetof(struct vcpu_info_x86_32, time),
};

const struct shared_layout shared_layout_arm64 = {
    .word_bits = 64,
    .n_ports = 64 * 64,
    .pending = offsetof(struct shared_info_arm64, evtchn_pending),
    .mask = offsetof(struct shared_info_arm64, evtchn_mask),
    .n_infos = 1,
    .info_bytes = sizeof(struct vcpu_info_arm64),
    .selector = offsetof(struct vcpu_info_arm64, evtchn_pending_sel),
    .time = offsetof(struct vcpu_info_arm64, time),
};

static uint64_t gpa_of(const struct platform *p, const void *at) { return p->gpa(p->ctx, at); }

int64_t shared_page_map(const struct platform *p, const void *page)
{
    uint64_t gfn = gpa_of(p, page) >> PAGE_SHIFT;
    struct xen_add_to_physmap add = {.domid = XEN_DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = gfn};
    struct compat_add_to_physmap compat = {
        .domid = XEN_DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = (uint32_t)gfn};
    const void *call = sizeof(void *) == 8 ? (const void *)&add : &compat;

    return p->hypercall(p->ctx, XEN_memory_op, XENMEM_add_to_physmap, guest_address(call), 0);
}

static int64_t unmap(const struct platform *p, const void *page)
{
    uint64_t gfn = gpa_of(p, page) >> PAGE_SHIFT;
    struct xen_remove_from_physmap remove = {.domid = XEN_DOMID_SELF, .gpfn = gfn};
    struct compat_remove_from_physmap compat = {.domid = XEN_DOMID_SELF, .gpfn = (uint32_t)gfn};
    const void *call = sizeof(void *) == 8 ? (const void *)&remove : &compat;

    return p->hypercall(p->ctx, XEN_memory_op, XENMEM_remove_from_physmap, guest_address(call), 0);
}

int64_t shared_page_move(const struct platform *p, const void *from, const void *to)
{
    int64_t error = shared_page_map(p, to);

    if (error != -XEN_EBUSY || unmap(p, from) != 0)
        return error;
    error = shared_page_map(p, to);
    if (error != 0)
        shared_page_map(p, from);
    return error;
}

uint8_t *shared_page_info(const struct shared_layout *layout, void *page, uint32_t vcpu)
{
    return vcpu < layout->n_infos ? (uint8_t *)page + vcpu * layout->info_bytes : NULL;
}

int64_t shared_info_register(const struct platform *p, uint32_t vcpu, const void *area)
{
    uint64_t gpa = gpa_of(p, area);
    struct vcpu_register_vcpu_info call = {.mfn = gpa >> PAGE_SHIFT, .offset = gpa & (SHARED_PAGE_BYTES - 1)};

    return p->hypercall(p->ctx, XEN_vcpu_op, VCPUOP_register_vcpu_info, vcpu, guest_address(&call));
}

struct time { /* a copy of a vcpu_time_info, Xen ABI 5.2 */
    uint32_t version, mul;
    uint64_t tsc, system;
    int8_t shift;
};

static uint32_t load32(const uint8_t *at) { return vc_load_acquire((const uint32_t *)(const void *)at); }

static uint64_t load64(const uint8_t *at) { return load32(at) | (uint64_t)load32(at + 4) << 32; }

static void copy(struct time *t, const uint8_t *from)
{
    t->version = load32(from);
    t->tsc = load64(from + 8);
    t->system = load64(from + 16);
    t->mul = load32(from + 24);
    t->shift = (int8_t)load32(from + 28);
}

/* (n * mul) >> 32, n of 64 bits, without a product of more than 64. */
static uint64_t scale(uint64_t n, uint32_t mul) { return (n >> 32) * mul + ((n & UINT32_MAX) * mul >> 32); }

uint64_t shared_info_time(const struct shared_layout *layout, const uint8_t *info, uint64_t (*read_tsc)(void))
{
    const uint8_t *at = info + layout->time;
    struct time t;
    uint64_t delta;

    do { /* odd: the hypervisor is writing it */
        copy(&t, at);
        delta = read_tsc() - t.tsc;
    } while ((t.version & 1) != 0 || load32(at) != t.version);
    if (t.mul == 0)
        return 0;
    delta = t.shift >= 0 ? delta << (t.shift & 63) : delta >> (-t.shift & 63);
    return t.system + scale(delta, t.mul);
}
