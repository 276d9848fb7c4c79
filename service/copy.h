/* SPDX-License-Identifier: MIT */
/*
 * copy.h: consoles' logs once more as text files, one each, with the time before each line: what xenconsoled's logs are.
 *
 * Spec:  copy_text.h; vconsd.conf(5), "text". DIRECTORY/guest-DOMAIN.log for the console pv0, guest-DOMAIN-CONSOLE.log for any
 *        other, hypervisor.log for Domain-0/hypervisor; mode 0640; appended to; opened anew after copies_reopen.
 * Owner: struct copies is the service's; a console owns its struct copy until copies_stop.
 * Lock:  copies->lock of the list of copies with work, held for moments; inside it nothing else is taken. copy_due: any
 *        thread. A copy's files and its cursor are the thread's alone. The others: the control thread.
 * Trust: whoever writes to the directory may replace, cut or remove the files; symbolic links in place of them are not
 *        followed. The bytes are a guest's.
 *
 * A viewer of its own kind: a cursor into the log, so a slow or full disk delays only its own file, and what was not written
 * yet comes when there is room. How far a file has got is kept in the state directory as (file, length, offset of the log);
 * whatever the file has beyond that length was written just before a crash, and is left out when it is made again.
 */
#ifndef VCONS_SERVICE_COPY_H
#define VCONS_SERVICE_COPY_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/message.h"

#define COPY_RETRY_MS 1000u /* after a file or the disk refused */
#define COPY_STOP_MS  300u  /* for what is left at the end; the next service goes on */

struct console;
struct copy;
struct service;

struct copy_rules { /* of vconsd.conf; directory empty: no copies */
    char directory[200];
    bool guests, hypervisor;             /* whose are wanted */
    bool times_guests, times_hypervisor; /* of whose lines */
    bool replace_escape;
};

struct copies {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct copy *due, **last;
    struct copy *refused; /* the thread's: to be tried again ... */
    uint64_t retry_ms;    /* ... then, CLOCK_MONOTONIC */
    const struct copy_rules *rules;
    uint32_t opened;  /* how often files were to be opened anew; guarded by lock */
    int state_fd;     /* directory of what is kept */
    uint64_t stop_ms; /* if stopping: when it is to have ended */
    bool running, stopping;
};

/* Begin, if the configuration wants any, with what an earlier service left undone. 0 or a negative errno with *p. */
int copies_start(struct service *s, struct problem *p);
/* c, whose log is open, is to be copied if the rules say so: from where it was left, else from this offset on. */
void copy_begin(struct console *c, uint64_t from);
void copy_due(struct console *c);  /* there is more in its log; accepts one without a copy */
void copy_gone(struct console *c); /* for good: write what there is, then close its file */
void copies_reopen(struct service *s);
/* Write what there is of all, within COPY_STOP_MS, end the thread, free. The logs are still open, and nothing is appended to them. */
void copies_stop(struct service *s);

#endif
