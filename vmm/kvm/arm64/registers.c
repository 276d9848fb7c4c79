/* SPDX-License-Identifier: MIT */
#include "registers.h"
#include <inttypes.h>
#include <string.h>

/* Linux's asm/kvm.h for arm64: what kind of register an id names. */
#define SIZE_SHIFT 52
#define SIZE_MASK  UINT64_C(0xf)
#define KIND_MASK  UINT64_C(0x0fff0000)
#define KIND_CORE  UINT64_C(0x00100000)

uint32_t register_bytes(uint64_t id) { return UINT32_C(1) << (id >> SIZE_SHIFT & SIZE_MASK); }

int registers_write(const struct registers *regs, struct vc_writer *w, struct problem *problem)
{
    uint8_t value[REGISTER_BYTES_MAX];

    vc_write_u32(w, regs->n);
    vc_write_u32(w, 0);
    for (uint32_t i = 0; i < regs->n; i++) {
        uint64_t id = regs->ids[i];

        if (register_bytes(id) > sizeof value || !regs->get(regs->ctx, id, value))
            return problem_set(problem, -1, "KVM does not tell a vCPU's register 0x%" PRIx64, id);
        vc_write_u64(w, id);
        vc_write_bytes(w, value, register_bytes(id));
    }
    return vc_writer_ok(w) ? 0 : problem_set(problem, -1, "a vCPU has more state than expected");
}

/* Where it is in the list; most often behind the last. */
static uint32_t find(const struct registers *regs, uint64_t id, uint32_t from)
{
    for (uint32_t i = 0; i < regs->n; i++)
        if (regs->ids[(from + i) % regs->n] == id)
            return (from + i) % regs->n;
    return regs->n;
}

static bool has(const struct registers *regs, uint64_t id, const uint8_t *value)
{
    uint8_t is[REGISTER_BYTES_MAX];

    return regs->get(regs->ctx, id, is) && memcmp(is, value, register_bytes(id)) == 0;
}

static int read_value(const struct registers *regs, uint64_t id, struct vc_reader *r, struct problem *problem)
{
    uint8_t value[REGISTER_BYTES_MAX] = {0};
    uint64_t shown;

    vc_read_bytes(r, value, register_bytes(id));
    if (!vc_reader_ok(r))
        return problem_set(problem, -1, "damaged: register 0x%" PRIx64 " of a vCPU is cut off", id);
    if (has(regs, id, value) || (id != REGISTERS_MPIDR_EL1 && regs->set(regs->ctx, id, value)))
        return 0;
    memcpy(&shown, value, sizeof shown);
    return problem_set(problem, -1, "KVM of this machine does not take 0x%" PRIx64 " in a vCPU's register 0x%" PRIx64,
                       shown, id);
}

static int check_core(const struct registers *regs, const bool *seen, struct problem *problem)
{
    for (uint32_t i = 0; i < regs->n; i++)
        if (!seen[i] && (regs->ids[i] & KIND_MASK) == KIND_CORE)
            return problem_set(problem, -1, "damaged: it lacks register 0x%" PRIx64 " of a vCPU", regs->ids[i]);
    return 0;
}

int registers_read(const struct registers *regs, struct vc_reader *r, struct problem *problem)
{
    uint32_t n = vc_read_u32(r), zero = vc_read_u32(r), at = 0;
    bool seen[REGISTERS_MAX] = {false};

    if (!vc_reader_ok(r) || zero != 0 || n > REGISTERS_MAX)
        return problem_set(problem, -1, "damaged: it has no registers of a vCPU");
    for (uint32_t i = 0; i < n; i++) {
        uint64_t id = vc_read_u64(r);

        if (!vc_reader_ok(r))
            return problem_set(problem, -1, "damaged: the registers of a vCPU are cut off");
        at = find(regs, id, at);
        if (at == regs->n || register_bytes(id) > REGISTER_BYTES_MAX)
            return problem_set(problem, -1, "KVM of this machine knows no register 0x%" PRIx64, id);
        if (seen[at])
            return problem_set(problem, -1, "damaged: it has register 0x%" PRIx64 " of a vCPU twice", id);
        seen[at] = true;
        if (read_value(regs, id, r, problem) != 0)
            return -1;
    }
    return check_core(regs, seen, problem);
}
