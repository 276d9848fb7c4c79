/* SPDX-License-Identifier: MIT */
/*
 * cpu.h: a vCPU as an x86_64 guest of Xen's knows it: CPUID, PVH entry state, hypercall page, registers.
 *
 * Spec:  Xen public/arch-x86/cpuid.h, public/arch-x86/hvm/start_info.h, public/arch-x86/xen-x86_64.h (registers of a
 *        hypercall); Intel SDM vol. 3 (segments, CR0).
 * Owner: nothing here is kept.
 * Lock:  the vCPU's thread, or before it runs.
 * Trust: registers are the guest's and may hold anything.
 */
#ifndef VMM_KVM_X86_64_CPU_H
#define VMM_KVM_X86_64_CPU_H
#include "../machine.h"
#include "walk.h"
#include <vcons/wire/xen.h>

/*
 * Xen fills the page with vmcall, which ordinary KVM keeps to itself and a nested one may never complete. Ours holds an
 * `out` to this port, which no PC has and Linux does not probe: an exit like any other.
 */
#define CPU_HYPERCALL_PORT 0x2au
#define CPU_HYPERCALL_MSR  0x40000000u
#define CPU_PAGE_BYTES     4096u
#define CPU_RESET_RIP      0xfff0u

/* What must be set for the machine before its first vCPU. */
int cpu_prepare_machine(struct kvm_machine *m, struct problem *problem);
/* Have writes to the hypercall page's MSR come to us, where KVM can; m->hypercall_msr says whether. */
void cpu_trap_hypercall_msr(struct kvm_machine *m);

struct cpu_identity {
    uint32_t n_vcpus; /* of the domain: one package of so many cores */
    uint32_t domid;
    uint32_t xen_version; /* major << 16 | minor, as XENVER_version */
    bool hypercall_msr;
    bool lapic;      /* it has one */
    bool stable_tsc; /* and a TSC that runs alike on all of them; else Linux measures each for a second or more */
};
/* Whether the host's kernel trusts it: KVM gives its guests a clock by it on the same condition. */
bool cpu_host_tsc_is_stable(void);
/* CPUID, with Xen's leaves and without KVM's, for this vCPU. */
int cpu_identify(struct kvm_cpu *c, const struct kvm_machine *m, const struct cpu_identity *identity,
                 struct problem *problem);
/* Have registers come and go with struct kvm_run where KVM can (KVM_CAP_SYNC_REGS). */
void cpu_choose_registers(struct kvm_cpu *c, const struct kvm_machine *m);
/* PVH entry: 32-bit flat protected mode, no paging, interrupts off, ebx = start_info. */
int cpu_enter_at(struct kvm_cpu *c, uint32_t entry, uint32_t start_info, struct problem *problem);
/* Xen: arch_set_info_hvm_guest. Whether a vCPU can start in this state, and put it there, under a claim. 0 or -errno. */
bool cpu_context_ok(const struct vcpu_hvm_context *context);
int cpu_set_context(struct kvm_cpu *c, const struct vcpu_hvm_context *context);
/* 128 stubs of 32 bytes: by our port, or by this processor's own instruction. */
void cpu_fill_hypercall_page(uint8_t page[CPU_PAGE_BYTES], bool by_port);

struct cpu_call { /* a hypercall, copied from the registers */
    uint64_t nr, args[6];
    uint64_t rip;
    bool privileged; /* CPL 0: others have no business here */
    bool long_mode;
};
int cpu_get_call(struct kvm_cpu *c, struct cpu_call *call);
int cpu_set_result(struct kvm_cpu *c, int64_t result);
/* The arguments of a call that is to be made again; and, when its exit is complete, back to the instruction that makes it. */
int cpu_set_call(struct kvm_cpu *c, const struct cpu_call *call);
int cpu_call_again(struct kvm_cpu *c, bool by_port);
bool cpu_in_long_mode(struct kvm_cpu *c);
/* What its virtual addresses depend on; in the vCPU's own thread. False: KVM does not tell. */
bool cpu_walk_mode(struct kvm_cpu *c, struct walk_mode *mode);
/* After KVM_EXIT_HLT: whether an interrupt could end it. */
bool cpu_interrupts_on(const struct kvm_cpu *c);
/* Where it stopped, for messages. */
uint64_t cpu_instruction(struct kvm_cpu *c);

#endif
