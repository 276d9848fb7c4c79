/* SPDX-License-Identifier: MIT */
/*
 * xenconsoled.h: vconsd --xenconsoled: the options of Xen's own daemon, for scripts and units that give them.
 *
 * Spec:  xenconsoled of Xen 4.17 (Xen ABI 10.5): -h -V -v -i --log= --log-dir= --pid-file= -t --timestamp= -o --overflow-data=
 *        --replace-escape. An unknown word is refused here, where xenconsoled goes on without it; an empty one is "none", for
 *        units that give --log=${UNSET}. --replace is ours.
 * Owner: strings are argv's.
 * Lock:  none, before any thread.
 */
#ifndef VCONS_SERVICE_XENCONSOLED_H
#define VCONS_SERVICE_XENCONSOLED_H
#include <stdbool.h>

#include "copy.h"
#include "host/message.h"

#define XENCONSOLED_LOG_DIR  "/var/log/xen/console"
#define XENCONSOLED_PID_FILE "/run/xenconsoled.pid" /* where Debian's init script has it */

struct xenconsoled {
    bool wanted, interactive, verbose;
    bool replace; /* end a xenconsoled that runs */
    const char *pid_file, *run_as;
    struct copy_rules text; /* directory empty: no logs are wanted */
};

/* Whether these are arguments for it: the first is --xenconsoled, or the program was started by the name xenconsoled. */
bool xenconsoled_asked(int argc, char **argv);
/* 0, or the exit status, after a message. -h and -V exit with 0. */
int xenconsoled_parse(struct xenconsoled *x, int argc, char **argv);
/* The pid file, locked as xenconsoled locks it before it looks at any console: none starts with it while we live. 0 or a
 * negative errno with *p; *fd is to stay open. Where the file names somebody who lives, *p does so too. */
int xenconsoled_claim(const char *pid_file, int *fd, struct problem *p);

#endif
