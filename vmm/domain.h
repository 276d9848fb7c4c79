/* SPDX-License-Identifier: MIT */
/*
 * domain.h: one domain: its configuration, its engine's run, its consoles with the doors in front of them.
 *
 * Consoles are numbered from 0 in the configuration's order. Number 0 is the first console, which has the focus and the
 * terminal's keys.
 *
 * Owner: the VMM (vmm.h) makes them all at start and destroys them at exit.
 * Lock:  state and run are the loop's. What vCPU threads touch is behind console.lock (the door), the event lock,
 *        or atomic. Order: console.lock, events, focus; none is held while copying to or from the guest or
 *        waiting.
 * Trust: see engine.h: everything a vCPU hands in is the guest's.
 */
#ifndef VCONS_VMM_DOMAIN_H
#define VCONS_VMM_DOMAIN_H
#include "config.h"
#include "console.h"
#include "engine.h"
#include <stdbool.h>
#include <stdint.h>

struct pump;
struct vc_focus_domain;
struct vmm;

enum domain_state {
    DOMAIN_NEW, /* about to run for the first time */
    DOMAIN_OFF,
    DOMAIN_RUNNING,
    DOMAIN_ENDING,  /* no vCPU runs, but what it said is not yet out of the door */
    DOMAIN_WAITING, /* restarts in a moment */
    DOMAIN_CRASHED,
    DOMAIN_PRESERVED, /* stopped, kept for a look */
};

/* What is to become of the run that is ending. The first that asks wins, but STOP over all. SAVE: it is in a file already. */
enum domain_request {
    REQUEST_NONE,
    REQUEST_POWEROFF,
    REQUEST_REBOOT,
    REQUEST_CRASH,
    REQUEST_RESET,
    REQUEST_SAVE,
    REQUEST_STOP
};

/* Loop thread, all of them. */
struct domain *domain_create(struct vmm *vmm, const struct domain_config *config, uint32_t domid,
                             struct problem *problem);
/* Free what it has, but for the struct: run the loop once so that libuv lets go of it, then domain_free. */
void domain_destroy(struct domain *d);
void domain_free(struct domain *d);
/* Take part in the focus, from now until it stops for good; domain_start does it too. */
void domain_join(struct domain *d);
int domain_start(struct domain *d, struct problem *problem);
/* End this run: REQUEST_STOP or REQUEST_RESET. It ends soon; the VMM hears of it. */
void domain_request(struct domain *d, enum domain_request request);
/* Hold this domain no more: what its line does not take is dropped, and counted. */
void domain_give_up(struct domain *d);
/* After the engine said domain_ended: stop it, and restart, switch off or mark it as the configuration says.
 */
void domain_reap(struct domain *d);
/* The loop's look after vmm_notify: has it ended, is its console held? */
void domain_look(struct domain *d);

/* A service took this console's line, or went. */
void domain_linked(struct domain *d, uint32_t number, bool linked);
/*
 * A console comes: a port of one of its virtio-consoles, of type virtio or virtio-port (c->port is not looked at: the lowest that
 * is free). At any time; it stays over resets. The link hears of it by link_console_added(link, d, number). -1: the name is taken,
 * or no name; no such device; all its ports are; no memory.
 */
int domain_console_add(struct domain *d, const struct config_console *c, struct problem *problem);
/*
 * One of those goes, whoever made it: its guest loses it now. When its service has all that it said, or after `hold`, the link
 * hears of that by link_console_removed(link, d, number), before which its name is not free. -1: no such console, not of those
 * types, the domain's first, or it goes already.
 */
int domain_console_remove(struct domain *d, const char *name, struct problem *problem);
/* The terminal of who types to it has this size now; 0, 0: nobody's. A guest whose console has no size does not hear of it. */
void domain_console_resize(struct domain *d, uint32_t number, unsigned rows, unsigned columns);

/* Keys were typed for its first console: the door is to look. */
void domain_typed(struct domain *d);

enum domain_state domain_state(const struct domain *d);
const char *domain_state_word(const struct domain *d);
const struct domain_config *domain_config(const struct domain *d);
/*
 * Consoles have numbers below domain_n_consoles, which only grows. One that was removed is nobody's, until its number goes to one that
 * is added: then domain_has_console is false, and nothing else may be asked of it.
 */
uint32_t domain_n_consoles(const struct domain *d);
bool domain_has_console(const struct domain *d, uint32_t number);
const struct config_console *domain_console_config(const struct domain *d, uint32_t number);
struct console *domain_console(struct domain *d, uint32_t number);
struct pump *domain_pump(struct domain *d, uint32_t number);
/* [console.lock] */
enum vc_guest_end domain_guest_end(const struct domain *d, uint32_t number);
/* The services have all that it said; what its consoles hold the guest back for. */
bool domain_delivered(struct domain *d);
bool domain_held(struct domain *d);
struct vc_focus_domain *domain_focus(struct domain *d);
bool domain_has_crashed(const struct domain *d); /* and was not started again */
uint32_t domain_boot(const struct domain *d);

#endif
