/* SPDX-License-Identifier: MIT */
/* vcons demux: one serial line that carries many domains, as a console for each. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demux.h"
#include "signals.h"
#include <vcons/wire/index.h>

#define AGAIN_MS 500

static const struct command *const self = &command_demux;

void demux_again(struct demux *d, int status, const char *format, ...)
{
    va_list args;

    if (d->again)
        return; /* the first reason counts */
    d->again = true;
    d->status = status;
    if (format == NULL)
        return; /* d->problem says it */
    va_start(args, format);
    problem_setv(&d->problem, 0, format, args);
    va_end(args);
}

static void out(void *ctx, uint64_t id, const uint8_t *bytes, size_t n) { demux_out(ctx, id, bytes, n); }
static void focus(void *ctx, uint64_t id)
{
    struct demux *d = ctx;

    if (d->offset >= d->live)
        demux_keys_focus(d, id);
}
static const struct split_to split_to = {.out = out, .focus = focus};

/* Frames. */

static void take_out(struct demux *d, const struct frame *f)
{
    uint64_t offset;
    size_t n = f->n - sizeof offset;

    if (f->n < sizeof offset) {
        demux_again(d, EXIT_FAILED, "%s: what answers there is no console service", d->conn.path);
        return;
    }
    memcpy(&offset, f->bytes, sizeof offset);
    offset = le64toh(offset);
    if (offset != d->offset) {
        demux_again(d, EXIT_FAILED, "%s: its log is not whole: %" PRIu64 " bytes are no longer kept", d->source,
                    offset - d->offset);
        return;
    }
    for (size_t done = 0, part; done < n; done += part) { /* what is history, and what is not, are two parts */
        part = d->offset < d->live && d->live - d->offset < n - done ? (size_t)(d->live - d->offset) : n - done;
        split_put(&d->split, f->bytes + sizeof offset + done, part);
        d->offset += part;
    }
}

/* The hypervisor starts anew: nobody has the focus until it says so. */
static void take_mark(struct demux *d, const struct frame *f)
{
    struct vc_index_record r;

    if (f->n != sizeof r)
        return;
    memcpy(&r, f->bytes, sizeof r);
    if (le16toh(r.kind) == VC_INDEX_BOOT)
        split_end(&d->split);
}

static void take_token(struct demux *d, const struct frame *f)
{
    struct vc_control_token token;

    if (conn_token(f, &token))
        demux_keys_token(d, &token);
}

static void take_frames(struct demux *d)
{
    struct frame f;
    int more = 0;

    while (!d->again && !demux_full(d) && (more = conn_frame(&d->conn, &f)) > 0) {
        if (f.type == VC_CONTROL_OUT)
            take_out(d, &f);
        else if (f.type == VC_CONTROL_MARK)
            take_mark(d, &f);
        else if (f.type == VC_CONTROL_TOKEN)
            take_token(d, &f);
        else if (f.type == VC_CONTROL_END)
            demux_again(d, EXIT_NO_SERVICE, "%s has ended", d->source);
    }
    if (more < 0)
        demux_again(d, EXIT_FAILED, "%s: what answers there is no console service", d->conn.path);
}

/* The loop. */

static void end(struct demux *d)
{
    demux_targets_close(d);
    demux_state_close(d);
    conn_close(&d->conn);
    conn_close(&d->control);
}

static int attach(struct demux *d, json_t *state)
{
    struct conn_view view = {.console = d->source, .follow = true, .write = "no", .marks = CONN_MARKS_STREAM};
    struct conn_attach place;
    struct name name;
    json_t *from =
        state != NULL ? json_pack("{s:I}", "offset", (json_int_t)demux_state_offset(state)) : json_string("start");
    int status = conn_attach(&d->conn, &view, from, &place, &d->problem);

    if (status != EXIT_DONE)
        return status;
    if (state != NULL && place.offset != demux_state_offset(state)) {
        d->from_start = true;
        problem_set(&d->problem, 0, "%s: its log is another than it was", d->source);
        return EXIT_NO_SERVICE;
    }
    d->start = place.start;
    d->offset = place.offset;
    d->live = place.end;
    if (d->host[0] == '\0' && name_split(place.console, &name, &d->problem) == 0)
        snprintf(d->host, sizeof d->host, "%s", name.domain);
    return EXIT_DONE;
}

static void begin(struct demux *d)
{
    int status = conn_try(&d->control, d->options, &d->problem);
    json_t *state = NULL;

    d->again = false;
    split_init(&d->split, d->form, &split_to, d);
    demux_keys_begin(d);
    if (status == EXIT_DONE)
        status = conn_try(&d->conn, d->options, &d->problem);
    if (status == EXIT_DONE) {
        state = demux_state_load(d);
        status = attach(d, state);
    }
    demux_state_take(d, state);
    if (status != EXIT_DONE)
        demux_again(d, status, NULL);
}

static void take_signals(struct demux *d, int fd)
{
    int number;

    while ((number = signals_take(fd)) != 0)
        if (number != SIGWINCH && number != SIGCONT && number != SIGCHLD) {
            d->left = true;
            d->status = EXIT_SIGNAL + number;
        }
}

static void serve_source(struct demux *d, short events)
{
    if ((events & POLLOUT) != 0)
        conn_flush(&d->conn);
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && conn_receive(&d->conn) <= 0)
        demux_again(d, EXIT_NO_SERVICE, "the service is gone");
}

enum { FD_SIGNALS, FD_SOURCE, FD_CONTROL, N_FDS };

static int wait_ms(const struct demux *d)
{
    int keys = demux_keys_wait_ms(d), state = demux_state_wait_ms(d);

    return keys < 0 || (state >= 0 && state < keys) ? state : keys;
}

static void one_round(struct demux *d, int signals)
{
    struct pollfd fds[N_FDS + DEMUX_TARGETS];
    short source = (short)((demux_full(d) ? 0 : POLLIN) | (conn_waits(&d->conn) ? POLLOUT : 0));
    struct target *first = d->targets; /* new ones come before it */
    nfds_t n = N_FDS;

    fds[FD_SIGNALS] = (struct pollfd){.fd = signals, .events = POLLIN};
    fds[FD_SOURCE] = (struct pollfd){.fd = source != 0 ? d->conn.fd : -1, .events = source};
    fds[FD_CONTROL] = (struct pollfd){.fd = d->control.fd}; /* POLLHUP */
    for (const struct target *t = first; t != NULL; t = t->next, n++)
        fds[n].fd = demux_target_poll(t, &fds[n].events);
    if (poll(fds, n, wait_ms(d)) < 0)
        return;
    take_signals(d, signals);
    if (fds[FD_CONTROL].revents != 0)
        demux_again(d, EXIT_NO_SERVICE, "the service is gone");
    n = N_FDS;
    for (struct target *t = first; t != NULL && !d->again; t = t->next, n++)
        demux_target_serve(d, t, fds[n].revents);
    if (!d->again)
        serve_source(d, fds[FD_SOURCE].revents);
    take_frames(d);
    if (!d->again)
        demux_keys_step(d);
    if (!d->again)
        demux_state_step(d);
}

/* A service that has gone, or a console of it, may come back; anything else does not mend itself. */
static bool comes_back(const struct demux *d, bool was_there)
{
    return (was_there || d->from_start) && (d->status == EXIT_NO_SERVICE || d->status == EXIT_NO_CONSOLE);
}

static int run_demux(struct demux *d)
{
    bool was_there = false;
    int signals = signals_open();

    while (!d->left) {
        struct pollfd p = {.fd = signals, .events = POLLIN};

        begin(d);
        was_there |= !d->again;
        while (!d->again && !d->left)
            one_round(d, signals);
        end(d);
        if (d->left)
            break;
        if (!comes_back(d, was_there)) {
            message("%s", d->problem.text);
            break;
        }
        poll(&p, 1, AGAIN_MS);
        take_signals(d, signals);
    }
    close(signals);
    return d->status;
}

/* dN=NAME or hypervisor=NAME. */
static bool name_option_ok(const char *text)
{
    const char *equals = strchr(text, '=');
    char own[NAME_BYTES];
    uint32_t id;

    if (equals == NULL || (size_t)(equals - text) >= sizeof own || !name_ok(equals + 1))
        return false;
    snprintf(own, sizeof own, "%.*s", (int)(equals - text), text);
    return strcmp(own, "hypervisor") == 0 || (own[0] == 'd' && name_domid(own + 1, &id));
}

static int set(struct demux *d, int option)
{
    switch (option) {
    case 'x': d->form = SPLIT_XEN; break;
    case 'r': d->keys.key = 0; break;
    case 'H':
        if (!name_ok(optarg))
            return usage_error(self, "--host '%s': no name", optarg);
        snprintf(d->host, sizeof d->host, "%s", optarg);
        break;
    case 's':
        if (optarg[0] < 'a' || optarg[0] > 'z' || optarg[1] != '\0')
            return usage_error(self, "--switch '%s': expected a letter, a to z", optarg);
        d->keys.key = (uint8_t)(optarg[0] - 'a' + 1);
        break;
    default:
        if (!name_option_ok(optarg))
            return usage_error(self, "--name '%s': expected dN=NAME or hypervisor=NAME", optarg);
        d->names[d->n_names++] = optarg;
    }
    return 0;
}

static int run(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {
        {"xen", no_argument, NULL, 'x'},        {"ro", no_argument, NULL, 'r'},
        {"host", required_argument, NULL, 'H'}, {"switch", required_argument, NULL, 's'},
        {"name", required_argument, NULL, 'n'}, {0}};
    char *names[64];
    struct demux d = {
        .options = options, .names = names, .keys = {.key = 1}, .conn = {.fd = -1}, .control = {.fd = -1}};
    struct problem p;
    struct name name;
    int option;

    while ((option = options_next(options, self, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        if (option == 'n' && d.n_names == (int)(sizeof names / sizeof names[0]))
            return usage_error(self, "--name: at most %zu", sizeof names / sizeof names[0]);
        if (set(&d, option) != 0)
            return EXIT_USAGE;
    }
    if (arguments_check(self, argc, 1, 1) != 0)
        return EXIT_USAGE;
    d.source = argv[optind];
    if (name_split(d.source, &name, &p) != 0)
        return usage_error(self, "%s", p.text);
    return run_demux(&d);
}

const struct command command_demux = {
    .name = "demux",
    .usage = "[--xen] [--ro] [--host NAME] [--name dN=NAME]... [--switch LETTER] SOURCE",
    .about = "Make a console of each domain that speaks on one line",
    .help = "  --xen                the line is a Xen's, not the terminal of vcons-vmm\n"
            "  --ro                 type nothing\n"
            "  --host NAME          consoles are NAME/dN and NAME/hypervisor; else named after SOURCE\n"
            "  --name dN=NAME       dN's console, or hypervisor's, has this name instead\n"
            "  --switch LETTER      Ctrl-LETTER three times moves the focus; else Ctrl-A\n",
    .run = run,
};
