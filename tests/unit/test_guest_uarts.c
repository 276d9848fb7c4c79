/* SPDX-License-Identifier: MIT */
/*
 * The guest's UART drivers, and all that `uart-test` checks, on the core's own devices; and the drivers on devices that do
 * not what they should.
 */
#include "random.h"
#include "tiny_uart_test.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <vcons/ns16550.h>
#include <vcons/pl011.h>

#define LINE_BYTES    65536u
#define ACCESSES_TIME 40u /* so many accesses, and a time that was asked for has passed */
#define ROUNDS        2000u

void tiny_pry(struct tiny_console *c) { assert_null(c); }
void tiny_fault_trap(void) { fail(); }
void tiny_fault_touch(void) { fail(); }

struct machine { /* one UART of the core's, its line, and an interrupt controller */
    struct vc_pl011 pl011;
    struct vc_16550 ns16550;
    struct uart uart;
    bool is_16550, level, in_handler, timing;
    bool edge, risen; /* what the controller makes of the line, and has seen */
    uint32_t accesses, room, n_out;
    uint32_t n_breaks;
    uint8_t out[LINE_BYTES];
};

static uint32_t take_out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct machine *m = ctx;

    n = n < m->room ? n : m->room;
    assert_true(n <= LINE_BYTES - m->n_out);
    memcpy(m->out + m->n_out, bytes, n);
    m->n_out += n;
    m->room -= n;
    return n;
}

static void set_irq(void *ctx, bool level)
{
    struct machine *m = ctx;

    m->risen = m->risen || (level && !m->level);
    m->level = level;
}

static void set_timer(void *ctx, uint64_t ns)
{
    struct machine *m = ctx;

    m->timing = ns != 0;
    m->accesses = 0;
}

static void input_room(void *ctx) { (void)ctx; }
static void send_break(void *ctx) { ((struct machine *)ctx)->n_breaks++; }

static const struct vc_uart_env env = {
    .out = take_out, .irq = set_irq, .timer = set_timer, .input_room = input_room, .send_break = send_break};

/* Between two instructions of the guest: time passes, interrupts come. */
static void go_on(struct machine *m)
{
    if (m->timing && ++m->accesses == ACCESSES_TIME) {
        m->timing = false;
        if (m->is_16550)
            vc_16550_timer(&m->ns16550);
        else
            vc_pl011_timer(&m->pl011);
    }
    while (!m->in_handler && m->uart.interrupts && (m->edge ? m->risen : m->level)) {
        m->in_handler = true;
        m->risen = false;
        uart_interrupt(&m->uart);
        m->in_handler = false;
    }
}

static uint32_t read_register(const struct uart_io *io, uint32_t offset, uint32_t width)
{
    struct machine *m = (struct machine *)(uintptr_t)io->base;
    uint32_t value;

    go_on(m);
    assert_true(m->is_16550 ? vc_16550_read(&m->ns16550, offset, width, &value)
                            : vc_pl011_read(&m->pl011, offset, width, &value));
    go_on(m);
    return value;
}

static void write_register(const struct uart_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    struct machine *m = (struct machine *)(uintptr_t)io->base;

    assert_true(m->is_16550 ? vc_16550_write(&m->ns16550, offset, width, value)
                            : vc_pl011_write(&m->pl011, offset, width, value));
    go_on(m);
}

static int64_t no_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    (void)ctx, (void)nr, (void)a0, (void)a1, (void)a2;
    return -XEN_ENOSYS;
}

static const struct platform platform = {.hypercall = no_hypercall};

static struct machine *start(const struct uart_chip *chip, bool interrupts)
{
    struct machine *m = calloc(1, sizeof *m);
    const struct uart_io io = {(uintptr_t)m, read_register, write_register};

    assert_non_null(m);
    m->is_16550 = chip == &uart_16550;
    m->edge = m->is_16550;
    m->room = LINE_BYTES;
    vc_16550_init(&m->ns16550, &env, m);
    vc_pl011_init(&m->pl011, chip == &uart_sbsa ? VC_PL011_SBSA : VC_PL011_FULL, &env, m);
    assert_true(uart_begin(&m->uart, chip, &io, &platform, "uart0"));
    if (interrupts)
        uart_use_interrupts(&m->uart);
    return m;
}

static uint32_t input(struct machine *m, const uint8_t *bytes, uint32_t n)
{
    uint32_t taken = m->is_16550 ? vc_16550_input(&m->ns16550, bytes, n) : vc_pl011_input(&m->pl011, bytes, n);

    go_on(m);
    return taken;
}

/* ---- On the core's devices. ---- */

static const struct {
    const struct uart_chip *chip;
    const struct uart_suite *suite;
    bool interrupts;
    uint32_t depth;
} kinds[] = {
    {&uart_pl011, &uart_suite_pl011, false, 32}, {&uart_pl011, &uart_suite_pl011, true, 32},
    {&uart_sbsa, &uart_suite_sbsa, false, 32},   {&uart_sbsa, &uart_suite_sbsa, true, 32},
    {&uart_16550, &uart_suite_16550, false, 16}, {&uart_16550, &uart_suite_16550, true, 16},
};

static void uart_test_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(kinds); i++) {
        struct machine *m = start(kinds[i].chip, kinds[i].interrupts);
        struct uart_test t = {.u = &m->uart};

        assert_int_equal(m->uart.depth, kinds[i].depth);
        for (const struct uart_check *row = kinds[i].suite->checks; row->what != NULL; row++) {
            uart_begin_test(&m->uart);
            kinds[i].suite->set_up(&m->uart);
            if (row == kinds[i].suite->checks)
                t.loops = kinds[i].suite->loops(&m->uart);
            kinds[i].suite->set_up(&m->uart);
            if (!row->holds(&t))
                fail_msg("%s, %s: %s", kinds[i].chip->name, kinds[i].interrupts ? "by interrupt" : "polled", row->what);
            kinds[i].suite->set_up(&m->uart);
            uart_end_test(&m->uart);
        }
        assert_int_equal(t.loops, kinds[i].chip != &uart_sbsa);
        if (t.loops)
            assert_int_equal(m->n_out, 0); /* nothing of it reached the line */
        assert_int_equal(m->n_breaks, 0);
        free(m);
    }
}

static void bytes_arrive_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(kinds); i++) {
        struct machine *m = start(kinds[i].chip, kinds[i].interrupts);
        uint64_t seed = 7;
        uint32_t sent = 0, n_read = 0, rounds = 0;
        static uint8_t bytes[LINE_BYTES], got[LINE_BYTES];

        for (uint32_t k = 0; k < LINE_BYTES; k++)
            bytes[k] = (uint8_t)random_next(&seed);
        while (n_read < LINE_BYTES / 2) { /* the guest reads less often than input comes: it has to be held back */
            sent += input(m, bytes + sent, LINE_BYTES / 2 - sent);
            if (random_below(&seed, 100) == 0)
                n_read += (uint32_t)hvc_read(&m->uart.hvc, got + n_read, 1 + random_below(&seed, 700));
            assert_true(rounds++ < 1000000);
        }
        assert_memory_equal(got, bytes, LINE_BYTES / 2);
        hvc_write(&m->uart.hvc, bytes, LINE_BYTES - 1);
        assert_int_equal(m->n_out, LINE_BYTES - 1);
        assert_memory_equal(m->out, bytes, LINE_BYTES - 1);
        assert_int_equal(m->uart.hvc.dropped + m->uart.n_overruns + m->uart.n_errors + m->uart.n_breaks, 0);
        free(m);
    }
}

/* W14: the status is read once for a load of the FIFO; SBSA and PL011 load 32 and the 16550 16. */
static void status_is_read_once_a_load(void **state)
{
    static const uint8_t bytes[320];

    (void)state;
    for (size_t i = 0; i < N_ROWS(kinds); i++) {
        struct machine *m = start(kinds[i].chip, false);

        m->timing = true; /* counts accesses: those of reading twice */
        m->accesses = 1000;
        hvc_write(&m->uart.hvc, bytes, sizeof bytes);
        assert_int_equal(m->accesses - 1000, 2 * sizeof bytes / kinds[i].depth + sizeof bytes);
        free(m);
    }
}

static void full_line_keeps_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(kinds); i++) {
        struct machine *m = start(kinds[i].chip, kinds[i].interrupts);
        const struct hvc_driver *driver = m->uart.hvc.driver;
        uint8_t bytes[64];
        size_t n = 0, put;

        memset(bytes, 'x', sizeof bytes);
        m->room = 10;
        while (n < sizeof bytes && (put = driver->put(&m->uart.hvc, bytes, sizeof bytes - n)) > 0)
            n += put;
        assert_in_range(n, 10, 10 + kinds[i].depth); /* what the FIFO holds, and no more */
        assert_int_equal(driver->put(&m->uart.hvc, bytes, 1), 0);
        m->room = LINE_BYTES;
        if (m->is_16550)
            vc_16550_output_room(&m->ns16550);
        else
            vc_pl011_output_room(&m->pl011);
        assert_int_equal(m->n_out, n);
        assert_int_equal(driver->put(&m->uart.hvc, bytes, 1), 1);
        assert_int_equal(m->ns16550.dropped + m->pl011.dropped, 0);
        free(m);
    }
}

static void breaks_and_overruns_are_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(kinds); i++) {
        struct machine *m = start(kinds[i].chip, kinds[i].interrupts);
        uint8_t got[4];

        input(m, (const uint8_t *)"a", 1);
        if (m->is_16550)
            vc_16550_break(&m->ns16550);
        else
            vc_pl011_break(&m->pl011);
        if (m->is_16550)
            vc_16550_overrun(&m->ns16550);
        else
            vc_pl011_overrun(&m->pl011);
        input(m, (const uint8_t *)"b", 1);
        for (uint32_t k = 0; k < 2 * ACCESSES_TIME; k++)
            go_on(m); /* the time-out brings what is below the trigger */
        assert_int_equal(hvc_read(&m->uart.hvc, got, sizeof got), 2);
        assert_memory_equal(got, "ab", 2);
        assert_int_equal(m->uart.n_breaks, 1);
        assert_int_equal(m->uart.n_overruns, 1);
        assert_int_equal(m->uart.n_errors, 0);
        free(m);
    }
}

/* ---- On what is no UART. ---- */

struct liar {
    uint64_t seed; /* 0: always the same value */
    uint32_t value;
    uint64_t accesses;
};

static uint32_t lie(const struct uart_io *io, uint32_t offset, uint32_t width)
{
    struct liar *l = (struct liar *)(uintptr_t)io->base;

    (void)offset;
    l->accesses++;
    return (l->seed != 0 ? (uint32_t)random_next(&l->seed) : l->value) & UINT32_MAX >> (32 - 8 * width);
}

static void ignore(const struct uart_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    (void)offset, (void)width, (void)value;
    ((struct liar *)(uintptr_t)io->base)->accesses++;
}

static void begin_lying(struct uart *u, const struct uart_chip *chip, struct liar *l)
{
    const struct uart_io io = {(uintptr_t)l, lie, ignore};

    uart_begin(u, chip, &io, &platform, "a name that is longer than there is room for");
    assert_int_equal(strlen(u->hvc.name), HVC_NAME_BYTES - 1);
}

static void absent_is_refused(void **state)
{
    static const uint32_t floating[] = {0, UINT32_MAX, 0xa5a5a5a5};

    (void)state;
    for (size_t i = 0; i < N_ROWS(kinds); i += 2) {
        for (size_t k = 0; k < N_ROWS(floating); k++) {
            struct liar l = {.value = floating[k]};
            const struct uart_io io = {(uintptr_t)&l, lie, ignore};
            static struct uart u;

            if (kinds[i].chip == &uart_sbsa && floating[k] != UINT32_MAX)
                continue; /* it has nothing to be known by */
            if (uart_begin(&u, kinds[i].chip, &io, &platform, "uart0"))
                fail_msg("taken: a %s that reads %x", kinds[i].chip->name, floating[k]);
        }
    }
}

static void liars_cannot_hold_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(kinds); i += 2) {
        struct liar l = {.seed = 11 + i};
        static struct uart u;

        begin_lying(&u, kinds[i].chip, &l);
        u.patience_looks = 100;
        uart_use_interrupts(&u);
        for (uint32_t round = 0; round < ROUNDS; round++) {
            uint64_t before = l.accesses;
            uint8_t bytes[100] = {0};

            uart_interrupt(&u);
            hvc_read(&u.hvc, bytes, sizeof bytes);
            u.hvc.driver->put(&u.hvc, bytes, sizeof bytes);
            assert_true(l.accesses - before <= 4 * UART_INPUT_BYTES + sizeof bytes);
        }
    }
}

static void one_that_stays_full_is_given_up(void **state)
{
    static const uint32_t full[] = {1 << 5, 1 << 5, 0}; /* TXFF; no THRE */

    (void)state;
    for (size_t i = 0; i < N_ROWS(kinds); i += 2) {
        struct liar l = {.value = full[i / 2]};
        static struct uart u;

        begin_lying(&u, kinds[i].chip, &l);
        u.patience_looks = 1000;
        hvc_write(&u.hvc, "0123456789", 10);
        assert_int_equal(u.hvc.dropped, 10);
        l.accesses = 0;
        hvc_write(&u.hvc, "0123456789", 10);
        assert_int_equal(l.accesses, 1);                          /* patience comes once */
        l.value = kinds[i].chip == &uart_16550 ? 1 << 5 : 1 << 7; /* THRE; TXFE */
        u.depth = 16;
        hvc_write(&u.hvc, "0123456789", 10);
        assert_int_equal(u.hvc.dropped, 20);
        assert_int_equal(u.n_full, 0);
    }
}

static void interrupts_for_nothing_are_given_up(void **state)
{
    (void)state;
    for (size_t i = 1; i < N_ROWS(kinds); i += 2) {
        struct machine *m = start(kinds[i].chip, true);
        uint8_t got[2];

        for (uint32_t n = 1; n <= UART_IDLE_MAX; n++) {
            assert_true(m->uart.interrupts);
            assert_false(uart_interrupt(&m->uart));
        }
        assert_false(m->uart.interrupts);
        input(m, (const uint8_t *)"x", 1); /* polled from now on */
        assert_int_equal(hvc_read(&m->uart.hvc, got, sizeof got), 1);
        assert_int_equal(got[0], 'x');
        free(m);
    }
}

static void idle_asks_as_often_as_it_must(void **state)
{
    struct machine *m = start(&uart_pl011, true);
    uint32_t ports[2];

    (void)state;
    assert_int_equal(m->uart.hvc.driver->input_ports(&m->uart.hvc, ports), 0);
    m->uart.wakes = true;
    assert_int_equal(m->uart.hvc.driver->input_ports(&m->uart.hvc, ports), HVC_BY_INTERRUPT);
    m->uart.interrupts = false;
    assert_int_equal(m->uart.hvc.driver->input_ports(&m->uart.hvc, ports), 0);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uart_test_passes),
        cmocka_unit_test(bytes_arrive_whole),
        cmocka_unit_test(status_is_read_once_a_load),
        cmocka_unit_test(full_line_keeps_bytes),
        cmocka_unit_test(breaks_and_overruns_are_counted),
        cmocka_unit_test(absent_is_refused),
        cmocka_unit_test(liars_cannot_hold_up),
        cmocka_unit_test(one_that_stays_full_is_given_up),
        cmocka_unit_test(interrupts_for_nothing_are_given_up),
        cmocka_unit_test(idle_asks_as_often_as_it_must),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
