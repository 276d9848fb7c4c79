/* SPDX-License-Identifier: MIT */
/*
 * virtio_device.h: one virtio-console of a domain: where its registers are, and the consoles behind its ports.
 *
 * Spec:  vcons/virtio_console.h, vcons/announce.h; design §3.5, §4 (a full line is a buffer that is not given back yet).
 * Owner: the domain has them all from its creation to its end. A run that starts opens them, its end closes them.
 * Lock:  lock, that of the device and of all its consoles (console_share_lock): functions marked [locked] want it held. Accesses
 *        come from vCPU threads, all else from the loop. Order: as console.lock; then the announce's, a leaf.
 * Trust: accesses are the guest's: any place, width and value; so are its rings, of which core knows what to make.
 *
 * Its memory lies where it lies from create to destroy: no queue is ever looked for anew (vc_virtio_mmio_remapped) but by a reset.
 */
#ifndef VCONS_VMM_VIRTIO_DEVICE_H
#define VCONS_VMM_VIRTIO_DEVICE_H
#include "config.h"
#include "engine.h"
#include "virtio_bell.h"
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>
#include <vcons/save.h>
#include <vcons/virtio_console.h>

struct door;

struct virtio_device {
    /* Constant. */
    struct domain *domain;
    uint32_t number;
    struct engine_device place; /* no bytes: there is no device of this number */
    uint32_t n_ports;
    void *memory;

    pthread_mutex_t lock;
    struct vc_virtio_console console;
    struct door **doors;              /* by port; NULL: nothing is plugged */
    uint64_t hungry[VC_VIRTIO_WORDS]; /* ports that would take what they refused before */
    struct virtio_bell bell;
    bool open;      /* a run has it: the engine is there */
    bool frozen;    /* nothing moves: it is being saved */
    bool restoring; /* what is told is nothing new */

    atomic_bool look; /* the loop is to go on with it. Any thread */
    atomic_bool soon; /* … within a millisecond */
};

struct domain_virtio { /* part of struct domain: all of its devices */
    struct virtio_device *devices;
    uint32_t n;
    struct vc_announce announce;
    struct vc_announce_env announce_env;
    struct vc_announce_place *places; /* by the number of the door */
    pthread_mutex_t announce_lock;
    bool has_timers;
    uv_timer_t soon;  /* the loop's: devices that are looked at in a while */
    uv_timer_t timer; /* … as the announce last asked for: */
    atomic_uint_fast64_t wait_ns;
    atomic_bool asked;
};

/* Loop thread. Once; -1: no memory. finish closes what the loop knows, free the rest; both accept a zeroed domain. */
int virtio_init(struct domain *d, struct problem *problem);
void virtio_finish(struct domain *d);
void virtio_free(struct domain *d);
/* Reset state, nothing plugged: for a run that starts, or is to be restored. The end of that run. */
void virtio_open(struct domain *d);
/* All doors that there are then are open; who is plugged from now on is announced behind all others. */
void virtio_opened(struct domain *d);
void virtio_close(struct domain *d);
/* The loop's look, after vmm_notify. */
void virtio_look(struct domain *d);
/* An access of the guest's, in its vCPU's thread. False: there is no such device there. */
bool virtio_access(struct domain *d, uint64_t address, uint32_t width, uint64_t *value, bool write);

/* [locked] After each call into core: what it could not be told from inside. */
void virtio_settle(struct virtio_device *v);

/* While it is saved nothing moves. save: one section of each device, at most so many bytes. restore: into those that were just opened,
 * with their ports plugged; false: no state of such devices. */
void virtio_freeze(struct domain *d, bool frozen);
size_t virtio_save_bytes(const struct domain *d);
void virtio_save(struct domain *d, struct vc_writer *w);
bool virtio_restore(struct domain *d, struct vc_reader *r);

#endif
