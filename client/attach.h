/* SPDX-License-Identifier: MIT */
/*
 * attach.h: one person at one console: what the keyboard, the screen and the connection share. Private to cmd_attach.c (options,
 * the loop), attach_keys.c (keyboard, escape menu), attach_view.c (frames to the screen) and attach_notice.c (what
 * is said between the guest's output; the screen as it was, painted).
 *
 * Spec:  docs/vcons.1 (ATTACH); wire/control.h, frames.
 * Owner: everything belongs to the one struct attach on cmd_attach.c's stack.
 * Lock:  none: one thread.
 * Trust: output is the guest's and passes through safe.h; frames are checked for length before use.
 */
#ifndef CLIENT_ATTACH_H
#define CLIENT_ATTACH_H
#include "conn.h"
#include "safe.h"
#include "screen.h"
#include "sink.h"
#include "tty.h"

#define ATTACH_NO_ESCAPE   (-1)
#define ATTACH_RESTORE     (1024u * 1024) /* of the log's end are replayed for the present screen */
#define ATTACH_OVERLAY_NS  4000000000ull  /* so long a notice covers a part of a full screen */
#define ATTACH_WAITING_MAX 1024u
#define ATTACH_TYPED_MAX   (64u * 1024) /* typed bytes that wait for a guest which does not read */

enum attach_token {
    TOKEN_UNKNOWN = -1, /* the service has not said yet */
    TOKEN_FREE = VC_CONTROL_FREE,
    TOKEN_MINE = VC_CONTROL_YOURS,
    TOKEN_OTHERS = VC_CONTROL_OTHERS,
};

struct attach {
    struct options *options;
    const char *name;            /* as the user gave it */
    int escape;                  /* the byte that opens the menu, or ATTACH_NO_ESCAPE */
    bool read_only, interactive; /* interactive: standard input is a terminal */
    bool may_not_write;          /* read_only for want of a right */
    bool screen;                 /* standard output is one */
    struct conn conn;
    struct conn_attach place; /* its end: before it output is old */
    uint64_t opened_ns;       /* when; marks from before are history */
    uint64_t offset;          /* the next byte of the log that is not shown yet */
    struct tty tty;
    struct sink sink;
    struct safe safe;
    struct screen cells;              /* what the terminal shows, if it is one */
    bool restoring;                   /* output is old, and goes to cells alone until they are the present screen */
    char waiting[ATTACH_WAITING_MAX]; /* notices meanwhile, one a line */
    char overlay[PROBLEM_BYTES + 32]; /* the notice over the bottom of a full screen; empty: none */
    bool covered;                     /* it is there now */
    uint64_t overlay_ns;              /* when it came */
    enum attach_token token;
    char holder[64];
    uint64_t since_ns;
    struct vc_control_lease lease; /* as told last; until_ns 0: none */
    bool asked;                    /* the user has asked for the token: the answer is worth a notice */
    bool refusal_told;             /* since the token last changed hands */
    bool in_menu;                  /* output waits meanwhile, so that the line stays in sight */
    bool input_ended;
    bool away;        /* the service is gone; it is tried again and again */
    uint64_t back_ns; /* when it came back; 0: it was never away */
    bool left;
    int status; /* valid once left */
};

/* Typed bytes: from the keyboard or from a pipe. */
void attach_type(struct attach *a, const uint8_t *bytes, size_t n);
/* Every whole frame that has come, until the menu opens. False: the peer breaks the protocol. */
bool attach_show(struct attach *a);
/* "[vcons: …]" on a line of its own. */
__attribute__((format(printf, 2, 3))) void attach_notice(struct attach *a, const char *format, ...);
void attach_notice_holder(struct attach *a);
void attach_notice_lease(struct attach *a);
bool attach_leased(const struct attach *a);                      /* a lease is in force, whosever */
const char *attach_escape(const struct attach *a, char name[8]); /* the key, as people write it */
/* The notice over the screen has been there for long enough, or a key was typed. */
void attach_notice_over(struct attach *a);
bool attach_notice_waits(const struct attach *a); /* for its time to be over */
void attach_uncover(struct attach *a);            /* before output goes to the screen; attach_cover afterwards */
void attach_cover(struct attach *a);
/* The screen of a terminal of this size begins. False: it cannot be restored. */
bool attach_restore(struct attach *a);
/* It has come to the present: it is shown, and what comes from here on is live. */
void attach_restored(struct attach *a);
void attach_redraw(struct attach *a);
/* A new guest begins on this terminal: the modes of the one before end. */
void attach_calm(struct attach *a);
void attach_leave(struct attach *a, int status);
/* The size of the screen, to the guest, if this viewer writes. */
void attach_resize(struct attach *a);

#endif
