/* SPDX-License-Identifier: MIT */
/* Both ends of a line in one thread: hostile headers and events, order of events and bytes, resume, when to kick. */
#include "random.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <vcons/line.h>
#include <vcons/wire/xencons.h>

enum { OUT = 4096, IN = 4096, BYTES = VC_LINE_HEADER_BYTES + OUT + IN };

static const uint8_t line_id[VC_LINE_ID_BYTES] = "sixteen bytes...";

struct line {
    struct vc_line_header *page;
    struct vc_source source;
    struct vc_sink sink;
};

static void *memory_create(void)
{
    void *memory = aligned_alloc(4096, BYTES);

    assert_non_null(memory);
    memset(memory, 0, BYTES);
    assert_int_equal(vc_line_format(memory, OUT, IN, line_id), VC_OK);
    return memory;
}

static void line_open(struct line *l)
{
    assert_int_equal(vc_source_open(&l->source, l->page, BYTES), VC_OK);
    assert_int_equal(vc_sink_open(&l->sink, l->page, BYTES), VC_OK);
}

/* A line whose four indices stand at `at`, as after that many bytes and events. */
static void line_init(struct line *l, uint32_t at)
{
    l->page = memory_create();
    l->page->out_prod = l->page->out_cons = l->page->in_prod = l->page->in_cons = at;
    l->page->out_event_prod = l->page->out_event_cons = l->page->in_event_prod = l->page->in_event_cons = at;
    line_open(l);
}

static void ring_init(struct line *l, uint32_t at)
{
    struct xencons_interface *ring = aligned_alloc(4096, VC_LINE_RING_BYTES);

    assert_non_null(ring);
    vc_line_format_ring(ring, line_id);
    l->page = (void *)ring; /* to be freed */
    ring->out_prod = ring->out_cons = ring->in_prod = ring->in_cons = at;
    assert_int_equal(ring->connection, XENCONSOLE_DISCONNECTED);
    assert_int_equal(vc_source_open_ring(&l->source, ring, VC_LINE_RING_BYTES), VC_OK);
    assert_int_equal(vc_sink_open_ring(&l->sink, ring, VC_LINE_RING_BYTES), VC_OK);
}

static uint32_t out_size(const struct line *l) { return l->source.out.ring.size; }
static uint32_t in_size(const struct line *l) { return l->source.in.ring.size; }

static void bytes_of_a_line(void **state)
{
    static const struct {
        uint32_t out, in;
        size_t bytes;
    } rows[] = {
        {4096, 4096, 3 * 4096},
        {VC_LINE_OUT_DEFAULT, VC_LINE_IN_DEFAULT, 4096 + 262144 + 4096},
        {VC_LINE_SIZE_MAX, VC_LINE_SIZE_MAX, 4096 + 2 * (size_t)VC_LINE_SIZE_MAX},
        {2048, 4096, 0},
        {4096, 2048, 0},
        {0, 4096, 0},
        {5000, 4096, 0},
        {4096, 5000, 0},
        {2 * VC_LINE_SIZE_MAX, 4096, 0},
        {0x80000000, 0x80000000, 0},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (vc_line_bytes(rows[i].out, rows[i].in) != rows[i].bytes)
            fail_msg("%u out, %u in", rows[i].out, rows[i].in);
    assert_int_equal(vc_line_format(NULL, 0, 0, line_id), VC_EINVAL);
}

#define FIELD(name) offsetof(struct vc_line_header, name)

static void hostile_headers(void **state)
{
    static const struct {
        const char *name;
        size_t offset;
        uint32_t value;
        int source, sink;
    } rows[] = {
        {"magic, low half", FIELD(magic), 0, VC_EINVAL, VC_EINVAL},
        {"magic, high half", FIELD(magic) + 4, 0, VC_EINVAL, VC_EINVAL},
        {"a version to come", FIELD(version), 2, VC_EINVAL, VC_EINVAL},
        {"no version", FIELD(version), 0, VC_EINVAL, VC_EINVAL},
        {"out twice as large as the memory holds", FIELD(out_size), 2 * OUT, VC_EINVAL, VC_EINVAL},
        {"in twice as large as the memory holds", FIELD(in_size), 2 * IN, VC_EINVAL, VC_EINVAL},
        {"out too small", FIELD(out_size), 2048, VC_EINVAL, VC_EINVAL},
        {"out of no size", FIELD(out_size), 0, VC_EINVAL, VC_EINVAL},
        {"out no power of two", FIELD(out_size), 4095, VC_EINVAL, VC_EINVAL},
        {"out huge", FIELD(out_size), 0x80000000, VC_EINVAL, VC_EINVAL},
        {"in all ones", FIELD(in_size), UINT32_MAX, VC_EINVAL, VC_EINVAL},
        {"out over the header", FIELD(out_offset), 0, VC_EINVAL, VC_EINVAL},
        {"out past the memory", FIELD(out_offset), BYTES, VC_EINVAL, VC_EINVAL},
        {"in over out", FIELD(in_offset), VC_LINE_HEADER_BYTES, VC_EINVAL, VC_EINVAL},
        {"in offset all ones", FIELD(in_offset), UINT32_MAX, VC_EINVAL, VC_EINVAL},
        {"out_prod beyond the ring", FIELD(out_prod), OUT + 1, VC_EPEER, VC_EPEER},
        {"out_cons ahead of out_prod", FIELD(out_cons), 1, VC_EPEER, VC_EPEER},
        {"in_prod beyond the ring", FIELD(in_prod), IN + 1, VC_EPEER, VC_EPEER},
        {"in_cons ahead of in_prod", FIELD(in_cons), 1, VC_EPEER, VC_EPEER},
        {"more out events than slots", FIELD(out_event_prod), VC_LINE_OUT_EVENTS + 1, VC_EPEER, VC_EPEER},
        {"out_event_cons ahead", FIELD(out_event_cons), 1, VC_EPEER, VC_EPEER},
        {"more in events than slots", FIELD(in_event_prod), VC_LINE_IN_EVENTS + 1, VC_EPEER, VC_EPEER},
        {"in_event_cons ahead", FIELD(in_event_cons), 1, VC_EPEER, VC_EPEER},
        {"reserved, for a version to come", FIELD(reserved), 7, VC_OK, VC_OK},
        {"a full ring", FIELD(out_prod), OUT, VC_OK, VC_OK},
    };
    struct vc_source source;
    struct vc_sink sink;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint8_t *memory = memory_create();

        memcpy(memory + rows[i].offset, &rows[i].value, sizeof rows[i].value);
        if (vc_source_open(&source, memory, BYTES) != rows[i].source ||
            vc_sink_open(&sink, memory, BYTES) != rows[i].sink)
            fail_msg("%s", rows[i].name);
        free(memory);
    }
}

/* The header of a ring page stands behind it; indices are Xen's. */
static void hostile_rings(void **state)
{
#define IN_RING(name) offsetof(struct xencons_interface, name)
    static const struct {
        const char *name;
        size_t offset;
        uint32_t value;
        int error;
    } rows[] = {
        {"magic", 4096 + FIELD(magic), 0, VC_EINVAL},
        {"a version to come", 4096 + FIELD(version), 2, VC_EINVAL},
        {"out of another size", 4096 + FIELD(out_size), 1024, VC_EINVAL},
        {"in of another size", 4096 + FIELD(in_size), 2048, VC_EINVAL},
        {"out elsewhere", 4096 + FIELD(out_offset), 0, VC_EINVAL},
        {"in elsewhere", 4096 + FIELD(in_offset), 1024, VC_EINVAL},
        {"out_prod beyond the ring", IN_RING(out_prod), XENCONS_OUT_SIZE + 1, VC_EPEER},
        {"out_cons ahead of out_prod", IN_RING(out_cons), 1, VC_EPEER},
        {"in_prod beyond the ring", IN_RING(in_prod), XENCONS_IN_SIZE + 1, VC_EPEER},
        {"in_cons ahead of in_prod", IN_RING(in_cons), 1, VC_EPEER},
        {"more out events than slots", 4096 + FIELD(out_event_prod), VC_LINE_OUT_EVENTS + 1, VC_EPEER},
        {"more in events than slots", 4096 + FIELD(in_event_prod), VC_LINE_IN_EVENTS + 1, VC_EPEER},
        {"indices of a line, which it has not", 4096 + FIELD(out_prod), 77, VC_OK},
        {"a full ring", IN_RING(out_prod), XENCONS_OUT_SIZE, VC_OK},
        {"any connection flag", IN_RING(connection), UINT32_MAX, VC_OK},
    };
    struct vc_source source;
    struct vc_sink sink;
    struct line l;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        ring_init(&l, 0);
        memcpy((uint8_t *)l.page + rows[i].offset, &rows[i].value, sizeof rows[i].value);
        if (vc_source_open_ring(&source, l.page, VC_LINE_RING_BYTES) != rows[i].error ||
            vc_sink_open_ring(&sink, l.page, VC_LINE_RING_BYTES) != rows[i].error)
            fail_msg("%s", rows[i].name);
        free(l.page);
    }
    ring_init(&l, 0);
    assert_int_equal(vc_sink_open_ring(&sink, l.page, VC_LINE_RING_BYTES - 1), VC_EINVAL);
    assert_int_equal(vc_sink_open(&sink, l.page, VC_LINE_RING_BYTES), VC_EINVAL); /* nor is it a line */
    free(l.page);
}

/* There are no wait words: whoever changes an index says so, whether somebody sleeps or not. */
static void rings_kick_after_each_change(void **state)
{
    struct vc_line_event event;
    bool kick = false, taken;
    struct line l;
    uint8_t byte;
    uint32_t n;

    (void)state;
    ring_init(&l, 0);
    for (unsigned i = 0; i < 2; i++, kick = false) {
        vc_source_put(&l.source, "x", 1, &n, &kick);
        assert_true(kick);
    }
    assert_true(vc_sink_commit(&l.sink, 1));
    vc_source_post(&l.source, VC_LINE_BOOT, 1, &kick);
    assert_true(kick);
    assert_true(vc_sink_commit(&l.sink, 1));
    assert_true(vc_sink_event_done(&l.sink));
    kick = false;
    vc_sink_put(&l.sink, "y", 1, &n, &kick);
    assert_true(kick);
    kick = false;
    vc_source_get(&l.source, &byte, 1, &n, &kick);
    assert_true(kick && n == 1 && byte == 'y');
    kick = false;
    vc_source_get(&l.source, &byte, 1, &n, &kick); /* nothing there, nothing changed */
    vc_source_event(&l.source, &event, &taken, &kick);
    assert_false(kick);
    free(l.page);
}

static void memory_smaller_than_it_says(void **state)
{
    static const size_t sizes[] = {0, 1, VC_LINE_HEADER_BYTES - 1, VC_LINE_HEADER_BYTES, BYTES - 1};
    struct vc_source source;
    struct vc_sink sink;

    (void)state;
    for (size_t i = 0; i < N_ROWS(sizes); i++) {
        uint8_t *whole = memory_create(), *cut = aligned_alloc(64, (sizes[i] + 64) / 64 * 64);

        memcpy(cut, whole, sizes[i]);
        assert_int_equal(vc_source_open(&source, cut, sizes[i]), VC_EINVAL);
        assert_int_equal(vc_sink_open(&sink, cut, sizes[i]), VC_EINVAL);
        free(whole);
        free(cut);
    }
}

static void the_sink_keeps_the_id(void **state)
{
    struct line l;

    (void)state;
    line_init(&l, 0);
    memset(l.page->id, 0, sizeof l.page->id);
    assert_memory_equal(l.sink.id, line_id, sizeof line_id);
    free(l.page);
}

/* The peer has changed one field since open; what each end then says, and that nothing of its own moved. */
static void hostile_after_open(void **state)
{
    static const struct {
        const char *name;
        size_t offset;
        uint32_t value;
        int room, peek, event; /* of the sink: its room in, its peek and event out */
    } rows[] = {
        {"out_prod too far", FIELD(out_prod), OUT + 1, VC_OK, VC_EPEER, VC_EPEER},
        {"out_prod before cons", FIELD(out_prod), UINT32_MAX, VC_OK, VC_EPEER, VC_EPEER},
        {"out events too many", FIELD(out_event_prod), VC_LINE_OUT_EVENTS + 2, VC_OK, VC_EPEER, VC_EPEER},
        {"out events fewer than taken", FIELD(out_event_prod), UINT32_MAX, VC_OK, VC_EPEER, VC_EPEER},
        {"an event that was never written", FIELD(out_event_prod), 2, VC_OK, VC_OK, VC_OK},
        {"event of another number", FIELD(out_events) + 0, 5, VC_OK, VC_EPEER, VC_EPEER},
        {"event past prod", FIELD(out_events) + 4, 11, VC_OK, VC_EPEER, VC_EPEER},
        {"event before cons", FIELD(out_events) + 4, UINT32_MAX, VC_OK, VC_EPEER, VC_EPEER},
        {"event half the numbers away", FIELD(out_events) + 4, 0x80000000, VC_OK, VC_EPEER, VC_EPEER},
        {"in_cons ahead of prod", FIELD(in_cons), 1, VC_EPEER, VC_OK, VC_OK},
        {"in_cons far behind", FIELD(in_cons), 0u - IN - 1, VC_EPEER, VC_OK, VC_OK},
        {"in_event_cons ahead", FIELD(in_event_cons), 1, VC_EPEER, VC_OK, VC_OK},
        {"our own cons", FIELD(out_cons), 99, VC_OK, VC_OK, VC_OK},
        {"the size in the header", FIELD(out_size), 0xffffffff, VC_OK, VC_OK, VC_OK},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct line l;
        struct vc_span spans[2];
        struct vc_line_event event;
        uint32_t n;
        bool there, kick = false;

        line_init(&l, 0);
        assert_int_equal(vc_source_put(&l.source, "0123456789", 10, &n, &kick), VC_OK);
        assert_int_equal(vc_source_post(&l.source, VC_LINE_BREAK, 0, &kick), VC_OK);
        memcpy((uint8_t *)l.page + rows[i].offset, &rows[i].value, sizeof rows[i].value);
        if (vc_sink_room(&l.sink, &n) != rows[i].room || n != (rows[i].room ? 0 : IN) ||
            vc_sink_peek(&l.sink, spans, &n) != rows[i].peek || n != (rows[i].peek ? 0 : 10) ||
            spans[0].n + spans[1].n != n || vc_sink_event(&l.sink, &event, &there) != rows[i].event || there)
            fail_msg("%s", rows[i].name);
        if (rows[i].room &&
            (vc_sink_put(&l.sink, "x", 1, &n, &kick) != VC_EPEER || n != 0 ||
             (rows[i].offset == FIELD(in_event_cons) && vc_sink_post(&l.sink, VC_LINE_BREAK, 0, &kick) != VC_EPEER)))
            fail_msg("%s: put", rows[i].name);
        free(l.page);
    }
}

static void hostile_to_the_source(void **state)
{
    static const struct {
        const char *name;
        size_t offset;
        uint32_t value;
        int room, get;
    } rows[] = {
        {"out_cons ahead of prod", FIELD(out_cons), 1, VC_EPEER, VC_OK},
        {"out_event_cons ahead of prod", FIELD(out_event_cons), 1, VC_EPEER, VC_OK},
        {"in_prod too far", FIELD(in_prod), IN + 1, VC_OK, VC_EPEER},
        {"in events too many", FIELD(in_event_prod), VC_LINE_IN_EVENTS + 1, VC_OK, VC_EPEER},
        {"event of another number", FIELD(in_events), 9, VC_OK, VC_EPEER},
        {"event past prod", FIELD(in_events) + 4, 6, VC_OK, VC_EPEER},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct line l;
        struct vc_line_event event;
        uint8_t buffer[16];
        uint32_t n;
        bool taken, kick = false;

        line_init(&l, 0);
        assert_int_equal(vc_sink_put(&l.sink, "01234", 5, &n, &kick), VC_OK);
        assert_int_equal(vc_sink_post(&l.sink, VC_LINE_RESIZE, 0, &kick), VC_OK);
        memcpy((uint8_t *)l.page + rows[i].offset, &rows[i].value, sizeof rows[i].value);
        if (vc_source_room(&l.source, &n) != rows[i].room || n != (rows[i].room ? 0 : OUT) ||
            vc_source_put(&l.source, "x", 1, &n, &kick) != rows[i].room || n != (rows[i].room ? 0 : 1) ||
            vc_source_event(&l.source, &event, &taken, &kick) != rows[i].get || taken ||
            vc_source_get(&l.source, buffer, sizeof buffer, &n, &kick) != rows[i].get || n != (rows[i].get ? 0 : 5))
            fail_msg("%s", rows[i].name);
        free(l.page);
    }
}

/* The reference for one direction: what was put in, in order; an event is its value with EVENT set. */
struct stream {
    uint32_t *items;
    size_t head, tail;
    uint32_t bytes, events; /* now under way */
};
enum { EVENT = 1 << 30, MOVES = 200000, ITEMS = MOVES * 64 };

static void stream_put(struct stream *q, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        q->items[q->tail++] = bytes[i];
    q->bytes += n;
}

static void stream_bytes(struct stream *q, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(q->items[q->head++], bytes[i]);
    q->bytes -= n;
}

static uint32_t up_to_event(const struct stream *q, uint32_t most)
{
    uint32_t n = 0;

    while (n < most && q->head + n < q->tail && (q->items[q->head + n] & EVENT) == 0)
        n++;
    return n;
}

static bool event_due(const struct stream *q) { return q->head < q->tail && (q->items[q->head] & EVENT) != 0; }

static void stream_event(struct stream *q, const struct vc_line_event *event)
{
    assert_int_equal(q->items[q->head++], EVENT | (uint32_t)event->value);
    assert_int_equal(event->kind, VC_LINE_GAP);
    q->events--;
}

static void out_move(struct line *l, struct stream *q, uint64_t *seed)
{
    uint8_t bytes[40];
    uint32_t n = 1 + random_below(seed, sizeof bytes), done;
    bool kick = false;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_next(seed);
    if (random_below(seed, 8) == 0) {
        n = random_below(seed, EVENT);
        if (q->events == VC_LINE_OUT_EVENTS) {
            assert_int_equal(vc_source_post(&l->source, VC_LINE_GAP, n, &kick), VC_ENOSPC);
            assert_int_equal(vc_source_put(&l->source, bytes, 1, &done, &kick), VC_OK);
            assert_int_equal(done, 0);
            return;
        }
        assert_int_equal(vc_source_post(&l->source, VC_LINE_GAP, n, &kick), VC_OK);
        q->items[q->tail++] = EVENT | n;
        q->events++;
        return;
    }
    assert_int_equal(vc_source_put(&l->source, bytes, n, &done, &kick), VC_OK);
    if (q->events < VC_LINE_OUT_EVENTS)
        assert_int_equal(done, n < out_size(l) - q->bytes ? n : out_size(l) - q->bytes);
    stream_put(q, bytes, done);
}

static void out_take(struct line *l, struct stream *q, uint64_t *seed)
{
    struct vc_span spans[2];
    struct vc_line_event event;
    uint32_t n, first;
    bool due;

    assert_int_equal(vc_sink_event(&l->sink, &event, &due), VC_OK);
    assert_int_equal(due, event_due(q));
    assert_int_equal(vc_sink_peek(&l->sink, spans, &n), VC_OK);
    assert_int_equal(n, up_to_event(q, OUT));
    assert_int_equal(spans[0].n + spans[1].n, n);
    if (due) {
        stream_event(q, &event);
        vc_sink_event_done(&l->sink);
        return;
    }
    n = random_below(seed, 4) ? n : random_below(seed, n + 1);
    first = n < spans[0].n ? n : spans[0].n;
    stream_bytes(q, spans[0].bytes, first);
    stream_bytes(q, spans[1].bytes, n - first);
    vc_sink_commit(&l->sink, n);
    assert_int_equal(vc_sink_idle(&l->sink), q->head == q->tail);
}

static void in_move(struct line *l, struct stream *q, uint64_t *seed)
{
    uint8_t bytes[40];
    uint32_t n = 1 + random_below(seed, sizeof bytes), done;
    bool kick = false;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_next(seed);
    if (random_below(seed, 8) == 0) {
        n = random_below(seed, EVENT);
        assert_int_equal(vc_sink_post(&l->sink, VC_LINE_GAP, n, &kick),
                         q->events == VC_LINE_IN_EVENTS ? VC_ENOSPC : VC_OK);
        if (q->events == VC_LINE_IN_EVENTS)
            return;
        q->items[q->tail++] = EVENT | n;
        q->events++;
        return;
    }
    assert_int_equal(vc_sink_put(&l->sink, bytes, n, &done, &kick), VC_OK);
    assert_int_equal(done, q->events == VC_LINE_IN_EVENTS ? 0 : n < in_size(l) - q->bytes ? n : in_size(l) - q->bytes);
    stream_put(q, bytes, done);
}

static void in_take(struct line *l, struct stream *q, uint64_t *seed)
{
    struct vc_line_event event;
    uint8_t bytes[200];
    uint32_t n = random_below(seed, sizeof bytes), done;
    bool taken, due = event_due(q), kick = false;

    assert_int_equal(vc_source_event(&l->source, &event, &taken, &kick), VC_OK);
    assert_int_equal(taken, due);
    if (taken)
        stream_event(q, &event);
    assert_int_equal(vc_source_get(&l->source, bytes, n, &done, &kick), VC_OK);
    assert_int_equal(done, up_to_event(q, n));
    stream_bytes(q, bytes, done);
    assert_int_equal(vc_source_idle(&l->source), q->head == q->tail);
}

/* On lines, and on ring pages of Xen's. */
static void order_equals_a_reference(void **state)
{
    static const uint32_t starts[] = {0, 0xffffffe0, 0x7fffff00};
    struct stream out = {.items = malloc(ITEMS * sizeof(uint32_t))}, in = {.items = malloc(ITEMS * sizeof(uint32_t))};
    uint64_t seed = 99;

    (void)state;
    assert_true(out.items != NULL && in.items != NULL);
    for (size_t i = 0; i < 2 * N_ROWS(starts); i++) {
        struct line l;

        (i % 2 == 0 ? line_init : ring_init)(&l, starts[i / 2]);
        out.head = out.tail = out.bytes = out.events = in.head = in.tail = in.bytes = in.events = 0;
        for (unsigned m = 0; m < MOVES; m++) {
            bool fill = m / 1000 % 2 == 0; /* for a while more comes than goes: the rings fill up */

            (random_below(&seed, 4) > (fill ? 0 : 2) ? out_move : out_take)(&l, &out, &seed);
            (random_below(&seed, 4) > (fill ? 0 : 2) ? in_move : in_take)(&l, &in, &seed);
        }
        free(l.page);
    }
    free(out.items);
    free(in.items);
}

static void tags_are_never_zero_and_differ_in_a_ring(void **state)
{
    static const uint32_t around[] = {0, 0x7fff, 0xffff, 0x10000, 0x1ffff, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < N_ROWS(around); i++)
        for (uint32_t a = around[i] - 100; a != around[i] + 100; a++) {
            assert_int_not_equal(vc_line_event_tag(a), 0);
            for (uint32_t b = a + 1; b != a + VC_LINE_OUT_EVENTS; b++)
                assert_int_not_equal(vc_line_event_tag(a), vc_line_event_tag(b));
        }
}

/* Stream: 4 bytes, event 0, 4 bytes, event 1, event 2, 4 bytes, event 3. The log holds what comes before
 * `cons` and the events up to the one named by `tag`; what must come next? */
static void resume_goes_on_behind_what_is_stored(void **state)
{
    static const struct {
        const char *name;
        uint32_t cons;
        int last; /* event recorded last; -1: none */
        int error;
        uint32_t n; /* bytes that then come before the next event */
        int next;   /* number of that event; 4: none left */
    } rows[] = {
        {"nothing was stored", 0, -1, VC_OK, 4, 0},
        {"some bytes were", 3, -1, VC_OK, 1, 0},
        {"bytes up to an event, not the event", 4, -1, VC_OK, 0, 0},
        {"that event too", 4, 0, VC_OK, 4, 1},
        {"bytes behind it", 6, 0, VC_OK, 2, 1},
        {"one of two at one place", 8, 1, VC_OK, 0, 2},
        {"both of them", 8, 2, VC_OK, 4, 3},
        {"all", 12, 3, VC_OK, 0, 4},
        {"the record of an event behind us was torn off", 6, -1, VC_OK, 2, 1},
        {"an event that is none of these", 4, 40, VC_OK, 0, 0},
        {"past prod", 13, -1, VC_EPEER, 4, 0},
        {"before cons", UINT32_MAX, -1, VC_EPEER, 4, 0},
    };
    static const uint32_t starts[] = {0, 0xfffa, 0xfffffffa, 0x7ffffffa};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows) * N_ROWS(starts); i++) {
        size_t r = i % N_ROWS(rows);
        uint32_t start = starts[i / N_ROWS(rows)], n, done;
        struct line l;
        struct vc_span spans[2];
        struct vc_line_event event;
        bool due, kick = false;

        line_init(&l, start);
        for (int e = 0; e < 4; e++) {
            if (e != 2)
                assert_int_equal(vc_source_put(&l.source, "abcd", 4, &done, &kick), VC_OK);
            assert_int_equal(vc_source_post(&l.source, VC_LINE_GAP, (uint64_t)e, &kick), VC_OK);
        }
        assert_int_equal(vc_sink_open(&l.sink, l.page, BYTES), VC_OK);
        if (vc_sink_resume(&l.sink, start + rows[r].cons,
                           rows[r].last < 0 ? 0 : vc_line_event_tag(start + (uint32_t)rows[r].last)) != rows[r].error)
            fail_msg("%s", rows[r].name);
        assert_int_equal(vc_sink_peek(&l.sink, spans, &n), VC_OK);
        if (n != rows[r].n)
            fail_msg("%s: %u bytes", rows[r].name, n);
        vc_sink_commit(&l.sink, n);
        assert_int_equal(vc_sink_event(&l.sink, &event, &due), VC_OK);
        if (due != (rows[r].next < 4) || (due && event.value != (uint64_t)rows[r].next))
            fail_msg("%s: event", rows[r].name);
        free(l.page);
    }
}

static void resume_refuses_hostile_memory(void **state)
{
    static const struct {
        const char *name;
        size_t offset;
        uint32_t value;
    } rows[] = {
        {"indices", FIELD(out_prod), OUT + 1},
        {"more events than slots", FIELD(out_event_prod), VC_LINE_OUT_EVENTS + 1},
        {"an event of another number", FIELD(out_events), 77},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct line l;
        uint32_t done;
        bool kick = false;

        line_init(&l, 0);
        assert_int_equal(vc_source_put(&l.source, "abcd", 4, &done, &kick), VC_OK);
        assert_int_equal(vc_source_post(&l.source, VC_LINE_GAP, 1, &kick), VC_OK);
        assert_int_equal(vc_sink_open(&l.sink, l.page, BYTES), VC_OK);
        memcpy((uint8_t *)l.page + rows[i].offset, &rows[i].value, sizeof rows[i].value);
        if (vc_sink_resume(&l.sink, 2, 1) != VC_EPEER || l.page->out_cons != 0 || l.page->out_event_cons != 0)
            fail_msg("%s", rows[i].name);
        free(l.page);
    }
}

/* Each act kicks the peer that sleeps for it, once, and nobody else. */
static void kicks_who_sleeps(void **state)
{
    enum act { PUT, POST, COMMIT, EVENT_DONE, IN_PUT, IN_POST, IN_GET, IN_EVENT };
    static const struct {
        const char *name;
        enum act act;
        size_t word; /* that wakes by it */
    } rows[] = {
        {"bytes out", PUT, FIELD(out_bytes_wait)},     {"an event out", POST, FIELD(out_bytes_wait)},
        {"bytes taken", COMMIT, FIELD(out_room_wait)}, {"an event taken", EVENT_DONE, FIELD(out_room_wait)},
        {"bytes in", IN_PUT, FIELD(in_bytes_wait)},    {"an event in", IN_POST, FIELD(in_bytes_wait)},
        {"input taken", IN_GET, FIELD(in_room_wait)},  {"its event taken", IN_EVENT, FIELD(in_room_wait)},
    };
    static const size_t words[] = {FIELD(out_bytes_wait), FIELD(out_room_wait), FIELD(in_bytes_wait),
                                   FIELD(in_room_wait)};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows) * 2; i++) {
        size_t r = i / 2;
        bool armed = i % 2, kick = false, taken;
        struct line l;
        struct vc_line_event event;
        uint8_t byte;
        uint32_t n;

        line_init(&l, 0);
        if (rows[r].act == COMMIT)
            assert_int_equal(vc_source_put(&l.source, "x", 1, &n, &kick), VC_OK);
        if (rows[r].act == EVENT_DONE)
            assert_int_equal(vc_source_post(&l.source, VC_LINE_BREAK, 0, &kick), VC_OK);
        if (rows[r].act == IN_GET)
            assert_int_equal(vc_sink_put(&l.sink, "x", 1, &n, &kick), VC_OK);
        if (rows[r].act == IN_EVENT)
            assert_int_equal(vc_sink_post(&l.sink, VC_LINE_BREAK, 0, &kick), VC_OK);
        assert_false(kick);
        if (armed) {
            vc_source_arm_bytes(&l.source);
            vc_source_arm_room(&l.source);
            vc_sink_arm_bytes(&l.sink);
            vc_sink_arm_room(&l.sink);
        }
        switch (rows[r].act) {
        case PUT: assert_int_equal(vc_source_put(&l.source, "x", 1, &n, &kick), VC_OK); break;
        case POST: assert_int_equal(vc_source_post(&l.source, VC_LINE_BREAK, 0, &kick), VC_OK); break;
        case COMMIT: kick = vc_sink_commit(&l.sink, 1); break;
        case EVENT_DONE: kick = vc_sink_event_done(&l.sink); break;
        case IN_PUT: assert_int_equal(vc_sink_put(&l.sink, "x", 1, &n, &kick), VC_OK); break;
        case IN_POST: assert_int_equal(vc_sink_post(&l.sink, VC_LINE_BREAK, 0, &kick), VC_OK); break;
        case IN_GET: assert_int_equal(vc_source_get(&l.source, &byte, 1, &n, &kick), VC_OK); break;
        case IN_EVENT: assert_int_equal(vc_source_event(&l.source, &event, &taken, &kick), VC_OK); break;
        }
        if (kick != armed)
            fail_msg("%s: kick %d", rows[r].name, kick);
        for (size_t w = 0; w < N_ROWS(words); w++)
            if (*(uint32_t *)((uint8_t *)l.page + words[w]) != (armed && words[w] != rows[r].word))
                fail_msg("%s: word %zu", rows[r].name, w);
        free(l.page);
    }
}

static void a_full_line_kicks_nobody(void **state)
{
    static const uint8_t bytes[OUT + 1];
    struct line l;
    uint32_t n;
    bool kick = false;

    (void)state;
    line_init(&l, 0);
    assert_int_equal(vc_source_put(&l.source, bytes, sizeof bytes, &n, &kick), VC_OK);
    assert_int_equal(n, OUT);
    vc_sink_arm_bytes(&l.sink);
    assert_int_equal(vc_source_put(&l.source, bytes, 1, &n, &kick), VC_OK);
    assert_int_equal(n, 0);
    assert_false(kick);
    free(l.page);
}

/* Who could post no event must not be able to put bytes either: they would overtake it. */
static void full_events_are_a_full_line(void **state)
{
    struct line l;
    struct vc_line_event event;
    bool kick = false, taken;
    uint32_t n;

    (void)state;
    line_init(&l, 0);
    for (unsigned i = 0; i < VC_LINE_OUT_EVENTS; i++)
        assert_int_equal(vc_source_post(&l.source, VC_LINE_BREAK, 0, &kick), VC_OK);
    for (unsigned i = 0; i < VC_LINE_IN_EVENTS; i++)
        assert_int_equal(vc_sink_post(&l.sink, VC_LINE_BREAK, 0, &kick), VC_OK);
    assert_int_equal(vc_source_post(&l.source, VC_LINE_BREAK, 0, &kick), VC_ENOSPC);
    assert_int_equal(vc_sink_post(&l.sink, VC_LINE_BREAK, 0, &kick), VC_ENOSPC);
    assert_true(vc_source_room(&l.source, &n) == VC_OK && n == 0);
    assert_true(vc_sink_room(&l.sink, &n) == VC_OK && n == 0);
    assert_true(vc_source_put(&l.source, "x", 1, &n, &kick) == VC_OK && n == 0);
    assert_true(vc_sink_put(&l.sink, "x", 1, &n, &kick) == VC_OK && n == 0);
    vc_sink_event_done(&l.sink);
    assert_int_equal(vc_source_event(&l.source, &event, &taken, &kick), VC_OK);
    assert_true(vc_source_room(&l.source, &n) == VC_OK && n == OUT);
    assert_true(vc_sink_room(&l.sink, &n) == VC_OK && n == IN);
    free(l.page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_a_line),
        cmocka_unit_test(hostile_headers),
        cmocka_unit_test(memory_smaller_than_it_says),
        cmocka_unit_test(the_sink_keeps_the_id),
        cmocka_unit_test(hostile_after_open),
        cmocka_unit_test(hostile_rings),
        cmocka_unit_test(rings_kick_after_each_change),
        cmocka_unit_test(hostile_to_the_source),
        cmocka_unit_test(order_equals_a_reference),
        cmocka_unit_test(tags_are_never_zero_and_differ_in_a_ring),
        cmocka_unit_test(resume_goes_on_behind_what_is_stored),
        cmocka_unit_test(resume_refuses_hostile_memory),
        cmocka_unit_test(kicks_who_sleeps),
        cmocka_unit_test(a_full_line_kicks_nobody),
        cmocka_unit_test(full_events_are_a_full_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
