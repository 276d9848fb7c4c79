/* SPDX-License-Identifier: MIT */
/*
 * lease.h: leases of write tokens, kept in the state directory over restarts and upgrades of the service.
 *
 * Spec:  token.h; docs/vcons.1 (lease).
 * Owner: one small file a lease, STATE/leases/DOMAIN,CONSOLE: "1 UID SINCE UNTIL\nWHO\nNOTE\n", times in ns of CLOCK_REALTIME,
 *        replaced as a whole, gone with the lease.
 * Lock:  none, the control thread.
 * Trust: the directory is ours alone; a file that is cut or damaged says nothing.
 */
#ifndef VCONS_SERVICE_LEASE_H
#define VCONS_SERVICE_LEASE_H

struct console;
struct service;

/* Make and open the directory; without it leases end with the service. */
void leases_open(struct service *s);
void leases_close(struct service *s);
/* Of a console that has just come: into its token what its file says, if it is not over. */
void lease_load(struct console *c);
/* As its token has it now, also if it has none. */
void lease_keep(const struct console *c);
/* Before another name: what is kept by this one goes. */
void lease_forget(const struct console *c);

#endif
