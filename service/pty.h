/* SPDX-License-Identifier: MIT */
/*
 * pty.h: a console as pseudo-terminals, for programs that want a device: tio, minicom, screen, xl console.
 *
 * Spec:  design §5; pty(7), inotify(7); vconsd.conf(5), "pty". The slave is raw (-opost -icanon -echo), mode 0600, the
 *        service's own. A console has one whose name stands in the link consoles/DOMAIN/CONSOLE.pty, and one whose name a
 *        module tells elsewhere, or either: two readers of one terminal take each other's bytes, and those of the second
 *        have a lock of their own against that (xl console: /var/lock/xenconsole.ID), which whoever opens a link knows nothing of.
 * Owner: the console owns its struct ptys, from pty_open on until pty_close, or until it is gone and nobody has it open.
 * Lock:  none, the control thread.
 * Trust: whoever may open the slave: its owner and root. They may change its modes, hang it up, or never read.
 *
 * While somebody has the slave open there is a viewer (viewer.h) whose socket is the master; it ends when the last one
 * closes it, and only its place in the log is kept. What the next one reads goes on there: first what the kernel still
 * holds, 64 KiB at most, then the log. So a pty that nobody has open costs one descriptor and never wakes us; an inotify
 * watch tells when that changes. The place of a module's is kept over the service's end (pty_place.h), also while it is read, each
 * second: after a SIGKILL what was read since comes again, and only what the kernel held for a reader who was slow is not
 * seen there any more. The first key asks for the write token, and the last close lets go of it.
 */
#ifndef VCONS_SERVICE_PTY_H
#define VCONS_SERVICE_PTY_H
#include <stdint.h>
#include <uv.h>

#include "host/message.h"
#include "watch.h"

struct console;
struct pty;
struct service;

/* Of the service; zeroed: there is none. */
struct ptys {
    struct watch opened; /* the inotify descriptor of all of them */
    struct pty *first;
    uv_timer_t keep; /* runs while somebody has one open whose place is kept */
};

enum pty_for { PTY_LINK, PTY_MODULE, PTYS };

/*
 * Make c's pty for this, with its link, if it has none yet: what is read there begins at this offset of the log, which is open.
 * The path of the slave, good until pty_close; NULL with *p: there is none.
 */
const char *pty_open(struct console *c, enum pty_for what, uint64_t from, struct problem *p);
/*
 * The module's, for a guest of this line (zero: of none that is known again): its place is kept, and where an earlier service has
 * left it, it begins, else at the log's end.
 */
const char *pty_open_line(struct console *c, const uint8_t line_id[16], struct problem *p);
const char *pty_path(const struct console *c, enum pty_for what); /* NULL: it has none */
/* Around a change of c's name: its link goes and comes. Each accepts a console without a pty. */
void pty_unlink(const struct console *c);
void pty_link(const struct console *c);
/* c's source is gone for good: each pty goes as well once nobody has it open, so that its last words can be read. */
void pty_gone(struct console *c);
/* Nobody wants its link any more: the pty goes once nobody has it open, unless pty_open comes before. */
void pty_withdraw(struct console *c);
void pty_close(struct console *c); /* all, at once, after their viewers; accepts a console without one */
void ptys_close(struct service *s);

/* viewer.c: the last one has closed it; what was read ends at this offset of the log. */
void pty_left(struct pty *pty, uint64_t offset);
/* viewer_input.c: its writer types. Somebody may have told the pty how large the terminal is. */
void pty_typed(struct pty *pty);

#endif
