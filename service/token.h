/* SPDX-License-Identifier: MIT */
/*
 * token.h: who may type into a console: one viewer, or the hypervisor's terminal, or nobody.
 *
 * Spec:  design §5; decisions, "Terminal": taken when free, stolen on request; the terminal takes it with the focus and gets
 *        it back when whoever stole it lets go while the focus is still there.
 * Owner: struct token is part of struct console.
 * Lock:  none, the control thread.
 */
#ifndef VCONS_SERVICE_TOKEN_H
#define VCONS_SERVICE_TOKEN_H
#include <stdbool.h>
#include <stdint.h>

#define TOKEN_WHO_BYTES 64u

struct console;
struct viewer;

struct token {
    struct viewer *holder; /* NULL: the terminal, if it holds, or nobody */
    bool terminal;         /* the terminal holds it */
    bool claimed;          /* the terminal wants it */
    uint64_t since_ns;     /* CLOCK_REALTIME */
};

/* True: v holds it now. Everybody who must know is told. */
bool token_request(struct console *c, struct viewer *v, bool steal);
void token_release(struct console *c, struct viewer *v); /* nothing if v does not hold it */
void token_claim(struct console *c, bool wanted);        /* the terminal has, or lost, the focus */
bool token_free(const struct console *c);
/* Who holds it, for people; empty: nobody. */
void token_who(const struct console *c, char who[TOKEN_WHO_BYTES]);

#endif
