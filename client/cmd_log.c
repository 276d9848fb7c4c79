/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "host/name.h"
#include "logview.h"
#include "verify.h"
#include "when.h"

#define LATE_MS     50  /* with -f: how long output waits for a mark that gives it its time */
#define RETRY_MS    100 /* with -f: the service is tried again so often, */
#define RETRY_TIMES 600 /* and so many times */

struct log {
    struct options *options;
    const char *name;
    bool follow, verify;
    json_t *from; /* NULL: from the start */
    struct conn conn;
    uint64_t offset; /* the next byte */
    struct logview view;
    uint64_t back_ns; /* when the service came back; 0: it was never away */
    bool ended;
    int status;
};

static int open_log(struct log *l, json_t *from, struct problem *p)
{
    struct conn_view view = {.console = l->name,
                             .follow = l->follow,
                             .write = "no",
                             .marks = l->view.time || l->view.has_until ? CONN_MARKS_TIME : CONN_MARKS_STREAM};
    struct conn_attach place;
    int status = conn_try(&l->conn, l->options, p);

    if (status != EXIT_DONE)
        json_decref(from);
    else if ((status = conn_attach(&l->conn, &view, from, &place, p)) != EXIT_DONE)
        conn_close(&l->conn);
    else if (l->offset == 0)
        l->offset = place.offset;
    return status;
}

static void finish(struct log *l, int status)
{
    l->ended = true;
    l->status = status;
}

static void take_out(struct log *l, const struct frame *f)
{
    uint64_t offset;

    if (f->n < sizeof offset)
        return;
    memcpy(&offset, f->bytes, sizeof offset);
    offset = le64toh(offset);
    if (offset > l->offset && l->offset != 0)
        logview_note(&l->view, "%" PRIu64 " bytes are no longer kept", offset - l->offset);
    logview_bytes(&l->view, f->bytes + sizeof offset, f->n - sizeof offset);
    l->offset = offset + f->n - sizeof offset;
}

static void take_end(struct log *l, const struct frame *f)
{
    uint8_t why = f->n > 0 ? f->bytes[0] : VC_CONTROL_END_BAD;

    if (why == VC_CONTROL_END_BAD) {
        message("%s: the service refuses this: %.*s", l->name, f->n > 1 ? (int)f->n - 1 : 0, f->bytes + 1);
        finish(l, EXIT_FAILED);
    } else if (why == VC_CONTROL_END_CONSOLE && when_now() - l->back_ns < CONN_RETURN_NS) {
        return; /* the hypervisor has not found the new service yet: the connection closes, and is tried again */
    } else if (why != VC_CONTROL_END_SERVICE) {
        finish(l, EXIT_DONE); /* all of it, or all there will ever be */
    }
}

static void take_frames(struct log *l)
{
    struct frame f;
    int more = 0;

    while (!l->ended && !l->view.over && l->conn.fd >= 0 && (more = conn_frame(&l->conn, &f)) == 1) {
        if (f.type == VC_CONTROL_OUT)
            take_out(l, &f);
        else if (f.type == VC_CONTROL_MARK)
            logview_mark(&l->view, f.bytes, f.n);
        else if (f.type == VC_CONTROL_END)
            take_end(l, &f);
    }
    if (more < 0) {
        message("%s: what the service says is not understood", l->conn.path);
        finish(l, EXIT_FAILED);
    }
}

/* The connection is gone. With -f: come back at the byte that is next; a service that is restarted loses none. */
static void reconnect(struct log *l)
{
    struct problem p;
    int status = EXIT_NO_SERVICE;

    conn_close(&l->conn);
    problem_set(&p, 0, "%s: the service left in the middle of the log: try again", l->name);
    for (int i = 0; l->follow && status != EXIT_DONE && i < RETRY_TIMES; i++) {
        poll(NULL, 0, RETRY_MS);
        status = open_log(l, json_pack("{s:I}", "offset", (json_int_t)l->offset), &p);
    }
    if (status != EXIT_DONE) {
        message("%s", p.text);
        finish(l, status);
    } else if (l->back_ns == 0 || when_now() - l->back_ns > 2 * CONN_RETURN_NS) {
        l->back_ns = when_now();
    }
}

/* Wait for the service; leave if the reader of our output goes meanwhile. */
static void wait_for_more(struct log *l)
{
    struct pollfd fds[2] = {{.fd = l->conn.fd, .events = POLLIN}, {.fd = STDOUT_FILENO}};

    if (fflush(stdout) != 0) {
        logview_failed(&l->view);
        return;
    }
    if (poll(fds, 2, l->view.n_held > 0 && l->follow ? LATE_MS : -1) == 0)
        logview_flush(&l->view);
    if ((fds[1].revents & POLLERR) != 0)
        l->view.over = true;
}

static int show(struct log *l)
{
    take_frames(l); /* those that came with the answer */
    while (!l->ended && !l->view.over) {
        int result;

        wait_for_more(l);
        if (l->view.over)
            break;
        result = conn_receive(&l->conn);
        take_frames(l);
        if (!l->ended && !l->view.over && result <= 0) {
            reconnect(l);
            take_frames(l);
        }
    }
    logview_end(&l->view);
    conn_close(&l->conn);
    if (l->view.error == 0)
        return l->status;
    message("cannot write the output: %s", strerror(l->view.error));
    return EXIT_FAILED;
}

enum { OPTION_SINCE = 1, OPTION_UNTIL, OPTION_BOOT, OPTION_TIME, OPTION_RAW, OPTION_VERIFY };

static bool parse_long(const char *text, long min, long *value)
{
    char *end;

    errno = 0;
    *value = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *value >= min && *value <= INT32_MAX;
}

/* Where to begin: one of -n, --since, --boot. */
static int begin_at(struct log *l, json_t *from)
{
    if (l->from != NULL) {
        json_decref(from);
        return usage_error(&command_log, "-n, --since and --boot exclude each other");
    }
    l->from = from;
    return 0;
}

static int one_option(struct log *l, int option)
{
    uint64_t ns;
    long value;

    switch (option) {
    case 'f': l->follow = true; return 0;
    case OPTION_TIME: l->view.time = true; return 0;
    case OPTION_RAW: l->view.raw = true; return 0;
    case OPTION_VERIFY: l->verify = true; return 0;
    case 'n':
        if (!parse_long(optarg, 0, &value))
            return usage_error(&command_log, "-n '%s': expected a number of lines", optarg);
        return begin_at(l, json_pack("{s:I}", "lines", (json_int_t)value));
    case OPTION_BOOT:
        if (!parse_long(optarg, INT32_MIN, &value) || value == 0)
            return usage_error(&command_log, "--boot '%s': expected the number of a boot from 1, or -1 for the newest",
                               optarg);
        l->view.one_boot = true;
        return begin_at(l, json_pack("{s:I}", "boot", (json_int_t)value));
    case OPTION_SINCE:
    case OPTION_UNTIL:
        if (!when_parse(optarg, when_now(), &ns))
            return usage_error(&command_log, "'%s' is no moment: " WHEN_EXPECTED, optarg);
        if (option == OPTION_SINCE)
            return begin_at(l, json_pack("{s:I}", "time_ns", (json_int_t)ns));
        l->view.has_until = true;
        l->view.until_ns = ns;
        return 0;
    default: return EXIT_USAGE;
    }
}

static int scan(struct log *l, int argc, char **argv)
{
    static const struct option longs[] = {{"follow", no_argument, NULL, 'f'},
                                          {"lines", required_argument, NULL, 'n'},
                                          {"since", required_argument, NULL, OPTION_SINCE},
                                          {"until", required_argument, NULL, OPTION_UNTIL},
                                          {"boot", required_argument, NULL, OPTION_BOOT},
                                          {"time", no_argument, NULL, OPTION_TIME},
                                          {"raw", no_argument, NULL, OPTION_RAW},
                                          {"verify", no_argument, NULL, OPTION_VERIFY},
                                          {0}};
    struct problem p;
    struct name name;
    int option;

    while ((option = options_next(l->options, &command_log, argc, argv, ":hfn:", longs)) != OPTION_END) {
        if (option == OPTION_HELPED)
            return option;
        if (option == OPTION_WRONG || one_option(l, option) != 0)
            return OPTION_WRONG;
    }
    if (arguments_check(&command_log, argc, 1, 1) != 0)
        return OPTION_WRONG;
    l->name = argv[optind];
    if (name_split(l->name, &name, &p) != 0)
        usage_error(&command_log, "%s", p.text);
    else if (l->view.raw && l->view.time)
        usage_error(&command_log, "--raw is exactly what the guest wrote: not with --time");
    else if (l->verify && (l->from != NULL || l->follow || l->view.raw || l->view.time || l->view.has_until))
        usage_error(&command_log, "--verify looks at all that is kept: with no other option");
    else
        return 0;
    return OPTION_WRONG;
}

/* Where its files are, as the service says; false: there is none that says it. */
static bool ask_directory(const struct log *l, char path[PATH_MAX])
{
    struct name wanted = {.console = ""}, is;
    struct problem p;
    struct conn c;
    json_t *ok, *one;
    size_t i;
    bool found = false;

    (void)name_split(l->name, &wanted, &p);
    if (conn_try(&c, l->options, &p) != EXIT_DONE)
        return false;
    if (conn_try_ask(&c, json_pack("{s:s}", "op", "ls"), &ok, &p) == EXIT_DONE) {
        json_array_foreach(json_object_get(ok, "consoles"), i, one)
        {
            const char *name = json_string_value(json_object_get(one, "name"));
            const char *log = json_string_value(json_object_get(one, "log"));

            if (found || name == NULL || log == NULL || name_split(name, &is, &p) != 0 ||
                strcmp(is.domain, wanted.domain) != 0)
                continue;
            found = (wanted.console[0] == '\0' || strcmp(is.console, wanted.console) == 0) &&
                    paths_format(path, "%s", log) == 0;
        }
        json_decref(ok);
    }
    conn_close(&c);
    return found;
}

/* The files themselves are read: so it can be done where no service runs. */
static int verify(const struct log *l)
{
    struct name name;
    char path[PATH_MAX];
    struct paths paths;
    struct problem p;

    (void)name_split(l->name, &name, &p);
    if (ask_directory(l, path))
        return verify_log(l->name, path);
    if (name.console[0] == '\0') {
        message("%s: there is no such console, or no service that says which one is its first: name it, as %s/hvc0",
                l->name, l->name);
        return EXIT_NO_CONSOLE;
    }
    if (paths_find(l->options->scope == SCOPE_SYSTEM ? PATHS_SYSTEM : PATHS_USER, &paths, &p) != 0 ||
        paths_format(path, "%s/%s/%s", paths.log, name.domain, name.console) != 0) {
        message("%s", p.text);
        return EXIT_FAILED;
    }
    return verify_log(l->name, path);
}

static int run(struct options *options, int argc, char **argv)
{
    struct log l = {.options = options, .conn = {.fd = -1}};
    struct problem p;
    int status = scan(&l, argc, argv);

    if (status != 0) {
        json_decref(l.from);
        return status == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
    }
    if (l.verify)
        return verify(&l);
    status = open_log(&l, l.from != NULL ? l.from : json_string("start"), &p);
    if (status != EXIT_DONE) {
        message("%s", p.text);
        return status;
    }
    logview_init(&l.view, colour_allowed(STDOUT_FILENO));
    status = show(&l);
    logview_finish(&l.view);
    return status;
}

const struct command command_log = {
    .name = "log",
    .usage = "[-f] [-n N] [--since T] [--until T] [--boot N] [--time] [--raw] NAME | --verify NAME",
    .about = "Print what a console has ever printed, made safe for a terminal",
    .help = "  -f, --follow         go on with what comes\n"
            "  -n, --lines N        the last N lines\n"
            "  --since T, --until T what was stored from T on, up to T: -10m, '2 hours ago', 12:30,\n"
            "                       today, '2026-11-21 12:30:05', @1700000000\n"
            "  --boot N             only boot N of the domain; -1 is the newest\n"
            "  --time               each line behind the time at which it was stored\n"
            "  --raw                the guest's bytes exactly as they are, escape sequences and all\n"
            "  --verify             say of each of its files whether it is what was stored; 1: not all of them are\n",
    .run = run,
};
