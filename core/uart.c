/* SPDX-License-Identifier: MIT */
#include "uart.h"

bool vc_uart_send(struct vc_uart_tx *f, const struct vc_uart_env *env, void *ctx)
{
    uint32_t before = f->head;

    while (tx_level(f) > 0) {
        uint32_t slot = f->head % VC_UART_FIFO, n = tx_level(f), taken;

        n = n < VC_UART_FIFO - slot ? n : VC_UART_FIFO - slot;
        taken = env->out(ctx, f->at + slot, n);
        f->head += taken;
        if (taken < n)
            break;
    }
    return f->head != before;
}

uint64_t vc_uart_timeout_ns(uint32_t bits, uint32_t clock_hz, uint32_t divisor64)
{
    uint64_t ns = UINT64_C(1000000000) * bits / 115200;

    if (divisor64 != 0)
        ns =
            UINT64_C(1000000000) / 64 * bits * 16 * divisor64 / clock_hz; /* below 2^64: divisor64 < 2^22, bits < 2^6 */
    return ns < VC_UART_TIMEOUT_MAX_NS ? ns : VC_UART_TIMEOUT_MAX_NS;
}

bool vc_uart_zone(const struct vc_uart_pace *p, bool is, uint32_t line_room, uint32_t ring_entries)
{
    bool pays = is ? p->empty < VC_UART_EMPTY_DRAINS : p->writes == VC_UART_BUSY_WRITES;

    return pays && line_room / (is ? 1 : 2) >= ring_entries;
}

uint32_t vc_uart_gather(const struct vc_uart_write *writes, uint32_t n, uint32_t max_width, uint8_t *bytes)
{
    uint32_t i = 0;

    for (; i < n && i < VC_UART_BATCH; i++) {
        uint32_t width = writes[i].width;

        if (writes[i].offset != 0 || (width & (width - 1)) != 0 || width == 0 || width > max_width)
            break; /* not the data register, or refused */
        bytes[i] = (uint8_t)writes[i].value;
    }
    return i;
}
