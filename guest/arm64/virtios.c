/* SPDX-License-Identifier: MIT */
/* virtio-mmio devices of the device tree, and their interrupts. */
#include "arm64.h"
#include "gic.h"
#include "machine.h"

struct tiny_virtio_place arm64_virtio_places[TREE_VIRTIOS];
static struct virtio_console *listeners[TINY_VIRTIO_DEVICES];
static uint32_t listener_irqs[TINY_VIRTIO_DEVICES], n_listeners;

static uint32_t read(const struct virtio_io *io, uint32_t offset, uint32_t width)
{
    uint32_t value = mmio_read(io->base + offset, width);

    arm64_barrier(); /* what the device stored before it said so */
    return value;
}

static void write(const struct virtio_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    arm64_barrier(); /* rings and buffers, before the device is told of them */
    mmio_write(io->base + offset, width, value);
}

void arm64_virtios_begin(const struct tree *t)
{
    for (uint32_t i = 0; i < t->n_virtios; i++)
        arm64_virtio_places[i] =
            (struct tiny_virtio_place){{t->virtios[i].base, read, write}, arm64_intid(t->virtios[i].spi)};
}

bool arm64_virtio_interrupts(struct virtio_console *c, uint32_t irq)
{
    if (irq == ARM64_NO_IRQ || n_listeners == TINY_VIRTIO_DEVICES || !arm64_interrupts_begin())
        return false;
    arm64_interrupts_off();
    listener_irqs[n_listeners] = irq;
    listeners[n_listeners++] = c;
    gic_enable(irq);
    arm64_interrupts_on();
    return true;
}

/* Several may share a line, which is a level: each is asked. */
bool arm64_virtio_interrupt(uint32_t intid)
{
    bool ours = false;

    for (uint32_t i = 0; i < n_listeners; i++) {
        if (listener_irqs[i] != intid)
            continue;
        virtio_console_interrupt(listeners[i]);
        ours = true;
    }
    return ours;
}
