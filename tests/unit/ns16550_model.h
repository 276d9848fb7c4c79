/* SPDX-License-Identifier: MIT */
/*
 * ns16550_model.h: the 16550A as tables written down from its manual (PC16550D) and from what include/vcons/ns16550.h
 * says of the line, to compare the device with. Knows nothing of core. Slow and plain on purpose.
 */
#ifndef VCONS_TESTS_NS16550_MODEL_H
#define VCONS_TESTS_NS16550_MODEL_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "uart_model.h"

struct model {
    uint8_t ier, lcr, mcr, scr, dll, dlm, fcr;
    uint8_t wires; /* MSR[7:4] from outside */
    struct {
        uint8_t byte;
        bool is_break;
    } rx[16]; /* [0] is read next */
    uint8_t tx[16];
    uint32_t n_rx, n_tx;
    /* What was latched, and is forgotten by being read. */
    bool oe, bi, dcts, ddsr, teri, ddcd, thr_empty, timed_out;
    bool owes_room, timer;
    struct model_world world;
};

/* ---- What the registers mean. ---- */

static bool m_fifo(const struct model *m) { return (m->fcr & 1) != 0; }
static bool m_loop(const struct model *m) { return (m->mcr & 0x10) != 0; }
/* Neither in loopback, nor while DTR is up and RTS is not: the other end is to wait. */
static bool m_hears(const struct model *m) { return !m_loop(m) && (m->mcr & 3) != 1; }
static bool m_dlab(const struct model *m) { return (m->lcr & 0x80) != 0; }
static uint32_t m_depth(const struct model *m) { return m_fifo(m) ? 16 : 1; }
static uint32_t m_trigger(const struct model *m)
{
    return m_fifo(m) ? (uint32_t[]){1, 4, 8, 14}[m->fcr >> 6] : 1; /* 8.4 */
}

/* 8.6, loopback: what each bit of MSR shows instead of its wire. */
static const struct {
    uint8_t msr, mcr;
} model_loop[4] = {{0x10, 0x02}, {0x20, 0x01}, {0x40, 0x04}, {0x80, 0x08}};
static uint8_t m_lines(const struct model *m)
{
    uint8_t lines = 0;

    if (!m_loop(m))
        return m->wires;
    for (int i = 0; i < 4; i++)
        lines |= (m->mcr & model_loop[i].mcr) != 0 ? model_loop[i].msr : 0;
    return lines;
}

/* 8.3 */
static uint8_t m_lsr(const struct model *m)
{
    bool any = m->bi;

    for (uint32_t i = 0; i < m->n_rx; i++)
        any = any || m->rx[i].is_break;
    return (uint8_t)((m->n_rx > 0) * 0x01 + m->oe * 0x02 + m->bi * 0x10 + (m->n_tx == 0) * 0x60 +
                     (any && m_fifo(m)) * 0x80);
}

/* Table IV, highest first: is it enabled, and there? */
static bool m_line_status(const struct model *m) { return m->oe || m->bi; }
static bool m_data(const struct model *m) { return m->n_rx >= m_trigger(m); }
static bool m_waited(const struct model *m) { return m->timed_out; }
static bool m_empty(const struct model *m) { return m->thr_empty; }
static bool m_modem(const struct model *m) { return m->dcts || m->ddsr || m->teri || m->ddcd; }
static const struct {
    uint8_t ier, iir;
    bool (*there)(const struct model *m);
} model_sources[] = {{4, 6, m_line_status}, {1, 4, m_data}, {1, 0xc, m_waited}, {2, 2, m_empty}, {8, 0, m_modem}};

static uint8_t m_iir(const struct model *m)
{
    for (size_t i = 0; i < sizeof model_sources / sizeof model_sources[0]; i++)
        if ((m->ier & model_sources[i].ier) != 0 && model_sources[i].there(m))
            return model_sources[i].iir;
    return 1;
}
static bool model_level(const struct model *m) { return m_iir(m) != 1; }

/* 4 characters, in ns: one start bit, 5 to 8 data, perhaps parity, 1 stop bit or more. */
static uint64_t m_timeout(const struct model *m)
{
    uint64_t bits = 4u * (1u + 5 + (m->lcr & 3) + ((m->lcr & 8) != 0) + 1 + ((m->lcr & 4) != 0));
    uint64_t divisor = (uint64_t)m->dlm * 256 + m->dll, ns = bits * 1000000000 / 115200;

    if (divisor != 0)
        ns = bits * 1000000000 * 16 * divisor / 1843200;
    return ns > 20000000 ? 20000000 : ns;
}

/* ---- What moves. ---- */

static void m_show_top(struct model *m)
{
    m->bi = m->bi || (m->n_rx > 0 && m->rx[0].is_break);
    m->rx[0].is_break = false;
}

static void m_arrive(struct model *m, uint8_t byte, bool is_break)
{
    if (m->n_rx == m_depth(m))
        m->oe = true;
    else {
        m->rx[m->n_rx].byte = byte;
        m->rx[m->n_rx++].is_break = is_break;
    }
    m_show_top(m);
}

static bool m_send_one(struct model *m)
{
    uint8_t byte = m->tx[0];

    if (m->n_tx == 0 || (!m_loop(m) && m->world.room == 0))
        return false;
    memmove(m->tx, m->tx + 1, --m->n_tx);
    if (m_loop(m))
        m_arrive(m, byte, false);
    else
        model_sends(&m->world, byte);
    m->thr_empty = m->thr_empty || m->n_tx == 0;
    return true;
}

/* After an event. lines_before: MSR[7:4] then; moved: a byte came in, or was read. */
static void m_settle(struct model *m, uint8_t lines_before, bool moved)
{
    uint32_t before = m->n_rx;
    uint8_t fell = (uint8_t)(lines_before & ~m_lines(m)), changed = lines_before ^ m_lines(m);
    bool wants;

    while (m_send_one(m))
        ;
    m->dcts = m->dcts || (changed & 0x10) != 0;
    m->ddsr = m->ddsr || (changed & 0x20) != 0;
    m->teri = m->teri || (fell & 0x40) != 0;
    m->ddcd = m->ddcd || (changed & 0x80) != 0;
    m->timed_out = m->timed_out && m_fifo(m) && m->n_rx > 0;
    wants = m_fifo(m) && m->n_rx > 0 && !m->timed_out;
    if (wants && (!m->timer || moved || m->n_rx != before))
        m->world.timer_ns = m_timeout(m);
    else if (!wants && m->timer)
        m->world.timer_ns = 0;
    m->timer = wants;
    if (m->owes_room && m_hears(m) && m->n_rx * 2 <= m_depth(m)) {
        m->owes_room = false;
        m->world.asks++;
    }
}

static void m_reset_registers(struct model *m)
{
    m->ier = m->lcr = m->mcr = m->scr = m->dlm = m->fcr = 0;
    m->dll = 12;
    m->n_rx = m->n_tx = 0;
    m->oe = m->bi = m->dcts = m->ddsr = m->teri = m->ddcd = m->timed_out = false;
    m->thr_empty = true;
}

static void model_init(struct model *m)
{
    memset(m, 0, sizeof *m);
    m->wires = 0xb0;
    m_reset_registers(m);
}

static uint8_t m_take(struct model *m)
{
    uint8_t byte = m->rx[0].byte;

    if (m->n_rx == 0)
        return 0;
    memmove(m->rx, m->rx + 1, --m->n_rx * sizeof m->rx[0]);
    m_show_top(m);
    m->timed_out = false;
    m_settle(m, m_lines(m), true);
    return byte;
}

static uint8_t m_read_register(struct model *m, uint64_t offset)
{
    uint8_t value;

    switch (offset) {
    case 0: return m_dlab(m) ? m->dll : m_take(m);
    case 1: return m_dlab(m) ? m->dlm : m->ier;
    case 2:
        value = m_iir(m);
        m->thr_empty = m->thr_empty && value != 2;
        return value | (m_fifo(m) ? 0xc0 : 0);
    case 3: return m->lcr;
    case 4: return m->mcr;
    case 5:
        value = m_lsr(m);
        m->oe = m->bi = false;
        return value;
    case 6:
        value = (uint8_t)(m_lines(m) + m->dcts * 1 + m->ddsr * 2 + m->teri * 4 + m->ddcd * 8);
        m->dcts = m->ddsr = m->teri = m->ddcd = false;
        return value;
    default: return m->scr;
    }
}

static bool model_read(struct model *m, uint64_t offset, uint32_t width, uint32_t *value)
{
    *value = 0;
    if (width != 1 || offset > 7)
        return false;
    *value = m_read_register(m, offset);
    return true;
}

static void m_write_fcr(struct model *m, uint8_t value)
{
    bool toggled = ((m->fcr ^ value) & 1) != 0;

    m->fcr = (value & 1) != 0 ? value & 0xc9 : 0;
    if (toggled || (value & 3) == 3)
        m->n_rx = 0;
    if (toggled || (value & 5) == 5) {
        m->thr_empty = m->thr_empty || m->n_tx > 0;
        m->n_tx = 0;
    }
}

static void m_write_register(struct model *m, uint64_t offset, uint8_t value)
{
    bool begins;

    switch (offset) {
    case 0:
        if (m_dlab(m)) {
            m->dll = value;
            break;
        }
        while (m->n_tx == m_depth(m) && m_send_one(m))
            ;
        if (m->n_tx < m_depth(m))
            m->tx[m->n_tx++] = value;
        m->thr_empty = false;
        break;
    case 1:
        if (m_dlab(m)) {
            m->dlm = value;
            break;
        }
        m->thr_empty = m->thr_empty || ((m->ier & 2) == 0 && (value & 2) != 0 && m->n_tx == 0);
        m->ier = value & 0x0f;
        break;
    case 2: m_write_fcr(m, value); break;
    case 3:
        begins = (m->lcr & 0x40) == 0 && (value & 0x40) != 0;
        m->lcr = value;
        m->world.breaks += begins && !m_loop(m);
        if (begins && m_loop(m))
            m_arrive(m, 0, true);
        break;
    case 4: m->mcr = value & 0x1f; break;
    case 7: m->scr = value; break;
    default: break;
    }
}

static bool model_write(struct model *m, uint64_t offset, uint32_t width, uint32_t value)
{
    uint8_t lines = m_lines(m);
    uint32_t before = m->n_rx;

    if (width != 1 || offset > 7)
        return false;
    m_write_register(m, offset, (uint8_t)value);
    m_settle(m, lines, m->n_rx != before);
    return true;
}

static uint32_t model_input(struct model *m, const uint8_t *bytes, uint32_t n)
{
    uint32_t taken = 0;

    while (taken < n && m_hears(m) && m->n_rx < m_depth(m))
        m_arrive(m, bytes[taken++], false);
    m->owes_room = m->owes_room || taken < n;
    m_settle(m, m_lines(m), taken > 0);
    return taken;
}

static bool model_break(struct model *m)
{
    bool fits = m_hears(m) && m->n_rx < m_depth(m);

    if (fits)
        m_arrive(m, 0, true);
    m->owes_room = m->owes_room || !fits;
    m_settle(m, m_lines(m), fits);
    return fits;
}

static void model_overrun(struct model *m)
{
    m->oe = true;
    m_settle(m, m_lines(m), false);
}

static void model_modem(struct model *m, uint32_t lines)
{
    uint8_t before = m_lines(m);

    m->wires = lines & 0xf0;
    m_settle(m, before, false);
}

static void model_output_room(struct model *m) { m_settle(m, m_lines(m), false); }

static void model_timer(struct model *m)
{
    m->world.timer_ns = 0;
    if (!m->timer)
        return;
    m->timer = false;
    m->timed_out = true;
    m_settle(m, m_lines(m), false);
}

static void model_reset(struct model *m)
{
    m_reset_registers(m);
    m_settle(m, m_lines(m), false);
}

/* Another goes on from the saved state: what only its caller knows is given to it anew. */
static void model_restored(struct model *m)
{
    m->owes_room = false;
    if (m->timer)
        m->world.timer_ns = m_timeout(m);
}

#endif
