/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "from.h"
#include "host/name.h"
#include "merged.h"
#include "signals.h"
#include "when.h"

#define RETRY_MS     100
#define RETRY_S      60u /* without a person who could leave */
#define DEFAULT_ROWS 24
#define STALLED_MS   1000 /* what was to come of the old screen does not come: retention took it */

/* "^X", one character, or "none". False: none of these. */
static bool parse_escape(const char *text, int *escape)
{
    size_t n = strlen(text);

    if (strcmp(text, "none") == 0)
        *escape = ATTACH_NO_ESCAPE;
    else if (n == 2 && text[0] == '^' && text[1] == '?')
        *escape = 0x7f;
    else if (n == 2 && text[0] == '^' && text[1] >= '@' && text[1] < 0x7f)
        *escape = text[1] & 0x1f;
    else if (n == 1 && (unsigned char)text[0] < 0x80)
        *escape = (unsigned char)text[0];
    else
        return false;
    return true;
}

static void greet(struct attach *a)
{
    char name[8];

    if (!a->interactive || !a->screen)
        return;
    if (strcmp(a->place.state, "running") != 0)
        attach_notice(a, "%s is %s", a->place.console, a->place.state);
    if (a->escape == ATTACH_NO_ESCAPE)
        attach_notice(a, "%s%s; no escape key: end vcons by a signal to leave", a->place.console,
                      a->read_only ? ", read only" : "");
    else
        attach_notice(a, "%s%s; %s then . leaves", a->place.console, a->read_only ? ", read only" : "",
                      attach_escape(a, name));
}

static int attach_view(struct attach *a, json_t *from, struct conn_attach *place, struct problem *p)
{
    struct conn_view view = {
        .console = a->name, .follow = true, .marks = CONN_MARKS_STREAM, .write = a->read_only ? "no" : "free"};
    int status = conn_attach(&a->conn, &view, json_incref(from), place, p);

    if (status != EXIT_NOT_ALLOWED || a->read_only)
        return status;
    a->read_only = a->may_not_write = true; /* who may look shall */
    view.write = "no";
    return conn_attach(&a->conn, &view, json_incref(from), place, p);
}

static int open_view(struct attach *a, json_t *from, struct problem *p)
{
    struct conn_attach place;
    int status = conn_try(&a->conn, a->options, p);

    a->token = TOKEN_UNKNOWN;
    a->opened_ns = when_now();
    if (status == EXIT_DONE)
        status = attach_view(a, from, &place, p);
    json_decref(from);
    if (status != EXIT_DONE) {
        conn_close(&a->conn);
        return status;
    }
    if (a->offset != 0 && place.end < a->place.end)
        place.end = a->place.end;
    a->place = place;
    return EXIT_DONE;
}

/* Frames that have come: with the answer to attach, behind the menu, now. */
static void show(struct attach *a)
{
    if (a->away || a->left || attach_show(a))
        return;
    attach_notice(a, "%s: what the service says is not understood", a->conn.path);
    attach_leave(a, EXIT_FAILED);
}

/* The service is gone: try again until it is back, from the byte that is next. */
static void come_back(struct attach *a, uint64_t since_ns)
{
    struct problem p;
    int status = open_view(a, json_pack("{s:I}", "offset", (json_int_t)a->offset), &p);

    if (status == EXIT_DONE) {
        a->away = false;
        if (a->back_ns == 0 || when_now() - a->back_ns > 2 * CONN_RETURN_NS) {
            a->back_ns = when_now();
            attach_notice(a, "the service is back");
        }
        show(a);
    } else if (status == EXIT_NOT_ALLOWED || (!a->interactive && when_now() - since_ns > RETRY_S * 1000000000ull)) {
        attach_notice(a, "%s", p.text);
        attach_leave(a, status);
    }
}

static void lose(struct attach *a)
{
    conn_close(&a->conn);
    a->away = true;
    if (a->back_ns == 0 || when_now() - a->back_ns > 2 * CONN_RETURN_NS)
        attach_notice(a, "the service is gone; waiting for it");
}

static void receive(struct attach *a)
{
    int result = conn_receive(&a->conn);

    show(a);
    if (result <= 0 && !a->left)
        lose(a);
}

static void read_keys(struct attach *a)
{
    uint8_t keys[4096];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);

    if (n > 0) {
        attach_type(a, keys, (size_t)n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        a->input_ended = true;
        if (a->interactive)
            attach_leave(a, EXIT_DONE); /* the terminal is gone */
    }
    show(a); /* what waited behind the menu */
}

static void resized(struct attach *a)
{
    uint16_t rows, columns;

    if (!a->restoring && tty_size(STDOUT_FILENO, &rows, &columns)) {
        screen_resize(&a->cells, &a->safe.seen, rows, columns);
        if (screen_full(&a->cells, &a->safe.seen))
            attach_redraw(a); /* what the terminal has made of it is its own idea */
        else
            attach_notice_over(a);
        attach_cover(a);
    }
    attach_resize(a);
}

static void take_signals(struct attach *a, int fd)
{
    int number;

    while ((number = signals_take(fd)) != 0) {
        if (number == SIGWINCH)
            resized(a);
        else if (number == SIGCONT && a->tty.raw)
            tty_raw(&a->tty);
        else if (number != SIGCONT && number != SIGCHLD)
            attach_leave(a, EXIT_SIGNAL + number);
    }
}

enum { FD_SIGNALS, FD_KEYS, FD_CONN, FD_SCREEN, N_FDS };

/* How long nothing may happen until something is to be done; -1: for ever. */
static int patience(const struct attach *a)
{
    if (a->away)
        return RETRY_MS;
    if (a->restoring)
        return STALLED_MS;
    if (safe_holds(&a->safe))
        return SAFE_IDLE_MS;
    return attach_notice_waits(a) ? 1000 : -1;
}

/* Nothing has happened for so long. */
static void idle(struct attach *a)
{
    uint8_t *room = sink_room(&a->sink, SAFE_OUT_BYTES(0));

    if (a->restoring)
        attach_restored(a);
    if (room != NULL && safe_holds(&a->safe))
        sink_took(&a->sink, safe_idle(&a->safe, room));
}

static void one_round(struct attach *a, int signals, uint64_t *away_since)
{
    int n;
    bool keys = !a->input_ended && (a->interactive || a->conn.out_have < VC_CONTROL_IN_MAX);
    struct pollfd fds[N_FDS] = {
        [FD_SIGNALS] = {.fd = signals, .events = POLLIN},
        [FD_KEYS] = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN},
        [FD_CONN] = {.fd = a->away ? -1 : a->conn.fd, .events = conn_waits(&a->conn) ? POLLOUT : 0},
        [FD_SCREEN] = {.fd = a->sink.fd, .events = sink_waits(&a->sink) ? POLLOUT : 0},
    };

    if (!a->in_menu && !sink_waits(&a->sink))
        fds[FD_CONN].events |= POLLIN; /* what is not read yet costs nothing: the log keeps it */
    if (fds[FD_CONN].events == 0)
        fds[FD_CONN].fd = -1;
    if (!a->away)
        *away_since = when_now();
    n = poll(fds, N_FDS, patience(a));
    if (n < 0 && errno != EINTR)
        attach_leave(a, EXIT_FAILED);
    if (n == 0 && !a->away)
        idle(a);
    if (attach_notice_waits(a) && when_now() - a->overlay_ns > ATTACH_OVERLAY_NS)
        attach_notice_over(a);
    if (fds[FD_SIGNALS].revents != 0)
        take_signals(a, signals);
    if (fds[FD_KEYS].revents != 0)
        read_keys(a);
    if (!a->away && (fds[FD_CONN].revents & POLLOUT) != 0)
        conn_flush(&a->conn);
    if (!a->away && !a->left && (fds[FD_CONN].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        receive(a);
    else if (a->away && !a->left)
        come_back(a, *away_since);
    sink_flush(&a->sink);
    if (a->sink.gone || (fds[FD_SCREEN].revents & POLLERR) != 0)
        attach_leave(a, sink_status(&a->sink, a->interactive));
}

/* Where the view begins; *from is taken. Without a wish it is the present screen, else the last screenful. */
static json_t *beginning(struct attach *a, json_t *from)
{
    uint16_t rows = DEFAULT_ROWS, columns;
    bool cells = attach_restore(a);

    if (from != NULL)
        return from;
    a->restoring = cells;
    if (cells)
        return json_pack("{s:i}", "tail", ATTACH_RESTORE);
    tty_size(STDOUT_FILENO, &rows, &columns);
    return json_pack("{s:i}", "lines", rows > 2 ? rows - 2 : 1); /* the greeting and the cursor have their lines */
}

static void begin(struct attach *a)
{
    a->offset = a->place.offset;
    a->interactive = tty_save(&a->tty, STDIN_FILENO);
    a->tty.keep_output = !a->screen;
    safe_init(&a->safe, a->screen ? SAFE_LIVE : SAFE_LOG, tty_utf8() || !a->screen, false);
    sink_open(&a->sink, STDOUT_FILENO);
    if (a->restoring && a->place.rows > 0 && a->place.columns > 0)
        screen_resize(&a->cells, &a->safe.seen, a->place.rows,
                      a->place.columns); /* what was drawn was drawn for that */
    greet(a);
    if (a->restoring && a->offset >= a->place.end)
        attach_restored(a);
    tty_raw(&a->tty);
    show(a);
}

static void end(struct attach *a)
{
    uint8_t reset[SAFE_RESET_BYTES];

    attach_notice_over(a);
    if (a->screen) {
        bool below = screen_full(&a->cells, &a->safe.seen) && !screen_alternate(&a->cells);

        sink_put(&a->sink, reset, safe_reset(&a->safe, reset));
        if (below) /* the picture stays, and the shell goes on under it */
            sink_put(&a->sink, "\x1b[9999;1H\r\n", 11);
    }
    screen_close(&a->cells);
    a->restoring = false;
    if (a->interactive && a->screen)
        attach_notice(a, "left %s", a->place.console);
    tty_restore(&a->tty);
    sink_close(&a->sink);
    conn_close(&a->conn);
}

static int attach(struct attach *a, json_t *from)
{
    uint64_t away_since = 0;
    struct problem p;
    int signals, status;

    a->screen = isatty(STDOUT_FILENO) != 0;
    status = open_view(a, beginning(a, from), &p);
    if (status != EXIT_DONE) {
        screen_close(&a->cells);
        message("%s", p.text);
        return status;
    }
    signals = signals_open();
    begin(a);
    while (!a->left)
        one_round(a, signals, &away_since);
    end(a);
    close(signals);
    return a->status;
}

static json_t *parse_from(const char *from)
{
    json_t *place = from_parse(from);

    if (place == NULL)
        usage_error(&command_attach,
                    "--from '%s': expected start, boot, now, an offset in bytes, or a moment: " WHEN_EXPECTED, from);
    return place;
}

static int attach_many(const struct attach *a, const char *from, int n, char **names)
{
    struct merged m = {
        .options = a->options, .wanted = names, .n_wanted = n, .escape = a->escape, .read_only = a->read_only};

    for (int i = 0; i < n; i++) {
        struct problem p;
        struct name name;

        if (!merged_pattern(names[i]) && name_split(names[i], &name, &p) != 0)
            return usage_error(&command_attach, "%s", p.text);
    }
    if (from != NULL && (m.from = parse_from(from)) == NULL)
        return EXIT_USAGE;
    return merged_run(&m);
}

static int run(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"ro", no_argument, NULL, 'r'},
                                          {"from", required_argument, NULL, 'f'},
                                          {"escape", required_argument, NULL, 'e'},
                                          {0}};
    struct attach a = {.options = options, .escape = ']' & 0x1f, .conn = {.fd = -1}};
    const char *from = NULL;
    struct problem p;
    struct name name;
    json_t *place;
    int option;

    while ((option = options_next(options, &command_attach, argc, argv, ":he:", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        a.read_only |= option == 'r';
        if (option == 'f')
            from = optarg;
        if (option == 'e' && !parse_escape(optarg, &a.escape))
            return usage_error(&command_attach, "-e '%s': expected ^X, one character, or none", optarg);
    }
    if (arguments_check(&command_attach, argc, 1, MERGED_MEMBERS) != 0)
        return EXIT_USAGE;
    a.name = argv[optind];
    if (argc - optind > 1 || merged_pattern(a.name))
        return attach_many(&a, from, argc - optind, argv + optind);
    if (name_split(a.name, &name, &p) != 0)
        return usage_error(&command_attach, "%s", p.text);
    place = from != NULL ? parse_from(from) : NULL;
    if (from != NULL && place == NULL)
        return EXIT_USAGE;
    return attach(&a, place);
}

const struct command command_attach = {
    .name = "attach",
    .usage = "[--ro] [--from PLACE] [-e KEY] NAME...",
    .about = "See a console live and type to it; Ctrl-] then . leaves",
    .help = "Several names, or a pattern such as 'web/*', show their lines behind their names; Ctrl-A three\n"
            "times sends the keys to the next.\n"
            "  --ro                 look, do not type\n"
            "  --from PLACE         start, boot, now, an offset in bytes, or a moment such as -10m;\n"
            "                       without it the screen as it is now\n"
            "  -e, --escape KEY     the key that opens the menu: ^X, one character, or none\n",
    .run = run,
};
