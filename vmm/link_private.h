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
/* A cookie that stands for a console that is there. */
bool link_is_console(const struct link_console *c);
/* An answer to a request of the service, sent with what else is owed; reason 0: done. Lost where too many wait. */
void link_push_answer(struct link *l, uint32_t serial, uint32_t reason, const char *text);
/* link_console.c: a text of a packet, NUL-terminated within its field: a printable copy. False: it is not. */
bool link_text(const char *field, size_t size, char *to, size_t to_size);
/* The service asks for a console more or less. False: it breaks the protocol. */
bool link_on_console(struct link *l, const struct vc_link_console *ask);
/* The service took a console, or did not: whoever asked for it is answered. */
void link_console_answered(struct link *l, uint32_t cookie, const char *refusal);
/* Its GONE is sent, or need not be. */
void link_console_over(struct link *l, uint32_t cookie);

#endif
