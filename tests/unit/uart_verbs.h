/* SPDX-License-Identifier: MIT */
/* uart_verbs.h: both UARTs behind the steps of uart_rig.h. */
#ifndef VCONS_TESTS_UART_VERBS_H
#define VCONS_TESTS_UART_VERBS_H
#include <vcons/ns16550.h>
#include <vcons/pl011.h>
#include <vcons/save.h>

#include "uart_rig.h"

/* name##_read and so on: of##_read and so on of a struct type, be that a device or a model of one. */
#define UART_FUNCTIONS(name, type, of)                                                                                 \
    static bool name##_read(void *u, uint64_t o, uint32_t w, uint32_t *v)                                              \
    {                                                                                                                  \
        return of##_read((struct type *)u, o, w, v);                                                                   \
    }                                                                                                                  \
    static bool name##_write(void *u, uint64_t o, uint32_t w, uint32_t v)                                              \
    {                                                                                                                  \
        return of##_write((struct type *)u, o, w, v);                                                                  \
    }                                                                                                                  \
    static uint32_t name##_input(void *u, const uint8_t *b, uint32_t n) { return of##_input((struct type *)u, b, n); } \
    static bool name##_break(void *u) { return of##_break((struct type *)u); }                                         \
    static void name##_overrun(void *u) { of##_overrun((struct type *)u); }                                            \
    static void name##_modem(void *u, uint32_t lines) { of##_modem((struct type *)u, lines); }                         \
    static void name##_room(void *u) { of##_output_room((struct type *)u); }                                           \
    static void name##_timer(void *u) { of##_timer((struct type *)u); }                                                \
    static void name##_reset(void *u) { of##_reset((struct type *)u); }
#define UART_VERBS(name, bytes)                                                                                        \
    .width = (bytes), .read = name##_read, .write = name##_write, .input = name##_input, .send_break = name##_break,   \
    .overrun = name##_overrun, .modem = name##_modem, .output_room = name##_room, .timer = name##_timer,               \
    .reset = name##_reset

/* … and what only a device does. */
#define UART_DEVICE(name, type, of, bytes)                                                                             \
    UART_FUNCTIONS(name, type, of)                                                                                     \
    static void name##_batch(void *u, const struct vc_uart_write *a, uint32_t n)                                       \
    {                                                                                                                  \
        of##_write_batch((struct type *)u, a, n);                                                                      \
    }                                                                                                                  \
    static bool name##_zone(const void *u, bool is, uint32_t room, uint32_t entries)                                   \
    {                                                                                                                  \
        return of##_zone((const struct type *)u, is, room, entries);                                                   \
    }                                                                                                                  \
    static void name##_save(const void *u, struct vc_writer *w) { of##_save((const struct type *)u, w); }              \
    static int name##_restore(void *u, struct vc_section *s) { return of##_restore((struct type *)u, s); }             \
    __attribute__((unused)) static const struct uart_verbs name##_verbs = {                                            \
        UART_VERBS(name, bytes), .write_batch = name##_batch, .zone = name##_zone, .save = name##_save,                \
        .restore = name##_restore};

UART_DEVICE(pl011, vc_pl011, vc_pl011, 4)
UART_DEVICE(ns16550, vc_16550, vc_16550, 1)

#endif
