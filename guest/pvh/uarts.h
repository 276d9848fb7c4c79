/* SPDX-License-Identifier: MIT */
/*
 * uarts.h: the four 16550s of a PC, and their interrupts through its two 8259s.
 *
 * Spec:  device ABI 1.9; Intel 8259A data sheet for ICW1-4 and OCW1. They end interrupts by themselves (automatic EOI).
 * Owner: the UARTs that pvh_uart_interrupts was given stay for good.
 * Lock:  vCPU 0 alone.
 */
#ifndef GUEST_PVH_UARTS_H
#define GUEST_PVH_UARTS_H
#include "tiny.h"

#define PVH_UARTS 4u

extern const struct tiny_uart_place pvh_uart_places[PVH_UARTS];
/* As tiny_machine.uart_interrupts; interrupts are on then. */
bool pvh_uart_interrupts(struct uart *u, uint32_t irq);
/* As tiny_machine.wait. */
void pvh_wait(void *ctx, const uint32_t *ports, uint32_t n, uint64_t until_ns);

#endif
