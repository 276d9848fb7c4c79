/* SPDX-License-Identifier: MIT */
#include "virtios.h"
#include "cpus.h"
#include "x86.h"
#include <vcons/wire/virtio_places.h>

#define PLACES     (VC_VIRTIO_MAX + 32u)
#define MAPPED_END UINT64_C(0x100000000)

static const char word[] = "virtio_mmio.device=";
static struct tiny_virtio_place places[PLACES];
static uint32_t n_places;

/* x86 keeps a load or store of registers in the order of the others: they are uncached where no RAM is. */
static uint32_t read(const struct virtio_io *io, uint32_t offset, uint32_t width)
{
    uintptr_t at = (uintptr_t)(io->base + offset);

    __asm__ volatile("" : : : "memory");
    return width == 1 ? *(volatile uint8_t *)at : width == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

static void write(const struct virtio_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    uintptr_t at = (uintptr_t)(io->base + offset);

    __asm__ volatile("" : : : "memory");
    if (width == 1)
        *(volatile uint8_t *)at = (uint8_t)value;
    else if (width == 2)
        *(volatile uint16_t *)at = (uint16_t)value;
    else
        *(volatile uint32_t *)at = value;
    __asm__ volatile("" : : : "memory");
}

static void add(uint64_t base, uint32_t irq)
{
    for (uint32_t i = 0; i < n_places; i++)
        if (places[i].io.base == base)
            return;
    if (n_places < PLACES && base < MAPPED_END - VC_VIRTIO_BYTES)
        places[n_places++] = (struct tiny_virtio_place){{base, read, write}, irq};
}

/* A number as C has it, up to what is no digit of it. */
static const char *take_number(const char *at, uint64_t *number)
{
    uint32_t base = at[0] == '0' && at[1] == 'x' ? 16 : 10;

    at += base == 16 ? 2 : 0;
    for (*number = 0;; at++) {
        uint32_t digit = *at >= '0' && *at <= '9'   ? (uint32_t)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (uint32_t)(*at - 'a') + 10
                                                    : 16;

        if (digit >= base)
            return at;
        *number = *number * base + digit;
    }
}

static void take_place(const char *at)
{
    uint64_t bytes, base, irq;

    at = take_number(at, &bytes);
    if (*at == 'k' || *at == 'K')
        at++;
    if (*at != '@')
        return;
    at = take_number(at + 1, &base);
    if (*at != ':')
        return;
    take_number(at + 1, &irq);
    add(base, (uint32_t)irq);
}

/* at is a word that names a device: it becomes blanks. */
static void take_word(char *at)
{
    take_place(at + sizeof word - 1);
    for (; *at != '\0' && *at != ' ' && *at != ';'; at++)
        *at = ' ';
}

static bool begins(const char *at)
{
    for (size_t i = 0; i < sizeof word - 1; i++)
        if (at[i] != word[i])
            return false;
    return true;
}

const struct tiny_virtio_place *pvh_virtio_places(char *cmdline, bool hypervisor, uint32_t *n)
{
    for (char *at = cmdline; *at != '\0'; at++)
        if (begins(at))
            take_word(at);
    for (uint32_t i = 0; hypervisor && i < VC_VIRTIO_MAX; i++)
        add(VC_VIRTIO_PC_BASE + i * (uint64_t)VC_VIRTIO_BYTES, VC_VIRTIO_PC_LINE + i % VC_VIRTIO_PC_LINES);
    *n = n_places;
    return places;
}

/* ---- Interrupts: all of them come by one vector, and each device is asked. ---- */

#define IOAPIC         UINT64_C(0xfec00000)
#define IOAPIC_DATA    0x10u
#define IOAPIC_VERSION 1u
#define IOAPIC_PIN(n)  (0x10u + 2u * (n))
#define PIN_LEVEL      0x8000u
#define PIN_OFF        0x10000u
#define IDLE_MAX       1000u /* interrupts in a row for nothing: whoever is at that line, it is not ours */

static struct virtio_console *listeners[TINY_VIRTIO_DEVICES];
static uint32_t pins[TINY_VIRTIO_DEVICES], n_listeners, n_idle;

static volatile uint32_t *ioapic(uint32_t offset) { return (volatile uint32_t *)(uintptr_t)(IOAPIC + offset); }

static void ioapic_write(uint32_t index, uint32_t value)
{
    *ioapic(0) = index;
    *ioapic(IOAPIC_DATA) = value;
}

static uint32_t n_pins(void)
{
    *ioapic(0) = IOAPIC_VERSION;
    return (*ioapic(IOAPIC_DATA) >> 16 & 0xff) + 1;
}

bool pvh_virtio_interrupts(struct virtio_console *c, uint32_t irq)
{
    if (n_listeners == TINY_VIRTIO_DEVICES || irq >= n_pins() || n_idle == IDLE_MAX)
        return false;
    x86_interrupts_off();
    pins[n_listeners] = irq;
    listeners[n_listeners++] = c;
    pvh_take_vector(VIRTIO_VECTOR, pvh_virtio_entry);
    pvh_take_vector(SPURIOUS_VECTOR, pvh_spurious_entry);
    pvh_apic_begin();
    ioapic_write(IOAPIC_PIN(irq) + 1, 0); /* to the first processor */
    ioapic_write(IOAPIC_PIN(irq), VIRTIO_VECTOR | PIN_LEVEL);
    x86_interrupts_on();
    return true;
}

static void give_up(void)
{
    for (uint32_t i = 0; i < n_listeners; i++) {
        ioapic_write(IOAPIC_PIN(pins[i]), VIRTIO_VECTOR | PIN_LEVEL | PIN_OFF);
        listeners[i]->interrupts = listeners[i]->wakes = false; /* they are polled from now on */
    }
}

void pvh_virtio_interrupt(struct pvh_cpu *cpu)
{
    bool any = false;

    (void)cpu;
    for (uint32_t i = 0; i < n_listeners; i++)
        any = virtio_console_interrupt(listeners[i]) || any;
    n_idle = any ? 0 : n_idle + 1;
    if (n_idle == IDLE_MAX)
        give_up();
    pvh_apic_end();
    pvh_rouse();
}
