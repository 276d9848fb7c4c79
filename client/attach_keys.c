/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "attach.h"

void attach_leave(struct attach *a, int status)
{
    a->left = true;
    a->status = status;
}

static const char *why(const struct attach *a)
{
    return a->may_not_write ? ": you may look at this console, not type" : ", as you asked (--ro)";
}

/* Bytes for the guest. One notice tells why they go nowhere, not one for each key. */
static void deliver(struct attach *a, const uint8_t *bytes, size_t n)
{
    static const uint8_t request = VC_CONTROL_REQUEST;

    if (n == 0 || a->away)
        return;
    if (a->read_only || a->token == TOKEN_OTHERS) {
        if (!a->refusal_told && a->read_only)
            attach_notice(a, "read only%s", why(a));
        else if (!a->refusal_told)
            attach_notice_holder(a);
        a->refusal_told = true;
        return;
    }
    if (a->conn.out_have + n > ATTACH_TYPED_MAX && a->interactive) {
        sink_put(&a->sink, "\a", 1); /* the guest does not read, and there is only so much to keep for it */
        return;
    }
    if (a->token == TOKEN_FREE)
        conn_send(&a->conn, VC_CONTROL_TOKEN, &request, 1);
    conn_send_input(&a->conn, bytes, n);
}

static void open_menu(struct attach *a)
{
    attach_notice(a, ". leave  w write  ? help");
    a->in_menu = true;
}

static void take_token(struct attach *a)
{
    uint8_t op = a->token == TOKEN_OTHERS ? VC_CONTROL_STEAL : VC_CONTROL_REQUEST;

    if (a->read_only)
        attach_notice(a, "read only%s", why(a));
    else if (a->token == TOKEN_MINE)
        attach_notice(a, "you write already");
    else if (!a->away)
        a->asked = conn_send(&a->conn, VC_CONTROL_TOKEN, &op, 1) == 0;
}

static void help(struct attach *a)
{
    attach_notice(a, "%s: . q d Enter leave; w take the write token; the escape key again sends it; others go on",
                  a->place.console);
}

static void menu_key(struct attach *a, uint8_t key)
{
    a->in_menu = false;
    if (key == a->escape) {
        deliver(a, &key, 1);
        return;
    }
    switch (key) {
    case '.':
    case 'q':
    case 'd':
    case '\r':
    case '\n': attach_leave(a, EXIT_DONE); break;
    case 'w': take_token(a); break;
    case '?': help(a); break;
    default: break;
    }
}

void attach_type(struct attach *a, const uint8_t *bytes, size_t n)
{
    size_t start = 0, i;

    for (i = 0; i < n && !a->left; i++) {
        if (a->in_menu) {
            menu_key(a, bytes[i]);
            start = i + 1;
        } else if (a->interactive && bytes[i] == a->escape) {
            deliver(a, bytes + start, i - start);
            start = i + 1;
            open_menu(a);
        }
    }
    if (!a->left)
        deliver(a, bytes + start, n - start);
}
