/* SPDX-License-Identifier: MIT */
/*
 * The ring between two threads: every byte in order whatever the sizes; and a peer that scribbles over every
 * index while each end works (T4), which may cost the stream its sense but never a step outside the ring.
 */
#include "stress.h"
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/ring.h>

enum { SIZE_MAX_LOG = 11, BYTES_EACH = 100000 };

static struct {
    uint8_t *bytes;
    uint32_t prod, cons;
    struct vc_ring ring;
    uint32_t stop;
    uint32_t own; /* the working end's private index: hostile values near it are the dangerous ones */
} shared;

static void shared_init(uint32_t size, uint32_t start)
{
    free(shared.bytes);
    shared.bytes = malloc(size);
    require(shared.bytes != NULL);
    shared.prod = shared.cons = start;
    shared.ring = (struct vc_ring){shared.bytes, size, &shared.prod, &shared.cons};
    shared.stop = 0;
}

static void *produce(void *unused)
{
    struct vc_producer p;
    uint64_t seed = 1, sent = 0;
    uint8_t bytes[300];

    require(vc_producer_attach(&p, &shared.ring) == VC_OK);
    while (sent < BYTES_EACH) {
        uint32_t n = 1 + random_below(&seed, sizeof bytes), put;

        for (uint32_t i = 0; i < n; i++)
            bytes[i] = stream_byte(sent + i);
        require(vc_producer_put(&p, bytes, n, &put) == VC_OK);
        sent += put;
        if (put < n)
            sched_yield();
        random_delay(&seed);
    }
    return unused;
}

/* Takes at least BYTES_EACH bytes, by get and by spans in turn. */
static void consume(void)
{
    struct vc_consumer c;
    uint64_t seed = 2, had = 0;
    uint8_t bytes[300];

    require(vc_consumer_attach(&c, &shared.ring) == VC_OK);
    while (had < BYTES_EACH) {
        struct vc_span spans[2];
        uint32_t n;

        if (random_below(&seed, 2) == 0) {
            require(vc_consumer_get(&c, bytes, 1 + random_below(&seed, sizeof bytes), &n) == VC_OK);
            for (uint32_t i = 0; i < n; i++)
                require(bytes[i] == stream_byte(had + i));
        } else {
            require(vc_consumer_peek(&c, spans, &n) == VC_OK);
            for (uint32_t i = 0; i < n; i++)
                require((i < spans[0].n ? spans[0].bytes[i] : spans[1].bytes[i - spans[0].n]) == stream_byte(had + i));
            vc_consumer_commit(&c, n);
        }
        had += n;
        if (n == 0)
            sched_yield();
        random_delay(&seed);
    }
}

static void bytes_stay_in_order(void)
{
    static const uint32_t starts[] = {0, 0xffff0000};

    for (unsigned log = 3; log <= SIZE_MAX_LOG; log += 4)
        for (unsigned i = 0; i < 2; i++) {
            pthread_t thread;

            shared_init(1u << log, starts[i]);
            require(pthread_create(&thread, NULL, produce, NULL) == 0);
            consume();
            require(pthread_join(thread, NULL) == 0);
        }
}

static void *scribble(void *unused)
{
    uint64_t seed = 3;

    while (vc_load_relaxed(&shared.stop) == 0) {
        uint32_t near = vc_load_relaxed(&shared.own);
        uint32_t value = random_below(&seed, 4) ? near + random_below(&seed, 200) - 100 : (uint32_t)random_next(&seed);

        vc_store_relaxed(random_below(&seed, 2) ? &shared.prod : &shared.cons, value);
    }
    return unused;
}

/* One end works while the other thread scribbles; malloc'd bytes under a sanitizer show any step outside. */
static void hostile_indices_stay_inside(bool producer)
{
    static uint8_t bytes[64];
    struct vc_producer p;
    struct vc_consumer c;
    struct vc_span spans[2];
    pthread_t thread;
    unsigned legal = 0, refused = 0;

    shared_init(64, 0);
    require(vc_producer_attach(&p, &shared.ring) == VC_OK && vc_consumer_attach(&c, &shared.ring) == VC_OK);
    require(pthread_create(&thread, NULL, scribble, NULL) == 0);
    for (unsigned i = 0; i < 100000 || legal == 0 || refused == 0; i++) {
        uint32_t n;
        int error;

        vc_store_relaxed(&shared.own, producer ? p.prod : c.cons);
        error = producer ? vc_producer_put(&p, bytes, sizeof bytes, &n) : vc_consumer_get(&c, bytes, sizeof bytes, &n);

        require(error == VC_OK || (error == VC_EPEER && n == 0));
        require(n <= sizeof bytes);
        legal += error == VC_OK && n > 0;
        refused += error != VC_OK;
        if (!producer && vc_consumer_peek(&c, spans, &n) == VC_OK)
            require(n <= 64 && spans[0].n + spans[1].n == n && spans[1].bytes == shared.bytes &&
                    spans[0].bytes + spans[0].n <= shared.bytes + 64);
    }
    vc_store_relaxed(&shared.stop, 1);
    require(pthread_join(thread, NULL) == 0);
}

int main(void)
{
    alarm(120); /* a hang is a failure */
    bytes_stay_in_order();
    hostile_indices_stay_inside(true);
    hostile_indices_stay_inside(false);
    free(shared.bytes);
    return 0;
}
