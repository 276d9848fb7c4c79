/* SPDX-License-Identifier: MIT */
#include "runner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 3 * XENSTORE_PAYLOAD_MAX };

struct bytes {
    size_t n;
    char at[TEXT];
};
struct run {
    const struct xt_server *server;
    uint32_t req_id;
    uint32_t transactions[3]; /* a, b, c */
    struct bytes events[2];   /* of '0' and 'g', since the row began; each with its last NUL */
    bool watched;             /* this case has registered a watch: events may come */
    bool lost;                /* the server does not answer any more */
};

static void add(struct bytes *to, const void *from, size_t n)
{
    if (to->n + n > sizeof to->at)
        n = sizeof to->at - to->n;
    memcpy(to->at + to->n, from, n);
    to->n += n;
}

static const char *expand_repeat(struct bytes *to, const char *from)
{
    char *end;
    unsigned long n = strtoul(from + 1, &end, 10);

    for (; n > 0; n--)
        add(to, end, 1);
    return end + 2; /* the character, and the closing brace */
}

/* table.h's notation up to a NUL or, in events, a space that stands outside of a path with spaces. */
static void expand(const struct run *r, const char *from, struct bytes *to)
{
    char number[16];

    to->n = 0;
    while (*from != '\0') {
        if (*from == '{') {
            from = expand_repeat(to, from);
            continue;
        }
        if (*from == '$')
            add(to, number, (size_t)sprintf(number, "%u", r->server->guest));
        else
            add(to, *from == '|' ? "" : from, 1);
        from++;
    }
}

static void take_event(struct run *r, char who, const struct xsd_sockmsg *head, const char *payload)
{
    add(&r->events[who == 'g'], payload, head->len);
}

/* Send, and receive what comes until the reply; events on the way are kept. */
static void exchange(struct run *r, char who, uint32_t type, uint32_t tx, const struct bytes *request,
                     struct xsd_sockmsg *head, struct bytes *reply)
{
    *head = (struct xsd_sockmsg){.type = type, .req_id = ++r->req_id, .tx_id = tx, .len = (uint32_t)request->n};
    r->server->send(r->server->ctx, who, head, request->at);
    for (;;) {
        reply->n = 0;
        if (r->lost || !r->server->receive(r->server->ctx, who, head, reply->at)) {
            r->lost = true;
            *head = (struct xsd_sockmsg){.type = UINT32_MAX};
            return;
        }
        reply->n = head->len;
        if (head->type != XS_WATCH_EVENT)
            return;
        take_event(r, who, head, reply->at);
    }
}

/* A reply comes behind all events that were queued before it: after this, none is on its way. */
static void settle(struct run *r, char who)
{
    static const struct bytes request = {2, "0"};
    struct xsd_sockmsg head;
    struct bytes reply;

    exchange(r, who, XS_GET_DOMAIN_PATH, 0, &request, &head, &reply);
}

static void must(struct run *r, char who, uint32_t type, const char *payload)
{
    struct bytes request, reply;
    struct xsd_sockmsg head;

    expand(r, payload, &request);
    exchange(r, who, type, 0, &request, &head, &reply);
    if (head.type != type && !r->lost) {
        fprintf(stderr, "set-up: request %u %s: %.*s\n", type, payload, (int)reply.n, reply.at);
        r->lost = true;
    }
}

static void set_up(struct run *r)
{
    r->watched = false;
    must(r, '0', XS_RESET_WATCHES, "|");
    must(r, 'g', XS_RESET_WATCHES, "|");
    must(r, '0', XS_RM, "/vt|");
    must(r, '0', XS_MKDIR, "/vt|");
    must(r, '0', XS_SET_PERMS, "/vt|n0|r$|");
    must(r, '0', XS_MKDIR, "/vt/own|");
    must(r, '0', XS_SET_PERMS, "/vt/own|n$|");
    must(r, '0', XS_MKDIR, "/vt/secret|");
    must(r, '0', XS_SET_PERMS, "/vt/secret|n0|");
    must(r, '0', XS_MKDIR, "/vt/shared|");
    must(r, '0', XS_SET_PERMS, "/vt/shared|b0|");
}

static uint32_t transaction_of(const struct run *r, char tx)
{
    return tx == 0 ? 0 : tx == '!' ? 0x7fffff00 : r->transactions[tx - 'a'];
}

/* ~ stands for digits. */
static bool same(const struct bytes *want, const struct bytes *got)
{
    size_t g = 0;

    for (size_t w = 0; w < want->n; w++) {
        if (want->at[w] == '~') {
            size_t first = g;

            while (g < got->n && got->at[g] >= '0' && got->at[g] <= '9')
                g++;
            if (g == first)
                return false;
        } else if (g == got->n || want->at[w] != got->at[g++]) {
            return false;
        }
    }
    return g == got->n;
}

static bool reply_matches(struct run *r, const struct xt_row *row, const char *want, const struct xsd_sockmsg *head,
                          const struct bytes *reply)
{
    struct bytes data;

    if (head->req_id != r->req_id || head->tx_id != transaction_of(r, row->tx))
        return false;
    if (want[0] == '!') {
        size_t n = strlen(want + 1) + 1;

        return head->type == XS_ERROR && (n == 1 || (reply->n == n && memcmp(reply->at, want + 1, n) == 0));
    }
    if (head->type != row->type)
        return false;
    if (want[0] == '#') {
        r->transactions[want[1] - 'a'] = (uint32_t)strtoul(reply->at, NULL, 10);
        return reply->n > 1 && reply->at[reply->n - 1] == '\0';
    }
    expand(r, strcmp(want, "OK") == 0 ? "OK|" : want + 1, &data);
    return same(&data, reply);
}

/* What one client should have heard: the pieces of list that begin with its letter. */
static void wanted_events(const struct run *r, const char *list, char who, struct bytes *to)
{
    to->n = 0;
    while (list != NULL && *list != '\0' && strcmp(list, "-") != 0) {
        const char *next = strstr(list + 2, " 0:"), *next_g = strstr(list + 2, " g:");
        char piece[256];
        struct bytes event;

        if (next == NULL || (next_g != NULL && next_g < next))
            next = next_g;
        if (next == NULL)
            next = list + strlen(list);
        snprintf(piece, sizeof piece, "%.*s", (int)(next - list - 2), list + 2);
        expand(r, piece, &event);
        if (list[0] == who)
            add(to, event.at, event.n);
        list = *next == '\0' ? next : next + 1;
    }
}

static void print(char *out, size_t size, const struct bytes *b)
{
    size_t n = b->n < size - 1 ? b->n : size - 1;

    for (size_t i = 0; i < n; i++)
        out[i] = b->at[i] == '\0' ? '|' : b->at[i];
    out[n] = '\0';
}

static bool check_events(const struct run *r, const char *list, char *why, size_t size)
{
    for (int i = 0; i < 2; i++) {
        struct bytes want;

        wanted_events(r, list, "0g"[i], &want);
        if (!same(&want, &r->events[i])) {
            snprintf(why, size, "events of %c: ", "0g"[i]);
            print(why + strlen(why), size - strlen(why), &r->events[i]);
            return false;
        }
    }
    return true;
}

static bool do_row(struct run *r, const struct xt_row *row, char *why, size_t size)
{
    bool real = r->server->real;
    const char *events = real && row->real_events != NULL ? row->real_events : row->events;
    struct bytes request, reply;
    struct xsd_sockmsg head;

    r->events[0].n = r->events[1].n = 0;
    expand(r, row->payload, &request);
    exchange(r, row->who, row->type, transaction_of(r, row->tx), &request, &head, &reply);
    if (!reply_matches(r, row, real && row->real != NULL ? row->real : row->reply, &head, &reply)) {
        snprintf(why, size, "type %u, ", head.type);
        print(why + strlen(why), size - strlen(why), &reply);
        return false;
    }
    r->watched |= row->type == XS_WATCH;
    if (r->watched) {
        settle(r, '0');
        settle(r, 'g');
    }
    return check_events(r, events, why, size);
}

struct xt_result xt_run(const struct xt_server *server, void (*say)(const char *line))
{
    struct run *r = calloc(1, sizeof *r);
    struct xt_result result = {0};
    const char *name = "";

    r->server = server;
    for (size_t i = 0; i < xt_n_rows; i++) {
        const struct xt_row *row = &xt_rows[i];
        char why[200], line[512];

        if (row->name != NULL) {
            name = row->name;
            set_up(r);
        }
        if (!r->lost && do_row(r, row, why, sizeof why)) {
            result.passed++;
            result.differ += row->why != NULL;
            continue;
        }
        result.failed++;
        snprintf(line, sizeof line, "%s: %c %u %.60s: wanted %.60s, got %s", name, row->who, row->type, row->payload,
                 row->reply, r->lost ? "nothing" : why);
        say(line);
    }
    free(r);
    return result;
}
