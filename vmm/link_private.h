/* SPDX-License-Identifier: MIT */
/* link_private.h: between link.c (dialling), link_send.c and link_receive.c. */
#ifndef VCONS_VMM_LINK_PRIVATE_H
#define VCONS_VMM_LINK_PRIVATE_H
#include "link.h"
#include <stddef.h>

struct console *link_console_of(struct link *l, uint32_t cookie);
/* Send HELLO at once. 0 or -errno. */
int link_send_hello(struct link *l);
/* Send what is owed until nothing is or the socket is full. */
void link_send_owed(struct link *l);
/* Take all packets that are there. */
void link_receive(struct link *l);
/* End of this connection; dial again after wait_ms; 0: at once, but not endlessly so. */
void link_down(struct link *l, uint64_t wait_ms);
/* The service has, or no longer has, this line. */
void link_taken(struct link *l, uint32_t cookie, bool taken);
void link_want_write(struct link *l, bool want);

#endif
