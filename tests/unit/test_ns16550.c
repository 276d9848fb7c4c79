/* SPDX-License-Identifier: MIT */
/* The 16550A, a row for each rule of its manual (PC16550D) and each probe of a driver (named). */
#include "unit.h"
#include <setjmp.h>

#include <stdlib.h>
#include <vcons/ns16550.h>
#include <vcons/save.h>

#include "uart_rig.h"

static bool read_it(void *u, uint64_t o, uint32_t w, uint32_t *v) { return vc_16550_read(u, o, w, v); }
static bool write_it(void *u, uint64_t o, uint32_t w, uint32_t v) { return vc_16550_write(u, o, w, v); }
static uint32_t input_it(void *u, const uint8_t *bytes, uint32_t n) { return vc_16550_input(u, bytes, n); }
static bool break_it(void *u) { return vc_16550_break(u); }
static void overrun_it(void *u) { vc_16550_overrun(u); }
static void modem_it(void *u, uint32_t lines) { vc_16550_modem(u, lines); }
static void room_it(void *u) { vc_16550_output_room(u); }
static void timer_it(void *u) { vc_16550_timer(u); }
static void reset_it(void *u) { vc_16550_reset(u); }
static const struct uart_verbs verbs = {1,          read_it,  write_it, input_it, break_it,
                                        overrun_it, modem_it, room_it,  timer_it, reset_it};

static const struct uart_row rows[] = {
    {"reset: table I",
     {R(UART_IER, 0), R(UART_IIR, 1), R(UART_LCR, 0), R(UART_MCR, 0), R(UART_LSR, 0x60), R(UART_MSR, 0xb0),
      R(UART_SCR, 0), IRQ(0), TIMER(0)}},
    {"a byte leaves in the write that sends it", {W(UART_DATA, 'a'), OUT("a"), R(UART_LSR, 0x60)}},
    {"a byte that came in", {IN("a", 1), R(UART_LSR, 0x61), R(UART_DATA, 'a'), R(UART_LSR, 0x60), R(UART_DATA, 0)}},
    {"Linux looks for the 16550A",
     {W(UART_IER, 0), R(UART_IER, 0), W(UART_IER, 0x0f), R(UART_IER, 0x0f), W(UART_MCR, 0x1a), R(UART_MSR, 0x92),
      W(UART_LCR, 0xbf), W(UART_IIR, 0), W(UART_LCR, 0), W(UART_IIR, 1), R(UART_IIR, 0xc2)}},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct vc_16550 u;
        struct uart_rig g = {.uart = &u, .room = UINT32_MAX};

        vc_16550_init(&u, &rig_env, &g);
        uart_run_row(&g, &verbs, &rows[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
