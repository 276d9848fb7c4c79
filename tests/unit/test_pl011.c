/* SPDX-License-Identifier: MIT */
/* The PL011, a row for each rule of its manual (Arm DDI 0183G) and each habit of a driver (named). */
#include "unit.h"
#include <setjmp.h>

#include <stdlib.h>
#include <vcons/pl011.h>
#include <vcons/save.h>

#include "uart_rig.h"

static bool read_it(void *u, uint64_t o, uint32_t w, uint32_t *v) { return vc_pl011_read(u, o, w, v); }
static bool write_it(void *u, uint64_t o, uint32_t w, uint32_t v) { return vc_pl011_write(u, o, w, v); }
static uint32_t input_it(void *u, const uint8_t *bytes, uint32_t n) { return vc_pl011_input(u, bytes, n); }
static bool break_it(void *u) { return vc_pl011_break(u); }
static void overrun_it(void *u) { vc_pl011_overrun(u); }
static void modem_it(void *u, uint32_t lines) { vc_pl011_modem(u, lines); }
static void room_it(void *u) { vc_pl011_output_room(u); }
static void timer_it(void *u) { vc_pl011_timer(u); }
static void reset_it(void *u) { vc_pl011_reset(u); }
static const struct uart_verbs verbs = {4,          read_it,  write_it, input_it, break_it,
                                        overrun_it, modem_it, room_it,  timer_it, reset_it};

/* What drivers write to switch it on: 8 data bits with or without FIFOs, both directions. */
#define ON   W(UARTCR, 0x301)
#define FIFO W(UARTLCR_H, 0x70)

static const struct uart_row rows[] = {
    /* Reset state: table 3-1, and ids of r1p5: 3.3.16. */
    {"reset: control registers",
     {R(UARTCR, 0x300), R(UARTLCR_H, 0), R(UARTIFLS, 0x12), R(UARTIMSC, 0), R(UARTRIS, 0), R(UARTMIS, 0),
      R(UARTIBRD, 0), R(UARTFBRD, 0), R(UARTILPR, 0), R(UARTDMACR, 0), R(UARTRSR, 0), R(UARTFR, 0x97), IRQ(0),
      TIMER(0)}},
    {"ids: part 011, Arm, r1p5",
     {R(0xfe0, 0x11), R(0xfe4, 0x10), R(0xfe8, 0x34), R(0xfec, 0), R(0xff0, 0x0d), R(0xff4, 0xf0), R(0xff8, 0x05),
      R(0xffc, 0xb1), W(0xfe0, 0xff), W(0xffc, 0), R(0xfe0, 0x11), R(0xffc, 0xb1)}},
    {"a byte leaves in the write that sends it", {W(UARTDR, 'a'), OUT("a"), R(UARTFR, 0x97)}},
    {"bytes come in once it is switched on",
     {IN("ab", 0), R(UARTFR, 0x97), ON, ASKED(1), FIFO, IN("ab", 2), R(UARTFR, 0x87), R(UARTDR, 'a'), R(UARTDR, 'b'),
      R(UARTDR, 0), R(UARTFR, 0x97)}},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct vc_pl011 u;
        struct uart_rig g = {.uart = &u, .room = UINT32_MAX};

        vc_pl011_init(&u, VC_PL011_FULL, &rig_env, &g);
        uart_run_row(&g, &verbs, &rows[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
