/* SPDX-License-Identifier: MIT */
/*
 * A line whose page the input writes, before it is opened and between any two calls, while both ends go on. Nothing may
 * step outside the memory; counts keep their bounds; an end that said VC_EPEER has moved nothing.
 */
#include "fuzz.h"
#include <vcons/line.h>

enum { SIZE = 4096, MEMORY = VC_LINE_HEADER_BYTES + 2 * SIZE, MOST = 300 };

extern uint32_t sum_of_spans;
uint32_t sum_of_spans; /* every byte of a span is read, so that a sanitizer sees where it lies */

static void touch(const struct vc_span spans[2], uint32_t n)
{
    require(spans[0].n + spans[1].n == n && n <= SIZE);
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < spans[s].n; i++)
            sum_of_spans += spans[s].bytes[i];
}

/* One of the header's words, mostly an index or an event's field, set to anything, mostly near what it was. */
static void scribble(struct input *in, uint8_t *memory)
{
    uint32_t which = (uint32_t)take(in, 1), value;
    size_t offset = which < 12 ? 64 + 64 * (size_t)which : (size_t)take(in, 2) % VC_LINE_HEADER_BYTES / 4 * 4;

    memcpy(&value, memory + offset, sizeof value);
    value = take(in, 1) & 1 ? value + (uint32_t)(int8_t)take(in, 1) : (uint32_t)take(in, 4);
    memcpy(memory + offset, &value, sizeof value);
}

static void source_step(struct input *in, struct vc_source *s)
{
    static uint8_t buffer[MOST];
    struct vc_line_event event;
    uint32_t n, want = (uint32_t)take(in, 2) % MOST, own = s->out.prod;
    bool kick = false, taken;

    switch (take(in, 1) % 6) {
    case 0:
        if (vc_source_put(s, buffer, want, &n, &kick) != VC_OK)
            require(n == 0);
        require(n <= want && s->out.prod == own + n);
        break;
    case 1: (void)vc_source_post(s, VC_LINE_GAP, want, &kick); break;
    case 2:
        own = s->in.cons;
        if (vc_source_get(s, buffer, want, &n, &kick) != VC_OK)
            require(n == 0);
        require(n <= want && s->in.cons == own + n);
        break;
    case 3:
        if (vc_source_event(s, &event, &taken, &kick) != VC_OK)
            require(!taken);
        break;
    case 4:
        (void)vc_source_room(s, &n);
        require(n <= SIZE);
        break;
    default:
        vc_source_arm_room(s);
        vc_source_arm_bytes(s);
        (void)vc_source_idle(s);
    }
}

static void sink_step(struct input *in, struct vc_sink *s)
{
    static const uint8_t buffer[MOST];
    struct vc_span spans[2];
    struct vc_line_event event;
    uint32_t n, want = (uint32_t)take(in, 2) % MOST, own;
    bool kick = false, due;
    int error;

    switch (take(in, 1) % 6) {
    case 0:
        if (vc_sink_peek(s, spans, &n) != VC_OK)
            require(n == 0);
        touch(spans, n);
        (void)vc_sink_commit(s, want < n ? want : n);
        break;
    case 1:
        if (vc_sink_event(s, &event, &due) != VC_OK)
            require(!due);
        if (due)
            (void)vc_sink_event_done(s);
        break;
    case 2:
        (void)vc_sink_put(s, buffer, want, &n, &kick);
        require(n <= want);
        break;
    case 3: (void)vc_sink_post(s, VC_LINE_RESIZE, want, &kick); break;
    case 4:
        own = s->out.cons;
        n = own + (uint32_t)take(in, 2);
        error = vc_sink_resume(s, n, (uint16_t)take(in, 2));
        require(s->out.cons == (error == VC_OK ? n : own));
        break;
    default:
        (void)vc_sink_room(s, &n);
        require(n <= SIZE);
        vc_sink_arm_bytes(s);
        (void)vc_sink_idle(s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t id[VC_LINE_ID_BYTES];
    struct input in = {data, size};
    uint8_t *memory = aligned_alloc(4096, MEMORY);
    struct vc_source source;
    struct vc_sink sink;
    bool source_open, sink_open;

    require(memory != NULL);
    memset(memory, 0, MEMORY);
    require(vc_line_format(memory, SIZE, SIZE, id) == VC_OK);
    for (uint64_t n = take(&in, 1) % 8; n > 0; n--)
        scribble(&in, memory);
    source_open = vc_source_open(&source, memory, MEMORY) == VC_OK;
    sink_open = vc_sink_open(&sink, memory, MEMORY) == VC_OK;
    while (in.left > 0) {
        uint64_t who = take(&in, 1) % 5;

        if (who == 0)
            scribble(&in, memory);
        else if (who < 3 && source_open)
            source_step(&in, &source);
        else if (sink_open)
            sink_step(&in, &sink);
    }
    free(memory);
    return 0;
}
