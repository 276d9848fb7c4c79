/* SPDX-License-Identifier: MIT */
#include "token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "console.h"
#include "lease.h"
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

/* Whether a lease keeps this user out. */
static bool kept_from(const struct console *c, uid_t uid)
{
    const struct lease *l = token_leased(c);

    return l != NULL && l->uid != uid;
}

static bool terminal_may(const struct console *c) { return c->token.claimed && !kept_from(c, c->origin.uid); }

static void end_lease(struct console *c)
{
    free(c->token.lease);
    c->token.lease = NULL;
    lease_keep(c);
    viewers_tell_lease(c);
}

bool token_request(struct console *c, struct viewer *v, enum token_wish wish)
{
    if (c->token.holder == v)
        return true;
    if (kept_from(c, v->uid) && wish != TOKEN_FORCE)
        return false;
    if (!token_free(c) && wish == TOKEN_IF_FREE)
        return false;
    if (kept_from(c, v->uid))
        end_lease(c);
    give(c, v, false);
    return true;
}

void token_ask(struct console *c, const struct viewer *v)
{
    if (c->token.holder == NULL || c->token.holder == v)
        return;
    if (c->token.asks == NULL)
        c->token.asks = malloc(TOKEN_WHO_BYTES);
    if (c->token.asks == NULL)
        return;
    snprintf(c->token.asks, TOKEN_WHO_BYTES, "%s", v->who);
    viewer_tell_asked(c->token.holder);
}

int token_lease(struct console *c, const struct lease *wish, bool force)
{
    uid_t typing = c->token.holder != NULL ? c->token.holder->uid : c->origin.uid;
    struct lease *l;

    if (!force && (kept_from(c, wish->uid) || (!token_free(c) && typing != wish->uid)))
        return -EBUSY;
    if (wish->until_ns == 0) {
        end_lease(c);
        if (token_free(c) && terminal_may(c))
            give(c, NULL, true);
        return 0;
    }
    l = c->token.lease != NULL ? c->token.lease : malloc(sizeof *l);
    if (l == NULL)
        return -ENOMEM;
    *l = *wish;
    c->token.lease = l;
    lease_keep(c);
    if (!token_free(c) && typing != wish->uid)
        give(c, NULL, false);
    viewers_tell_lease(c);
    return 0;
}

bool token_restore(struct console *c, const struct lease *lease)
{
    if (c->token.lease == NULL)
        c->token.lease = malloc(sizeof *c->token.lease);
    if (c->token.lease == NULL)
        return false;
    *c->token.lease = *lease;
    if (token_leased(c) != NULL)
        return true;
    free(c->token.lease); /* over */
    c->token.lease = NULL;
    return false;
}

const struct lease *token_leased(const struct console *c)
{
    struct timespec now;

    if (c->token.lease == NULL)
        return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec < c->token.lease->until_ns
               ? c->token.lease
               : NULL;
}

void token_end(struct console *c)
{
    free(c->token.lease);
    free(c->token.asks);
    c->token.lease = NULL;
    c->token.asks = NULL;
}

void token_release(struct console *c, struct viewer *v)
{
    if (c->token.holder == v)
        give(c, NULL, terminal_may(c));
}

void token_claim(struct console *c, bool wanted)
{
    c->token.claimed = wanted;
    if (terminal_may(c))
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
