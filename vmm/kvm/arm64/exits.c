/* SPDX-License-Identifier: MIT */
#include "cpu.h"
#include "engine.h"
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/wire/doorbell.h>

const uint8_t *arm64_call_block(const struct guest_memory *m, uint64_t gpa)
{
    return gpa % sizeof(struct vc_doorbell_call) == 0 ? memory_at(m, gpa, sizeof(struct vc_doorbell_call)) : NULL;
}

void arm64_call(struct arm64_vcpu *v)
{
    struct arm64_engine *e = v->engine;
    int64_t result = domain_hypercall(e->domain, v->cpu.id, v->call.nr, v->call.args);

    v->again = domain_call_again(e->domain, v->cpu.id, v->call.args);
    if (!v->again)
        memory_write(e->memory, v->call.block + offsetof(struct vc_doorbell_call, result), &result, sizeof result);
}

/* wire/doorbell.h: nr and args are copied once, result is all that is written. */
static void serve_call(struct arm64_vcpu *v, uint64_t gpa)
{
    const uint8_t *block = arm64_call_block(v->engine->memory, gpa);
    struct vc_doorbell_call call;

    if (block == NULL)
        return;
    vc_copy_once(&call, block, offsetof(struct vc_doorbell_call, result));
    v->call.block = gpa;
    v->call.nr = call.nr;
    memcpy(v->call.args, call.args, sizeof v->call.args);
    arm64_call(v);
}

static void access_doorbell(struct arm64_vcpu *v, uint64_t offset, uint32_t width, uint64_t *value, bool write)
{
    if (write) {
        if (offset == VC_DOORBELL_CALL && width == 8)
            serve_call(v, *value);
        return;
    }
    *value = 0;
    if (width == 4 && offset == VC_DOORBELL_MAGIC)
        *value = VC_DOORBELL_MAGIC_VALUE;
    else if (width == 4 && offset == VC_DOORBELL_VERSION)
        *value = VC_DOORBELL_VERSION_1;
}

static void serve_access(struct arm64_vcpu *v)
{
    struct kvm_run *run = v->cpu.run;
    uint64_t address = run->mmio.phys_addr, value = 0;
    uint32_t width = run->mmio.len <= sizeof value ? run->mmio.len : sizeof value;
    bool write = run->mmio.is_write;

    if (write)
        memcpy(&value, run->mmio.data, width); /* both are little-endian */
    if (address >= ARM64_DOORBELL_GPA && address - ARM64_DOORBELL_GPA < VC_DOORBELL_BYTES)
        access_doorbell(v, address - ARM64_DOORBELL_GPA, width, &value, write);
    else if (!domain_access(v->engine->domain, ENGINE_MEMORY, address, width, &value, write))
        value = 0;
    if (!write)
        memcpy(run->mmio.data, &value, width);
}

/* PSCI's SYSTEM_OFF and SYSTEM_RESET, of which KVM has done all but the last. */
static void serve_system_event(struct arm64_vcpu *v)
{
    struct domain *d = v->engine->domain;

    switch (v->cpu.run->system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN: domain_exited(d, 0); break;
    case KVM_SYSTEM_EVENT_RESET: domain_rebooted(d); break;
    default: domain_crashed(d, "the guest says so");
    }
}

void arm64_exit_serve(struct arm64_vcpu *v)
{
    struct kvm_run *run = v->cpu.run;

    switch (run->exit_reason) {
    case KVM_EXIT_MMIO: serve_access(v); break;
    case KVM_EXIT_SYSTEM_EVENT: serve_system_event(v); break;
    case KVM_EXIT_INTR: break;
    case KVM_EXIT_FAIL_ENTRY:
        domain_crashed(v->engine->domain, "a state that the processor refuses at 0x%llx",
                       (unsigned long long)arm64_cpu_instruction(&v->cpu));
        break;
    default:
        domain_crashed(v->engine->domain, "KVM exit %u at 0x%llx", run->exit_reason,
                       (unsigned long long)arm64_cpu_instruction(&v->cpu));
    }
}
