/* SPDX-License-Identifier: MIT */
#include "exits.h"
#include "x86_64/cpu.h"
#include <string.h>
#include <vcons/wire/xen.h>

static enum exit_next broken(struct domain *d, struct kvm_cpu *c, const char *what)
{
    domain_crashed(d, "%s at 0x%llx", what, (unsigned long long)cpu_instruction(c));
    return EXIT_BROKEN;
}

static enum exit_next serve_hypercall(struct domain *d, struct kvm_cpu *c)
{
    struct cpu_call call;
    int64_t result = -XEN_EPERM;

    if (cpu_get_call(c, &call) != 0)
        return broken(d, c, "KVM does not tell registers");
    if (call.privileged) /* a program that may use ports is still no kernel */
        result = domain_hypercall(d, c->id, call.nr, call.args);
    return cpu_set_result(c, result) == 0 ? EXIT_RUN : broken(d, c, "KVM takes no registers");
}

/* outsb comes with many bytes at once, one exit for up to a page of them. */
static void serve_debug_port(struct domain *d, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n && !domain_stopping(d); i++)
        domain_debug_port(d, bytes[i]);
}

static enum exit_next serve_port(struct domain *d, struct kvm_cpu *c)
{
    uint8_t *data = (uint8_t *)c->run + c->run->io.data_offset;
    uint32_t n = c->run->io.size * c->run->io.count;
    bool out = c->run->io.direction == KVM_EXIT_IO_OUT, byte_wide = c->run->io.size == 1;

    if (!out)
        memset(data, c->run->io.port == XEN_DEBUG_PORT && byte_wide ? XEN_DEBUG_PORT : 0xff, n);
    else if (c->run->io.port == XEN_DEBUG_PORT && byte_wide) /* Xen registers it for bytes alone */
        serve_debug_port(d, data, n);
    else if (c->run->io.port == CPU_HYPERCALL_PORT && n == 1)
        return serve_hypercall(d, c);
    return EXIT_RUN;
}

/* cpuid.h: the value is the page's address; its low 12 bits are the number of the page, of which there is one. */
static bool set_hypercall_page(const struct guest_memory *memory, uint64_t value)
{
    uint8_t page[CPU_PAGE_BYTES];

    cpu_fill_hypercall_page(page);
    return value % CPU_PAGE_BYTES == 0 && memory_write(memory, value, page, sizeof page);
}

enum exit_next exit_serve(struct domain *d, struct kvm_cpu *c, const struct guest_memory *memory)
{
    struct kvm_run *run = c->run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO: return serve_port(d, c);
    case KVM_EXIT_MMIO:
        if (!run->mmio.is_write)
            memset(run->mmio.data, 0xff, sizeof run->mmio.data);
        return EXIT_RUN;
    case KVM_EXIT_X86_RDMSR: run->msr.error = 1; return EXIT_RUN; /* the guest gets #GP */
    case KVM_EXIT_X86_WRMSR:
        run->msr.error = run->msr.index != CPU_HYPERCALL_MSR || !set_hypercall_page(memory, run->msr.data);
        return EXIT_RUN;
    case KVM_EXIT_HLT: return cpu_interrupts_on(c) ? EXIT_HALT : EXIT_DOWN;
    case KVM_EXIT_INTR: return EXIT_RUN;
    case KVM_EXIT_SHUTDOWN: return broken(d, c, "triple fault");
    case KVM_EXIT_INTERNAL_ERROR: return broken(d, c, "an instruction that KVM does not emulate");
    case KVM_EXIT_FAIL_ENTRY: return broken(d, c, "a state that the processor refuses");
    default:
        domain_crashed(d, "KVM exit %u at 0x%llx", run->exit_reason, (unsigned long long)cpu_instruction(c));
        return EXIT_BROKEN;
    }
}
