/* SPDX-License-Identifier: MIT */
/*
 * manager.h: the service manager that started us, if one did: what it is told, and the sockets that it made for us.
 *
 * Spec:  sd_notify(3), sd_notify_barrier(3), sd_watchdog_enabled(3), sd_listen_fds(3): NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_PID,
 *        LISTEN_FDS, LISTEN_FDNAMES. By hand: it is a datagram, and libsystemd would be one more library in the daemon.
 * Owner: struct service; manager_open in a zeroed one, manager_close ends it. A socket that manager_socket gave away is its taker's.
 * Lock:  none, the control thread.
 * Trust: the environment is that of whoever started us. Descriptors are looked at before they are used: a listening socket
 *        of the wanted type, or it is none of ours and is closed.
 *
 * Without a watchdog nothing here wakes anybody; with one, one timer each half interval. It tells the manager that we live
 * only if the append thread has gone round, or sleeps, too.
 */
#ifndef VCONS_SERVICE_MANAGER_H
#define VCONS_SERVICE_MANAGER_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>
#include <uv.h>

struct service;

#define MANAGER_SOCKETS 8u
#define MANAGER_STATE   "vcons-state" /* what manager_store keeps: a file, and … */
#define MANAGER_STORED  "vcons-src-"  /* … descriptors with their number behind */

struct manager {
    int fd; /* what datagrams are sent by; -1: there is none to tell */
    struct sockaddr_un at;
    socklen_t at_bytes;
    uint64_t watchdog_us; /* 0: none */
    uint64_t turn_seen;   /* append_turn at the last look */
    uv_timer_t watchdog;
    int barrier[2]; /* a pipe, for manager_barrier; made while a filter of system calls does not yet keep us from it */
    int state_fd;   /* an empty memfd, for manager_store */
    int earlier_fd; /* what an earlier service of ours stored; -1: nothing */
    uint32_t n_stored;
    int *stored; /* and its descriptors by their numbers; -1: none, or given away */
    uint32_t n_sockets;
    struct {
        char name[32];
        int fd;    /* -1: given away */
        bool ours; /* an earlier service of ours made it: its name goes with us */
    } sockets[MANAGER_SOCKETS];
};

/* From the environment, which is cleaned of it: a child of ours is not what it speaks of. */
void manager_open(struct manager *m);
void manager_close(struct manager *m);
/*
 * The socket of that name (its own, or the last part of its path) and type, listening, now the caller's; -1: none. *given: it is the
 * manager's, who takes its name away.
 */
int manager_socket(struct manager *m, const char *name, int type, bool *given);
/* From a service whose place we take (upgrade.h): a socket of its, false: too many; and the manager it had, if we have none. */
bool manager_give(struct manager *m, const char *name, int fd, bool ours);
void manager_inherit(struct manager *m, const struct sockaddr_un *at, socklen_t bytes, uint64_t watchdog_us);
/* What stays behind was for nobody: closed, with a message. */
void manager_sockets_done(struct manager *m);

/* We answer from here on: READY, with our pid; the watchdog begins. 0 or a negative errno. */
int manager_ready(struct service *s);
void manager_reloading(struct service *s); /* until manager_reloaded */
void manager_reloaded(struct service *s);
void manager_stopping(struct service *s, const char *status);

/* sd_pid_notify_with_fds(3), FDSTORE: keep this descriptor for who is started next in our place. Waits for the manager to listen. */
void manager_store(const struct manager *m, const char *name, int fd);
/* Until the manager has read all that it was told: it looks at who says it, who must live. A few seconds at most. */
void manager_barrier(struct manager *m);
/* It need not keep what it gave us. */
void manager_forget_stored(struct manager *m);

#endif
