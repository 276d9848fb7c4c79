/* SPDX-License-Identifier: MIT */
/* uart_chip.h: the two kinds of UART that core has, as one: for door_uart.c and uart_zone.c. */
#ifndef VCONS_VMM_UART_CHIP_H
#define VCONS_VMM_UART_CHIP_H
#include "door_uart.h"

struct uart_chip {
    uint32_t tag;        /* of its saved state */
    uint32_t data_bytes; /* of its data register, which is its first */
    void (*init)(struct door_uart *u, const struct vc_uart_env *env, struct door *door);
    void (*read)(struct door_uart *u, uint64_t offset, uint32_t width, uint32_t *value);
    void (*write)(struct door_uart *u, uint64_t offset, uint32_t width, uint32_t value);
    void (*write_batch)(struct door_uart *u, const struct vc_uart_write *writes, uint32_t n);
    bool (*zone)(const struct door_uart *u, bool is, uint32_t line_room, uint32_t ring_entries);
    uint32_t (*input)(struct door_uart *u, const uint8_t *bytes, uint32_t n);
    bool (*send_break)(struct door_uart *u);
    void (*output_room)(struct door_uart *u);
    void (*timer)(struct door_uart *u);
    uint64_t (*dropped)(const struct door_uart *u);
    void (*save)(const struct door_uart *u, struct vc_writer *w);
    int (*restore)(struct door_uart *u, struct vc_section *s);
};

#endif
