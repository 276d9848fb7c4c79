/* SPDX-License-Identifier: MIT */
/*
 * uart_rig.h: tables of what a driver and a line do to a UART, step by step, and what they must see, for both UARTs.
 *
 * A row is a sentence and its steps. Every step checks; a failure names the row's sentence and the step's number.
 */
#ifndef VCONS_TESTS_UART_RIG_H
#define VCONS_TESTS_UART_RIG_H
#include <string.h>
#include <vcons/uart.h>

struct vc_section;
struct vc_writer;

struct uart_rig {
    void *uart;
    uint32_t room;                /* bytes that the line takes */
    char out[512];                /* what it took since OUT looked */
    uint32_t n_out, breaks, asks; /* since BREAKS, ASKED looked */
    uint32_t timers;              /* requests since TIMERS looked */
    uint64_t timer;               /* as asked for last */
    bool irq;
    int wrong; /* env was told what it knew already */
};

static uint32_t rig_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct uart_rig *g = ctx;
    uint32_t taken = n < g->room ? n : g->room;

    g->wrong += n == 0 || n > VC_UART_BATCH || g->n_out + taken > sizeof g->out;
    if (g->wrong != 0)
        return 0;
    memcpy(g->out + g->n_out, bytes, taken);
    g->n_out += taken;
    g->room -= taken;
    return taken;
}
static void rig_irq(void *ctx, bool level)
{
    struct uart_rig *g = ctx;

    g->wrong += level == g->irq;
    g->irq = level;
}
static void rig_timer(void *ctx, uint64_t ns)
{
    ((struct uart_rig *)ctx)->timer = ns;
    ((struct uart_rig *)ctx)->timers++;
}
static void rig_input_room(void *ctx) { ((struct uart_rig *)ctx)->asks++; }
static void rig_break(void *ctx) { ((struct uart_rig *)ctx)->breaks++; }
static const struct vc_uart_env rig_env = {rig_out, rig_irq, rig_timer, rig_input_room, rig_break};

/* One kind of UART behind the steps. */
struct uart_verbs {
    uint32_t width; /* of W and R */
    bool (*read)(void *u, uint64_t offset, uint32_t width, uint32_t *value);
    bool (*write)(void *u, uint64_t offset, uint32_t width, uint32_t value);
    uint32_t (*input)(void *u, const uint8_t *bytes, uint32_t n);
    bool (*send_break)(void *u);
    void (*overrun)(void *u);
    void (*modem)(void *u, uint32_t lines);
    void (*output_room)(void *u);
    void (*timer)(void *u);
    void (*reset)(void *u);
    /* Of a device alone, NULL of a model. */
    void (*write_batch)(void *u, const struct vc_uart_write *writes, uint32_t n);
    bool (*zone)(const void *u, bool is, uint32_t line_room, uint32_t ring_entries);
    void (*save)(const void *u, struct vc_writer *w);
    int (*restore)(void *u, struct vc_section *s);
};

enum uart_op {
    END,
    WRITE,
    READ,
    REFUSED,
    INPUT,
    BROKEN,
    LOST,
    WIRES,
    TAKES,
    OUTPUT,
    LINE,
    TIME,
    FIRED,
    ROOMY,
    BROKE,
    AGAIN,
    FLOOD,
    DRAIN,
    POLL,
    TIMES,
};
struct uart_step {
    enum uart_op op;
    uint32_t offset, width, value;
    const char *text;
};
/* clang-format off */
#define W(o, v)         {WRITE, o, 0, v, NULL}     /* write v in the usual width */
#define WN(o, w, v)     {WRITE, o, w, v, NULL}     /* … w bytes wide */
#define R(o, v)         {READ, o, 0, v, NULL}      /* read: v is there */
#define RN(o, w, v)     {READ, o, w, v, NULL}      /* … */
#define NO(o, w)        {REFUSED, o, w, 0, NULL}   /* read and write refused */
#define IN(text, taken) {INPUT, 0, 0, taken, text} /* so many of text are taken */
#define BRK(fits)       {BROKEN, 0, 0, fits, NULL} /* a break from the other end, and whether it fits */
#define LOSS()          {LOST, 0, 0, 0, NULL}      /* an overrun */
#define MODEM(v)        {WIRES, 0, 0, v, NULL}     /* the wires from outside */
#define LET(n)          {TAKES, 0, 0, n, NULL}     /* the line takes n bytes from now on; nobody is told */
#define ROOM(n)         {TAKES, 1, 0, n, NULL}     /* … and the UART is told */
#define OUT(text)       {OUTPUT, 0, 0, 0, text}    /* what the line took since the last OUT */
#define IRQ(v)          {LINE, 0, 0, v, NULL}      /* the interrupt line is at v */
#define TIMER(ns)       {TIME, 0, 0, ns, NULL}     /* the newest request, 0: none is pending */
#define FIRE()          {FIRED, 0, 0, 0, NULL}     /* its time has passed */
#define ASKED(n)        {ROOMY, 0, 0, n, NULL}     /* calls of input_room since the last ASKED */
#define BREAKS(n)       {BROKE, 0, 0, n, NULL}     /* breaks that the guest sent since the last BREAKS */
#define RESET()         {AGAIN, 0, 0, 0, NULL}
#define SEND(o, n)      {FLOOD, o, 0, n, NULL}     /* write n bytes 'x' */
#define TAKE(o, n)      {DRAIN, o, 0, n, NULL}     /* n bytes read, whatever they are */
#define POLLED(n)       {POLL, 0, 0, n, NULL}      /* n times: UARTFR says that there is room, and 'x' is written */
#define TIMERS(n)       {TIMES, 0, 0, n, NULL}     /* requests since the last TIMERS, taken back ones too */
#define DO(...)         {__VA_ARGS__}              /* for the formatter: many steps stay together */
/* clang-format on */

#define UART_STEPS 32
struct uart_row {
    const char *name;
    struct uart_step steps[UART_STEPS];
};

static inline uint32_t uart_counted(uint32_t *n)
{
    uint32_t was = *n;

    *n = 0;
    return was;
}

/* What a step saw, to be compared with its value; out of range: it was refused, or the text differs. */
static inline uint64_t uart_step_sees(struct uart_rig *g, const struct uart_verbs *v, const struct uart_step *s)
{
    uint32_t width = s->width != 0 ? s->width : v->width, value = 0xdead;
    size_t length = s->text != NULL ? strlen(s->text) : 0;
    bool same;

    switch (s->op) {
    case WRITE: return v->write(g->uart, s->offset, width, s->value) ? s->value : UINT64_MAX;
    case READ: return v->read(g->uart, s->offset, width, &value) ? value : UINT64_MAX;
    case REFUSED:
        if (v->write(g->uart, s->offset, width, 0xffffffff) || v->read(g->uart, s->offset, width, &value))
            return UINT64_MAX;
        return value;
    case INPUT: return v->input(g->uart, (const uint8_t *)s->text, (uint32_t)length);
    case BROKEN: return v->send_break(g->uart);
    case LOST: v->overrun(g->uart); return 0;
    case WIRES: v->modem(g->uart, s->value); return s->value;
    case TAKES:
        g->room = s->value;
        if (s->offset != 0)
            v->output_room(g->uart);
        return s->value;
    case OUTPUT:
        same = g->n_out == length && memcmp(g->out, s->text, length) == 0;
        g->n_out = 0;
        return same ? 0 : UINT64_MAX;
    case LINE: return g->irq;
    case TIME: return g->timer;
    case FIRED:
        g->timer = 0;
        v->timer(g->uart);
        return 0;
    case ROOMY: return uart_counted(&g->asks);
    case BROKE: return uart_counted(&g->breaks);
    case AGAIN: v->reset(g->uart); return 0;
    case FLOOD:
        for (uint32_t i = 0; i < s->value; i++)
            v->write(g->uart, s->offset, width, 'x');
        return s->value;
    case DRAIN:
        for (uint32_t i = 0; i < s->value; i++)
            v->read(g->uart, s->offset, width, &value);
        return s->value;
    case POLL:
        for (uint32_t i = 0; i < s->value; i++)
            if (!v->read(g->uart, UARTFR, width, &value) || (value & UARTFR_TXFF) != 0 ||
                !v->write(g->uart, UARTDR, width, 'x'))
                return UINT64_MAX;
        return s->value;
    case TIMES: return uart_counted(&g->timers);
    default: return UINT64_MAX;
    }
}

static inline void uart_run_row(struct uart_rig *g, const struct uart_verbs *v, const struct uart_row *row)
{
    for (int i = 0; i < UART_STEPS && row->steps[i].op != END; i++) {
        const struct uart_step *s = &row->steps[i];
        uint64_t saw = uart_step_sees(g, v, s);

        if (saw != s->value)
            fail_msg("%s: step %d saw 0x%llx, not 0x%x (output %.*s)", row->name, i, (unsigned long long)saw, s->value,
                     (int)g->n_out, g->out);
        if (g->wrong != 0)
            fail_msg("%s: step %d: a change that is none was told, or output out of bounds", row->name, i);
    }
}

#endif
