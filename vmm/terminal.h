/* SPDX-License-Identifier: MIT */
/*
 * terminal.h: the person in front of us: raw keys in, the hypervisor's console out.
 *
 * Spec:  design §3.2: the terminal is written from a bounded buffer (that of core's focus) by the loop; no vCPU waits for
 *        it. What does not fit while it is stopped by Ctrl-S is skipped there with a mark; the logs have it all.
 * Owner: struct terminal is part of struct vmm. The descriptors are own descriptions of the same terminal, so that
 *        O_NONBLOCK is not seen by the shell that started us; its settings are restored by terminal_close.
 * Lock:  loop thread only.
 * Trust: the person's keys are theirs. End of file is only the end of keys.
 */
#ifndef VCONS_VMM_TERMINAL_H
#define VCONS_VMM_TERMINAL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>
#include <uv.h>

struct vmm;

struct terminal {
    struct vmm *vmm;
    int in_fd, out_fd; /* -1: none */
    uv_poll_t in, out;
    bool in_ready, out_ready; /* their handles exist */
    bool raw;                 /* saved holds what to restore */
    bool has_keys;            /* somebody may type: input is there and has not ended */
    struct termios saved;
    uint32_t viewers_size; /* rows << 16 | columns of who types to our console as a viewer; 0: not told */
    uint8_t chunk[4096];   /* taken from focus, not yet written */
    size_t at, n;
};

/* Standard input and output. Returns whether output needs a CR before each LF (a terminal, raw now). */
bool terminal_open(struct terminal *t, struct vmm *vmm);
/* There is something to show. */
void terminal_write(struct terminal *t);
/* After SIGCONT: the shell had the terminal in between. */
void terminal_again(struct terminal *t);
/* All has been written that can be without waiting, for at most wait_ms. */
void terminal_drain(struct terminal *t, unsigned wait_ms);
void terminal_close(struct terminal *t);
/*
 * The size of the console that is typed to from here is looked at again: the focus moved, the window changed, or nobody else
 * types there any more. Without a terminal it is that of a viewer of our own console.
 */
void terminal_resized(struct terminal *t);

#endif
