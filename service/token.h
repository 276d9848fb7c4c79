/* SPDX-License-Identifier: MIT */
/*
 * token.h: who may type into a console: one viewer, or the hypervisor's terminal, or nobody.
 *
 * Spec:  design §5; decisions, "Terminal": taken when free, stolen on request; the terminal takes it with the focus and gets
 *        it back when whoever stole it lets go while the focus is still there.
 *        A lease reserves it for a user, whoever of that user's viewers types; lease.h keeps it over a restart.
 * Owner: struct token is part of struct console, which calls token_end.
 * Lock:  none, the control thread.
 */
#ifndef VCONS_SERVICE_TOKEN_H
#define VCONS_SERVICE_TOKEN_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <vcons/wire/control.h>

#define TOKEN_WHO_BYTES 64u

struct console;
struct viewer;

struct lease {
    uid_t uid;
    uint64_t since_ns, until_ns; /* CLOCK_REALTIME */
    char who[TOKEN_WHO_BYTES], note[VC_CONTROL_NOTE_BYTES];
};

struct token {
    struct lease *lease;   /* NULL: none, or it has been over for some time */
    char *asks;            /* who has asked last, TOKEN_WHO_BYTES; NULL: nobody yet */
    struct viewer *holder; /* NULL: the terminal, if it holds, or nobody */
    bool terminal;         /* the terminal holds it */
    bool claimed;          /* the terminal wants it */
    uint64_t since_ns;     /* CLOCK_REALTIME */
};

enum token_wish { TOKEN_IF_FREE, TOKEN_STEAL, TOKEN_FORCE };

/* True: v holds it now. Everybody who must know is told; FORCE ends another user's lease, nothing else passes that. */
bool token_request(struct console *c, struct viewer *v, enum token_wish wish);
void token_ask(struct console *c, const struct viewer *v); /* whoever holds it is told that v would like to */
/*
 * Until then (CLOCK_REALTIME, in ns) only this user's viewers have the token; 0 ends it. 0; -EBUSY: another user has a
 * lease, or types there; unless it is forced. -ENOMEM.
 */
int token_lease(struct console *c, const struct lease *wish, bool force);
bool token_restore(struct console *c,
                   const struct lease *lease);             /* of a console that has just come; false: it is over */
const struct lease *token_leased(const struct console *c); /* the lease in force; NULL: none */
void token_end(struct console *c);                         /* of the console: what the token owns is freed */
void token_release(struct console *c, struct viewer *v);   /* nothing if v does not hold it */
void token_claim(struct console *c, bool wanted);          /* the terminal has, or lost, the focus */
bool token_free(const struct console *c);
/* Who holds it, for people; empty: nobody. */
void token_who(const struct console *c, char who[TOKEN_WHO_BYTES]);

#endif
