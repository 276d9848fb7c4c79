/* SPDX-License-Identifier: MIT */
#include "arm64.h"
#include "gic.h"
#include "machine.h"

#define TAKES_MAX 64u

struct tiny_uart_place arm64_uart_places[TREE_UARTS];
static struct uart *listeners[TREE_UARTS];
static uint32_t listener_irqs[TREE_UARTS], n_listeners;
static bool has_gic;
static const struct tree *tree;
static bool roused; /* by an interrupt that is no upcall, since the last wait; touched on vCPU 0 alone */

static uint32_t read(const struct uart_io *io, uint32_t offset, uint32_t width)
{
    return mmio_read(io->base + offset, width);
}

static void write(const struct uart_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    mmio_write(io->base + offset, width, value);
}

void arm64_uarts_begin(const struct tree *t)
{
    tree = t;
    for (uint32_t i = 0; i < t->n_uarts; i++) {
        const struct tree_uart *u = &t->uarts[i];

        arm64_uart_places[i] =
            (struct tiny_uart_place){u->sbsa ? &uart_sbsa : &uart_pl011, {u->base, read, write}, arm64_intid(u->spi)};
    }
}

bool arm64_interrupts_begin(void)
{
    has_gic = has_gic || gic_begin(tree);
    return has_gic;
}

bool arm64_uart_interrupts(struct uart *u, uint32_t irq)
{
    if (irq == ARM64_NO_IRQ || !arm64_interrupts_begin())
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
    bool wanted = arm64_virtio_interrupt(intid);

    for (uint32_t i = 0; i < n_listeners; i++) {
        if (listener_irqs[i] != intid)
            continue;
        uart_interrupt(listeners[i]);
        wanted = wanted || listeners[i]->interrupts;
    }
    if (!wanted)
        gic_disable(intid);
}

void arm64_interrupt(struct arm64_cpu *cpu)
{
    for (uint32_t i = 0; i < TAKES_MAX; i++) {
        uint32_t taken = gic_take(), intid = taken & 0x3ff;

        if (taken == GIC_NONE)
            break;
        if (intid == tree->xen_ppi && cpu->cpu != NULL) {
            events_upcall(&cpu->cpu->events);
        } else {
            serve(intid);
            roused = true;
        }
        gic_end(taken);
    }
}

/* Taken back here: what is touched by a handler too. */
static bool was_roused(void) { return __atomic_exchange_n(&roused, false, __ATOMIC_RELAXED); }

void arm64_sleep(void)
{
    if (!was_roused())
        arm64_wait_for_interrupt();
}

void arm64_wait(void *ctx, const uint32_t *ports, uint32_t n, uint64_t until_ns)
{
    bool on = arm64_interrupts_off();

    (void)ctx, (void)ports, (void)n;
    if (until_ns == 0)
        arm64_sleep();
    else if (!was_roused())
        arm64_wait_for_event(); /* for no reason before the time: the caller looks again */
    if (on)
        arm64_interrupts_on();
}
