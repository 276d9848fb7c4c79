/* SPDX-License-Identifier: MIT */
#include "tiny_uart_test.h"

#define SOON_NS    UINT64_C(60000000000) /* a hang guard: of a laboratory on a busy host, too */
#define SOON_LOOKS 3000000u              /* some seconds of a UART that is emulated, where there is no clock */

/* Looks left, less one; 0: the time is over. */
static uint32_t again(const struct uart *u, uint32_t looks, uint64_t began)
{
    if (looks % 256 == 0 && began != 0 && hypercall_time(u->hvc.platform) - began > SOON_NS)
        return 0;
    return looks - 1;
}

bool uart_soon(const struct uart *u, uint32_t offset, uint32_t width, uint32_t mask, uint32_t value)
{
    uint64_t began = hypercall_time(u->hvc.platform);

    for (uint32_t looks = SOON_LOOKS; looks > 0; looks = again(u, looks, began))
        if ((uart_read(u, offset, width) & mask) == value)
            return true;
    return false;
}

uint64_t uart_interrupts(const struct uart *u) { return *(const volatile uint64_t *)&u->n_interrupts; }

bool uart_soon_interrupts(const struct uart *u, uint64_t n)
{
    uint64_t began = hypercall_time(u->hvc.platform);

    for (uint32_t looks = SOON_LOOKS; looks > 0; looks = again(u, looks, began))
        if (uart_interrupts(u) != n)
            return true;
    return false;
}

static const struct uart_suite *suite_of(const struct uart *u)
{
    return u->chip == &uart_16550 ? &uart_suite_16550 : u->chip == &uart_sbsa ? &uart_suite_sbsa : &uart_suite_pl011;
}

enum verdict { OK, KNOWN, FAILED, N_VERDICTS };

static enum verdict check(struct uart_test *t, const struct uart_suite *suite, const struct uart_check *row,
                          const char *emulator)
{
    suite->set_up(t->u);
    if (row->holds(t))
        return OK;
    return emulator != NULL && row->deviates != NULL && tiny_equal(emulator, row->deviates) ? KNOWN : FAILED;
}

/* Quiet while it runs: the UART may be the very console, and what it sends does not leave it then. */
static void run(struct tiny_console *c, struct uart *u, const char *emulator)
{
    static const char *const words[N_VERDICTS] = {"ok ", "known ", "FAILED "};
    const struct uart_suite *suite = suite_of(u);
    struct uart_test t = {.u = u};
    uint32_t n[N_VERDICTS] = {0};

    for (const struct uart_check *row = suite->checks; row->what != NULL; row++) {
        enum verdict v;

        print_flush(&c->out);
        uart_begin_test(u);
        suite->set_up(u);
        if (row == suite->checks)
            t.loops = suite->loops(u);
        v = check(&t, suite, row, emulator);
        n[v]++;
        suite->set_up(u);
        uart_end_test(u);
        print_text(&c->out, words[v]);
        print_line(&c->out, row->what);
    }
    print_text(&c->out, "uart-test: ");
    print_number(&c->out, n[OK]);
    print_text(&c->out, " ok, ");
    print_number(&c->out, n[KNOWN]);
    print_text(&c->out, " known, ");
    print_number(&c->out, n[FAILED]);
    print_line(&c->out, " failed");
}

bool tiny_run_uart_test(struct tiny_console *c, char *rest)
{
    struct uart *u = tiny_uart_of(c->tiny, c->hvc), *named;
    const char *emulator = NULL, *word;

    while ((word = tiny_word(&rest)) != NULL) {
        named = tiny_uart_named(c->tiny, word);
        if (named != NULL)
            u = named;
        else if (tiny_equal(word, "qemu"))
            emulator = word;
        else
            return false;
    }
    if (u == NULL)
        u = tiny_uart_named(c->tiny, "uart");
    if (u == NULL)
        print_line(&c->out, "no UART");
    else
        run(c, u, emulator);
    return true;
}
