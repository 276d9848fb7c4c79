/* SPDX-License-Identifier: MIT */
#include "acpi.h"
#include <assert.h>
#include <string.h>

#define LAPIC_ADDRESS 0xfee00000u
#define S5_TYPE       5u /* of ours to choose: what \_S5 names and the control register is written with */

enum { SLP_EN = 1 << 5, SLP_TYP_SHIFT = 2 };                                       /* 4.8.3.7 */
enum { BOOT_NO_VGA = 1 << 2, BOOT_NO_CMOS_RTC = 1 << 5 };                          /* 5.2.9.3, IAPC_BOOT_ARCH */
enum { NO_POWER_BUTTON = 1 << 4, NO_SLEEP_BUTTON = 1 << 5, HW_REDUCED = 1 << 20 }; /* 5.2.9, Flags */
enum { LAPIC_ENABLED = 1 };                                                        /* 5.2.12.2 */
enum { SPACE_IO = 1, ACCESS_BYTE = 1 };                                            /* 5.2.3.1 */

struct rsdp { /* 5.2.5.3 */
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem[6];
    uint8_t revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __attribute__((packed));

struct header { /* 5.2.6 */
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
} __attribute__((packed));

struct address { /* 5.2.3.1 */
    uint8_t space, bit_width, bit_offset, access_size;
    uint64_t address;
} __attribute__((packed));

struct xsdt {
    struct header header;
    uint64_t fadt, madt;
} __attribute__((packed));

struct fadt { /* 5.2.9; with reduced hardware nothing else of it is looked at */
    struct header header;
    uint32_t facs, dsdt;
    uint8_t to_boot_flags[65];
    uint16_t boot_flags;
    uint8_t reserved;
    uint32_t flags;
    uint8_t to_x_dsdt[24];
    uint64_t x_dsdt;
    uint8_t to_sleep[96];
    struct address sleep_control, sleep_status;
} __attribute__((packed));

struct lapic { /* 5.2.12.2 */
    uint8_t type, length, acpi_id, apic_id;
    uint32_t flags;
} __attribute__((packed));

struct madt { /* 5.2.12 */
    struct header header;
    uint32_t lapic_address, flags;
    struct lapic lapics[ACPI_VCPUS_MAX];
} __attribute__((packed));

/* 19.2: Name (\_S5, Package (4) { 5, 0, 0, 0 }), 7.3.4.6. */
static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 7, 4, 0x0a, S5_TYPE, 0, 0, 0};

struct dsdt {
    struct header header;
    uint8_t code[sizeof s5];
} __attribute__((packed));

struct tables {
    struct rsdp rsdp;
    _Alignas(16) struct xsdt xsdt;
    _Alignas(16) struct fadt fadt;
    _Alignas(16) struct dsdt dsdt;
    _Alignas(16) struct madt madt;
};

_Static_assert(sizeof(struct rsdp) == 36 && sizeof(struct header) == 36, "5.2.5.3, 5.2.6");
_Static_assert(sizeof(struct fadt) == 268, "5.2.9, revision 5");
_Static_assert(offsetof(struct fadt, boot_flags) == 109 && offsetof(struct fadt, flags) == 112, "5.2.9");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140 && offsetof(struct fadt, sleep_control) == 244, "5.2.9");
_Static_assert(offsetof(struct madt, lapics) == 44 && sizeof(struct lapic) == 8, "5.2.12");
_Static_assert(sizeof(struct tables) <= ACPI_TABLES_BYTES, "one page");

static uint8_t sum(const void *bytes, size_t n)
{
    uint8_t total = 0;

    for (size_t i = 0; i < n; i++)
        total = (uint8_t)(total + ((const uint8_t *)bytes)[i]);
    return total;
}

/* Length and checksum last, when the table is whole. */
static void seal(struct header *h, const char *signature, uint8_t revision, size_t n)
{
    memcpy(h->signature, signature, sizeof h->signature);
    h->length = (uint32_t)n;
    h->revision = revision;
    memcpy(h->oem, "VCONS ", sizeof h->oem);
    memcpy(h->oem_table, "VCONSVMM", sizeof h->oem_table);
    h->oem_revision = 1;
    memcpy(h->creator, "VCON", sizeof h->creator);
    h->creator_revision = 1;
    h->checksum = 0;
    h->checksum = (uint8_t)-sum(h, n);
}

static void fill_rsdp(struct rsdp *r, uint64_t xsdt)
{
    memcpy(r->signature, "RSD PTR ", sizeof r->signature);
    memcpy(r->oem, "VCONS ", sizeof r->oem);
    r->revision = 2;
    r->length = sizeof *r;
    r->xsdt = xsdt;
    r->checksum = (uint8_t)-sum(r, 20);
    r->extended_checksum = (uint8_t)-sum(r, sizeof *r);
}

static void fill_fadt(struct fadt *f, uint32_t dsdt)
{
    f->dsdt = dsdt;
    f->x_dsdt = dsdt;
    f->boot_flags = BOOT_NO_VGA | BOOT_NO_CMOS_RTC;
    f->flags = HW_REDUCED | NO_POWER_BUTTON | NO_SLEEP_BUTTON;
    f->sleep_control = (struct address){SPACE_IO, 8, 0, ACCESS_BYTE, ACPI_SLEEP_CONTROL_PORT};
    f->sleep_status = (struct address){SPACE_IO, 8, 0, ACCESS_BYTE, ACPI_SLEEP_STATUS_PORT};
    seal(&f->header, "FACP", 5, sizeof *f);
}

static void fill_madt(struct madt *m, unsigned n_vcpus)
{
    m->lapic_address = LAPIC_ADDRESS;
    for (unsigned i = 0; i < n_vcpus; i++)
        m->lapics[i] = (struct lapic){0, sizeof m->lapics[i], (uint8_t)i, (uint8_t)i, LAPIC_ENABLED};
    seal(&m->header, "APIC", 3, offsetof(struct madt, lapics) + n_vcpus * sizeof m->lapics[0]);
}

void acpi_write(uint8_t tables[ACPI_TABLES_BYTES], uint32_t gpa, unsigned n_vcpus)
{
    struct tables t = {0};

    assert(n_vcpus >= 1 && n_vcpus <= ACPI_VCPUS_MAX);
    assert(gpa % 16 == 0);
    memcpy(t.dsdt.code, s5, sizeof s5);
    seal(&t.dsdt.header, "DSDT", 2, sizeof t.dsdt);
    fill_fadt(&t.fadt, gpa + (uint32_t)offsetof(struct tables, dsdt));
    fill_madt(&t.madt, n_vcpus);
    t.xsdt.fadt = gpa + offsetof(struct tables, fadt);
    t.xsdt.madt = gpa + offsetof(struct tables, madt);
    seal(&t.xsdt.header, "XSDT", 1, sizeof t.xsdt);
    fill_rsdp(&t.rsdp, gpa + offsetof(struct tables, xsdt));
    memset(tables, 0, ACPI_TABLES_BYTES);
    memcpy(tables, &t, sizeof t);
}

bool acpi_is_power_off(uint8_t sleep_control) { return sleep_control == (S5_TYPE << SLP_TYP_SHIFT | SLP_EN); }
