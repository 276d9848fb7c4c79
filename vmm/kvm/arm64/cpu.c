/* SPDX-License-Identifier: MIT */
#include "cpu.h"
#include <errno.h>
#include <stddef.h>
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
