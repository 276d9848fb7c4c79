/* SPDX-License-Identifier: MIT */
/*
 * What a saved arm64 machine says of a vCPU's registers and of its GIC, and it may say anything: nothing is set but what this KVM
 * lists, once each and with all of its bytes there, and what is refused is refused with one line.
 */
#include "fuzz.h"
#include "vmm/kvm/arm64/gic_state.h"
#include "vmm/kvm/arm64/registers.h"

#define N_VCPUS 2u
#define N_IRQS  64u

/* Of all sizes, of core and others; numbers so small that an input comes upon them. */
static const uint64_t ids[] = {0x6030000000100000, 0x6040000000100001, 0x6020000000100002, 0x6030000000130000,
                               0x6030000000130001, 0x6080000000150000, 0x6000000000140000, REGISTERS_MPIDR_EL1};
#define N_IDS (sizeof ids / sizeof ids[0])

struct kvm {
    struct input *in; /* whether it refuses */
    unsigned set[N_IDS];
    uint8_t last; /* to have read all of a value */
};

static size_t index_of(uint64_t id)
{
    size_t i = 0;

    while (i < N_IDS && ids[i] != id)
        i++;
    require(i < N_IDS);
    return i;
}

static bool get_register(void *ctx, uint64_t id, void *value)
{
    (void)ctx;
    require(register_bytes(id) <= REGISTER_BYTES_MAX);
    memset(value, (int)index_of(id), register_bytes(id));
    return true;
}

static bool set_register(void *ctx, uint64_t id, const void *value)
{
    struct kvm *k = ctx;

    require(id != REGISTERS_MPIDR_EL1 && k->set[index_of(id)]++ == 0);
    for (uint32_t i = 0; i < register_bytes(id); i++)
        k->last ^= ((const uint8_t *)value)[i];
    return take(k->in, 1) != 1;
}

static bool get_gic(void *ctx, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t *value)
{
    (void)ctx, (void)part, (void)vcpu, (void)at;
    *value = 0;
    return true;
}

static bool set_gic(void *ctx, enum gic_part part, uint32_t vcpu, uint32_t at, uint64_t value)
{
    struct kvm *k = ctx;

    require(vcpu < N_VCPUS && at < (part == GIC_DISTRIBUTOR ? 0x6000u + 8 * N_IRQS : 0x20000u));
    require(part == GIC_INTERFACE || value <= UINT32_MAX);
    return take(k->in, 1) != 1;
}

static void one_line(const struct problem *p) { require(p->text[0] != '\0' && strchr(p->text, '\n') == NULL); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size < 64 ? size : 64};
    struct kvm k = {.in = &in};
    const struct registers regs = {.ids = ids, .n = N_IDS, .ctx = &k, .get = get_register, .set = set_register};
    const struct gic_state gic = {.n_vcpus = N_VCPUS, .n_irqs = N_IRQS, .ctx = &k, .get = get_gic, .set = set_gic};
    struct problem p = {""};
    struct vc_reader r;
    uint8_t *copy;
    bool first;

    if (size <= 64)
        return 0;
    copy = malloc(size - 64); /* its own, so that one byte behind it is seen */
    require(copy != NULL);
    memcpy(copy, data + 64, size - 64);
    first = take(&in, 1) % 2 == 0;
    vc_reader_init(&r, copy, size - 64);
    if ((first ? registers_read(&regs, &r, &p) : gic_state_read(&gic, &r, &p)) != 0)
        one_line(&p);
    else
        require(vc_reader_ok(&r));
    free(copy);
    return 0;
}
