/* SPDX-License-Identifier: MIT */
/* What libvterm knows of a screen, and what it is told. */
#include <stdlib.h>
#include <string.h>

#include "screen_cells.h"

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
int cells_side(uint16_t n) { return n < 2 ? 2 : n < SCREEN_SIDE_MAX ? n : (int)SCREEN_SIDE_MAX; }

struct screen_cells *cells_create(uint16_t rows, uint16_t columns)
{
    struct screen_cells *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->vterm = vterm_new(cells_side(rows), cells_side(columns));
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

VTermPos cells_cursor(const struct screen_cells *c)
{
    VTermPos at;

    vterm_state_get_cursorpos(c->state, &at);
    return at;
}

void cells_at(const struct screen_cells *c, int row, int column, VTermScreenCell *cell)
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
        cells_at(c, i / columns, i % columns, &cells[i]);
    free(c->under);
    c->under = cells;
    c->under_rows = rows;
    c->under_columns = columns;
    c->under_cursor = cells_cursor(c);
}

size_t cells_utf8(char b[4], uint32_t c)
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
    VTermPos at = cells_cursor(c);
    VTermScreenCell cell;
    int rows, columns;
    char text[4];

    vterm_get_size(c->vterm, &rows, &columns);
    if (at.col == 0)
        return;
    cells_at(c, at.row, at.col - 1, &cell);
    if (cell.chars[0] > 0x10ffff && at.col > 1) /* the half of a wide one */
        cells_at(c, at.row, at.col - 2, &cell);
    if (cell.chars[0] == 0 || cell.chars[0] > 0x10ffff || cell.width < 1)
        return;
    for (int i = at.col, n = 0; i + cell.width <= columns && n < (count > 0 ? count : 1); i += cell.width, n++)
        vterm_input_write(c->vterm, text, cells_utf8(text, cell.chars[0]));
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
    at = cells_cursor(c);
    cells_at(c, at.row, at.col, &cell);
    c->edge = text_last && !c->moved && at.col + cell.width >= columns;
}
