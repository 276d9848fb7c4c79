/* SPDX-License-Identifier: MIT */
/*
 * engine.h: what runs a domain's code: kvm (virtual CPUs), process (a sandboxed program) or command (a program
 * on a pty).
 *
 * An engine knows vCPUs, memory and exits. It knows no console, line, link or terminal: whatever the guest wants
 * from its hypervisor it hands to the domain through the functions at the end, and answers what they return.
 *
 *     create ──► start ──► (runs) ──► domain_ended ──► stop ──► destroy
 *                  ▲                                     │
 *                  └──────────────── reset ◄─────────────┘
 *
 * Threads: the loop is the VMM's one libuv thread. It calls create, start, stop, reset and destroy, never two at
 *          a time for one VMM. vCPU threads are the engine's: it makes them in start and joins them in stop.
 *          kick and wake come from any thread, also with the domain's console lock held: they only set a flag
 *          and write an eventfd, signal or futex; they take no lock that is held while calling into the domain,
 *          and never wait.
 * Ending:  a run ends because the guest shut down (domain_hypercall saw it), because the loop wants it (kick
 *          after domain_stopping became true), or because the guest broke (domain_crashed). Whatever the cause,
 *          every vCPU thread leaves when it sees domain_stopping(), and the last one calls domain_ended() once
 *          for each start, as its last call into the domain. The loop then calls stop, which joins, so it never
 *          waits long.
 * Trust:   the guest is hostile; an engine reads what the guest can write once, checks the copy, uses the copy.
 *          One domain's failure is reported by domain_crashed and touches no other domain.
 */
#ifndef VCONS_VMM_ENGINE_H
#define VCONS_VMM_ENGINE_H
#include "host/message.h"
#include "launcher.h"
#include "memory.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domain;        /* domain.h */
struct domain_config; /* config.h */

struct engine_ops {
    const char *name; /* the word of the configuration, and of ADD on the link */
    bool stream;      /* its guest has one byte stream and makes no hypercalls: the stream functions below */

    /* Whether it can run here at all; false: why it cannot, one clause. Called once, before any create. */
    bool (*usable)(struct problem *why);
    /* Whether it can run this very domain: vcpus, kernel, command, memory. problem says what was expected,
     * without file and line, which the caller knows. Looks at files, opens nothing for good. */
    int (*check)(const struct domain_config *config, struct problem *problem);

    /*
     * Everything that can fail for want of resources: memory, vCPUs, kernel in place. Nothing of the guest
     * runs. Sets *memory (by memory_create; unless stream), which the domain uses until destroy. Returns the
     * engine's state, NULL on failure.
     */
    void *(*create)(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                    struct problem *problem);
    /* Run. After -1 nothing runs and domain_ended was not and will not be called. */
    int (*start)(void *engine, struct problem *problem);
    /* Make every vCPU leave the guest soon and look at domain_stopping(). */
    void (*kick)(void *engine);
    /* stream only: domain_stream_put has room again, or domain_stream_get has input. Else NULL. */
    void (*wake)(void *engine);
    /* stream only, may be NULL: the size of the one viewer's screen. Loop thread. */
    void (*resize)(void *engine, unsigned rows, unsigned columns);
    /* After domain_ended: join threads, reap processes. From here on nothing touches the guest's memory. */
    void (*stop)(void *engine);
    /* After stop: as after create. RAM cleared, kernel and boot area in place. */
    int (*reset)(void *engine, struct problem *problem);
    /* After create, stop or a failed reset, never while running. Destroys memory too. */
    void (*destroy)(void *engine);
    /*
     * Engines whose guest is a process, else NULL: become it. Runs in a process of its own (launcher.h) that has one thread, an
     * empty signal mask, PR_SET_NO_NEW_PRIVS and PR_SET_PDEATHSIG, the VMM's environment and descriptors (close-on-exec), and
     * the fds that domain_launch was given. Returns only on failure, with errno.
     */
    void (*exec)(const struct domain_config *config, const int *fds, unsigned n_fds);
};

extern const struct engine_ops engine_kvm;     /* vmm/kvm/ */
extern const struct engine_ops engine_process; /* vmm/process/ */
extern const struct engine_ops engine_command; /* vmm/command.c */

/* By name; NULL: no such engine. */
const struct engine_ops *engine_find(const char *name);

/* ---- What an engine calls. From its own threads, with no lock held.
 * ------------------------------------------- */

/*
 * A hypercall, Xen's numbers and results (wire/xen.h). args were copied once by the engine; pointers among
 * them are guest virtual and checked by the domain against its memory. May sleep: in SCHEDOP_poll and
 * SCHEDOP_block until an event, and in console_io while the console is held; it comes back soon after
 * domain_stopping() became true. vcpu is the engine's number of the calling vCPU, below config->vcpus.
 */
int64_t domain_hypercall(struct domain *d, uint32_t vcpu, uint64_t nr, const uint64_t args[6]);
/* One byte out to I/O port 0xE9, which goes where CONSOLEIO_write goes. Reads of the port give 0xE9: the
 * engine does. */
void domain_debug_port(struct domain *d, uint8_t byte);

/* Whether vCPUs are to leave. Cheap: one atomic load; look after every exit and every call above. */
bool domain_stopping(const struct domain *d);
/*
 * The guest did what no guest may, or its process died: why is shown to people, one clause ("triple fault",
 * "signal 11"). The first call of a run counts. Afterwards domain_stopping() is true and kick has been called.
 */
__attribute__((format(printf, 2, 3))) void domain_crashed(struct domain *d, const char *why, ...);
/* stream engines: the program ended by itself. status 0: as a poweroff; else as a crash with that exit status
 * or 128 + signal. */
void domain_exited(struct domain *d, int status);
/* The last vCPU thread of this run is about to end. */
void domain_ended(struct domain *d);

/*
 * Streams. Output: takes what it can of n bytes and returns how many, 0..n, without waiting. Less than n
 * means held: stop reading the program until wake, which comes when the hold is over or there is room. Input:
 * up to n bytes that people typed; 0: none now, wake comes with the next. Both from any thread of the engine,
 * one thread at a time.
 */
size_t domain_stream_put(struct domain *d, const void *bytes, size_t n);
size_t domain_stream_get(struct domain *d, void *bytes, size_t n);

/* For messages and thread names. Constant for the domain's life. */
const char *domain_name(const struct domain *d);
uint32_t domain_id(const struct domain *d);
/* Loop thread, in start: have this domain's program started by exec above, with these descriptors. */
int domain_launch(struct domain *d, const int *fds, unsigned n_fds, struct launched *launched, struct problem *problem);
/* A directory of this VMM's own for sockets and such (uml_dir), removed at exit. NULL: none. Loop thread. */
const char *domain_directory(const struct domain *d);
/* Between fork and exec of a guest's program: when the VMM was started as root it is nobody's. 0, or -errno. */
int domain_drop_privileges(void);

#endif
