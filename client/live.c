/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "host/clock.h"
#include "live.h"
#include "signals.h"
#include "sink.h"
#include "tty.h"

#define EACH_MS     1000
#define PATIENCE_MS 2000
#define WIDE        16u /* columns, at most */

struct seen { /* one console, for the length of one picture */
    const json_t *console;
    double rate;
};

struct view {
    const struct options *options;
    const struct live *live;
    struct conn conn;
    bool connected, left, colours;
    struct problem problem; /* why it is not connected; empty: it is */
    struct tty tty;
    struct sink sink;
    json_t *now;                    /* the newest answer, NULL: none yet */
    json_t *before;                 /* name -> bytes, of the one before it */
    uint64_t now_ms, before_ms;     /* when they came */
    struct seen *seen;              /* of now, in the order shown */
    size_t n, first;                /* first: of those, in the top row */
    double rate;                    /* of all */
    uint16_t rows, columns, column; /* of the terminal; column: of the row that is being written */
    int status;
};

/* Asking. */

static json_t *consoles_of(const json_t *answer) { return json_object_get(answer, "consoles"); }

static uint64_t bytes_of(const json_t *console)
{
    return (uint64_t)json_integer_value(json_object_get(console, "bytes"));
}

static const char *name_of(const json_t *console)
{
    const char *name = json_string_value(json_object_get(console, "name"));

    return name != NULL ? name : "";
}

/* What the next rates are measured against. */
static void remember(struct view *v)
{
    const json_t *console;
    size_t i;

    json_decref(v->before);
    v->before = json_object();
    v->before_ms = v->now_ms;
    json_array_foreach(consoles_of(v->now), i, console)
        json_object_set_new(v->before, name_of(console), json_integer((json_int_t)bytes_of(console)));
}

static double rate_of(const struct view *v, const json_t *console)
{
    const json_t *before = json_object_get(v->before, name_of(console));
    uint64_t was = (uint64_t)json_integer_value(before), is = bytes_of(console);

    if (before == NULL || is < was || v->now_ms <= v->before_ms)
        return 0;
    return (double)(is - was) * 1000 / (double)(v->now_ms - v->before_ms);
}

static int busier(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;

    double x_last = json_number_value(json_object_get(x->console, "last_output"));
    double y_last = json_number_value(json_object_get(y->console, "last_output"));

    if (x->rate != y->rate)
        return x->rate > y->rate ? -1 : 1;
    if (x_last != y_last)
        return x_last > y_last ? -1 : 1;
    return strcmp(name_of(x->console), name_of(y->console));
}

static void take(struct view *v, json_t *answer)
{
    size_t n = json_array_size(consoles_of(answer));
    struct seen *seen = calloc(n > 0 ? n : 1, sizeof *seen);

    if (seen == NULL) {
        json_decref(answer);
        return;
    }
    if (v->now != NULL)
        remember(v);
    json_decref(v->now);
    free(v->seen);
    v->now = answer;
    v->now_ms = clock_ms();
    v->seen = seen;
    v->n = n;
    v->rate = 0;
    for (size_t i = 0; i < n; i++) {
        seen[i].console = json_array_get(consoles_of(answer), i);
        seen[i].rate = rate_of(v, seen[i].console);
        v->rate += seen[i].rate;
    }
    if (v->live->busiest_first)
        qsort(seen, n, sizeof *seen, busier);
}

static void look(struct view *v)
{
    json_t *answer = NULL;

    if (!v->connected)
        v->connected = conn_try(&v->conn, v->options, &v->problem) == EXIT_DONE;
    if (!v->connected)
        return;
    v->conn.patience_ms = PATIENCE_MS;
    if (conn_try_ask(&v->conn, json_pack("{s:s}", "op", "ls"), &answer, &v->problem) == EXIT_DONE) {
        v->problem.text[0] = '\0';
        take(v, answer);
        return;
    }
    conn_close(&v->conn);
    v->connected = false;
}

/* Drawing: all of it in one write, over what is there, so that nothing flickers. */

/* At most what is left of the row. */
__attribute__((format(printf, 2, 3))) static void put(struct view *v, const char *format, ...)
{
    char text[512];
    va_list args;
    size_t n, room = (size_t)(v->columns - v->column);

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    n = strnlen(text, room);
    sink_put(&v->sink, text, n);
    v->column = (uint16_t)(v->column + n);
}

static void style(struct view *v, const char *sequence) { sink_put(&v->sink, sequence, strlen(sequence)); }

static void end_row(struct view *v)
{
    style(v, v->column < v->columns ? "\x1b[m\x1b[K\r\n" : "\x1b[m\r\n"); /* some erase the last column, too */
    v->column = 0;
}

static unsigned count(const struct view *v, const char *key, const char *value)
{
    unsigned n = 0;

    for (size_t i = 0; i < v->n; i++) {
        const json_t *field = json_object_get(v->seen[i].console, key);

        if (value == NULL)
            n += (unsigned)json_integer_value(field);
        else if (json_is_string(field) && strcmp(json_string_value(field), value) == 0)
            n++;
    }
    return n;
}

static void put_summary(struct view *v)
{
    char rate[LISTING_CELL_BYTES];

    listing_rate(rate, v->rate);
    put(v, "consoles %zu, running %u, viewers %u, %s", v->n, count(v, "state", "running"), count(v, "viewers", NULL),
        v->rate < 0.5 ? "quiet" : rate);
    end_row(v);
}

static void measure(const struct view *v, size_t last, size_t width[WIDE])
{
    char text[LISTING_CELL_BYTES];

    for (unsigned i = 0; i < v->live->n_columns; i++) {
        width[i] = strlen(listing_title(v->live->columns[i]));
        for (size_t row = v->first; row < last; row++) {
            listing_cell(text, v->live->columns[i], v->seen[row].console, v->seen[row].rate);
            width[i] = strlen(text) > width[i] ? strlen(text) : width[i];
        }
    }
    listing_fit(v->live->columns, width, v->live->n_columns, v->columns);
}

static void put_row(struct view *v, const struct seen *seen, const size_t width[WIDE])
{
    char text[LISTING_CELL_BYTES];

    for (unsigned i = 0; i < v->live->n_columns; i++) {
        bool coloured = v->colours && v->live->columns[i] == LISTING_STATE;

        if (width[i] == 0)
            continue;
        listing_cell(text, v->live->columns[i], seen->console, seen->rate);
        if (coloured)
            style(v, listing_colour(text));
        put(v, "%s", text);
        if (coloured)
            style(v, "\x1b[m");
        if (i + 1 < v->live->n_columns)
            put(v, "%*s", (int)(width[i] - strlen(text) + 2), "");
    }
    end_row(v);
}

static void put_titles(struct view *v, const size_t width[WIDE])
{
    style(v, v->colours ? "\x1b[7m" : "");
    for (unsigned i = 0; i < v->live->n_columns; i++)
        if (width[i] > 0)
            put(v, "%-*s", (int)width[i] + 2, listing_title(v->live->columns[i]));
    put(v, "%*s", v->columns - v->column, "");
    end_row(v);
}

/* Rows of the terminal that hold consoles: all but summary, titles and the last. */
static size_t page(const struct view *v) { return v->rows > 3 ? v->rows - 3u : 1; }

static void draw(struct view *v)
{
    size_t last, width[WIDE] = {0};

    if (v->first + page(v) > v->n)
        v->first = v->n > page(v) ? v->n - page(v) : 0;
    last = v->first + page(v) < v->n ? v->first + page(v) : v->n;
    style(v, "\x1b[H");
    v->column = 0;
    put_summary(v);
    measure(v, last, width);
    put_titles(v, width);
    for (size_t i = v->first; i < last; i++)
        put_row(v, &v->seen[i], width);
    style(v, "\x1b[J");
    style(v, v->colours ? "\x1b[2m" : "");
    if (v->problem.text[0] != '\0')
        put(v, "%s", v->problem.text);
    else if (v->n > page(v))
        put(v, "%zu to %zu of %zu; j and k move, q leaves", v->first + 1, last, v->n);
    else
        put(v, "q leaves");
    style(v, "\x1b[m");
    sink_flush(&v->sink);
}

/* The person. */

static void move(struct view *v, long rows)
{
    if (rows < 0 && v->first < (size_t)-rows)
        v->first = 0;
    else
        v->first += (size_t)rows; /* draw knows the end */
}

static void key(struct view *v, const char *keys, ssize_t n)
{
    static const char *const names[] = {"\x1b[A", "\x1b[B", "\x1b[5~", "\x1b[6~", "k", "j", "\x15", " "};
    long by[] = {-1, 1, -(long)page(v), (long)page(v)};

    for (ssize_t i = 0; i < n; i++) {
        v->left |= keys[i] == 'q' || keys[i] == 3; /* Ctrl-C */
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++)
            if ((size_t)(n - i) >= strlen(names[j]) && memcmp(keys + i, names[j], strlen(names[j])) == 0)
                move(v, by[j % 4]);
    }
}

static void read_keys(struct view *v)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);

    if (n > 0)
        key(v, keys, n);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        v->left = true; /* the terminal is gone */
}

static void take_signals(struct view *v, int fd)
{
    int number;

    while ((number = signals_take(fd)) != 0) {
        if (number == SIGWINCH)
            tty_size(STDOUT_FILENO, &v->rows, &v->columns);
        else if (number == SIGCONT)
            tty_raw(&v->tty);
        else if (number != SIGCHLD) {
            v->left = true;
            v->status = EXIT_SIGNAL + number;
        }
    }
}

static void one_round(struct view *v, int signals, uint64_t *next_ms)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = v->sink.fd, .events = sink_waits(&v->sink) ? POLLOUT : 0}};
    uint64_t now = clock_ms();

    if (now >= *next_ms) {
        look(v);
        *next_ms = clock_ms() + EACH_MS;
        now = clock_ms();
    }
    if (!sink_waits(&v->sink)) /* a terminal that takes nothing is not given more */
        draw(v);
    poll(fds, 3, *next_ms > now ? (int)(*next_ms - now) : 0);
    take_signals(v, signals);
    if (fds[1].revents != 0)
        read_keys(v);
    sink_flush(&v->sink);
    v->left |= v->sink.gone;
}

int live_run(const struct options *options, const struct live *live)
{
    struct view v = {.options = options, .live = live, .conn = {.fd = -1}, .rows = 24, .columns = 80};
    uint64_t next_ms = 0;
    int signals;

    if (!isatty(STDOUT_FILENO) || !tty_save(&v.tty, STDIN_FILENO)) {
        message("a live view needs a terminal: vcons ls prints it once");
        return EXIT_USAGE;
    }
    v.status = conn_open(&v.conn, options);
    if (v.status != EXIT_DONE)
        return v.status;
    v.connected = true;
    v.colours = colour_allowed(STDOUT_FILENO);
    tty_size(STDOUT_FILENO, &v.rows, &v.columns);
    signals = signals_open();
    sink_open(&v.sink, STDOUT_FILENO);
    tty_raw(&v.tty);
    style(&v, "\x1b[?1049h\x1b[?25l\x1b[?7l");
    while (!v.left)
        one_round(&v, signals, &next_ms);
    style(&v, "\x1b[?7h\x1b[?25h\x1b[?1049l");
    tty_restore(&v.tty);
    sink_close(&v.sink);
    conn_close(&v.conn);
    json_decref(v.now);
    json_decref(v.before);
    free(v.seen);
    close(signals);
    return v.status;
}
