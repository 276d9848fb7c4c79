/* SPDX-License-Identifier: MIT */
/*
 * The way `kvm-xen`: KVM itself knows Xen's ABI (Linux api.rst, KVM_XEN_*; xen-abi §8.2-8.4, §12.3). It hands us hypercalls,
 * writes shared_info and vcpu_info, delivers events and upcalls, and serves IPIs, poll and the timer without an exit. The
 * table of ports stays core's; what KVM must know of it comes by the functions of struct engine_events.
 */
#include "kvm_engine.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <vcons/events.h>
#include <vcons/wire/shared_info.h>

#define PRIORITY             KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL /* the only one there is */
#define INFO_BYTES           sizeof(struct vcpu_info_x86_64)
#define SHARED_PENDING       offsetof(struct shared_info_x86_64, evtchn_pending) /* in both layouts */
#define SHARED_PENDING_BYTES sizeof(((struct shared_info_x86_64 *)0)->evtchn_pending)
#define NO_GPA               UINT64_MAX /* api.rst: "-1", no place, of addresses and of frames */

_Static_assert(sizeof(struct vcpu_info_x86_32) == INFO_BYTES, "one size for both layouts");
_Static_assert(offsetof(struct shared_info_x86_32, evtchn_pending) == SHARED_PENDING, "one place for both layouts");
_Static_assert(NO_GPA == ENGINE_NOWHERE, "passed on as it is");

static const struct {
    int flag;
    const char *what;
} needed[] = {{KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL, "hypercalls"},
              {KVM_XEN_HVM_CONFIG_SHARED_INFO, "shared_info"},
              {KVM_XEN_HVM_CONFIG_EVTCHN_2LEVEL, "event channels"},
              {KVM_XEN_HVM_CONFIG_EVTCHN_SEND, "sending events"}};

static bool usable(int kvm, struct problem *why)
{
    int has = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);

    if (has <= 0) {
        problem_set(why, -1, "KVM was built without KVM_XEN");
        return false;
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if ((has & needed[i].flag) == 0) {
            problem_set(why, -1, "KVM_XEN is too old: it lacks %s", needed[i].what);
            return false;
        }
    if (!kvm_can_have_lapics(kvm)) {
        problem_set(why, -1, "KVM has no local APICs");
        return false;
    }
    return true;
}

/* ---- Attributes. ---- */

static int set_vm(struct kvm_engine *e, const struct kvm_xen_hvm_attr *attr)
{
    return ioctl(e->machine.vm, KVM_XEN_HVM_SET_ATTR, attr) < 0 ? -errno : 0;
}

static int set_vcpu(struct kvm_vcpu *v, uint16_t type, uint64_t gpa)
{
    struct kvm_xen_vcpu_attr attr = {.type = type, .u.gpa = gpa};

    return kvm_vcpu_ioctl(v, KVM_XEN_VCPU_SET_ATTR, &attr);
}

static void set_long_mode(struct kvm_engine *e, bool long_mode)
{
    set_vm(e, &(struct kvm_xen_hvm_attr){.type = KVM_XEN_ATTR_TYPE_LONG_MODE, .u.long_mode = long_mode});
}

static int prepare(struct kvm_engine *e, struct problem *problem)
{
    struct kvm_xen_hvm_config config = {.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND,
                                        .msr = 0x40000000};

    if (ioctl(e->machine.vm, KVM_XEN_HVM_CONFIG, &config) < 0)
        return problem_set(problem, -1, "KVM_XEN cannot be switched on: %s", strerror(errno));
    set_vm(e,
           &(struct kvm_xen_hvm_attr){.type = KVM_XEN_ATTR_TYPE_XEN_VERSION, .u.xen_version = e->config->xen_version});
    set_long_mode(e, true); /* KVM begins with the 32-bit layout, Xen with the 64-bit one */
    e->long_mode = true;
    e->shared_gpa = NO_GPA;
    e->machine.hypercall_msr = true;
    return 0;
}

static int prepare_vcpu(struct kvm_vcpu *v, struct problem *problem)
{
    struct kvm_xen_vcpu_attr id = {.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID, .u.vcpu_id = v->cpu.id};
    int error = kvm_vcpu_ioctl(v, KVM_XEN_VCPU_SET_ATTR, &id);

    return error == 0 ? 0 : problem_set(problem, -1, "KVM_XEN refuses a vCPU's number: %s", strerror(-error));
}

/* ---- Upcalls. ---- */

/* What KVM did not see itself: marks that we made, and a vector that came after the mark. */
static bool upcall(struct kvm_engine *e, uint32_t vcpu)
{
    struct kvm_vcpu *v = &e->vcpus[vcpu];
    uint32_t vector = atomic_load(&v->vector);

    if (vector != 0)
        return kvm_engine_interrupt(e, vcpu, vector);
    kvm_cpu_kick(&v->cpu); /* KVM looks at upcall_pending whenever the vCPU enters the guest */
    return true;
}

/* The vCPU's upcall_pending, as far as it has a place. */
static uint8_t *pending_of(const struct kvm_vcpu *v)
{
    return v->info_gpa != NO_GPA ? memory_at(v->engine->memory, v->info_gpa, INFO_BYTES) : NULL;
}

static size_t selector_offset(const struct kvm_vcpu *v)
{
    return v->engine->long_mode ? offsetof(struct vcpu_info_x86_64, evtchn_pending_sel)
                                : offsetof(struct vcpu_info_x86_32, evtchn_pending_sel);
}

/* An interrupt that a local APIC drops now is sent again after the vCPU's exits. */
static void raise_if_pending(struct kvm_vcpu *v)
{
    const uint8_t *pending = pending_of(v);

    if (pending != NULL && __atomic_load_n(pending, __ATOMIC_ACQUIRE) != 0 && !upcall(v->engine, v->cpu.id))
        atomic_store(&v->dropped, true);
}

static void after_exit(struct kvm_vcpu *v)
{
    if (atomic_exchange(&v->dropped, false))
        raise_if_pending(v);
}

static int set_one_vector(struct kvm_vcpu *v, uint8_t vector)
{
    struct kvm_xen_vcpu_attr attr = {.type = KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR, .u.vector = vector};

    if (kvm_vcpu_ioctl(v, KVM_XEN_VCPU_SET_ATTR, &attr) != 0)
        return -XEN_EINVAL;
    atomic_store(&v->vector, vector);
    raise_if_pending(v);
    return 0;
}

/* xen-abi §6.4: a vector in bits 7:0 where the type is 2; as a GSI only 0, none, and 1, "each vCPU has its own". */
static int set_vector(struct kvm_engine *e, uint32_t vcpu, uint64_t value)
{
    struct kvm_xen_hvm_attr attr = {.type = KVM_XEN_ATTR_TYPE_UPCALL_VECTOR};

    if (vcpu != ENGINE_ALL_VCPUS)
        return set_one_vector(&e->vcpus[vcpu], (uint8_t)value);
    if (value == 1)
        return 0;
    if (value != 0 && value >> 56 != 2)
        return -XEN_EINVAL; /* there is no such interrupt controller */
    attr.u.vector = (uint8_t)value;
    return set_vm(e, &attr) == 0 ? 0 : -XEN_EINVAL;
}

/* ---- Places. ---- */

/* What the guest has yet to take. Only this vCPU's guest code clears it, and it does not run: the caller has claimed it. */
static bool has_events(const struct kvm_vcpu *v, const uint8_t *info)
{
    uint64_t selector = 0;

    memcpy(&selector, info + selector_offset(v), v->engine->long_mode ? 8 : 4);
    return selector != 0 || __atomic_load_n(info, __ATOMIC_ACQUIRE) != 0;
}

/* xen-abi §5.3: the guest is to look at every port. KVM may set bits there meanwhile, and they are set already. */
static void mark_all(struct kvm_vcpu *v, uint8_t *info)
{
    memset(info + selector_offset(v), 0xff, v->engine->long_mode ? 8 : 4);
    __atomic_store_n(info, 1, __ATOMIC_SEQ_CST);
    raise_if_pending(v);
}

/*
 * Copy, switch, look back. KVM loses what it is to deliver while it has no place (-EINVAL), so there is none without one:
 * the content goes first, then KVM goes, and what it still wrote into the old place in between is made up for by the mark.
 * Xen always marks; with a vector of the vCPU's own that would cost the one interrupt that a local APIC still switched off
 * drops, and the mark that stays would swallow all later ones.
 */
static int move_info(struct kvm_vcpu *v, uint64_t gpa)
{
    uint8_t *to = memory_at(v->engine->memory, gpa, INFO_BYTES), *from = pending_of(v);
    int error;

    if (to == NULL || gpa % 4 != 0 || gpa % 4096 > 4096 - INFO_BYTES)
        return -XEN_EINVAL;
    kvm_vcpu_claim(v);
    if (from != NULL)
        memmove(to, from, INFO_BYTES);
    else
        memset(to, 0, INFO_BYTES);
    error = set_vcpu(v, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, gpa);
    if (error == 0) {
        v->info_gpa = gpa;
        v->registered = true;
        if (atomic_exchange(&v->missed, false) || has_events(v, to) || (from != NULL && has_events(v, from)))
            mark_all(v, to);
    }
    kvm_vcpu_release(v);
    return error == 0 ? 0 : -XEN_EINVAL;
}

static int place_info(struct kvm_vcpu *v, uint64_t gpa)
{
    if (gpa != NO_GPA)
        return move_info(v, gpa);
    v->info_gpa = NO_GPA;
    v->registered = false;
    return set_vcpu(v, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, NO_GPA) == 0 ? 0 : -XEN_EINVAL;
}

static int place_shared_info(struct kvm_engine *e, uint64_t gpa)
{
    struct kvm_xen_hvm_attr attr = {.type = KVM_XEN_ATTR_TYPE_SHARED_INFO,
                                    .u.shared_info.gfn = gpa == NO_GPA ? NO_GPA : gpa >> 12};

    if (set_vm(e, &attr) != 0)
        return -XEN_EINVAL;
    e->shared_gpa = gpa;
    for (uint32_t i = 0; i < e->n_vcpus && i < XEN_LEGACY_MAX_VCPUS; i++) {
        struct kvm_vcpu *v = &e->vcpus[i];

        if (v->registered)
            continue;
        v->info_gpa = gpa == NO_GPA ? NO_GPA : gpa + i * INFO_BYTES;
        set_vcpu(v, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, v->info_gpa);
    }
    return 0;
}

static int placed(struct kvm_engine *e, enum engine_area area, uint32_t vcpu, uint64_t gpa)
{
    switch (area) {
    case ENGINE_SHARED_INFO: return place_shared_info(e, gpa);
    case ENGINE_VCPU_INFO: return place_info(&e->vcpus[vcpu], gpa);
    case ENGINE_TIME:
        return set_vcpu(&e->vcpus[vcpu], KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, gpa) == 0 ? 0 : -XEN_EINVAL;
    case ENGINE_RUNSTATE: /* where the host keeps no such account the guest's says nothing: Linux stops without one */
        set_vcpu(&e->vcpus[vcpu], KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR, gpa);
        return 0;
    }
    return -XEN_EINVAL;
}

static void latched(struct kvm_engine *e, bool long_mode)
{
    e->long_mode = long_mode;
    set_long_mode(e, long_mode);
}

static void restarted(struct kvm_vcpu *v) { (void)v; } /* what is Xen's survives INIT */

/* ---- Events. ---- */

/* Masked, or pending already: no error. A vCPU without a vcpu_info finds it when it has one, as on Xen. */
static void deliver(void *engine, uint32_t vcpu, uint32_t port)
{
    struct kvm_irq_routing_xen_evtchn event = {.port = port, .vcpu = vcpu, .priority = PRIORITY};
    struct kvm_engine *e = engine;
    uint8_t *pending;

    if (ioctl(e->machine.vm, KVM_XEN_HVM_EVTCHN_SEND, &event) >= 0)
        return;
    pending =
        e->shared_gpa != NO_GPA ? memory_at(e->memory, e->shared_gpa + SHARED_PENDING, SHARED_PENDING_BYTES) : NULL;
    if (pending == NULL || port / 8 >= SHARED_PENDING_BYTES)
        return;
    __atomic_fetch_or(pending + port / 8, (uint8_t)(1u << port % 8), __ATOMIC_SEQ_CST);
    atomic_store(&e->vcpus[vcpu].missed, true);
}

/* An IPI that KVM knows needs no exit. One that it does not take is sent by us. */
static void set_ipi(struct kvm_engine *e, uint32_t port, uint32_t vcpu, bool assign)
{
    struct kvm_xen_hvm_attr attr = {.type = KVM_XEN_ATTR_TYPE_EVTCHN};

    attr.u.evtchn.send_port = port;
    attr.u.evtchn.type = EVTCHNSTAT_ipi;
    attr.u.evtchn.flags = assign ? 0 : KVM_XEN_EVTCHN_DEASSIGN;
    attr.u.evtchn.deliver.port.port = port;
    attr.u.evtchn.deliver.port.vcpu = vcpu;
    attr.u.evtchn.deliver.port.priority = PRIORITY;
    set_vm(e, &attr);
}

static int set_timer(struct kvm_vcpu *v, uint32_t port, uint64_t deadline_ns)
{
    struct kvm_xen_vcpu_attr attr = {.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER,
                                     .u.timer = {.port = port, .priority = PRIORITY, .expires_ns = deadline_ns}};

    return kvm_vcpu_ioctl(v, KVM_XEN_VCPU_SET_ATTR, &attr);
}

static void bound(void *engine, uint32_t port, const struct vc_event_binding *binding)
{
    struct kvm_engine *e = engine;

    if (binding->kind == VC_EVENT_IPI) {
        set_ipi(e, port, binding->vcpu, true);
    } else if (binding->kind == VC_EVENT_VIRQ && binding->virq == VIRQ_TIMER) {
        e->vcpus[binding->vcpu].timer_port = port;
        set_timer(&e->vcpus[binding->vcpu], port, 0);
    }
}

/* Port 0 takes the timer away; that no such IPI is known is no harm. */
static void unbound(void *engine, uint32_t port)
{
    struct kvm_engine *e = engine;

    set_ipi(e, port, 0, false);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (e->vcpus[i].timer_port == port) {
            e->vcpus[i].timer_port = 0;
            set_timer(&e->vcpus[i], 0, 0);
        }
}

static int timer(void *engine, uint32_t vcpu, uint64_t deadline_ns)
{
    struct kvm_vcpu *v = &((struct kvm_engine *)engine)->vcpus[vcpu];
    uint64_t expires = deadline_ns == UINT64_MAX ? 0 : deadline_ns == 0 ? 1 : deadline_ns; /* 0 stops it */

    return v->timer_port != 0 && set_timer(v, v->timer_port, expires) == 0 ? 0 : -XEN_EINVAL;
}

static const struct engine_events events = {.deliver = deliver, .bound = bound, .unbound = unbound, .timer = timer};

const struct kvm_way kvm_way_xen = {
    .name = "kvm-xen",
    .calls = KERNEL_CALLS_ITSELF,
    .usable = usable,
    .prepare = prepare,
    .prepare_vcpu = prepare_vcpu,
    .upcall = upcall,
    .set_vector = set_vector,
    .placed = placed,
    .latched = latched,
    .restarted = restarted,
    .after_exit = after_exit,
    .events = &events,
};
