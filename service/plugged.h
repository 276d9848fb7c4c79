/* SPDX-License-Identifier: MIT */
/*
 * plugged.h: the module that the service has loaded, if any: plugin.h from the service's side.
 *
 * Owner: struct service; zeroed, there is none.
 * Lock:  none, the control thread.
 * Trust: a module is code: it is looked for where our programs are (host/paths.h) and nowhere else.
 */
#ifndef VCONS_SERVICE_PLUGGED_H
#define VCONS_SERVICE_PLUGGED_H
#include "plugin.h"
#include "watch.h"

struct service;

struct plugged {
    const struct plugin *plugin; /* NULL: none */
    struct plugin_service service;
    struct watch ready;
    void *instance;
};

#define PLUGGED_XEN "vcons-xen.so"

/* Load a module by its file's name and have it open what it needs: before the first thread, while we may do all that we were started
 * with. 0 or a negative errno with *p. */
int plugged_open(struct service *s, const char *name, struct problem *p);
int plugged_start(struct service *s, struct problem *p); /* if there is one: 0 or a negative errno with *p */
/* Ask it; the answer comes to control_answered with this serial and no link. -ENODEV: there is no module that takes it. */
int plugged_request(struct service *s, const struct plugin_request *request, uint32_t *serial);
void plugged_stop(struct service *s);   /* it attaches nothing more */
void plugged_finish(struct service *s); /* after registry and append thread */
/* What the module needs behind the sandbox, ends with NULL. */
const char *const *plugged_syscalls(const struct service *s);

#endif
