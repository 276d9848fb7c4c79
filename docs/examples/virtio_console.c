/* SPDX-License-Identifier: MIT */
/*
 * A virtio-console in your own hypervisor: what vc_virtio_console needs from you, and what it does with a guest's queues.
 *
 *     cc virtio_console.c $(pkg-config --cflags --libs vcons) -o virtio_console && ./virtio_console
 *
 * Here the guest is the second half: a driver that knows one port. In a hypervisor reg() is called by the vCPU thread that
 * stopped at the device's place, and vc_virtio_console_input by whoever has input; all of them under one lock of yours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/virtio_console.h>

enum { RAM_BYTES = 0x10000, SIZE = 4 };
static _Alignas(4096) uint8_t ram[RAM_BYTES]; /* guest physical memory, from address 0 */

/* Guest memory as it lies here; NULL for what is none. */
static void *at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    (void)ctx;
    (void)write;
    return gpa < RAM_BYTES && n <= RAM_BYTES - gpa ? ram + gpa : NULL;
}

static void irq(void *ctx, bool level) { *(unsigned *)ctx += level; } /* here you would set the interrupt line */

/* Output. Take less than n if your log is full: the guest waits until you call vc_virtio_console_output_room. */
static uint32_t out(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    (void)port;
    return (uint32_t)fwrite(bytes, 1, n, stdout);
}

static void emergency(void *ctx, uint32_t port, uint8_t byte)
{
    (void)ctx;
    (void)port;
    putchar(byte);
}

static void input_room(void *ctx, uint32_t port) /* after this call, offer again what was not taken */
{
    (void)ctx;
    (void)port;
}

static void guest_open(void *ctx, uint32_t port, bool open)
{
    (void)ctx;
    printf("[port %u is %s]\n", port, open ? "open" : "closed");
}

static void broken(void *ctx, uint32_t port, enum vc_virtio_reason reason)
{
    (void)ctx;
    printf("[port %u is broken: %d]\n", port, reason);
}

static void later(void *ctx) { (void)ctx; } /* wake a thread of yours that calls vc_virtio_console_serve */

static const struct vc_virtio_console_env env = {{at, irq},  out,    emergency, input_room,
                                                 guest_open, broken, later,     NULL};

/* ---- The guest. ---- */

static void reg(struct vc_virtio_console *c, uint32_t offset, uint32_t value)
{
    vc_virtio_mmio_write(&c->mmio, offset, 4, value);
}

/* Queue 0, to the guest, lies at 0x1000, queue 1 at 0x2000: descriptors, at 0x100 and 0x200 behind them the rings. */
static void set_queue(struct vc_virtio_console *c, uint32_t queue)
{
    uint32_t gpa = 0x1000 * (queue + 1);

    reg(c, VIRTIO_MMIO_QUEUE_SEL, queue);
    reg(c, VIRTIO_MMIO_QUEUE_SIZE, SIZE);
    reg(c, VIRTIO_MMIO_QUEUE_DESC_LOW, gpa);
    reg(c, VIRTIO_MMIO_QUEUE_DRIVER_LOW, gpa + 0x100);
    reg(c, VIRTIO_MMIO_QUEUE_DEVICE_LOW, gpa + 0x200);
    reg(c, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* Lend the first descriptor of a queue, with n bytes at gpa. */
static void lend(struct vc_virtio_console *c, uint32_t queue, uint64_t gpa, uint32_t n)
{
    struct virtq_desc d = {gpa, n, queue == VIRTIO_CONSOLE_RX0 ? VIRTQ_DESC_F_WRITE : 0, 0};
    uint16_t *avail = (uint16_t *)(void *)(ram + 0x1000 * (queue + 1) + 0x100);

    memcpy(ram + 0x1000 * (queue + 1), &d, sizeof d);
    avail[VIRTQ_AVAIL_RING + avail[VIRTQ_AVAIL_IDX] % SIZE] = 0;
    avail[VIRTQ_AVAIL_IDX]++;
    reg(c, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

int main(void)
{
    static struct vc_virtio_console c; /* large: better not on a stack */
    struct vc_virtio_console_config config = {.ports = 1};
    struct vc_virtio_port_config port = {.console = true, .host_open = true};
    void *memory = malloc(vc_virtio_console_bytes(config.ports));
    struct virtq_used_elem used;
    unsigned interrupts = 0;

    if (memory == NULL || vc_virtio_console_init(&c, &config, &env, &interrupts, memory) != VC_OK ||
        vc_virtio_console_add(&c, 0, &port) != VC_OK)
        return 1;

    /* The guest's driver sets the device up: VIRTIO 1.2, 3.1.1. */
    reg(&c, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    reg(&c, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    reg(&c, VIRTIO_MMIO_DRIVER_FEATURES, 1); /* VERSION_1, and no more: one port, always open */
    reg(&c, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_FEATURES_OK);
    set_queue(&c, VIRTIO_CONSOLE_RX0);
    set_queue(&c, VIRTIO_CONSOLE_TX0);
    reg(&c, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_DRIVER_OK);

    memcpy(ram + 0x4000, "Hello, hypervisor.\n", 19);
    lend(&c, VIRTIO_CONSOLE_TX0, 0x4000, 19);

    /* Somebody types, and the guest reads. */
    lend(&c, VIRTIO_CONSOLE_RX0, 0x5000, 64);
    vc_virtio_console_input(&c, 0, (const uint8_t *)"hello guest\n", 12);
    memcpy(&used, ram + 0x1000 + 0x200 + VIRTQ_USED_RING, sizeof used);
    printf("the guest got %u bytes: %.*s", used.len, (int)used.len, (const char *)ram + 0x5000);

    reg(&c, VIRTIO_MMIO_STATUS, 0); /* it is rebooted */
    printf("interrupts: %u\n", interrupts);
    free(memory);
    return 0;
}
