/* SPDX-License-Identifier: MIT */
#include "../probe.h"
#include "cpu.h"
#include "layout.h"

static const uint32_t program[] = {0xd2a12000,  /* movz x0, #0x900, lsl #16 */
                                   0x52800ac1,  /* movz w1, #0x56 */
                                   0xb9000001}; /* str  w1, [x0] */
_Static_assert(ARM64_UART_GPA == 0x09000000, "what the program has in x0: an address without memory");

static int make_cpu(struct kvm_cpu *cpu, struct kvm_machine *machine, struct problem *why)
{
    if (kvm_cpu_init(cpu, machine, 0, why) != 0 || arm64_cpu_reset(cpu, machine, false, why) != 0)
        return -1;
    return arm64_cpu_enter_at(cpu, ARM64_RAM_GPA, 0, why);
}

static bool is_right(const struct kvm_run *run)
{
    return run->mmio.is_write && run->mmio.phys_addr == ARM64_UART_GPA && run->mmio.len == 4 &&
           run->mmio.data[0] == 0x56;
}

const struct probe_arch probe_arch = {.gpa = ARM64_RAM_GPA,
                                      .program = program,
                                      .program_bytes = sizeof program,
                                      .make_cpu = make_cpu,
                                      .exit_reason = KVM_EXIT_MMIO,
                                      .is_right = is_right};
