/* SPDX-License-Identifier: MIT */
/*
 * wire/doorbell.h: how a guest on arm64 KVM calls its hypervisor: by one page of MMIO.
 *
 * KVM answers Xen's `hvc` itself and the VMM never sees it, so hypercalls go through a page that is no memory and that
 * the device tree names:
 *
 *     hypervisor@ADDRESS { compatible = "vcons,doorbell"; reg = <ADDRESS VC_DOORBELL_BYTES>; };
 *
 * A call: the guest fills a struct vc_doorbell_call in its RAM, at a multiple of its size, and stores the block's guest
 * physical address into VC_DOORBELL_CALL: one store of 64 bits (`str`, from a register: KVM decodes no other), one exit.
 * The hypervisor copies nr and args once, serves the call as that of the vCPU that stored, writes result into the block,
 * nothing else of it, and lets the vCPU go on; a call that blocks does so in that store. Each vCPU has a block of its
 * own, and the guest fills result beforehand: a block that is not whole in RAM or not aligned is left as it is and
 * nothing happens. On the guest's side the block is written before the store, with `dmb oshst` or stronger between
 * memory and device, and read after it.
 *
 * Calls have Xen's numbers (wire/xen.h) and VC_CALL_TIME's (wire/callpage.h); results are Xen's. Addresses among the
 * arguments and within what they point at are guest physical ones: the guest maps its RAM, and the console's page, one to
 * one and cacheable; no device lies within the same 2 MiB as that page. Frames are of 4 KiB. Layouts are Xen's for arm64.
 *
 * vCPUs start by PSCI CPU_ON, as on any arm64 machine, and not by VCPUOP_initialise; VCPUOP_is_up tells how many there
 * are. No interrupt tells of upcalls: as in wire/callpage.h the guest looks at upcall_pending of its vcpu_info after
 * each call, and SCHEDOP_block and SCHEDOP_poll return when it is set. SCHEDOP_shutdown ends the domain with its reason;
 * PSCI SYSTEM_OFF and SYSTEM_RESET stand for poweroff and reboot.
 *
 * Registers: reads of VC_DOORBELL_MAGIC and VC_DOORBELL_VERSION, 32 bits wide; all else in the page reads 0, and writes
 * of another width or place are ignored.
 */
#ifndef VCONS_WIRE_DOORBELL_H
#define VCONS_WIRE_DOORBELL_H
#include <stddef.h>
#include <stdint.h>

#define VC_DOORBELL_COMPATIBLE  "vcons,doorbell"
#define VC_DOORBELL_BYTES       4096u
#define VC_DOORBELL_MAGIC_VALUE 0x42446376u /* "vcDB" in memory */
#define VC_DOORBELL_VERSION_1   1u

enum vc_doorbell_register {
    VC_DOORBELL_MAGIC = 0x00,   /* r, 32 bits */
    VC_DOORBELL_VERSION = 0x04, /* r, 32 bits */
    VC_DOORBELL_CALL = 0x08,    /* w, 64 bits */
};

struct vc_doorbell_call { /* in the guest's RAM, at a multiple of its size */
    uint64_t nr;
    uint64_t args[6];
    int64_t result;
};

_Static_assert(sizeof(struct vc_doorbell_call) == 64, "wire layout");
_Static_assert(offsetof(struct vc_doorbell_call, result) == 56, "wire layout");

#endif
