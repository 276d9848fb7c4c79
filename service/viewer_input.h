/* SPDX-License-Identifier: MIT */
/*
 * viewer_input.h: what a viewer's client sends: frames, or raw bytes to type.
 *
 * Spec:  wire/control.h; decisions: "A writer is read only while the line's in has room": nothing typed is dropped,
 *        overtaken or kept here.
 * Owner, Lock: as viewer.h; the control thread.
 * Trust: any bytes in any pieces.
 */
#ifndef VCONS_SERVICE_VIEWER_INPUT_H
#define VCONS_SERVICE_VIEWER_INPUT_H

struct viewer;

enum input {
    INPUT_MORE,    /* all that was there is done */
    INPUT_BLOCKED, /* the line has no room; viewer_room will tell */
    INPUT_END,     /* end of file, or the client is gone */
    INPUT_BAD,     /* a frame that breaks the protocol */
    INPUT_ANSWER,  /* a token frame is due, then read on */
    INPUT_SYNC,    /* a sync frame is due, then read on */
};
enum input input_read(struct viewer *v);

#endif
