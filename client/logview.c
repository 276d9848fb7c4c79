/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gap.h"
#include "host/message.h"
#include "logview.h"
#include "when.h"

#define PART 16384u

void logview_init(struct logview *v, bool colour)
{
    safe_init(&v->safe, SAFE_LOG, true, colour);
    if (v->time || v->has_until)
        v->held = malloc(LOGVIEW_HELD_MAX);
}

void logview_finish(struct logview *v)
{
    free(v->held);
    v->held = NULL;
}

void logview_failed(struct logview *v)
{
    if (!v->over && errno != EPIPE)
        v->error = errno;
    v->over = true;
}

static void put(struct logview *v, const void *bytes, size_t n)
{
    if (n > 0 && fwrite(bytes, 1, n, stdout) != n)
        logview_failed(v);
}

static void put_time(struct logview *v, uint64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000u);
    char text[64] = "";
    struct tm tm;
    size_t n = 0;

    if (localtime_r(&seconds, &tm) != NULL)
        n = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    n += (size_t)snprintf(text + n, sizeof text - n, ".%06" PRIu64 " ", ns % 1000000000u / 1000);
    put(v, text, n);
}

/* Whole text, each line behind the time it was stored. */
static void put_lines(struct logview *v, const uint8_t *bytes, size_t n, uint64_t ns)
{
    while (n > 0 && !v->over) {
        const uint8_t *end = v->time ? memchr(bytes, '\n', n) : NULL;
        size_t part = end != NULL ? (size_t)(end - bytes) + 1 : n;

        if (v->time && !v->in_line)
            put_time(v, ns);
        put(v, bytes, part);
        v->in_line = bytes[part - 1] != '\n';
        bytes += part;
        n -= part;
    }
}

static void emit(struct logview *v, const uint8_t *bytes, size_t n, uint64_t ns)
{
    static uint8_t text[SAFE_OUT_BYTES(PART)];

    while (n > 0 && !v->over) {
        size_t part = n < PART ? n : PART;

        if (v->raw)
            put_lines(v, bytes, part, ns);
        else
            put_lines(v, text, safe_filter(&v->safe, bytes, part, text), ns);
        bytes += part;
        n -= part;
    }
}

static void release(struct logview *v, uint64_t ns)
{
    size_t n = v->n_held;

    v->n_held = 0;
    emit(v, v->held, n, ns);
}

void logview_flush(struct logview *v)
{
    if (v->n_held > 0)
        release(v, when_now());
}

void logview_bytes(struct logview *v, const uint8_t *bytes, size_t n)
{
    if (v->held == NULL) {
        emit(v, bytes, n, 0);
        return;
    }
    while (n > 0 && !v->over) {
        size_t part = LOGVIEW_HELD_MAX - v->n_held < n ? LOGVIEW_HELD_MAX - v->n_held : n;

        memcpy(v->held + v->n_held, bytes, part);
        v->n_held += part;
        bytes += part;
        n -= part;
        if (v->n_held == LOGVIEW_HELD_MAX)
            release(v, v->last_ns); /* an index that lost its marks: the last one is the best there is */
    }
}

void logview_note(struct logview *v, const char *format, ...)
{
    struct problem p;
    char line[PROBLEM_BYTES + 16];
    va_list args;

    if (v->raw)
        return;
    va_start(args, format);
    problem_setv(&p, 0, format, args);
    va_end(args);
    put(v, line, (size_t)snprintf(line, sizeof line, "%s[vcons: %s]\n", v->in_line ? "\n" : "", p.text));
    v->in_line = false;
}

static void note_boot(struct logview *v, uint64_t boot)
{
    if (v->one_boot && v->has_boot && boot != v->boot)
        v->over = true;
    v->has_boot = true;
    v->boot = boot;
}

void logview_mark(struct logview *v, const uint8_t *bytes, size_t n)
{
    char gap[GAP_TEXT_BYTES];
    struct vc_index_record r;
    uint64_t value;

    if (n != sizeof r || v->over)
        return;
    memcpy(&r, bytes, sizeof r);
    v->last_ns = le64toh(r.realtime_ns);
    value = le64toh(r.value);
    if (v->has_until && v->last_ns > v->until_ns) {
        v->over = true; /* what is held was stored later than that */
        return;
    }
    if (v->n_held > 0)
        release(v, v->last_ns);
    if (le16toh(r.kind) == VC_INDEX_GAP)
        logview_note(v, "%s", gap_text(gap, value));
    else if (le16toh(r.kind) == VC_INDEX_BOOT)
        note_boot(v, value);
}

void logview_end(struct logview *v)
{
    static uint8_t text[SAFE_OUT_BYTES(0)];

    if (v->over)
        return;
    logview_flush(v);
    if (!v->raw)
        put_lines(v, text, safe_end(&v->safe, text), when_now());
    if (v->safe.modes != 0 && v->safe.colour)
        put(v, "\x1b[m", 3);
}
