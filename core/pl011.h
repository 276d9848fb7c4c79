/* SPDX-License-Identifier: MIT */
/* pl011.h: what pl011.c has for pl011_save.c. Private to core/. */
#ifndef CORE_PL011_H
#define CORE_PL011_H
#include "uart.h"
#include <vcons/pl011.h>

/* After any change: send, recompute, tell env. */
void vc_pl011_settle(struct vc_pl011 *u);
/* Whether what is latched agrees with the FIFOs. */
bool vc_pl011_legal(const struct vc_pl011 *u);
/* All registers and FIFOs were just put in: recompute the rest, and tell env, but send nothing yet. */
void vc_pl011_restored(struct vc_pl011 *u);

#endif
