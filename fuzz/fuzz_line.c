/* SPDX-License-Identifier: MIT */
/*
 * A line whose page the input writes, before it is opened and between any two calls, while both ends go on: a line of its own, or one
 * in a page as Xen's consoles have it, which is a UART's. Nothing may step outside the memory; counts keep their bounds; an
 * end that said VC_EPEER has moved nothing; a change without wait words is told each time.
 */
#include "fuzz.h"
#include <vcons/line.h>
#include <vcons/wire/xencons.h>

enum { SIZE = 4096, MEMORY = VC_LINE_HEADER_BYTES + 2 * SIZE, MOST = 300 };

/* One geometry: where its memory is worth changing, how it is laid out and opened. */
struct geometry {
    size_t memory, header; /* bytes of all of it; where the events lie */
    uint32_t out, in;      /* bytes of its rings */
    bool always;           /* no wait words: each change is told */
};
static const struct geometry line = {MEMORY, 0, SIZE, SIZE, false},
                             ring = {VC_LINE_RING_BYTES, 4096, XENCONS_OUT_SIZE, XENCONS_IN_SIZE, true};
static const struct geometry *g; /* of this input */

extern uint32_t sum_of_spans;
uint32_t sum_of_spans; /* every byte of a span is read, so that a sanitizer sees where it lies */

static void touch(const struct vc_span spans[2], uint32_t n)
{
    require(spans[0].n + spans[1].n == n && n <= g->out);
    for (int s = 0; s < 2; s++)
        for (uint32_t i = 0; i < spans[s].n; i++)
            sum_of_spans += spans[s].bytes[i];
}

/* One of the header's words, mostly an index or an event's field, set to anything, mostly near what it was. */
static size_t any_word(struct input *in)
{
    uint32_t which = (uint32_t)take(in, 1);

    if (g->always && which >= 128) /* the indices and the flag of Xen's page */
        return offsetof(struct xencons_interface, in_cons) + (size_t)(which - 128) % 5 * 4;
    return g->header + (which < 12 ? 64 + 64 * (size_t)which : (size_t)take(in, 2) % VC_LINE_HEADER_BYTES / 4 * 4);
}

static void scribble(struct input *in, uint8_t *memory)
{
    size_t offset = any_word(in);
    uint32_t value;

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
        require(n <= want && s->out.prod == own + n && (!g->always || kick == (n > 0)));
        break;
    case 1: require(vc_source_post(s, VC_LINE_GAP, want, &kick) != VC_OK || !g->always || kick); break;
    case 2:
        own = s->in.cons;
        if (vc_source_get(s, buffer, want, &n, &kick) != VC_OK)
            require(n == 0);
        require(n <= want && s->in.cons == own + n && (!g->always || kick == (n > 0)));
        break;
    case 3:
        if (vc_source_event(s, &event, &taken, &kick) != VC_OK)
            require(!taken);
        require(!g->always || kick == taken);
        break;
    case 4:
        (void)vc_source_room(s, &n);
        require(n <= g->out);
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
        require(n <= want && (!g->always || kick == (n > 0)));
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
        require(n <= g->in);
        vc_sink_arm_bytes(s);
        (void)vc_sink_idle(s);
    }
}

static uint8_t *make(void)
{
    static const uint8_t id[VC_LINE_ID_BYTES];
    uint8_t *memory = aligned_alloc(4096, g->memory);

    require(memory != NULL);
    memset(memory, 0, g->memory);
    if (g->always)
        vc_line_format_ring(memory, id);
    else
        require(vc_line_format(memory, SIZE, SIZE, id) == VC_OK);
    return memory;
}

static bool open_source(struct vc_source *s, uint8_t *memory)
{
    return (g->always ? vc_source_open_ring : vc_source_open)(s, memory, g->memory) == VC_OK;
}

static bool open_sink(struct vc_sink *s, uint8_t *memory)
{
    return (g->always ? vc_sink_open_ring : vc_sink_open)(s, memory, g->memory) == VC_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct vc_source source;
    struct vc_sink sink;
    bool source_open, sink_open;
    uint64_t first = take(&in, 1);
    uint8_t *memory;

    g = first % 16 < 8 ? &line : &ring;
    memory = make();
    for (uint64_t n = first % 8; n > 0; n--)
        scribble(&in, memory);
    source_open = open_source(&source, memory);
    sink_open = open_sink(&sink, memory);
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
