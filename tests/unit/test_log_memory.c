/* SPDX-License-Identifier: MIT */
/*
 * T9 with the memory segment: what the disk refuses is kept, shown at its offsets and stored afterwards; what did not fit is one
 * exact hole.
 */
#include "log_faults.h"
#include "service/log_private.h"

static const uint8_t line_b[16] = "line b";

static void begin(struct lab *lab, uint64_t memory_bytes)
{
    struct log_limits limits = {.memory_bytes = memory_bytes};

    lab_begin(lab, &limits);
    (void)log_attach(&lab->log, line_a, 0, &lab->now);
}

static void expect_saved(struct lab *lab, struct guest *g, uint64_t lost)
{
    struct log_status status;

    disk(0, false);
    lab_tick(lab, 1000 * MS);
    log_retry(&lab->log, &lab->now);
    assert_false(log_unsaved(&lab->log));
    assert_int_equal(lab->log.error, 0);
    log_status_get(&lab->log, &status);
    assert_int_equal(status.unsaved, 0);
    assert_int_equal(lab->store.n_failing, 0);
    assert_int_equal(lab->store.pool.n_free, lab->store.pool.n_fresh);
    expect_all(lab, g, lost);
}

/* A full disk, an error, another: what fits is all there afterwards, as it is while it lasts. */
static void what_fits_is_kept(void **state)
{
    static const struct {
        const char *name;
        int error;
        bool also_index;
        uint32_t before, meanwhile, turns;
    } rows[] = {
        {"a byte", ENOSPC, false, 1000, 1, 1},
        {"a slot", ENOSPC, false, 0, SLOT, 1},
        {"many small turns", EDQUOT, false, 12345, 77, 900},
        {"large turns", EIO, false, 65536, 100000, 8},
        {"no index either", ENOSPC, true, 1000, 3000, 100},
        {"all that fits", EROFS, true, SLOT, SLOT, 64},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct guest g = {0};
        struct log_status status;
        struct lab lab;

        begin(&lab, 0);
        if (rows[i].before > 0)
            guest_prints(&lab, &g, rows[i].before);
        disk(rows[i].error, rows[i].also_index);
        for (uint32_t k = 0; k < rows[i].turns; k++) {
            guest_prints(&lab, &g, rows[i].meanwhile);
            lab_tick(&lab, 7 * MS);
        }
        log_status_get(&lab.log, &status);
        if (status.length != g.sent || status.unsaved != (uint64_t)rows[i].meanwhile * rows[i].turns)
            fail_msg("%s: %llu of %llu unsaved", rows[i].name, (unsigned long long)status.unsaved,
                     (unsigned long long)status.length);
        expect_all(&lab, &g, 0);
        expect_saved(&lab, &g, 0);
        assert_int_equal(lab.log.discarded, 0);
        guest_prints(&lab, &g, 100);
        kill_and_resume(&lab, &g);
        expect_all(&lab, &g, 0);
        lab_end(&lab);
    }
}

/* The oldest leaves, slot by slot; a reader who was there sees the hole when he comes to it. */
static void what_does_not_fit_is_one_hole(void **state)
{
    struct guest g = {0};
    struct log_cursor c;
    struct log_item item;
    struct lab lab;
    uint64_t hole;

    (void)state;
    begin(&lab, 8 * SLOT); /* one for marks, seven for bytes */
    guest_prints(&lab, &g, 500);
    assert_int_equal(log_cursor_open(&c, &lab.log, 100, LOG_KINDS_STREAM), 0);
    disk(ENOSPC, false);
    for (int i = 0; i < 100; i++)
        guest_prints(&lab, &g, 4000);
    hole = 400500 / SLOT * SLOT - 6 * SLOT - 500; /* the newest slot has begun */
    assert_int_equal(lab.log.discarded, hole);
    assert_int_equal(log_cursor_next(&c, &item), 0);
    assert_int_equal(item.kind, LOG_BYTES);
    assert_int_equal(item.n, 400);
    log_cursor_take(&c, 400);
    assert_int_equal(log_cursor_next(&c, &item), 0);
    assert_int_equal(item.kind, LOG_MARK);
    assert_int_equal(item.record.kind, VC_INDEX_GAP);
    assert_int_equal(item.record.offset, 500 + hole);
    assert_int_equal(item.record.value, hole);
    assert_int_equal(log_cursor_next(&c, &item), 0);
    assert_int_equal(item.offset, 500 + hole);
    assert_int_equal(item.n, 400500 - 500 - hole);
    log_cursor_close(&c);
    expect_all(&lab, &g, hole);
    expect_saved(&lab, &g, hole);
    guest_prints(&lab, &g, 100);
    kill_and_resume(&lab, &g);
    expect_all(&lab, &g, hole);
    lab_end(&lab);
}

/* kill -9: what was in memory only is lost, and the next start says where and how much; offsets go on behind it. */
static void a_death_loses_memory_only(void **state)
{
    static const struct {
        const char *name;
        uint32_t bytes, skip;
        bool second; /* it dies again, at once */
    } rows[] = {{"some", 5000, 0, false},
                {"with a gap", 5000, 70, false},
                {"more than fits", 300000, 0, false},
                {"twice", 5000, 0, true}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct guest g = {0};
        struct lab lab;

        begin(&lab, 8 * SLOT);
        guest_prints(&lab, &g, 70000);
        disk(ENOSPC, false);
        (void)log_mark(&lab.log, VC_INDEX_BOOT, 1, 1, &lab.now);
        guest_prints(&lab, &g, rows[i].bytes);
        if (rows[i].skip > 0) {
            log_skip(&lab.log, rows[i].skip, &lab.now);
            g.sent += rows[i].skip;
        }
        disk(0, false);
        kill_and_resume(&lab, &g);
        if (rows[i].second)
            kill_and_resume(&lab, &g);
        assert_int_equal(lab.log.length, 70000 + rows[i].bytes);
        assert_int_equal(lab.log.boot, 1);
        guest_prints(&lab, &g, 1000);
        expect_all(&lab, &g, rows[i].bytes + rows[i].skip);
        lab_end(&lab);
    }
}

/* Marks stand where they were made, once, for who looks meanwhile and for who looks afterwards. */
static void marks_keep_their_places(void **state)
{
    static struct lab_read meanwhile, afterwards;
    struct guest g = {0};
    struct log_point p;
    struct lab lab;

    (void)state;
    begin(&lab, 0);
    guest_prints(&lab, &g, 100);
    disk(ENOSPC, true);
    (void)log_mark(&lab.log, VC_INDEX_BOOT, 1, 7, &lab.now);
    (void)log_mark(&lab.log, VC_INDEX_RESIZE, 5, 8, &lab.now);
    guest_prints(&lab, &g, 50);
    log_skip(&lab.log, 20, &lab.now);
    log_skip(&lab.log, 3, &lab.now);
    g.sent += 23;
    guest_prints(&lab, &g, 50);
    (void)log_mark(&lab.log, VC_INDEX_DETACH, 0, 0, &lab.now);
    assert_int_equal(log_attach(&lab.log, line_b, 900, &lab.now), 0);
    assert_true(log_resume(&lab.log, line_b, &p));
    assert_int_equal(p.cons, 900);
    assert_int_equal(p.boot, 1);
    lab_read(&meanwhile, &lab.log, 0, LOG_KINDS_STREAM);
    disk(0, false);
    lab_tick(&lab, 1000 * MS);
    log_retry(&lab.log, &lab.now);
    assert_false(log_unsaved(&lab.log));
    lab_read(&afterwards, &lab.log, 0, LOG_KINDS_STREAM);
    assert_int_equal(meanwhile.n_marks, 6); /* two attaches, boot, size, gap, detach */
    assert_int_equal(meanwhile.n_marks, afterwards.n_marks);
    assert_memory_equal(meanwhile.marks, afterwards.marks, meanwhile.n_marks * sizeof meanwhile.marks[0]);
    assert_int_equal(meanwhile.n, afterwards.n);
    assert_memory_equal(meanwhile.bytes, afterwards.bytes, meanwhile.n);
    assert_int_equal(afterwards.marks[3].value, 23);
    assert_int_equal(afterwards.marks[3].offset, 150);
    lab_kill(&lab);
    lab_store(&lab);
    lab_open(&lab);
    assert_true(log_resume(&lab.log, line_b, &p));
    assert_int_equal(p.cons, 900);
    lab_read_end(&meanwhile);
    lab_read_end(&afterwards);
    lab_end(&lab);
}

/* Of thousands of marks the oldest go, with the bytes between; the count of what is missing stays exact. */
static void a_flood_of_marks(void **state)
{
    struct guest g = {0};
    struct lab lab;
    uint64_t lost, gaps = 0;

    (void)state;
    begin(&lab, 0);
    disk(ENOSPC, false);
    for (int i = 0; i < 2000; i++) {
        guest_prints(&lab, &g, 3);
        (void)log_mark(&lab.log, VC_INDEX_BREAK, 0, (uint16_t)(i + 1), &lab.now);
        if (i % 3 == 0) {
            log_skip(&lab.log, 5, &lab.now);
            g.sent += 5;
            gaps += 5;
        }
        lab_tick(&lab, 150 * MS);
        if (i == 1000)
            lab.log.retry_mono = UINT64_MAX; /* it does not try for the rest */
    }
    lost = lab.log.discarded;
    assert_true(lost > gaps && lab.log.marks_lost > 0);
    expect_all(&lab, &g, lost);
    lab.log.retry_mono = 0;
    expect_saved(&lab, &g, lost);
    kill_and_resume(&lab, &g);
    lab_end(&lab);
}

/* A pool that is too small for all: whoever has a place has a share, the others discard as without memory. */
static void a_pool_for_many(void **state)
{
    static struct log logs[6];
    static const char *const names[] = {"c0", "c1", "c2", "c3", "c4", "c5"};
    uint8_t bytes[3 * SLOT];
    struct log_limits limits = {.memory_bytes = 8 * SLOT};
    struct lab lab;
    unsigned kept = 0;

    (void)state;
    lab_begin(&lab, &limits);
    log_close(&lab.log, &lab.now);
    lab_fill(bytes, 0, sizeof bytes);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(log_open(&logs[i], &lab.store, LAB_DOMAIN, names[i], 0, &lab.now), 0);
        (void)log_attach(&logs[i], line_a, 0, &lab.now);
    }
    disk(ENOSPC, false);
    for (int i = 0; i < 6; i++)
        kept += lab_append(&logs[i], bytes, sizeof bytes, &lab.now) == sizeof bytes;
    assert_int_equal(kept, 4); /* two slots each */
    disk(0, false);
    lab_tick(&lab, 1000 * MS);
    for (int i = 0; i < 6; i++) {
        struct guest g = {.sent = sizeof bytes + 1, .stored = (kept > (unsigned)i ? SLOT : 0) + 1};
        const uint8_t next = lab_byte(sizeof bytes);
        struct log saved = lab.log;

        log_retry(&logs[i], &lab.now);
        assert_int_equal(lab_append(&logs[i], &next, 1, &lab.now), 1); /* closes the gap of one that discards */
        assert_int_equal(logs[i].error, 0);
        lab.log = logs[i];
        expect_exact(&lab, &g);
        lab.log = saved;
        log_close(&logs[i], &lab.now);
    }
    assert_int_equal(lab.store.pool.n_free, lab.store.pool.n_fresh);
    log_store_close(&lab.store);
    lab_remove(lab.path);
}

/* What came before the first byte of a segment stays, whatever the index misses of what came behind it. */
static void marks_before_any_byte(void **state)
{
    static const struct {
        const char *name;
        uint64_t memory;
        uint32_t before; /* bytes of the segments before */
        size_t marks;
    } rows[] = {
        {"kept", 64 * SLOT, 0, 5}, {"kept, of a later segment", 64 * SLOT, 70000, 5}, {"without memory", 1, 0, 3}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct log_limits limits = {.segment_bytes = 65536, .memory_bytes = rows[i].memory};
        static struct lab_read r;
        struct guest g = {0};
        struct lab lab;

        lab_begin(&lab, &limits);
        (void)log_attach(&lab.log, line_a, 0, &lab.now);
        if (rows[i].before > 0)
            guest_prints(&lab, &g, rows[i].before);
        if (rows[i].before > 0)
            assert_int_equal(log_rotate(&lab.log, &lab.now), 0);
        (void)log_mark(&lab.log, VC_INDEX_BOOT, 1, 1, &lab.now);
        log_skip(&lab.log, 20, &lab.now);
        disk(ENOSPC, true);
        (void)log_mark(&lab.log, VC_INDEX_BREAK, 0, 2, &lab.now);
        disk(0, false);
        log_skip(&lab.log, 5, &lab.now);
        g.sent += 25;
        lab_tick(&lab, 1000 * MS);
        guest_prints(&lab, &g, 100);
        expect_all(&lab, &g, 25);
        lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM);
        if (r.n_marks != rows[i].marks)
            fail_msg("%s: %zu marks", rows[i].name, r.n_marks);
        lab_read_end(&r);
        kill_and_resume(&lab, &g);
        expect_all(&lab, &g, 25);
        lab_end(&lab);
    }
}

/* And over the next start, of the service or of the machine; and where there are so many that the index begins anew. */
static void marks_without_a_byte_outlive_a_start(void **state)
{
    static const struct {
        const char *name;
        bool machine, unsaved;
        unsigned turns; /* a gap of 20 and a break each */
        size_t marks;
    } rows[] = {{"machine", true, false, 1, 4}, {"unsaved", false, true, 1, 5}, {"many", false, false, 1000, 0}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct log_limits limits = {.segment_bytes = 65536};
        static struct lab_read r;
        struct guest g = {0};
        struct lab lab;

        lab_begin(&lab, &limits);
        (void)log_attach(&lab.log, line_a, 0, &lab.now);
        (void)log_mark(&lab.log, VC_INDEX_BOOT, 1, 1, &lab.now);
        for (unsigned k = 0; k < rows[i].turns; k++) {
            log_skip(&lab.log, 20, &lab.now);
            (void)log_mark(&lab.log, VC_INDEX_BREAK, 0, 2, &lab.now);
            g.sent += 20;
        }
        fault.countdown = rows[i].unsaved;
        if (rows[i].unsaved) { /* the break is lost with the memory, the gap is not */
            (void)log_mark(&lab.log, VC_INDEX_BREAK, 0, 2, &lab.now);
            assert_true(log_unsaved(&lab.log));
            log_skip(&lab.log, 5, &lab.now);
            g.sent += 5;
        }
        lab_kill(&lab);
        lab_store(&lab);
        lab.store.machine_boot += rows[i].machine;
        lab_open(&lab);
        guest_prints(&lab, &g, 100);
        expect_all(&lab, &g, g.sent - 100);
        lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM);
        if (rows[i].marks > 0 && r.n_marks != rows[i].marks)
            fail_msg("%s: %zu marks", rows[i].name, r.n_marks);
        lab_read_end(&r);
        kill_and_resume(&lab, &g);
        expect_all(&lab, &g, g.sent - 100);
        lab_end(&lab);
    }
}

/* What a viewer is told of gaps and breaks, and all that stands before the first byte. */
static void count_marks(struct log_cursor *c, uint64_t *gaps, unsigned *breaks)
{
    struct log_item item;

    while (log_cursor_next(c, &item) == 0 && item.kind == LOG_MARK) {
        *gaps += item.record.kind == VC_INDEX_GAP ? item.record.value : 0;
        *breaks += item.record.kind == VC_INDEX_BREAK;
    }
}

/* Whoever follows sees each mark once, also where the index begins anew under him. */
static void marks_without_a_byte_are_followed(void **state)
{
    struct log_limits limits = {.segment_bytes = 65536};
    unsigned breaks[2] = {0};
    uint64_t gaps[2] = {0};
    struct log_cursor c[2];
    struct guest g = {0};
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    (void)log_attach(&lab.log, line_a, 0, &lab.now);
    for (int i = 0; i < 2; i++)
        assert_int_equal(log_cursor_open(&c[i], &lab.log, 0, LOG_KINDS_STREAM), 0);
    for (unsigned k = 0; k < 1000; k++) {
        log_skip(&lab.log, 20, &lab.now);
        (void)log_mark(&lab.log, VC_INDEX_BREAK, 0, (uint16_t)(k + 1), &lab.now);
        g.sent += 20;
        for (unsigned i = 0; i < 2; i++)
            if (k % (1 + 16 * i) == 0) /* one of them is not always there */
                count_marks(&c[i], &gaps[i], &breaks[i]);
    }
    for (int i = 0; i < 2; i++) {
        count_marks(&c[i], &gaps[i], &breaks[i]);
        assert_int_equal(gaps[i], 20000);
        assert_int_equal(breaks[i], 1000);
        log_cursor_close(&c[i]);
    }
    guest_prints(&lab, &g, 100);
    expect_all(&lab, &g, 20000);
    lab_end(&lab);
}

/* The last of a console that falls silent goes to the disk too; and what ends with the disk full says what it had. */
static void an_end_on_a_full_disk(void **state)
{
    struct guest g = {0};
    struct log_point p;
    struct lab lab;

    (void)state;
    begin(&lab, 0);
    guest_prints(&lab, &g, 1000);
    disk(ENOSPC, false);
    guest_prints(&lab, &g, 2000);
    log_close(&lab.log, &lab.now);
    assert_int_equal(lab.store.n_failing, 0);
    assert_int_equal(lab.store.pool.n_free, lab.store.pool.n_fresh);
    lab_open(&lab);
    assert_true(log_resume(&lab.log, line_a, &p));
    assert_int_equal(p.cons, 3000);
    guest_prints(&lab, &g, 100);
    expect_saved(&lab, &g, 2000);
    disk(ENOSPC, false);
    guest_prints(&lab, &g, 700);
    disk(0, false);
    log_close(&lab.log, &lab.now); /* whatever the time: it tries once more */
    lab_open(&lab);
    expect_all(&lab, &g, 2000);
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_kept),
        cmocka_unit_test(what_does_not_fit_is_one_hole),
        cmocka_unit_test(a_death_loses_memory_only),
        cmocka_unit_test(marks_keep_their_places),
        cmocka_unit_test(a_flood_of_marks),
        cmocka_unit_test(a_pool_for_many),
        cmocka_unit_test(an_end_on_a_full_disk),
        cmocka_unit_test(marks_before_any_byte),
        cmocka_unit_test(marks_without_a_byte_outlive_a_start),
        cmocka_unit_test(marks_without_a_byte_are_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
