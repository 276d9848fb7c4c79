/* SPDX-License-Identifier: MIT */
/* Where readers begin, each answer against a walk over what the test itself wrote; and T10: clocks that jump. */
#include "log_lab.h"
#include <errno.h>

#define BATCHES 400

struct batch {
    uint64_t offset, real_ns, segment;
};

static uint64_t locate(const struct lab *lab, enum log_from_kind kind, int64_t value)
{
    struct log_from from = {kind, value};
    uint64_t offset = UINT64_MAX;

    assert_int_equal(log_locate(&lab->log, &from, &offset), 0);
    return offset;
}

/* Batches of some bytes every 10 to 40 ms, over many small segments. */
static void write_batches(struct lab *lab, struct batch *b, const struct log_limits *limits)
{
    lab_begin(lab, limits);
    for (unsigned i = 0; i < BATCHES; i++) {
        lab_tick(lab, (10 + i * 7 % 31) * MS);
        b[i] = (struct batch){.offset = lab->log.length, .real_ns = lab->now.real_ns};
        lab_put(lab, 1 + i * 13 % 200);
        b[i].segment = lab->log.segment;
        (void)log_settle(&lab->log, &lab->now); /* the source had no more */
    }
}

static void start_now_offset_and_tail(void **state)
{
    static struct batch b[BATCHES];
    struct log_limits limits = {.segment_bytes = 4096, .console_bytes = 24000};
    struct log_status status;
    struct lab lab;

    (void)state;
    write_batches(&lab, b, &limits);
    (void)log_store_tidy(&lab.store, &lab.now);
    log_status_get(&lab.log, &status);
    assert_true(status.oldest > 0);
    assert_int_equal(locate(&lab, LOG_FROM_START, 0), status.oldest);
    assert_int_equal(locate(&lab, LOG_FROM_NOW, 0), status.length);
    assert_int_equal(locate(&lab, LOG_FROM_OFFSET, 0), status.oldest);
    assert_int_equal(locate(&lab, LOG_FROM_OFFSET, INT64_MAX), status.length);
    assert_int_equal(locate(&lab, LOG_FROM_OFFSET, INT64_MIN), status.oldest);
    assert_int_equal(locate(&lab, LOG_FROM_OFFSET, (int64_t)status.length - 9), status.length - 9);
    assert_int_equal(locate(&lab, LOG_FROM_TAIL, 100), status.length - 100);
    assert_int_equal(locate(&lab, LOG_FROM_TAIL, INT64_MAX), status.oldest);
    lab_end(&lab);
}

static void lines_are_counted_as_tail_does(void **state)
{
    static const struct {
        const char *text;
        int64_t n;
        uint64_t offset;
    } rows[] = {
        {"", 3, 0},       {"a", 1, 0},      {"a\n", 1, 0},     {"a\n", 0, 2},
        {"a\nb\n", 1, 2}, {"a\nb\n", 2, 0}, {"a\nb", 1, 2},    {"a\nb", 5, 0},
        {"\n\n\n", 1, 2}, {"\n\n\n", 2, 1}, {"\n\n\nx", 1, 3}, {"one\ntwo\nthree", 2, 4},
    };
    struct lab lab;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        lab_begin(&lab, NULL);
        (void)lab_append(&lab.log, rows[i].text, (uint32_t)strlen(rows[i].text), &lab.now);
        if (locate(&lab, LOG_FROM_LINES, rows[i].n) != rows[i].offset)
            fail_msg("row %zu", i);
        lab_end(&lab);
    }
}

static void lines_over_blocks_and_segments(void **state)
{
    struct log_limits limits = {.segment_bytes = 50000};
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    for (int i = 0; i < 100; i++)
        lab_put(&lab, 4000); /* a line end at each 61st byte: see lab_byte */
    for (int64_t n = 1; n < 6000; n += 331) {
        uint64_t complete = 400000 / 61, rest = 400000 % 61;
        uint64_t lines = (uint64_t)n - (rest > 0);

        assert_int_equal(locate(&lab, LOG_FROM_LINES, n), (complete - lines) * 61);
    }
    assert_int_equal(locate(&lab, LOG_FROM_LINES, 100000), 0);
    lab_end(&lab);
}

static void times(void **state)
{
    static struct batch b[BATCHES];
    struct log_limits limits = {.segment_bytes = 4096};
    struct lab lab;

    (void)state;
    write_batches(&lab, b, &limits);
    assert_int_equal(locate(&lab, LOG_FROM_TIME, 0), 0);
    assert_int_equal(locate(&lab, LOG_FROM_TIME, (int64_t)b[0].real_ns - 1), 0);
    for (unsigned i = 0; i < BATCHES; i++) { /* each batch had its time mark, so answers are to the byte */
        if (locate(&lab, LOG_FROM_TIME, (int64_t)b[i].real_ns) != b[i].offset)
            fail_msg("the time of batch %u", i);
        if (i > 0 && locate(&lab, LOG_FROM_TIME, (int64_t)b[i].real_ns - 1) != b[i].offset)
            fail_msg("just before batch %u", i);
    }
    assert_int_equal(locate(&lab, LOG_FROM_TIME, (int64_t)lab.now.real_ns + 1), lab.log.length);
    lab_end(&lab);
}

/* Indices that are gone, and files that somebody planted between the segments, hide nothing but what they alone knew. */
static void times_beside_damage(void **state)
{
    static struct batch b[BATCHES];
    struct log_limits limits = {.segment_bytes = 4096};

    (void)state;
    for (unsigned every = 2; every < 5; every++) {
        struct lab lab;
        char path[160];
        unsigned n_exact = 0;
        bool lost[BATCHES + 1] = {false};

        write_batches(&lab, b, &limits);
        for (unsigned i = 1, n = 0; i < BATCHES; i++) {
            lost[i] = lost[i - 1];
            if (b[i].segment == b[i - 1].segment)
                continue;
            lost[i] = n++ % every == 0 && b[i].segment != lab.log.segment;
            lab_file(&lab, path, b[i].segment, ".idx");
            assert_int_equal(lost[i] ? unlink(path) : 0, 0);
            lab_file(&lab, path, b[i].segment - 1, ".log");
            close(creat(path, 0640));
        }
        for (unsigned i = 1; i < BATCHES; i++) {
            uint64_t offset = locate(&lab, LOG_FROM_TIME, (int64_t)b[i].real_ns);

            if (!lost[i] && !lost[i - 1] && b[i].segment == b[i - 1].segment && offset == b[i].offset)
                n_exact++;
            else if (offset > b[i].offset || (!lost[i] && !lost[i - 1] && b[i].segment == b[i - 1].segment))
                fail_msg("one index in %u lost: the time of batch %u", every, i);
        }
        assert_true(n_exact > BATCHES / 4);
        lab_end(&lab);
    }
}

static void find_each(const struct lab *lab, const uint64_t *real_ns, unsigned first, unsigned n)
{
    for (unsigned i = first; i < n; i++) {
        uint64_t at = locate(lab, LOG_FROM_TIME, (int64_t)real_ns[i]);
        struct log_cursor c;
        struct log_item item;

        if (at != i * 4096u)
            fail_msg("segment %u of %u is found at %llu", i, n, (unsigned long long)at);
        assert_int_equal(log_cursor_open(&c, &lab->log, at + 9, 0), 0);
        assert_int_equal(log_cursor_next(&c, &item), 0);
        assert_int_equal(item.kind, LOG_BYTES);
        assert_int_equal(item.offset, at + 9);
        log_cursor_close(&c);
    }
}

/* What was listed is asked again at each change: segments that come and those that go. */
static void a_directory_that_changes(void **state)
{
    static uint64_t real_ns[200];
    struct log_limits limits = {.segment_bytes = 4096, .console_bytes = 100 * 4608};
    struct log_status status;
    struct lab lab;
    unsigned n = 0;

    (void)state;
    lab_begin(&lab, &limits);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned more = round == 0 ? 90 : 1; more > 0; more--, n++) {
            lab_tick(&lab, 10 * MS);
            real_ns[n] = lab.now.real_ns;
            lab_put(&lab, 4096);
            (void)log_settle(&lab.log, &lab.now);
        }
        find_each(&lab, real_ns, 0, n);
        usleep(60000); /* from then on it may be remembered: nothing here depends on whether it is */
        find_each(&lab, real_ns, 0, n);
    }
    for (; n < 150; n++) {
        lab_tick(&lab, 10 * MS);
        real_ns[n] = lab.now.real_ns;
        lab_put(&lab, 4096);
        (void)log_settle(&lab.log, &lab.now);
    }
    (void)log_store_tidy(&lab.store, &lab.now);
    log_status_get(&lab.log, &status);
    assert_true(status.oldest > 0 && status.oldest % 4096 == 0);
    find_each(&lab, real_ns, (unsigned)(status.oldest / 4096), n);
    assert_int_equal(locate(&lab, LOG_FROM_TIME, (int64_t)real_ns[0]), status.oldest);
    lab_end(&lab);
}

static void boots(void **state)
{
    struct log_limits limits = {.segment_bytes = 4096, .console_bytes = 36000};
    uint64_t at[41] = {0};
    struct log_from from = {LOG_FROM_BOOT, 1};
    struct log_status status;
    uint64_t offset;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    assert_int_equal(log_locate(&lab.log, &from, &offset), -ENOENT);
    for (uint32_t i = 1; i <= 40; i++) {
        at[i] = lab.log.length;
        assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0); /* each time the line's first */
        for (unsigned k = 0; k < i % 7; k++)
            lab_put(&lab, 500);
    }
    for (int64_t i = 1; i <= 40; i++) {
        assert_int_equal(locate(&lab, LOG_FROM_BOOT, i), at[i]);
        assert_int_equal(locate(&lab, LOG_FROM_BOOT, i - 41), at[i]);
    }
    from.value = 41;
    assert_int_equal(log_locate(&lab.log, &from, &offset), -ENOENT);
    from.value = 0;
    assert_int_equal(log_locate(&lab.log, &from, &offset), -ENOENT);
    (void)log_store_tidy(&lab.store, &lab.now);
    log_status_get(&lab.log, &status);
    assert_true(status.oldest > at[1]);
    for (int64_t i = 1; i <= 40; i++) {
        bool kept = i == 40 || at[i + 1] > status.oldest; /* some of what it printed */
        int error;

        from.value = i;
        error = log_locate(&lab.log, &from, &offset);
        if (kept && at[i + 1 <= 40 ? i + 1 : i] != status.oldest &&
            (error != 0 || offset != (at[i] > status.oldest ? at[i] : status.oldest)))
            fail_msg("boot %d is kept", (int)i);
        if (!kept && at[i + 1] < status.oldest && error != -ENOENT)
            fail_msg("boot %d is gone", (int)i);
    }
    lab_end(&lab);
}

/* Fifty jumps; which comes first is another each time. */
static void fifty_jumps(unsigned first)
{
    static const int64_t jumps_s[] = {1, -1, 3600, -3600, INT64_C(315360000), -INT64_C(315360000)};
    static const uint64_t set_s[] = {0, UINT64_C(2147483647), UINT64_C(2147483648), UINT64_C(4294967296)};
    static struct lab_read r;
    struct log_limits limits = {.segment_bytes = 30000};
    size_t n_times = 0, n_straight = 0;

    for (int jumping = 0; jumping < 2; jumping++) {
        struct lab lab;
        uint64_t mono = 0;

        lab_begin(&lab, &limits);
        for (unsigned i = 0; i < 50; i++) {
            for (int k = 0; k < 20; k++) {
                lab_put(&lab, 100);
                lab_tick(&lab, 4 * MS);
            }
            (void)log_settle(&lab.log, &lab.now);
            if (jumping && (first + i) % 3 == 2)
                lab.now.real_ns = set_s[(first + i) % N_ROWS(set_s)] * 1000 * MS;
            else if (jumping)
                lab.now.real_ns += (uint64_t)(jumps_s[(first + i) % N_ROWS(jumps_s)] * (int64_t)(1000 * MS));
            assert_true(locate(&lab, LOG_FROM_TIME, (int64_t)(lab.now.real_ns & INT64_MAX)) <= lab.log.length);
        }
        lab_expect_pattern(&lab.log, 0, 100000);
        lab_read(&r, &lab.log, 0, LOG_KIND(VC_INDEX_TIME));
        for (size_t i = 0; i < r.n_marks; i++) { /* by offset and by the monotonic clock: ever forward */
            assert_true(i == 0 || r.marks[i].offset >= r.marks[i - 1].offset);
            assert_true(r.marks[i].mono_ns >= mono);
            mono = r.marks[i].mono_ns;
        }
        *(jumping ? &n_times : &n_straight) = r.n_marks;
        lab_read_end(&r);
        lab_end(&lab);
    }
    assert_true(n_straight >= 50);
    assert_int_equal(n_times, n_straight); /* as many time marks as without a jump */
}

/* T10: order by offset and timing by the monotonic clock, whatever the wall clock does; 50 jumps, and 10,000. */
static void clocks_that_jump(void **state)
{
    (void)state;
    for (unsigned i = 0; i < lab_times(1, 200); i++)
        fifty_jumps(i);
}

/* A console that never rests has few time marks, one that rests has one for each rest. */
static void time_marks_are_amortised(void **state)
{
    static struct lab_read r;
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    for (int i = 0; i < 1000; i++) {
        lab_put(&lab, 80);
        lab_tick(&lab, MS);
    }
    lab_read(&r, &lab.log, 0, LOG_KIND(VC_INDEX_TIME));
    assert_true(r.n_marks >= 10 && r.n_marks <= 101); /* at most one each 10 ms */
    lab_read_end(&r);
    assert_true(log_settle(&lab.log, &lab.now));
    assert_false(log_settle(&lab.log, &lab.now)); /* once is enough */
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_now_offset_and_tail),
        cmocka_unit_test(lines_are_counted_as_tail_does),
        cmocka_unit_test(lines_over_blocks_and_segments),
        cmocka_unit_test(times),
        cmocka_unit_test(times_beside_damage),
        cmocka_unit_test(a_directory_that_changes),
        cmocka_unit_test(boots),
        cmocka_unit_test(clocks_that_jump),
        cmocka_unit_test(time_marks_are_amortised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
