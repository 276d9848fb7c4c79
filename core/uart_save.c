/* SPDX-License-Identifier: MIT */
#include "uart.h"
#include <vcons/save.h>

void vc_uart_save_fifos(const struct vc_uart_rx *rx, const struct vc_uart_tx *tx, struct vc_writer *w)
{
    vc_write_u32(w, rx_level(rx));
    vc_write_u32(w, tx_level(tx));
    for (uint32_t i = rx->head; i != rx->tail; i++)
        vc_write_u32(w, rx->at[i % VC_UART_FIFO]);
    for (uint32_t i = tx->head; i != tx->tail; i++)
        vc_write_u8(w, tx->at[i % VC_UART_FIFO]);
}

bool vc_uart_restore_fifos(struct vc_uart_rx *rx, struct vc_uart_tx *tx, uint32_t depth, uint32_t entry_bits,
                           struct vc_reader *r)
{
    uint32_t n = vc_read_u32(r), m = vc_read_u32(r), excess = 0;

    if (n > depth || m > depth)
        return false;
    rx->head = tx->head = 0;
    for (rx->tail = 0; rx->tail < n;) {
        uint32_t entry = vc_read_u32(r);

        excess |= entry & ~entry_bits;
        rx_push(rx, entry);
    }
    for (tx->tail = 0; tx->tail < m;)
        tx_push(tx, vc_read_u8(r));
    return excess == 0 && vc_reader_done(r);
}
