/* SPDX-License-Identifier: MIT */
/*
 * plugin.h: a part of the service that is loaded when the configuration wants it, since its libraries are not everywhere.
 *
 * Spec:  ours. A module is a shared object that exports PLUGIN_SYMBOL, a struct plugin; it calls nothing of the service but
 *        through the struct plugin_service that start gives it, and the service nothing of the module but through struct
 *        plugin, its hub and its sources. There is one: vcons-xen.so, room xen/.
 * Owner: the module owns its instance; from a successful attach to its destroy a source belongs to the service.
 * Lock:  the functions of struct plugin_service marked (any) may be called by any thread, the others by the control thread
 *        alone: from ready and request. Those of struct plugin are called by the control thread. Only open, start and finish
 *        may wait: whatever else takes time is done by a thread of the module's own, which start begins, and is handed over by fd.
 * Trust: the module runs in the service and is trusted as it is. What it attaches speaks for hostile guests: source.h.
 */
#ifndef VCONS_SERVICE_PLUGIN_H
#define VCONS_SERVICE_PLUGIN_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <vcons/wire/link.h>

#include "host/message.h"
#include "source.h"

#define PLUGIN_VERSION 5u
#define PLUGIN_SYMBOL  "vcons_plugin"

struct console; /* the service's; good until finish */

struct plugin_origin { /* what a module says of a console */
    uint32_t kind;     /* enum vc_link_kind: what `ls` shows as door */
    uint32_t domid;
    bool first; /* of its domain */
    uint8_t uuid[VC_LINK_UUID_BYTES];
    const char *engine; /* a word for `ls`, at most 11 characters */
};

enum plugin_verb { PLUGIN_CONSOLE_ADD, PLUGIN_CONSOLE_REMOVE, PLUGIN_RELEASE, PLUGIN_ATTACH_RING };

struct plugin_request { /* of root or the service's own user */
    enum plugin_verb verb;
    const char *domain; /* a name (host/name.h), or an id in decimal */
    const char *name;   /* of a console; empty: none was given */
    bool keep;          /* what is added is added again when the domain starts the next time */
};

struct plugin_service {
    uint32_t version;      /* PLUGIN_VERSION */
    void *ctx;             /* first argument of each */
    const char *directory; /* the service's state directory, for files of the module's own below xen/ */
    bool replace;          /* whoever serves the same consoles in another way is to be ended first */

    void (*message)(void *ctx, const char *format, va_list args); /* (any) one line for the operator */

    /* The console of these names (host/name.h), made if there is none, its log open. NULL and *error, a negative errno. */
    struct console *(*console)(void *ctx, const char *domain, const char *console, int *error);
    /* A domain has another name: its consoles, which have no source now, keep their logs under it. As console_rename. */
    int (*rename)(void *ctx, const char *domain, const char *name);
    /*
     * Its pseudo-terminal for this source, which is to be attached: it gives what is stored from now on, or, of a line that an earlier
     * service had, what nobody has read there yet; and takes what is typed. NULL with *p: there is none.
     */
    const char *(*pty)(void *ctx, struct console *c, const struct source *source, struct problem *p);
    /* As console_attach: 0, the source is the service's; -EBUSY: another one is there; else a negative errno. */
    int (*attach)(void *ctx, struct console *c, struct source *source, const struct plugin_origin *origin);
    /* Drain that source and let go of it, if c still has it; its destroy follows. for_good: its guest is no more. */
    void (*detach)(void *ctx, struct console *c, struct source *source, bool for_good);
    void (*state)(void *ctx, struct console *c, uint32_t state); /* enum vc_domain_state, for `ls` */
    /* The answer to a request: error 0 or a negative errno, and a line for people either way. */
    void (*answered)(void *ctx, uint32_t serial, int error, const char *text);
};

struct plugin {
    uint32_t version;            /* PLUGIN_VERSION; the others stay unread if it is another */
    const char *const *syscalls; /* what it needs behind the sandbox (host/sandbox.h), ends with NULL */

    /* While the service may do all that it was started with, and has no thread: open what that takes. service outlives the
     * instance, and gives messages only until start. 0 and *instance, or a negative errno with *p and nothing is held. */
    int (*open)(const struct plugin_service *service, void **instance, struct problem *p);
    /* Begin, as whoever the service is by now: its thread may hand over sources at once. *fd: readable when ready has something
     * to do, level-triggered; *hub: what its sources wake by, NULL: each has a bytes_fd. 0, or a negative errno with *p: the
     * service ends. */
    int (*start)(void *instance, struct source_hub **hub, int *fd, struct problem *p);
    void (*ready)(void *instance);
    /* Carry it out, and say answered later. 0, or a negative errno: it was not taken. The texts are the caller's. */
    int (*request)(void *instance, uint32_t serial, const struct plugin_request *r);
    void (*stop)(void *instance);   /* the service leaves: attach nothing more; sources are drained and destroyed */
    void (*finish)(void *instance); /* all sources are destroyed and the append thread has ended: end, free */
};

#endif
