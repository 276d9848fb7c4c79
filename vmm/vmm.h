/* SPDX-License-Identifier: MIT */
/*
 * vmm.h: the whole program: a loop, the domains, the hypervisor's console with its terminal, the link to the service.
 *
 * Owner: main places struct vmm; everything in it lives until the loop has ended.
 * Lock:  loop-thread only, but for vmm_notify and the fields that say otherwise.
 */
#ifndef VCONS_VMM_VMM_H
#define VCONS_VMM_VMM_H
#include "config.h"
#include "console.h"
#include "domain.h"
#include "guest_clock.h"
#include "host/waker.h"
#include "link.h"
#include "pump.h"
#include "show.h"
#include "terminal.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>
#include <vcons/focus.h>

struct vmm {
    uv_loop_t loop;
    struct waker wake; /* some thread has work for the loop: vmm_notify */
    struct vmm_config config;
    struct domain **domains; /* domid - 1 is the index */
    size_t n_domains;

    /* The hypervisor's console: what all domains share, and the line on which a viewer sees the same. */
    struct vc_focus focus; /* any thread, by its own lock */
    pthread_mutex_t focus_lock;
    uint8_t typed[VC_FOCUS_TYPED_BYTES], output[2 * VC_FOCUS_OUTPUT_BYTES];
    struct console console; /* HYPERVISOR/console */
    struct console_kicks kicks;
    struct pump pump;
    struct terminal terminal;
    struct menu {
        enum { MENU_KEYS, MENU_RESET, MENU_QUIT } asks;
        uint32_t number;
    } menu;
    struct link link;
    struct show show; /* any thread. Apart from what a compiler may load together */
    struct launcher launcher;

    bool started;
    bool detached;     /* started in the background: whoever did has left */
    bool quitting;     /* all are to stop, and none starts again */
    bool leaving;      /* none runs; what the service has not yet taken may hold us for a little */
    bool said_we_wait; /* for the service; who asks to quit now will not */
    uv_timer_t leave;
    uint64_t leave_deadline_ms; /* 0: wait no more */
    uint64_t unattended_since_ms;
    int run_fd;    /* VCONS_RUN_FD, or -1 */
    uv_poll_t run; /* whether somebody reads that, where that is `vcons run` in front */
    bool watches_run;
    struct guest_clock clock;
    int trace_fd;        /* --trace hypercalls; -1: nobody asked */
    int lock_fd;         /* held while the name is ours */
    char directory[256]; /* for guests' programs; empty: not made yet */
    uv_signal_t signals[5];
};

/* vmm->config is there, the rest is zero. Also after a failure the caller calls vmm_finish. */
int vmm_init(struct vmm *vmm, const char *link_path, struct problem *problem);
/* Start all domains and run until none can. The exit status; -1: nothing was started. */
int vmm_run(struct vmm *vmm, struct problem *problem);
void vmm_finish(struct vmm *vmm);

/* Any thread: the loop looks at all domains soon. */
void vmm_notify(struct vmm *vmm);
/* Stop all domains; the loop ends when they have and the service took what they said. Asked again: without that. */
void vmm_quit(struct vmm *vmm);
/* Leave the terminal to whoever started us and go on. */
void vmm_detach(struct vmm *vmm);
/* Nobody can type at the terminal any more: give the write token back. */
void vmm_no_keys(struct vmm *vmm);
/* A domain has stopped for good. */
void vmm_domain_off(struct vmm *vmm);
/* By name; NULL: no such domain. */
struct domain *vmm_domain(struct vmm *vmm, const char *name);
/* By its id; NULL: there is none. Any thread, once they run. */
struct domain *vmm_domain_of_id(struct vmm *vmm, uint32_t domid);
uint64_t vmm_now_ms(void);

/* place.c: the lock on our name, -1: somebody has it; the directory, NULL: none could be made; and away with both. */
int vmm_lock_name(struct vmm *vmm, struct problem *problem);
const char *vmm_directory(struct vmm *vmm);
void vmm_leave_place(struct vmm *vmm);

/* confine.c: from here on only the system calls that a running VMM needs. */
int vmm_confine(struct problem *problem);
/* menu.c: a key while the hypervisor has the focus. */
void menu_key(struct vmm *vmm, uint8_t key);
void menu_domains(struct vmm *vmm);
/* The hypervisor's own words on its console. */
__attribute__((format(printf, 2, 3))) void vmm_print(struct vmm *vmm, const char *format, ...);

#endif
