/* SPDX-License-Identifier: MIT */
/*
 * hvc.h: a hypervisor virtual console as the kernel above it sees one: put, get, wait; one struct for each console.
 *
 * Spec:  ours, in the shape of Linux drivers/tty/hvc: a driver never waits in put or get, the layer does.
 * Owner: the caller embeds struct hvc as the first member of its driver's struct; nothing here allocates.
 * Lock:  the caller's, one for each console, around hvc_write and hvc_read. hvc_idle takes none of them.
 * Trust: the bytes read are whatever the other end likes to send.
 */
#ifndef GUEST_HVC_H
#define GUEST_HVC_H
#include "platform.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HVC_NAME_BYTES   16u
#define HVC_CONSOLES     64u        /* that one hvc_idle can wait for */
#define HVC_FULL_WAIT_NS 10000000u  /* a full console is looked at again at least so often */
#define HVC_IDLE_WAIT_NS 100000000u /* and so often one whose input has no event of its own */

#define HVC_BY_INTERRUPT UINT32_MAX /* no port tells of input, but an interrupt, which ends each wait without a limit */

struct hvc;
struct hvc_driver {
    /* Send as much of n bytes as goes at once; 0: full. A console that nobody serves never says full. */
    size_t (*put)(struct hvc *hvc, const void *bytes, size_t n);
    /* Take what is there, at most n bytes; 0: nothing. */
    size_t (*get)(struct hvc *hvc, void *bytes, size_t n);
    /* The event channels that tell of input, at most 2; 0: none does; HVC_BY_INTERRUPT. Asked before each wait, for it may
     * change. */
    uint32_t (*input_ports)(struct hvc *hvc, uint32_t ports[2]);
};
struct hvc {
    const struct hvc_driver *driver;
    const struct platform *platform;
    char name[HVC_NAME_BYTES]; /* hvc0, con_io: for people */
    uint32_t port;             /* the event channel that tells of room; 0: none */
    uint32_t idle_ns;          /* no event tells of input: looked at again at least so often; 0: HVC_IDLE_WAIT_NS */
    uint64_t dropped;          /* bytes that no way out would take */
};

/* Send all n bytes in order; waits while a connected console is full, without a limit of its own. */
void hvc_write(struct hvc *hvc, const void *bytes, size_t n);
/* As get: never waits. Read until 0: then, too, the other end knows what was taken. */
size_t hvc_read(struct hvc *hvc, void *bytes, size_t n);
/* Wait until one of n consoles, at most HVC_CONSOLES, may have input, after a read of each gave 0. It may also have none: read, and wait
 * again. */
void hvc_idle(struct hvc *const *hvcs, size_t n);
/* Let so much time pass, as far as the hypervisor tells the time; true: it passed. */
bool hvc_sleep(const struct platform *platform, uint64_t ns);

#endif
