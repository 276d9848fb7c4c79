/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "merged.h"

void merged_leave(struct merged *m, int status)
{
    m->left = true;
    m->status = status;
}

/* The token follows the focus: nobody keeps a console that is not looked at. */
void merged_focus(struct merged *m, struct member *on)
{
    static const uint8_t release = VC_CONTROL_RELEASE;
    struct member *was = m->focus;

    if (was != NULL && was != on && was->open && !was->ended && was->requested) {
        conn_send(&was->conn, VC_CONTROL_TOKEN, &release, 1);
        was->requested = false;
    }
    m->focus = on;
    if (m->read_only || !m->interactive)
        return;
    if (on != NULL)
        merged_notice(m, "keys go to %s; Ctrl-A three times switches", on->name);
    else
        merged_notice(m, "keys go nowhere; Ctrl-A three times chooses a console");
}

/* The next that is there, in the order of the list; the same if it is the only one. */
static struct member *next_of(const struct merged *m)
{
    struct member *first = NULL;
    bool passed = m->focus == NULL;

    for (struct member *of = m->members; of != NULL; of = of->next) {
        if (!of->open || of->ended)
            continue;
        if (passed)
            return of;
        if (first == NULL)
            first = of;
        passed = of == m->focus;
    }
    return first;
}

static void deliver(struct merged *m, const uint8_t *bytes, size_t n)
{
    static const uint8_t request = VC_CONTROL_REQUEST;
    struct member *to = m->focus;

    if (n == 0 || to == NULL || !to->open || to->ended)
        return;
    if (m->read_only || to->token == VC_CONTROL_OTHERS) {
        if (!to->refusal_told)
            merged_notice(m, "%s is read only%s%s%s", to->name, m->read_only ? ", as you asked (--ro)" : ": ",
                          m->read_only ? "" : to->holder,
                          m->read_only ? "" : " writes; the escape key, then w, takes over");
        to->refusal_told = true;
        return;
    }
    if (to->conn.out_have + n > MERGED_TYPED_MAX && m->interactive) {
        sink_put(&m->sink, "\a", 1);
        return;
    }
    if (!to->requested)
        to->requested = conn_send(&to->conn, VC_CONTROL_TOKEN, &request, 1) == 0;
    conn_send_input(&to->conn, bytes, n);
}

/* Ctrl-A that were kept back, for they were no switch. */
static void deliver_kept(struct merged *m)
{
    static const uint8_t kept[MERGED_TIMES] = {MERGED_SWITCH, MERGED_SWITCH, MERGED_SWITCH};

    deliver(m, kept, m->n_switch);
    m->n_switch = 0;
}

static void take_token(struct merged *m)
{
    static const uint8_t steal = VC_CONTROL_STEAL;

    if (m->focus == NULL || !m->focus->open || m->read_only)
        return;
    m->focus->token = VC_CONTROL_FREE; /* until we hear otherwise */
    m->focus->requested = conn_send(&m->focus->conn, VC_CONTROL_TOKEN, &steal, 1) == 0;
}

static void menu_key(struct merged *m, uint8_t key)
{
    m->in_menu = false;
    if (key == m->escape) {
        deliver(m, &key, 1);
        return;
    }
    switch (key) {
    case '.':
    case 'q':
    case 'd':
    case '\r':
    case '\n': merged_leave(m, EXIT_DONE); break;
    case 'w': take_token(m); break;
    case 'n': merged_focus(m, next_of(m)); break;
    case '?':
        merged_notice(m, ". leave  w write  n next console (as Ctrl-A three times)  others go on");
        m->in_menu = true;
        break;
    default: break;
    }
}

/* A key that means something to us. */
static void special(struct merged *m, uint8_t key)
{
    if (m->in_menu) {
        menu_key(m, key);
    } else if (key == m->escape) {
        deliver_kept(m);
        merged_notice(m, ". leave  w write  n next  ? help");
        m->in_menu = true;
    } else if (++m->n_switch == MERGED_TIMES) {
        m->n_switch = 0;
        merged_focus(m, next_of(m));
    }
}

void merged_type(struct merged *m, const uint8_t *bytes, size_t n)
{
    size_t start = 0;

    for (size_t i = 0; i < n && !m->left && m->interactive; i++) {
        bool ours = m->in_menu || bytes[i] == m->escape || bytes[i] == MERGED_SWITCH;

        if (!ours && m->n_switch > 0)
            deliver_kept(m); /* before this one, and to the same console */
        if (!ours)
            continue;
        deliver(m, bytes + start, i - start);
        start = i + 1;
        special(m, bytes[i]);
    }
    if (!m->left)
        deliver(m, bytes + start, n - start);
}
