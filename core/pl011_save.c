/* SPDX-License-Identifier: MIT */
#include "pl011.h"
#include <vcons/save.h>

/* The numbers of a saved state, in their order, and what each may be at most, bit by bit. */
enum { OVERRUN = 1, OWES_TX = 2, N_FIELDS = 13 };
static const struct {
    size_t at;
    uint32_t bits;
} fields[N_FIELDS] = {
    {offsetof(struct vc_pl011, cr), 0xff87},
    {offsetof(struct vc_pl011, lcr_h), 0xff},
    {offsetof(struct vc_pl011, ibrd), 0xffff},
    {offsetof(struct vc_pl011, fbrd), 0x3f},
    {offsetof(struct vc_pl011, ifls), 0x3f},
    {offsetof(struct vc_pl011, imsc), 0x7ff},
    {offsetof(struct vc_pl011, ilpr), 0xff},
    {offsetof(struct vc_pl011, dmacr), 0x7},
    {offsetof(struct vc_pl011, rsr), 0xf},
    {offsetof(struct vc_pl011, divisor), 0x3fffff},
    {offsetof(struct vc_pl011, latched), 0x7ef},
    {offsetof(struct vc_pl011, modem), UARTFR_CTS | UARTFR_DSR | UARTFR_DCD | UARTFR_RI},
    {0, OVERRUN | OWES_TX},
};

void vc_pl011_save(const struct vc_pl011 *u, struct vc_writer *w)
{
    size_t begun = vc_write_begin(w, VC_SAVE_PL011, 1);

    vc_write_u32(w, u->type);
    for (uint32_t i = 0; i < N_FIELDS - 1; i++)
        vc_write_u32(w, *(const uint32_t *)((const uint8_t *)u + fields[i].at));
    vc_write_u32(w, (u->overrun ? OVERRUN : 0) | (u->owes_tx ? OWES_TX : 0));
    vc_uart_save_fifos(&u->rx, &u->tx, w);
    vc_write_end(w, begun);
}

/* SBSA has no way to have any of these otherwise. */
static bool sbsa_can(const struct vc_pl011 *u, const struct vc_pl011 *reset)
{
    return u->cr == reset->cr && u->lcr_h == reset->lcr_h && u->ifls == reset->ifls && (u->imsc & 0xf) == 0 &&
           u->ibrd == 0 && u->fbrd == 0 && u->divisor == 0 && u->ilpr == 0 && u->dmacr == 0 && u->modem == 0 &&
           (u->latched & 0xf) == 0;
}

int vc_pl011_restore(struct vc_pl011 *u, struct vc_section *s)
{
    struct vc_reader *r = &s->body;
    struct vc_pl011 to = *u;
    uint32_t depth, value = 0, excess = vc_read_u32(r) ^ (uint32_t)u->type;

    for (uint32_t i = 0; i < N_FIELDS; i++) {
        value = vc_read_u32(r);
        excess |= value & ~fields[i].bits;
        if (i < N_FIELDS - 1)
            *(uint32_t *)((uint8_t *)&to + fields[i].at) = value;
    }
    to.overrun = (value & OVERRUN) != 0;
    to.owes_tx = (value & OWES_TX) != 0;
    depth = (to.lcr_h & UARTLCR_H_FEN) != 0 ? UARTPL011_FIFO_BYTES : 1;
    if (s->tag != VC_SAVE_PL011 || s->version != 1 || excess != 0 ||
        !vc_uart_restore_fifos(&to.rx, &to.tx, depth, 0xfff, r) || (u->type == VC_PL011_SBSA && !sbsa_can(&to, u)) ||
        !vc_pl011_legal(&to))
        return VC_EINVAL;
    *u = to;
    vc_pl011_restored(u);
    return VC_OK;
}
