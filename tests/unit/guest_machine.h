/* SPDX-License-Identifier: MIT */
/*
 * guest_machine.h: the smallest hypervisor that the guest side can be run against: one PV console, console_io, events,
 * shared_info and parameters, all of them core's; the log is a buffer, the keyboard another. vCPUs are whoever calls as one.
 *
 * Lock:  door (a mutex) around the PV console, log and keyboard; a leaf mutex for events. machine_hypercall and the
 *        backend's functions may run in different threads.
 * Guest: either in this process, ram == NULL: its addresses are ours; or a process with that RAM at VC_CALL_RAM_BASE.
 */
#ifndef VCONS_TESTS_GUEST_MACHINE_H
#define VCONS_TESTS_GUEST_MACHINE_H
#include "platform.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/console_io.h>
#include <vcons/events.h>
#include <vcons/params.h>
#include <vcons/pvcons.h>

#define MACHINE_PORTS 4096u
#define MACHINE_VCPUS 9u

struct machine {
    pthread_mutex_t door_lock, event_lock, vcpu_locks[MACHINE_VCPUS];
    struct vc_shared_info shared;
    struct vc_events events;
    struct vc_params params;
    struct vc_pvcons pvcons;
    struct vc_console_io console_io;
    void *shared_memory, *events_memory;
    struct xencons_interface *page;
    uint32_t port;
    uint8_t *ram; /* NULL: the guest is in this process */
    uint64_t ram_bytes;

    uint8_t *log; /* all that the guest printed, in order */
    size_t n_log, log_bytes;
    size_t log_limit; /* take no more than this for now */
    const uint8_t *typed;
    size_t n_typed;

    bool ended, stop, no_time, refuse_writes;
    uint32_t reason;
    uint32_t n_sends, n_polls, n_yields, n_writes, n_reads, n_broken;
    uint64_t by_hypercall; /* bytes that came by console_io */
};

/* The page is zeroed and says DISCONNECTED, as a builder leaves it; the backend serves, and is connected if asked. */
void machine_init(struct machine *m, struct xencons_interface *page, uint64_t console_gfn, bool connect);
void machine_finish(struct machine *m);
/* One hypercall of the guest, as a vCPU's thread serves it. */
int64_t machine_hypercall(struct machine *m, uint32_t vcpu, uint64_t nr, const uint64_t args[6]);
/* The platform of vCPU 0 of a guest in this process; console_gfn * 4096 is where map finds the page. */
struct platform machine_platform(struct machine *m);
/* The backend's thread: connect or disconnect, one pass. */
void machine_connect(struct machine *m, bool connect);
void machine_serve(struct machine *m);
/* Let the guest read these bytes, which stay the caller's, and tell it. */
void machine_type(struct machine *m, const void *bytes, size_t n);
/* From now on waiting hypercalls come back. */
void machine_stop(struct machine *m);

#endif
