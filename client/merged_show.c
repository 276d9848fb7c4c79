/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "gap.h"
#include "merged.h"
#include "when.h"
#include <vcons/wire/index.h>

/* How many rows below its first a terminal's cursor is behind a text that begins in this column. */
static unsigned rows_below(const char *text, size_t n, unsigned column, unsigned columns)
{
    mbstate_t state = {0};
    unsigned rows = column / columns;

    for (column %= columns; n > 0;) {
        wchar_t c = L'?';
        size_t part = mbrtowc(&c, text, n, &state);
        int cells;

        if (part == 0 || part > n) {
            state = (mbstate_t){0};
            part = 1;
        }
        cells = wcwidth(c);
        if (cells > 0 && column + (unsigned)cells > columns) {
            rows++;
            column = 0;
        }
        column += cells > 0 ? (unsigned)cells : 0;
        text += part;
        n -= part;
    }
    return rows;
}

/* The unfinished line that stands last on the screen goes, to be written again below. */
static void close_line(struct merged *m)
{
    uint16_t rows, columns;
    char up[24];

    if (m->open_line == NULL)
        return;
    if (!tty_size(STDOUT_FILENO, &rows, &columns) || columns != m->open_columns)
        sink_put(&m->sink, "\r\n", 2); /* where it is now is the terminal's own idea: it stays */
    else if (m->open_rows > 0)
        sink_put(&m->sink, up, (size_t)snprintf(up, sizeof up, "\r\x1b[%uA\x1b[J", m->open_rows));
    else
        sink_put(&m->sink, "\r\x1b[K", 4);
    m->open_line = NULL;
}

static void put_line(struct merged *m, const struct member *of)
{
    char text[LINE_TEXT_BYTES], prefix[128];
    size_t n = line_text(&of->line, text);
    int width = snprintf(prefix, sizeof prefix, "%s%-*s |%s ", m->colours ? "\x1b[3_m" : "", (int)m->width, of->name,
                         m->colours ? "\x1b[m" : "");

    if (m->colours)
        prefix[3] = (char)('1' + of->colour % 6);
    sink_put(&m->sink, prefix, (size_t)width);
    sink_put(&m->sink, text, n);
}

/* The line of whoever has the focus, as far as it is: there the person types. */
static void open_line(struct merged *m)
{
    char text[LINE_TEXT_BYTES];
    uint16_t rows;

    if (!m->screen || m->focus == NULL || m->focus->line.n == 0 || m->focus->late)
        return;
    put_line(m, m->focus);
    m->open_line = m->focus;
    if (!tty_size(STDOUT_FILENO, &rows, &m->open_columns) || m->open_columns == 0)
        m->open_columns = 1;
    m->open_rows = rows_below(text, line_text(&m->focus->line, text), (unsigned)m->width + 3, m->open_columns);
}

static void whole_line(struct merged *m, struct member *of)
{
    close_line(m);
    if (!of->late) {
        put_line(m, of);
        sink_put(&m->sink, m->screen ? "\r\n" : "\n", m->screen ? 2 : 1);
    }
    of->late = false;
    line_clear(&of->line);
}

void merged_flush_line(struct merged *m, struct member *of)
{
    if (of->line.n > 0 && !of->late)
        whole_line(m, of);
    line_clear(&of->line);
    of->late = false;
}

void merged_show_late(struct merged *m)
{
    for (struct member *of = m->members; of != NULL; of = of->next)
        if (of != m->focus && of->line.n > 0 && !of->late && when_now() - of->begun_ns > MERGED_LATE_NS) {
            close_line(m);
            put_line(m, of);
            sink_put(&m->sink, m->screen ? "\r\n" : "\n", m->screen ? 2 : 1);
            of->late = true;
            open_line(m);
        }
}

void merged_notice(struct merged *m, const char *format, ...)
{
    char line[PROBLEM_BYTES + 32];
    struct problem p;
    va_list args;
    int n;

    va_start(args, format);
    problem_setv(&p, 0, format, args);
    va_end(args);
    n = snprintf(line, sizeof line, "[vcons: %s]%s", p.text, m->screen ? "\r\n" : "\n");
    if (!m->screen) {
        if (write(STDERR_FILENO, line, (size_t)n) < 0)
            return;
        return;
    }
    close_line(m);
    sink_put(&m->sink, line, (size_t)n);
    if (!m->in_menu)
        open_line(m);
}

static void show_bytes(struct merged *m, struct member *of, const uint8_t *bytes, size_t n)
{
    static uint8_t out[SAFE_OUT_BYTES(VC_CONTROL_OUT_MAX)];
    size_t got = safe_filter(&of->safe, bytes, n, out), done = 0;
    bool ended = true, was_empty = of->line.n == 0;

    while (done < got && ended) {
        uint16_t before = of->line.n;

        done += line_put(&of->line, out + done, got - done, &ended);
        if (of->line.n != before)
            of->late = false; /* more has come: all of it again, once it is whole */
        if (ended)
            whole_line(m, of);
    }
    if (was_empty || ended)
        of->begun_ns = when_now();
    close_line(m);
    open_line(m);
}

static bool show_out(struct merged *m, struct member *of, const struct frame *f)
{
    uint64_t offset;

    if (f->n < sizeof offset)
        return false;
    memcpy(&offset, f->bytes, sizeof offset);
    offset = le64toh(offset);
    if (offset > of->offset && of->offset != 0)
        merged_notice(m, "%s: %" PRIu64 " bytes are no longer kept", of->name, offset - of->offset);
    of->offset = offset + (f->n - sizeof offset);
    show_bytes(m, of, f->bytes + sizeof offset, f->n - sizeof offset);
    return true;
}

static bool show_mark(struct merged *m, struct member *of, const struct frame *f)
{
    struct vc_index_record r;
    char gap[GAP_TEXT_BYTES];

    if (f->n != sizeof r)
        return false;
    memcpy(&r, f->bytes, sizeof r);
    if (le16toh(r.kind) == VC_INDEX_GAP)
        merged_notice(m, "%s: %s", of->name, gap_text(gap, le64toh(r.value)));
    if (le64toh(r.realtime_ns) < of->opened_ns)
        return true; /* of the rest only what happens now */
    if (le16toh(r.kind) == VC_INDEX_BOOT)
        merged_notice(m, "%s: boot %" PRIu64, of->name, le64toh(r.value));
    else if (le16toh(r.kind) == VC_INDEX_DETACH)
        merged_notice(m, "%s: the source is away", of->name);
    return true;
}

static bool show_token(struct merged *m, struct member *of, const struct frame *f)
{
    struct vc_control_token t;
    enum vc_control_token_state before = of->token;

    if (!conn_token(f, &t))
        return false;
    memcpy(of->holder, t.holder, sizeof of->holder);
    of->token = (enum vc_control_token_state)t.state;
    if (of->token == VC_CONTROL_OTHERS || of->token == VC_CONTROL_REFUSED)
        of->requested = false;
    if (of->token == VC_CONTROL_YOURS || of->token == VC_CONTROL_FREE)
        of->refusal_told = false;
    if (of != m->focus || of->refusal_told)
        return true;
    if (t.state == VC_CONTROL_REFUSED || (t.state == VC_CONTROL_OTHERS && before == VC_CONTROL_YOURS)) {
        merged_notice(m, "%s is read only: %s writes; the escape key, then w, takes over", of->name,
                      of->holder[0] != '\0' ? of->holder : "another user has a lease and");
        of->refusal_told = true;
    }
    return true;
}

/* It may come again: its place in the list stays, its place among the keys does not. */
static void show_end(struct merged *m, struct member *of, const struct frame *f)
{
    merged_flush_line(m, of);
    of->ended = f->n > 0 && f->bytes[0] == VC_CONTROL_END_CONSOLE;
    if (!of->ended)
        return; /* the connection closes */
    merged_notice(m, "%s has ended", of->name);
    if (of == m->focus)
        merged_focus(m, NULL);
}

bool merged_show(struct merged *m, struct member *from)
{
    struct frame f;
    int result = 0;

    while (!m->in_menu && !m->left && !from->ended && (result = conn_frame(&from->conn, &f)) == 1) {
        bool fine = true;

        if (f.type == VC_CONTROL_OUT)
            fine = show_out(m, from, &f);
        else if (f.type == VC_CONTROL_MARK)
            fine = show_mark(m, from, &f);
        else if (f.type == VC_CONTROL_TOKEN)
            fine = show_token(m, from, &f);
        else if (f.type == VC_CONTROL_END)
            show_end(m, from, &f);
        if (!fine)
            return false;
    }
    return result >= 0;
}
