/* SPDX-License-Identifier: MIT */
#include "console_tail.h"
#include <stdlib.h>
#include <string.h>

void tail_finish(struct console_tail *t)
{
    free(t->bytes);
    *t = (struct console_tail){0};
}

bool tail_empty(const struct console_tail *t) { return t->end == t->head && t->n_events == 0 && t->lost == 0; }

static void copy_in(struct console_tail *t, const uint8_t *bytes, uint32_t n)
{
    uint32_t slot = (uint32_t)(t->end % CONSOLE_TAIL_BYTES), first = CONSOLE_TAIL_BYTES - slot;

    if (first > n)
        first = n;
    memcpy(t->bytes + slot, bytes, first);
    memcpy(t->bytes, bytes + first, n - first);
    t->end += n;
}

uint64_t tail_append(struct console_tail *t, const uint8_t *bytes, uint32_t n)
{
    uint64_t lost_before = t->lost;
    uint32_t skip;

    if (t->bytes == NULL && (t->bytes = malloc(CONSOLE_TAIL_BYTES)) == NULL) {
        t->lost += n; /* no memory for a tail: its size is then zero */
        return n;
    }
    skip = n > CONSOLE_TAIL_BYTES ? n - CONSOLE_TAIL_BYTES : 0;
    t->end += skip;
    copy_in(t, bytes + skip, n - skip);
    if (t->end - t->head > CONSOLE_TAIL_BYTES) {
        t->lost += t->end - t->head - CONSOLE_TAIL_BYTES;
        t->head = t->end - CONSOLE_TAIL_BYTES;
    }
    return t->lost - lost_before;
}

void tail_event(struct console_tail *t, enum vc_line_event_kind kind, uint64_t value)
{
    if (t->n_events == CONSOLE_TAIL_EVENTS)
        tail_event_done(t);
    t->events[t->n_events++] = (struct console_event){.at = t->end, .value = value, .kind = kind};
}

void tail_event_done(struct console_tail *t)
{
    t->n_events--;
    memmove(t->events, t->events + 1, t->n_events * sizeof t->events[0]);
}

const struct console_event *tail_due(const struct console_tail *t)
{
    return t->n_events > 0 && t->events[0].at <= t->head ? &t->events[0] : NULL;
}

uint32_t tail_peek(const struct console_tail *t, const uint8_t **bytes)
{
    uint64_t n = t->end - t->head;
    uint32_t slot = (uint32_t)(t->head % CONSOLE_TAIL_BYTES);

    *bytes = t->bytes + slot;
    if (t->n_events > 0 && t->events[0].at - t->head < n)
        n = t->events[0].at - t->head;
    return n < CONSOLE_TAIL_BYTES - slot ? (uint32_t)n : CONSOLE_TAIL_BYTES - slot;
}
