/* SPDX-License-Identifier: MIT */
#include "acpi.h"
#include "lines.h"
#include <assert.h>
#include <string.h>
#include <vcons/wire/virtio_places.h>

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

struct io_apic { /* 5.2.12.3 */
    uint8_t type, length, id, reserved;
    uint32_t address, first_line;
} __attribute__((packed));

struct madt { /* 5.2.12 */
    struct header header;
    uint32_t lapic_address, flags;
    struct lapic lapics[ACPI_VCPUS_MAX];
    struct io_apic room; /* for the one that stands behind the last of those */
} __attribute__((packed));

/* 19.2: Name (\_S5, Package (4) { 5, 0, 0, 0 }), 7.3.4.6. */
static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 7, 4, 0x0a, S5_TYPE, 0, 0, 0};

/* 20.2.4: a length, with itself, in two bytes; at most 4095. */
#define PKG_LENGTH(n) 0x40 | ((n)&15), (uint8_t)((n) >> 4)

/* 6.4.3.6. */
struct line {
    uint8_t tag;
    uint16_t length;
    uint8_t flags, n_lines;
    uint32_t line;
} __attribute__((packed));
enum { CONSUMER = 1 << 0, SHARED = 1 << 3 }; /* level and active high are zeros */
#define LINE                                                                                                           \
    {                                                                                                                  \
        .tag = 0x89, .length = 6, .flags = CONSUMER | SHARED, .n_lines = 1                                             \
    }
enum { END_TAG = 0x79 }; /* 6.4.2.9, with a byte of checksum, here none */

/* 19.5.29: Device (COMn) { Name (_HID, EisaId ("PNP0501")) Name (_UID, n) Name (_CRS, …) }. */
struct uart_device {
    uint8_t op[2], length[2];
    char name[4];
    uint8_t hid[10], uid_name[5], uid_op, uid;
    uint8_t crs_name[5], buffer_op, buffer_length, size_op, size;
    struct { /* 6.4.2.5 */
        uint8_t tag, decode;
        uint16_t lowest, highest;
        uint8_t alignment, n_ports;
    } __attribute__((packed)) io;
    struct line interrupt;
    uint8_t end[2];
} __attribute__((packed));
enum { UART_RESOURCES = 8 + sizeof(struct line) + 2 };

static const struct uart_device uart_device = {
    .op = {0x5b, 0x82},
    .length = {PKG_LENGTH(sizeof(struct uart_device) - 2)},
    .name = "COM1",
    .hid = {0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x05, 0x01},
    .uid_name = {0x08, '_', 'U', 'I', 'D'},
    .uid_op = 0x0a,
    .crs_name = {0x08, '_', 'C', 'R', 'S'},
    .buffer_op = 0x11,
    .buffer_length = 1 + 2 + UART_RESOURCES,
    .size_op = 0x0a,
    .size = UART_RESOURCES,
    .io = {.tag = 0x47, .decode = 1, .alignment = 1, .n_ports = LINES_UART_PORTS},
    .interrupt = LINE,
    .end = {END_TAG},
};

/* Device (VCnn) { Name (_HID, "LNRO0005") Name (_UID, n) Name (_CRS, …) }: what Linux' virtio_mmio.c binds to. */
struct virtio_device {
    uint8_t op[2], length[2];
    char name[4];
    uint8_t hid_name[5], hid_op;
    char hid[9];
    uint8_t uid_name[5], uid_op, uid;
    uint8_t crs_name[5], buffer_op, buffer_length, size_op, size;
    struct { /* 6.4.3.4 */
        uint8_t tag;
        uint16_t length;
        uint8_t writable;
        uint32_t base, bytes;
    } __attribute__((packed)) memory;
    struct line interrupt;
    uint8_t end[2];
} __attribute__((packed));
enum { VIRTIO_RESOURCES = 12 + sizeof(struct line) + 2 };

static const struct virtio_device virtio_device = {
    .op = {0x5b, 0x82},
    .length = {PKG_LENGTH(sizeof(struct virtio_device) - 2)},
    .name = "VC00",
    .hid_name = {0x08, '_', 'H', 'I', 'D'},
    .hid_op = 0x0d,
    .hid = "LNRO0005",
    .uid_name = {0x08, '_', 'U', 'I', 'D'},
    .uid_op = 0x0a,
    .crs_name = {0x08, '_', 'C', 'R', 'S'},
    .buffer_op = 0x11,
    .buffer_length = 1 + 2 + VIRTIO_RESOURCES,
    .size_op = 0x0a,
    .size = VIRTIO_RESOURCES,
    .memory = {.tag = 0x86, .length = 9, .writable = 1, .bytes = VC_VIRTIO_BYTES},
    .interrupt = LINE,
    .end = {END_TAG},
};

/* Scope (\_SB) { the devices }: 5.7.1. */
struct scope {
    uint8_t op, length[2];
    char name[5];
    uint8_t devices[LINES_UARTS_MAX * sizeof(struct uart_device) + VC_VIRTIO_MAX * sizeof(struct virtio_device)];
} __attribute__((packed));

struct dsdt {
    struct header header;
    uint8_t code[sizeof s5];
    struct scope scope; /* left out if it is empty */
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
_Static_assert(sizeof(struct io_apic) == 12, "5.2.12.3");
_Static_assert(sizeof((struct uart_device){0}.io) == 8 && sizeof(struct line) == 9, "6.4.2.5, 6.4.3.6");
_Static_assert(sizeof((struct virtio_device){0}.memory) == 12, "6.4.3.4");
_Static_assert(sizeof(struct scope) - 1 < 4096, "20.2.4");
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

static struct uart_device uart_of(const struct lines_uart *uart, unsigned number)
{
    struct uart_device d = uart_device;

    d.name[3] = (char)('1' + number);
    d.uid = (uint8_t)number;
    d.io.lowest = d.io.highest = uart->port;
    d.interrupt.line = uart->line;
    return d;
}

static struct virtio_device virtio_of(unsigned number)
{
    struct virtio_device d = virtio_device;

    d.name[2] = (char)('0' + number / 10);
    d.name[3] = (char)('0' + number % 10);
    d.uid = (uint8_t)number;
    d.memory.base = (uint32_t)VC_VIRTIO_PC_BASE + number * VC_VIRTIO_BYTES;
    d.interrupt.line = VC_VIRTIO_PC_LINE + number % VC_VIRTIO_PC_LINES;
    return d;
}

/* How many bytes of the scope there are. */
static size_t fill_scope(struct scope *s, const struct acpi_machine *m)
{
    uint8_t *at = s->devices;
    size_t n;

    for (unsigned i = 0; i < m->n_uarts; i++) {
        const struct uart_device d = uart_of(&m->uarts[i], i);

        memcpy(at, &d, sizeof d);
        at += sizeof d;
    }
    for (unsigned i = 0; i < VC_VIRTIO_MAX; i++) {
        const struct virtio_device d = virtio_of(i);

        if ((m->virtio >> i & 1) == 0)
            continue;
        memcpy(at, &d, sizeof d);
        at += sizeof d;
    }
    if (at == s->devices)
        return 0;
    n = (size_t)(at - (uint8_t *)s);
    s->op = 0x10;
    memcpy(s->name, "\\_SB_", sizeof s->name);
    memcpy(s->length, (const uint8_t[]){PKG_LENGTH(n - 1)}, sizeof s->length);
    return n;
}

static void fill_dsdt(struct dsdt *d, const struct acpi_machine *m)
{
    memcpy(d->code, s5, sizeof s5);
    seal(&d->header, "DSDT", 2, offsetof(struct dsdt, scope) + fill_scope(&d->scope, m));
}

static void fill_madt(struct madt *m, unsigned n_vcpus, bool has_lines)
{
    const struct io_apic io_apic = {1, sizeof io_apic, (uint8_t)n_vcpus, 0, IO_APIC_ADDRESS, 0};
    size_t n = offsetof(struct madt, lapics) + n_vcpus * sizeof m->lapics[0];

    m->lapic_address = LAPIC_ADDRESS;
    for (unsigned i = 0; i < n_vcpus; i++)
        m->lapics[i] = (struct lapic){0, sizeof m->lapics[i], (uint8_t)i, (uint8_t)i, LAPIC_ENABLED};
    if (has_lines) {
        memcpy((uint8_t *)m + n, &io_apic, sizeof io_apic);
        n += sizeof io_apic;
    }
    seal(&m->header, "APIC", 3, n);
}

void acpi_write(uint8_t tables[ACPI_TABLES_BYTES], uint32_t gpa, const struct acpi_machine *m)
{
    struct tables t = {0};

    assert(m->n_vcpus >= 1 && m->n_vcpus <= ACPI_VCPUS_MAX);
    assert(gpa % 16 == 0);
    assert(m->n_uarts <= LINES_UARTS_MAX);
    fill_dsdt(&t.dsdt, m);
    fill_fadt(&t.fadt, gpa + (uint32_t)offsetof(struct tables, dsdt));
    fill_madt(&t.madt, m->n_vcpus, m->n_uarts > 0 || m->virtio != 0);
    t.xsdt.fadt = gpa + offsetof(struct tables, fadt);
    t.xsdt.madt = gpa + offsetof(struct tables, madt);
    seal(&t.xsdt.header, "XSDT", 1, sizeof t.xsdt);
    fill_rsdp(&t.rsdp, gpa + offsetof(struct tables, xsdt));
    memset(tables, 0, ACPI_TABLES_BYTES);
    memcpy(tables, &t, sizeof t);
}

bool acpi_is_power_off(uint8_t sleep_control) { return sleep_control == (S5_TYPE << SLP_TYP_SHIFT | SLP_EN); }
