/* SPDX-License-Identifier: MIT */
#include "../probe.h"
#include "cpu.h"

static const uint8_t program[] = {0xb0, 0x56, /* mov $0x56, %al */
                                  0xe6, 0xe9, /* out %al, $0xe9 */
                                  0xf4};      /* hlt */

static int make_cpu(struct kvm_cpu *cpu, struct kvm_machine *machine, struct problem *why)
{
    const struct cpu_identity identity = {.n_vcpus = 1, .domid = 1, .xen_version = 4u << 16};

    if (cpu_prepare_machine(machine, why) != 0 || kvm_cpu_init(cpu, machine, 0, why) != 0 ||
        cpu_identify(cpu, machine, &identity, why) != 0)
        return -1;
    return cpu_enter_at(cpu, 0, 0, why);
}

static bool is_right(const struct kvm_run *run)
{
    const uint8_t *data = (const uint8_t *)run + run->io.data_offset;

    return run->io.direction == KVM_EXIT_IO_OUT && run->io.port == 0xe9 && run->io.size == 1 && *data == 0x56;
}

const struct probe_arch probe_arch = {.program = program,
                                      .program_bytes = sizeof program,
                                      .make_cpu = make_cpu,
                                      .exit_reason = KVM_EXIT_IO,
                                      .is_right = is_right};
