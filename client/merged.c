/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"
#include "merged.h"
#include "signals.h"
#include "when.h"

#define LOOK_MS     1000 /* who has come? */
#define PATIENCE_MS 2000

/* What could not fit any name is none either, but a slip of the keyboard: that is said of names. */
bool merged_pattern(const char *name)
{
    static const char fits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/%-*?[]!^";

    return strpbrk(name, "*?[") != NULL && strlen(name) < sizeof((struct member *)0)->name &&
           name[strspn(name, fits)] == '\0';
}

/* Members. */

static struct member *member_of(const struct merged *m, const char *name)
{
    struct member *of = m->members;

    while (of != NULL && strcmp(of->name, name) != 0)
        of = of->next;
    return of;
}

static int attach(struct merged *m, struct member *of, const char *name, struct problem *p)
{
    struct conn_view view = {
        .console = name, .follow = true, .marks = CONN_MARKS_STREAM, .write = "no"}; /* the first key asks */
    struct conn_attach place;
    bool again = of->offset != 0;
    json_t *from = again             ? json_pack("{s:I}", "offset", (json_int_t)of->offset)
                   : m->from != NULL ? json_incref(m->from)
                                     : json_pack("{s:i}", "lines", 5);
    int status = conn_try(&of->conn, m->options, p);

    if (status == EXIT_DONE)
        status = conn_attach(&of->conn, &view, from, &place, p);
    else
        json_decref(from);
    if (status != EXIT_DONE) {
        conn_close(&of->conn);
        return status;
    }
    of->open = true;
    of->ended = false;
    of->offset = place.offset;
    of->opened_ns = when_now();
    of->token = VC_CONTROL_FREE;
    of->refusal_told = of->requested = false;
    snprintf(of->name, sizeof of->name, "%s", place.console);
    if (strlen(of->name) > m->width)
        m->width = strlen(of->name);
    return EXIT_DONE;
}

/* One more console. NULL, and *status: it cannot be. */
static struct member *add(struct merged *m, const char *name, int *status, struct problem *p)
{
    struct member *of = m->n_members < MERGED_MEMBERS ? calloc(1, sizeof *of) : NULL, **at = &m->members;

    if (of == NULL) {
        *status = EXIT_FAILED;
        problem_set(p, 0, "%s: no more than %u consoles fit on one terminal", name, MERGED_MEMBERS);
        return NULL;
    }
    of->conn = (struct conn){.fd = -1};
    safe_init(&of->safe, SAFE_LIVE, tty_utf8() || !m->screen, false);
    *status = attach(m, of, name, p);
    if (*status != EXIT_DONE || member_of(m, of->name) != NULL) { /* or it has been named twice */
        conn_close(&of->conn);
        free(of);
        return NULL;
    }
    of->colour = m->n_colours++;
    while (*at != NULL)
        at = &(*at)->next;
    *at = of;
    m->n_members++;
    return of;
}

/* Without a slash it is one of domains, with all their consoles. */
static bool fits(const char *pattern, const char *name)
{
    int flags = strchr(pattern, '/') == NULL ? FNM_PATHNAME | FNM_LEADING_DIR : FNM_PATHNAME;

    return fnmatch(pattern, name, flags) == 0;
}

static bool wanted(const struct merged *m, const char *name)
{
    for (int i = 0; i < m->n_wanted; i++)
        if (merged_pattern(m->wanted[i]) && fits(m->wanted[i], name))
            return true;
    return false;
}

/* One of the list of consoles: has it come, or come back? */
static void consider(struct merged *m, const json_t *console)
{
    const char *name = json_string_value(json_object_get(console, "name"));
    const char *state = json_string_value(json_object_get(console, "state"));
    struct member *of = name != NULL ? member_of(m, name) : NULL;
    struct problem p;
    int status;

    if (name == NULL || state == NULL || (of != NULL && of->open))
        return;
    if (of != NULL) {
        if (!of->ended || strcmp(state, "running") == 0) {
            if (attach(m, of, name, &p) == EXIT_DONE)
                merged_notice(m, "%s is here again", of->name);
        }
    } else if (wanted(m, name) && m->n_members < MERGED_MEMBERS) {
        of = add(m, name, &status, &p);
        if (of != NULL)
            merged_notice(m, "%s has come", of->name);
    }
}

static void look(struct merged *m)
{
    struct problem p;
    struct conn c;
    json_t *answer = NULL;
    const json_t *console;
    size_t i;
    bool fine = conn_try(&c, m->options, &p) == EXIT_DONE;

    if (fine) {
        c.patience_ms = PATIENCE_MS;
        fine = conn_try_ask(&c, json_pack("{s:s}", "op", "ls"), &answer, &p) == EXIT_DONE;
        conn_close(&c);
    }
    if (fine == m->away) {
        m->away = !fine;
        merged_notice(m, fine ? "the service is back" : "the service is gone; waiting for it");
    }
    json_array_foreach(json_object_get(answer, "consoles"), i, console) consider(m, console);
    json_decref(answer);
}

static void lose(struct merged *m, struct member *of)
{
    conn_close(&of->conn);
    of->open = false;
    merged_flush_line(m, of);
}

/* Something to do? Names that are no patterns and have all ended are over. */
static void check_end(struct merged *m)
{
    bool any = false;

    for (int i = 0; i < m->n_wanted; i++)
        any |= merged_pattern(m->wanted[i]);
    for (const struct member *of = m->members; of != NULL; of = of->next)
        any |= !of->ended;
    if (!any)
        merged_leave(m, EXIT_ENDED);
}

/* The loop. */

static void read_keys(struct merged *m)
{
    uint8_t keys[4096];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);

    if (n > 0) {
        merged_type(m, keys, (size_t)n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        m->input_ended = true;
        if (m->interactive)
            merged_leave(m, EXIT_DONE);
    }
}

static void take_signals(struct merged *m, int fd)
{
    int number;

    while ((number = signals_take(fd)) != 0) {
        if (number == SIGCONT && m->tty.raw)
            tty_raw(&m->tty);
        else if (number != SIGWINCH && number != SIGCONT && number != SIGCHLD)
            merged_leave(m, EXIT_SIGNAL + number);
    }
}

static void serve(struct merged *m, struct member *of, short events)
{
    int result = 1;

    if ((events & POLLOUT) != 0)
        conn_flush(&of->conn);
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0)
        result = conn_receive(&of->conn);
    if (!merged_show(m, of) || result <= 0 || of->ended)
        lose(m, of);
}

enum { FD_SIGNALS, FD_KEYS, FD_SCREEN, N_FDS };

static nfds_t watch(const struct merged *m, int signals, struct pollfd fds[N_FDS + MERGED_MEMBERS])
{
    bool reads = !m->in_menu && !sink_waits(&m->sink); /* what is not read yet costs nothing: the log keeps it */
    bool keys = !m->input_ended && (m->interactive || m->focus == NULL || m->focus->conn.out_have < VC_CONTROL_IN_MAX);
    nfds_t n = N_FDS;

    fds[FD_SIGNALS] = (struct pollfd){.fd = signals, .events = POLLIN};
    fds[FD_KEYS] = (struct pollfd){.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
    fds[FD_SCREEN] = (struct pollfd){.fd = m->sink.fd, .events = sink_waits(&m->sink) ? POLLOUT : 0};
    for (const struct member *of = m->members; of != NULL; of = of->next) {
        short events = (short)((reads ? POLLIN : 0) | (of->open && conn_waits(&of->conn) ? POLLOUT : 0));

        fds[n++] = (struct pollfd){.fd = of->open && events != 0 ? of->conn.fd : -1, .events = events};
    }
    return n;
}

static void one_round(struct merged *m, int signals, uint64_t *look_ms)
{
    struct pollfd fds[N_FDS + MERGED_MEMBERS];
    nfds_t i = N_FDS, n = watch(m, signals, fds);
    uint64_t now = clock_ms();

    if (poll(fds, n, *look_ms > now ? (int)(*look_ms - now) : 0) < 0 && errno != EINTR)
        merged_leave(m, EXIT_FAILED);
    if (fds[FD_SIGNALS].revents != 0)
        take_signals(m, signals);
    if (fds[FD_KEYS].revents != 0)
        read_keys(m);
    for (struct member *of = m->members; of != NULL && !m->left; of = of->next, i++)
        if (fds[i].revents != 0 || (of->open && !m->in_menu))
            serve(m, of, fds[i].revents);
    merged_show_late(m);
    if (clock_ms() >= *look_ms && !m->in_menu) {
        look(m);
        *look_ms = clock_ms() + LOOK_MS;
    }
    check_end(m);
    sink_flush(&m->sink);
    if (m->sink.gone || (fds[FD_SCREEN].revents & POLLERR) != 0)
        merged_leave(m, sink_status(&m->sink, m->interactive));
}

/* Those that were named must be there; patterns may wait. */
static int attach_all(struct merged *m)
{
    struct problem p = {.text = ""};
    int status = EXIT_DONE;

    for (int i = 0; i < m->n_wanted && status == EXIT_DONE; i++)
        if (!merged_pattern(m->wanted[i]))
            add(m, m->wanted[i], &status, &p);
    if (status != EXIT_DONE)
        message("%s", p.text);
    return status;
}

static void begin(struct merged *m)
{
    m->interactive = tty_save(&m->tty, STDIN_FILENO);
    m->screen = isatty(STDOUT_FILENO) != 0;
    m->colours = colour_allowed(STDOUT_FILENO);
    m->tty.keep_output = !m->screen;
    sink_open(&m->sink, STDOUT_FILENO);
}

static void greet(struct merged *m)
{
    if (m->interactive && m->screen)
        merged_notice(m, "%u console%s%s; %s then . leaves", m->n_members, m->n_members == 1 ? "" : "s",
                      m->read_only ? ", read only" : "", m->escape == (']' & 0x1f) ? "Ctrl-]" : "the escape key");
    if (m->members != NULL)
        merged_focus(m, m->members);
}

static void end(struct merged *m)
{
    struct member *next;

    for (struct member *of = m->members; of != NULL; of = next) {
        next = of->next;
        merged_flush_line(m, of);
        conn_close(&of->conn);
        free(of);
    }
    m->members = m->focus = NULL;
    if (m->interactive && m->screen)
        merged_notice(m, "left");
    tty_restore(&m->tty);
    sink_close(&m->sink);
    json_decref(m->from);
}

int merged_run(struct merged *m)
{
    uint64_t look_ms = 0;
    struct conn c;
    int signals;

    m->status = conn_open(&c, m->options); /* there must be a service to begin with */
    conn_close(&c);
    if (m->status != EXIT_DONE) {
        json_decref(m->from);
        return m->status;
    }
    signals = signals_open();
    begin(m);
    m->status = attach_all(m);
    m->left = m->status != EXIT_DONE;
    if (!m->left) {
        look(m);
        greet(m);
        tty_raw(&m->tty);
    } else {
        m->interactive = false;
    }
    while (!m->left)
        one_round(m, signals, &look_ms);
    end(m);
    close(signals);
    return m->status;
}
