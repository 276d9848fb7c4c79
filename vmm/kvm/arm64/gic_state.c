/* SPDX-License-Identifier: MIT */
#include "gic_state.h"

/* IHI 0069 12.9 and 12.11. The SGI frame is the redistributor's second, and looks like the beginning of the distributor. */
enum { GICD_CTLR = 0x0000, GICD_IIDR = 0x0008, GICR_PROPBASER = 0x0070, GICR_PENDBASER = 0x0078, SGI_FRAME = 0x10000 };

/* A field of each interrupt: bits of it are at offset + number * bits / 8. */
static const struct field {
    uint32_t offset, bits;
    uint32_t clear; /* offset of the registers whose ones clear what those of `offset` set; 0: these take zeros too */
    bool shared;    /* of SPIs alone */
} fields[] = {
    {0x0080, 1, 0, false},      /* IGROUPR */
    {0x0c00, 2, 0, false},      /* ICFGR */
    {0x0400, 8, 0, false},      /* IPRIORITYR */
    {0x6000, 64, 0, true},      /* IROUTER */
    {0x0100, 1, 0x0180, false}, /* ISENABLER, ICENABLER; SGIs begin enabled */
    {0x0200, 1, 0, false},      /* ISPENDR: here, the latch as it is */
    {0x0300, 1, 0x0380, false}, /* ISACTIVER, ICACTIVER */
};
#define N_FIELDS (sizeof fields / sizeof fields[0])

#define SYSTEM_REGISTER(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

/* IHI 0069 12.2. ICC_CTLR_EL1 says how many bits priorities have, and so which active priority registers there are. */
enum { ICC_CTLR_EL1 = SYSTEM_REGISTER(3, 0, 12, 12, 4), CTLR_PRIBITS_SHIFT = 8, CTLR_PRIBITS_MASK = 7 };
static const struct interface_register {
    uint32_t at, priority_bits; /* it is there with so many, and more */
} interface[] = {
    {SYSTEM_REGISTER(3, 0, 12, 12, 5), 0}, /* ICC_SRE_EL1 */
    {ICC_CTLR_EL1, 0},
    {SYSTEM_REGISTER(3, 0, 4, 6, 0), 0},   /* ICC_PMR_EL1 */
    {SYSTEM_REGISTER(3, 0, 12, 8, 3), 0},  /* ICC_BPR0_EL1 */
    {SYSTEM_REGISTER(3, 0, 12, 12, 3), 0}, /* ICC_BPR1_EL1 */
    {SYSTEM_REGISTER(3, 0, 12, 8, 4), 0},  /* ICC_AP0R0_EL1 … 3 */
    {SYSTEM_REGISTER(3, 0, 12, 8, 5), 6},
    {SYSTEM_REGISTER(3, 0, 12, 8, 6), 7},
    {SYSTEM_REGISTER(3, 0, 12, 8, 7), 7},
    {SYSTEM_REGISTER(3, 0, 12, 9, 0), 0}, /* ICC_AP1R0_EL1 … 3 */
    {SYSTEM_REGISTER(3, 0, 12, 9, 1), 6},
    {SYSTEM_REGISTER(3, 0, 12, 9, 2), 7},
    {SYSTEM_REGISTER(3, 0, 12, 9, 3), 7},
    {SYSTEM_REGISTER(3, 0, 12, 12, 6), 0}, /* ICC_IGRPEN0_EL1 */
    {SYSTEM_REGISTER(3, 0, 12, 12, 7), 0}, /* ICC_IGRPEN1_EL1 */
};
#define N_INTERFACE (sizeof interface / sizeof interface[0])

/* One pass over a GIC, to or from bytes: exactly one of w and r is set. */
struct pass {
    const struct gic_state *gic;
    struct vc_writer *w;
    struct vc_reader *r;
    struct problem *problem;
};

static const char *name_of(enum gic_part part)
{
    switch (part) {
    case GIC_DISTRIBUTOR: return "distributor";
    case GIC_REDISTRIBUTOR: return "redistributor";
    case GIC_INTERFACE: return "CPU interface";
    case GIC_LEVELS: return "levels";
    }
    return "";
}

static bool set(const struct pass *p, enum gic_part part, uint32_t vcpu, uint32_t at, uint32_t clear, uint64_t value)
{
    const struct gic_state *g = p->gic;

    return (clear == 0 || g->set(g->ctx, part, vcpu, clear, UINT32_MAX)) && g->set(g->ctx, part, vcpu, at, value);
}

static int move(const struct pass *p, enum gic_part part, uint32_t vcpu, uint32_t at, uint32_t clear, uint64_t *value)
{
    bool wide = part == GIC_INTERFACE;

    if (p->w != NULL) {
        if (!p->gic->get(p->gic->ctx, part, vcpu, at, value))
            return problem_set(p->problem, -1, "KVM does not tell its GIC's %s, 0x%x", name_of(part), (unsigned)at);
        if (wide)
            vc_write_u64(p->w, *value);
        else
            vc_write_u32(p->w, (uint32_t)*value);
        return 0;
    }
    *value = wide ? vc_read_u64(p->r) : vc_read_u32(p->r);
    if (!vc_reader_ok(p->r))
        return problem_set(p->problem, -1, "damaged: its GIC's %s is cut off", name_of(part));
    if (part == GIC_REDISTRIBUTOR && at < SGI_FRAME && *value == 0)
        return 0; /* tables that nobody named: KVM would read of a zero, as it does of a guest's, how they are cached */
    if (!set(p, part, vcpu, at, clear, *value))
        return problem_set(p->problem, -1, "KVM of this machine does not take 0x%llx in its GIC's %s, 0x%x",
                           (unsigned long long)*value, name_of(part), (unsigned)at);
    return 0;
}

/* Those of interrupts first … end - 1, whose registers lie from base on. */
static int move_fields(const struct pass *p, enum gic_part part, uint32_t vcpu, uint32_t base, uint32_t first,
                       uint32_t end)
{
    uint64_t value;

    for (const struct field *f = fields; f < fields + N_FIELDS; f++)
        for (uint32_t at = first * f->bits / 8; at < end * f->bits / 8 && (first >= 32 || !f->shared); at += 4)
            if (move(p, part, vcpu, base + f->offset + at, f->clear == 0 ? 0 : base + f->clear + at, &value) != 0)
                return -1;
    return 0;
}

/* The revision of what KVM imitates decides how all else is understood. */
static int move_distributor(const struct pass *p)
{
    uint64_t value;

    if (move(p, GIC_DISTRIBUTOR, 0, GICD_IIDR, 0, &value) != 0 ||
        move(p, GIC_DISTRIBUTOR, 0, GICD_CTLR, 0, &value) != 0)
        return -1;
    return move_fields(p, GIC_DISTRIBUTOR, 0, 0, 32, p->gic->n_irqs);
}

static int move_redistributor(const struct pass *p, uint32_t vcpu)
{
    uint64_t value;

    for (uint32_t at = GICR_PROPBASER; at < GICR_PENDBASER + 8; at += 4)
        if (move(p, GIC_REDISTRIBUTOR, vcpu, at, 0, &value) != 0)
            return -1;
    return move_fields(p, GIC_REDISTRIBUTOR, vcpu, SGI_FRAME, 0, 32);
}

static int move_interface(const struct pass *p, uint32_t vcpu)
{
    uint32_t priority_bits = 0;
    uint64_t value;

    for (const struct interface_register *i = interface; i < interface + N_INTERFACE; i++) {
        if (i->priority_bits > priority_bits)
            continue;
        if (move(p, GIC_INTERFACE, vcpu, i->at, 0, &value) != 0)
            return -1;
        if (i->at == ICC_CTLR_EL1)
            priority_bits = (uint32_t)(value >> CTLR_PRIBITS_SHIFT & CTLR_PRIBITS_MASK) + 1;
    }
    return 0;
}

static int move_all(const struct pass *p)
{
    uint64_t levels;

    if (move_distributor(p) != 0)
        return -1;
    for (uint32_t i = 0; i < p->gic->n_vcpus; i++)
        if (move_redistributor(p, i) != 0 || move_interface(p, i) != 0 || move(p, GIC_LEVELS, i, 0, 0, &levels) != 0)
            return -1;
    return 0;
}

int gic_state_write(const struct gic_state *g, struct vc_writer *w, struct problem *problem)
{
    const struct pass pass = {.gic = g, .w = w, .problem = problem};

    vc_write_u32(w, g->n_irqs);
    vc_write_u32(w, 0);
    if (move_all(&pass) != 0)
        return -1;
    return vc_writer_ok(w) ? 0 : problem_set(problem, -1, "its GIC has more state than expected");
}

int gic_state_read(const struct gic_state *g, struct vc_reader *r, struct problem *problem)
{
    const struct pass pass = {.gic = g, .r = r, .problem = problem};
    uint32_t n_irqs = vc_read_u32(r), zero = vc_read_u32(r);

    if (!vc_reader_ok(r) || n_irqs != g->n_irqs || zero != 0)
        return problem_set(problem, -1, "damaged: it has no GIC of %u interrupts", (unsigned)g->n_irqs);
    return move_all(&pass);
}
