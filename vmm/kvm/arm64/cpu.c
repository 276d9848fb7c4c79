/* SPDX-License-Identifier: MIT */
#include "cpu.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define CORE_REGISTER(field)                                                                                           \
    (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offsetof(struct kvm_regs, field) / sizeof(uint32_t))

int arm64_cpu_reset(struct kvm_cpu *c, const struct kvm_machine *m, bool off, struct problem *problem)
{
    struct kvm_vcpu_init init;

    if (ioctl(m->vm, KVM_ARM_PREFERRED_TARGET, &init) < 0)
        return problem_set(problem, -1, "KVM knows no processor for a guest: %s", strerror(errno));
    init.features[0] |= UINT32_C(1) << KVM_ARM_VCPU_PSCI_0_2;
    if (off)
        init.features[0] |= UINT32_C(1) << KVM_ARM_VCPU_POWER_OFF;
    if (ioctl(c->fd, KVM_ARM_VCPU_INIT, &init) < 0)
        return problem_set(problem, -1, "KVM takes no vCPU %u with PSCI: %s", (unsigned)c->id, strerror(errno));
    return 0;
}

_Static_assert(REGISTERS_MPIDR_EL1 == ARM64_SYS_REG(3, 0, 0, 0, 5), "Arm ARM D17.2.101");

static int set_register(struct kvm_cpu *c, uint64_t id, uint64_t value)
{
    const struct kvm_one_reg one = {.id = id, .addr = (uintptr_t)&value};

    return ioctl(c->fd, KVM_SET_ONE_REG, &one);
}

int arm64_cpu_enter_at(struct kvm_cpu *c, uint64_t pc, uint64_t x0, struct problem *problem)
{
    if (set_register(c, CORE_REGISTER(regs.pc), pc) < 0 || set_register(c, CORE_REGISTER(regs.regs[0]), x0) < 0)
        return problem_set(problem, -1, "KVM takes no registers: %s", strerror(errno));
    return 0;
}

uint64_t arm64_cpu_instruction(const struct kvm_cpu *c)
{
    uint64_t value = 0;
    const struct kvm_one_reg one = {.id = CORE_REGISTER(regs.pc), .addr = (uintptr_t)&value};

    return ioctl(c->fd, KVM_GET_ONE_REG, &one) == 0 ? value : 0;
}

/* ---- Its state. ---- */

static bool get_one(void *cpu, uint64_t id, void *value)
{
    const struct kvm_one_reg one = {.id = id, .addr = (uintptr_t)value};

    return ioctl(((const struct kvm_cpu *)cpu)->fd, KVM_GET_ONE_REG, &one) == 0;
}

static bool set_one(void *cpu, uint64_t id, const void *value)
{
    const struct kvm_one_reg one = {.id = id, .addr = (uintptr_t)value};

    return ioctl(((const struct kvm_cpu *)cpu)->fd, KVM_SET_ONE_REG, &one) == 0;
}

/* The caller's to free; NULL: problem. */
static struct kvm_reg_list *list_registers(const struct kvm_cpu *c, struct registers *regs, struct problem *problem)
{
    struct kvm_reg_list *list = calloc(1, sizeof *list + REGISTERS_MAX * sizeof list->reg[0]);

    if (list == NULL) {
        problem_set(problem, -1, "no memory");
        return NULL;
    }
    list->n = REGISTERS_MAX;
    if (ioctl(c->fd, KVM_GET_REG_LIST, list) < 0) {
        problem_set(problem, -1, "KVM does not list a vCPU's registers: %s", strerror(errno));
        free(list);
        return NULL;
    }
    _Static_assert(sizeof list->reg[0] == sizeof regs->ids[0], "one is the other");
    *regs = (struct registers){
        .ids = (const uint64_t *)list->reg, .n = (uint32_t)list->n, .ctx = (void *)c, .get = get_one, .set = set_one};
    return list;
}

/* A CPU_ON that its vCPU has not come to is done by KVM before it tells of registers, and after it tells that the vCPU is on. */
static int write_events(const struct kvm_cpu *c, struct vc_writer *w, struct problem *problem)
{
    struct kvm_vcpu_events events = {0};
    struct kvm_mp_state state;

    if (ioctl(c->fd, KVM_GET_MP_STATE, &state) < 0 ||
        (state.mp_state != KVM_MP_STATE_RUNNABLE && state.mp_state != KVM_MP_STATE_STOPPED))
        return problem_set(problem, -1, "KVM does not tell whether a vCPU is on");
    if (ioctl(c->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
        return problem_set(problem, -1, "KVM does not tell a vCPU's pending events: %s", strerror(errno));
    vc_write_u32(w, state.mp_state == KVM_MP_STATE_RUNNABLE);
    vc_write_u32(w, events.exception.serror_pending);
    vc_write_u32(w, events.exception.serror_has_esr);
    vc_write_u32(w, 0);
    vc_write_u64(w, events.exception.serror_esr);
    return 0;
}

int arm64_cpu_save(const struct kvm_cpu *c, struct vc_writer *w, struct problem *problem)
{
    struct registers regs;
    struct kvm_reg_list *list;
    int result;

    if (write_events(c, w, problem) != 0)
        return -1;
    list = list_registers(c, &regs, problem);
    if (list == NULL)
        return -1;
    result = registers_write(&regs, w, problem);
    free(list);
    return result;
}

static int read_events(struct kvm_cpu *c, bool *on, struct vc_reader *r, struct problem *problem)
{
    uint32_t is_on = vc_read_u32(r), pending = vc_read_u32(r), has_esr = vc_read_u32(r), zero = vc_read_u32(r);
    struct kvm_vcpu_events events = {.exception.serror_esr = vc_read_u64(r)};
    struct kvm_mp_state state = {.mp_state = is_on == 1 ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_STOPPED};

    if (!vc_reader_ok(r) || is_on > 1 || pending > 1 || has_esr > 1 || zero != 0)
        return problem_set(problem, -1, "damaged: its vCPUs are none of the engine kvm on arm64");
    events.exception.serror_pending = (uint8_t)pending;
    events.exception.serror_has_esr = (uint8_t)has_esr;
    if (pending == 1 && ioctl(c->fd, KVM_SET_VCPU_EVENTS, &events) < 0)
        return problem_set(problem, -1, "KVM of this machine refuses a vCPU's pending events: %s", strerror(errno));
    if (ioctl(c->fd, KVM_SET_MP_STATE, &state) < 0)
        return problem_set(problem, -1, "KVM of this machine refuses a vCPU's run state: %s", strerror(errno));
    *on = is_on == 1;
    return 0;
}

int arm64_cpu_restore(struct kvm_cpu *c, bool *on, struct vc_reader *r, struct problem *problem)
{
    struct registers regs;
    struct kvm_reg_list *list;
    int result;

    if (read_events(c, on, r, problem) != 0)
        return -1;
    list = list_registers(c, &regs, problem);
    if (list == NULL)
        return -1;
    result = registers_read(&regs, r, problem);
    free(list);
    return result;
}
