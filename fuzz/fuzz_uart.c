/* SPDX-License-Identifier: MIT */
/*
 * UARTs under any stream of accesses, batches, input and time, with a line that takes what it likes: PL011, SBSA and
 * 16550A. The input's own operations come first, then 2000 drawn from a generator that the input seeds, so that a
 * short run makes more than 10^7. What must hold after each: FIFOs within their depth, the interrupt line equal to the
 * masked status that the guest reads, input that waits has its interrupt or its timer, nothing is told twice; and a
 * saved state goes on where it was, while one that is spoiled is refused or leads to a UART of which the same holds.
 */
#include "../tests/unit/random.h"
#include "fuzz.h"
#include <vcons/ns16550.h>
#include <vcons/pl011.h>
#include <vcons/save.h>

enum { DRAWN = 2000, SAVED_MAX = VC_SAVE_PL011_BYTES };

struct world {
    struct input in;
    uint64_t random;
    bool pc, irq, timer;
    struct vc_pl011 *arm; /* on the heap, each alone: the sanitizer guards its ends */
    struct vc_16550 *ns;
};

/* n bytes of the input, or drawn once that has ended. */
static uint64_t next(struct world *w, size_t n)
{
    if (w->in.left > 0)
        return take(&w->in, n);
    return random_next(&w->random) >> (64 - 8 * n);
}

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct world *w = ctx;
    volatile uint8_t seen;

    require(n > 0 && n <= VC_UART_BATCH);
    for (uint32_t i = 0; i < n; i++)
        seen = bytes[i]; /* the sanitizer looks */
    (void)seen;
    return (next(w, 1) & 3) != 0 ? n : (uint32_t)next(w, 1) % (n + 1);
}
static void irq(void *ctx, bool level)
{
    struct world *w = ctx;

    require(w->irq != level);
    w->irq = level;
}
static void timer(void *ctx, uint64_t ns)
{
    require(ns <= VC_UART_TIMEOUT_MAX_NS);
    ((struct world *)ctx)->timer = ns != 0;
}
static void quiet(void *ctx) { (void)ctx; }
static const struct vc_uart_env env = {out, irq, timer, quiet, quiet};

static uint32_t level(uint32_t head, uint32_t tail) { return tail - head; }

static void look_arm(struct world *w)
{
    const struct vc_pl011 *u = w->arm;
    uint32_t depth = (u->lcr_h & UARTLCR_H_FEN) != 0 ? 32 : 1, rx = level(u->rx.head, u->rx.tail), flags, ris, mis,
             imsc;

    require(rx <= depth && level(u->tx.head, u->tx.tail) <= depth);
    require(vc_pl011_read(w->arm, UARTFR, 4, &flags)); /* may show it full, pl011.h: the second look does not */
    require(vc_pl011_read(w->arm, UARTFR, 4, &flags) && vc_pl011_read(w->arm, UARTRIS, 4, &ris) &&
            vc_pl011_read(w->arm, UARTMIS, 4, &mis) && vc_pl011_read(w->arm, UARTIMSC, 4, &imsc));
    require(mis == (ris & imsc) && w->irq == (mis != 0));
    require((flags & UARTFR_BUSY) == 0);
    require(((flags & UARTFR_RXFE) != 0) == (rx == 0) && ((flags & UARTFR_RXFF) != 0) == (rx == depth));
    require(((flags & UARTFR_TXFE) != 0) == (u->tx.head == u->tx.tail));
    require(((flags & UARTFR_TXFF) != 0) == (level(u->tx.head, u->tx.tail) == depth));
    require((rx > 0) == ((ris & UARTINT_RT) != 0 || w->timer) && w->timer == u->timing);
}

static void look_ns(struct world *w)
{
    struct vc_16550 *u = w->ns;
    bool fifo = (u->fcr & UART_FCR_ENABLE) != 0;
    uint32_t depth = fifo ? 16 : 1, rx = level(u->rx.head, u->rx.tail), iir;

    require(rx <= depth && level(u->tx.head, u->tx.tail) <= depth);
    require(!u->thre || u->tx.head == u->tx.tail);
    require((fifo && rx > 0) == (u->timeout || w->timer) && w->timer == u->timing);
    if (next(w, 1) % 4 != 0)
        return;
    require(vc_16550_read(u, UART_IIR, 1, &iir)); /* may take back the one that it tells */
    require((iir & 0xf) == UART_IIR_THRE || w->irq == ((iir & 1) == 0));
    require((iir & 0xc0) == (fifo ? 0xc0u : 0));
}

static struct vc_uart_write any_access(struct world *w)
{
    uint32_t shape = (uint32_t)next(w, 1);
    struct vc_uart_write a = {.offset = w->pc ? shape % 8 : shape % 19 * 4, .width = w->pc ? 1 : 1u << shape % 3};

    if (shape >= 250)
        a = (struct vc_uart_write){.offset = next(w, 8), .width = (uint32_t)next(w, 1)};
    else if (shape >= 240)
        a.offset = next(w, 2);
    a.value = (uint32_t)next(w, 2);
    if (!w->pc && a.offset == UARTCR && shape % 2 == 0)
        a.value |= UARTCR_UARTEN | UARTCR_RXE;
    return a;
}

static void any_read(struct world *w)
{
    struct vc_uart_write a = any_access(w);
    uint32_t value = 1;
    bool taken =
        w->pc ? vc_16550_read(w->ns, a.offset, a.width, &value) : vc_pl011_read(w->arm, a.offset, a.width, &value);

    require(taken || value == 0);
    require(a.width >= 4 || value >> (8 * a.width) == 0);
}

static void any_writes(struct world *w)
{
    struct vc_uart_write a[70];
    uint32_t n = next(w, 1) % 8 == 0 ? (uint32_t)next(w, 1) % 71 : 1;

    for (uint32_t i = 0; i < n; i++)
        a[i] = any_access(w);
    if (w->pc && n == 1)
        vc_16550_write(w->ns, a->offset, a->width, a->value);
    else if (n == 1)
        vc_pl011_write(w->arm, a->offset, a->width, a->value);
    else if (w->pc)
        vc_16550_write_batch(w->ns, a, n);
    else
        vc_pl011_write_batch(w->arm, a, n);
}

static void any_input(struct world *w)
{
    static const uint8_t bytes[64] = "what is typed, and more of it than any of these FIFOs can hold.";
    uint32_t n = (uint32_t)next(w, 1) % 65;

    require((w->pc ? vc_16550_input(w->ns, bytes, n) : vc_pl011_input(w->arm, bytes, n)) <= n);
}

static void new_uart(struct world *w, enum vc_pl011_type type)
{
    w->arm = realloc(w->arm, sizeof *w->arm);
    w->ns = realloc(w->ns, sizeof *w->ns);
    require(w->arm != NULL && w->ns != NULL);
    vc_pl011_init(w->arm, type, &env, w);
    vc_16550_init(w->ns, &env, w);
    w->irq = w->timer = false;
}

static int restore(struct world *w, const uint8_t *bytes, size_t n)
{
    struct vc_reader r;
    struct vc_section s;
    bool there;

    vc_reader_init(&r, bytes, n);
    require(vc_read_section(&r, &s, &there) == VC_OK && there);
    new_uart(w, w->arm->type);
    return w->pc ? vc_16550_restore(w->ns, &s) : vc_pl011_restore(w->arm, &s);
}

static size_t save(const struct world *w, uint8_t *bytes)
{
    struct vc_writer writer;

    vc_writer_init(&writer, bytes, SAVED_MAX);
    if (w->pc)
        vc_16550_save(w->ns, &writer);
    else
        vc_pl011_save(w->arm, &writer);
    require(vc_writer_ok(&writer) && (!w->pc || writer.n <= VC_SAVE_16550_BYTES));
    return writer.n;
}

/* As it was saved, or with one byte of it spoiled, it goes on; and what it then is can be saved. */
static void go_on_from_saved(struct world *w)
{
    uint8_t bytes[SAVED_MAX], again[SAVED_MAX], spoiled[SAVED_MAX];
    size_t n = save(w, bytes);

    require(restore(w, bytes, n) == VC_OK);
    require(save(w, again) == n && memcmp(bytes, again, n) == 0);
    if (next(w, 1) % 2 == 0)
        return;
    memcpy(spoiled, bytes, n);
    spoiled[VC_SAVE_HEAD_BYTES + next(w, 2) % (n - VC_SAVE_HEAD_BYTES)] ^= (uint8_t)next(w, 1);
    if (restore(w, spoiled, n) == VC_OK)
        require(save(w, again) == n);
    else
        require(restore(w, bytes, n) == VC_OK);
}

static void rare(struct world *w)
{
    switch (next(w, 1) % 6) {
    case 0: w->pc ? vc_16550_modem(w->ns, (uint32_t)next(w, 2)) : vc_pl011_modem(w->arm, (uint32_t)next(w, 2)); break;
    case 1: w->pc ? vc_16550_overrun(w->ns) : vc_pl011_overrun(w->arm); break;
    case 2: (void)(w->pc ? vc_16550_break(w->ns) : vc_pl011_break(w->arm)); break;
    case 3: w->pc ? vc_16550_reset(w->ns) : vc_pl011_reset(w->arm); break;
    default: go_on_from_saved(w);
    }
}

static void operation(struct world *w)
{
    uint32_t what = (uint32_t)next(w, 1);

    if (what < 90)
        any_read(w);
    else if (what < 180)
        any_writes(w);
    else if (what < 220)
        any_input(w);
    else if (what < 235)
        w->pc ? vc_16550_output_room(w->ns) : vc_pl011_output_room(w->arm);
    else if (what < 250) {
        w->timer = false; /* it fires, or comes late */
        w->pc ? vc_16550_timer(w->ns) : vc_pl011_timer(w->arm);
    } else
        rare(w);
    if (w->pc)
        look_ns(w);
    else
        look_arm(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = {.in = {data, size}};
    uint32_t kind = (uint32_t)take(&w.in, 1) % 3;

    w.random = 88172645463325252u ^ size << 32;
    for (size_t i = 0; i < size; i++)
        w.random = (w.random ^ data[i]) * 0x100000001b3u | 1;
    w.pc = kind == 2;
    new_uart(&w, kind == 1 ? VC_PL011_SBSA : VC_PL011_FULL);
    while (w.in.left > 0)
        operation(&w);
    for (uint32_t i = 0; i < DRAWN; i++)
        operation(&w);
    free(w.arm);
    free(w.ns);
    return 0;
}
