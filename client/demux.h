/* SPDX-License-Identifier: MIT */
/*
 * demux.h: one serial line as many consoles. Shared by cmd_demux.c (options, the loop), demux_target.c (the consoles, each a
 * UNIX socket that the service connects to), demux_state.c (where to begin) and demux_keys.c (what is typed, by way of the
 * switch keys).
 *
 * Spec:  docs/vcons.1 (DEMUX). What the consoles say is a function of the source's log from its beginning on, and how much of it
 *        they have is how long their logs are: so whoever begins anew, after whatever befell, begins at the beginning, or at a
 *        place that was kept (demux_state.c), and leaves out of each console what its log has. Nothing is lost or doubled.
 * Owner: struct demux owns its connections, its targets and their sockets.
 * Lock:  none: one thread.
 * Trust: bytes of the source may be anything (split.h); what is typed comes from those whom the service lets.
 */
#ifndef CLIENT_DEMUX_H
#define CLIENT_DEMUX_H
#include "conn.h"
#include "host/name.h"
#include "split.h"

#define DEMUX_TARGETS   1024u
#define DEMUX_KEYS      1024u         /* bytes typed at one console that wait for the focus */
#define DEMUX_OUT_MAX   (512u * 1024) /* waiting for one console: the source is not read further */
#define DEMUX_LINGER_MS 300u          /* the focus stays behind the last key: unread ones are lost when it moves */
#define DEMUX_IDLE_MS   2000u         /* without a key: the token goes back */
#define DEMUX_ANSWER_MS 10000u        /* for the notice of a switch, and for the token */
#define DEMUX_LOST_MS   60000u        /* a notice that has not come by then never comes */
#define DEMUX_SAVE_MS   2000u         /* between two looks whether what is to be kept has changed */
#define DEMUX_NOBODY    (SPLIT_HYPERVISOR - 1) /* not known who has the focus */

struct target {
    struct target *next;
    uint64_t id;
    char name[NAME_FULL_BYTES];
    char path[PATHS_SOCKET_BYTES];
    int listen_fd, fd;    /* fd -1: the service has not come yet */
    uint64_t base, given; /* bytes of it before we began, and by now; */
    uint64_t skip;        /* of what we have, the log has already; known once the service is here */
    uint8_t *out;         /* waits to be written */
    size_t have, size;
    uint8_t keys[DEMUX_KEYS];
    size_t n_keys;
};

struct demux_keys { /* demux_keys.c's own */
    uint8_t key;    /* the switch character; 0: nothing is typed */
    enum vc_control_token_state token;
    bool requested;        /* the token */
    unsigned n_pending;    /* switch characters in a row that were sent last */
    uint64_t focus, first; /* as the last switch of ours was answered, or DEMUX_NOBODY; first: of this search */
    bool searching;
    bool unanswered;             /* the last switch */
    uint64_t asked_ms, typed_ms; /* the last question, switch or token; the last key sent */
    struct target *to;           /* whose keys are sent; NULL: nobody's */
};

struct demux {
    const struct options *options;
    const char *source;
    char host[NAME_BYTES];
    enum split_form form;
    char **names; /* "dN=NAME" */
    int n_names;
    struct conn conn, control; /* conn: attached to source */
    struct split split;
    uint64_t offset, live,
        start; /* of the next byte; where the log ended when we came: what came before is history; start: where it begins */
    struct target *targets;
    unsigned n_targets;
    struct demux_keys keys;
    json_t *kept, *picture; /* of the splitter: from where we began, or NULL; to be kept next */
    uint64_t saved, save_ms;
    bool save_told, from_start; /* from_start: what was kept does not fit the logs */
    bool again, left;           /* again: begin anew */
    int status;
    struct problem problem; /* why again */
};

__attribute__((format(printf, 3, 4))) void demux_again(struct demux *d, int status, const char *format, ...);

/* demux_target.c */
void demux_out(struct demux *d, uint64_t id, const uint8_t *bytes, size_t n);
bool demux_full(const struct demux *d);                                   /* something waits for more than it should */
void demux_target_serve(struct demux *d, struct target *t, short events); /* what poll(2) said of its descriptor */
int demux_target_poll(const struct target *t, short *events);             /* the descriptor to ask about */
void demux_targets_close(struct demux *d);

/* How long its log is, as the service says; *answer, NULL at first, is the caller's, for the next one too. */
uint64_t demux_target_length(struct demux *d, const struct target *t, json_t **answer);

/* demux_state.c */
json_t *demux_state_load(struct demux *d); /* NULL: there is none that fits */
uint64_t demux_state_offset(const json_t *state);
void demux_state_take(struct demux *d, json_t *state); /* begin there; takes state, which may be NULL */
uint64_t demux_state_given(const struct demux *d, uint64_t id);
void demux_state_step(struct demux *d);
int demux_state_wait_ms(const struct demux *d);
void demux_state_close(struct demux *d);

/* demux_keys.c */
void demux_keys_begin(struct demux *d);
void demux_keys_step(struct demux *d);               /* send what can be sent now */
int demux_keys_wait_ms(const struct demux *d);       /* how long until a step may do something; -1: for ever */
void demux_keys_focus(struct demux *d, uint64_t id); /* the hypervisor said who has it, just now */
void demux_keys_token(struct demux *d, const struct vc_control_token *token);

#endif
