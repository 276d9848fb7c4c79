/* SPDX-License-Identifier: MIT */
/* A build without libvterm. */
#include "screen.h"

bool screen_open(struct screen *s, uint16_t rows, uint16_t columns)
{
    (void)rows;
    (void)columns;
    s->cells = NULL;
    return false;
}

void screen_close(struct screen *s) { s->cells = NULL; }

bool screen_on(const struct screen *s)
{
    (void)s;
    return false;
}

void screen_resize(struct screen *s, struct modes *m, uint16_t rows, uint16_t columns)
{
    (void)s;
    (void)m;
    (void)rows;
    (void)columns;
}

void screen_feed(struct screen *s, const void *bytes, size_t n, bool text_last)
{
    (void)s;
    (void)bytes;
    (void)n;
    (void)text_last;
}

bool screen_full(const struct screen *s, const struct modes *m)
{
    (void)s;
    (void)m;
    return false;
}

bool screen_alternate(const struct screen *s)
{
    (void)s;
    return false;
}

bool screen_in_line(const struct screen *s)
{
    (void)s;
    return false;
}

void screen_paint(const struct screen *s, const struct modes *m, bool again, struct sink *to)
{
    (void)s;
    (void)m;
    (void)again;
    (void)to;
}

void screen_paint_lines(const struct screen *s, const struct modes *m, uint16_t lines, struct sink *to)
{
    (void)s;
    (void)m;
    (void)lines;
    (void)to;
}

void screen_overlay(const struct screen *s, const struct modes *m, const char *text, struct sink *to)
{
    (void)s;
    (void)m;
    (void)text;
    (void)to;
}
