/* SPDX-License-Identifier: MIT */
/*
 * A line between two threads that sleep on eventfds (T18 iv in code): bytes and events in order both ways,
 * and no wakeup is lost: each side sleeps without a time limit, so that a lost one stops the test. Every
 * message is small and each side is often awake too late or too early: that is where sleeping and waking meet.
 */
#include "stress.h"
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <vcons/line.h>

enum { OUT = 4096, IN = 4096, EVENT_EACH = 97 };

static struct vc_line_header *page;
static size_t line_bytes;
static uint64_t total; /* bytes each way */
static int out_bytes, out_room, in_bytes, in_room;

static void kick(int fd) { require(write(fd, &(uint64_t){1}, 8) == 8); }

static void wait_for(int fd)
{
    uint64_t n;

    require(read(fd, &n, sizeof n) == sizeof n);
}

/* An event stands before each byte whose number EVENT_EACH divides, and carries that number. */
static uint32_t up_to_event(uint64_t at, uint32_t n)
{
    uint64_t left = EVENT_EACH - at % EVENT_EACH;

    return n < left ? n : (uint32_t)left;
}

static void *source_out(void *arg)
{
    struct vc_source *s = arg;
    uint64_t seed = 11, sent = 0;
    bool posted = false;

    while (sent < total) {
        uint8_t bytes[200];
        uint32_t n = up_to_event(sent, 1 + random_below(&seed, random_below(&seed, 16) ? 3 : sizeof bytes)), put = 0;
        bool wake = false;

        if (sent % EVENT_EACH == 0 && !posted) {
            int error = vc_source_post(s, VC_LINE_GAP, sent, &wake);

            require(error == VC_OK || error == VC_ENOSPC);
            posted = error == VC_OK;
        }
        if (sent % EVENT_EACH != 0 || posted) {
            for (uint32_t i = 0; i < n; i++)
                bytes[i] = stream_byte(sent + i);
            require(vc_source_put(s, bytes, n, &put, &wake) == VC_OK);
            posted = posted && put == 0;
        }
        sent += put;
        if (wake)
            kick(out_bytes);
        if (put == 0) {
            uint32_t room;

            vc_source_arm_room(s);
            require(vc_source_room(s, &room) == VC_OK);
            if (room == 0)
                wait_for(out_room);
        }
        random_delay(&seed);
    }
    return NULL;
}

static void *sink_out(void *arg)
{
    struct vc_sink *s = arg;
    uint64_t seed = 12, had = 0, events = 0;

    while (had < total) {
        struct vc_span spans[2];
        struct vc_line_event event;
        uint32_t n;
        bool due, wake = false;

        require(vc_sink_event(s, &event, &due) == VC_OK);
        if (due) {
            require(event.value == had && had == events++ * EVENT_EACH);
            wake = vc_sink_event_done(s);
        }
        require(vc_sink_peek(s, spans, &n) == VC_OK);
        for (uint32_t i = 0; i < n; i++)
            require((i < spans[0].n ? spans[0].bytes[i] : spans[1].bytes[i - spans[0].n]) == stream_byte(had + i));
        if (n > 0)
            wake |= vc_sink_commit(s, n);
        had += n;
        require((had + EVENT_EACH - 1) / EVENT_EACH <= events); /* no byte overtook its event */
        if (wake)
            kick(out_room);
        if (had < total) {
            vc_sink_arm_bytes(s);
            if (vc_sink_idle(s))
                wait_for(out_bytes);
        }
        random_delay(&seed);
    }
    return NULL;
}

static void *sink_in(void *arg)
{
    struct vc_sink *s = arg;
    uint64_t seed = 13, sent = 0;

    while (sent < total) {
        uint8_t bytes[40];
        uint32_t n = 1 + random_below(&seed, sizeof bytes), put, room;
        bool wake = false;

        for (uint32_t i = 0; i < n; i++)
            bytes[i] = stream_byte(sent + i);
        require(vc_sink_put(s, bytes, n, &put, &wake) == VC_OK);
        sent += put;
        if (put == n && random_below(&seed, 32) == 0) {
            int error = vc_sink_post(s, VC_LINE_RESIZE, sent, &wake);

            require(error == VC_OK || error == VC_ENOSPC);
        }
        if (wake)
            kick(in_bytes);
        if (put < n) {
            vc_sink_arm_room(s);
            require(vc_sink_room(s, &room) == VC_OK);
            if (room == 0)
                wait_for(in_room);
        }
        random_delay(&seed);
    }
    return NULL;
}

static void *source_in(void *arg)
{
    struct vc_source *s = arg;
    uint64_t seed = 14, had = 0;

    while (had < total) {
        struct vc_line_event event;
        uint8_t bytes[64];
        uint32_t n;
        bool taken, wake = false;

        require(vc_source_event(s, &event, &taken, &wake) == VC_OK);
        if (taken)
            require(event.value == had);
        require(vc_source_get(s, bytes, sizeof bytes, &n, &wake) == VC_OK);
        for (uint32_t i = 0; i < n; i++)
            require(bytes[i] == stream_byte(had + i));
        had += n;
        if (wake)
            kick(in_room);
        if (n == 0 && had < total) {
            vc_source_arm_bytes(s);
            if (vc_source_idle(s))
                wait_for(in_bytes);
        }
        random_delay(&seed);
    }
    return NULL;
}

static void run_pair(void *(*producer)(void *), void *p, void *(*consumer)(void *), void *c)
{
    pthread_t a, b;

    require(pthread_create(&a, NULL, producer, p) == 0 && pthread_create(&b, NULL, consumer, c) == 0);
    require(pthread_join(a, NULL) == 0 && pthread_join(b, NULL) == 0);
}

/* argv[1]: bytes each way; argv[2]: seconds after which it counts as stuck. */
int main(int argc, char **argv)
{
    struct vc_source source;
    struct vc_sink sink;

    total = argc > 1 ? strtoull(argv[1], NULL, 10) : 3000000;
    alarm(argc > 2 ? (unsigned)atoi(argv[2]) : 120);
    line_bytes = vc_line_bytes(OUT, IN);
    page = aligned_alloc(4096, line_bytes);
    require(page != NULL && vc_line_format(page, OUT, IN, (const uint8_t[16]){1}) == VC_OK);
    page->out_prod = page->out_cons = page->in_prod = page->in_cons = 0u - 100000; /* it wraps on the way */
    out_bytes = eventfd(0, 0), out_room = eventfd(0, 0), in_bytes = eventfd(0, 0), in_room = eventfd(0, 0);
    require(vc_source_open(&source, page, line_bytes) == VC_OK && vc_sink_open(&sink, page, line_bytes) == VC_OK);
    run_pair(source_out, &source, sink_out, &sink);
    run_pair(sink_in, &sink, source_in, &source);
    free(page);
    return 0;
}
