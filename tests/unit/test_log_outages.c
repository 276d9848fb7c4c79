/* SPDX-License-Identifier: MIT */
/*
 * T9 by chance: a disk that is full, fails and takes bytes again at any moment, single calls that fail, a guest that never stops,
 * and readers who are quick, slow or come afterwards. VCONS_SEED takes one again.
 */
#include "log_faults.h"
#include "random.h"

#define SEEDS      40u
#define SEEDS_LONG 500u

/* A viewer who keeps up, whatever becomes of the disk, has each byte once, and each hole and gap counted. */
struct follower {
    struct log_cursor c;
    uint64_t place, marks, n; /* n: bytes */
    uint64_t next;            /* offset of the next byte */
};

static uint8_t history[4 << 20]; /* by offset: what the one who keeps up was shown */

static void check_quick(struct follower *f, uint64_t offset, const uint8_t *bytes, uint64_t n)
{
    assert_true(offset + n <= sizeof history);
    memcpy(history + offset, bytes, n);
    for (uint64_t i = 0; i < n; i++)
        if (bytes[i] != lab_byte(f->place + i))
            fail_msg("byte %llu of the guest is not where it belongs", (unsigned long long)(f->place + i));
    f->place += n;
    f->n += n;
}

/* Who does not keep up has the same bytes at the same offsets, and is told of the others. */
static void check_slow(uint64_t offset, const uint8_t *bytes, uint64_t n)
{
    if (memcmp(history + offset, bytes, n) != 0)
        fail_msg("other bytes stand at %llu than stood there", (unsigned long long)offset);
}

static void follow(struct follower *f, bool quick, uint32_t most)
{
    uint8_t bytes[5000];
    struct log_item item;

    while (most-- > 0) {
        assert_int_equal(log_cursor_next(&f->c, &item), 0);
        if (item.kind == LOG_NOTHING)
            return;
        if (item.kind == LOG_MARK) {
            if (item.record.kind == VC_INDEX_GAP)
                f->place += item.record.value;
            if (item.record.kind == VC_INDEX_GAP && item.record.line_id[0] == 0)
                f->next += item.record.value;
            f->marks += item.record.kind == VC_INDEX_BREAK;
            continue;
        }
        ptrdiff_t n = log_cursor_read(&f->c, &item, bytes, sizeof bytes);
        assert_true(n >= 0);
        if (n == 0)
            continue;
        assert_int_equal(item.offset, f->next);
        if (quick)
            check_quick(f, item.offset, bytes, (uint64_t)n);
        else
            check_slow(item.offset, bytes, (uint64_t)n);
        f->next += (uint64_t)n;
        log_cursor_take(&f->c, (uint64_t)n);
    }
}

static const int errors[] = {0, 0, ENOSPC, EIO, EROFS};

struct outage { /* one seed's */
    struct lab lab;
    struct guest g;
    struct follower quick, slow;
    uint64_t random, breaks;
    bool died;
};

static void readers_begin(struct outage *o)
{
    o->quick = o->slow = (struct follower){0};
    assert_int_equal(log_cursor_open(&o->quick.c, &o->lab.log, 0, LOG_KINDS_STREAM), 0);
    assert_int_equal(log_cursor_open(&o->slow.c, &o->lab.log, 0, LOG_KINDS_STREAM), 0);
}

static void readers_end(struct outage *o)
{
    log_cursor_close(&o->quick.c);
    log_cursor_close(&o->slow.c);
}

/* kill -9, while the disk takes records at least: who comes then is told of all that was in memory. */
static void dies(struct outage *o)
{
    fault.countdown = 0;
    fault.also_index = false;
    guest_prints(&o->lab, &o->g, 1);
    if (random_below(&o->random, 2) == 0) { /* while it is saved */
        fault.error = 0;
        fault.countdown = 1 + random_below(&o->random, 9);
        lab_tick(&o->lab, 1000 * MS);
        log_retry(&o->lab.log, &o->lab.now);
        fault.countdown = 0;
    }
    readers_end(o);
    kill_and_resume(&o->lab, &o->g);
    readers_begin(o);
    o->died = true;
}

/* One thing that happens. */
static void happens(struct outage *o)
{
    uint32_t what = random_below(&o->random, 12),
             n = random_below(&o->random, 2) ? random_below(&o->random, 300) : random_below(&o->random, 30000);

    if (what == 0)
        disk(errors[random_below(&o->random, N_ROWS(errors))], random_below(&o->random, 2) == 0);
    else if (what == 1)
        fault.countdown = 1 + random_below(&o->random, 4);
    else if (what == 2 && n > 0) {
        log_skip(&o->lab.log, n, &o->lab.now);
        o->g.sent += n;
    } else if (what == 3)
        o->breaks += log_mark(&o->lab.log, VC_INDEX_BREAK, 0, 0, &o->lab.now) == 0;
    else if (what == 4)
        (void)log_settle(&o->lab.log, &o->lab.now);
    else if (what == 5)
        log_retry(&o->lab.log, &o->lab.now);
    else
        guest_prints(&o->lab, &o->g, n + 1);
}

/* The disk is whole again, and so is history, for those who were there, who come now, and over a death. */
static void expect_whole(struct outage *o)
{
    fault.countdown = 0;
    disk(0, false);
    lab_tick(&o->lab, 1000 * MS);
    log_retry(&o->lab.log, &o->lab.now);
    guest_prints(&o->lab, &o->g, 10);
    assert_int_equal(o->lab.log.error, 0);
    follow(&o->quick, true, UINT32_MAX);
    follow(&o->slow, false, UINT32_MAX);
    assert_int_equal(o->quick.place, o->g.sent);
    assert_int_equal(o->slow.next, o->quick.next);
    assert_true(o->quick.marks <= o->breaks);
    assert_true(o->died || o->lab.log.marks_lost > 0 || o->quick.marks == o->breaks);
    readers_end(o);
    readers_begin(o);
    follow(&o->quick, true, UINT32_MAX);
    readers_end(o);
    if (!o->died)
        assert_int_equal(o->quick.n, o->g.sent - o->lab.log.discarded);
    expect_all(&o->lab, &o->g, o->g.sent - o->quick.n);
    kill_and_resume(&o->lab, &o->g);
}

static void outages(uint64_t number)
{
    struct outage o = {.random = number * UINT64_C(0x9e3779b97f4a7c15)};
    struct log_limits limits = {.segment_bytes = 50000, .memory_bytes = (2 + random_below(&o.random, 20)) * SLOT};

    lab_begin(&o.lab, &limits);
    (void)log_attach(&o.lab.log, line_a, 0, &o.lab.now);
    readers_begin(&o);
    for (int i = 0; i < 200; i++) {
        if (number % 2 == 0 && random_below(&o.random, 60) == 0)
            dies(&o);
        happens(&o);
        lab_tick(&o.lab, random_below(&o.random, 300) * MS);
        follow(&o.quick, true, UINT32_MAX);
        follow(&o.slow, false, random_below(&o.random, 3));
    }
    expect_whole(&o);
    lab_end(&o.lab);
}

static uint64_t seed; /* the one under way; 0: none */

static void many_outages(void **state)
{
    const char *given = getenv("VCONS_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 0) : 1;
    uint64_t last = given != NULL ? first : lab_times(SEEDS, SEEDS_LONG);

    (void)state;
    for (seed = first; seed <= last; seed++)
        outages(seed);
    seed = 0;
}

/* Also after a failure. */
static int tell_seed(void **state)
{
    (void)state;
    if (seed != 0)
        print_message("VCONS_SEED=%llu\n", (unsigned long long)seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(many_outages, tell_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
