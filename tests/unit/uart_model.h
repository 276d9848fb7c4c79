/* SPDX-License-Identifier: MIT */
/* uart_model.h: what a model of a UART says to the world, whichever chip it is of, to compare with what the device said. */
#ifndef VCONS_TESTS_UART_MODEL_H
#define VCONS_TESTS_UART_MODEL_H
#include <stdint.h>

struct model_world {
    uint32_t room;         /* bytes that the line takes: the caller's */
    uint64_t timer_ns;     /* as asked for last; 0: none */
    uint32_t breaks, asks; /* breaks sent and room for input told, since the caller looked, as all below */
    uint8_t out[4096];
    uint32_t n_out;
};

static inline void model_sends(struct model_world *w, uint8_t byte)
{
    w->room--;
    w->out[w->n_out++] = byte;
}

#endif
