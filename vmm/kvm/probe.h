/* SPDX-License-Identifier: MIT */
/*
 * probe.h: can this machine's KVM run our guests? Asked before anything is promised to the user.
 *
 * Spec:  Linux Documentation/virt/kvm/api.rst. "Usable" is shown, not looked up: a virtual machine is made and runs
 *        three instructions, the second an `out`, from the state in which a PVH kernel starts. Many machines have a
 *        /dev/kvm that cannot do that: no permission, no nesting, another hypervisor in the way.
 * Owner: leaves nothing behind but the handler of KVM_KICK_SIGNAL.
 * Lock:  none; comes back within seconds, whatever KVM does.
 */
#ifndef VMM_KVM_PROBE_H
#define VMM_KVM_PROBE_H
#include "host/message.h"
#include <stdbool.h>

/* False: why holds one clause about what failed: "/dev/kvm is not there". */
bool kvm_probe(struct problem *why);

#endif
