/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#include "screen.h"

struct screen_cells {
    VTerm *vterm;
    VTermScreen *screen;
    VTermState *state;
    VTermScreenCell *under; /* the primary screen as the alternate one was entered, rows * columns; NULL: never */
    int under_rows, under_columns;
    VTermPos under_cursor;
    bool alternate, moved, edge; /* edge: the last column is written, and the cursor waits behind it */
};

/* What libvterm tells. */

static int on_move(VTermPos pos, VTermPos from, int visible, void *user)
{
    struct screen_cells *c = user;

    (void)pos;
    (void)from;
    (void)visible;
    c->moved = true;
    return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *user)
{
    struct screen_cells *c = user;

    if (property == VTERM_PROP_ALTSCREEN)
        c->alternate = value->boolean != 0;
    return 1;
}

static void on_answer(const char *bytes, size_t n, void *user) /* nobody is asked here */
{
    (void)bytes;
    (void)n;
    (void)user;
}

static const VTermScreenCallbacks callbacks = {.movecursor = on_move, .settermprop = on_property};

/* Life. */

/* libvterm 0.1 writes a wide character beyond a screen of one column. */
static int side(uint16_t n) { return n < 2 ? 2 : n < SCREEN_SIDE_MAX ? n : (int)SCREEN_SIDE_MAX; }

static struct screen_cells *cells_create(uint16_t rows, uint16_t columns)
{
    struct screen_cells *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->vterm = vterm_new(side(rows), side(columns));
    if (c->vterm == NULL) {
        free(c);
        return NULL;
    }
    vterm_set_utf8(c->vterm, 1);
    vterm_output_set_callback(c->vterm, on_answer, NULL);
    c->screen = vterm_obtain_screen(c->vterm);
    c->state = vterm_obtain_state(c->vterm);
    vterm_screen_enable_altscreen(c->screen, 1);
    vterm_screen_set_damage_merge(c->screen, VTERM_DAMAGE_SCREEN);
    vterm_screen_set_callbacks(c->screen, &callbacks, c);
    vterm_screen_reset(c->screen, 1);
    return c;
}

bool screen_open(struct screen *s, uint16_t rows, uint16_t columns)
{
    s->cells = cells_create(rows, columns);
    return s->cells != NULL;
}

void screen_close(struct screen *s)
{
    if (s->cells == NULL)
        return;
    vterm_free(s->cells->vterm);
    free(s->cells->under);
    free(s->cells);
    s->cells = NULL;
}

bool screen_on(const struct screen *s) { return s->cells != NULL; }

/* What comes. */

static VTermPos cursor_of(const struct screen_cells *c)
{
    VTermPos at;

    vterm_state_get_cursorpos(c->state, &at);
    return at;
}

static void cell_at(const struct screen_cells *c, int row, int column, VTermScreenCell *cell)
{
    memset(cell, 0, sizeof *cell);
    vterm_screen_get_cell(c->screen, (VTermPos){row, column}, cell);
}

/* The alternate screen is about to be entered: what it hides cannot be asked for later. */
static void keep_under(struct screen_cells *c)
{
    int rows, columns;
    VTermScreenCell *cells;

    vterm_get_size(c->vterm, &rows, &columns);
    cells = calloc((size_t)rows * (size_t)columns, sizeof *cells);
    if (cells == NULL)
        return;
    for (int i = 0; i < rows * columns; i++)
        cell_at(c, i / columns, i % columns, &cells[i]);
    free(c->under);
    c->under = cells;
    c->under_rows = rows;
    c->under_columns = columns;
    c->under_cursor = cursor_of(c);
}

/* In UTF-8; how many bytes. */
static size_t encode(char b[4], uint32_t c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1) {
        b[0] = (char)c;
        return n;
    }
    b[0] = (char)((0xf0u << (4 - n)) | c >> (6 * (n - 1)));
    for (size_t i = 1; i < n; i++)
        b[i] = (char)(0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));
    return n;
}

/* Whether at enters the alternate screen: ESC [ ? numbers h, one of which is 47, 1047 or 1049. */
static bool enters(const char *at, const char *end)
{
    unsigned number = 0;
    bool found = false;

    for (at += 3; at < end; at++) {
        if (*at >= '0' && *at <= '9') {
            number = number < 10000 ? number * 10 + (unsigned)(*at - '0') : number;
            continue;
        }
        found |= number == 47 || number == 1047 || number == 1049;
        number = 0;
        if (*at != ';')
            return found && *at == 'h';
    }
    return false;
}

static void feed_part(struct screen_cells *c, const char *bytes, size_t n)
{
    const char *end = bytes + n, *at = bytes;

    while (!c->alternate && (at = memmem(at, (size_t)(end - at), "\x1b[?", 3)) != NULL) {
        if (enters(at, end)) {
            vterm_input_write(c->vterm, bytes, (size_t)(at - bytes));
            keep_under(c);
            bytes = at;
            break;
        }
        at += 3;
    }
    vterm_input_write(c->vterm, bytes, (size_t)(end - bytes));
}

/* The next ESC [ number b, REP, and how often it repeats; behind it in *behind. NULL: there is none. */
static const char *find_repeat(const char *at, const char *end, int *count, const char **behind)
{
    for (; (at = memmem(at, (size_t)(end - at), "\x1b[", 2)) != NULL; at += 2) {
        const char *p = at + 2;

        for (*count = 0; p < end && *p >= '0' && *p <= ';'; p++)
            if (*p <= '9')
                *count = *count < 10000 ? *count * 10 + (*p - '0') : *count;
        *behind = p + 1;
        if (p < end && *p == 'b')
            return at;
    }
    return NULL;
}

/* libvterm 0.1.4 repeats for ever what has no width, or nothing that was said yet: it never sees a REP. */
static void repeat(struct screen_cells *c, int count)
{
    VTermPos at = cursor_of(c);
    VTermScreenCell cell;
    int rows, columns;
    char text[4];

    vterm_get_size(c->vterm, &rows, &columns);
    if (at.col == 0)
        return;
    cell_at(c, at.row, at.col - 1, &cell);
    if (cell.chars[0] > 0x10ffff && at.col > 1) /* the half of a wide one */
        cell_at(c, at.row, at.col - 2, &cell);
    if (cell.chars[0] == 0 || cell.chars[0] > 0x10ffff || cell.width < 1)
        return;
    for (int i = at.col, n = 0; i + cell.width <= columns && n < (count > 0 ? count : 1); i += cell.width, n++)
        vterm_input_write(c->vterm, text, encode(text, cell.chars[0]));
}

static void feed(struct screen_cells *c, const char *bytes, size_t n)
{
    const char *end = bytes + n, *at, *behind;
    int count;

    while ((at = find_repeat(bytes, end, &count, &behind)) != NULL) {
        feed_part(c, bytes, (size_t)(at - bytes));
        repeat(c, count);
        bytes = behind;
    }
    feed_part(c, bytes, (size_t)(end - bytes));
}

/* Alone, the last character shows whether it has moved the cursor: else it stands in the last column, and the next wraps. */
void screen_feed(struct screen *s, const void *bytes, size_t n, bool text_last)
{
    struct screen_cells *c = s->cells;
    const char *text = bytes;
    size_t last = text_last ? 1 : 0;
    VTermScreenCell cell;
    int rows, columns;
    VTermPos at;

    if (c == NULL || n == 0)
        return;
    while (last > 0 && last < n && last < 4 && ((uint8_t)text[n - last] & 0xc0) == 0x80)
        last++;
    feed(c, text, n - last);
    c->moved = false;
    feed(c, text + n - last, last);
    vterm_get_size(c->vterm, &rows, &columns);
    at = cursor_of(c);
    cell_at(c, at.row, at.col, &cell);
    c->edge = text_last && !c->moved && at.col + cell.width >= columns;
}

/* What goes out. */

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

    sink_put(to, b, encode(b, c));
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
        cell_at(p->c, row, column, cell);
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
    VTermPos at = cursor_of(c);
    VTermScreenCell pen, cell;
    char modes[MODES_BYTES];

    sink_put(to, modes, modes_write(m, modes));
    if (absolute)
        put(to, "\x1b[%d;%dH", at.row - first + 1 - (modes_origin(m) && m->top > 0 ? m->top - 1 : 0), at.col + 1);
    if (absolute && c->edge) { /* written once more: no sequence moves the cursor behind the last column */
        cell_at(c, at.row, at.col, &cell);
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
    for (int row = cursor_of(c).row + 1; row < p.rows && !below; row++)
        below = row_length(&p, row) > 0;
    return c->alternate || below || modes_placed(m);
}

bool screen_alternate(const struct screen *s) { return s->cells != NULL && s->cells->alternate; }

bool screen_in_line(const struct screen *s) { return s->cells != NULL && cursor_of(s->cells).col > 0; }

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
    below = cursor_of(c).row + 1 - side(rows);
    p.first = below > 0 && !c->alternate ? below : 0;
    p.rows = p.rows - p.first < side(rows) ? p.rows - p.first : side(rows);
    p.columns = p.columns < side(columns) ? p.columns : side(columns);
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
    at = cursor_of(c);
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

void screen_overlay(const struct screen *s, const struct modes *m, const char *text, struct sink *to)
{
    const struct screen_cells *c = s->cells;
    struct picture p = {.c = c};
    char modes[MODES_BYTES];

    if (c == NULL)
        return;
    vterm_get_size(c->vterm, &p.rows, &p.columns);
    sink_put(to, modes, modes_plain(m, modes));
    put(to, "\x1b[%d;1H\x1b[2K", p.rows);
    if (text != NULL) {
        put(to, "\x1b[7m");
        sink_put(to, text, strnlen(text, (size_t)p.columns - 1));
        put(to, "\x1b[m");
    } else {
        put_row(&p, p.rows - 1, to);
    }
    put_state(c, m, 0, true, to);
}
