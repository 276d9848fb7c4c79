/* SPDX-License-Identifier: MIT */
/* A domain's ACPI tables, read back the way a kernel does: by offsets of the specification, not by our structs. */
#include "../../vmm/kvm/x86_64/acpi.h"
#include "../../vmm/kvm/x86_64/lines.h"
#include "unit.h"
#include <string.h>

#define GPA 0xe0000u

static uint8_t tables[ACPI_TABLES_BYTES];

static uint64_t number(const uint8_t *at, unsigned n)
{
    uint64_t v = 0;

    memcpy(&v, at, n);
    return v;
}

static void assert_sums_to_zero(const uint8_t *at, size_t n)
{
    uint8_t total = 0;

    for (size_t i = 0; i < n; i++)
        total = (uint8_t)(total + at[i]);
    assert_int_equal(total, 0);
}

/* The table at a guest physical address: inside, whole, with its signature, and a checksum that is right. */
static const uint8_t *table(uint64_t gpa, const char *signature, size_t n)
{
    const uint8_t *at = tables + (gpa - GPA);

    assert_true(gpa >= GPA && gpa - GPA <= sizeof tables - 36);
    assert_memory_equal(at, signature, 4);
    assert_int_equal(number(at + 4, 4), n);
    assert_true(gpa - GPA + n <= sizeof tables);
    assert_sums_to_zero(at, n);
    return at;
}

static const uint8_t *xsdt(void)
{
    assert_memory_equal(tables, "RSD PTR ", 8);
    assert_int_equal(tables[15], 2);              /* 5.2.5.3: ACPI 2.0 and later */
    assert_int_equal(number(tables + 20, 4), 36); /* length */
    assert_sums_to_zero(tables, 20);
    assert_sums_to_zero(tables, 36);
    return table(number(tables + 24, 8), "XSDT", 36 + 2 * 8);
}

static void a_processor_for_each_vcpu(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= ACPI_VCPUS_MAX; n++) {
        const uint8_t *madt;

        memset(tables, 0xee, sizeof tables);
        acpi_write(tables, GPA, &(struct acpi_machine){.n_vcpus = n});
        madt = table(number(xsdt() + 44, 8), "APIC", 44 + n * 8);
        assert_int_equal(number(madt + 36, 4), 0xfee00000u); /* where the local APIC is */
        assert_int_equal(number(madt + 40, 4), 0);           /* no pair of 8259s */
        for (unsigned i = 0; i < n; i++) {
            const uint8_t lapic[8] = {0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0}; /* 5.2.12.2 */

            assert_memory_equal(madt + 44 + i * 8, lapic, 8);
        }
        assert_int_equal(tables[sizeof tables - 1], 0);
    }
}

static void a_machine_without_hardware_that_can_be_switched_off(void **state)
{
    /* 5.2.3.1: I/O space, 8 bits, at 0, byte access, address */
    static const uint8_t control[12] = {1, 8, 0, 1, 0x00, 0x06}, status[12] = {1, 8, 0, 1, 0x01, 0x06};
    static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 0x05, 0x00, 0x00, 0x00};
    const uint8_t *fadt, *dsdt;

    (void)state;
    acpi_write(tables, GPA, &(struct acpi_machine){.n_vcpus = 4});
    fadt = table(number(xsdt() + 36, 8), "FACP", 268);
    assert_int_equal(fadt[8], 5);                      /* revision */
    assert_int_equal(number(fadt + 109, 2), 0x24);     /* no VGA, no RTC */
    assert_int_equal(number(fadt + 112, 4), 0x100030); /* reduced hardware, no buttons */
    assert_memory_equal(fadt + 244, control, 12);
    assert_memory_equal(fadt + 256, status, 12);
    assert_int_equal(number(fadt + 40, 4), number(fadt + 140, 8)); /* 5.2.9: DSDT and X_DSDT agree */
    dsdt = table(number(fadt + 140, 8), "DSDT", 36 + sizeof s5);
    assert_memory_equal(dsdt + 36, s5, sizeof s5);
}

/* What iasl makes of
 *     Scope (\_SB) { Device (COM1) { Name (_HID, EisaId ("PNP0501")) Name (_UID, Zero as a byte) Name (_CRS, ResourceTemplate () {
 *         IO (Decode16, 0x3f8, 0x3f8, 1, 8) Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {4} }) } … } */
static void serial_ports_have_lines(void **state)
{
    static const uint8_t com1[] = {0x5b, 0x82, 0x43, 0x03, 'C',  'O',  'M',  '1',  0x08, '_',  'H',  'I',  'D',  0x0c,
                                   0x41, 0xd0, 0x05, 0x01, 0x08, '_',  'U',  'I',  'D',  0x0a, 0x00, 0x08, '_',  'C',
                                   'R',  'S',  0x11, 0x16, 0x0a, 0x13, 0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08,
                                   0x89, 0x06, 0x00, 0x09, 0x01, 0x04, 0x00, 0x00, 0x00, 0x79, 0x00};
    static const uint8_t io_apic[12] = {1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0}; /* 5.2.12.3: id 2, from line 0 */
    static const struct {
        uint16_t port;
        uint8_t line;
    } pc[4] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};

    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        size_t scope_bytes = 7 + n * sizeof com1; /* of its length and name, and of what is in it */
        uint8_t scope[] = {0x10, (uint8_t)(0x40 | (scope_bytes & 15)), (uint8_t)(scope_bytes >> 4), '\\', '_', 'S', 'B',
                           '_'};
        const uint8_t *fadt, *dsdt, *madt;

        acpi_write(tables, GPA, &(struct acpi_machine){.n_vcpus = 2, .uarts = lines_uarts, .n_uarts = n});
        madt = table(number(xsdt() + 44, 8), "APIC", 44 + 2 * 8 + 12);
        assert_memory_equal(madt + 44 + 2 * 8, io_apic, 12);
        fadt = table(number(xsdt() + 36, 8), "FACP", 268);
        dsdt = table(number(fadt + 140, 8), "DSDT", 36 + 13 + 1 + scope_bytes) + 36 + 13;
        assert_memory_equal(dsdt, scope, sizeof scope);
        for (unsigned i = 0; i < n; i++) {
            uint8_t device[sizeof com1];

            memcpy(device, com1, sizeof com1);
            device[7] = (uint8_t)('1' + i);
            device[24] = (uint8_t)i;
            device[36] = device[38] = (uint8_t)pc[i].port;
            device[37] = device[39] = (uint8_t)(pc[i].port >> 8);
            device[47] = pc[i].line;
            assert_memory_equal(dsdt + sizeof scope + i * sizeof com1, device, sizeof com1);
        }
    }
}

/* What iasl makes of
 *     Device (VC00) { Name (_HID, "LNRO0005") Name (_UID, Zero as a byte) Name (_CRS, ResourceTemplate () {
 *         Memory32Fixed (ReadWrite, 0xfeb00000, 0x200) Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) {16} }) } */
static const uint8_t vc00[] = {0x5b, 0x82, 0x4c, 0x03, 'V',  'C',  '0',  '0',  0x08, '_',  'H',  'I',  'D',
                               0x0d, 'L',  'N',  'R',  'O',  '0',  '0',  '0',  '5',  0x00, 0x08, '_',  'U',
                               'I',  'D',  0x0a, 0x00, 0x08, '_',  'C',  'R',  'S',  0x11, 0x1a, 0x0a, 0x17,
                               0x86, 0x09, 0x00, 0x01, 0x00, 0x00, 0xb0, 0xfe, 0x00, 0x02, 0x00, 0x00, 0x89,
                               0x06, 0x00, 0x09, 0x01, 0x10, 0x00, 0x00, 0x00, 0x79, 0x00};

/* device-abi 2.5: nothing else tells a PC's kernel of them. */
static void virtio_devices_have_places_and_lines(void **state)
{
    static const struct {
        const char *name;
        unsigned n_uarts;
        uint32_t virtio;
    } rows[] = {{"one", 0, 1},
                {"one beside a UART", 1, 1},
                {"a gap", 0, 5},
                {"the last alone", 0, UINT32_C(1) << 31},
                {"all that there may be", 4, UINT32_MAX}};
    enum { COM = 53 };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        const uint8_t *fadt, *dsdt, *at;
        size_t n = (size_t)__builtin_popcount(rows[i].virtio), bytes = 7 + rows[i].n_uarts * COM + n * sizeof vc00;

        acpi_write(
            tables, GPA,
            &(struct acpi_machine){
                .n_vcpus = ACPI_VCPUS_MAX, .uarts = lines_uarts, .n_uarts = rows[i].n_uarts, .virtio = rows[i].virtio});
        table(number(xsdt() + 44, 8), "APIC", 44 + ACPI_VCPUS_MAX * 8 + 12);
        fadt = table(number(xsdt() + 36, 8), "FACP", 268);
        dsdt = table(number(fadt + 140, 8), "DSDT", 36 + 13 + 1 + bytes) + 36 + 13;
        if (dsdt[0] != 0x10 || dsdt[1] != (0x40 | (bytes & 15)) || dsdt[2] != bytes >> 4)
            fail_msg("%s: a scope of another length", rows[i].name);
        at = dsdt + 8 + rows[i].n_uarts * COM;
        for (unsigned number = 0; number < 32; number++) {
            uint8_t device[sizeof vc00];

            if ((rows[i].virtio >> number & 1) == 0)
                continue;
            memcpy(device, vc00, sizeof vc00);
            device[6] = (uint8_t)('0' + number / 10);
            device[7] = (uint8_t)('0' + number % 10);
            device[29] = (uint8_t)number;
            device[44] = (uint8_t)(number * 2); /* 512 bytes each */
            device[56] = (uint8_t)(16 + number % 8);
            if (memcmp(at, device, sizeof device) != 0)
                fail_msg("%s: device %u", rows[i].name, number);
            at += sizeof device;
        }
    }
}

static void what_switches_off(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        if (acpi_is_power_off((uint8_t)byte) != (byte == 0x34)) /* type 5 << 2 | enable 0x20: what Linux writes */
            fail_msg("wrong about %#x", byte);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_processor_for_each_vcpu),
        cmocka_unit_test(a_machine_without_hardware_that_can_be_switched_off),
        cmocka_unit_test(serial_ports_have_lines),
        cmocka_unit_test(virtio_devices_have_places_and_lines),
        cmocka_unit_test(what_switches_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
