/* SPDX-License-Identifier: MIT */
/* domain_private.h: the inside of a domain, for the files that are it: domain.c and domain_*.c. */
#ifndef VCONS_VMM_DOMAIN_PRIVATE_H
#define VCONS_VMM_DOMAIN_PRIVATE_H
#include "domain.h"
#include "domain_store.h"
#include "door_quiet.h"
#include "door_uart.h"
#include "door_virtio.h"
#include "grant_pages.h"
#include "pump.h"
#include "xenstore/console_backend.h"
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>
#include <vcons/console_io.h>
#include <vcons/events.h>
#include <vcons/focus.h>
#include <vcons/params.h>
#include <vcons/pvcons.h>

#define DOMAIN_TIMER_NONE UINT64_MAX
#define DOMAIN_RESTART_MS 200 /* between two starts of one domain, at least: a guest that only reboots costs little */

struct domain_vcpu { /* ctx of core's env functions */
    struct domain *domain;
    uint32_t number;
    bool initialised; /* VCPUOP_initialise was made, or none is needed; under vcpus_lock */

    /* Its own thread's. */
    bool compat; /* the call that it makes now is of 32-bit code */
    bool again;  /* that call was cut short, and is to be made again, so: */
    uint64_t again_args[6];
    uint64_t calls[XEN_N_HYPERCALLS], refused[XEN_N_HYPERCALLS], other_calls, other_refused; /* since the run began */

    pthread_mutex_t lock; /* core's: VC_RANK_VCPU */
    /* SCHEDOP_poll and _block. */
    pthread_mutex_t sleep_lock; /* a leaf */
    pthread_cond_t woken;
    _Atomic(const uint32_t *) sleeps_on;
    /* VIRQ_TIMER. The handle is the loop's. */
    int timer_fd;
    bool has_timer;
    uint64_t timer_ns; /* as last set, by its own thread */
    uv_poll_t timer;
};

struct door { /* one console of a domain: its line, and what the guest writes to in front of it */
    struct domain_port to;
    struct domain *domain;
    const struct config_console *config;
    uint32_t number;
    /* The loop's. */
    bool absent;       /* there is no console here: it was removed, or could not be made */
    bool leaving;      /* it was removed, and its service may not have all that it said */
    bool closing;      /* it has left, and the loop has not let go of its handles: nobody else can have its number */
    uint64_t leave_ms; /* when that is not waited for any longer */
    struct config_console own; /* the configuration of one that came while it ran */
    bool is_primary; /* the first of type xen: its ring is the builder's; others' are the guest's, granted to us */
    struct pump pump;
    uint64_t dropped_told; /* the loop's: as the service last heard it */
    atomic_bool look;      /* the loop is to look at it: a deadline, or a broken ring. Any thread */

    /* Under console.lock. */
    struct console console;
    struct vc_pvcons pvcons;        /* DOOR_XEN */
    uint32_t port;                  /* of the PV console, while bound */
    struct door_uart uart;          /* DOOR_PL011, DOOR_SBSA, DOOR_16550 */
    bool retry;                     /* the PV ring is broken: serve it again in a second */
    bool owes;                      /* a notify is owed to the guest, and the loop knows: */
    uint64_t settle_ms;             /* when */
    struct door_virtio virtio;      /* DOOR_VIRTIO, DOOR_VIRTIO_PORT */
    struct door_quiet quiet;        /* DOOR_XEN */
    struct console_backend backend; /* of one beyond the first of type xen: domain_store.c's, under its lock */
    bool linked;                    /* a service has the line now */
    bool frozen;                    /* nothing moves: it is being saved (save.h) */
    uint8_t *kept;                  /* input that was taken to be saved: it comes before the line's */
    uint32_t n_kept, at_kept;
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
    struct save *save; /* save.h; NULL: it is not being saved */
    bool loaded;       /* goes on from a file when it starts */
    uint64_t saved_ns; /* its clock, then */

    /* How this run ends. Any thread. */
    atomic_int request;   /* enum domain_request */
    atomic_bool stopping; /* vCPUs are to leave */
    atomic_bool ended;    /* the engine said so; the loop takes it */
    pthread_mutex_t why_lock;
    char why[128]; /* of a crash, for people */

    struct {
        pthread_mutex_t lock; /* a leaf */
        pthread_cond_t go_on;
        atomic_bool wanted;
        uint32_t n_parked;
    } pause; /* domain_pause.c */

    /*
     * By number, as many as there can be. A door stays where it is once it was made, for whoever has its pointer: those of
     * the configuration from the beginning; of others only the loop knows, and who has their device's lock.
     */
    struct door **doors;
    uint32_t n_doors, n_doors_max; /* made so far; n_doors is the loop's */
    struct door
        *io_door; /* where console_io and port 0xE9 go: to the console of that type, else the first that is no UART */

    /* With locks of their own. */
    struct vc_console_io io;
    struct vc_events_env events_env;
    struct vc_events events;
    void *events_memory;
    struct vc_shared_info_env shared_env;
    struct vc_shared_info shared;
    void *shared_memory;
    pthread_mutex_t event_lock; /* core's: VC_RANK_EVENTS */
    atomic_bool has_ports;      /* others may bind to its ports: between guest_open and guest_reset */
    atomic_uint n_peers;        /* threads of other domains that are at its ports, or its engine, right now */
    pthread_mutex_t vcpus_lock; /* vCPUs that come and go; held while the engine starts or stops one */
    struct grant_pages grants;
    struct domain_store store;
    struct domain_virtio virtio;
    struct vc_params params;
    pthread_mutex_t params_lock;
    struct vc_focus_domain focus;
    pthread_mutex_t focus_lock;
};

/* Core takes our mutexes through this; a process has no interrupts to save. */
extern const struct vc_lock_env domain_locks;
extern const struct vc_console_io_env domain_console_io_env; /* calls_console.c */
/* What core asks of this domain on the way that its engine goes. Again whenever the engine was made. */
void domain_envs(struct domain *d);
/* NULL: core delivers events. */
const struct engine_events *domain_engine_events(struct domain *d);
/* All vCPUs that sleep are to look at domain_stopping. Any thread. */
void domain_wake_all(struct domain *d);

/* It does not run, and will not by itself. */
void domain_set_off(struct domain *d, enum domain_state state);
/* Make all vCPUs leave. Any thread, no lock held. */
void domain_end(struct domain *d, enum domain_request request);
uint64_t domain_time_ns(void);
/* domain_pause.c, loop thread: have all vCPUs stand still, and go on. */
void pause_init(struct domain *d);
void pause_finish(struct domain *d);
void pause_wake(struct domain *d); /* any thread: those that stand still look at domain_stopping */
void domain_pause(struct domain *d);
bool domain_is_paused(struct domain *d);
void domain_unpause(struct domain *d);

/* domain_timer.c: the guest's system time, any thread; wall time for the guest. */
uint64_t domain_guest_time(const struct domain *d);
void domain_tell_time(struct domain *d);
/* VIRQ_TIMER at that time; DOMAIN_TIMER_NONE: not at all. Any thread. */
void domain_timer_set(struct domain_vcpu *v, uint64_t deadline_ns);
/* Loop thread; after finish the loop runs once more, then free. */
int domain_timer_init(struct domain_vcpu *v, struct problem *problem);
void domain_timer_finish(struct domain_vcpu *v);
void domain_timer_free(struct domain_vcpu *v);

/* domain_guest.c: what hypercalls work on: event channels, shared pages, grants, parameters. */
int guest_init(struct domain *d, struct problem *problem);
void guest_finish(struct domain *d);
void guest_free(struct domain *d);
/* Every port closed, every page left alone: no vCPU runs, other domains' may. */
void guest_reset(struct domain *d);
/* For a run that starts, before doors_open. */
int guest_open(struct domain *d, struct problem *problem);

/* All doors of a domain: made, and ended; doors_finish closes what the loop polls, doors_free the rest. */
int doors_init(struct domain *d, struct problem *problem);
void doors_finish(struct domain *d);
void doors_free(struct domain *d);
/* For a run that starts, before its first vCPU; and after its last. False: output still waits; try later. */
int doors_open(struct domain *d, struct problem *problem);
bool doors_drained(struct domain *d);
void doors_close(struct domain *d, bool for_good);
/* Something that has its place in the stream of each. */
void doors_post(struct domain *d, enum vc_line_event_kind kind, uint64_t value);
/* They were frozen, or restored: the way they should be now, with all that came meanwhile. */
void doors_again(struct domain *d);
/* save_door.c [locked]: input kept from before; and more of it, -1: no memory. */
uint32_t door_kept(struct door *door, uint8_t *bytes, uint32_t n);
int door_keep(struct door *door, const void *bytes, uint32_t n);
int door_keep_first(struct door *door, const void *bytes, uint32_t n); /* before all that it keeps */
void door_drop_kept(struct door *door);
/* Look where sends do not come; a vCPU yields, or sleeps now. True: something was found. In its thread. */
bool doors_quiet_look(struct domain *d, bool yields);
/* How many consoles it has now, but for those that leave. */
uint32_t doors_in_use(struct domain *d);
/* domain_ports.c: the loop's look at a console that leaves. */
void domain_console_left(struct door *door);
/* Whoever waits for room is to look again. */
void doors_wake(struct domain *d);
/* The loop's look at those that asked for it. */
void doors_look(struct domain *d);

/* [locked] Move everything between guest and line that can move. False: output waits in the door. */
bool door_serve(struct door *door);
/* [locked] Up to n typed bytes, whoever asks: viewers' first, then those of the terminal. */
uint32_t door_get(struct door *door, uint8_t *bytes, uint32_t n);
/* The loop is to look at this door soon. Any thread. */
void door_ask_for_a_look(struct door *door);
/* Up to n typed bytes for CONSOLEIO_read, or for a program. */
uint32_t door_read(struct door *door, void *bytes, uint32_t n);

#endif
