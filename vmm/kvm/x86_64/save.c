/* SPDX-License-Identifier: MIT */
/*
 * Saving a machine of KVM's: version 2: u32 2, u32 vCPUs; of each u32 up, halted, vector, 1 if a context waits, that context's bytes,
 * u64 where KVM's clock writes, and its state (x86_64/state.h); then the I/O APIC (x86_64/lines.h); then the way's own
 * (way_xen_save.c; `kvm` has none).
 */
#include "save.h"
#include "cpu.h"
#include "engine.h"
#include "state.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define VERSION        2u
#define WAY_BYTES      8192u
#define WAY_VCPU_BYTES 128u /* of a way, for each vCPU, at most */

static int write_vcpu(const struct kvm_vcpu *v, const struct kvm_machine *m, struct vc_writer *w,
                      struct problem *problem)
{
    vc_write_u32(w, atomic_load(&v->up));
    vc_write_u32(w, atomic_load(&v->halted));
    vc_write_u32(w, atomic_load(&v->vector));
    vc_write_u32(w, v->has_context);
    vc_write_bytes(w, &v->context, sizeof v->context);
    vc_write_u64(w, atomic_load(&v->clock_gpa));
    return state_write(&v->cpu, m, w, problem);
}

int kvm_save(void *engine, void **bytes, size_t *n, struct problem *problem)
{
    struct kvm_engine *e = engine;
    size_t size = LINES_SAVE_BYTES + WAY_BYTES +
                  e->n_vcpus * (size_t)(STATE_BYTES + sizeof(struct vcpu_hvm_context) + 64 + WAY_VCPU_BYTES);
    struct vc_writer w;
    int result = 0;

    *bytes = malloc(size);
    if (*bytes == NULL)
        return problem_set(problem, -1, "no memory");
    vc_writer_init(&w, *bytes, size);
    vc_write_u32(&w, VERSION);
    vc_write_u32(&w, e->n_vcpus);
    for (uint32_t i = 0; result == 0 && i < e->n_vcpus; i++)
        result = write_vcpu(&e->vcpus[i], &e->machine, &w, problem);
    if (result == 0 && lines_save(&e->lines, &w) != 0)
        result = problem_set(problem, -1, "KVM does not tell the state of its I/O APIC");
    if (result == 0 && e->way->save != NULL)
        result = e->way->save(e, &w, problem);
    *n = w.n;
    return result != 0 || vc_writer_ok(&w) ? result : problem_set(problem, -1, "it has more state than expected");
}

static int read_vcpu(struct kvm_vcpu *v, const struct kvm_machine *m, struct vc_reader *r, struct problem *problem)
{
    uint32_t up = vc_read_u32(r), halted = vc_read_u32(r), vector = vc_read_u32(r), has_context = vc_read_u32(r);

    vc_read_bytes(r, &v->context, sizeof v->context);
    (void)vc_read_u64(r); /* core has told it: engine.h, placed */
    if (!vc_reader_ok(r) || up > 1 || halted > 1 || vector > 255 || has_context > 1 ||
        (has_context != 0 && !cpu_context_ok(&v->context)))
        return problem_set(problem, -1, "damaged: its vCPUs are none of the engine kvm");
    atomic_store(&v->up, up != 0);
    atomic_store(&v->halted, halted != 0);
    atomic_store(&v->vector, vector);
    v->has_context = has_context != 0;
    return state_read(&v->cpu, m, r, problem);
}

int kvm_restore(void *engine, const void *bytes, size_t n, uint64_t time_ns, struct problem *problem)
{
    struct kvm_engine *e = engine;
    struct kvm_clock_data clock = {.clock = time_ns};
    struct vc_reader r;

    vc_reader_init(&r, bytes, n);
    if (vc_read_u32(&r) != VERSION || vc_read_u32(&r) != e->n_vcpus)
        return problem_set(problem, -1, "damaged: it holds no %u vCPUs of the engine kvm", e->n_vcpus);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (read_vcpu(&e->vcpus[i], &e->machine, &r, problem) != 0)
            return -1;
    if (lines_restore(&e->lines, &r) != 0)
        return problem_set(problem, -1, "damaged: its interrupt lines are none of this domain's");
    kernel_quiet(&e->kernel, e->memory,
                 &e->quiet); /* a page that it asked for by MSR stays plain until it asks again */
    if (ioctl(e->machine.vm, KVM_SET_CLOCK, &clock) != 0)
        return problem_set(problem, -1, "KVM does not take the time: %s", strerror(errno));
    if (e->way->restore != NULL && e->way->restore(e, &r, problem) != 0)
        return -1;
    return vc_reader_done(&r) ? 0 : problem_set(problem, -1, "damaged: something stands behind its vCPUs");
}
