/* SPDX-License-Identifier: MIT */
#include "arm64.h"
#include "gic.h"
#include "machine.h"

#define SPI_FIRST 32u
#define NO_IRQ    UINT32_MAX
#define TAKES_MAX 64u

struct tiny_uart_place arm64_uart_places[TREE_UARTS];
static struct uart *listeners[TREE_UARTS];
static uint32_t listener_irqs[TREE_UARTS], n_listeners;
static const struct tree *tree;
static bool roused; /* by an interrupt, since the last wait; touched on vCPU 0 alone */

static uint32_t read(const struct uart_io *io, uint32_t offset, uint32_t width)
{
    uint64_t at = io->base + offset;

    return width == 1 ? mmio_read8(at) : width == 2 ? mmio_read16(at) : mmio_read32(at);
}

static void write(const struct uart_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    uint64_t at = io->base + offset;

    if (width == 1)
        mmio_write8(at, value);
    else if (width == 2)
        mmio_write16(at, value);
    else
        mmio_write32(at, value);
}

void arm64_uarts_begin(const struct tree *t)
{
    tree = t;
    for (uint32_t i = 0; i < t->n_uarts; i++) {
        const struct tree_uart *u = &t->uarts[i];

        arm64_uart_places[i] = (struct tiny_uart_place){u->sbsa ? &uart_sbsa : &uart_pl011,
                                                        {u->base, read, write},
                                                        u->spi == TREE_NO_SPI ? NO_IRQ : SPI_FIRST + u->spi};
    }
}

bool arm64_uart_interrupts(struct uart *u, uint32_t irq)
{
    if (irq == NO_IRQ || (n_listeners == 0 && !gic_begin(tree)))
        return false;
    arm64_interrupts_off();
    listener_irqs[n_listeners] = irq;
    listeners[n_listeners++] = u;
    gic_enable(irq);
    arm64_interrupts_on();
    return true;
}

/* One that nobody takes would come for ever. */
static void serve(uint32_t intid)
{
    bool wanted = false;

    for (uint32_t i = 0; i < n_listeners; i++) {
        if (listener_irqs[i] != intid)
            continue;
        uart_interrupt(listeners[i]);
        wanted = wanted || listeners[i]->interrupts;
    }
    if (!wanted)
        gic_disable(intid);
}

void arm64_interrupt(void)
{
    for (uint32_t i = 0; i < TAKES_MAX; i++) {
        uint32_t intid = gic_take();

        if (intid == GIC_NONE)
            break;
        serve(intid & 0x3ff);
        gic_end(intid);
        roused = true;
    }
}

/* Taken back here: what is touched by a handler too. */
static bool was_roused(void) { return __atomic_exchange_n(&roused, false, __ATOMIC_RELAXED); }

void arm64_wait(void *ctx, const uint32_t *ports, uint32_t n, uint64_t until_ns)
{
    bool on = arm64_interrupts_off();

    (void)ctx, (void)ports, (void)n;
    if (until_ns == 0 && !was_roused())
        arm64_wait_for_interrupt();
    else if (until_ns != 0 && !was_roused())
        arm64_wait_for_event(); /* for no reason before the time: the caller looks again */
    if (on)
        arm64_interrupts_on();
}
