/* SPDX-License-Identifier: MIT */
/* uart_verbs.h: both UARTs behind the steps of uart_rig.h. */
#ifndef VCONS_TESTS_UART_VERBS_H
#define VCONS_TESTS_UART_VERBS_H
#include <vcons/ns16550.h>
#include <vcons/pl011.h>

#include "uart_rig.h"

#define VERBS(name, type, of, width)                                                                                   \
    static bool name##_r(void *u, uint64_t o, uint32_t w, uint32_t *v)                                                 \
    {                                                                                                                  \
        return of##_read((struct type *)u, o, w, v);                                                                   \
    }                                                                                                                  \
    static bool name##_w(void *u, uint64_t o, uint32_t w, uint32_t v)                                                  \
    {                                                                                                                  \
        return of##_write((struct type *)u, o, w, v);                                                                  \
    }                                                                                                                  \
    static uint32_t name##_in(void *u, const uint8_t *b, uint32_t n) { return of##_input((struct type *)u, b, n); }    \
    static bool name##_break(void *u) { return of##_break((struct type *)u); }                                         \
    static void name##_overrun(void *u) { of##_overrun((struct type *)u); }                                            \
    static void name##_modem(void *u, uint32_t lines) { of##_modem((struct type *)u, lines); }                         \
    static void name##_room(void *u) { of##_output_room((struct type *)u); }                                           \
    static void name##_timer(void *u) { of##_timer((struct type *)u); }                                                \
    static void name##_reset(void *u) { of##_reset((struct type *)u); }                                                \
    __attribute__((unused)) static const struct uart_verbs name##_verbs = {                                            \
        width,          name##_r,     name##_w,    name##_in,    name##_break,                                         \
        name##_overrun, name##_modem, name##_room, name##_timer, name##_reset};

VERBS(pl011, vc_pl011, vc_pl011, 4)
VERBS(ns16550, vc_16550, vc_16550, 1)

#endif
