/* SPDX-License-Identifier: MIT */
#include "cpu.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <vcons/wire/callpage.h>

#define CPUID_MAX        256u /* KVM's own limit */
#define XEN_LEAVES       0x40000000u
#define XEN_VERSION_4_17 (4u << 16 | 17u)

enum { LEAF1_ECX_X2APIC = 1 << 21, LEAF1_ECX_DEADLINE = 1 << 24, LEAF1_EDX_APIC = 1 << 9 };
#define LEAF1_ECX_HYPERVISOR (1u << 31)
enum { XEN_CPUID_VCPU_ID = 1 << 3, XEN_CPUID_DOMID = 1 << 4 }; /* cpuid.h: leaf 4, eax */

enum { CR0_PE = 1 << 0, CR0_ET = 1 << 4, EFER_LMA = 1 << 10, RFLAGS_FIXED = 1 << 1 };

/* Addresses below 4 GiB, above all RAM: Intel's KVM wants three pages and one for itself (api.rst 4.30, 4.35). */
#define TSS_ADDRESS          0xfffbd000u
#define IDENTITY_MAP_ADDRESS 0xfffbc000u

/* MSR writes that KVM serves as something else (this number is also Hyper-V's) come to us only by a filter. */
static bool trap_hypercall_msr(int vm)
{
    struct kvm_enable_cap cap = {.cap = KVM_CAP_X86_USER_SPACE_MSR,
                                 .args = {KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER}};
    uint8_t none[8] = {0}; /* a bitmap of one MSR: not KVM's */
    struct kvm_msr_filter filter = {
        .flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
        .ranges = {{.flags = KVM_MSR_FILTER_WRITE, .nmsrs = 1, .base = CPU_HYPERCALL_MSR, .bitmap = none}}};

    return ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_X86_USER_SPACE_MSR) > 0 &&
           ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_X86_MSR_FILTER) > 0 && ioctl(vm, KVM_ENABLE_CAP, &cap) == 0 &&
           ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter) == 0;
}

int cpu_prepare_machine(struct kvm_machine *m, struct problem *problem)
{
    uint64_t identity_map = IDENTITY_MAP_ADDRESS;

    if (ioctl(m->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0 ||
        ioctl(m->vm, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDRESS) < 0)
        return problem_set(problem, -1, "KVM takes no pages for itself: %s", strerror(errno));
    m->hypercall_msr = trap_hypercall_msr(m->vm);
    return 0;
}

/* KVM's own leaves go: of two hypervisors Linux believes the higher, and a PVH start then ends in a BUG. */
static void adopt_leaves(struct kvm_cpuid2 *list, uint32_t vcpu)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < list->nent; i++) {
        struct kvm_cpuid_entry2 e = list->entries[i];

        if (e.function >= 0x40000000u && e.function < 0x50000000u)
            continue;
        if (e.function == 1) {
            e.ebx = (e.ebx & 0x00ffffffu) | vcpu << 24;
            e.ecx = (e.ecx & ~(uint32_t)(LEAF1_ECX_X2APIC | LEAF1_ECX_DEADLINE)) | LEAF1_ECX_HYPERVISOR;
            e.edx &= ~(uint32_t)LEAF1_EDX_APIC; /* there is none */
        }
        if (e.function == 0xb)
            e.edx = vcpu;
        list->entries[kept++] = e;
    }
    list->nent = kept;
}

static void add_xen_leaves(struct kvm_cpuid2 *list, uint32_t vcpu, uint32_t domid, bool hypercall_msr)
{
    const struct kvm_cpuid_entry2 leaves[] = {
        {.function = XEN_LEAVES, .eax = XEN_LEAVES + 4, .ebx = 0x566e6558, .ecx = 0x65584d4d, .edx = 0x4d4d566e},
        {.function = XEN_LEAVES + 1, .eax = XEN_VERSION_4_17},
        {.function = XEN_LEAVES + 2, .eax = hypercall_msr ? 1 : 0, .ebx = hypercall_msr ? CPU_HYPERCALL_MSR : 0},
        {.function = XEN_LEAVES + 3},
        {.function = XEN_LEAVES + 4, .eax = XEN_CPUID_VCPU_ID | XEN_CPUID_DOMID, .ebx = vcpu, .ecx = domid},
    };

    memcpy(&list->entries[list->nent], leaves, sizeof leaves);
    list->nent += sizeof leaves / sizeof leaves[0];
}

void cpu_choose_registers(struct kvm_cpu *c, const struct kvm_machine *m)
{
    const int wanted = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;

    if ((ioctl(m->kvm, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS) & wanted) == wanted)
        c->run->kvm_valid_regs = wanted;
}

int cpu_identify(struct kvm_cpu *c, const struct kvm_machine *m, uint32_t domid, struct problem *problem)
{
    struct kvm_cpuid2 *list = calloc(1, sizeof *list + CPUID_MAX * sizeof list->entries[0]);
    int result = -1;

    if (list == NULL)
        return problem_set(problem, -1, "out of memory");
    list->nent = CPUID_MAX - 8; /* room for Xen's */
    if (ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, list) < 0) {
        problem_set(problem, -1, "KVM does not tell its CPUID: %s", strerror(errno));
        goto free_list;
    }
    adopt_leaves(list, c->id);
    add_xen_leaves(list, c->id, domid, m->hypercall_msr);
    result = ioctl(c->fd, KVM_SET_CPUID2, list);
    if (result < 0)
        problem_set(problem, -1, "KVM refuses the CPUID of a Xen guest: %s", strerror(errno));
free_list:
    free(list);
    return result < 0 ? -1 : 0;
}

int cpu_enter_at(struct kvm_cpu *c, uint32_t entry, uint32_t start_info, struct problem *problem)
{
    const struct kvm_segment data = {.selector = 0x18, .type = 3, .limit = ~0u, .present = 1, .db = 1, .s = 1, .g = 1};
    struct kvm_regs regs = {.rip = entry, .rbx = start_info, .rflags = RFLAGS_FIXED};
    struct kvm_sregs sregs;

    if (ioctl(c->fd, KVM_GET_SREGS, &sregs) < 0)
        return problem_set(problem, -1, "KVM does not tell a vCPU's state: %s", strerror(errno));
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = sregs.cs = data;
    sregs.cs.selector = 0x10;
    sregs.cs.type = 11; /* code, read, accessed */
    sregs.tr = (struct kvm_segment){.selector = 0x20, .type = 11, .limit = 0x67, .present = 1}; /* busy 32-bit TSS */
    sregs.cr0 = CR0_PE | CR0_ET;
    sregs.cr4 = 0;
    if (ioctl(c->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(c->fd, KVM_SET_REGS, &regs) < 0)
        return problem_set(problem, -1, "KVM refuses the state at a PVH entry: %s", strerror(errno));
    return 0;
}

void cpu_fill_hypercall_page(uint8_t page[CPU_PAGE_BYTES])
{
    memset(page, 0xcc, CPU_PAGE_BYTES); /* int3 */
    for (size_t stub = 0; stub < CPU_PAGE_BYTES / 32; stub++) {
        uint32_t nr = stub == VC_CALL_TIME_STUB ? VC_CALL_TIME : (uint32_t)stub;
        uint8_t *at = page + stub * 32;

        at[0] = 0xb8; /* mov $nr, %eax */
        memcpy(at + 1, &nr, sizeof nr);
        at[5] = 0xe6; /* out %al, $port */
        at[6] = CPU_HYPERCALL_PORT;
        at[7] = 0xc3; /* ret */
    }
}

/* Registers after an exit: KVM leaves them in struct kvm_run where it can; two more calls are two thirds of the price. */
static int get_registers(struct kvm_cpu *c, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
    if (c->run->kvm_valid_regs != 0) {
        *regs = c->run->s.regs.regs;
        *sregs = c->run->s.regs.sregs;
        return 0;
    }
    return ioctl(c->fd, KVM_GET_REGS, regs) < 0 || ioctl(c->fd, KVM_GET_SREGS, sregs) < 0 ? -EIO : 0;
}

static int set_registers(struct kvm_cpu *c, const struct kvm_regs *regs)
{
    if (c->run->kvm_valid_regs != 0) {
        c->run->s.regs.regs = *regs;
        c->run->kvm_dirty_regs =
            KVM_SYNC_X86_REGS; /* taken at the next run; rip as it was, so KVM can go on after it */
        return 0;
    }
    return ioctl(c->fd, KVM_SET_REGS, regs) < 0 ? -errno : 0;
}

/* xen-x86_64.h and xen-x86_32.h: which registers hold the arguments. 32-bit callers' are zero-extended. */
int cpu_get_call(struct kvm_cpu *c, struct cpu_call *call)
{
    struct kvm_sregs s;
    struct kvm_regs r;
    int error = get_registers(c, &r, &s);

    if (error != 0)
        return error;
    if ((s.efer & EFER_LMA) != 0 && s.cs.l)
        *call = (struct cpu_call){r.rax & UINT32_MAX, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}, false};
    else
        *call = (struct cpu_call){
            (uint32_t)r.rax,
            {(uint32_t)r.rbx, (uint32_t)r.rcx, (uint32_t)r.rdx, (uint32_t)r.rsi, (uint32_t)r.rdi, (uint32_t)r.rbp},
            false};
    call->privileged = s.ss.dpl == 0;
    return 0;
}

int cpu_set_result(struct kvm_cpu *c, int64_t result)
{
    struct kvm_sregs s;
    struct kvm_regs r;
    int error = get_registers(c, &r, &s);

    if (error != 0)
        return error;
    r.rax = (uint64_t)result;
    return set_registers(c, &r);
}

bool cpu_interrupts_on(const struct kvm_cpu *c) { return c->run->if_flag != 0; }

uint64_t cpu_instruction(struct kvm_cpu *c)
{
    struct kvm_sregs s;
    struct kvm_regs r;

    return get_registers(c, &r, &s) == 0 ? r.rip : 0;
}
