/* SPDX-License-Identifier: MIT */
/*
 * launcher.h: a small process beside the VMM that starts the programs of guests, so that the VMM itself needs no fork and no
 * exec once it is in its sandbox, and guests' programs do not inherit that sandbox.
 *
 * It is forked while the VMM has one thread and the configuration has just been read, and does one thing: start the program
 * of domain N as that domain's engine says (engine_ops.exec), with the descriptors it is sent. Whoever takes over the VMM can
 * therefore start what the configuration names, and nothing else. It is the subreaper of all of them, tells their exit
 * status through a pipe, and ends, with them, when the VMM does.
 *
 * Owner: the caller places struct launcher.
 * Lock:  loop thread only.
 * Trust: between VMM and launcher none is needed but the number's range. What it starts is hostile.
 */
#ifndef VCONS_VMM_LAUNCHER_H
#define VCONS_VMM_LAUNCHER_H
#include "config.h"
#include "host/message.h"
#include <sys/types.h>

#define LAUNCH_FDS_MAX 4u

struct launcher {
    int fd; /* the socket to it */
    pid_t pid;
};
struct launched { /* a program that runs; descriptors are the receiver's, close-on-exec */
    pid_t pid;
    int pidfd;     /* for pidfd_send_signal */
    int status_fd; /* an int comes here when it has died: 0..255 its exit status, 128 + N: signal N */
};

int launcher_init(struct launcher *l, const struct vmm_config *config, struct problem *problem);
/* Start the program of config->domains[index]. */
int launcher_start(struct launcher *l, uint32_t index, const int *fds, unsigned n_fds, struct launched *launched,
                   struct problem *problem);
void launcher_finish(struct launcher *l);

/* For whoever waits for a launched program, in a thread of its own: its status as above; -1: the launcher died. */
int launched_wait(const struct launched *launched);
void launched_kill(const struct launched *launched);
void launched_close(struct launched *launched);

#endif
