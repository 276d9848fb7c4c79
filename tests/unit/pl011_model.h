/* SPDX-License-Identifier: MIT */
/*
 * pl011_model.h: the PL011 as tables written down from its manual (Arm DDI 0183G) and from what include/vcons/pl011.h
 * says of the line, to compare the device with. Knows nothing of core: no FIFO arithmetic, no masks of it. Slow and
 * plain on purpose: an event is applied, then each interrupt's rule is read from a table that compares before with
 * after.
 */
#ifndef VCONS_TESTS_PL011_MODEL_H
#define VCONS_TESTS_PL011_MODEL_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "uart_model.h"

/* Table 3-1, registers that only store, with the bits that they have. sbsa: the generic UART has it too. */
enum { M_ILPR, M_IBRD, M_FBRD, M_LCR_H, M_CR, M_IFLS, M_IMSC, M_DMACR, M_STORED };
static const struct model_register {
    uint32_t offset, bits, reset;
    bool sbsa;
} model_registers[M_STORED] = {
    {0x020, 0x00ff, 0x0000, false}, {0x024, 0xffff, 0x0000, false}, {0x028, 0x003f, 0x0000, false},
    {0x02c, 0x00ff, 0x0000, false}, {0x030, 0xff87, 0x0300, false}, {0x034, 0x003f, 0x0012, false},
    {0x038, 0x07ff, 0x0000, true},  {0x048, 0x0007, 0x0000, false},
};
/* 3.3.16 on: what always reads the same. */
static const struct {
    uint32_t offset, value;
} model_constants[] = {{0xfe0, 0x11}, {0xfe4, 0x10}, {0xfe8, 0x34}, {0xfec, 0x00},
                       {0xff0, 0x0d}, {0xff4, 0xf0}, {0xff8, 0x05}, {0xffc, 0xb1}};

struct model_state {
    uint32_t stored[M_STORED], baud; /* baud: divisor in 64ths as of LCR_H */
    uint32_t wires, rsr;
    uint32_t rx[32], n_rx; /* [0] is read next */
    uint8_t tx[32];
    uint32_t n_tx;
    bool ris[11], oe_next, owes_room, timer, drains;
    uint32_t written, looks; /* UARTDR since UARTFR was read, and how often it was read with one between */
    /* What happened, counted. */
    uint32_t left_tx, arrived, overruns, breaks_in, timers_fired;
};
struct model {
    bool sbsa;
    struct model_state now;
    struct model_world world;
};

/* ---- What the registers mean. ---- */

static bool m_bit(const struct model_state *s, int which, int bit) { return (s->stored[which] >> bit & 1) != 0; }
static bool m_fen(const struct model_state *s) { return m_bit(s, M_LCR_H, 4); }
static uint32_t m_depth(const struct model_state *s) { return m_fen(s) ? 32 : 1; }
static bool m_lbe(const struct model_state *s) { return m_bit(s, M_CR, 7); }
static bool m_receives(const struct model_state *s) { return m_bit(s, M_CR, 0) && m_bit(s, M_CR, 9); }

static uint32_t m_trigger(const struct model_state *s, int shift)
{
    static const uint32_t eighths[8] = {1, 2, 4, 6, 7, 7, 7, 7}; /* 3.3.9 */

    return eighths[s->stored[M_IFLS] >> shift & 7] * 32 / 8;
}
static uint32_t m_tx_trigger(const struct model_state *s) { return m_fen(s) ? m_trigger(s, 0) : 0; }
static uint32_t m_rx_trigger(const struct model_state *s) { return m_fen(s) ? m_trigger(s, 3) : 1; }

/* 3.3.3 by name; in loopback 3.3.8: RTS to CTS, DTR to DSR, OUT1 to DCD, OUT2 to RI. */
struct m_wires {
    bool cts, dsr, dcd, ri;
};
static struct m_wires m_modem(const struct model_state *s)
{
    struct m_wires w = {(s->wires & 1) != 0, (s->wires & 2) != 0, (s->wires & 4) != 0, (s->wires & 0x100) != 0};

    if (m_lbe(s)) {
        w.cts = m_bit(s, M_CR, 14) ? s->n_rx < m_rx_trigger(s) : m_bit(s, M_CR, 11);
        w.dsr = m_bit(s, M_CR, 10);
        w.dcd = m_bit(s, M_CR, 12);
        w.ri = m_bit(s, M_CR, 13);
    }
    return w;
}
static bool m_may_send(const struct model_state *s) { return !m_bit(s, M_CR, 15) || m_modem(s).cts; }

static uint32_t m_flags(const struct model_state *s)
{
    struct m_wires w = m_modem(s);

    return w.cts * 0x001u + w.dsr * 0x002u + w.dcd * 0x004u + (s->n_rx == 0) * 0x010u +
           (s->n_tx == m_depth(s)) * 0x020u + (s->n_rx == m_depth(s)) * 0x040u + (s->n_tx == 0) * 0x080u +
           w.ri * 0x100u;
}

/* ---- The interrupts, one row each: 2.8, 3.3.11. ---- */

typedef bool m_rule(const struct model_state *before, const struct model_state *after);
static bool m_never(const struct model_state *b, const struct model_state *a) { return b == a; }
static bool m_ri(const struct model_state *b, const struct model_state *a) { return m_modem(b).ri != m_modem(a).ri; }
static bool m_cts(const struct model_state *b, const struct model_state *a) { return m_modem(b).cts != m_modem(a).cts; }
static bool m_dcd(const struct model_state *b, const struct model_state *a) { return m_modem(b).dcd != m_modem(a).dcd; }
static bool m_dsr(const struct model_state *b, const struct model_state *a) { return m_modem(b).dsr != m_modem(a).dsr; }
static bool m_rx_at(const struct model_state *b, const struct model_state *a)
{
    return b != a && a->n_rx >= m_rx_trigger(a);
}
static bool m_rx_below(const struct model_state *b, const struct model_state *a) { return !m_rx_at(b, a); }
static bool m_tx_above(const struct model_state *b, const struct model_state *a)
{
    return b != a && a->n_tx > m_tx_trigger(a);
}
static bool m_tx_passed(const struct model_state *b, const struct model_state *a)
{
    return (b->left_tx != a->left_tx || b->n_tx > m_tx_trigger(b)) && !m_tx_above(b, a);
}
static bool m_rt(const struct model_state *b, const struct model_state *a)
{
    return b->timers_fired != a->timers_fired;
}
static bool m_rx_empty(const struct model_state *b, const struct model_state *a) { return b != a && a->n_rx == 0; }
static bool m_be(const struct model_state *b, const struct model_state *a) { return b->breaks_in != a->breaks_in; }
static bool m_oe(const struct model_state *b, const struct model_state *a) { return b->overruns != a->overruns; }

static const struct {
    const char *name;
    m_rule *sets, *clears; /* UARTICR apart */
} model_interrupts[11] = {
    {"RI", m_ri, m_never},       {"CTS", m_cts, m_never},         {"DCD", m_dcd, m_never},  {"DSR", m_dsr, m_never},
    {"RX", m_rx_at, m_rx_below}, {"TX", m_tx_passed, m_tx_above}, {"RT", m_rt, m_rx_empty}, {"FE", m_never, m_never},
    {"PE", m_never, m_never},    {"BE", m_be, m_never},           {"OE", m_oe, m_never},
};

static uint32_t m_ris(const struct model *m)
{
    uint32_t value = 0;

    for (int i = 0; i < 11; i++)
        value |= (uint32_t)m->now.ris[i] << i;
    return value;
}
static bool model_level(const struct model *m) { return (m_ris(m) & m->now.stored[M_IMSC]) != 0; }

/* ---- What moves. ---- */

static void m_arrive(struct model_state *s, uint32_t entry)
{
    if (s->n_rx == m_depth(s)) {
        s->overruns++;
        s->oe_next = true;
        s->rsr |= 8;
        return;
    }
    s->rx[s->n_rx++] = entry + (s->oe_next ? 0x800 : 0);
    s->oe_next = false;
    s->arrived++;
    s->breaks_in += entry == 0x400;
}

static bool m_send_one(struct model *m)
{
    struct model_state *s = &m->now;
    uint8_t byte = s->tx[0];

    if (s->n_tx == 0 || !m_may_send(s) || (!m_lbe(s) && m->world.room == 0))
        return false;
    memmove(s->tx, s->tx + 1, --s->n_tx);
    s->left_tx++;
    if (!m_lbe(s))
        model_sends(&m->world, byte);
    else if (m_receives(s))
        m_arrive(s, byte);
    return true;
}

static uint64_t m_timeout(const struct model_state *s)
{
    /* 32 bits at 24 MHz / (16 * baud / 64); 115200 where there is no divisor; never more than 20 ms */
    uint64_t ns = s->baud == 0 ? UINT64_C(32000000000) / 115200 : UINT64_C(32000000000) * 16 / 64 * s->baud / 24000000;

    return ns > 20000000 ? 20000000 : ns;
}

/* After an event: all is sent that can be, then each rule. */
static void m_settle(struct model *m, const struct model_state *before)
{
    struct model_state *s = &m->now;
    bool wants;

    while (m_send_one(m))
        ;
    for (int i = 0; i < 11; i++) {
        if (model_interrupts[i].clears(before, s))
            s->ris[i] = false;
        if (model_interrupts[i].sets(before, s))
            s->ris[i] = true;
    }
    wants = s->n_rx > 0 && !s->ris[6];
    if (wants && (!s->timer || s->arrived != before->arrived))
        m->world.timer_ns = m_timeout(s);
    else if (!wants && s->timer)
        m->world.timer_ns = 0;
    s->timer = wants;
    if (s->owes_room && m_receives(s) && !m_lbe(s) && s->n_rx * 2 <= m_depth(s)) {
        s->owes_room = false;
        m->world.asks++;
    }
}

static void m_reset_registers(struct model *m)
{
    struct model_state *s = &m->now;

    for (int i = 0; i < M_STORED; i++)
        s->stored[i] = model_registers[i].reset;
    if (m->sbsa) {
        s->stored[M_CR] |= 1;
        s->stored[M_LCR_H] = 0x70;
        s->stored[M_IFLS] = 0x11; /* pl011.h */
    }
    s->baud = s->rsr = s->n_rx = s->n_tx = 0;
    s->written = s->looks = 0;
    s->oe_next = s->drains = false;
    memset(s->ris, 0, sizeof s->ris);
}

static void model_init(struct model *m, bool sbsa)
{
    memset(m, 0, sizeof *m);
    m->sbsa = sbsa;
    m->now.wires = sbsa ? 0 : 7;
    m_reset_registers(m);
}

static bool m_sbsa_has(uint32_t offset)
{
    return offset == 0 || offset == 4 || offset == 0x18 || (offset >= 0x38 && offset <= 0x44);
}

static uint32_t m_read_data(struct model *m)
{
    struct model_state before = m->now, *s = &m->now;
    uint32_t entry = s->rx[0];

    if (s->n_rx == 0)
        return 0;
    memmove(s->rx, s->rx + 1, --s->n_rx * sizeof s->rx[0]);
    s->rsr = (s->rsr & 8) | (entry >> 8 & 7);
    m_settle(m, &before);
    return entry;
}

/* pl011.h: who looks for each of 32 bytes sees the FIFO full once; TX follows, even if it is cleared meanwhile. */
static uint32_t m_look(struct model_state *s)
{
    bool one = s->written == 1 && m_fen(s) && !m_lbe(s);

    s->written = 0;
    s->looks = one ? s->looks + 1 : 0;
    if (s->looks < 32)
        return m_flags(s);
    s->looks = 0;
    s->drains = s->n_tx <= m_tx_trigger(s);
    s->ris[5] = s->ris[5] || s->drains;
    return (m_flags(s) & 0x15f) + 0x020;
}

static uint32_t m_read_whole(struct model *m, uint32_t offset)
{
    for (int i = 0; i < M_STORED; i++)
        if (model_registers[i].offset == offset)
            return m->now.stored[i];
    for (size_t i = 0; i < sizeof model_constants / sizeof model_constants[0]; i++)
        if (model_constants[i].offset == offset)
            return model_constants[i].value;
    switch (offset) {
    case 0x000: return m_read_data(m);
    case 0x004: return m->now.rsr;
    case 0x018: return m_look(&m->now);
    case 0x03c: return m_ris(m);
    case 0x040: return m_ris(m) & m->now.stored[M_IMSC];
    default: return 0;
    }
}

static bool model_read(struct model *m, uint64_t offset, uint32_t width, uint32_t *value)
{
    *value = 0;
    if ((width != 1 && width != 2 && width != 4) || offset >= 0x1000 || offset + width > 0x1000)
        return false;
    if (offset % 4 == 0 && (!m->sbsa || m_sbsa_has((uint32_t)offset)))
        *value = m_read_whole(m, (uint32_t)offset) % (width == 4 ? UINT64_C(1) << 32 : 1u << (8 * width));
    return true;
}

static void m_write_stored(struct model *m, int which, uint32_t value)
{
    struct model_state *s = &m->now;
    uint32_t was = s->stored[which];

    s->stored[which] = value & model_registers[which].bits;
    if (which == M_IMSC && m->sbsa)
        s->stored[which] &= 0x7f0;
    if (which != M_LCR_H)
        return;
    s->baud = s->stored[M_IBRD] * 64 + s->stored[M_FBRD];
    if ((was & 0x10) != (s->stored[M_LCR_H] & 0x10)) {
        s->left_tx += s->n_tx;
        s->n_rx = s->n_tx = 0;
    }
    if ((was & 1) == 0 && (s->stored[M_LCR_H] & 1) != 0) {
        if (!m_lbe(s))
            m->world.breaks++;
        else if (m_receives(s))
            m_arrive(s, 0x400);
    }
}

static bool model_write(struct model *m, uint64_t offset, uint32_t width, uint32_t value)
{
    struct model_state before = m->now, *s = &m->now;

    if ((width != 1 && width != 2 && width != 4) || offset >= 0x1000 || offset + width > 0x1000)
        return false;
    if (width < 4)
        value %= 1u << (8 * width);
    if (offset % 4 != 0 || (m->sbsa && !m_sbsa_has((uint32_t)offset)))
        return true;
    for (int i = 0; i < M_STORED; i++)
        if (model_registers[i].offset == offset) {
            m_write_stored(m, i, value);
            m_settle(m, &before);
        }
    s->written += offset == 0x000;
    if (offset == 0x000) {
        while (s->n_tx == m_depth(s) && m_send_one(m))
            ;
        if (s->n_tx < m_depth(s))
            s->tx[s->n_tx++] = (uint8_t)value;
    } else if (offset == 0x004)
        s->rsr = 0;
    else if (offset == 0x044) {
        for (int i = 0; i < 11; i++)
            s->ris[i] = s->ris[i] && (value >> i & 1) == 0;
        s->ris[5] = s->ris[5] || (s->drains && s->n_tx <= m_tx_trigger(s));
        s->drains = false;
    }
    if (offset == 0x000 || offset == 0x004 || offset == 0x044)
        m_settle(m, &before);
    return true;
}

static uint32_t model_input(struct model *m, const uint8_t *bytes, uint32_t n)
{
    struct model_state before = m->now, *s = &m->now;
    uint32_t taken = 0;

    while (taken < n && m_receives(s) && !m_lbe(s) && s->n_rx < m_depth(s))
        m_arrive(s, bytes[taken++]);
    s->owes_room = s->owes_room || taken < n;
    m_settle(m, &before);
    return taken;
}

static bool model_break(struct model *m)
{
    struct model_state before = m->now, *s = &m->now;
    bool fits = m_receives(s) && !m_lbe(s) && s->n_rx < m_depth(s);

    if (fits)
        m_arrive(s, 0x400);
    s->owes_room = s->owes_room || !fits;
    m_settle(m, &before);
    return fits;
}

static void model_overrun(struct model *m)
{
    struct model_state before = m->now;

    m->now.overruns++;
    m->now.oe_next = true;
    m->now.rsr |= 8;
    m_settle(m, &before);
}

static void model_modem(struct model *m, uint32_t lines)
{
    struct model_state before = m->now;

    if (!m->sbsa)
        m->now.wires = lines & 0x107;
    m_settle(m, &before);
}

static void model_output_room(struct model *m)
{
    struct model_state before = m->now;

    m_settle(m, &before);
}

static void model_timer(struct model *m)
{
    struct model_state before = m->now;

    m->world.timer_ns = 0;
    if (!m->now.timer)
        return;
    m->now.timer = false;
    m->now.timers_fired++;
    m_settle(m, &before);
}

static void model_reset(struct model *m)
{
    struct model_state before;

    m_reset_registers(m);
    before = m->now; /* what a reset changes is no change of a wire */
    m_settle(m, &before);
}

/* Another goes on from the saved state: what only its caller knows is given to it anew. */
static void model_restored(struct model *m)
{
    m->now.owes_room = false;
    m->now.written = m->now.looks = 0;
    if (m->now.timer)
        m->world.timer_ns = m_timeout(&m->now);
}

#endif
