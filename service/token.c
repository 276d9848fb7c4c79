/* SPDX-License-Identifier: MIT */
#include "token.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "console.h"
#include "link.h"
#include "viewer.h"

static void give(struct console *c, struct viewer *holder, bool terminal)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    c->token.holder = holder;
    c->token.terminal = terminal;
    c->token.since_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    audit_token(c);
    viewers_tell_token(c);
    link_tell_token(c);
}

bool token_free(const struct console *c) { return c->token.holder == NULL && !c->token.terminal; }

bool token_request(struct console *c, struct viewer *v, bool steal)
{
    if (c->token.holder == v)
        return true;
    if (!token_free(c) && !steal)
        return false;
    give(c, v, false);
    return true;
}

void token_release(struct console *c, struct viewer *v)
{
    if (c->token.holder == v)
        give(c, NULL, c->token.claimed);
}

void token_claim(struct console *c, bool wanted)
{
    c->token.claimed = wanted;
    if (wanted)
        give(c, NULL, true);
    else if (c->token.terminal)
        give(c, NULL, false);
    else
        link_tell_token(c);
}

void token_who(const struct console *c, char who[TOKEN_WHO_BYTES])
{
    who[0] = '\0';
    if (c->token.holder != NULL)
        snprintf(who, TOKEN_WHO_BYTES, "%s", c->token.holder->who);
    else if (c->token.terminal)
        snprintf(who, TOKEN_WHO_BYTES, "terminal of %s", c->link != NULL ? link_name(c->link) : "a hypervisor");
}
