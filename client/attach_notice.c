/* SPDX-License-Identifier: MIT */
/* What is said between the guest's output, and where: on a line of its own, or over the bottom rows of a full screen. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "when.h"

static void put_both(struct attach *a, const void *bytes, size_t n)
{
    sink_put(&a->sink, bytes, n);
    screen_feed(&a->cells, bytes, n, false);
}

/* On a line of its own among the lines of the guest. The one that it cuts in two is written again: there the person types. */
static void say_inline(struct attach *a, const char *text)
{
    bool begun = screen_on(&a->cells) ? screen_in_line(&a->cells) : a->sink.last != '\n';
    struct sink again = {.fd = -1};

    if (begun) {
        screen_paint_lines(&a->cells, &a->safe.seen, 1, &again);
        put_both(a, "\x1b[m\r\n", 5);
    }
    put_both(a, text, strlen(text));
    put_both(a, "\r\n", 2);
    if (again.have > 0)
        put_both(a, again.bytes, again.have);
    free(again.bytes);
}

static void say(struct attach *a, const char *text)
{
    if (!screen_full(&a->cells, &a->safe.seen)) {
        say_inline(a, text);
        return;
    }
    attach_uncover(a); /* the newest in place of the one before it */
    snprintf(a->overlay, sizeof a->overlay, "%s", text);
    a->overlay_ns = when_now();
    attach_cover(a);
}

/* Output that is kept holds the guest's bytes alone: what we say goes beside it. */
static void say_aside(const struct attach *a, const char *text)
{
    char line[PROBLEM_BYTES + 40];
    int n = snprintf(line, sizeof line, "%s%s\n", a->sink.last == '\n' ? "" : "\n", text);

    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return;
}

void attach_notice(struct attach *a, const char *format, ...)
{
    char text[PROBLEM_BYTES + 16];
    struct problem p;
    size_t waiting;
    va_list args;

    va_start(args, format);
    problem_setv(&p, 0, format, args);
    va_end(args);
    snprintf(text, sizeof text, "[vcons: %s]", p.text);
    waiting = strlen(a->waiting);
    if (!a->screen)
        say_aside(a, text);
    else if (!a->restoring)
        say(a, text);
    else if (waiting + strlen(text) + 2 <= sizeof a->waiting)
        strcpy(stpcpy(a->waiting + waiting, text), "\n");
}

const char *attach_escape(const struct attach *a, char name[8])
{
    if (a->escape >= ' ' && a->escape < 0x7f) {
        name[0] = (char)a->escape;
        name[1] = '\0';
        return name;
    }
    strcpy(name, "Ctrl-x");
    name[5] = (char)(a->escape ^ 0x40);
    return name;
}

bool attach_leased(const struct attach *a) { return a->lease.until_ns > when_now(); }

/* "15:04:05", of today; else with its date. */
static void clock_text(uint64_t ns, char out[32])
{
    time_t seconds = (time_t)(ns / 1000000000u), now = time(NULL);
    struct tm tm, today;

    out[0] = '\0';
    if (localtime_r(&seconds, &tm) != NULL && localtime_r(&now, &today) != NULL)
        strftime(out, 32, tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year ? "%H:%M:%S" : "%F %H:%M", &tm);
}

void attach_notice_lease(struct attach *a)
{
    char until[32];

    clock_text(a->lease.until_ns, until);
    attach_notice(a, "leased by %s until %s%s%s", a->lease.who, until, a->lease.note[0] != '\0' ? ": " : "",
                  a->lease.note);
}

/* Nobody types, and yet it is refused: somebody has it for a time. */
static void notice_kept(struct attach *a)
{
    char until[32], name[8], how[40] = "";

    clock_text(a->lease.until_ns, until);
    if (a->interactive && a->escape != ATTACH_NO_ESCAPE)
        snprintf(how, sizeof how, "; %s W ends the lease", attach_escape(a, name));
    attach_notice(a, "read only: leased by %s until %s%s", a->lease.who, until, how);
}

void attach_notice_holder(struct attach *a)
{
    char since[32], name[8], how[32] = "";

    if (a->holder[0] == '\0' && attach_leased(a)) {
        notice_kept(a);
        return;
    }
    clock_text(a->since_ns, since);
    if (a->interactive && a->escape != ATTACH_NO_ESCAPE)
        snprintf(how, sizeof how, "; %s w takes over", attach_escape(a, name));
    attach_notice(a, "read only: %s writes%s%s%s", a->holder[0] != '\0' ? a->holder : "somebody else",
                  a->since_ns != 0 ? " since " : "", a->since_ns != 0 ? since : "", how);
}

void attach_cover(struct attach *a)
{
    if (a->overlay[0] != '\0' && !a->covered) {
        screen_overlay(&a->cells, &a->safe.seen, a->overlay, &a->sink);
        a->covered = true;
    }
}

void attach_uncover(struct attach *a)
{
    if (a->covered)
        screen_overlay(&a->cells, &a->safe.seen, NULL, &a->sink);
    a->covered = false;
}

void attach_notice_over(struct attach *a)
{
    attach_uncover(a);
    a->overlay[0] = '\0';
}

bool attach_notice_waits(const struct attach *a) { return a->covered && !a->in_menu; }

/* The present screen. */

bool attach_restore(struct attach *a)
{
    uint16_t rows = 0, columns = 0;

    if (!a->screen || !tty_size(STDOUT_FILENO, &rows, &columns))
        return false;
    return screen_open(&a->cells, rows, columns);
}

/* What has been said meanwhile: one line each, or all of it on the one line there is. */
static void say_waiting(struct attach *a)
{
    char all[sizeof a->waiting];
    bool full = screen_full(&a->cells, &a->safe.seen);
    char *text = all, *end;

    strcpy(all, a->waiting);
    a->waiting[0] = '\0';
    while (!full && (end = strchr(text, '\n')) != NULL) {
        *end = '\0';
        sink_put(&a->sink, text, strlen(text));
        sink_put(&a->sink, "\r\n", 2);
        text = end + 1;
    }
    if (full && all[0] != '\0') {
        for (end = all; (end = strchr(end, '\n')) != NULL;)
            *end = end[1] != '\0' ? ' ' : '\0';
        say(a, all);
    }
}

void attach_restored(struct attach *a)
{
    uint16_t rows = 1, columns = 1;

    a->restoring = false;
    if (tty_size(STDOUT_FILENO, &rows, &columns))
        screen_resize(&a->cells, &a->safe.seen, rows, columns);
    if (screen_full(&a->cells, &a->safe.seen)) {
        screen_paint(&a->cells, &a->safe.seen, false, &a->sink);
        say_waiting(a);
    } else {
        say_waiting(a);
        screen_paint_lines(&a->cells, &a->safe.seen, rows > 2 ? (uint16_t)(rows - 2) : 1, &a->sink);
    }
}

void attach_redraw(struct attach *a)
{
    screen_paint(&a->cells, &a->safe.seen, true, &a->sink);
    a->covered = false;
}

void attach_calm(struct attach *a)
{
    uint8_t reset[SAFE_RESET_BYTES];
    size_t n;

    attach_notice_over(a);
    n = safe_reset(&a->safe, reset);
    screen_feed(&a->cells, reset, n, false);
    if (!a->restoring && a->screen)
        sink_put(&a->sink, reset, n);
}
