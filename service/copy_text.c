/* SPDX-License-Identifier: MIT */
#include "copy_text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ESC 0x1b

void copy_stamp(time_t now, char stamp[COPY_STAMP])
{
    char text[COPY_STAMP + 1] = "";
    struct tm tm;

    if (localtime_r(&now, &tm) == NULL || strftime(text, sizeof text, "[%Y-%m-%d %H:%M:%S] ", &tm) != COPY_STAMP)
        memcpy(text, "[9999-12-31 23:59:59] ", sizeof text); /* a clock beyond the year 9999 */
    memcpy(stamp, text, COPY_STAMP);
}

static char shown(const struct copy_text *t, uint8_t byte)
{
    return (char)(t->replace_escape && byte == ESC ? '.' : byte);
}

/* Whether this byte is left out; else what stands before it is there, and *n has moved on behind it. */
static bool begin_line(struct copy_text *t, const char stamp[COPY_STAMP], uint8_t byte, char *text, size_t *n)
{
    if (!t->times || t->in_line)
        return false;
    if (byte == '\r')
        return true;
    memcpy(text + *n, stamp, COPY_STAMP);
    *n += COPY_STAMP;
    return false;
}

size_t copy_text(struct copy_text *t, time_t now, const uint8_t *bytes, size_t n, char *text, size_t room,
                 size_t *text_n)
{
    char stamp[COPY_STAMP];
    size_t used = 0, put = 0;

    assert(room > COPY_STAMP);
    if (t->times)
        copy_stamp(now, stamp);
    for (; used < n && room - put > (t->times && !t->in_line ? COPY_STAMP : 0); used++) {
        if (begin_line(t, stamp, bytes[used], text, &put))
            continue;
        text[put++] = shown(t, bytes[used]);
        t->in_line = bytes[used] != '\n';
    }
    *text_n = put;
    return used;
}
