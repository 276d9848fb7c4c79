/* SPDX-License-Identifier: MIT */
#include "cpu.h"
#include "host/file.h"
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vcons/wire/callpage.h>

#define OUT_BYTES  2u   /* of `out` to a port of one byte, in the hypercall page and at call sites */
#define CALL_BYTES 3u   /* of vmcall and vmmcall */
#define CPUID_MAX  256u /* KVM's own limit */
#define XEN_LEAVES 0x40000000u

enum { LEAF1_ECX_X2APIC = 1 << 21, LEAF1_ECX_DEADLINE = 1 << 24, LEAF1_EDX_APIC = 1 << 9, LEAF1_EDX_HTT = 1 << 28 };
#define LEAF1_ECX_HYPERVISOR (1u << 31)
enum { LEAF80000007_EDX_INVARIANT_TSC = 1 << 8 };
enum {
    XEN_CPUID_VCPU_ID = 1 << 3,
    XEN_CPUID_DOMID = 1 << 4,
    XEN_CPUID_UPCALL_VECTOR = 1 << 6
}; /* cpuid.h: leaf 4, eax */

enum { CR0_PE = 1 << 0, CR0_ET = 1 << 4, EFER_LME = 1 << 8, EFER_LMA = 1 << 10, RFLAGS_FIXED = 1 << 1 };
#define CR0_PG (1u << 31)

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
    return 0;
}

void cpu_trap_hypercall_msr(struct kvm_machine *m) { m->hypercall_msr = trap_hypercall_msr(m->vm); }

/* How many bits hold a number below n. */
static uint32_t bits_for(uint32_t n)
{
    uint32_t bits = 0;

    while (n > UINT32_C(1) << bits)
        bits++;
    return bits;
}

/*
 * Intel's leaves 4 and 0xb, AMD's 0x80000008 and 0x8000001e, and what both have in leaf 1: one package of n cores with a
 * thread each, whatever the host is. Numbers that do not fit together make Linux doubt its local APICs.
 */
static void set_topology(struct kvm_cpuid_entry2 *e, uint32_t vcpu, uint32_t n)
{
    switch (e->function) {
    case 1:
        e->ebx = (e->ebx & 0x0000ffffu) | vcpu << 24 | n << 16;
        e->edx = (e->edx & ~(uint32_t)LEAF1_EDX_HTT) | (n > 1 ? LEAF1_EDX_HTT : 0);
        break;
    case 4: e->eax = (e->eax & 0x00003fffu) | (n - 1) << 26; break; /* SDM: no thread shares, n - 1 in the package */
    case 0xb:
        e->eax = e->index == 1 ? bits_for(n) : 0;
        e->ebx = e->index == 0 ? 1 : e->index == 1 ? n : 0;
        e->ecx = e->index | (e->index < 2 ? (e->index + 1) << 8 : 0); /* level type: 1 thread, 2 core */
        e->edx = vcpu;
        break;
    case 0x80000008: e->ecx = (e->ecx & 0xffff0f00u) | bits_for(n) << 12 | (n - 1); break; /* APM: size of ids, NC */
    case 0x8000001e:
        e->eax = vcpu;
        e->ebx = vcpu; /* a core of its own, one thread in it */
        e->ecx = 0;
        break;
    default: break;
    }
}

static void adopt_leaf1(struct kvm_cpuid_entry2 *e, bool lapic)
{
    e->ecx = (e->ecx & ~(uint32_t)(LEAF1_ECX_X2APIC | LEAF1_ECX_DEADLINE)) | LEAF1_ECX_HYPERVISOR;
    e->edx = (e->edx & ~(uint32_t)LEAF1_EDX_APIC) | (lapic ? LEAF1_EDX_APIC : 0);
}

/* KVM's own leaves go: of two hypervisors Linux believes the higher, and a PVH start then ends in a BUG. */
static void adopt_leaves(struct kvm_cpuid2 *list, uint32_t vcpu, const struct cpu_identity *identity)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < list->nent; i++) {
        struct kvm_cpuid_entry2 e = list->entries[i];

        if (e.function >= 0x40000000u && e.function < 0x50000000u)
            continue;
        if (e.function == 1)
            adopt_leaf1(&e, identity->lapic);
        if (e.function == 0x80000007 && identity->stable_tsc)
            e.edx |= LEAF80000007_EDX_INVARIANT_TSC;
        set_topology(&e, vcpu, identity->n_vcpus);
        list->entries[kept++] = e;
    }
    list->nent = kept;
}

static void add_xen_leaves(struct kvm_cpuid2 *list, uint32_t vcpu, const struct cpu_identity *identity)
{
    uint32_t features = XEN_CPUID_VCPU_ID | XEN_CPUID_DOMID | (identity->lapic ? XEN_CPUID_UPCALL_VECTOR : 0);
    bool msr = identity->hypercall_msr;
    const struct kvm_cpuid_entry2 leaves[] = {
        {.function = XEN_LEAVES, .eax = XEN_LEAVES + 4, .ebx = 0x566e6558, .ecx = 0x65584d4d, .edx = 0x4d4d566e},
        {.function = XEN_LEAVES + 1, .eax = identity->xen_version},
        {.function = XEN_LEAVES + 2, .eax = msr ? 1 : 0, .ebx = msr ? CPU_HYPERCALL_MSR : 0},
        {.function = XEN_LEAVES + 3},
        {.function = XEN_LEAVES + 4, .eax = features, .ebx = vcpu, .ecx = identity->domid},
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

int cpu_identify(struct kvm_cpu *c, const struct kvm_machine *m, const struct cpu_identity *identity,
                 struct problem *problem)
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
    adopt_leaves(list, c->id, identity);
    add_xen_leaves(list, c->id, identity);
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

bool cpu_host_tsc_is_stable(void)
{
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    char name[16] = "";
    bool stable = fd >= 0 && file_read(fd, name, sizeof name - 1) > 0 && strcmp(name, "tsc\n") == 0;

    if (fd >= 0)
        close(fd);
    return stable;
}

/* ---- VCPUOP_initialise. ---- */

static bool context32_ok(const struct vcpu_hvm_x86_32 *r)
{
    const uint16_t present = 0x80, code = 0x18;

    return (r->cs_ar & present) != 0 && (r->cs_ar & code) == code && r->eip <= r->cs_limit && (r->cr0 & CR0_PE) != 0 &&
           (r->efer & EFER_LMA) == 0;
}

static bool context64_ok(const struct vcpu_hvm_x86_64 *r)
{
    const uint64_t cr0 = CR0_PE | CR0_PG, efer = EFER_LME | EFER_LMA;

    return (r->cr0 & cr0) == cr0 && (r->efer & efer) == efer;
}

bool cpu_context_ok(const struct vcpu_hvm_context *context)
{
    switch (context->mode) {
    case VCPU_HVM_MODE_32B: return context32_ok(&context->cpu_regs.x86_32);
    case VCPU_HVM_MODE_64B: return context64_ok(&context->cpu_regs.x86_64);
    default: return false;
    }
}

/* hvm_vcpu.h: access rights as VMX has them, bits 8..15 and 20..23 of a descriptor moved together. */
static struct kvm_segment segment32(uint32_t base, uint32_t limit, uint16_t ar)
{
    return (struct kvm_segment){.base = base,
                                .limit = limit,
                                .type = ar & 15,
                                .s = ar >> 4 & 1,
                                .dpl = ar >> 5 & 3,
                                .present = ar >> 7 & 1,
                                .avl = ar >> 8 & 1,
                                .l = ar >> 9 & 1,
                                .db = ar >> 10 & 1,
                                .g = ar >> 11 & 1};
}

static void take_context32(const struct vcpu_hvm_x86_32 *from, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
    *regs = (struct kvm_regs){.rax = from->eax,
                              .rbx = from->ebx,
                              .rcx = from->ecx,
                              .rdx = from->edx,
                              .rsp = from->esp,
                              .rbp = from->ebp,
                              .rsi = from->esi,
                              .rdi = from->edi,
                              .rip = from->eip,
                              .rflags = from->eflags | RFLAGS_FIXED};
    sregs->cr0 = from->cr0 | CR0_ET;
    sregs->cr3 = from->cr3;
    sregs->cr4 = from->cr4;
    sregs->efer = from->efer;
    sregs->cs = segment32(from->cs_base, from->cs_limit, from->cs_ar);
    sregs->ds = segment32(from->ds_base, from->ds_limit, from->ds_ar);
    sregs->ss = segment32(from->ss_base, from->ss_limit, from->ss_ar);
    sregs->es = segment32(from->es_base, from->es_limit, from->es_ar);
    sregs->fs = sregs->gs = sregs->ds;
    sregs->tr = segment32(from->tr_base, from->tr_limit, from->tr_ar);
}

static void take_context64(const struct vcpu_hvm_x86_64 *from, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
    const struct kvm_segment data = {.limit = ~0u, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};

    *regs = (struct kvm_regs){.rax = from->rax,
                              .rbx = from->rbx,
                              .rcx = from->rcx,
                              .rdx = from->rdx,
                              .rsp = from->rsp,
                              .rbp = from->rbp,
                              .rsi = from->rsi,
                              .rdi = from->rdi,
                              .rip = from->rip,
                              .rflags = from->rflags | RFLAGS_FIXED};
    sregs->cr0 = from->cr0 | CR0_ET;
    sregs->cr3 = from->cr3;
    sregs->cr4 = from->cr4;
    sregs->efer = from->efer;
    sregs->cs = sregs->ds = sregs->ss = sregs->es = sregs->fs = sregs->gs = data;
    sregs->cs.type = 11;
    sregs->cs.db = 0;
    sregs->cs.l = 1;
    sregs->tr = (struct kvm_segment){.type = 11, .limit = 0x67, .present = 1};
}

int cpu_set_context(struct kvm_cpu *c, const struct vcpu_hvm_context *context)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs;

    if (ioctl(c->fd, KVM_GET_SREGS, &sregs) < 0)
        return -errno;
    if (context->mode == VCPU_HVM_MODE_32B)
        take_context32(&context->cpu_regs.x86_32, &regs, &sregs);
    else
        take_context64(&context->cpu_regs.x86_64, &regs, &sregs);
    c->run->kvm_dirty_regs = 0; /* what an earlier life of it had yet to take */
    return ioctl(c->fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(c->fd, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}

/* ---- Hypercalls. ---- */

/* AMD's and Intel's instructions differ; KVM takes either, but a guest's page should hold its processor's own. */
static bool is_amd(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(0, &a, &b, &c, &d) != 0 && (b == signature_AMD_ebx || b == 0x6f677948); /* "Auth", "Hygo" */
}

void cpu_fill_hypercall_page(uint8_t page[CPU_PAGE_BYTES], bool by_port)
{
    bool amd = is_amd();

    memset(page, 0xcc, CPU_PAGE_BYTES); /* int3 */
    for (size_t stub = 0; stub < CPU_PAGE_BYTES / 32; stub++) {
        uint32_t nr = stub == VC_CALL_TIME_STUB ? VC_CALL_TIME : (uint32_t)stub;
        const uint8_t port[] = {0xe6, CPU_HYPERCALL_PORT, 0x90, 0xc3}; /* out %al, $port; nop; ret */
        const uint8_t call[] = {0x0f, 0x01, amd ? 0xd9 : 0xc1, 0xc3};  /* vmmcall or vmcall; ret */
        uint8_t *at = page + stub * 32;

        at[0] = 0xb8; /* mov $nr, %eax */
        memcpy(at + 1, &nr, sizeof nr);
        memcpy(at + 5, by_port ? port : call, 4);
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

static bool is_long(const struct kvm_sregs *s) { return (s->efer & EFER_LMA) != 0 && s->cs.l; }

bool cpu_in_long_mode(struct kvm_cpu *c)
{
    struct kvm_sregs s;
    struct kvm_regs r;

    return get_registers(c, &r, &s) == 0 && is_long(&s);
}

bool cpu_walk_mode(struct kvm_cpu *c, struct walk_mode *mode)
{
    struct kvm_sregs s;
    struct kvm_regs r;

    if (get_registers(c, &r, &s) != 0)
        return false;
    *mode = (struct walk_mode){.cr0 = s.cr0, .cr3 = s.cr3, .cr4 = s.cr4, .efer = s.efer};
    return true;
}

/* xen-x86_64.h and xen-x86_32.h: which registers hold the arguments. 32-bit callers' are zero-extended. */
int cpu_get_call(struct kvm_cpu *c, struct cpu_call *call)
{
    struct kvm_sregs s;
    struct kvm_regs r;
    int error = get_registers(c, &r, &s);

    if (error != 0)
        return error;
    if (is_long(&s))
        *call = (struct cpu_call){.nr = r.rax & UINT32_MAX, .args = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
    else
        *call = (struct cpu_call){.nr = (uint32_t)r.rax,
                                  .args = {(uint32_t)r.rbx, (uint32_t)r.rcx, (uint32_t)r.rdx, (uint32_t)r.rsi,
                                           (uint32_t)r.rdi, (uint32_t)r.rbp}};
    call->rip = r.rip;
    call->long_mode = is_long(&s);
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

int cpu_set_call(struct kvm_cpu *c, const struct cpu_call *call)
{
    struct kvm_sregs s;
    struct kvm_regs r;
    int error = get_registers(c, &r, &s);

    if (error != 0)
        return error;
    if (is_long(&s)) {
        r.rdi = call->args[0];
        r.rsi = call->args[1];
        r.rdx = call->args[2];
    } else {
        r.rbx = call->args[0];
        r.rcx = call->args[1];
        r.rdx = call->args[2];
    }
    return set_registers(c, &r); /* no call that can be cut short has more than three */
}

/* Where an exit finds the instruction pointer, before or behind its `out`, is this or that KVM's; behind it when it is complete. */
int cpu_call_again(struct kvm_cpu *c, bool by_port)
{
    struct kvm_regs r;

    if (ioctl(c->fd, KVM_GET_REGS, &r) < 0)
        return -errno;
    r.rip -= by_port ? OUT_BYTES : CALL_BYTES;
    return ioctl(c->fd, KVM_SET_REGS, &r) < 0 ? -errno : 0;
}

bool cpu_interrupts_on(const struct kvm_cpu *c) { return c->run->if_flag != 0; }

uint64_t cpu_instruction(struct kvm_cpu *c)
{
    struct kvm_sregs s;
    struct kvm_regs r;

    return get_registers(c, &r, &s) == 0 ? r.rip : 0;
}
