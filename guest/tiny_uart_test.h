/* SPDX-License-Identifier: MIT */
/*
 * tiny_uart_test.h: what `uart-test` checks: one table a kind of UART, each row named by the sentence that must hold.
 *
 * Spec:  the chips' manuals, as drivers rely on them: Arm DDI 0183G, BSA 1.0 appendix B, PC16550D; device ABI 1.1-1.9.
 * Owner: the UART is the test's alone meanwhile; it is set up anew before each row and afterwards.
 * Lock:  vCPU 0. Trust: no register is waited for without bound, so that each row ends on any device.
 */
#ifndef GUEST_TINY_UART_TEST_H
#define GUEST_TINY_UART_TEST_H
#include "tiny.h"

struct uart_test {
    struct uart *u;
    bool loops; /* what is sent in loopback comes back: rows about input need it, so that nothing reaches the line */
};
struct uart_check {
    const char *what;
    bool (*holds)(struct uart_test *t);
    const char
        *deviates; /* an emulator that is known not to (device ABI 1.7), as the word's argument names it; or NULL */
};
struct uart_suite {
    void (*set_up)(struct uart *u); /* FIFOs on and empty, loopback, nothing latched, no interrupt */
    bool (*loops)(struct uart *u);
    const struct uart_check *checks; /* up to one without a name */
};
extern const struct uart_suite uart_suite_pl011, uart_suite_sbsa, uart_suite_16550;

/* Until the register, of so many bytes, has this value under the mask; false: not within a minute. */
bool uart_soon(const struct uart *u, uint32_t offset, uint32_t width, uint32_t mask, uint32_t value);
/* Until the next interrupt after n; false: none came. With `interrupts` only. */
bool uart_soon_interrupts(const struct uart *u, uint64_t n);
uint64_t uart_interrupts(const struct uart *u);

#endif
