/* SPDX-License-Identifier: MIT */
/* The ring of one thread: indices of every kind (T4), and against a reference queue (T6). test_ring_stress.c
 * has the threads. */
#include "random.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <vcons/ring.h>

enum { SIZE = 64 };

struct shared { /* exactly as large as it says: the address sanitizer sees any step outside */
    uint8_t *bytes;
    uint32_t prod, cons;
    struct vc_ring ring;
};

static void shared_init(struct shared *s, uint32_t size, uint32_t prod, uint32_t cons)
{
    s->bytes = calloc(1, size);
    assert_non_null(s->bytes);
    s->prod = prod;
    s->cons = cons;
    s->ring = (struct vc_ring){s->bytes, size, &s->prod, &s->cons};
}

static void attach_takes_legal_indices_only(void **state)
{
    static const struct {
        const char *name;
        uint32_t size, prod, cons;
        int error;
    } rows[] = {
        {"a zeroed ring is empty", SIZE, 0, 0, VC_OK},
        {"full", SIZE, SIZE, 0, VC_OK},
        {"one more than full", SIZE, SIZE + 1, 0, VC_EPEER},
        {"cons ahead of prod", SIZE, 0, 1, VC_EPEER},
        {"half the numbers apart", SIZE, 0x80000000, 0, VC_EPEER},
        {"prod wrapped, legal", SIZE, 3, 0xfffffff0, VC_OK},
        {"prod wrapped, too far", SIZE, SIZE, 0xffffffff, VC_EPEER},
        {"all ones", SIZE, 0xffffffff, 0xffffffff, VC_OK},
        {"no size", 0, 0, 0, VC_EINVAL},
        {"a size that is no power of two", 48, 0, 0, VC_EINVAL},
        {"the smallest size", 1, 1, 0, VC_OK},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct shared s;
        struct vc_producer p;
        struct vc_consumer c;

        shared_init(&s, rows[i].size ? rows[i].size : 1, rows[i].prod, rows[i].cons);
        s.ring.size = rows[i].size;
        if (vc_producer_attach(&p, &s.ring) != rows[i].error || vc_consumer_attach(&c, &s.ring) != rows[i].error)
            fail_msg("%s", rows[i].name);
        free(s.bytes);
    }
}

static void attach_at_lies_between_the_indices(void **state)
{
    static const struct {
        const char *name;
        uint32_t prod, cons, at;
        int error;
    } rows[] = {
        {"where it was", 10, 5, 5, VC_OK},
        {"in the middle", 10, 5, 7, VC_OK},
        {"all of it was taken", 10, 5, 10, VC_OK},
        {"before the one in memory: those slots were freed", 10, 5, 4, VC_EPEER},
        {"past prod", 10, 5, 11, VC_EPEER},
        {"over the wrap", 5, 0xfffffffb, 2, VC_OK},
        {"illegal indices, legal distance", 5, 1000, 3, VC_EPEER},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct shared s;
        struct vc_consumer c;
        struct vc_span spans[2];
        uint32_t n;

        shared_init(&s, SIZE, rows[i].prod, rows[i].cons);
        if (vc_consumer_attach_at(&c, &s.ring, rows[i].at) != rows[i].error)
            fail_msg("%s", rows[i].name);
        if (rows[i].error == VC_OK && (vc_consumer_peek(&c, spans, &n) || n != rows[i].prod - rows[i].at))
            fail_msg("%s: peek", rows[i].name);
        free(s.bytes);
    }
    {
        struct shared s;
        struct vc_consumer c;

        shared_init(&s, SIZE, 0, 0);
        s.ring.size = 3;
        assert_int_equal(vc_consumer_attach_at(&c, &s.ring, 0), VC_EINVAL);
        free(s.bytes);
    }
}

/* 256 numbers at which 32-bit arithmetic, sizes or signs turn over. */
static uint32_t edge(unsigned i)
{
    static const uint32_t around[] = {
        0, SIZE, 2 * SIZE, 0x10000, 0x7fffffff - SIZE, 0x80000000, 0x80000000 + SIZE, 0u - SIZE};

    return around[i / 32] + i % 32 - 16;
}

static void inside(const struct shared *s, const struct vc_span *span)
{
    assert_true(span->bytes >= s->bytes && span->n <= s->ring.size);
    assert_true(span->n == 0 || span->bytes + span->n <= s->bytes + s->ring.size);
}

/* The other side shows theirs while our own index is own. used by 64-bit numbers, not by the ring's own
 * arithmetic. */
static void consumer_sees(struct shared *s, uint32_t own, uint32_t theirs)
{
    uint64_t used = theirs >= own ? theirs - (uint64_t)own : theirs + (UINT64_C(1) << 32) - own;
    bool legal = used <= s->ring.size;
    struct vc_consumer c = {s->ring, own};
    struct vc_span spans[2];
    uint8_t out[SIZE];
    uint32_t n, got;

    s->prod = theirs;
    assert_int_equal(vc_consumer_peek(&c, spans, &n), legal ? VC_OK : VC_EPEER);
    assert_int_equal(n, legal ? used : 0);
    assert_int_equal(spans[0].n + spans[1].n, n);
    inside(s, &spans[0]);
    inside(s, &spans[1]);
    assert_int_equal(vc_consumer_get(&c, out, sizeof out, &got), legal ? VC_OK : VC_EPEER);
    assert_int_equal(got, n);
    assert_int_equal(c.cons, own + got);
}

static void producer_sees(struct shared *s, uint32_t own, uint32_t theirs)
{
    uint64_t used = own >= theirs ? own - (uint64_t)theirs : own + (UINT64_C(1) << 32) - theirs;
    bool legal = used <= s->ring.size;
    struct vc_producer p = {s->ring, own};
    static const uint8_t in[SIZE + 1];
    uint32_t room, put;

    s->cons = theirs;
    s->prod = 0x5a5a5a5a;
    assert_int_equal(vc_producer_room(&p, &room), legal ? VC_OK : VC_EPEER);
    assert_int_equal(room, legal ? s->ring.size - used : 0);
    assert_int_equal(vc_producer_put(&p, in, sizeof in, &put), legal ? VC_OK : VC_EPEER);
    assert_int_equal(put, room);
    assert_int_equal(p.prod, own + put);
    assert_int_equal(s->prod, put > 0 ? p.prod : 0x5a5a5a5a);
}

static void every_pair_of_edges(void **state)
{
    struct shared s;

    (void)state;
    shared_init(&s, SIZE, 0, 0);
    for (unsigned i = 0; i < 256; i++)
        for (unsigned j = 0; j < 256; j++) {
            consumer_sees(&s, edge(i), edge(j));
            producer_sees(&s, edge(i), edge(j));
        }
    free(s.bytes);
}

static void random_pairs(void **state)
{
    uint64_t seed = 20261121;
    struct shared s;

    (void)state;
    shared_init(&s, SIZE, 0, 0);
    for (unsigned i = 0; i < 5000000; i++) {
        uint32_t own = (uint32_t)random_next(&seed);
        /* Uniform pairs are almost never legal: half of them are drawn near each other. */
        uint32_t theirs = i & 1 ? own + random_below(&seed, 4 * SIZE) - 2 * SIZE : (uint32_t)random_next(&seed);

        consumer_sees(&s, own, theirs);
        producer_sees(&s, own, theirs);
    }
    free(s.bytes);
}

struct queue { /* the reference: a plain array that never wraps */
    uint8_t *bytes;
    size_t head, tail;
};

static void move_some(struct queue *q, struct vc_producer *p, struct vc_consumer *c, uint64_t *seed)
{
    uint32_t n = random_below(seed, p->ring.size + 3), done, used = (uint32_t)(q->tail - q->head);
    uint8_t buffer[SIZE + 3];
    struct vc_span spans[2];

    switch (random_below(seed, 3)) {
    case 0:
        assert_int_equal(vc_producer_put(p, q->bytes + q->tail, n, &done), VC_OK);
        assert_int_equal(done, n < p->ring.size - used ? n : p->ring.size - used);
        q->tail += done;
        break;
    case 1:
        assert_int_equal(vc_consumer_get(c, buffer, n, &done), VC_OK);
        assert_int_equal(done, n < used ? n : used);
        assert_memory_equal(buffer, q->bytes + q->head, done);
        q->head += done;
        break;
    default:
        assert_int_equal(vc_consumer_peek(c, spans, &done), VC_OK);
        assert_int_equal(done, used);
        assert_memory_equal(spans[0].bytes, q->bytes + q->head, spans[0].n);
        assert_memory_equal(spans[1].bytes, q->bytes + q->head + spans[0].n, spans[1].n);
        done = random_below(seed, done + 1);
        vc_consumer_commit(c, done);
        q->head += done;
    }
}

static void equals_a_reference_queue(void **state)
{
    static const uint32_t starts[] = {0, 0xffffff00, 0x7fffff00};
    static const uint32_t sizes[] = {1, 2, 16, SIZE};
    enum { MOVES = 100000 };
    struct queue q = {malloc((size_t)MOVES * (SIZE + 3)), 0, 0};
    uint64_t seed = 77;

    (void)state;
    assert_non_null(q.bytes);
    for (size_t i = 0; i < (size_t)MOVES * (SIZE + 3); i++)
        q.bytes[i] = (uint8_t)random_next(&seed);
    for (size_t i = 0; i < N_ROWS(starts) * N_ROWS(sizes); i++) {
        struct shared s;
        struct vc_producer p;
        struct vc_consumer c;

        shared_init(&s, sizes[i % N_ROWS(sizes)], starts[i / N_ROWS(sizes)], starts[i / N_ROWS(sizes)]);
        assert_int_equal(vc_producer_attach(&p, &s.ring), VC_OK);
        assert_int_equal(vc_consumer_attach(&c, &s.ring), VC_OK);
        q.head = q.tail = 0;
        for (unsigned m = 0; m < MOVES; m++)
            move_some(&q, &p, &c, &seed);
        free(s.bytes);
    }
    free(q.bytes);
}

/* Our own index in memory is the peer's to scribble on; the next publication writes over it. */
static void own_index_in_memory_is_never_read_back(void **state)
{
    struct shared s;
    struct vc_producer p;
    struct vc_consumer c;
    uint8_t byte = 'a';
    uint32_t n;

    (void)state;
    shared_init(&s, SIZE, 0, 0);
    assert_int_equal(vc_producer_attach(&p, &s.ring), VC_OK);
    assert_int_equal(vc_consumer_attach(&c, &s.ring), VC_OK);
    s.prod = 0xdeadbeef;
    assert_int_equal(vc_producer_put(&p, &byte, 1, &n), VC_OK);
    assert_int_equal(s.prod, 1);
    s.cons = 0xdeadbeef;
    assert_int_equal(vc_consumer_get(&c, &byte, 1, &n), VC_OK);
    assert_int_equal(s.cons, 1);
    free(s.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attach_takes_legal_indices_only),
        cmocka_unit_test(attach_at_lies_between_the_indices),
        cmocka_unit_test(every_pair_of_edges),
        cmocka_unit_test(random_pairs),
        cmocka_unit_test(equals_a_reference_queue),
        cmocka_unit_test(own_index_in_memory_is_never_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
