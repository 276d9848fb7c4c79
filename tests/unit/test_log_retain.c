/* SPDX-License-Identifier: MIT */
/* What is rotated, what is deleted and what stays: by size and age, for each console and in total, with the boots pinned. */
#include "log_lab.h"
#include <sys/stat.h>

#define S  (1000 * MS)
#define KB UINT64_C(1024)

static void rules_hold(struct lab *lab, const struct log_rules *rules)
{
    lab->rules = *rules;
    log_store_rules(&lab->store);
}

static unsigned count_segments(const struct lab *lab)
{
    char path[160];
    struct dirent *entry;
    unsigned n = 0;
    DIR *dir;

    snprintf(path, sizeof path, "%s/" LAB_DOMAIN "/" LAB_CONSOLE, lab->path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && strstr(entry->d_name, ".log") != NULL;
    closedir(dir);
    return n;
}

static uint64_t on_disk(const char *path)
{
    char command[256];
    unsigned long long n = 0;
    FILE *f;

    snprintf(command, sizeof command, "find '%s' -type f -printf '%%s\\n' | awk '{n += $1} END {printf \"%%d\", n}'",
             path);
    f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%llu", &n), 1);
    pclose(f);
    return n;
}

static void put(struct lab *lab, uint64_t n)
{
    for (; n > 0; n -= n < 30000 ? n : 30000)
        lab_put(lab, n < 30000 ? (uint32_t)n : 30000);
    (void)log_settle(&lab->log, &lab->now);
}

/* A segment gets no older, by the clock that nobody sets; nor does one that an earlier process began. */
static void rotation_by_age(void **state)
{
    struct log_rules rules = {.segment_age_ns = 10 * S};
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    rules_hold(&lab, &rules);
    for (int i = 0; i < 50; i++) { /* a byte each second */
        lab_put(&lab, 1);
        lab_tick(&lab, S);
        lab.now.real_ns += (i % 2 == 0 ? 1 : -1) * (int64_t)(1000 * S);
    }
    assert_in_range(count_segments(&lab), 5, 6);
    rules.segment_age_ns = 0;
    rules.keep_age_ns = 40 * S; /* a quarter of it */
    rules_hold(&lab, &rules);
    for (int i = 0; i < 50; i++) {
        lab_put(&lab, 1);
        lab_tick(&lab, S);
    }
    assert_in_range(count_segments(&lab), 10, 12);
    lab_expect_pattern(&lab.log, 0, 100);
    log_close(&lab.log, &lab.now);
    lab_tick(&lab, 11 * S);
    lab.now.mono_ns = 5 * S; /* another boot's clock */
    lab_open(&lab);
    unsigned had = count_segments(&lab);

    lab_put(&lab, 1);
    assert_int_equal(count_segments(&lab), had + 1);
    lab_expect_pattern(&lab.log, 0, 101);
    lab_end(&lab);
}

/* Each file of the history gets the time it would have by the lab's clock. */
static void set_time(const struct lab *lab, uint64_t start, uint64_t real_ns)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {(time_t)(real_ns / 1000000000), (long)(real_ns % 1000000000)}};
    char path[160];

    lab_file(lab, path, start, ".log");
    if (access(path, F_OK) != 0)
        lab_file(lab, path, start, ".log.zst");
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void retention_by_age(void **state)
{
    struct log_rules rules = {.segment_age_ns = 10 * S, .keep_age_ns = 100 * S};
    uint64_t starts[20], times[20], first_real;
    struct log_status status;
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    rules_hold(&lab, &rules);
    (void)log_store_tidy(&lab.store, &lab.now); /* the clock as it is now */
    first_real = lab.now.real_ns;
    for (int i = 0; i < 20; i++) {
        lab_put(&lab, 100);
        starts[i] = lab.log.segment;
        times[i] = lab.now.real_ns;
        lab_tick(&lab, 10 * S);
    }
    for (int i = 0; i < 20; i++)
        set_time(&lab, starts[i], times[i]);
    for (int i = 0; i < 7; i++) {
        char path[160];

        lab_file(&lab, path, starts[i], ".log");
    }
    assert_int_equal(log_store_tidy(&lab.store, &lab.now), 10 * S); /* the next is then due */
    log_status_get(&lab.log, &status);
    assert_int_equal(status.oldest, starts[11]); /* those of 100 s ago and before are gone */
    lab_expect_pattern(&lab.log, starts[11], 2000);
    lab.now.real_ns += 1000000 * S; /* set forward: nothing is older for that */
    assert_int_equal(log_store_tidy(&lab.store, &lab.now), 10 * S);
    log_status_get(&lab.log, &status);
    assert_int_equal(status.oldest, starts[11]);
    lab.now.real_ns = first_real; /* and back: they live longer */
    (void)log_store_tidy(&lab.store, &lab.now);
    lab_expect_pattern(&lab.log, starts[11], 2000);
    lab_tick(&lab, 1000 * S);
    (void)log_store_tidy(&lab.store, &lab.now);
    lab.now.real_ns += 200 * S; /* less than really went by since then */
    (void)log_store_tidy(&lab.store, &lab.now);
    log_status_get(&lab.log, &status);
    assert_int_equal(status.oldest, starts[19]); /* the one that is appended to stays */
    lab_expect_pattern(&lab.log, starts[19], 2000);
    lab_end(&lab);
}

/* A flooding console costs its own history only, whatever it prints and however often its guest starts: R2. */
static void a_flood_costs_the_flooder(void **state)
{
    struct log_limits limits = {
        .segment_bytes = 256 * KB, .console_bytes = 2 * 1024 * KB, .total_bytes = 8 * 1024 * KB};
    struct log_rules rules = {.pin_bytes = LOG_PIN_BYTES};
    static uint8_t noise[100000];
    struct log quiet[4] = {0};
    struct log_status status;
    struct lab lab;

    (void)state;
    for (int boots = 0; boots < 2; boots++) {
        lab_begin(&lab, &limits);
        rules_hold(&lab, &rules);
        for (unsigned i = 0; i < N_ROWS(quiet); i++) {
            char name[8];

            snprintf(name, sizeof name, "q%u", i);
            assert_int_equal(log_open(&quiet[i], &lab.store, name, "hvc0", 0, &lab.now), 0);
            assert_int_equal(lab_append(&quiet[i], noise, sizeof noise, &lab.now), sizeof noise);
        }
        for (int i = 0; i < 400; i++) { /* 40 MB */
            if (boots && i % 2 == 0)
                assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0);
            (void)lab_append(&lab.log, noise, sizeof noise, &lab.now);
            if (i % 5 == 0)
                (void)log_store_tidy(&lab.store, &lab.now);
        }
        (void)log_store_tidy(&lab.store, &lab.now);
        log_status_get(&lab.log, &status);
        assert_true(status.bytes <= limits.console_bytes);
        assert_true(status.length - status.oldest > limits.console_bytes / 4);
        assert_true(on_disk(lab.path) <= limits.total_bytes);
        for (unsigned i = 0; i < N_ROWS(quiet); i++) {
            log_status_get(&quiet[i], &status);
            assert_int_equal(status.oldest, 0);
            log_close(&quiet[i], &lab.now);
        }
        lab_end(&lab);
    }
}

/* Per console, another size for each. */
static void sizes_by_console(void **state)
{
    struct log_rules rules = {.segment_bytes = 64 * KB, .keep_bytes = 512 * KB};
    struct log_status status;
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    rules_hold(&lab, &rules);
    put(&lab, 1024 * KB);
    assert_true(lab.n_untidy > 0);
    (void)log_store_tidy(&lab.store, &lab.now);
    log_status_get(&lab.log, &status);
    assert_in_range(status.bytes, 400 * KB, 512 * KB);
    rules.keep_bytes = 2048 * KB; /* as after a reload */
    rules_hold(&lab, &rules);
    put(&lab, 1024 * KB);
    (void)log_store_tidy(&lab.store, &lab.now);
    log_status_get(&lab.log, &status);
    assert_true(status.bytes > 1400 * KB);
    lab_expect_pattern(&lab.log, status.oldest, status.length);
    lab_end(&lab);
}

/* The beginning of each boot is there when what came behind it is gone. */
static void boots_are_pinned(void **state)
{
    struct log_limits limits = {.segment_bytes = 200 * KB, .console_bytes = 64 * 1024 * KB};
    struct log_rules rules = {.pin_bytes = 50 * KB};
    static struct lab_read r;
    uint64_t boots[6], at;
    struct lab lab;

    (void)state;
    for (int compress = 0; compress < 2; compress++) {
        uint64_t gaps = 0;

        lab_begin(&lab, &limits);
        rules_hold(&lab, &rules);
        for (int i = 0; i < 6; i++) {
            put(&lab, 7000 + (unsigned)i * 20011);
            boots[i] = lab.log.length;
            assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0);
            put(&lab, 600 * KB);
            lab_tick(&lab, S);
        }
        if (compress)
            assert_true(lab_compress(&lab) > 10);
        lab.store.limits.console_bytes = 700 * KB;
        log_store_rules(&lab.store);
        for (int again = 0; again < 2; again++) {
            (void)log_store_tidy(&lab.store, &lab.now);
            assert_int_equal(lab.store.bytes, on_disk(lab.path));
            assert_true(compress || lab.store.bytes <= 700 * KB);
            lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM);
            at = r.first;
            for (size_t m = 0, b = 0; m <= r.n_marks; m++) { /* bytes and gaps are the history */
                uint64_t until = m < r.n_marks ? r.marks[m].offset : lab.log.length;
                bool gap = m < r.n_marks && r.marks[m].kind == VC_INDEX_GAP;

                until -= gap ? r.marks[m].value : 0; /* a gap of lost history shows where it ends */
                for (; at < until; at++, b++)
                    if (r.bytes[b] != lab_byte(at))
                        fail_msg("byte %llu", (unsigned long long)at);
                at += gap ? r.marks[m].value : 0;
                gaps += gap;
            }
            assert_int_equal(at, lab.log.length);
            lab_read_end(&r);
        }
        if (!compress)
            assert_true(gaps > 0);
        for (int i = 0; i < 6; i++) { /* all of them are found, and the first bytes are there */
            struct log_from from = {LOG_FROM_BOOT, i + 1};
            struct log_cursor c;
            struct log_item item;
            uint8_t bytes[512];
            uint64_t offset, n = 0;

            assert_int_equal(log_locate(&lab.log, &from, &offset), 0);
            assert_int_equal(offset, boots[i]);
            assert_int_equal(log_cursor_open(&c, &lab.log, offset, LOG_KIND(VC_INDEX_GAP)), 0);
            while (n < 50 * KB) {
                ptrdiff_t got;

                assert_int_equal(log_cursor_next(&c, &item), 0);
                assert_int_equal(item.kind, LOG_BYTES);
                assert_int_equal(item.offset, offset + n);
                got = log_cursor_read(&c, &item, bytes, sizeof bytes);
                assert_true(got > 0);
                log_cursor_take(&c, (uint64_t)got);
                n += (uint64_t)got;
            }
            log_cursor_close(&c);
        }
        lab_end(&lab);
    }
}

/* A guest that starts over and over has half of its console's size pinned, and its newest output too. */
static void boots_without_end(void **state)
{
    struct log_limits limits = {.segment_bytes = 64 * KB, .console_bytes = 512 * KB};
    struct log_rules rules = {.pin_bytes = 20 * KB};
    struct log_status status;
    struct lab lab;
    struct log_from from = {LOG_FROM_BOOT, -1};
    uint64_t offset;

    (void)state;
    lab_begin(&lab, &limits);
    rules_hold(&lab, &rules);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0);
        put(&lab, i % 10 == 0 ? 60 * KB : 3 * KB);
        (void)log_store_tidy(&lab.store, &lab.now);
        log_status_get(&lab.log, &status);
        assert_true(status.bytes <= 512 * KB);
    }
    assert_int_equal(log_locate(&lab.log, &from, &offset), 0);
    put(&lab, 200 * KB); /* what comes behind them displaces what is pinned no more than to one half */
    (void)log_store_tidy(&lab.store, &lab.now);
    log_status_get(&lab.log, &status);
    assert_true(status.bytes <= 512 * KB);
    assert_int_equal(lab.store.bytes, on_disk(lab.path));
    log_close(&lab.log, &lab.now); /* whatever stands there can be opened and gone on with */
    lab_open(&lab);
    put(&lab, 100);
    lab_end(&lab);
}

/* Where nobody tidies a console sheds its own history, but keeps how each boot began as long as it can. */
static void what_is_shed_is_not_pinned(void **state)
{
    static const struct {
        uint64_t console_bytes, total_bytes; /* far above either */
        bool all;                            /* pinned: then the oldest goes */
    } rows[] = {{512 * KB, 0, false}, {0, 512 * KB, false}, {512 * KB, 0, true}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct log_limits limits = {
            .segment_bytes = 64 * KB, .console_bytes = rows[i].console_bytes, .total_bytes = rows[i].total_bytes};
        struct log_rules rules = {.pin_bytes = 50 * KB};
        struct log_status status;
        struct lab lab;

        lab_begin(&lab, &limits);
        rules_hold(&lab, &rules);
        for (int k = 0; k < 60; k++) {
            if (k == 1 || k == 12 || rows[i].all)
                assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0);
            put(&lab, 100 * KB);
        }
        log_status_get(&lab.log, &status);
        assert_true(status.bytes < 1024 * KB + 512 * KB);
        assert_int_equal(status.bytes, on_disk(lab.path));
        for (int boot = 1; boot <= 2 && !rows[i].all; boot++) {
            struct log_from from = {LOG_FROM_BOOT, boot};
            uint64_t offset, n = 0;
            struct log_cursor c;
            struct log_item item;

            assert_int_equal(log_locate(&lab.log, &from, &offset), 0);
            assert_int_equal(offset, (boot == 1 ? 1 : 12) * 100 * KB);
            assert_int_equal(log_cursor_open(&c, &lab.log, offset, LOG_KIND(VC_INDEX_GAP)), 0);
            for (; n < 50 * KB; n += item.n) {
                assert_int_equal(log_cursor_next(&c, &item), 0);
                assert_int_equal(item.kind, LOG_BYTES);
                assert_int_equal(item.offset, offset + n);
                log_cursor_take(&c, item.n);
            }
            log_cursor_close(&c);
        }
        if (rows[i].all)
            assert_true(status.oldest > 4000 * KB);
        lab_end(&lab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotation_by_age),
        cmocka_unit_test(retention_by_age),
        cmocka_unit_test(a_flood_costs_the_flooder),
        cmocka_unit_test(sizes_by_console),
        cmocka_unit_test(boots_are_pinned),
        cmocka_unit_test(boots_without_end),
        cmocka_unit_test(what_is_shed_is_not_pinned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
