/* SPDX-License-Identifier: MIT */
/*
 * As T6: the 16550A against its model, in step: whatever a driver and a line do, in any order, both give the same
 * answers, the same output, the same interrupt line, timer and notices. Writes also come in batches, and now and then
 * the device is saved and another goes on. A million steps; VCONS_LONG=1: a hundred million.
 */
#include "unit.h"
#include <setjmp.h>

#include <stdlib.h>
#include <vcons/save.h>

#include "ns16550_model.h"
#include "random.h"
#include "uart_verbs.h"

struct pair {
    uint64_t random;
    struct vc_16550 *u; /* on the heap, alone: the sanitizer guards its ends */
    struct uart_rig rig;
    struct model m;
    const char *did;
};

static uint32_t below(struct pair *p, uint32_t n) { return random_below(&p->random, n); }

/* Mostly registers that are, and values that leave something to see. */
static struct vc_uart_write any_access(struct pair *p)
{
    static const uint32_t offsets[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7};
    struct vc_uart_write a = {.offset = offsets[below(p, N_ROWS(offsets))], .width = 1};

    if (below(p, 30) == 0)
        a.offset = below(p, 3) == 0 ? random_next(&p->random) : below(p, 10);
    if (below(p, 30) == 0)
        a.width = below(p, 9);
    a.value = (uint32_t)random_next(&p->random);
    if (a.offset == UART_LCR && below(p, 4) != 0)
        a.value &= 0x3f;
    else if (a.offset == UART_MCR && below(p, 3) != 0)
        a.value &= 0x0f;
    else if (a.offset == UART_IIR && below(p, 3) != 0)
        a.value = (a.value & 0xf8) | 1;
    return a;
}

static void read_both(struct pair *p, uint64_t offset, uint32_t width)
{
    uint32_t ours = 0xdead, theirs = 0xbeef;
    bool taken = vc_16550_read(p->u, offset, width, &ours);

    if (taken != model_read(&p->m, offset, width, &theirs) || ours != theirs)
        fail_msg("%s, then read of %u at 0x%llx: 0x%x, the model 0x%x", p->did, width, (unsigned long long)offset, ours,
                 theirs);
}

static void do_read(struct pair *p)
{
    struct vc_uart_write a = any_access(p);

    p->did = "read";
    read_both(p, a.offset, a.width);
}

static void do_write(struct pair *p)
{
    struct vc_uart_write a = any_access(p);

    p->did = "write";
    assert_int_equal(vc_16550_write(p->u, a.offset, a.width, a.value), model_write(&p->m, a.offset, a.width, a.value));
}

static void do_batch(struct pair *p)
{
    struct vc_uart_write a[170];
    uint32_t n = below(p, 40) == 0 ? 170 : below(p, 20);
    bool any = below(p, 4) == 0;

    p->did = "batch";
    for (uint32_t i = 0; i < n; i++) {
        a[i] = (struct vc_uart_write){.offset = UART_DATA, .width = 1, .value = (uint32_t)random_next(&p->random)};
        if (any)
            a[i] = any_access(p);
        model_write(&p->m, a[i].offset, a[i].width, a[i].value);
    }
    vc_16550_write_batch(p->u, a, n);
}

static void do_input(struct pair *p)
{
    uint8_t bytes[40];
    uint32_t n = below(p, below(p, 2) == 0 ? 4 : 41);

    p->did = "input";
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)random_next(&p->random);
    assert_int_equal(vc_16550_input(p->u, bytes, n), model_input(&p->m, bytes, n));
}

static void do_line(struct pair *p)
{
    uint32_t room = below(p, 3) == 0 ? 0 : below(p, 3) == 0 ? 100000 : below(p, 50);

    p->did = "line";
    p->rig.room = p->m.line_room = room;
    if (below(p, 2) == 0) {
        vc_16550_output_room(p->u);
        model_output_room(&p->m);
    }
}

static void do_rare(struct pair *p)
{
    uint32_t lines = (uint32_t)random_next(&p->random);

    p->did = "modem, overrun, break, reset";
    switch (below(p, 5)) {
    case 0:
    case 1:
        lines |= below(p, 3) != 0;
        vc_16550_modem(p->u, lines);
        model_modem(&p->m, lines);
        break;
    case 2:
        vc_16550_overrun(p->u);
        model_overrun(&p->m);
        break;
    case 3: assert_int_equal(vc_16550_break(p->u), model_break(&p->m)); break;
    default:
        if (below(p, 10) != 0)
            return;
        vc_16550_reset(p->u);
        model_reset(&p->m);
    }
}

static void do_timer(struct pair *p)
{
    p->did = "timer";
    p->rig.timer = 0;
    vc_16550_timer(p->u);
    model_timer(&p->m);
}

/* Another device goes on from the saved state. What only its caller knows is given to it anew. */
static void do_save(struct pair *p)
{
    uint8_t bytes[VC_SAVE_16550_BYTES];
    struct vc_16550 *to = malloc(sizeof *to);
    struct vc_writer w;
    struct vc_reader r;
    struct vc_section s;
    bool there;

    p->did = "save";
    vc_writer_init(&w, bytes, sizeof bytes);
    vc_16550_save(p->u, &w);
    assert_true(vc_writer_ok(&w));
    vc_reader_init(&r, bytes, w.n);
    assert_int_equal(vc_read_section(&r, &s, &there), VC_OK);
    p->rig.irq = false;
    p->rig.timer = 0;
    vc_16550_init(to, &rig_env, &p->rig);
    assert_int_equal(vc_16550_restore(to, &s), VC_OK);
    free(p->u);
    p->u = to;
    p->rig.uart = to;
    if (p->m.timer)
        p->m.timer_ns = m_timeout(&p->m);
    p->m.owes_room = false;
}

static void compare(struct pair *p)
{
    static const uint64_t quiet[] = {UART_LCR, UART_MCR, UART_SCR};

    for (size_t i = 0; i < N_ROWS(quiet); i++)
        read_both(p, quiet[i], 1);
    if (p->rig.wrong != 0 || p->rig.irq != (m_iir(&p->m) != 1) || p->rig.timer != p->m.timer_ns ||
        uart_counted(&p->rig.breaks) != uart_counted(&p->m.breaks_out) ||
        uart_counted(&p->rig.asks) != uart_counted(&p->m.rooms))
        fail_msg("%s: line %u, timer %llu", p->did, p->rig.irq, (unsigned long long)p->rig.timer);
    if (p->rig.n_out != p->m.n_line || memcmp(p->rig.out, p->m.line, p->m.n_line) != 0)
        fail_msg("%s: %u bytes on the line, the model %u", p->did, p->rig.n_out, p->m.n_line);
    p->rig.n_out = p->m.n_line = 0;
}

static void step(struct pair *p)
{
    uint32_t what = below(p, 100);

    if (what < 30)
        do_read(p);
    else if (what < 60)
        do_write(p);
    else if (what < 65)
        do_batch(p);
    else if (what < 77)
        do_input(p);
    else if (what < 86)
        do_line(p);
    else if (what < 91)
        do_rare(p);
    else if (what < 99)
        do_timer(p);
    else
        do_save(p);
    compare(p);
}

static void run(uint64_t seed, uint32_t steps)
{
    static struct pair p;

    memset(&p, 0, sizeof p);
    p.random = seed;
    p.u = malloc(sizeof *p.u);
    p.rig = (struct uart_rig){.uart = p.u};
    vc_16550_init(p.u, &rig_env, &p.rig);
    model_init(&p.m);
    for (uint32_t i = 0; i < steps; i++)
        step(&p);
    free(p.u);
}

static void test_in_step(void **state)
{
    uint32_t runs = getenv("VCONS_LONG") != NULL ? 20000 : 200;

    (void)state;
    for (uint32_t i = 1; i <= runs; i++)
        run(i * UINT64_C(0x9e3779b97f4a7c15), 5000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_step)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
