/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "line.h"
#include "safe_sequence.h"

void line_clear(struct line *l) { l->n = l->at = 0; }

static void blank(struct line *l, uint16_t from, uint16_t to)
{
    for (uint16_t i = from; i < to; i++) {
        l->cell[i].bytes[0] = ' ';
        l->cell[i].n = 1;
    }
}

static void put_character(struct line *l, const uint8_t *bytes, size_t n)
{
    if (l->at > l->n)
        blank(l, l->n, l->at);
    memcpy(l->cell[l->at].bytes, bytes, n);
    l->cell[l->at].n = (uint8_t)n;
    l->at++;
    if (l->at > l->n)
        l->n = l->at;
}

static void move_to(struct line *l, long at)
{
    l->at = (uint16_t)(at < 0 ? 0 : at < (long)LINE_CELLS ? at : (long)LINE_CELLS - 1);
}

/* n cells out of the line at the cursor, or blank ones into it. */
static void delete (struct line *l, uint16_t n)
{
    if (l->at >= l->n)
        return;
    n = n < l->n - l->at ? n : (uint16_t)(l->n - l->at);
    memmove(&l->cell[l->at], &l->cell[l->at + n], (size_t)(l->n - l->at - n) * sizeof l->cell[0]);
    l->n = (uint16_t)(l->n - n);
}

static void insert(struct line *l, uint16_t n)
{
    if (l->at >= l->n)
        return;
    n = n < LINE_CELLS - l->n ? n : (uint16_t)(LINE_CELLS - l->n);
    memmove(&l->cell[l->at + n], &l->cell[l->at], (size_t)(l->n - l->at) * sizeof l->cell[0]);
    l->n = (uint16_t)(l->n + n);
    blank(l, l->at, (uint16_t)(l->at + n));
}

static void erase(struct line *l, uint32_t how)
{
    if (how == 0 && l->at < l->n)
        l->n = l->at;
    if (how == 1)
        blank(l, 0, l->at < l->n ? (uint16_t)(l->at + 1) : l->n);
    if (how == 2)
        l->n = 0;
}

static void control(struct line *l, const struct csi *c)
{
    uint32_t count = c->parameter[0] > 0 ? c->parameter[0] : 1;
    uint16_t n = (uint16_t)(count < LINE_CELLS ? count : LINE_CELLS);

    if (c->prefix != 0 || c->intermediate != 0)
        return;
    switch (c->final) {
    case 'C': move_to(l, (long)l->at + n); break;
    case 'D': move_to(l, (long)l->at - n); break;
    case 'G': move_to(l, (long)n - 1); break;
    case 'K':
    case 'J': erase(l, c->parameter[0]); break;
    case 'P': delete (l, n); break;
    case '@': insert(l, n); break;
    case 'X':
        if (l->at < l->n)
            blank(l, l->at, l->at + n < l->n ? (uint16_t)(l->at + n) : l->n);
        break;
    default: break;
    }
}

/* How long the sequence at bytes is, which begin with ESC. */
static size_t sequence(struct line *l, const uint8_t *bytes, size_t n)
{
    size_t end = 1;
    struct csi c;

    if (n > 1 && bytes[1] == '[') {
        for (end = 2; end < n && bytes[end] < '@'; end++)
            continue;
        if (end < n && end >= 2 && sequence_parse(bytes, end + 1, &c))
            control(l, &c);
    } else {
        while (end < n && bytes[end] < '0')
            end++;
    }
    return end < n ? end + 1 : n;
}

static size_t character(const uint8_t *bytes, size_t n)
{
    size_t length = 1;

    while (length < n && length < 4 && (bytes[length] & 0xc0) == 0x80)
        length++;
    return length;
}

size_t line_put(struct line *l, const uint8_t *bytes, size_t n, bool *ended)
{
    size_t i = 0;

    *ended = false;
    while (i < n && !*ended) {
        size_t length;

        if (bytes[i] >= ' ') {
            if (l->at == LINE_CELLS) {
                *ended = true; /* before this one */
                break;
            }
            length = character(bytes + i, n - i);
            put_character(l, bytes + i, length);
            i += length;
        } else if (bytes[i] == 0x1b) {
            i += sequence(l, bytes + i, n - i);
        } else {
            if (bytes[i] == '\b')
                move_to(l, (long)l->at - 1);
            else if (bytes[i] == '\r')
                l->at = 0;
            else if (bytes[i] == '\t')
                move_to(l, ((long)l->at | 7) + 1);
            else if (bytes[i] == '\n')
                *ended = true;
            i++;
        }
    }
    return i;
}

size_t line_text(const struct line *l, char text[LINE_TEXT_BYTES])
{
    size_t n = 0;

    for (uint16_t i = 0; i < l->n; i++) {
        memcpy(text + n, l->cell[i].bytes, l->cell[i].n);
        n += l->cell[i].n;
    }
    text[n] = '\0';
    return n;
}
