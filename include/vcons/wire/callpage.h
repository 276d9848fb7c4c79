/* SPDX-License-Identifier: MIT */
/*
 * wire/callpage.h: how a guest of the process engine calls its hypervisor.
 *
 * The guest is a process whose RAM is one memfd, mapped at VC_CALL_RAM_BASE: guest virtual address = VC_CALL_RAM_BASE +
 * guest physical address. It inherits two descriptors and no others of use: RAM and the call pages, one page for
 * each vCPU, in the order of their numbers. Before its first call the guest has moved itself, data and stack included,
 * into that RAM.
 *
 * A call: the guest fills nr and args, stores VC_CALL_POSTED into state (release) and wakes the futex; the
 * hypervisor's vCPU thread loads it (acquire), copies nr and args once, serves them, fills result, stores VC_CALL_DONE
 * (release) and wakes; the guest loads it (acquire), takes result and stores VC_CALL_IDLE. Futexes are shared, not
 * private. Either side may spin a little before it sleeps. What the page holds is hostile to the hypervisor.
 *
 * vCPUs: each is a thread of the guest with a page of its own. The guest makes its threads before it sandboxes itself,
 * all n_vcpus of them, for afterwards it can make none. The first call on each page is VC_CALL_READY. That of vCPU 0 is
 * answered at once. That of another stays posted, its thread asleep, until VCPUOP_up was made for this vCPU: the answer
 * is the start, and the thread goes where the guest had told it to go. So VCPUOP_initialise is needed before VCPUOP_up,
 * as ever, but of its context nothing is used. VCPUOP_down of a vCPU by itself is answered in the same way, by its next
 * VCPUOP_up. There is no upcall into a thread: upcall_pending of its vcpu_info is looked at by the guest after every
 * call, and SCHEDOP_block and SCHEDOP_poll return when it is set.
 *
 * Devices: VC_CALL_READ and VC_CALL_WRITE are a load and a store of device registers, which lie where wire/virtio_places.h says.
 * There are no interrupt lines: whenever the interrupt of a device goes up, VIRQ_ARCH_7 is raised, once for all devices. Who has
 * bound it looks after each such event at every device, again and again until it has no interrupt any more.
 *
 * Saving: a guest is saved while each of its vCPUs is in a call, for then all of it can lie in its RAM. Before it stores
 * POSTED it leaves in stack and go_on where a fresh process goes on that is given this RAM and these pages: with this
 * stack pointer, at this address, and that waits for DONE as after POSTED. go_on 0: this guest cannot be saved. A process that
 * finds restored set in its pages leaves RAM as it is, sandboxes itself and goes on there; it makes no call of its own before,
 * and state, which may be POSTED or DONE by then, stays. An interrupted call is served again, from the arguments in the
 * page, which the hypervisor may have moved on past what was done.
 */
#ifndef VCONS_WIRE_CALLPAGE_H
#define VCONS_WIRE_CALLPAGE_H
#include <stddef.h>
#include <stdint.h>

#define VC_CALL_PAGE_BYTES 4096u
#define VC_CALL_RAM_BASE   UINT64_C(0x100000000000)
#define VC_CALL_FD_RAM     3
#define VC_CALL_FD_PAGES   4
#define VC_CALL_VERSION    1u

/*
 * The guest puts itself here, as a PVH kernel linked to 1 MiB would be loaded: start_info and what it points at, and the
 * console page, lie outside [VC_CALL_LOAD, VC_CALL_LOAD + VC_CALL_LOAD_BYTES), and RAM holds at least all of it.
 */
#define VC_CALL_LOAD       UINT64_C(0x100000)
#define VC_CALL_LOAD_BYTES UINT64_C(0x300000)

enum vc_call_state { VC_CALL_IDLE = 0, VC_CALL_POSTED = 1, VC_CALL_DONE = 2 };

/* Calls below are vcons-vmm's own; hypercalls have Xen's numbers (wire/xen.h). */
enum {
    VC_CALL_READY = 0x10000, /* process engine, no arguments: the guest is sandboxed and this vCPU is ready to run */
    VC_CALL_TIME = 0x10001,  /* every engine, no arguments: system time in ns, the clock of SCHEDOP_poll's timeout */
    VC_CALL_YIELD =
        0x10002, /* every engine, no arguments: SCHEDOP_yield, past a kernel below us that would answer it (kvm-xen) */
    VC_CALL_READ = 0x10003,  /* process engine: address, width of 1, 2 or 4 bytes: the value, or all ones */
    VC_CALL_WRITE = 0x10004, /* process engine: address, width, value: 0 */
};

/* Where a guest has a hypercall page (kvm), this stub of it makes VC_CALL_TIME: Xen has no call 127 and says -ENOSYS. */
#define VC_CALL_TIME_STUB 127u

struct vc_call_page {
    uint32_t state; /* enum vc_call_state; the futex */
    uint32_t vcpu;  /* which vCPU this page belongs to; from the hypervisor */
    uint64_t nr;
    uint64_t args[6];
    int64_t result;
    uint64_t stack, go_on; /* before POSTED, by a guest that can be saved */

    _Alignas(64)
        uint32_t version; /* VC_CALL_VERSION; from the hypervisor, before the start, as is all below, in each page */
    uint32_t n_vcpus;     /* so many pages there are */
    uint64_t ram_bytes;
    uint64_t start_info; /* guest physical address of a hvm_start_info (wire/pvh.h), as a PVH kernel gets it */
    uint32_t restored;   /* 1: go on from a saved call */
};

_Static_assert(offsetof(struct vc_call_page, args) == 16, "wire layout");
_Static_assert(offsetof(struct vc_call_page, result) == 64, "wire layout");
_Static_assert(offsetof(struct vc_call_page, stack) == 72, "wire layout");
_Static_assert(offsetof(struct vc_call_page, go_on) == 80, "wire layout");
_Static_assert(offsetof(struct vc_call_page, version) == 128, "wire layout");
_Static_assert(offsetof(struct vc_call_page, start_info) == 144, "wire layout");
_Static_assert(offsetof(struct vc_call_page, restored) == 152, "wire layout");

#endif
