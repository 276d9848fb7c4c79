/* SPDX-License-Identifier: MIT */
/*
 * module.h: what the parts of vcons-xen.so share, and where each part lives.
 *
 *     module.c      struct plugin: set-up, the control thread's side    thread.c   the module's thread
 *     dialer.c      a process that connects to XenStore again
 *     nodes.c       a client of XenStore                                place.c    node texts: frames, ports, names
 *     domains.c     which domains there are                             seats.c    which consoles each has, by its nodes
 *     attach.c      map, check, bind; undo                              ring.c     a console page as a source
 *     ports.c       event channels: the hub of all rings                post.c     rings between the two threads
 *     conring.c     the hypervisor's log                              backend.c  xenbus' state machine, our side
 *     keep.c        which of those are made again
 *     further.c     PV consoles beyond the first, by that machine       requests.c what people ask: vcons xen
 *
 * Threads: the module's own does all that may wait: XenStore, mapping, binding, and owns domains and seats. Finished rings go to
 * the control thread by post.h and come back by it. The append thread sees rings through source.h only.
 */
#ifndef VCONS_XEN_MODULE_H
#define VCONS_XEN_MODULE_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include "dialer.h"
#include "keep.h"
#include "nodes.h"
#include "ports.h"
#include "post.h"
#include "requests.h"
#include "service/plugin.h"

struct domain;

struct xen {
    const struct plugin_service *service;
    struct ports ports;
    struct post post;
    xentoollog_logger quiet; /* Xen's libraries say nothing by themselves */
    xengnttab_handle *grants;
    xenforeignmemory_handle *memory;
    xc_interface *control;
    pthread_t thread;
    uint32_t stopping;  /* atomic */
    struct source *log; /* the control thread's: the hypervisor's log until the service has it */
    char boot_id[40];   /* of this boot of the dom0, and so of the hypervisor */

    struct requests requests;

    /* The thread's. */
    struct nodes nodes;
    struct dialer dialer;
    struct keep keep;
    struct domain *domains;
    bool look;              /* domains came or went */
    int64_t reconnect_ms;   /* when XenStore is tried again; 0: it is there */
    uint32_t n_outstanding; /* rings that are the service's, or on their way */
};

__attribute__((format(printf, 2, 3))) void xen_say(struct xen *x, const char *format, ...);
int64_t xen_now_ms(void);

/* thread.c */
int thread_open(struct xen *x, struct problem *p); /* while the service may do all: connect to XenStore */
int thread_start(struct xen *x, struct problem *p);
void thread_finish(struct xen *x); /* after the service has let go of all rings */

#endif
