/* SPDX-License-Identifier: MIT */
/*
 * uart: a guest's write of a data register until its byte is on the line. pl011, 16550: the line is a ring in memory,
 * so that what is left is the device; batch: the same bytes as coalesced writes; line: the line that vcons-vmm has,
 * vc_source_put.
 */
#include "bench.h"
#include <vcons/line.h>
#include <vcons/ns16550.h>
#include <vcons/pl011.h>

enum { WRITES = 20000000, RING = 65536, BATCH = 170 };

static uint8_t ring[RING];
static uint32_t prod;
static struct vc_source source;
static struct vc_sink sink;
static uint64_t checked;

static uint32_t to_ring(void *ctx, const uint8_t *bytes, uint32_t n)
{
    uint32_t at = prod;

    (void)ctx;
    for (uint32_t i = 0; i < n; i++)
        ring[at++ % RING] = bytes[i];
    __atomic_store_n(&prod, at, __ATOMIC_RELEASE);
    return n;
}

/* The service, as cheap as it can be: whenever half the line is full, all of it is looked at and taken. */
static void serve(void)
{
    struct vc_span spans[2];
    uint32_t n;

    require(vc_sink_peek(&sink, spans, &n) == VC_OK);
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < spans[s].n; i++)
            require(spans[s].bytes[i] == stream_byte(checked++));
    vc_sink_commit(&sink, n);
}

static uint32_t to_line(void *ctx, const uint8_t *bytes, uint32_t n)
{
    uint32_t done;
    bool kick = false;

    (void)ctx;
    require(vc_source_put(&source, bytes, n, &done, &kick) == VC_OK);
    return done;
}
static void irq(void *ctx, bool level) { (void)ctx, (void)level; }
static void timer(void *ctx, uint64_t ns) { (void)ctx, (void)ns; }
static void quiet(void *ctx) { (void)ctx; }

static void open_line(void)
{
    static const uint8_t id[VC_LINE_ID_BYTES] = {1};
    size_t bytes = vc_line_bytes(RING, 4096);
    void *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

    require(memory != NULL);
    memset(memory, 0, bytes);
    require(vc_line_format(memory, RING, 4096, id) == VC_OK && vc_source_open(&source, memory, bytes) == VC_OK &&
            vc_sink_open(&sink, memory, bytes) == VC_OK);
}

/* Every byte of the ring's last round is where it must be. */
static void check_ring(void)
{
    require(prod == WRITES);
    for (uint64_t i = WRITES - RING; i < WRITES; i++)
        require(ring[i % RING] == stream_byte(i));
}

static uint64_t write_batches(struct vc_pl011 *u)
{
    struct vc_uart_write writes[BATCH];
    uint64_t spent = 0;

    for (uint32_t i = 0; i < WRITES;) {
        uint32_t n = 0;
        uint64_t began;

        for (; n < BATCH && i < WRITES; i++)
            writes[n++] = (struct vc_uart_write){.offset = UARTDR, .width = 1, .value = stream_byte(i)};
        began = now_ns();
        vc_pl011_write_batch(u, writes, n);
        spent += now_ns() - began;
    }
    return spent;
}

int main(int argc, char **argv)
{
    static const struct vc_uart_env ring_env = {to_ring, irq, timer, quiet, quiet},
                                    line_env = {to_line, irq, timer, quiet, quiet};
    struct vc_pl011 arm;
    struct vc_16550 ns;
    uint64_t began, spent = 0;

    require(argc == 2);
    vc_pl011_init(&arm, VC_PL011_FULL, strcmp(argv[1], "line") == 0 ? &line_env : &ring_env, NULL);
    vc_16550_init(&ns, &ring_env, NULL);
    open_line();
    began = now_ns();
    if (strcmp(argv[1], "pl011") == 0)
        for (uint32_t i = 0; i < WRITES; i++)
            vc_pl011_write(&arm, UARTDR, 1, stream_byte(i));
    else if (strcmp(argv[1], "16550") == 0)
        for (uint32_t i = 0; i < WRITES; i++)
            vc_16550_write(&ns, UART_DATA, 1, stream_byte(i));
    else if (strcmp(argv[1], "batch") == 0)
        spent = write_batches(&arm);
    else
        for (uint32_t i = 0; i < WRITES; i++) {
            vc_pl011_write(&arm, UARTDR, 1, stream_byte(i));
            if (i % (RING / 2) == RING / 2 - 1) {
                uint64_t pause = now_ns();

                serve();
                began += now_ns() - pause;
            }
        }
    spent = spent != 0 ? spent : now_ns() - began;
    if (strcmp(argv[1], "line") == 0) {
        serve();
        require(checked == WRITES);
    } else
        check_ring();
    printf("{\"value\": %.3f}\n", (double)spent / WRITES);
    return 0;
}
