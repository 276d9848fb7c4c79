/* SPDX-License-Identifier: MIT */
/* The way `kvm-xen`: where shared_info and each vcpu_info are, and how they move while KVM delivers events into them. */
#include "way_xen.h"
#include <string.h>

#define PAGE       4096u
#define INFO_BYTES sizeof(struct vcpu_info_x86_64)

_Static_assert(sizeof(struct vcpu_info_x86_32) == INFO_BYTES, "one size for both layouts");

static int set_info(struct kvm_vcpu *v, uint64_t gpa)
{
    return way_xen_set_vcpu(v, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, gpa);
}

static int set_shared(struct kvm_engine *e, uint64_t gpa)
{
    struct kvm_xen_hvm_attr attr = {.type = KVM_XEN_ATTR_TYPE_SHARED_INFO,
                                    .u.shared_info.gfn = gpa == ENGINE_NOWHERE ? ENGINE_NOWHERE : gpa / PAGE};

    return way_xen_set_vm(e, &attr);
}

uint8_t *way_xen_info(const struct kvm_vcpu *v)
{
    return v->told.info_gpa != ENGINE_NOWHERE ? memory_at(v->engine->memory, v->told.info_gpa, INFO_BYTES) : NULL;
}

/* [told] */
static size_t selector_offset(const struct kvm_vcpu *v)
{
    return v->engine->long_mode ? offsetof(struct vcpu_info_x86_64, evtchn_pending_sel)
                                : offsetof(struct vcpu_info_x86_32, evtchn_pending_sel);
}

/* ---- vcpu_info. ---- */

/* [told] What the guest has yet to take. Only this vCPU's guest code clears it, and it does not run: it is claimed. */
static bool has_events(const struct kvm_vcpu *v, const uint8_t *info)
{
    uint64_t selector = 0;

    memcpy(&selector, info + selector_offset(v), v->engine->long_mode ? 8 : 4);
    return selector != 0 || __atomic_load_n(info, __ATOMIC_ACQUIRE) != 0;
}

/* [told] xen-abi §5.3: the guest is to look at every port. KVM may set bits there meanwhile, and they are set already. */
static void mark_all(struct kvm_vcpu *v, uint8_t *info)
{
    memset(info + selector_offset(v), 0xff, v->engine->long_mode ? 8 : 4);
    __atomic_store_n(info, 1, __ATOMIC_SEQ_CST);
    way_xen_raise(v);
}

void way_xen_mark_all(struct kvm_vcpu *v)
{
    uint8_t *info = way_xen_info(v);

    if (info != NULL)
        mark_all(v, info);
}

/*
 * [told; claimed] Behind a switch: from is left, KVM writes there no more. What it wrote there after the content was copied is
 * made up for by the mark. Xen always marks a vcpu_info; with a vector of the vCPU's own that would cost the one interrupt
 * that a local APIC still switched off drops, and the mark that stays would swallow all later ones.
 */
static void look_back(struct kvm_vcpu *v, const uint8_t *from)
{
    uint8_t *info = way_xen_info(v);
    bool missed = v->told.missed;

    v->told.missed = false;
    if (missed || has_events(v, info) || (from != NULL && has_events(v, from)))
        mark_all(v, info);
}

/*
 * Copy, switch, look back. KVM loses what it is to deliver while it has no place (-EINVAL), so there is none without one:
 * the content goes first, then KVM goes. A domain that has yet to run is being restored: what it has there stays.
 */
static int move_info(struct kvm_vcpu *v, uint64_t gpa)
{
    uint8_t *to = memory_at(v->engine->memory, gpa, INFO_BYTES), *from = way_xen_info(v);
    int error;

    if (to == NULL || gpa % 4 != 0 || gpa % PAGE > PAGE - INFO_BYTES)
        return -XEN_EINVAL;
    kvm_vcpu_claim(v);
    kvm_vcpu_await(v);
    if (kvm_threads_running(&v->engine->threads) && from != NULL)
        memmove(to, from, INFO_BYTES);
    else if (kvm_threads_running(&v->engine->threads))
        memset(to, 0, INFO_BYTES);
    error = set_info(v, gpa);
    if (error == 0) {
        v->told.info_gpa = gpa;
        v->told.registered = true;
        look_back(v, from);
    }
    kvm_vcpu_release(v);
    return error == 0 ? 0 : -XEN_EINVAL;
}

int way_xen_place_info(struct kvm_vcpu *v, uint64_t gpa)
{
    if (gpa != ENGINE_NOWHERE)
        return move_info(v, gpa);
    v->told.info_gpa = ENGINE_NOWHERE;
    v->told.registered = false;
    return set_info(v, ENGINE_NOWHERE) == 0 ? 0 : -XEN_EINVAL;
}

/* ---- shared_info. ---- */

/* NULL: not there. */
static uint8_t *page_at(struct kvm_engine *e, uint64_t gpa)
{
    return gpa == ENGINE_NOWHERE ? (uint8_t *)e->home : memory_at(e->memory, gpa, PAGE);
}

uint8_t *way_xen_page(struct kvm_engine *e) { return page_at(e, e->shared_gpa); }

static void stop_all(struct kvm_engine *e)
{
    for (uint32_t i = 0; i < e->n_vcpus; i++) /* all at once: they leave together */
        kvm_vcpu_claim(&e->vcpus[i]);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        kvm_vcpu_await(&e->vcpus[i]);
}

static void release_all(struct kvm_engine *e)
{
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        kvm_vcpu_release(&e->vcpus[i]);
}

/* [told; all stopped] Pending bits that KVM still set in the page that is left. Nobody clears one: the guest stands still. */
static void take_over_pending(const struct kvm_engine *e, uint8_t *to, const uint8_t *from)
{
    size_t n_ports = e->long_mode ? WAY_XEN_PORTS_64 : WAY_XEN_PORTS_32;
    uint64_t *bits = (uint64_t *)(void *)(to + WAY_XEN_PENDING);
    const uint64_t *left = (const uint64_t *)(const void *)(from + WAY_XEN_PENDING);

    for (size_t i = 0; i < n_ports / 64; i++)
        __atomic_fetch_or(&bits[i], __atomic_load_n(&left[i], __ATOMIC_ACQUIRE), __ATOMIC_SEQ_CST);
}

/* [told; all stopped] The default places go along; afterwards KVM writes to the page that is left no more. */
static void move_default_infos(struct kvm_engine *e, uint64_t gpa)
{
    for (uint32_t i = 0; i < e->n_vcpus && i < XEN_LEGACY_MAX_VCPUS; i++) {
        struct kvm_vcpu *v = &e->vcpus[i];

        if (v->told.registered)
            continue;
        v->told.info_gpa = gpa == ENGINE_NOWHERE ? ENGINE_NOWHERE : gpa + i * INFO_BYTES;
        set_info(v, v->told.info_gpa);
    }
}

/* [told; all stopped] In the order of a delivery: who finds a selector must find the pending bit. */
static void look_back_at_page(struct kvm_engine *e, uint8_t *to, const uint8_t *from)
{
    take_over_pending(e, to, from);
    for (uint32_t i = 0; i < e->n_vcpus && i < XEN_LEGACY_MAX_VCPUS; i++)
        if (!e->vcpus[i].told.registered && way_xen_info(&e->vcpus[i]) != NULL)
            look_back(&e->vcpus[i], from + i * INFO_BYTES);
}

/*
 * On Xen the page itself moves. Here: no vCPU runs; copy, switch, look back. Deliveries go on all the while: until the switch,
 * which KVM makes with their lock held for writing, into the old page, behind it into the new one. A domain that has yet to
 * run is being restored: what it has there stays, and what came since is added.
 */
static int move_page(struct kvm_engine *e, uint64_t gpa)
{
    uint8_t *to = page_at(e, gpa), *from = way_xen_page(e);

    if (to == NULL || from == NULL)
        return -XEN_EINVAL;
    if (to != from && kvm_threads_running(&e->threads))
        memcpy(to, from, PAGE);
    if (set_shared(e, gpa) != 0) {
        set_shared(e, e->shared_gpa);
        return -XEN_EINVAL;
    }
    e->shared_gpa = gpa;
    move_default_infos(e, gpa);
    if (to != from)
        look_back_at_page(e, to, from);
    return 0;
}

int way_xen_place_page(struct kvm_engine *e, uint64_t gpa)
{
    int result;

    stop_all(e);
    result = move_page(e, gpa);
    release_all(e);
    return result;
}
