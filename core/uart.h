/* SPDX-License-Identifier: MIT */
/* uart.h: the FIFOs of both UARTs. Private to core/. */
#ifndef CORE_UART_H
#define CORE_UART_H
#include <vcons/uart.h>

_Static_assert((VC_UART_FIFO & (VC_UART_FIFO - 1)) == 0, "head and tail wrap at 2^32");

static inline uint32_t rx_level(const struct vc_uart_rx *f) { return f->tail - f->head; }
static inline uint32_t tx_level(const struct vc_uart_tx *f) { return f->tail - f->head; }
static inline void rx_push(struct vc_uart_rx *f, uint32_t entry) { f->at[f->tail++ % VC_UART_FIFO] = (uint16_t)entry; }
static inline uint32_t rx_pop(struct vc_uart_rx *f) { return f->at[f->head++ % VC_UART_FIFO]; }
static inline void tx_push(struct vc_uart_tx *f, uint32_t byte) { f->at[f->tail++ % VC_UART_FIFO] = (uint8_t)byte; }
static inline uint8_t tx_pop(struct vc_uart_tx *f) { return f->at[f->head++ % VC_UART_FIFO]; }

/* Hand to the line what it takes, in order. True: something left the FIFO. */
bool vc_uart_send(struct vc_uart_tx *f, const struct vc_uart_env *env, void *ctx);
/* A time-out of so many bits at clock_hz / (16 * divisor64 / 64) baud; a divisor of 0 is taken for 115200 baud. */
uint64_t vc_uart_timeout_ns(uint32_t bits, uint32_t clock_hz, uint32_t divisor64);
/* One write of the data register that was served by itself; a batch of n. */
static inline void pace_write(struct vc_uart_pace *p)
{
    p->writes += p->writes < VC_UART_BUSY_WRITES;
    p->empty = 0;
}
static inline void pace_batch(struct vc_uart_pace *p, uint32_t n)
{
    p->empty = n > 0 ? 0 : p->empty + (p->empty < VC_UART_EMPTY_DRAINS);
    if (p->empty == VC_UART_EMPTY_DRAINS)
        p->writes = 0;
}
/* Whether there may be a zone of coalesced writes, when nothing in the UART speaks against it. is: there is one. */
bool vc_uart_zone(const struct vc_uart_pace *p, bool is, uint32_t line_room, uint32_t ring_entries);

struct vc_reader;
struct vc_writer;
/* u32 received, u32 unsent; then so many entries u32, so many bytes. */
void vc_uart_save_fifos(const struct vc_uart_rx *rx, const struct vc_uart_tx *tx, struct vc_writer *w);
/* Into empty FIFOs, and nothing is left over. False: more than depth of either, or an entry with other bits than these. */
bool vc_uart_restore_fifos(struct vc_uart_rx *rx, struct vc_uart_tx *tx, uint32_t depth, uint32_t entry_bits,
                           struct vc_reader *r);

/*
 * Bytes of writes that go to the same offset, width 1 to 4, up to VC_UART_BATCH, into bytes; how many. For a batch's
 * fast path: they are sent together.
 */
uint32_t vc_uart_gather(const struct vc_uart_write *writes, uint32_t n, uint32_t max_width, uint8_t *bytes);

#endif
