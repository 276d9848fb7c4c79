/* SPDX-License-Identifier: MIT */
/*
 * The way `kvm`: Xen's guests on a KVM that knows nothing of Xen (xen-abi §8.7, §12.4). Calls come through a port, core
 * delivers events into guest memory, an MSI to the vCPU's vector is the upcall, and KVM's own clock, whose 32 bytes have the
 * layout of Xen's, writes the time into vcpu_info.
 */
#include "cpu.h"
#include "engine.h"
#include <vcons/wire/shared_info.h>

#define MSR_KVM_SYSTEM_TIME 0x4b564d01u /* Linux Documentation/virt/kvm/x86/msr.rst */
#define TIME_OFFSET         offsetof(struct vcpu_info_x86_64, time)

_Static_assert(offsetof(struct vcpu_info_x86_32, time) == TIME_OFFSET, "one place for both layouts");
_Static_assert(sizeof(struct vcpu_info_x86_32) == sizeof(struct vcpu_info_x86_64), "one size for both layouts");

static bool usable(int kvm, struct problem *why)
{
    (void)kvm;
    (void)why;
    return true; /* what it needs kvm_open has looked at */
}

static int prepare(struct kvm_engine *e, struct problem *problem)
{
    (void)problem;
    cpu_trap_hypercall_msr(&e->machine);
    return 0;
}

static int prepare_vcpu(struct kvm_vcpu *v, struct problem *problem)
{
    (void)v;
    (void)problem;
    return 0;
}

static bool upcall(struct kvm_engine *e, uint32_t vcpu)
{
    uint32_t vector = atomic_load(&e->vcpus[vcpu].vector);

    /* One without a vector looks at upcall_pending by itself. */
    return vector == 0 || kvm_engine_interrupt(e, vcpu, vector);
}

/*
 * CALLBACK_IRQ with a vector for all vCPUs is Xen's own kind of interrupt, one without an end (EOI), which KVM has not; with
 * the number 1 it only says that each vCPU has a vector of its own (xen-abi §6.4).
 */
static int set_vector(struct kvm_engine *e, uint32_t vcpu, uint64_t value)
{
    if (vcpu == ENGINE_ALL_VCPUS)
        return value <= 1 ? 0 : -XEN_EINVAL;
    atomic_store(&e->vcpus[vcpu].vector, (unsigned)(value & 0xff));
    return 0;
}

/* [told] */
static void set_clock(struct kvm_vcpu *v, uint64_t gpa)
{
    struct {
        struct kvm_msrs head;
        struct kvm_msr_entry entry;
    } msrs = {.head.nmsrs = 1, .entry = {.index = MSR_KVM_SYSTEM_TIME, .data = gpa == ENGINE_NOWHERE ? 0 : gpa | 1}};

    atomic_store(&v->clock_gpa, gpa);
    kvm_vcpu_ioctl(v, KVM_SET_MSRS, &msrs);
}

static uint64_t time_of(uint64_t info) { return info == ENGINE_NOWHERE ? info : info + TIME_OFFSET; }

/* [told] The default places, for those that have no other. */
static void place_shared_info(struct kvm_engine *e, uint64_t gpa)
{
    for (uint32_t i = 0; i < e->n_vcpus && i < XEN_LEGACY_MAX_VCPUS; i++)
        if (!e->vcpus[i].told.registered)
            set_clock(&e->vcpus[i], time_of(gpa == ENGINE_NOWHERE ? gpa : gpa + i * sizeof(struct vcpu_info_x86_64)));
}

static int placed(struct kvm_engine *e, enum engine_area area, uint32_t vcpu, uint64_t gpa)
{
    switch (area) {
    case ENGINE_SHARED_INFO:
        pthread_mutex_lock(&e->told_lock);
        place_shared_info(e, gpa);
        pthread_mutex_unlock(&e->told_lock);
        return 0;
    case ENGINE_VCPU_INFO:
        pthread_mutex_lock(&e->told_lock);
        e->vcpus[vcpu].told.registered = gpa != ENGINE_NOWHERE;
        set_clock(&e->vcpus[vcpu], time_of(gpa));
        pthread_mutex_unlock(&e->told_lock);
        return 0;
    case ENGINE_TIME: return -XEN_ENOSYS; /* KVM's clock writes to one place only; Linux does without */
    case ENGINE_RUNSTATE: return 0;
    }
    return -XEN_EINVAL;
}

/* KVM forgets at INIT where its clock writes. */
static void restarted(struct kvm_vcpu *v)
{
    pthread_mutex_lock(&v->engine->told_lock); /* nobody moves it between the look and the call */
    set_clock(v, atomic_load(&v->clock_gpa));
    pthread_mutex_unlock(&v->engine->told_lock);
}

const struct kvm_way kvm_way_kvm = {
    .name = "kvm",
    .calls = KERNEL_CALLS_BY_PORT,
    .usable = usable,
    .prepare = prepare,
    .prepare_vcpu = prepare_vcpu,
    .upcall = upcall,
    .set_vector = set_vector,
    .placed = placed,
    .restarted = restarted,
};
