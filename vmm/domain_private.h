/* SPDX-License-Identifier: MIT */
/* domain_private.h: the inside of a domain, for domain.c, domain_calls.c and domain_door.c. */
#ifndef VCONS_VMM_DOMAIN_PRIVATE_H
#define VCONS_VMM_DOMAIN_PRIVATE_H
#include "domain.h"
#include "pump.h"
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>
#include <vcons/console_io.h>
#include <vcons/events.h>
#include <vcons/focus.h>
#include <vcons/params.h>
#include <vcons/pvcons.h>

#define DOMAIN_PORTS      64u
#define DOMAIN_RESTART_MS 200 /* between two starts of one domain, at least: a guest that only reboots costs little */

struct domain_vcpu { /* ctx of core's env functions */
    struct domain *domain;
    uint32_t number;
    bool compat; /* the call that it makes now is of 32-bit code */
};

struct domain {
    struct vmm *vmm;
    const struct domain_config *config;
    uint32_t id;
    const struct engine_ops *ops;
    void *engine;
    struct guest_memory memory;
    struct domain_vcpu vcpus[CONFIG_VCPUS_MAX];

    /* The loop's. */
    enum domain_state state;
    uint32_t boot;
    uint64_t started_ms;
    bool crashed;
    bool in_focus_ring;
    char notice[160]; /* stands in the message when it gets the focus */
    uv_timer_t restart;

    /* How this run ends. Any thread. */
    atomic_int request;   /* enum domain_request */
    atomic_bool stopping; /* vCPUs are to leave */
    atomic_bool ended;    /* the engine said so; the loop takes it */
    atomic_bool look;     /* the loop is to look at the console: a deadline, or a broken door */
    pthread_mutex_t why_lock;
    char why[128]; /* of a crash, for people */

    /* The door, under console.lock. */
    struct console console;
    struct pump pump;
    struct vc_pvcons pvcons;
    uint32_t port;         /* of the PV console, while bound */
    bool retry;            /* the PV ring is broken: serve it again in a second */
    bool linked;           /* a service has the line now */
    uint64_t dropped_told; /* the loop's: as the service last heard it */

    /* With locks of their own. */
    struct vc_console_io io;
    struct vc_events events;
    void *events_memory;
    pthread_mutex_t event_lock;
    pthread_mutex_t poll_lock; /* with poll_wake: vCPUs that sleep in SCHEDOP_poll */
    pthread_cond_t poll_wake;
    struct vc_params params;
    pthread_mutex_t params_lock;
    struct vc_focus_domain focus;
    pthread_mutex_t focus_lock;
};

/* Core takes our mutexes through this; a process has no interrupts to save. */
extern const struct vc_lock_env domain_locks;
extern const struct vc_events_env domain_events_env;         /* domain_calls.c */
extern const struct vc_console_io_env domain_console_io_env; /* domain_calls.c */
extern const struct vc_pvcons_env domain_pvcons_env;         /* domain_door.c */
extern const struct console_env domain_console_env;          /* domain_door.c */

/* It does not run, and will not by itself. */
void domain_set_off(struct domain *d, enum domain_state state);
/* Make all vCPUs leave. Any thread, no lock held. */
void domain_end(struct domain *d, enum domain_request request);
uint64_t domain_time_ns(void);

/* [locked] Move everything between guest and line that can move. False: output waits in the door. */
bool door_serve(struct domain *d);
/* The loop's look at one console, and when it must look again. */
void door_work(void *domain);
/* The door for a run that starts, before its first vCPU; and after its last. False: output still waits; try later. */
int door_open(struct domain *d, struct problem *problem);
bool door_drained(struct domain *d);
void door_close(struct domain *d, bool for_good);
/* There may be input for the guest. */
void door_input(struct domain *d);

#endif
