/* SPDX-License-Identifier: MIT */
#include "ns16550.h"
#include <vcons/save.h>

enum { THRE = 1, TIMEOUT = 2, LINES = 0xf0, N_FIELDS = 9 };
/* The numbers of a saved state, in their order, and what each may be at most, bit by bit. */
static const struct {
    size_t at;
    uint32_t bits;
} fields[N_FIELDS] = {
    {offsetof(struct vc_16550, ier), 0x0f},    {offsetof(struct vc_16550, fcr), 0xc9},
    {offsetof(struct vc_16550, lcr), 0xff},    {offsetof(struct vc_16550, mcr), 0x1f},
    {offsetof(struct vc_16550, scr), 0xff},    {offsetof(struct vc_16550, divisor), 0xffff},
    {offsetof(struct vc_16550, errors), 0x1e}, {offsetof(struct vc_16550, deltas), 0x0f},
    {offsetof(struct vc_16550, modem), LINES},
};

void vc_16550_save(const struct vc_16550 *u, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, VC_SAVE_16550, 1);

    for (uint32_t i = 0; i < N_FIELDS; i++)
        vc_write_u32(w, *(const uint32_t *)((const uint8_t *)u + fields[i].at));
    vc_write_u32(w, (u->thre ? THRE : 0) | (u->timeout ? TIMEOUT : 0));
    vc_uart_save_fifos(&u->rx, &u->tx, w);
    vc_write_end(w, begun);
}

int vc_16550_restore(struct vc_16550 *u, struct vc_section *s)
{
    struct vc_reader *r = &s->body;
    struct vc_16550 to = *u;
    uint32_t flags, depth, excess = 0;

    for (uint32_t i = 0; i < N_FIELDS; i++) {
        uint32_t *value = (uint32_t *)((uint8_t *)&to + fields[i].at);

        *value = vc_read_u32(r);
        excess |= *value & ~fields[i].bits;
    }
    flags = vc_read_u32(r);
    depth = (to.fcr & UART_FCR_ENABLE) != 0 ? UART_FIFO_BYTES : 1;
    excess |= flags & ~(uint32_t)(THRE | TIMEOUT);
    excess |= (to.fcr & UART_FCR_ENABLE) != 0 ? 0 : to.fcr;
    if (s->tag != VC_SAVE_16550 || s->version != 1 || excess != 0 ||
        !vc_uart_restore_fifos(&to.rx, &to.tx, depth, 0xeff, r))
        return VC_EINVAL;
    to.thre = (flags & THRE) != 0;
    to.timeout = (flags & TIMEOUT) != 0;
    if ((to.thre && to.tx.tail != 0) || (to.timeout && (depth == 1 || to.rx.tail == 0)))
        return VC_EINVAL; /* said to be empty, or too old, and is not there */
    *u = to;
    vc_16550_restored(u);
    return VC_OK;
}
