/* SPDX-License-Identifier: MIT */
/*
 * probe.h: can this machine's KVM run our guests? Asked before anything is promised to the user.
 *
 * Spec:  Linux Documentation/virt/kvm/api.rst. "Usable" is shown, not looked up: a virtual machine is made and runs
 *        three instructions, among them an access to a device, from the state in which a kernel starts. Many machines
 *        have a /dev/kvm that cannot do that: no permission, no nesting, another hypervisor in the way.
 * Owner: leaves nothing behind but the handler of KVM_KICK_SIGNAL.
 * Lock:  none; comes back within seconds, whatever KVM does.
 */
#ifndef VMM_KVM_PROBE_H
#define VMM_KVM_PROBE_H
#include "machine.h"
#include <stdbool.h>
#include <stddef.h>

/* False: why holds one clause about what failed: "/dev/kvm is not there". */
bool kvm_probe(struct problem *why);

/* What is the architecture's of it. */
struct probe_arch {
    uint64_t gpa; /* of the program */
    const void *program;
    size_t program_bytes;
    /* Nothing but memory is in machine. -1: why. */
    int (*make_cpu)(struct kvm_cpu *cpu, struct kvm_machine *machine, struct problem *why);
    uint32_t exit_reason; /* of the access, */
    bool (*is_right)(const struct kvm_run *run);
};
extern const struct probe_arch probe_arch;

#endif
