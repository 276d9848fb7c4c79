/* SPDX-License-Identifier: MIT */
/*
 * Coalesced writes (uart.h). Two UARTs of one kind hear the same guest, one directly, the other through a recorder as
 * KVM's, kept by the rules of uart.h: no read ever tells them apart, and their lines carry the same bytes, however
 * full they are.
 */
#include "unit.h"
#include <setjmp.h>

#include <stdlib.h>

#include "random.h"
#include "uart_verbs.h"

enum { ENTRIES = 169, LINE_BYTES = 1024 }; /* KVM keeps one of its 170 free */

/* ---- When a zone may be. ---- */

static const struct {
    const char *name;
    bool pc;
    struct uart_row before;
    bool is;
    uint32_t room, entries;
    bool may;
} zones[] = {
    {"room for one ring only", false, {"", {LET(0)}}, false, 339, 170, false},
    {"room for two", false, {"", {LET(0)}}, false, 340, 170, true},
    {"it is on, room for one", false, {"", {LET(0)}}, true, 170, 170, true},
    {"it is on, room for less", false, {"", {LET(0)}}, true, 169, 170, false},
    {"no room", false, {"", {LET(0)}}, true, 0, 170, false},
    {"all the room there is", false, {"", {LET(0)}}, false, UINT32_MAX, UINT32_MAX / 2, true},
    {"more entries than numbers", false, {"", {LET(0)}}, false, UINT32_MAX, UINT32_MAX / 2 + 1, false},
    {"bytes wait", false, {"", {LET(0), W(UARTDR, 'a')}}, true, 9999, 170, false},
    {"loopback", false, {"", {W(UARTCR, 0x381)}}, true, 9999, 170, false},
    {"held by CTS", false, {"", {W(UARTCR, 0x8301), MODEM(0)}}, true, 9999, 170, false},
    {"not held by CTS", false, {"", {W(UARTCR, 0x8301)}}, true, 9999, 170, true},
    {"16550: room for one ring only", true, {"", {LET(0)}}, false, 339, 170, false},
    {"16550: room for two", true, {"", {LET(0)}}, false, 340, 170, true},
    {"16550: it is on, room for one", true, {"", {LET(0)}}, true, 170, 170, true},
    {"16550: it is on, room for less", true, {"", {LET(0)}}, true, 169, 170, false},
    {"16550: bytes wait", true, {"", {LET(0), W(UART_DATA, 'a')}}, true, 9999, 170, false},
    {"16550: loopback", true, {"", {W(UART_MCR, 0x10)}}, true, 9999, 170, false},
};

union any {
    struct vc_pl011 pl011;
    struct vc_16550 pc;
};

static void init(union any *u, bool pc, const struct vc_uart_env *env, void *ctx)
{
    if (pc)
        vc_16550_init(&u->pc, env, ctx);
    else
        vc_pl011_init(&u->pl011, VC_PL011_FULL, env, ctx);
}

static const struct uart_verbs *verbs(bool pc) { return pc ? &ns16550_verbs : &pl011_verbs; }

static void test_zones(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(zones); i++) {
        union any u;
        struct uart_rig g = {.uart = &u, .room = UINT32_MAX};

        init(&u, zones[i].pc, &rig_env, &g);
        for (uint32_t n = 0; n < VC_UART_BUSY_WRITES; n++)
            verbs(zones[i].pc)->write(&u, 0, 1, 'x');
        uart_run_row(&g, verbs(zones[i].pc), &zones[i].before);
        if (verbs(zones[i].pc)->zone(&u, zones[i].is, zones[i].room, zones[i].entries) != zones[i].may)
            fail_msg("%s: %s", zones[i].name, zones[i].may ? "refused" : "allowed");
    }
}

/* A guest that is silent costs no zone, and so no timer; one that prints has it soon. */
static void test_pace(void **state)
{
    union any u;
    struct uart_rig g = {.uart = &u, .room = UINT32_MAX};

    (void)state;
    for (int pc = 0; pc < 2; pc++) {
        const struct uart_verbs *v = verbs(pc);
        const struct vc_uart_write one = {.offset = 0, .width = 1, .value = 'x'};

        init(&u, pc, &rig_env, &g);
        for (uint32_t round = 0; round < 2; round++) {
            for (uint32_t n = 0; n < VC_UART_BUSY_WRITES; n++) {
                assert_false(v->zone(&u, false, UINT32_MAX, 170));
                v->write(&u, 0, 1, 'x');
            }
            assert_true(v->zone(&u, false, UINT32_MAX, 170));
            for (uint32_t n = 1; n < VC_UART_EMPTY_DRAINS; n++)
                v->write_batch(&u, NULL, 0);
            v->write_batch(&u, &one, 1);
            for (uint32_t n = 0; n < VC_UART_EMPTY_DRAINS; n++) {
                assert_true(v->zone(&u, true, UINT32_MAX, 170));
                v->write_batch(&u, NULL, 0);
            }
            assert_false(v->zone(&u, true, UINT32_MAX, 170));
            g.n_out = 0;
        }
    }
}

/* ---- A batch by hand: together on the line, what is refused is skipped, one change of the interrupt line. ---- */

static void test_batches(void **state)
{
    static const struct vc_uart_write
        arm[] = {{UARTDR, 1, 'a'}, {UARTDR, 4, 'b'}, {UARTDR, 8, 'X'}, {UARTDR, 3, 'X'},
                 {UARTDR, 2, 'c'}, {0x1000, 1, 'X'}, {UARTDR, 0, 'X'}, {UARTDR, 4, 'd'}},
        pc[] = {{UART_DATA, 1, 'a'}, {UART_DATA, 2, 'X'}, {8, 1, 'X'}, {UART_DATA, 1, 'b'}},
        latch[] = {{UART_LCR, 1, 0x83}, {UART_DATA, 1, 7}, {UART_LCR, 1, 3}, {UART_DATA, 1, 'c'}};
    union any u;
    struct uart_rig g = {.uart = &u, .room = UINT32_MAX};

    (void)state;
    init(&u, false, &rig_env, &g);
    vc_pl011_write(&u.pl011, UARTIMSC, 4, UARTINT_TX);
    vc_pl011_write_batch(&u.pl011, arm, N_ROWS(arm));
    assert_int_equal(g.n_out, 4);
    assert_memory_equal(g.out, "abcd", 4);
    assert_true(g.irq);
    vc_pl011_write_batch(&u.pl011, arm, 0);
    g.n_out = 0;
    init(&u, true, &rig_env, &g);
    vc_16550_write_batch(&u.pc, pc, N_ROWS(pc));
    vc_16550_write_batch(&u.pc, latch, N_ROWS(latch));
    assert_int_equal(g.n_out, 3);
    assert_memory_equal(g.out, "abc", 3);
    assert_int_equal(u.pc.divisor, 7);
}

/* ---- One guest, twice. ---- */

struct side {
    union any u;
    bool irq;
    uint8_t line[LINE_BYTES];
    uint32_t prod, cons; /* of the line */
    /* Of the side that is recorded. */
    bool zone;
    uint32_t n, most;
    struct vc_uart_write recorded[ENTRIES];
};
struct pair {
    bool pc;
    uint64_t random;
    struct side a, b; /* b is the recorded one */
};

static uint32_t line_room(const struct side *s) { return LINE_BYTES - (s->prod - s->cons); }
static uint32_t side_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct side *s = ctx;
    uint32_t taken = n < line_room(s) ? n : line_room(s);

    for (uint32_t i = 0; i < taken; i++)
        s->line[s->prod++ % LINE_BYTES] = bytes[i];
    return taken;
}
static void side_irq(void *ctx, bool level) { ((struct side *)ctx)->irq = level; }
static void side_timer(void *ctx, uint64_t ns) { (void)ctx, (void)ns; }
static void side_quiet(void *ctx) { (void)ctx; }
static const struct vc_uart_env side_env = {side_out, side_irq, side_timer, side_quiet, side_quiet};

static void drain(struct pair *p)
{
    struct side *b = &p->b;
    uint32_t room = line_room(b), n = b->n;

    assert_true(n <= room); /* what was recorded finds room: the promise of a zone */
    b->n = 0;
    verbs(p->pc)->write_batch(&b->u, b->recorded, n);
    b->most = n > b->most ? n : b->most;
}

/* After anything else than a recorded write. */
static void serve(struct pair *p)
{
    drain(p);
    p->b.zone = verbs(p->pc)->zone(&p->b.u, p->b.zone, line_room(&p->b), ENTRIES);
}

static void guest_write(struct pair *p, uint64_t offset, uint32_t width, uint32_t value)
{
    verbs(p->pc)->write(&p->a.u, offset, width, value);
    if (p->b.zone && offset == 0 &&
        p->b.n < ENTRIES) { /* KVM compares address and width with the zone, and room with its ring */
        p->b.recorded[p->b.n++] = (struct vc_uart_write){offset, width, value};
        return;
    }
    serve(p);
    verbs(p->pc)->write(&p->b.u, offset, width, value);
    serve(p);
}

static uint32_t guest_read(struct pair *p, uint64_t offset)
{
    uint32_t a = 0, b = 0;

    verbs(p->pc)->read(&p->a.u, offset, verbs(p->pc)->width, &a);
    serve(p);
    verbs(p->pc)->read(&p->b.u, offset, verbs(p->pc)->width, &b);
    serve(p);
    if (a != b || p->a.irq != p->b.irq)
        fail_msg("read of 0x%llx: 0x%x, recorded 0x%x", (unsigned long long)offset, a, b);
    return a;
}

/* The service takes what both lines have, and compares. */
static void consume(struct pair *p, uint32_t n)
{
    uint32_t there = p->b.prod - p->b.cons;

    n = n < there ? n : there;
    assert_true(p->a.prod - p->a.cons >= n);
    for (uint32_t i = 0; i < n; i++)
        if (p->a.line[p->a.cons++ % LINE_BYTES] != p->b.line[p->b.cons++ % LINE_BYTES])
            fail_msg("byte %u of the line differs", p->b.cons);
    verbs(p->pc)->output_room(&p->a.u);
    serve(p);
    verbs(p->pc)->output_room(&p->b.u);
    serve(p);
}

static uint32_t below(struct pair *p, uint32_t n) { return random_below(&p->random, n); }

static void guest_registers(struct pair *p)
{
    static const struct {
        uint32_t offset, value;
    } arm[] = {{UARTCR, 0x301}, {UARTCR, 0x301},  {UARTCR, 0x381},   {UARTIMSC, 0x20},
               {UARTIMSC, 0},   {UARTICR, 0x7ff}, {UARTLCR_H, 0x70}, {UARTLCR_H, 0x60}},
      pc[] = {{UART_MCR, 3}, {UART_MCR, 3},    {UART_MCR, 0x13}, {UART_IER, 2},
              {UART_IER, 0}, {UART_LCR, 0x83}, {UART_LCR, 3},    {UART_IIR, 1}};
    uint32_t which = below(p, N_ROWS(arm));

    guest_write(p, p->pc ? pc[which].offset : arm[which].offset, p->pc ? 1 : 4,
                p->pc ? pc[which].value : arm[which].value);
}

static void step(struct pair *p)
{
    static const uint32_t status[2][4] = {{UARTFR, UARTRIS, UARTMIS, UARTDR}, {UART_LSR, UART_IIR, UART_MSR, UART_LCR}};
    uint32_t what = below(p, 100), n = below(p, 3) == 0 ? below(p, 2 * ENTRIES) : below(p, 20);

    if (what < 60) /* a driver that writes without a look, as a hostile one does */
        while (n-- > 0)
            guest_write(p, 0, p->pc ? 1 : 1u << below(p, 3), (uint32_t)random_next(&p->random));
    else if (what < 80)
        guest_read(p, status[p->pc][below(p, 4)]);
    else if (what < 85)
        guest_registers(p);
    else if (what < 97)
        consume(p, below(p, 3) == 0 ? LINE_BYTES : n);
    else
        serve(p); /* the flush timer */
}

static void test_in_step(void **state)
{
    static struct pair p;

    (void)state;
    for (int pc = 0; pc < 2; pc++) {
        uint64_t zoned = 0;

        memset(&p, 0, sizeof p);
        p.pc = pc;
        p.random = 88172645463325252u;
        init(&p.a.u, p.pc, &side_env, &p.a);
        init(&p.b.u, p.pc, &side_env, &p.b);
        for (uint32_t i = 0; i < 50000; i++) {
            step(&p);
            zoned += p.b.zone;
        }
        assert_int_equal(p.b.most, ENTRIES);                                /* whole rings were drained */
        assert_true(zoned > 5000 && zoned < 45000);                         /* it was on, and off */
        assert_true(p.pc ? p.a.u.pc.dropped > 0 : p.a.u.pl011.dropped > 0); /* and lines were full */
        consume(&p, LINE_BYTES);
        assert_int_equal(p.a.prod, p.b.prod);
        assert_true(p.pc ? p.a.u.pc.dropped == p.b.u.pc.dropped : p.a.u.pl011.dropped == p.b.u.pl011.dropped);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_zones), cmocka_unit_test(test_pace),
                                              cmocka_unit_test(test_batches), cmocka_unit_test(test_in_step)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
