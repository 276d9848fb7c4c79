/* SPDX-License-Identifier: MIT */
/* A screen on another terminal. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen_cells.h"

#define OVERLAY_ROWS 4

__attribute__((format(printf, 2, 3))) static void put(struct sink *to, const char *format, ...)
{
    char text[128];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof text)
        sink_put(to, text, (size_t)n);
}

static void put_colour(struct sink *to, const VTermColor *colour, bool background)
{
    int base = background ? 40 : 30;

    if (background ? VTERM_COLOR_IS_DEFAULT_BG(colour) : VTERM_COLOR_IS_DEFAULT_FG(colour))
        return; /* as the 0 before has it */
    if (VTERM_COLOR_IS_RGB(colour))
        put(to, ";%d;2;%u;%u;%u", base + 8, colour->rgb.red, colour->rgb.green, colour->rgb.blue);
    else if (colour->indexed.idx < 8)
        put(to, ";%d", base + colour->indexed.idx);
    else if (colour->indexed.idx < 16)
        put(to, ";%d", base + 60 + colour->indexed.idx - 8);
    else
        put(to, ";%d;5;%u", base + 8, colour->indexed.idx);
}

static void put_pen(struct sink *to, const VTermScreenCell *cell)
{
    static const char *const underlines[] = {"", ";4", ";21", ";4:3"};

    put(to, "\x1b[0%s%s%s%s%s%s", cell->attrs.bold ? ";1" : "", cell->attrs.italic ? ";3" : "",
        underlines[cell->attrs.underline], cell->attrs.blink ? ";5" : "", cell->attrs.reverse ? ";7" : "",
        cell->attrs.strike ? ";9" : "");
    put_colour(to, &cell->fg, false);
    put_colour(to, &cell->bg, true);
    sink_put(to, "m", 1);
}

static bool same_pen(const VTermScreenCell *a, const VTermScreenCell *b)
{
    return a->attrs.bold == b->attrs.bold && a->attrs.italic == b->attrs.italic &&
           a->attrs.underline == b->attrs.underline && a->attrs.blink == b->attrs.blink &&
           a->attrs.reverse == b->attrs.reverse && a->attrs.strike == b->attrs.strike &&
           vterm_color_is_equal(&a->fg, &b->fg) && vterm_color_is_equal(&a->bg, &b->bg);
}

static void put_character(struct sink *to, uint32_t c)
{
    char b[4];

    sink_put(to, b, cells_utf8(b, c));
}

static void put_cell(struct sink *to, const VTermScreenCell *cell)
{
    if (cell->chars[0] == 0 || cell->chars[0] > 0x10ffff) { /* empty, or the half of a wide one */
        sink_put(to, " ", 1);
        return;
    }
    for (unsigned i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell->chars[i] != 0; i++)
        put_character(to, cell->chars[i]);
}

/* Nothing to see, and nothing to erase. */
static bool blank(const VTermScreenCell *cell)
{
    return cell->chars[0] == 0 && VTERM_COLOR_IS_DEFAULT_BG(&cell->bg) && !cell->attrs.reverse &&
           !cell->attrs.underline && !cell->attrs.strike;
}

struct picture { /* cells of one of the two screens */
    const struct screen_cells *c;
    int first, rows, columns;    /* that are wanted of it; first is the terminal's first row */
    const VTermScreenCell *kept; /* NULL: those of now */
    int kept_columns;
};

static void picture_cell(const struct picture *p, int row, int column, VTermScreenCell *cell)
{
    if (p->kept != NULL)
        *cell = p->kept[row * p->kept_columns + column];
    else
        cells_at(p->c, row, column, cell);
}

static int row_length(const struct picture *p, int row)
{
    VTermScreenCell cell;

    for (int n = p->columns; n > 0; n--) {
        picture_cell(p, row, n - 1, &cell);
        if (!blank(&cell))
            return n;
    }
    return 0;
}

/* From the row's first column on, in plain modes. Colours are off before and afterwards. */
static void put_row(const struct picture *p, int row, struct sink *to)
{
    int n = row_length(p, row);
    VTermScreenCell cell, pen;
    bool plain = true;

    for (int column = 0; column<n; column += cell.width> 1 ? cell.width : 1) {
        picture_cell(p, row, column, &cell);
        if (plain || !same_pen(&cell, &pen)) {
            put_pen(to, &cell);
            pen = cell;
            plain = false;
        }
        put_cell(to, &cell);
    }
    if (!plain)
        put(to, "\x1b[m");
}

static void put_picture(const struct picture *p, struct sink *to)
{
    for (int row = 0; row < p->rows; row++) {
        if (row_length(p, p->first + row) == 0)
            continue;
        put(to, "\x1b[%d;1H", row + 1);
        put_row(p, p->first + row, to);
    }
}

/* What the alternate screen hides, as far as the terminal reaches. */
static void put_under(const struct screen_cells *c, const struct picture *now, struct sink *to)
{
    struct picture p = {.c = c, .kept = c->under, .kept_columns = c->under_columns};

    if (c->under == NULL)
        return;
    p.rows = c->under_rows < now->rows ? c->under_rows : now->rows;
    p.columns = c->under_columns < now->columns ? c->under_columns : now->columns;
    put_picture(&p, to);
    put(to, "\x1b[%d;%dH", c->under_cursor.row + 1, c->under_cursor.col + 1);
}

/* Both screens on a blank terminal. */
static void put_both(const struct picture *now, struct sink *to)
{
    if (now->c->alternate) {
        put_under(now->c, now, to);
        put(to, "\x1b[?1049h\x1b[2J");
    }
    put_picture(now, to);
}

static void pen_of(const struct screen_cells *c, VTermScreenCell *pen)
{
    VTermValue v;

    memset(pen, 0, sizeof *pen);
    pen->attrs.bold = vterm_state_get_penattr(c->state, VTERM_ATTR_BOLD, &v) && v.boolean;
    pen->attrs.underline = vterm_state_get_penattr(c->state, VTERM_ATTR_UNDERLINE, &v) ? (unsigned)v.number & 3u : 0;
    pen->attrs.italic = vterm_state_get_penattr(c->state, VTERM_ATTR_ITALIC, &v) && v.boolean;
    pen->attrs.blink = vterm_state_get_penattr(c->state, VTERM_ATTR_BLINK, &v) && v.boolean;
    pen->attrs.reverse = vterm_state_get_penattr(c->state, VTERM_ATTR_REVERSE, &v) && v.boolean;
    pen->attrs.strike = vterm_state_get_penattr(c->state, VTERM_ATTR_STRIKE, &v) && v.boolean;
    if (vterm_state_get_penattr(c->state, VTERM_ATTR_FOREGROUND, &v))
        pen->fg = v.color;
    if (vterm_state_get_penattr(c->state, VTERM_ATTR_BACKGROUND, &v))
        pen->bg = v.color;
}

/* Modes and colours as the program has them, from plain modes; absolute: the cursor as well. first: of the picture. */
static void put_state(const struct screen_cells *c, const struct modes *m, int first, bool absolute, struct sink *to)
{
    VTermPos at = cells_cursor(c);
    VTermScreenCell pen, cell;
    char modes[MODES_BYTES];

    sink_put(to, modes, modes_write(m, modes));
    if (absolute)
        put(to, "\x1b[%d;%dH", at.row - first + 1 - (modes_origin(m) && m->top > 0 ? m->top - 1 : 0), at.col + 1);
    if (absolute && c->edge) { /* written once more: no sequence moves the cursor behind the last column */
        cells_at(c, at.row, at.col, &cell);
        put_pen(to, &cell);
        put_cell(to, &cell);
    }
    pen_of(c, &pen);
    put_pen(to, &pen);
}

bool screen_full(const struct screen *s, const struct modes *m)
{
    const struct screen_cells *c = s->cells;
    struct picture p = {.c = c};
    bool below = false;

    if (c == NULL)
        return false;
    vterm_get_size(c->vterm, &p.rows, &p.columns);
    for (int row = cells_cursor(c).row + 1; row < p.rows && !below; row++)
        below = row_length(&p, row) > 0;
    return c->alternate || below || modes_placed(m);
}

bool screen_alternate(const struct screen *s) { return s->cells != NULL && s->cells->alternate; }

bool screen_in_line(const struct screen *s) { return s->cells != NULL && cells_cursor(s->cells).col > 0; }

void screen_paint(const struct screen *s, const struct modes *m, bool again, struct sink *to)
{
    const struct screen_cells *c = s->cells;
    struct picture p = {.c = c};
    char modes[MODES_BYTES];

    if (c == NULL)
        return;
    vterm_get_size(c->vterm, &p.rows, &p.columns);
    if (again)
        put(to, "\x1b[?1047l");
    sink_put(to, modes, modes_plain(m, modes));
    put(to, again ? "\x1b[2J" : "\x1b[%d;1H", p.rows);
    for (int row = 0; row < p.rows && !again; row++)
        sink_put(to, "\n", 1);
    put_both(&p, to);
    put_state(c, m, 0, true, to);
}

/*
 * Painted on a screen of the other size, as on any terminal: what libvterm 0.1 does by itself leaves the cursor outside. Lines
 * go out at the top, as terminals have it.
 */
void screen_resize(struct screen *s, struct modes *m, uint16_t rows, uint16_t columns)
{
    struct screen_cells *c = s->cells, *other = c != NULL ? cells_create(rows, columns) : NULL;
    struct sink paint = {.fd = -1};
    struct picture p = {.c = c};
    int below;

    if (other == NULL)
        return;
    vterm_get_size(c->vterm, &p.rows, &p.columns);
    below = cells_cursor(c).row + 1 - cells_side(rows);
    p.first = below > 0 && !c->alternate ? below : 0;
    p.rows = p.rows - p.first < cells_side(rows) ? p.rows - p.first : cells_side(rows);
    p.columns = p.columns < cells_side(columns) ? p.columns : cells_side(columns);
    c->edge = false;
    m->top = m->bottom = 0; /* terminals forget the region */
    put_both(&p, &paint);
    put_state(c, m, p.first, true, &paint);
    s->cells = other;
    screen_feed(s, paint.bytes, paint.have, false);
    free(paint.bytes);
    s->cells = c;
    screen_close(s);
    s->cells = other;
}

void screen_paint_lines(const struct screen *s, const struct modes *m, uint16_t lines, struct sink *to)
{
    const struct screen_cells *c = s->cells;
    struct picture p = {.c = c};
    int first = 0;
    VTermPos at;

    if (c == NULL)
        return;
    vterm_get_size(c->vterm, &p.rows, &p.columns);
    at = cells_cursor(c);
    if (at.row + 1 > lines)
        first = at.row + 1 - lines;
    while (first < at.row && row_length(&p, first) == 0)
        first++;
    for (int row = first; row <= at.row; row++) {
        put_row(&p, row, to);
        if (row < at.row)
            put(to, "\r\n");
    }
    if (!c->edge) {
        put(to, "\r");
        if (at.col > 0)
            put(to, "\x1b[%dC", at.col);
    }
    put_state(c, m, 0, false, to);
}

/* How much of a text goes on a row of so many cells: up to a space, if it has one. */
static size_t row_of_text(const char *text, int cells)
{
    size_t n = 0, words = 0;

    for (int used = 0; text[n] != '\0'; n++) {
        uint8_t byte = (uint8_t)text[n];

        used += (byte & 0xc0) == 0x80 ? 0 : byte > 0xe0 ? 2 : 1; /* at most */
        if (used > cells)
            return words > 0 ? words : n;
        if (byte == ' ')
            words = n + 1;
    }
    return n;
}

/* At the bottom, in as many rows as it needs, and there are. The last column stays free: nothing wraps. */
static void put_overlay(const struct picture *p, const char *text, int most, struct sink *to)
{
    size_t from[OVERLAY_ROWS + 1] = {0};
    int n = 0;

    while (n < most && text[from[n]] != '\0') {
        from[n + 1] = from[n] + row_of_text(text + from[n], p->columns - 1);
        n++;
    }
    for (int i = 0; i < n; i++) {
        put(to, "\x1b[%d;1H\x1b[2K\x1b[7m", p->rows - n + i + 1);
        sink_put(to, text + from[i], from[i + 1] - from[i]);
        put(to, "\x1b[m");
    }
}

void screen_overlay(const struct screen *s, const struct modes *m, const char *text, struct sink *to)
{
    const struct screen_cells *c = s->cells;
    struct picture p = {.c = c};
    char modes[MODES_BYTES];
    int most;

    if (c == NULL)
        return;
    vterm_get_size(c->vterm, &p.rows, &p.columns);
    most = p.rows < 2 * OVERLAY_ROWS ? (p.rows + 1) / 2 : OVERLAY_ROWS;
    sink_put(to, modes, modes_plain(m, modes));
    if (text != NULL)
        put_overlay(&p, text, most, to);
    for (int row = p.rows - most; row < p.rows && text == NULL; row++) {
        put(to, "\x1b[%d;1H\x1b[2K", row + 1);
        put_row(&p, row, to);
    }
    put_state(c, m, 0, true, to);
}
