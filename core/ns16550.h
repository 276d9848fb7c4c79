/* SPDX-License-Identifier: MIT */
/* ns16550.h: what ns16550.c has for ns16550_save.c. Private to core/. */
#ifndef CORE_NS16550_H
#define CORE_NS16550_H
#include "uart.h"
#include <vcons/ns16550.h>

/* After any change: send, recompute, tell env. */
void vc_16550_settle(struct vc_16550 *u);
/* All registers and FIFOs were just put in: recompute the rest, and tell env, but send nothing yet. */
void vc_16550_restored(struct vc_16550 *u);

#endif
