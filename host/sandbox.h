/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h: after set-up a program keeps only the system calls that it names.
 *
 * Spec:  seccomp(2): an allow-list by name, for all threads there are; anything else kills the process. no_new_privs
 *        is set.
 * Owner: nothing is kept.
 * Lock:  call once, when set-up is done and before the first hostile byte is read.
 * Trust: the filter is the last wall behind our own bugs: name what is needed, not what might be handy.
 *
 * VCONS_SANDBOX=log (for developers) logs what would have killed (journalctl -k, audit type 1326) and goes on.
 */
#ifndef HOST_SANDBOX_H
#define HOST_SANDBOX_H
#include "message.h"

/* Allow these (ends with NULL) and what every hosted program of ours needs: memory, futexes, clocks, signals'
 * return, reading, writing and closing what is open, and leaving. A name this kernel or libseccomp does not
 * know is skipped. 0 or -errno with *p; after a failure no filter is in force. Builds with a sanitizer allow
 * what that needs as well. */
int sandbox_enter(const char *const *syscalls, struct problem *p);

#endif
