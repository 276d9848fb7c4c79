/* SPDX-License-Identifier: MIT */
/* Registers of an arm64 vCPU and of its GICv3 as bytes, with a KVM's side that records: the lab has the real one (arm64_save). */
#include "unit.h"
#include "vmm/kvm/arm64/gic_state.h"
#include "vmm/kvm/arm64/registers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids as Linux's asm/kvm.h for arm64 makes them: 0x60, size in bits 55:52, kind in 27:16. */
#define ID(size, kind, number) (UINT64_C(0x6000000000000000) | (uint64_t)(size) << 52 | (kind) << 16 | (number))
enum { U32 = 2, U64 = 3, U128 = 4, U256 = 5 };
enum { CORE = 0x10, SYSREG = 0x13, FW = 0x14 };
#define PC      ID(U64, CORE, 0x40)
#define V0      ID(U128, CORE, 0x54)
#define FPSR    ID(U32, CORE, 0xd4)
#define MIDR    ID(U64, SYSREG, 0xc000)
#define SCTLR   ID(U64, SYSREG, 0xc080)
#define COUNTER ID(U64, SYSREG, 0xdf1a)
#define PSCI    ID(U64, FW, 0)

static const uint64_t listed[] = {PC, V0, FPSR, PSCI, MIDR, REGISTERS_MPIDR_EL1, SCTLR, COUNTER};

struct kvm { /* what it has in each, and what it was told to */
    struct registers regs;
    uint64_t ids[N_ROWS(listed)];
    uint8_t values[N_ROWS(listed)][REGISTER_BYTES_MAX];
    uint64_t silent; /* this one it does not tell */
    char order[64];  /* of what was set, by index */
};

static size_t index_of(const struct kvm *k, uint64_t id)
{
    for (size_t i = 0; i < k->regs.n; i++)
        if (k->ids[i] == id)
            return i;
    fail_msg("asked for a register that it did not list: 0x%llx", (unsigned long long)id);
    return 0;
}

static bool get_register(void *ctx, uint64_t id, void *value)
{
    struct kvm *k = ctx;

    memcpy(value, k->values[index_of(k, id)], register_bytes(id));
    return id != k->silent;
}

static bool set_register(void *ctx, uint64_t id, const void *value)
{
    struct kvm *k = ctx;
    size_t i = index_of(k, id), n = strlen(k->order);

    snprintf(k->order + n, sizeof k->order - n, "%zu", i);
    if (id == MIDR)
        return false; /* what processor it is */
    memcpy(k->values[i], value, register_bytes(id));
    return true;
}

static void kvm_init(struct kvm *k, uint8_t seed)
{
    *k = (struct kvm){.regs = {.ids = k->ids, .n = N_ROWS(listed), .ctx = k, .get = get_register, .set = set_register}};
    memcpy(k->ids, listed, sizeof listed);
    for (size_t i = 0; i < N_ROWS(listed); i++)
        memset(k->values[i], listed[i] == MIDR || listed[i] == REGISTERS_MPIDR_EL1 ? 0x11 : seed + (int)i,
               register_bytes(listed[i]));
}

static size_t save(const struct kvm *k, uint8_t *bytes, size_t size)
{
    struct problem p;
    struct vc_writer w;

    vc_writer_init(&w, bytes, size);
    assert_int_equal(registers_write(&k->regs, &w, &p), 0);
    return w.n;
}

static int load(const struct kvm *k, const uint8_t *bytes, size_t n, struct problem *p)
{
    struct vc_reader r;
    int result;

    p->text[0] = '\0';
    vc_reader_init(&r, bytes, n);
    result = registers_read(&k->regs, &r, p);
    if (result == 0)
        assert_int_equal(r.at, n);
    else
        assert_true(p->text[0] != '\0' && strchr(p->text, '\n') == NULL);
    return result;
}

static void test_registers(void **state)
{
    uint8_t bytes[512];
    struct kvm from, to;
    struct problem p;
    size_t n;

    (void)state;
    kvm_init(&from, 0x40);
    kvm_init(&to, 0x80);
    n = save(&from, bytes, sizeof bytes);
    assert_int_equal(n, 8 + 8 * N_ROWS(listed) + 6 * 8 + 16 + 4);
    assert_memory_equal(bytes, ((uint8_t[]){8, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0x10, 0, 0, 0, 0x30, 0x60, 0x40, 0x40}),
                        18);
    assert_int_equal(load(&to, bytes, n, &p), 0);
    assert_memory_equal(to.values, from.values, sizeof to.values);
    assert_string_equal(to.order, "012367"); /* in the order of the list; what it is already is not set */
    to.order[0] = '\0';
    assert_int_equal(load(&to, bytes, n, &p), 0);
    assert_string_equal(to.order, "");
    from.silent = SCTLR;
    assert_int_equal(registers_write(&from.regs, &(struct vc_writer){.bytes = bytes, .size = sizeof bytes}, &p), -1);
    assert_non_null(strstr(p.text, "0x603000000013c080"));
}

/* Another KVM may list others beside, in another order; those of the processor's core it has to have. */
static void test_other_lists(void **state)
{
    uint8_t bytes[512];
    struct kvm from, to;
    struct problem p;
    size_t n;

    (void)state;
    kvm_init(&from, 0x40);
    from.regs.n--; /* no COUNTER */
    n = save(&from, bytes, sizeof bytes);
    kvm_init(&to, 0x80);
    for (size_t i = 0; i < N_ROWS(listed); i++)
        to.ids[i] = listed[N_ROWS(listed) - 1 - i];
    for (size_t i = 0; i < N_ROWS(listed); i++)
        memset(to.values[i], to.ids[i] == MIDR || to.ids[i] == REGISTERS_MPIDR_EL1 ? 0x11 : 0x80,
               register_bytes(to.ids[i]));
    assert_int_equal(load(&to, bytes, n, &p), 0);
    assert_int_equal(to.values[index_of(&to, PC)][0], 0x40);
    assert_int_equal(to.values[index_of(&to, COUNTER)][0], 0x80);
    from.ids[0] = ID(U64, CORE, 0x3e); /* instead of PC */
    n = save(&from, bytes, sizeof bytes);
    assert_int_equal(load(&to, bytes, n, &p), -1);
    assert_non_null(strstr(p.text, "0x603000000010003e"));
}

/* One register and what is said of it. */
static size_t one(uint8_t *bytes, uint32_t n, uint64_t id, uint64_t value)
{
    struct vc_writer w;

    vc_writer_init(&w, bytes, 512);
    vc_write_u32(&w, n);
    vc_write_u32(&w, 0);
    for (uint32_t i = 0; i < n; i++) {
        vc_write_u64(&w, id);
        vc_write_u64(&w, value);
    }
    return w.n;
}

static void test_registers_refused(void **state)
{
    static const struct {
        const char *name;
        uint32_t n;
        uint64_t id, value;
        const char *says;
    } rows[] = {
        {"an id that is none", 1, 0, 0, "knows no register 0x0"},
        {"an id of x86_64", 1, 0x2030000000000001, 0, "knows no register"},
        {"one that is not listed", 1, ID(U64, SYSREG, 0xc081), 0, "knows no register 0x603000000013c081"},
        {"one that is listed, of 32 bits", 1, ID(U32, CORE, 0x40), 0, "knows no register"},
        {"one that is listed, of 256 bits", 1, ID(U256, CORE, 0x40), 0, "knows no register"},
        {"one that is listed, of 2^15 bytes", 1, ID(15, CORE, 0x40), 0, "knows no register"},
        {"one twice", 2, PC, 0, "register 0x6030000000100040 of a vCPU twice"},
        {"another processor", 1, MIDR, 0x12, "does not take 0x12 in a vCPU's register 0x603000000013c000"},
        {"another vCPU", 1, REGISTERS_MPIDR_EL1, 1, "does not take 0x1 in a vCPU's register 0x603000000013c005"},
        {"no core", 1, SCTLR, 0, "damaged: it lacks register 0x6030000000100040"},
        {"none at all", 0, 0, 0, "damaged: it lacks register"},
    };
    struct problem p;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint8_t bytes[512];
        struct kvm k;
        size_t n = one(bytes, rows[i].n, rows[i].id, rows[i].value);

        kvm_init(&k, 0x80);
        if (load(&k, bytes, n, &p) != -1 || strstr(p.text, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].name, p.text);
    }
}

static void test_registers_damaged(void **state)
{
    uint8_t bytes[512], *cut;
    struct kvm from, to;
    struct problem p;
    size_t n;

    (void)state;
    kvm_init(&from, 0x40);
    n = save(&from, bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++) {
        cut = malloc(i + 1); /* its own, so that one byte behind it is seen */
        memcpy(cut, bytes, i);
        kvm_init(&to, 0x80);
        if (load(&to, cut, i, &p) == 0)
            fail_msg("%zu of %zu bytes are taken", i, n);
        free(cut);
    }
    bytes[4] = 1;
    assert_int_equal(load(&to, bytes, n, &p), -1);
    bytes[4] = 0;
    memset(bytes, 0xff, 4);
    assert_int_equal(load(&to, bytes, n, &p), -1);
    assert_non_null(strstr(p.text, "no registers"));
}

/* ---- The GIC. ---- */

#define N_VCPUS 3u
#define N_IRQS  64u
#define MAX     2048u

struct gic {
    struct gic_state state;
    unsigned priority_bits;
    unsigned n, refuse; /* accesses so far; which one is refused, 0: none */
    struct access {
        enum gic_part part;
        uint32_t vcpu, at;
        uint64_t value;
        bool set;
    } seen[MAX];
};

#define ICC_CTLR 0xc664u /* S3_0_C12_C12_4 */

static uint64_t value_of(const struct gic *g, enum gic_part part, uint32_t vcpu, uint32_t at)
{
    uint64_t value = (uint64_t)part << 28 | vcpu << 24 | at;

    if (part == GIC_INTERFACE)
        value = at == ICC_CTLR ? (uint64_t)(g->priority_bits - 1) << 8 : value | UINT64_C(0xabcd) << 48;
    return value;
}

static bool access(struct gic *g, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t value, bool set)
{
    assert_true(vcpu < N_VCPUS && g->n < MAX && at < 0x20000);
    g->seen[g->n++] = (struct access){part, vcpu, at, value, set};
    return g->n != g->refuse;
}

static bool get_gic(void *ctx, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t *value)
{
    *value = value_of(ctx, part, vcpu, at);
    return access(ctx, part, vcpu, at, *value, false);
}

static bool set_gic(void *ctx, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t value)
{
    return access(ctx, part, vcpu, at, value, true);
}

static void gic_init(struct gic *g, unsigned priority_bits)
{
    *g = (struct gic){.state = {.n_vcpus = N_VCPUS, .n_irqs = N_IRQS, .ctx = g, .get = get_gic, .set = set_gic},
                      .priority_bits = priority_bits};
}

static size_t save_gic(struct gic *g, uint8_t *bytes)
{
    struct vc_writer w;
    struct problem p;

    vc_writer_init(&w, bytes, GIC_STATE_BYTES(N_VCPUS, N_IRQS));
    assert_int_equal(gic_state_write(&g->state, &w, &p), 0);
    return w.n;
}

static int load_gic(struct gic *g, const uint8_t *bytes, size_t n, struct problem *p)
{
    struct vc_reader r;
    int result;

    p->text[0] = '\0';
    vc_reader_init(&r, bytes, n);
    result = gic_state_read(&g->state, &r, p);
    if (result == 0)
        assert_true(vc_reader_done(&r));
    else
        assert_true(p->text[0] != '\0' && strchr(p->text, '\n') == NULL);
    return result;
}

/* What has to be there, from IHI 0069 12.8 to 12.11 and arm-vgic-v3.rst: of each range the first, the last, and how far apart. */
static const struct {
    const char *name;
    enum gic_part part;
    uint32_t first, last, step;
    unsigned priority_bits; /* with so many */
    uint32_t clear;         /* written before with all ones: how far from it */
} wanted[] = {
    {"GICD_IIDR", GIC_DISTRIBUTOR, 0x8, 0x8, 4, 0, 0},
    {"GICD_CTLR", GIC_DISTRIBUTOR, 0x0, 0x0, 4, 0, 0},
    {"GICD_IGROUPR1", GIC_DISTRIBUTOR, 0x84, 0x84, 4, 0, 0},
    {"GICD_ISENABLER1", GIC_DISTRIBUTOR, 0x104, 0x104, 4, 0, 0x80},
    {"GICD_ISPENDR1", GIC_DISTRIBUTOR, 0x204, 0x204, 4, 0, 0},
    {"GICD_ISACTIVER1", GIC_DISTRIBUTOR, 0x304, 0x304, 4, 0, 0x80},
    {"GICD_IPRIORITYR8 to 15", GIC_DISTRIBUTOR, 0x420, 0x43c, 4, 0, 0},
    {"GICD_ICFGR2 and 3", GIC_DISTRIBUTOR, 0xc08, 0xc0c, 4, 0, 0},
    {"GICD_IROUTER32 to 63", GIC_DISTRIBUTOR, 0x6100, 0x61fc, 4, 0, 0},
    {"GICR_PROPBASER, GICR_PENDBASER", GIC_REDISTRIBUTOR, 0x70, 0x7c, 4, 0, 0},
    {"GICR_IGROUPR0", GIC_REDISTRIBUTOR, 0x10080, 0x10080, 4, 0, 0},
    {"GICR_ISENABLER0", GIC_REDISTRIBUTOR, 0x10100, 0x10100, 4, 0, 0x80},
    {"GICR_ISPENDR0", GIC_REDISTRIBUTOR, 0x10200, 0x10200, 4, 0, 0},
    {"GICR_ISACTIVER0", GIC_REDISTRIBUTOR, 0x10300, 0x10300, 4, 0, 0x80},
    {"GICR_IPRIORITYR0 to 7", GIC_REDISTRIBUTOR, 0x10400, 0x1041c, 4, 0, 0},
    {"GICR_ICFGR0 and 1", GIC_REDISTRIBUTOR, 0x10c00, 0x10c04, 4, 0, 0},
    {"ICC_PMR_EL1", GIC_INTERFACE, 0xc230, 0xc230, 1, 0, 0},
    {"ICC_BPR0_EL1", GIC_INTERFACE, 0xc643, 0xc643, 1, 0, 0},
    {"ICC_AP0R0_EL1", GIC_INTERFACE, 0xc644, 0xc644, 1, 0, 0},
    {"ICC_AP0R1_EL1", GIC_INTERFACE, 0xc645, 0xc645, 1, 6, 0},
    {"ICC_AP0R2_EL1 and 3", GIC_INTERFACE, 0xc646, 0xc647, 1, 7, 0},
    {"ICC_AP1R0_EL1", GIC_INTERFACE, 0xc648, 0xc648, 1, 0, 0},
    {"ICC_AP1R1_EL1", GIC_INTERFACE, 0xc649, 0xc649, 1, 6, 0},
    {"ICC_AP1R2_EL1 and 3", GIC_INTERFACE, 0xc64a, 0xc64b, 1, 7, 0},
    {"ICC_BPR1_EL1", GIC_INTERFACE, 0xc663, 0xc663, 1, 0, 0},
    {"ICC_CTLR_EL1", GIC_INTERFACE, ICC_CTLR, ICC_CTLR, 1, 0, 0},
    {"ICC_SRE_EL1, ICC_IGRPEN0_EL1 and 1", GIC_INTERFACE, 0xc665, 0xc667, 1, 0, 0},
    {"levels of PPIs", GIC_LEVELS, 0, 0, 32, 0, 0},
};

/* That access is among those seen, once, with that value; ones: right behind one that clears. */
static void expect(const struct gic *g, const char *name, struct access a, uint32_t clear)
{
    unsigned found = 0;

    for (unsigned i = 0; i < g->n; i++) {
        const struct access *s = &g->seen[i];

        if (s->part != a.part || s->vcpu != a.vcpu || s->at != a.at)
            continue;
        found++;
        if (s->value != a.value || s->set != a.set)
            fail_msg("%s of vCPU %u: 0x%llx", name, a.vcpu, (unsigned long long)s->value);
        if (clear != 0 && a.set &&
            (i == 0 || s[-1].at != a.at + clear || s[-1].value != UINT32_MAX || s[-1].part != a.part))
            fail_msg("%s of vCPU %u is not cleared first", name, a.vcpu);
    }
    if (found != 1)
        fail_msg("%s of vCPU %u: %u times", name, a.vcpu, found);
}

static void expect_all(const struct gic *g, bool set)
{
    unsigned n = 0;

    for (size_t i = 0; i < N_ROWS(wanted); i++)
        for (uint32_t vcpu = 0; vcpu < (wanted[i].part == GIC_DISTRIBUTOR ? 1 : N_VCPUS); vcpu++)
            for (uint32_t at = wanted[i].first; at <= wanted[i].last && wanted[i].priority_bits <= g->priority_bits;
                 at += wanted[i].step) {
                expect(g, wanted[i].name,
                       (struct access){wanted[i].part, vcpu, at, value_of(g, wanted[i].part, vcpu, at), set},
                       wanted[i].clear);
                n += 1 + (set && wanted[i].clear != 0);
            }
    assert_int_equal(g->n, n); /* and nothing else */
}

static void test_gic(void **state)
{
    static struct gic from, to;
    uint8_t bytes[GIC_STATE_BYTES(N_VCPUS, N_IRQS)];
    struct problem p;

    (void)state;
    for (unsigned bits = 5; bits <= 7; bits++) {
        size_t n;

        gic_init(&from, bits);
        gic_init(&to, bits);
        n = save_gic(&from, bytes);
        expect_all(&from, false);
        assert_int_equal(load_gic(&to, bytes, n, &p), 0);
        expect_all(&to, true);
        assert_int_equal(to.seen[0].at, 0x8); /* GICD_IIDR, before all else */
    }
}

/* KVM makes something of a zero that is written to the places of tables, and has zeros there as long as nobody writes. */
static void test_gic_tables_that_nobody_named(void **state)
{
    static struct gic from, to;
    uint8_t bytes[GIC_STATE_BYTES(N_VCPUS, N_IRQS)], *at;
    const uint32_t first = (uint32_t)value_of(&from, GIC_REDISTRIBUTOR, 1, 0x70);
    struct problem p;
    size_t n;

    (void)state;
    gic_init(&from, 5);
    n = save_gic(&from, bytes);
    at = memmem(bytes, n, &first, sizeof first);
    assert_non_null(at);
    memset(at, 0, 16);
    gic_init(&to, 5);
    assert_int_equal(load_gic(&to, bytes, n, &p), 0);
    for (unsigned i = 0; i < to.n; i++)
        assert_false(to.seen[i].part == GIC_REDISTRIBUTOR && to.seen[i].vcpu == 1 && to.seen[i].at < 0x80);
    gic_init(&from, 5);
    save_gic(&from, bytes);
    assert_int_equal(to.n, from.n + 2 * (1 + N_VCPUS) - 4); /* the others all, and what is cleared */
}

static void test_gic_refused(void **state)
{
    static struct gic from, to;
    uint8_t bytes[GIC_STATE_BYTES(N_VCPUS, N_IRQS)];
    struct problem p;
    size_t n;

    (void)state;
    gic_init(&from, 5);
    n = save_gic(&from, bytes);
    for (size_t i = 0; i < n; i++) {
        uint8_t *cut = malloc(i + 1);

        memcpy(cut, bytes, i);
        gic_init(&to, 5);
        if (load_gic(&to, cut, i, &p) == 0)
            fail_msg("%zu of %zu bytes are taken", i, n);
        free(cut);
    }
    for (unsigned i = 1;; i++) { /* KVM refuses each once */
        gic_init(&to, 5);
        to.refuse = i;
        if (load_gic(&to, bytes, n, &p) == 0)
            break;
        assert_int_equal(to.n, i);
        assert_non_null(strstr(p.text, "does not take"));
    }
    gic_init(&to, 5);
    to.refuse = 1;
    assert_int_equal(load_gic(&to, bytes, n, &p), -1);
    assert_string_equal(p.text, "KVM of this machine does not take 0x8 in its GIC's distributor, 0x8");
    for (unsigned i = 1; i <= from.n; i++) {
        struct vc_writer w;

        gic_init(&to, 5);
        to.refuse = i;
        vc_writer_init(&w, bytes, sizeof bytes);
        assert_int_equal(gic_state_write(&to.state, &w, &p), -1);
        assert_non_null(strstr(p.text, "does not tell"));
    }
    save_gic(&from, bytes);
    bytes[0] = 96; /* interrupts */
    assert_int_equal(load_gic(&to, bytes, n, &p), -1);
    bytes[0] = N_IRQS;
    bytes[4] = 1;
    assert_int_equal(load_gic(&to, bytes, n, &p), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_other_lists),
        cmocka_unit_test(test_registers_refused),
        cmocka_unit_test(test_registers_damaged),
        cmocka_unit_test(test_gic_tables_that_nobody_named),
        cmocka_unit_test(test_gic),
        cmocka_unit_test(test_gic_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
