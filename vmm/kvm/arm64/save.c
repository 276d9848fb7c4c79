/* SPDX-License-Identifier: MIT */
/*
 * Saving a machine of KVM's on arm64: version 1: u32 tag, u32 1, u32 vCPUs, u32 0; of each u32 1 if a call by the doorbell page waits
 * to be made again, u32 0, 8 u64 its block, number and arguments, and its state (cpu.h); then the GIC (gic_state.h). The device tree
 * lies in the guest's memory, and what it tells of is made anew from the configuration.
 */
#include "save.h"
#include "cpu.h"
#include "engine.h"
#include "gic_state.h"
#include "host/clock.h"
#include <stdlib.h>

#define TAG        VC_SAVE_TAG('A', 'R', 'M', '8')
#define VERSION    1u
#define CALL_BYTES 72u

static int write_vcpu(const struct arm64_vcpu *v, struct vc_writer *w, struct problem *problem)
{
    vc_write_u32(w, v->again);
    vc_write_u32(w, 0);
    vc_write_u64(w, v->call.block);
    vc_write_u64(w, v->call.nr);
    for (unsigned i = 0; i < 6; i++)
        vc_write_u64(w, v->call.args[i]);
    return arm64_cpu_save(&v->cpu, w, problem);
}

int arm64_save(void *engine, void **bytes, size_t *n, struct problem *problem)
{
    struct arm64_engine *e = engine;
    size_t size = 16 + e->n_vcpus * (CALL_BYTES + ARM64_CPU_BYTES) + GIC_STATE_BYTES(e->n_vcpus, e->n_irqs);
    struct vc_writer w;
    int result = 0;

    *bytes = malloc(size);
    if (*bytes == NULL)
        return problem_set(problem, -1, "no memory");
    vc_writer_init(&w, *bytes, size);
    vc_write_u32(&w, TAG);
    vc_write_u32(&w, VERSION);
    vc_write_u32(&w, e->n_vcpus);
    vc_write_u32(&w, 0);
    for (uint32_t i = 0; result == 0 && i < e->n_vcpus; i++)
        result = write_vcpu(&e->vcpus[i], &w, problem);
    if (result == 0)
        result = gic_save(e->gic, e->n_vcpus, e->n_irqs, &w, problem);
    *n = w.n;
    return result;
}

static int read_vcpu(struct arm64_vcpu *v, struct vc_reader *r, struct problem *problem)
{
    uint32_t again = vc_read_u32(r), zero = vc_read_u32(r);
    bool on = false;

    v->call.block = vc_read_u64(r);
    v->call.nr = vc_read_u64(r);
    for (unsigned i = 0; i < 6; i++)
        v->call.args[i] = vc_read_u64(r);
    if (!vc_reader_ok(r) || again > 1 || zero != 0 ||
        (again == 1 && arm64_call_block(v->engine->memory, v->call.block) == NULL))
        return problem_set(problem, -1, "damaged: a vCPU has a call that none can have made");
    v->again = again == 1;
    if (arm64_cpu_restore(&v->cpu, &on, r, problem) != 0)
        return -1;
    atomic_store(&v->up, on);
    return 0;
}

int arm64_restore(void *engine, const void *bytes, size_t n, uint64_t time_ns, struct problem *problem)
{
    struct arm64_engine *e = engine;
    struct vc_reader r;

    vc_reader_init(&r, bytes, n);
    if (vc_read_u32(&r) != TAG || vc_read_u32(&r) != VERSION || vc_read_u32(&r) != e->n_vcpus || vc_read_u32(&r) != 0)
        return problem_set(problem, -1, "damaged: it holds no %u vCPUs of the engine kvm on arm64", e->n_vcpus);
    for (uint32_t i = 0; i < e->n_vcpus; i++)
        if (read_vcpu(&e->vcpus[i], &r, problem) != 0)
            return -1;
    if (gic_restore(e->gic, e->n_vcpus, e->n_irqs, atomic_load(&e->spis), &r, problem) != 0)
        return -1;
    e->ahead_ns = (int64_t)(time_ns - clock_ns());
    return vc_reader_done(&r) ? 0 : problem_set(problem, -1, "damaged: something stands behind its GIC");
}
