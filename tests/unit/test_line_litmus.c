/* SPDX-License-Identifier: MIT */
/*
 * The orders that a line's sleep and wake stand on, as litmus tests of the real functions (T19): one thread publishes and
 * looks at the wait word while the other arms and looks again. That the first does not kick and the second would sleep is
 * the lost wakeup; it must never be seen. tests/mutants takes each order away and sees it.
 */
#include "stress.h"
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/line.h>

enum { SIZE = 4096, MEMORY = VC_LINE_HEADER_BYTES + 2 * SIZE, LONGEST_DELAY = 600 };

static struct {
    struct vc_line_header *page;
    struct vc_source source;
    struct vc_sink sink;
} line;
static uint32_t go, done, idle; /* the round that begins, that is over, and what the sleeper saw in it */
static uint8_t full[SIZE];

static void spin_until(const uint32_t *word, uint32_t value)
{
    for (uint32_t n = 1; vc_load_acquire(word) != value; n++)
        if (n % 4096 == 0)
            sched_yield();
}

static void spin(uint32_t n)
{
    for (volatile uint32_t left = n; left > 0; left = left - 1)
        ;
}

/* What the waker does; true: it would kick. */
static bool put(void)
{
    uint32_t n;
    bool kick = false;

    require(vc_source_put(&line.source, "x", 1, &n, &kick) == VC_OK && n == 1);
    return kick;
}
static bool post(void)
{
    bool kick = false;

    require(vc_source_post(&line.source, VC_LINE_BREAK, 0, &kick) == VC_OK);
    return kick;
}
static bool commit(void) { return vc_sink_commit(&line.sink, SIZE); }
static bool event_done(void) { return vc_sink_event_done(&line.sink); }
static bool in_put(void)
{
    uint32_t n;
    bool kick = false;

    require(vc_sink_put(&line.sink, "x", 1, &n, &kick) == VC_OK && n == 1);
    return kick;
}
static bool in_post(void)
{
    bool kick = false;

    require(vc_sink_post(&line.sink, VC_LINE_BREAK, 0, &kick) == VC_OK);
    return kick;
}
static bool in_get(void)
{
    static uint8_t bytes[SIZE];
    uint32_t n;
    bool kick = false;

    require(vc_source_get(&line.source, bytes, SIZE, &n, &kick) == VC_OK && n == SIZE);
    return kick;
}
static bool in_event(void)
{
    struct vc_line_event event;
    bool taken, kick = false;

    require(vc_source_event(&line.source, &event, &taken, &kick) == VC_OK && taken);
    return kick;
}

/* What the sleeper does; true: it would sleep. */
static bool sink_sleeps(void)
{
    vc_sink_arm_bytes(&line.sink);
    return vc_sink_idle(&line.sink);
}
static bool source_sleeps_for_room(void)
{
    uint32_t room;

    vc_source_arm_room(&line.source);
    require(vc_source_room(&line.source, &room) == VC_OK);
    return room == 0;
}
static bool source_sleeps(void)
{
    vc_source_arm_bytes(&line.source);
    return vc_source_idle(&line.source);
}
static bool sink_sleeps_for_room(void)
{
    uint32_t room;

    vc_sink_arm_room(&line.sink);
    require(vc_sink_room(&line.sink, &room) == VC_OK);
    return room == 0;
}

/* What lies in the line before a round. */
static void empty_line(void) {}
static void full_out(void)
{
    uint32_t n;
    bool kick = false;

    require(vc_source_put(&line.source, full, SIZE, &n, &kick) == VC_OK && n == SIZE);
}
static void full_out_events(void)
{
    for (unsigned i = 0; i < VC_LINE_OUT_EVENTS; i++)
        (void)post();
}
static void full_in(void)
{
    uint32_t n;
    bool kick = false;

    require(vc_sink_put(&line.sink, full, SIZE, &n, &kick) == VC_OK && n == SIZE);
}
static void full_in_events(void)
{
    for (unsigned i = 0; i < VC_LINE_IN_EVENTS; i++)
        (void)in_post();
}

static const struct pair {
    const char *name;
    void (*prepare)(void);
    bool (*waker)(void), (*sleeper)(void);
} pairs[] = {
    {"bytes_out", empty_line, put, sink_sleeps},
    {"event_out", empty_line, post, sink_sleeps},
    {"room_out", full_out, commit, source_sleeps_for_room},
    {"event_slot_out", full_out_events, event_done, source_sleeps_for_room},
    {"bytes_in", empty_line, in_put, source_sleeps},
    {"event_in", empty_line, in_post, source_sleeps},
    {"room_in", full_in, in_get, sink_sleeps_for_room},
    {"event_slot_in", full_in_events, in_event, sink_sleeps_for_room},
};

static void line_reset(void)
{
    memset(&line.page->out_prod, 0, sizeof *line.page - offsetof(struct vc_line_header, out_prod));
    require(vc_source_open(&line.source, line.page, MEMORY) == VC_OK);
    require(vc_sink_open(&line.sink, line.page, MEMORY) == VC_OK);
}

struct rounds {
    const struct pair *pair;
    uint32_t n;
};

static void *sleep_each_round(void *arg)
{
    const struct rounds *rounds = arg;
    uint64_t seed = 5;

    for (uint32_t round = 1; round <= rounds->n; round++) {
        spin_until(&go, round);
        spin(random_below(&seed, LONGEST_DELAY));
        vc_store_relaxed(&idle, rounds->pair->sleeper());
        vc_store_release(&done, round);
    }
    return NULL;
}

static void never_lost(const struct pair *pair, uint32_t n)
{
    struct rounds rounds = {pair, n};
    uint64_t seed = 6;
    pthread_t thread;

    go = done = 0;
    require(pthread_create(&thread, NULL, sleep_each_round, &rounds) == 0);
    for (uint32_t round = 1; round <= n; round++) {
        bool kick;

        line_reset();
        pair->prepare();
        vc_store_release(&go, round);
        spin(random_below(&seed, LONGEST_DELAY));
        kick = pair->waker();
        spin_until(&done, round);
        if (!kick && vc_load_relaxed(&idle)) {
            fprintf(stderr, "%s: lost wakeup in round %u\n", pair->name, round);
            _exit(1);
        }
    }
    require(pthread_join(thread, NULL) == 0);
}

/* argv[1]: rounds of each pair; argv[2]: this pair only. */
int main(int argc, char **argv)
{
    alarm(100);
    line.page = aligned_alloc(4096, MEMORY);
    require(line.page != NULL && vc_line_format(line.page, SIZE, SIZE, (const uint8_t[16]){1}) == VC_OK);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (argc < 3 || strcmp(argv[2], pairs[i].name) == 0)
            never_lost(&pairs[i], argc > 1 ? (uint32_t)atoi(argv[1]) : 100000);
    free(line.page);
    return 0;
}
