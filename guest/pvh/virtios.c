/* SPDX-License-Identifier: MIT */
#include "virtios.h"
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
