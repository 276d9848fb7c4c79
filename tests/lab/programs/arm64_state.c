/* SPDX-License-Identifier: MIT */
/*
 * What KVM itself makes of a saved arm64 machine: a machine made from its bytes is that machine, one from bytes that were changed is
 * refused or is another guest's matter, and what must be refused is. Argument: how many random changes.
 */
#include "vmm/kvm/arm64/cpu.h"
#include "vmm/kvm/arm64/gic.h"
#include "vmm/kvm/arm64/layout.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_VCPUS 2u
#define N_IRQS  ARM64_N_IRQS(true)
#define BYTES   (N_VCPUS * ARM64_CPU_BYTES + 16384)
#define COUNTER ARM64_SYS_REG(3, 3, 14, 3, 2) /* KVM_REG_ARM_TIMER_CNT, which goes on */

struct machine {
    struct kvm_machine vm;
    struct kvm_cpu cpus[N_VCPUS];
    int gic;
};

static int kvm;

static void must(bool right, const char *what, const struct problem *p)
{
    if (right)
        return;
    printf("FAILED: %s: %s\n", what, p != NULL ? p->text : "");
    exit(1);
}

static void make(struct machine *m)
{
    struct problem p = {""};

    must(kvm_machine_init(&m->vm, kvm, &p) == 0, "a machine", &p);
    for (uint32_t i = 0; i < N_VCPUS; i++)
        must(kvm_cpu_init(&m->cpus[i], &m->vm, i, &p) == 0 && arm64_cpu_reset(&m->cpus[i], &m->vm, i != 0, &p) == 0,
             "a vCPU", &p);
    must(gic_make(&m->gic, &m->vm, N_IRQS, &p) == 0, "a GIC", &p);
}

static void drop(struct machine *m)
{
    for (uint32_t i = 0; i < N_VCPUS; i++)
        kvm_cpu_finish(&m->cpus[i]);
    gic_finish(&m->gic);
    kvm_machine_finish(&m->vm);
}

static size_t save(const struct machine *m, uint8_t *bytes)
{
    struct problem p = {""};
    struct vc_writer w;

    vc_writer_init(&w, bytes, BYTES);
    for (uint32_t i = 0; i < N_VCPUS; i++)
        must(arm64_cpu_save(&m->cpus[i], &w, &p) == 0, "saving a vCPU", &p);
    must(gic_save(m->gic, N_VCPUS, N_IRQS, &w, &p) == 0 && vc_writer_ok(&w), "saving a GIC", &p);
    return w.n;
}

/* Into a new machine, which is left in *m. */
static int restore(struct machine *m, const uint8_t *bytes, size_t n, struct problem *p)
{
    struct vc_reader r;
    bool on;

    make(m);
    p->text[0] = '\0';
    vc_reader_init(&r, bytes, n);
    for (uint32_t i = 0; i < N_VCPUS; i++)
        if (arm64_cpu_restore(&m->cpus[i], &on, &r, p) != 0)
            return -1;
    return gic_restore(m->gic, N_VCPUS, N_IRQS, 0, &r, p);
}

/* Where the value of a register of vCPU 0 lies. */
static uint8_t *value_of(uint8_t *bytes, size_t n, uint64_t id)
{
    uint8_t *at = memmem(bytes, n, &id, sizeof id);

    must(at != NULL, "KVM lists this register", NULL);
    return at + sizeof id;
}

static void check_same(const uint8_t *bytes, size_t n)
{
    uint8_t *first = malloc(n), *second = malloc(BYTES);
    struct problem p;
    struct machine m;
    size_t again;

    must(first != NULL && second != NULL, "memory", NULL);
    memcpy(first, bytes, n);
    must(restore(&m, first, n, &p) == 0, "a machine from its own bytes", &p);
    again = save(&m, second);
    must(again == n, "as many bytes", NULL);
    for (uint8_t *at = first; (at = memmem(at, (size_t)(first + n - at), &(uint64_t){COUNTER}, 8)) != NULL; at += 16) {
        uint64_t before, after;

        memcpy(&before, at + 8, 8);
        memcpy(&after, second + (at - first) + 8, 8);
        must(after >= before && after - before < UINT64_C(1) << 34, "the counter goes on", NULL);
        memcpy(second + (at - first) + 8, &before, 8);
    }
    must(memcmp(first, second, n) == 0, "the same bytes", NULL);
    drop(&m);
    free(first);
    free(second);
}

/* Values that no guest's registers have here, and what is said. */
static void check_refused(uint8_t *bytes, size_t n)
{
    const struct {
        const char *name;
        uint64_t id, value;
        const char *says;
    } rows[] = {
        {"another processor", ARM64_SYS_REG(3, 0, 0, 0, 0), 0x410fd000, "register 0x603000000013c000"},
        {"another vCPU", REGISTERS_MPIDR_EL1, 0x80000001, "register 0x603000000013c005"},
        {"a processor with all features", ARM64_SYS_REG(3, 0, 0, 4, 0), 0x1111111111111111,
         "register 0x603000000013c020"},
        {"PSCI 9.9", KVM_REG_ARM_PSCI_VERSION, 0x90009, "register 0x6030000000140000"},
        {"EL2", KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offsetof(struct kvm_regs, regs.pstate) / 4, 0x3c9,
         "register 0x6030000000100042"},
    };
    struct machine m;
    struct problem p;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *at = value_of(bytes, n, rows[i].id), was[8];

        memcpy(was, at, 8);
        memcpy(at, &rows[i].value, 8);
        must(restore(&m, bytes, n, &p) != 0 && strstr(p.text, rows[i].says) != NULL, rows[i].name, &p);
        drop(&m);
        memcpy(at, was, 8);
    }
    must(restore(&m, bytes, n, &p) == 0, "all as it was", &p);
    drop(&m);
    must(restore(&m, bytes, n - 1, &p) != 0 && strstr(p.text, "cut off") != NULL, "a byte less", &p);
    drop(&m);
}

static uint32_t random_number(void)
{
    static uint32_t x = 2463534242;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

/* One to four bytes of it, anywhere. What KVM takes it has to tell again. */
static void change_some(const uint8_t *bytes, size_t n, unsigned *taken)
{
    uint8_t *changed = malloc(n), *told = malloc(BYTES);
    struct machine m;
    struct problem p;

    must(changed != NULL && told != NULL, "memory", NULL);
    memcpy(changed, bytes, n);
    for (uint32_t i = random_number() % 4 + 1; i > 0; i--)
        changed[random_number() % n] = (uint8_t)random_number();
    if (restore(&m, changed, n, &p) == 0) {
        ++*taken;
        save(&m, told);
    } else {
        must(p.text[0] != '\0' && strchr(p.text, '\n') == NULL, "one line", &p);
    }
    drop(&m);
    free(changed);
    free(told);
}

int main(int argc, char **argv)
{
    unsigned n_changes = argc > 1 ? (unsigned)atoi(argv[1]) : 0, taken = 0;
    uint8_t *bytes = malloc(BYTES);
    struct problem p;
    struct machine m;
    size_t n;

    kvm = kvm_open(&p);
    must(kvm >= 0 && bytes != NULL, "KVM", &p);
    make(&m);
    must(arm64_cpu_enter_at(&m.cpus[0], ARM64_RAM_GPA, 0x1234, &p) == 0, "registers", &p);
    gic_line(&m.vm, ARM64_UART_SPI, true);
    n = save(&m, bytes);
    drop(&m);
    check_same(bytes, n);
    check_refused(bytes, n);
    for (unsigned i = 0; i < n_changes; i++)
        change_some(bytes, n, &taken);
    printf("%zu bytes, %u changes, of which KVM took %u\n", n, n_changes, taken);
    free(bytes);
    close(kvm);
    return 0;
}
