/* SPDX-License-Identifier: MIT */
#include "state.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSRS_MAX 1024u

union part {
    struct kvm_sregs sregs;
    struct kvm_xcrs xcrs;
    struct kvm_xsave xsave;
    struct kvm_debugregs debugregs;
    struct kvm_lapic_state lapic;
    struct kvm_mp_state mp_state;
    struct kvm_vcpu_events events;
    struct kvm_regs regs;
};

/* In the order in which they can be set: later ones depend on modes and bases of earlier ones. Those that are not needed some
 * KVM has not, or not without a local APIC. */
static const struct {
    const char *name;
    unsigned long get, set;
    size_t bytes;
    bool needed;
} parts[] = {
    {"control registers", KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs), true},
    {"XCR0", KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs), false},
    {"extended state", KVM_GET_XSAVE, KVM_SET_XSAVE, sizeof(struct kvm_xsave), false},
    {"debug registers", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs), false},
    {"local APIC", KVM_GET_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state), false},
    {"run state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state), false},
    {"pending events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events), false},
    {"registers", KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs), true},
};
#define N_PARTS (sizeof parts / sizeof parts[0])

/* ---- MSRs: those that this KVM lists, one at a time, for it stops at the first that it does not like. ---- */

struct one_msr {
    struct kvm_msrs head;
    struct kvm_msr_entry entry;
};

static bool get_msr(const struct kvm_cpu *c, uint32_t index, uint64_t *value)
{
    struct one_msr m = {.head.nmsrs = 1, .entry.index = index};

    if (ioctl(c->fd, KVM_GET_MSRS, &m) != 1)
        return false;
    *value = m.entry.data;
    return true;
}

/* One that cannot be set, but has that value, is none that a guest could have changed. */
static bool set_msr(const struct kvm_cpu *c, uint32_t index, uint64_t value)
{
    struct one_msr m = {.head.nmsrs = 1, .entry = {.index = index, .data = value}};
    uint64_t is;

    return ioctl(c->fd, KVM_SET_MSRS, &m) == 1 || (get_msr(c, index, &is) && is == value);
}

/* The caller's to free; NULL: no memory, or KVM has no list. */
static struct kvm_msr_list *list_msrs(const struct kvm_machine *m)
{
    struct kvm_msr_list *list = calloc(1, sizeof *list + MSRS_MAX * sizeof list->indices[0]);

    if (list == NULL)
        return NULL;
    list->nmsrs = MSRS_MAX;
    if (ioctl(m->kvm, KVM_GET_MSR_INDEX_LIST, list) == 0)
        return list;
    free(list);
    return NULL;
}

static bool is_listed(const struct kvm_msr_list *list, uint32_t index)
{
    for (uint32_t i = 0; i < list->nmsrs; i++)
        if (list->indices[i] == index)
            return true;
    return false;
}

static int write_msrs(const struct kvm_cpu *c, const struct kvm_machine *m, struct vc_writer *w)
{
    struct kvm_msr_list *list = list_msrs(m);
    uint32_t n = 0;
    uint64_t value;

    if (list == NULL)
        return -1;
    for (uint32_t i = 0; i < list->nmsrs; i++)
        n += get_msr(c, list->indices[i], &value);
    vc_write_u32(w, n);
    for (uint32_t i = 0; i < list->nmsrs && n > 0; i++) {
        if (!get_msr(c, list->indices[i], &value))
            continue;
        vc_write_u32(w, list->indices[i]);
        vc_write_u32(w, 0);
        vc_write_u64(w, value);
        n--;
    }
    free(list);
    return n == 0 ? 0 : -1;
}

static int read_msrs(const struct kvm_cpu *c, const struct kvm_machine *m, struct vc_reader *r, struct problem *problem)
{
    struct kvm_msr_list *list = list_msrs(m);
    uint32_t n = vc_read_u32(r);
    int result = list != NULL ? 0 : -1;

    for (uint32_t i = 0; result == 0 && i < n; i++) {
        uint32_t index = vc_read_u32(r), zero = vc_read_u32(r);
        uint64_t value = vc_read_u64(r);

        if (!vc_reader_ok(r) || zero != 0)
            result = problem_set(problem, -1, "damaged: its MSRs are none");
        else if (!is_listed(list, index) || !set_msr(c, index, value))
            result = problem_set(problem, -1, "KVM of this machine does not take 0x%llx in MSR 0x%x",
                                 (unsigned long long)value, index);
    }
    if (list == NULL)
        problem_set(problem, -1, "KVM does not list its MSRs");
    free(list);
    return result;
}

/* ---- All of it. ---- */

/* A guest that has begun to be a hypervisor itself has state that none of the parts holds. */
static bool is_hypervisor(const struct kvm_cpu *c)
{
    union {
        struct kvm_nested_state state;
        uint8_t bytes[16384];
    } *nested = calloc(1, sizeof *nested);
    bool is = nested == NULL;

    if (nested == NULL)
        return is;
    nested->state.size = sizeof *nested;
    if (ioctl(c->fd, KVM_GET_NESTED_STATE, nested) == 0)
        is = (nested->state.flags & (KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_RUN_PENDING)) != 0 ||
             (nested->state.format == KVM_STATE_NESTED_FORMAT_VMX && nested->state.hdr.vmx.vmxon_pa != UINT64_MAX);
    free(nested);
    return is;
}

int state_write(const struct kvm_cpu *c, const struct kvm_machine *m, struct vc_writer *w, struct problem *problem)
{
    struct kvm_mp_state taken;
    union part part;

    if (is_hypervisor(c))
        return problem_set(problem, -1, "it runs virtual machines of its own, which are not saved");
    (void)ioctl(c->fd, KVM_GET_MP_STATE, &taken); /* takes an INIT or SIPI that waits, before registers are looked at */
    for (size_t i = 0; i < N_PARTS; i++) {
        bool told;

        memset(&part, 0, sizeof part);
        told = ioctl(c->fd, parts[i].get, &part) == 0 &&
               (parts[i].get != KVM_GET_XCRS ||
                part.xcrs.nr_xcrs > 0); /* a processor without XSAVE tells of none, and takes none */
        if (!told && parts[i].needed)
            return problem_set(problem, -1, "KVM does not tell a vCPU's %s: %s", parts[i].name, strerror(errno));
        vc_write_u32(w, told);
        vc_write_bytes(w, &part, told ? parts[i].bytes : 0);
    }
    if (write_msrs(c, m, w) != 0)
        return problem_set(problem, -1, "KVM does not tell a vCPU's MSRs");
    return vc_writer_ok(w) ? 0 : problem_set(problem, -1, "a vCPU has more state than expected");
}

static int read_part(struct kvm_cpu *c, size_t i, struct vc_reader *r, struct problem *problem)
{
    uint32_t told = vc_read_u32(r);
    union part part;

    if (told > 1 || !vc_reader_ok(r) || (told == 0 && parts[i].needed))
        return problem_set(problem, -1, "damaged: it has no %s of a vCPU", parts[i].name);
    if (told == 0)
        return 0;
    vc_read_bytes(r, &part, parts[i].bytes);
    if (!vc_reader_ok(r))
        return problem_set(problem, -1, "damaged: the %s of a vCPU are cut off", parts[i].name);
    if (ioctl(c->fd, parts[i].set, &part) != 0)
        return problem_set(problem, -1, "KVM of this machine refuses a vCPU's %s: %s", parts[i].name, strerror(errno));
    return 0;
}

int state_read(struct kvm_cpu *c, const struct kvm_machine *m, struct vc_reader *r, struct problem *problem)
{
    for (size_t i = 0; i < N_PARTS; i++)
        if (read_part(c, i, r, problem) != 0)
            return -1;
    return read_msrs(c, m, r, problem);
}
