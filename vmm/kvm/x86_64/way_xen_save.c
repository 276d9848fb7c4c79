/* SPDX-License-Identifier: MIT */
/*
 * What KVM_XEN knows of a domain, besides what core has told it and tells it again: version 1: u32 1 if the layouts are the 64-bit
 * ones, u32 vector of all vCPUs, u32 1 if the guest has not placed shared_info, u32 0, in that case its 4096 bytes; of each vCPU u32 1 if an event waits for a vcpu_info, u32 0, u64 where its time is, u64 where
 * its runstate is, u64 when its timer is due, guest time, 0: not at all, u32 1 if KVM tells runstates, u32 state, u64 since when,
 * 4 u64 times. Places are all ones if there is none.
 * Events that KVM keeps to itself, because a page was not there when they came, it tells nobody: so every vCPU is told to look at
 * every port.
 */
#include "way_xen.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <vcons/wire/shared_info.h>

#define NO_GPA ENGINE_NOWHERE /* KVM's own */

static bool get_vcpu(struct kvm_vcpu *v, struct kvm_xen_vcpu_attr *attr, uint16_t type)
{
    memset(attr, 0, sizeof *attr);
    attr->type = type;
    return kvm_vcpu_ioctl(v, KVM_XEN_VCPU_GET_ATTR, attr) >= 0;
}

/* A kernel that has not the attribute has it nowhere. */
static uint64_t get_place(struct kvm_vcpu *v, uint16_t type)
{
    struct kvm_xen_vcpu_attr attr;

    return get_vcpu(v, &attr, type) ? attr.u.gpa : NO_GPA;
}

/* To ask is also what has KVM raise the event of a timer that has just gone off. */
static int write_vcpu(struct kvm_vcpu *v, struct vc_writer *w, struct problem *problem)
{
    struct kvm_xen_vcpu_attr timer, runstate;
    bool told;

    if (!get_vcpu(v, &timer, KVM_XEN_VCPU_ATTR_TYPE_TIMER))
        return problem_set(problem, -1, "KVM_XEN does not tell a vCPU's timer");
    told = get_vcpu(v, &runstate, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA);
    vc_write_u32(w, v->told.missed);
    vc_write_u32(w, 0);
    vc_write_u64(w, get_place(v, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO));
    vc_write_u64(w, get_place(v, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR));
    vc_write_u64(w, timer.u.timer.expires_ns);
    vc_write_u32(w, told);
    vc_write_u32(w, (uint32_t)runstate.u.runstate.state);
    vc_write_u64(w, runstate.u.runstate.state_entry_time);
    vc_write_u64(w, runstate.u.runstate.time_running);
    vc_write_u64(w, runstate.u.runstate.time_runnable);
    vc_write_u64(w, runstate.u.runstate.time_blocked);
    vc_write_u64(w, runstate.u.runstate.time_offline);
    return 0;
}

int way_xen_save(struct kvm_engine *e, struct vc_writer *w, struct problem *problem)
{
    struct kvm_xen_hvm_attr vector = {.type = KVM_XEN_ATTR_TYPE_UPCALL_VECTOR};

    if (ioctl(e->machine.vm, KVM_XEN_HVM_GET_ATTR, &vector) < 0)
        return problem_set(problem, -1, "KVM_XEN does not tell its vector: %s", strerror(errno));
    vc_write_u32(w, e->long_mode);
    vc_write_u32(w, vector.u.vector);
    vc_write_u32(w, e->shared_gpa == NO_GPA);
    vc_write_u32(w, 0);
    vc_write_bytes(w, e->home, e->shared_gpa == NO_GPA ? sizeof e->home : 0);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (write_vcpu(&e->vcpus[i], w, problem) != 0)
            return -1;
    return 0;
}

static bool set_vcpu(struct kvm_vcpu *v, struct kvm_xen_vcpu_attr *attr)
{
    return kvm_vcpu_ioctl(v, KVM_XEN_VCPU_SET_ATTR, attr) >= 0;
}

/* KVM checks it against what memory there is when it writes. */
static bool set_place(struct kvm_vcpu *v, uint16_t type, uint64_t gpa)
{
    struct kvm_xen_vcpu_attr attr = {.type = type, .u.gpa = gpa};

    return gpa == NO_GPA || set_vcpu(v, &attr);
}

static bool set_timer(struct kvm_vcpu *v, uint64_t expires_ns)
{
    struct kvm_xen_vcpu_attr attr = {.type = KVM_XEN_VCPU_ATTR_TYPE_TIMER,
                                     .u.timer = {.port = v->told.timer_port,
                                                 .priority = KVM_IRQ_ROUTING_XEN_EVTCHN_PRIO_2LEVEL,
                                                 .expires_ns = expires_ns}};

    return expires_ns == 0 || (v->told.timer_port != 0 && set_vcpu(v, &attr));
}

static bool set_vector(struct kvm_vcpu *v)
{
    struct kvm_xen_vcpu_attr attr = {.type = KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR,
                                     .u.vector = (uint8_t)atomic_load(&v->vector)};

    return attr.u.vector == 0 || set_vcpu(v, &attr);
}

/*
 * KVM refuses a runstate that began later than now. One may have: to ask a vCPU for its state is also to run on its behalf, and
 * whoever is preempted in that changes its runstate, after the time was taken that the guest's clock goes on from. What came later is
 * taken off again, so that the times still sum up to when it began.
 */
static void end_by(struct kvm_xen_vcpu_attr *a, uint64_t now_ns)
{
    __u64 *const times[] = {&a->u.runstate.time_runnable, &a->u.runstate.time_running, &a->u.runstate.time_blocked,
                            &a->u.runstate.time_offline};
    uint64_t late = a->u.runstate.state_entry_time > now_ns ? a->u.runstate.state_entry_time - now_ns : 0;

    a->u.runstate.state_entry_time -= late;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        uint64_t less = late < *times[i] ? late : *times[i];

        *times[i] -= less;
        late -= less;
    }
}

/* What of it is refused, or NULL. */
static const char *read_vcpu(struct kvm_vcpu *v, struct vc_reader *r, uint64_t now_ns)
{
    struct kvm_xen_vcpu_attr runstate = {.type = KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_DATA};
    uint32_t missed = vc_read_u32(r), zero = vc_read_u32(r), told;
    uint64_t time_gpa = vc_read_u64(r), runstate_gpa = vc_read_u64(r), expires_ns = vc_read_u64(r);

    told = vc_read_u32(r);
    runstate.u.runstate.state = vc_read_u32(r);
    runstate.u.runstate.state_entry_time = vc_read_u64(r);
    runstate.u.runstate.time_running = vc_read_u64(r);
    runstate.u.runstate.time_runnable = vc_read_u64(r);
    runstate.u.runstate.time_blocked = vc_read_u64(r);
    runstate.u.runstate.time_offline = vc_read_u64(r);
    if (!vc_reader_ok(r) || missed > 1 || zero != 0 || told > 1)
        return "state";
    if (!set_vector(v))
        return "vector";
    if (!set_place(v, KVM_XEN_VCPU_ATTR_TYPE_VCPU_TIME_INFO, time_gpa) ||
        !set_place(v, KVM_XEN_VCPU_ATTR_TYPE_RUNSTATE_ADDR, runstate_gpa))
        return "places";
    if (!set_timer(v, expires_ns))
        return "timer";
    v->told.missed = missed != 0;
    end_by(&runstate, now_ns);
    return told == 0 || set_vcpu(v, &runstate) ? NULL : "runstate";
}

/* Where core has put shared_info is known by now. */
static bool read_home(struct kvm_engine *e, struct vc_reader *r)
{
    uint32_t at_home = vc_read_u32(r), zero = vc_read_u32(r);

    if (at_home != (e->shared_gpa == NO_GPA) || zero != 0)
        return false;
    if (at_home == 1)
        vc_read_bytes(r, e->home, sizeof e->home);
    return vc_reader_ok(r);
}

/* [told] */
static int restore(struct kvm_engine *e, struct vc_reader *r, struct problem *problem)
{
    struct kvm_xen_hvm_attr vector = {.type = KVM_XEN_ATTR_TYPE_UPCALL_VECTOR};
    uint32_t long_mode = vc_read_u32(r), number = vc_read_u32(r);
    struct kvm_clock_data now = {0};
    const char *what;

    vector.u.vector = (uint8_t)number;
    if (!read_home(e, r) || long_mode > 1 || number > UINT8_MAX)
        return problem_set(problem, -1, "damaged: it is none of the engine kvm-xen");
    way_xen_latch(e, long_mode != 0);
    if (way_xen_set_vm(e, &vector) != 0)
        return problem_set(problem, -1, "KVM_XEN of this machine refuses vector 0x%x", (unsigned)number);
    if (ioctl(e->machine.vm, KVM_GET_CLOCK, &now) < 0)
        return problem_set(problem, -1, "KVM does not tell the time: %s", strerror(errno));
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if ((what = read_vcpu(&e->vcpus[i], r, now.clock)) != NULL)
            return problem_set(problem, -1, "damaged, or KVM_XEN of this machine refuses it: vCPU %u, its %s",
                               (unsigned)i, what);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        way_xen_mark_all(&e->vcpus[i]);
    return 0;
}

int way_xen_restore(struct kvm_engine *e, struct vc_reader *r, struct problem *problem)
{
    int result;

    pthread_mutex_lock(&e->told_lock);
    result = restore(e, r, problem);
    pthread_mutex_unlock(&e->told_lock);
    return result;
}
