/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "host/clock.h"
#include "host/name.h"

#define ON_DEMAND_S 10.0 /* without --timeout, until a source that is connected for us has taken it */

struct send {
    struct conn conn;
    const char *name;
    const char *text; /* NULL: standard input */
    bool newline, steal, synced, input_ended, done;
    double timeout_s; /* 0: none */
    uint64_t deadline_ms;
    int status;
};

static void finish(struct send *s, int status)
{
    s->done = true;
    s->status = status;
}

static void end_input(struct send *s)
{
    s->input_ended = true;
    conn_send(&s->conn, VC_CONTROL_SYNC, "sent", 4);
}

static void read_input(struct send *s)
{
    char bytes[VC_CONTROL_IN_MAX];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

    if (n > 0) {
        conn_send_input(&s->conn, bytes, (size_t)n);
    } else if (n == 0) {
        end_input(s);
    } else if (errno != EINTR && errno != EAGAIN) {
        message("standard input: %s", strerror(errno));
        finish(s, EXIT_FAILED);
    }
}

static void take_token(struct send *s, const struct frame *f)
{
    struct vc_control_token t;

    if (!conn_token(f, &t))
        return;
    if (t.state != VC_CONTROL_REFUSED && t.state != VC_CONTROL_OTHERS)
        return;
    if (t.holder[0] == '\0')
        message("%s: another user has a lease: vcons ls --json says until when, vcons lease --end --steal ends it",
                s->name);
    else
        message("%s: %s writes there: send --steal takes over", s->name, t.holder);
    finish(s, EXIT_NOT_ALLOWED);
}

static void take_end(struct send *s, const struct frame *f)
{
    bool ended = f->n > 0 && f->bytes[0] == VC_CONTROL_END_CONSOLE;

    message("%s: %s before everything was sent", s->name, ended ? "the console ended" : "the service left");
    finish(s, ended ? EXIT_ENDED : EXIT_NO_SERVICE);
}

/* result: of conn_receive. */
static void take_frames(struct send *s, int result)
{
    struct frame f;
    int more = 0;

    while (!s->done && (more = conn_frame(&s->conn, &f)) == 1) {
        if (f.type == VC_CONTROL_TOKEN)
            take_token(s, &f);
        else if (f.type == VC_CONTROL_END)
            take_end(s, &f);
        else if (f.type == VC_CONTROL_SYNC)
            finish(s, EXIT_DONE); /* all is in the line; what the guest prints goes elsewhere */
    }
    if (!s->done && (result <= 0 || more < 0)) {
        message("%s: the service left before everything was sent: what the guest got is not known", s->name);
        finish(s, EXIT_NO_SERVICE);
    }
}

static int left_ms(const struct send *s)
{
    uint64_t now = clock_ms();

    if (s->timeout_s <= 0)
        return -1;
    return now >= s->deadline_ms ? 0 : (int)(s->deadline_ms - now < 1000000 ? s->deadline_ms - now : 1000000);
}

static void one_round(struct send *s)
{
    bool input = !s->input_ended && !conn_waits(&s->conn);
    struct pollfd fds[2] = {{.fd = s->conn.fd, .events = POLLIN}, {.fd = input ? STDIN_FILENO : -1, .events = POLLIN}};

    if (conn_waits(&s->conn))
        fds[0].events |= POLLOUT;
    if (left_ms(s) == 0) {
        message("%s: the guest did not take everything within %g s", s->name, s->timeout_s);
        finish(s, EXIT_TIMEOUT);
        return;
    }
    if (poll(fds, 2, left_ms(s)) <= 0)
        return;
    if ((fds[0].revents & POLLOUT) != 0)
        conn_flush(&s->conn);
    if ((fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        take_frames(s, conn_receive(&s->conn));
    if (!s->done && fds[1].revents != 0)
        read_input(s);
}

/* Whether somebody is there to read. */
static int check_state(struct send *s, const struct conn_attach *place)
{
    if (strcmp(place->state, "off") == 0 || strcmp(place->state, "crashed") == 0) {
        message("%s: its domain is %s: vcons reset boots it if its hypervisor still runs", place->console,
                place->state);
        return EXIT_ENDED;
    }
    if (place->on_demand && s->timeout_s <= 0) {
        s->timeout_s = ON_DEMAND_S;
        s->deadline_ms = clock_ms() + (uint64_t)(ON_DEMAND_S * 1000);
    }
    if (strcmp(place->state, "away") == 0 && s->timeout_s <= 0) { /* with one, it may come back in time */
        message("%s: its hypervisor or socket is away: nothing takes what is sent; --timeout S waits for it",
                place->console);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int send_it(struct send *s, struct options *options)
{
    struct conn_view view = {.console = s->name, .follow = true, .write = s->steal ? "steal" : "free"};
    struct conn_attach place;
    struct problem p;
    int status = conn_open(&s->conn, options);

    s->deadline_ms = clock_ms() + (uint64_t)(s->timeout_s * 1000);
    if (status != EXIT_DONE)
        return status;
    status = conn_attach(&s->conn, &view, json_string("now"), &place, &p);
    if (status != EXIT_DONE) {
        message("%s", p.text);
        conn_close(&s->conn);
        return status;
    }
    status = check_state(s, &place);
    if (status != EXIT_DONE) {
        conn_close(&s->conn);
        return status;
    }
    if (s->text != NULL) {
        conn_send_input(&s->conn, s->text, strlen(s->text));
        conn_send_input(&s->conn, "\r", s->newline ? 1 : 0);
        end_input(s);
    }
    take_frames(s, 1); /* those that came with the answer */
    while (!s->done)
        one_round(s);
    conn_close(&s->conn);
    return s->status;
}

static int run(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {
        {"timeout", required_argument, NULL, 't'}, {"steal", no_argument, NULL, 's'}, {0}};
    struct send s = {.newline = true, .conn = {.fd = -1}};
    struct problem p;
    struct name name;
    int option;

    while ((option = options_next(options, &command_send, argc, argv, ":hn", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        s.newline &= option != 'n';
        s.steal |= option == 's';
        if (option == 't' && !seconds_parse(optarg, &s.timeout_s))
            return usage_error(&command_send, "--timeout '%s': expected seconds, more than 0", optarg);
    }
    if (arguments_check(&command_send, argc, 1, 2) != 0)
        return EXIT_USAGE;
    s.name = argv[optind];
    s.text = argc - optind == 2 ? argv[optind + 1] : NULL;
    if (name_split(s.name, &name, &p) != 0)
        return usage_error(&command_send, "%s", p.text);
    return send_it(&s, options);
}

const struct command command_send = {
    .name = "send",
    .usage = "[-n] [--steal] [--timeout S] NAME [TEXT]",
    .about = "Type a line at a console, or standard input as it is",
    .help = "  -n                   do not end TEXT with a carriage return\n"
            "  --steal              take the write token from who has it\n"
            "  --timeout S          give up after S seconds: exit status 124\n",
    .run = run,
};
