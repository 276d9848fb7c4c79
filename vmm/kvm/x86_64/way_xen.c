/* SPDX-License-Identifier: MIT */
/*
 * The way `kvm-xen`: KVM itself knows Xen's ABI (Linux api.rst, KVM_XEN_*; xen-abi §8.2-8.4, §12.3). It hands us hypercalls,
 * writes shared_info and vcpu_info, delivers events and upcalls, and serves IPIs, poll and the timer without an exit. The
 * table of ports stays core's; what KVM must know of it comes by the functions of struct engine_events.
 */
#include "way_xen.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <vcons/events.h>

#define PRIORITY KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL /* the only one there is */

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

int way_xen_set_vm(struct kvm_engine *e, const struct kvm_xen_hvm_attr *attr)
{
    return ioctl(e->machine.vm, KVM_XEN_HVM_SET_ATTR, attr) < 0 ? -errno : 0;
}

int way_xen_set_vcpu(struct kvm_vcpu *v, uint16_t type, uint64_t gpa)
{
    struct kvm_xen_vcpu_attr attr = {.type = type, .u.gpa = gpa};

    return kvm_vcpu_ioctl(v, KVM_XEN_VCPU_SET_ATTR, &attr);
}

void way_xen_latch(struct kvm_engine *e, bool long_mode)
{
    e->long_mode = long_mode;
    way_xen_set_vm(e, &(struct kvm_xen_hvm_attr){.type = KVM_XEN_ATTR_TYPE_LONG_MODE, .u.long_mode = long_mode});
}

static int prepare(struct kvm_engine *e, struct problem *problem)
{
    struct kvm_xen_hvm_config config = {.flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND,
                                        .msr = 0x40000000};

    if (ioctl(e->machine.vm, KVM_XEN_HVM_CONFIG, &config) < 0)
        return problem_set(problem, -1, "KVM_XEN cannot be switched on: %s", strerror(errno));
    way_xen_set_vm(
        e, &(struct kvm_xen_hvm_attr){.type = KVM_XEN_ATTR_TYPE_XEN_VERSION, .u.xen_version = e->config->xen_version});
    way_xen_latch(e, true); /* KVM begins with the 32-bit layout, Xen with the 64-bit one. No vCPU runs */
    e->shared_gpa = ENGINE_NOWHERE;
    memset(e->home, 0, sizeof e->home);
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

void way_xen_raise(struct kvm_vcpu *v)
{
    const uint8_t *info = way_xen_info(v);

    /* dropped pairs with after_exit, which takes it before it looks at upcall_pending again. */
    if (info != NULL && __atomic_load_n(info, __ATOMIC_ACQUIRE) != 0 && !upcall(v->engine, v->cpu.id))
        atomic_store(&v->dropped, true);
}

static void after_exit(struct kvm_vcpu *v)
{
    if (!atomic_load(&v->dropped)) /* the usual answer, after every exit */
        return;
    pthread_mutex_lock(&v->engine->told_lock);
    if (atomic_exchange(&v->dropped, false))
        way_xen_raise(v);
    pthread_mutex_unlock(&v->engine->told_lock);
}

static int set_one_vector(struct kvm_vcpu *v, uint8_t vector)
{
    struct kvm_xen_vcpu_attr attr = {.type = KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR, .u.vector = vector};
    int error;

    pthread_mutex_lock(&v->engine->told_lock);
    error = kvm_vcpu_ioctl(v, KVM_XEN_VCPU_SET_ATTR, &attr);
    if (error == 0) {
        atomic_store(&v->vector, vector);
        way_xen_raise(v);
    }
    pthread_mutex_unlock(&v->engine->told_lock);
    return error == 0 ? 0 : -XEN_EINVAL;
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
    return way_xen_set_vm(e, &attr) == 0 ? 0 : -XEN_EINVAL;
}

/* ---- Areas. ---- */

/* [told] */
static int place(struct kvm_engine *e, enum engine_area area, uint32_t vcpu, uint64_t gpa)
{
    switch (area) {
    case ENGINE_SHARED_INFO: return way_xen_place_page(e, gpa);
    case ENGINE_VCPU_INFO: return way_xen_place_info(&e->vcpus[vcpu], gpa);
    case ENGINE_TIME:
        return way_xen_set_vcpu(&e->vcpus[vcpu], KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, gpa) == 0 ? 0 : -XEN_EINVAL;
    case ENGINE_RUNSTATE: /* where the host keeps no such account the guest's says nothing: Linux stops without one */
        way_xen_set_vcpu(&e->vcpus[vcpu], KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR, gpa);
        return 0;
    }
    return -XEN_EINVAL;
}

static int placed(struct kvm_engine *e, enum engine_area area, uint32_t vcpu, uint64_t gpa)
{
    int result;

    pthread_mutex_lock(&e->told_lock);
    result = place(e, area, vcpu, gpa);
    pthread_mutex_unlock(&e->told_lock);
    return result;
}

static void latched(struct kvm_engine *e, bool long_mode)
{
    pthread_mutex_lock(&e->told_lock);
    way_xen_latch(e, long_mode);
    pthread_mutex_unlock(&e->told_lock);
}

static void restarted(struct kvm_vcpu *v) { (void)v; } /* what is Xen's survives INIT */

/* ---- Events. ---- */

/* Masked, or pending already: no error. False: KVM has no place to write to. */
static bool send_by_kvm(struct kvm_engine *e, uint32_t vcpu, uint32_t port)
{
    struct kvm_irq_routing_xen_evtchn event = {.port = port, .vcpu = vcpu, .priority = PRIORITY};

    return ioctl(e->machine.vm, KVM_XEN_HVM_EVTCHN_SEND, &event) >= 0;
}

/* [told] A vCPU without a vcpu_info finds it when it has one, as on Xen. */
static void leave_pending(struct kvm_engine *e, uint32_t vcpu, uint32_t port)
{
    uint8_t *page = way_xen_page(e);

    if (page == NULL || port >= (e->long_mode ? WAY_XEN_PORTS_64 : WAY_XEN_PORTS_32))
        return;
    __atomic_fetch_or(page + WAY_XEN_PENDING + port / 8, (uint8_t)(1u << port % 8), __ATOMIC_SEQ_CST);
    e->vcpus[vcpu].told.missed = true;
}

static void deliver(void *engine, uint32_t vcpu, uint32_t port)
{
    struct kvm_engine *e = engine;

    if (send_by_kvm(e, vcpu, port))
        return;
    pthread_mutex_lock(&e->told_lock);
    if (!send_by_kvm(e, vcpu, port)) /* the vCPU may have got its place just now */
        leave_pending(e, vcpu, port);
    pthread_mutex_unlock(&e->told_lock);
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
    way_xen_set_vm(e, &attr);
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
    struct kvm_vcpu *v = &e->vcpus[binding->vcpu];

    pthread_mutex_lock(&e->told_lock);
    if (binding->kind == VC_EVENT_IPI) {
        set_ipi(e, port, binding->vcpu, true);
    } else if (binding->kind == VC_EVENT_VIRQ && binding->virq == VIRQ_TIMER) {
        v->told.timer_port = port;
        set_timer(v, port, 0);
    }
    pthread_mutex_unlock(&e->told_lock);
}

/* [told] Port 0 takes the timer away. */
static void forget_timer(struct kvm_engine *e, uint32_t port)
{
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (e->vcpus[i].told.timer_port == port) {
            e->vcpus[i].told.timer_port = 0;
            set_timer(&e->vcpus[i], 0, 0);
        }
}

/* That no such IPI is known is no harm. */
static void unbound(void *engine, uint32_t port)
{
    struct kvm_engine *e = engine;

    pthread_mutex_lock(&e->told_lock);
    set_ipi(e, port, 0, false);
    forget_timer(e, port);
    if (e->shared_gpa == ENGINE_NOWHERE &&
        port < WAY_XEN_PORTS_64) /* what is pending goes with it: elsewhere core sees to that */
        __atomic_fetch_and((uint8_t *)e->home + WAY_XEN_PENDING + port / 8, (uint8_t) ~(1u << port % 8),
                           __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&e->told_lock);
}

static int timer(void *engine, uint32_t vcpu, uint64_t deadline_ns)
{
    struct kvm_engine *e = engine;
    struct kvm_vcpu *v = &e->vcpus[vcpu];
    uint64_t expires = deadline_ns == UINT64_MAX ? 0 : deadline_ns == 0 ? 1 : deadline_ns; /* 0 stops it */
    int result;

    pthread_mutex_lock(&e->told_lock);
    result = v->told.timer_port != 0 && set_timer(v, v->told.timer_port, expires) == 0 ? 0 : -XEN_EINVAL;
    pthread_mutex_unlock(&e->told_lock);
    return result;
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
    .save = way_xen_save,
    .restore = way_xen_restore,
};
