/* SPDX-License-Identifier: MIT */
/*
 * owner.h: whose a domain's name is, kept in the state directory over restarts of the service.
 *
 * Spec:  decisions, "Line, link": a name belongs to the uid and UUID that made it.
 * Owner: one small file a domain, STATE/owners/DOMAIN: "1 UID PID UUID\n", replaced as a whole.
 * Lock:  none, the control thread.
 * Trust: the directory is ours alone; a file that is cut or damaged says nothing. Names are checked by the caller (name_ok).
 */
#ifndef VCONS_SERVICE_OWNER_H
#define VCONS_SERVICE_OWNER_H

struct console;
struct service;

/* Make and open the directory. 0 or a negative errno: then owners are known while the service runs, no longer. */
int owners_open(struct service *s);
void owners_close(struct service *s);
/* Into c->origin what the file of its domain says, if there is one. */
void owner_load(struct console *c);
/* Keep c->origin, which a hypervisor has brought. Nothing is written if it is known already. */
void owner_keep(struct console *c);

#endif
