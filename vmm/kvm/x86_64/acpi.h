/* SPDX-License-Identifier: MIT */
/*
 * acpi.h: the ACPI tables of a domain: how many processors there are, and how to switch it off.
 *
 * Spec:  ACPI 5.0; bare section numbers below are its own. RSDP, XSDT, FADT (reduced hardware), MADT, DSDT.
 *        Linux as a Xen guest takes its vCPUs' numbers from the MADT (ACPI id = Xen's vCPU id) and has no clock
 *        events without one; it powers off by writing the type of \_S5 to the sleep control register and by no
 *        hypercall. It knows the four serial ports of a PC without us, but on reduced hardware no interrupt that is
 *        not told of here. Of virtio-mmio devices it learns from here alone (device-abi 2.5), places and lines being
 *        those of wire/virtio_places.h.
 * Owner: the caller's bytes.
 * Lock:  none.
 * Trust: nothing of the guest's is read.
 */
#ifndef VMM_KVM_X86_64_ACPI_H
#define VMM_KVM_X86_64_ACPI_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lines_uart; /* lines.h */

#define ACPI_VCPUS_MAX          64u
#define ACPI_TABLES_BYTES       4096u
#define ACPI_SLEEP_CONTROL_PORT 0x600u /* 8 bits, as the status that follows: no PC has anything here */
#define ACPI_SLEEP_STATUS_PORT  0x601u

struct acpi_machine {
    unsigned n_vcpus; /* 1..ACPI_VCPUS_MAX; their local APIC ids are their numbers */
    const struct lines_uart *uarts;
    unsigned n_uarts; /* of those, 0..LINES_UARTS_MAX */
    uint32_t virtio;  /* bit n: device n is there */
};

/*
 * Write the tables of this machine into tables, which the guest will find at gpa (below 4 GiB, aligned to 16). With devices there
 * is an I/O APIC, whose pins are their lines. The RSDP is the first of the tables. What is left over is zero.
 */
void acpi_write(uint8_t tables[ACPI_TABLES_BYTES], uint32_t gpa, const struct acpi_machine *machine);

/* Whether this byte, written to the sleep control register, switches the domain off: 4.8.3.7, SLP_TYP 5 with SLP_EN. */
bool acpi_is_power_off(uint8_t sleep_control);

#endif
