/* SPDX-License-Identifier: MIT */
/*
 * reload.h: consoles that come, change and go while the service runs: the configuration read anew, and sources added by hand.
 *
 * Spec:  vconsd(8), SIGNALS; vconsd.conf(5); wire/control.h, reload, source_add, source_remove. Whatever is wrong in a file leaves
 *        everything as it was. Of a console only what changed is touched, and no viewer is dropped of one that stays.
 * Owner: what was added to be kept is in STATE/sources, a file each, which only we write, as a block of the configuration.
 * Lock:  none, the control thread; config_lock around the moment in which the configuration is another.
 * Trust: who may ask is control_requests.h's to check; names and values may be anything.
 */
#ifndef VCONS_SERVICE_RELOAD_H
#define VCONS_SERVICE_RELOAD_H
#include <stdbool.h>
#include <stdint.h>

#include "host/message.h"
#include "settings.h"

struct service;

struct reload_counts {
    uint32_t added, changed, removed, same; /* consoles with a source */
};

/* 0 or a negative errno with *p, which names file and line. */
int service_reload(struct service *s, struct reload_counts *counts, struct problem *p);
/* A console with these settings, among them its source; they stay the caller's. kept: the inside of a block that says the same,
 * which the next service begins with; NULL: this one forgets it. -EEXIST: it has a source. */
int source_add(struct service *s, const char *name, const struct console_settings *settings, const char *kept,
               struct problem *p);
/* One that was added so. -ENOENT: it was not. */
int source_remove(struct service *s, const char *name, struct problem *p);
/* At the start: those that were to be kept. What cannot be read is told, and no reason not to begin. */
void sources_kept(struct service *s);

#endif
