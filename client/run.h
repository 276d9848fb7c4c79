/* SPDX-License-Identifier: MIT */
/*
 * run.h: what vcons run keeps: the service it found or started, the hypervisor it waits for. Private to cmd_run.c and run_*.c.
 *
 * Spec:  docs/vcons.1 (RUN).
 * Owner: one struct run on cmd_run.c's stack.
 * Lock:  none: one thread.
 * Trust: programs found beside ours or installed with us; what they write to VCONS_RUN_FD is one letter at a time.
 */
#ifndef CLIENT_RUN_H
#define CLIENT_RUN_H
#include <sys/types.h>

#include "conn.h"
#include "host/paths.h"
#include "tty.h"

struct run {
    struct options *options;
    bool detach, private;
    char *const *arguments; /* for vcons-vmm, NULL at the end */
    struct paths paths;
    enum paths_scope scope;
    char private_dir[64]; /* empty, or ours to remove */
    char socket[PATHS_SOCKET_BYTES], link[PATHS_SOCKET_BYTES];
    char log_dir[PATH_MAX]; /* where the service says its logs are */
    pid_t service;          /* the service if we started it, else 0 */
    pid_t vmm;
    int signals;
    struct tty tty;
};

/* Check the hypervisor's arguments, start what is missing, and it; wait for it unless r->detach. An exit code, with its message. */
int run_all(struct run *r);
/* Directories for this run alone, in the environment for all we start. 0 or an exit code, with a message. */
int run_private_make(struct run *r);
/* Wait until the service that we started has ended, end it if it has not, remove the directories, or all but the logs. */
void run_private_end(struct run *r, bool keep_logs);
/* Find a live service or start one. 0 or an exit code, with a message. */
int run_service(struct run *r);
/* Start program (one of ours) with argv[1..], input from /dev/null and errors at the end of file; its pid or -errno. */
pid_t run_spawn(char *const argv[], const char *file, int keep_fd);
/* In a child: become the program argv[0]; keep_fd, unless it is -1, stays open for it. */
_Noreturn void run_become(char *const argv[], int keep_fd);
/* What was added to the file since it had this length, on standard error. */
void run_tell(const char *file, off_t length);
off_t run_length(const char *file);

#endif
