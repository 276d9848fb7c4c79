/* SPDX-License-Identifier: MIT */
#include "uarts.h"
#include "cpus.h"
#include "x86.h"

enum { PIC_1 = 0x20, PIC_2 = 0xa0, PIC_CASCADE = 2 }; /* command; the mask is beside it */
enum { ICW1_INIT = 0x11, ICW4_8086_AUTO_EOI = 3, ALL_OFF = 0xff };

#define PASSES_MAX 8u

static struct uart *listeners[PVH_UARTS];
static uint32_t n_listeners;

static uint32_t read_port(const struct uart_io *io, uint32_t offset, uint32_t width)
{
    (void)width; /* all of a byte */
    return x86_inb((uint16_t)(io->base + offset));
}

static void write_port(const struct uart_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    (void)width;
    x86_outb((uint16_t)(io->base + offset), (uint8_t)value);
}

const struct tiny_uart_place pvh_uart_places[PVH_UARTS] = {
    {&uart_16550, {0x3f8, read_port, write_port}, 4},
    {&uart_16550, {0x2f8, read_port, write_port}, 3},
    {&uart_16550, {0x3e8, read_port, write_port}, 4},
    {&uart_16550, {0x2e8, read_port, write_port}, 3},
};

static void set_up_pic(uint16_t port, uint8_t vector, uint8_t cascade)
{
    x86_outb(port, ICW1_INIT);
    x86_outb(port + 1, vector);
    x86_outb(port + 1, cascade);
    x86_outb(port + 1, ICW4_8086_AUTO_EOI);
    x86_outb(port + 1, ALL_OFF);
}

static void set_up(void)
{
    set_up_pic(PIC_1, PIC_VECTOR, 1 << PIC_CASCADE);
    set_up_pic(PIC_2, PIC_VECTOR + 8, PIC_CASCADE);
    for (uint32_t i = 0; i < 16; i++)
        pvh_take_vector(PIC_VECTOR + i, pvh_spurious_entry);
    pvh_apic_on();
}

bool pvh_uart_interrupts(struct uart *u, uint32_t irq)
{
    x86_interrupts_off();
    if (n_listeners == 0)
        set_up();
    listeners[n_listeners++] = u;
    pvh_take_vector(PIC_VECTOR + irq, pvh_uart_entry);
    x86_outb(PIC_1 + 1, x86_inb(PIC_1 + 1) & ~(1u << irq));
    x86_interrupts_on();
    return true;
}

/* Two may share a line, which tells of its rise alone: so until none of them has anything to say. */
void pvh_uart_interrupt(struct pvh_cpu *cpu)
{
    bool again = true;

    (void)cpu;
    for (uint32_t passes = 0; again && passes < PASSES_MAX; passes++) {
        again = false;
        for (uint32_t i = 0; i < n_listeners; i++)
            again = (uart_interrupt(listeners[i]) && n_listeners > 1) || again;
    }
    pvh_rouse();
}

void pvh_wait(void *ctx, const uint32_t *ports, uint32_t n, uint64_t until_ns)
{
    bool on = x86_interrupts_off();

    (void)ctx, (void)ports, (void)n;
    if (until_ns == 0) /* else for no reason: nothing would end it at that time */
        pvh_sleep();
    if (on)
        x86_interrupts_on();
}
