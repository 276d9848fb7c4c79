/* SPDX-License-Identifier: MIT */
/*
 * What is typed at the consoles, by way of the one line: the switch character three times until the hypervisor says that the
 * wanted domain has the focus, then its keys. A notice that we did not ask for makes the focus unknown, for it may be anybody's;
 * a switch without its answer is waited for before the next, so that no answer is taken for another's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "demux.h"
#include "host/clock.h"

#define TIMES 3u

void demux_keys_begin(struct demux *d)
{
    d->keys = (struct demux_keys){.key = d->keys.key, .focus = DEMUX_NOBODY, .first = DEMUX_NOBODY};
}

static void drop(struct target *t, const char *why)
{
    message("%s: %zu bytes typed there were not sent: %s", t->name, t->n_keys, why);
    t->n_keys = 0;
}

static void give_up(struct demux *d, const char *why)
{
    struct demux_keys *k = &d->keys;

    drop(k->to, why);
    k->to = NULL;
    k->searching = false;
}

static void ask_token(struct demux *d, enum vc_control_token_op op)
{
    uint8_t byte = (uint8_t)op;

    (void)conn_send(&d->conn, VC_CONTROL_TOKEN, &byte, 1);
    d->keys.requested = op != VC_CONTROL_RELEASE;
    d->keys.token = VC_CONTROL_FREE; /* until we hear otherwise */
    d->keys.asked_ms = clock_ms();
}

/* Whose keys are next: the one that has the focus, then the others in turn. */
static struct target *choose(struct demux *d)
{
    struct target *from = d->keys.to != NULL && d->keys.to->next != NULL ? d->keys.to->next : d->targets, *t = from;

    if (d->keys.to != NULL && d->keys.to->n_keys > 0)
        return d->keys.to;
    for (; t != NULL && t->n_keys == 0; t = t->next)
        ;
    for (struct target *u = d->targets; t == NULL && u != NULL; u = u->next)
        if (u->n_keys > 0)
            t = u;
    return t;
}

/* Three in a row in somebody's keys would move the focus: the third is left out. */
static void send_keys(struct demux *d, struct target *t)
{
    struct demux_keys *k = &d->keys;
    uint8_t out[DEMUX_KEYS];
    size_t n = 0;

    for (size_t i = 0; i < t->n_keys; i++) {
        if (t->keys[i] != k->key)
            k->n_pending = 0;
        else if (k->n_pending + 1 == TIMES)
            continue;
        else
            k->n_pending++;
        out[n++] = t->keys[i];
    }
    conn_send_input(&d->conn, out, n);
    t->n_keys = 0;
    k->typed_ms = clock_ms();
    k->searching = false;
}

static void send_switch(struct demux *d)
{
    struct demux_keys *k = &d->keys;
    uint8_t keys[TIMES] = {k->key, k->key, k->key};

    /* One or two that were typed and not delivered yet count, and so reach nobody else. */
    conn_send_input(&d->conn, keys, TIMES - k->n_pending);
    k->n_pending = 0;
    k->unanswered = true;
    k->focus = DEMUX_NOBODY;
    k->asked_ms = clock_ms();
}

static void give_back(struct demux *d)
{
    struct demux_keys *k = &d->keys;

    k->to = NULL;
    k->focus = DEMUX_NOBODY; /* whoever types next may move it */
    ask_token(d, VC_CONTROL_RELEASE);
}

/* Whether we may write; asks if not. */
static bool has_token(struct demux *d)
{
    struct demux_keys *k = &d->keys;

    if (k->token == VC_CONTROL_YOURS)
        return true;
    if (!k->requested)
        ask_token(d, VC_CONTROL_REQUEST);
    else if (k->token == VC_CONTROL_OTHERS || clock_ms() - k->asked_ms >= DEMUX_ANSWER_MS) {
        give_up(d, "somebody else writes to the line");
        k->requested = false;
    }
    return false;
}

static void seek_focus(struct demux *d)
{
    struct demux_keys *k = &d->keys;
    uint64_t waited_ms = clock_ms() - k->asked_ms;

    if (k->unanswered && waited_ms < DEMUX_LOST_MS) {
        if (waited_ms >= DEMUX_ANSWER_MS)
            give_up(d, "the hypervisor did not say that the focus has moved");
        return;
    }
    if (!k->searching)
        k->first = DEMUX_NOBODY;
    k->searching = true;
    send_switch(d);
}

void demux_keys_step(struct demux *d)
{
    struct demux_keys *k = &d->keys;
    struct target *next = choose(d);
    uint64_t quiet_ms = clock_ms() - k->typed_ms;

    if (k->key == 0 || d->offset < d->live) { /* history is no answer */
        for (struct target *t = d->targets; k->key == 0 && t != NULL; t = t->next)
            if (t->n_keys > 0)
                drop(t, "the line is only read");
        return;
    }
    if (next == NULL) {
        if (k->unanswered && clock_ms() - k->asked_ms >= DEMUX_LOST_MS)
            k->unanswered = false;
        if (k->token == VC_CONTROL_YOURS && !k->unanswered && quiet_ms >= DEMUX_IDLE_MS)
            give_back(d);
        return;
    }
    if (conn_waits(&d->conn) || (next != k->to && quiet_ms < DEMUX_LINGER_MS))
        return;
    k->searching &= next == k->to;
    k->to = next;
    if (!has_token(d))
        return;
    if (k->focus == next->id && !k->unanswered)
        send_keys(d, next);
    else
        seek_focus(d);
}

int demux_keys_wait_ms(const struct demux *d)
{
    const struct demux_keys *k = &d->keys;

    for (const struct target *t = d->targets; t != NULL; t = t->next)
        if (t->n_keys > 0)
            return 50;
    return k->token == VC_CONTROL_YOURS || k->unanswered ? (int)DEMUX_IDLE_MS / 4 : -1;
}

void demux_keys_focus(struct demux *d, uint64_t id)
{
    struct demux_keys *k = &d->keys;

    if (!k->unanswered) {
        k->focus = DEMUX_NOBODY;
        return;
    }
    k->unanswered = false;
    k->focus = id;
    if (k->to == NULL || !k->searching || id == k->to->id)
        return;
    if (id == k->first)
        give_up(d, "it is not among those that take input from the line");
    else if (k->first == DEMUX_NOBODY)
        k->first = id;
}

void demux_keys_token(struct demux *d, const struct vc_control_token *token)
{
    struct demux_keys *k = &d->keys;

    k->token = token->state == VC_CONTROL_REFUSED ? VC_CONTROL_OTHERS : (enum vc_control_token_state)token->state;
    if (k->token != VC_CONTROL_YOURS) {
        k->focus = DEMUX_NOBODY; /* others move it too */
        k->n_pending = 0;
    }
}
