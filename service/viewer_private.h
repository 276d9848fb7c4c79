/* SPDX-License-Identifier: MIT */
/*
 * viewer_private.h: between the files of a viewer: life and input here, what goes out in viewer_send.c.
 *
 * Owner, Lock: as viewer.h. Who calls has taken the viewer out of the append thread's hands, but for viewer_send_direct.
 */
#ifndef VCONS_SERVICE_VIEWER_PRIVATE_H
#define VCONS_SERVICE_VIEWER_PRIVATE_H
#include "viewer.h"

enum pending { PENDING_TOKEN = 1, PENDING_SYNC = 2, PENDING_END = 4, PENDING_LEASE = 8, PENDING_ASKED = 16 };

enum viewer_step { STEP_ON, STEP_STUCK, STEP_LIVE, STEP_DEAD };

/* Send the next piece of whatever comes next. ON: there may be more. STUCK: the socket is full. LIVE: all is sent, and the
 * append thread shares the viewer from here on. DEAD: the client is gone, or the stream has ended. */
enum viewer_step viewer_step(struct viewer *v);
enum viewer_step viewer_send_small(struct viewer *v); /* what stands in v->small, and nothing else */
void viewer_small_end(struct viewer *v);              /* put the END frame there */
#define VIEWER_PIECE (64u * 1024)                     /* of output in one frame, at most */

/*
 * The next piece of the BYTES that its cursor just showed, n bytes at most, in memory that is good until the next call. Returns
 * how many, or as log_cursor_read. viewer_piece.c.
 */
ptrdiff_t viewer_piece(struct viewer *v, const struct log_item *item, uint64_t n, const uint8_t **bytes);
void viewer_pieces_forget(const struct log *log); /* before it is closed: nothing of it may be taken for another's */
/* (append, under the live lock) n bytes that stand at offset in the log, to a viewer who is live. True: it has all of them. */
bool viewer_send_direct(struct viewer *v, const void *bytes, uint32_t n, uint64_t offset);

#endif
