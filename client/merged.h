/* SPDX-License-Identifier: MIT */
/*
 * merged.h: several consoles on one terminal: whole lines, each behind its console's name; keys go to one of them. Shared by
 * merged.c (the loop, the members as they come and go), merged_show.c (frames, lines, notices) and merged_keys.c.
 *
 * Spec:  docs/vcons.1 (ATTACH, several consoles); wire/control.h; promise P4: a key goes to the console that had the focus when
 *        it was typed, or nowhere.
 * Owner: struct merged owns its members, and each member its connection.
 * Lock:  none: one thread.
 * Trust: output is guests' and passes safe.h and line.h; frames are checked for length before use.
 */
#ifndef CLIENT_MERGED_H
#define CLIENT_MERGED_H
#include "conn.h"
#include "line.h"
#include "safe.h"
#include "sink.h"
#include "tty.h"

#define MERGED_MEMBERS   256u
#define MERGED_LATE_NS   1000000000ull /* a line whose end does not come is shown as far as it is */
#define MERGED_SWITCH    1             /* Ctrl-A ... */
#define MERGED_TIMES     3u            /* ... so often, as Xen has it */
#define MERGED_TYPED_MAX (64u * 1024)

struct member {
    struct member *next;
    char name[80]; /* DOMAIN/CONSOLE, once attached */
    struct conn conn;
    bool open, ended; /* ended: the console was gone for good; it may come again */
    bool late;        /* what stands in line is shown as far as shown */
    unsigned colour;
    uint64_t offset;    /* of the next byte */
    uint64_t opened_ns; /* when; marks from before are history */
    uint64_t begun_ns;  /* when what stands in line began to wait */
    enum vc_control_token_state token;
    char holder[64];
    bool requested; /* the token, since it was last released or refused: what comes of older frames does not count */
    bool refusal_told;
    struct safe safe;
    struct line line;
};

struct merged {
    struct options *options;
    char **wanted; /* names and patterns */
    int n_wanted;
    json_t *from;
    int escape;
    bool read_only, interactive, screen, colours;
    struct member *members, *focus; /* focus NULL: keys go nowhere */
    unsigned n_members, n_colours;
    size_t width;      /* of the longest name */
    unsigned n_switch; /* Ctrl-A seen in a row, and kept back */
    bool in_menu, input_ended;
    bool away;                      /* the service is gone */
    const struct member *open_line; /* whose unfinished line stands last on the screen; NULL: none */
    unsigned open_rows;             /* that line's, but for the first */
    uint16_t open_columns;          /* the terminal's, then; 0 is none */
    struct tty tty;
    struct sink sink;
    bool left;
    int status;
};

void merged_leave(struct merged *m, int status);
__attribute__((format(printf, 2, 3))) void merged_notice(struct merged *m, const char *format, ...);
/* Every whole frame that has come. False: the peer breaks the protocol. */
bool merged_show(struct merged *m, struct member *from);
void merged_show_late(struct merged *m);                     /* lines whose end does not come */
void merged_flush_line(struct merged *m, struct member *of); /* its last line, cut */
void merged_type(struct merged *m, const uint8_t *bytes, size_t n);
void merged_focus(struct merged *m, struct member *on); /* NULL: keys go nowhere */
bool merged_pattern(const char *name);                  /* of several consoles; else it is the name of one */
/* The whole command. *from is taken; wanted are names and patterns. */
int merged_run(struct merged *m);

#endif
