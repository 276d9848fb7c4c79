/* SPDX-License-Identifier: MIT */
/*
 * xen_console.h: Xen's PV console, the guest's end: the ring while it is connected, console_io while it is not.
 *
 * Spec:  Xen public/io/console.h; Xen ABI 1.1-1.5 and 11; design 3.1.
 * Owner: the caller places struct xen_console; the page stays mapped for as long as it is in use.
 * Lock:  the caller's, as hvc.h says: one for both directions of one console.
 * Trust: page, port and flag are the backend's. Indices that claim more than the ring holds make that
 *        direction unusable for as long as they do: output goes by hypercall, input stays away. Nothing is
 *        ever read outside the ring, nothing waits for such a backend, and `violations` counts.
 * Flag:  looked at in each put and get, thus in each round of a wait; it may go either way at any moment.
 *        Connected: bytes go into the ring, then the event. Disconnected: the call returns when they are
 *        taken. So a byte goes exactly one way.
 * Event: one for each put that placed something. That input was taken is told with it, else by the read that finds
 *        no more: so the answer to a key costs one event and not two. Read until 0 before you sleep.
 * Order: holds across both transitions if the backend keeps its part of design 3.1: CONSOLEIO_write first
 *        takes what is still in the ring. Input: what the ring holds comes first, whatever the flag says, for
 *        it was put there before the flag went; the hypercall is asked when the ring is empty and the flag,
 *        looked at before the ring, is down. The backend's part: CONSOLEIO_read gives nothing while the ring
 *        holds input, else a flag that goes to and fro between look and call lets the call overtake the ring.
 */
#ifndef GUEST_XEN_CONSOLE_H
#define GUEST_XEN_CONSOLE_H
#include "hvc.h"
#include <vcons/xencons.h>

struct xen_console { /* for the caller to place, not to write */
    struct hvc hvc;
    struct vc_xencons_front front;
    bool attached;      /* front has taken up legal indices; until then none of its rings is used */
    bool owes_event;    /* input was taken and the backend not told yet */
    uint32_t virq_port; /* tells of input for console_io; 0: the hypervisor gave none */
    bool drops; /* for the owner to set: as Linux since 7.1, throw output away while DISCONNECTED (Xen ABI 1.5) */
    uint32_t violations; /* passes that found impossible indices; stops at its maximum */
};

/*
 * The console in this page and at this port. Indices start from the page; if they are not legal there they
 * are taken up at the first pass that finds them legal. name is cut to HVC_NAME_BYTES.
 */
void xen_console_init(struct xen_console *x, const struct platform *platform, struct xencons_interface *page,
                      uint32_t port, const char *name);
/* The primary console by CONSOLE_EVTCHN and CONSOLE_PFN, hvc0. VC_ENOENT: this domain has none, x unchanged. */
int xen_console_discover(struct xen_console *x, const struct platform *platform);
/* After a restore: the page may be a fresh one and the port another (Xen ABI 11). */
void xen_console_resume(struct xen_console *x, uint32_t port);
/* What the flag says now: anything but DISCONNECTED is connected, as in a page from before the flag. */
bool xen_console_connected(const struct xen_console *x);

#endif
