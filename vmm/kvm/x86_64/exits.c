/* SPDX-License-Identifier: MIT */
#include "exits.h"
#include "acpi.h"
#include "cpu.h"
#include "engine.h"
#include <string.h>
#include <vcons/wire/xen.h>

/* Ports of a PC's timer, speaker gate and clock. Linux polls them, thousands of times where they read all ones. */
enum { PORT_TIMER2 = 0x42, PORT_SPEAKER = 0x61, PORT_CLOCK = 0x70, PORT_CLOCK_DATA = 0x71 };

static enum exit_next broken(struct kvm_vcpu *v, const char *what)
{
    domain_crashed(v->engine->domain, "%s at 0x%llx", what, (unsigned long long)cpu_instruction(&v->cpu));
    return EXIT_BROKEN;
}

static int64_t make_call(struct kvm_vcpu *v, const struct cpu_call *call)
{
    struct domain *d = v->engine->domain;

    if (!call->privileged) /* a program that may use ports is still no kernel */
        return -XEN_EPERM;
    return call->long_mode ? domain_hypercall(d, v->cpu.id, call->nr, call->args)
                           : domain_hypercall_compat(d, v->cpu.id, call->nr, call->args);
}

static enum exit_next serve_call_by_port(struct kvm_vcpu *v)
{
    const struct call_sites *sites = &v->engine->kernel.sites;
    struct cpu_call call;
    int64_t result;

    if (cpu_get_call(&v->cpu, &call) != 0)
        return broken(v, "KVM does not tell registers");
    v->quietly = quiet_is_call(&v->engine->quiet, call.rip);
    if (sites->n > 0 && !v->quietly && !callsites_has(sites, call.rip))
        return EXIT_RUN; /* this kernel calls from there alone: a port like any other */
    result = make_call(v, &call);
    if (domain_call_again(v->engine->domain, v->cpu.id, call.args)) {
        v->again = true;
        return cpu_set_call(&v->cpu, &call) == 0 ? EXIT_RUN : broken(v, "KVM takes no registers");
    }
    return cpu_set_result(&v->cpu, result) == 0 ? EXIT_RUN : broken(v, "KVM takes no registers");
}

/* api.rst 5, KVM_EXIT_XEN. KVM has zero-extended what 32-bit code gave. */
static enum exit_next serve_call_by_kvm(struct kvm_vcpu *v)
{
    struct kvm_run *run = v->cpu.run;
    struct cpu_call call = {.nr = run->xen.u.hcall.input & UINT32_MAX,
                            .privileged = run->xen.u.hcall.cpl == 0,
                            .long_mode = run->xen.u.hcall.longmode != 0};

    if (run->xen.type != KVM_EXIT_XEN_HCALL)
        return broken(v, "a Xen exit that is no hypercall");
    for (unsigned i = 0; i < 6; i++)
        call.args[i] = run->xen.u.hcall.params[i];
    v->quietly = run->kvm_valid_regs != 0 && quiet_is_call(&v->engine->quiet, run->s.regs.regs.rip);
    run->xen.u.hcall.result = (uint64_t)make_call(v, &call);
    if (!domain_call_again(v->engine->domain, v->cpu.id, call.args))
        return EXIT_RUN;
    v->again = true;
    run->xen.u.hcall.result = run->xen.u.hcall.input; /* both are rax */
    return cpu_set_call(&v->cpu, &call) == 0 ? EXIT_RUN : broken(v, "KVM takes no registers");
}

/* outsb comes with many bytes at once, one exit for up to a page of them. */
static void serve_debug_port(struct domain *d, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n && !domain_stopping(d); i++)
        domain_debug_port(d, bytes[i]);
}

static uint8_t read_port(uint16_t port, uint8_t size)
{
    switch (port) {
    case XEN_DEBUG_PORT: return size == 1 ? XEN_DEBUG_PORT : 0xff; /* Xen registers it for bytes alone */
    case PORT_TIMER2:
    case PORT_SPEAKER:
    case PORT_CLOCK:
    case PORT_CLOCK_DATA:
    case ACPI_SLEEP_CONTROL_PORT:
    case ACPI_SLEEP_STATUS_PORT: return 0;
    default: return 0xff;
    }
}

/* A device of the domain's: each element of a string is an access of its own. False: there is none. */
static bool serve_device(struct kvm_vcpu *v, uint8_t *data)
{
    const struct kvm_run *run = v->cpu.run;
    bool write = run->io.direction == KVM_EXIT_IO_OUT;
    uint8_t size = run->io.size;

    for (uint32_t i = 0; i < run->io.count; i++, data += size) {
        uint64_t value = 0;

        memcpy(&value, data, write ? size : 0);
        if (!domain_access(v->engine->domain, ENGINE_PORTS, run->io.port, size, &value, write))
            return false;
        memcpy(data, &value, write ? 0 : size);
    }
    return true;
}

static enum exit_next serve_port(struct kvm_vcpu *v)
{
    struct kvm_run *run = v->cpu.run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset, size = run->io.size;
    uint32_t n = size * run->io.count;

    if (serve_device(v, data))
        return EXIT_RUN;
    if (run->io.direction == KVM_EXIT_IO_IN) {
        memset(data, read_port(run->io.port, size), n);
    } else if (size != 1) {
        return EXIT_RUN; /* nothing here is wider */
    } else if (run->io.port == XEN_DEBUG_PORT) {
        serve_debug_port(v->engine->domain, data, n);
    } else if (run->io.port == CPU_HYPERCALL_PORT && n == 1) {
        return serve_call_by_port(v);
    } else if (run->io.port == ACPI_SLEEP_CONTROL_PORT && acpi_is_power_off(data[0])) {
        domain_exited(v->engine->domain, 0);
    }
    return EXIT_RUN;
}

/* Memory that is none: a device's registers, or nothing, which reads all ones. */
static void serve_memory(struct kvm_vcpu *v)
{
    struct kvm_run *run = v->cpu.run;
    uint32_t width = run->mmio.len <= sizeof run->mmio.data ? run->mmio.len : sizeof run->mmio.data;
    bool write = run->mmio.is_write;
    uint64_t value = write ? 0 : UINT64_MAX;

    if (write)
        memcpy(&value, run->mmio.data, width);
    domain_access(v->engine->domain, ENGINE_MEMORY, run->mmio.phys_addr, width, &value, write);
    if (!write)
        memcpy(run->mmio.data, &value, width);
}

/* cpuid.h: the value is the page's address; its low 12 bits are the number of the page, of which there is one. */
static bool set_hypercall_page(struct kvm_vcpu *v, uint64_t value)
{
    bool by_port = v->engine->way->calls == KERNEL_CALLS_BY_PORT, long_mode = cpu_in_long_mode(&v->cpu);
    uint8_t page[CPU_PAGE_BYTES];

    cpu_fill_hypercall_page(page, by_port);
    if (long_mode)
        quiet_fill_page(page, by_port);
    if (value % CPU_PAGE_BYTES != 0 || !memory_write(v->engine->memory, value, page, sizeof page))
        return false;
    if (long_mode)
        quiet_in_page(&v->engine->quiet, v->engine->memory, value, by_port);
    else
        quiet_nowhere(&v->engine->quiet);
    domain_mode(v->engine->domain, long_mode);
    return true;
}

/* On AMD's processors nothing is left of the state by then, and KVM has put the vCPU into that of a reset. */
static enum exit_next triple_fault(struct kvm_vcpu *v)
{
    if (cpu_instruction(&v->cpu) != CPU_RESET_RIP)
        return broken(v, "triple fault");
    domain_crashed(v->engine->domain, "triple fault of vCPU %u", v->cpu.id);
    return EXIT_BROKEN;
}

enum exit_next exit_serve(struct kvm_vcpu *v)
{
    struct kvm_run *run = v->cpu.run;

    switch (run->exit_reason) {
    case KVM_EXIT_IO: return serve_port(v);
    case KVM_EXIT_XEN: return serve_call_by_kvm(v);
    case KVM_EXIT_MMIO: serve_memory(v); return EXIT_RUN;
    case KVM_EXIT_X86_RDMSR: run->msr.error = 1; return EXIT_RUN; /* the guest gets #GP */
    case KVM_EXIT_X86_WRMSR:
        run->msr.error = run->msr.index != CPU_HYPERCALL_MSR || !set_hypercall_page(v, run->msr.data);
        return EXIT_RUN;
    case KVM_EXIT_HLT: return cpu_interrupts_on(&v->cpu) ? EXIT_HALT : EXIT_DOWN;
    case KVM_EXIT_INTR: return EXIT_RUN;
    case KVM_EXIT_SHUTDOWN: return triple_fault(v);
    case KVM_EXIT_INTERNAL_ERROR: return broken(v, "an instruction that KVM does not emulate");
    case KVM_EXIT_FAIL_ENTRY: return broken(v, "a state that the processor refuses");
    default:
        domain_crashed(v->engine->domain, "KVM exit %u at 0x%llx", run->exit_reason,
                       (unsigned long long)cpu_instruction(&v->cpu));
        return EXIT_BROKEN;
    }
}
