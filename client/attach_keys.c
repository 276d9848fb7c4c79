/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

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

/* What kept us out was a lease alone, and it is over: that nobody tells. */
static bool lapsed(const struct attach *a) { return a->holder[0] == '\0' && !attach_leased(a); }

/* Bytes for the guest. One notice tells why they go nowhere, not one for each key. */
static void deliver(struct attach *a, const uint8_t *bytes, size_t n)
{
    static const uint8_t request = VC_CONTROL_REQUEST;

    if (n == 0 || a->away)
        return;
    if (a->read_only || (a->token == TOKEN_OTHERS && !lapsed(a))) {
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
    if (a->token != TOKEN_MINE && a->token != TOKEN_UNKNOWN)
        conn_send(&a->conn, VC_CONTROL_TOKEN, &request, 1);
    conn_send_input(&a->conn, bytes, n);
}

static void open_menu(struct attach *a)
{
    attach_notice(a, ". leave  w write  ? help");
    a->in_menu = true;
}

/* op: how badly. */
static void want_token(struct attach *a, uint8_t op)
{
    if (a->read_only)
        attach_notice(a, "read only%s", why(a));
    else if (a->token == TOKEN_MINE)
        attach_notice(a, "you write already");
    else if (!a->away)
        a->asked = conn_send(&a->conn, VC_CONTROL_TOKEN, &op, 1) == 0;
}

static void release(struct attach *a)
{
    static const uint8_t op = VC_CONTROL_RELEASE;

    if (a->token != TOKEN_MINE || a->away || conn_send(&a->conn, VC_CONTROL_TOKEN, &op, 1) != 0) {
        attach_notice(a, "it is not you who writes");
        return;
    }
    a->token = TOKEN_FREE; /* not only when the service says so: a key that is typed now asks for it again */
    attach_notice(a, "released: whoever types next writes");
}

static void send_break(struct attach *a)
{
    if (a->read_only)
        attach_notice(a, "read only%s", why(a));
    else if (!a->place.may_break)
        attach_notice(a, "you may not send a break here");
    else if (a->token != TOKEN_MINE)
        attach_notice(a, "a break is for whoever writes: w takes the write token");
    else if (!a->away && conn_send(&a->conn, VC_CONTROL_BREAK, NULL, 0) == 0)
        attach_notice(a, "break sent");
}

static void send_size(struct attach *a)
{
    uint16_t rows, columns;

    if (a->token != TOKEN_MINE || !tty_size(STDOUT_FILENO, &rows, &columns)) {
        attach_notice(a, "the size is that of whoever writes: w takes the write token");
        return;
    }
    attach_resize(a);
    attach_notice(a, "the size is %ux%u", columns, rows);
}

static void tell_writer(struct attach *a)
{
    if (a->token == TOKEN_MINE)
        attach_notice(a, "%s: you write", a->place.console);
    else if (a->token == TOKEN_OTHERS)
        attach_notice_holder(a);
    else
        attach_notice(a, "%s: nobody writes", a->place.console);
    if (attach_leased(a))
        attach_notice_lease(a);
}

static void help(struct attach *a)
{
    attach_notice(a, ". leave  w write  a ask  r release  i who  b break  z size  l redraw");
    a->in_menu = true;
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
    case 'w': want_token(a, VC_CONTROL_STEAL); break;
    case 'W': want_token(a, VC_CONTROL_FORCE); break;
    case 'a': want_token(a, VC_CONTROL_REQUEST); break;
    case 'r': release(a); break;
    case 'b': send_break(a); break;
    case 'z': send_size(a); break;
    case 'i': tell_writer(a); break;
    case 'l': attach_redraw(a); break;
    case '?': help(a); break;
    default: break;
    }
}

void attach_type(struct attach *a, const uint8_t *bytes, size_t n)
{
    size_t start = 0, i;

    if (!a->in_menu)
        attach_notice_over(a);
    for (i = 0; i < n && !a->left; i++) {
        if (a->in_menu) {
            attach_notice_over(a);
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
