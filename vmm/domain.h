/* SPDX-License-Identifier: MIT */
/*
 * domain.h: one domain: its configuration, its engine's run, its first console with the door in front of it.
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

struct vmm;

enum domain_state { DOMAIN_NEW, DOMAIN_RUNNING, DOMAIN_OFF, DOMAIN_CRASHED };

/* What is to become of the run that is ending. The first that asks wins, but STOP over all. */
enum domain_request {
    REQUEST_NONE,
    REQUEST_POWEROFF,
    REQUEST_REBOOT,
    REQUEST_CRASH,
    REQUEST_RESET,
    REQUEST_STOP
};

/* Loop thread, all of them. */
struct domain *domain_create(struct vmm *vmm, const struct domain_config *config, uint32_t domid,
                             struct vmm_error *error);
void domain_destroy(struct domain *d);
int domain_start(struct domain *d, struct vmm_error *error);
/* End this run: REQUEST_STOP or REQUEST_RESET. It ends soon; the VMM hears of it. */
void domain_request(struct domain *d, enum domain_request request);
/* After the engine said domain_ended: stop it, and restart, switch off or mark it as the configuration says.
 */
void domain_reap(struct domain *d);

#endif
