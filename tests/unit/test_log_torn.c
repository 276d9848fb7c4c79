/* SPDX-License-Identifier: MIT */
/*
 * T8: torn writes. A log and its index are written, damaged, and opened again. What must be left is computed here, from
 * the undamaged records alone: all bytes up to the newest record that vouches for them and stands before any damage.
 */
#include "log_lab.h"
#include <errno.h>

#define CUTS   lab_times(2000, 1000000)
#define REGION (64u * 1024)

static const uint8_t line_a[16] = "line a";

struct original {
    uint8_t *log, *idx;
    size_t log_bytes, idx_bytes;
};

static uint64_t seed;

static uint64_t number(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

static uint8_t *slurp(const char *path, size_t *n)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    uint8_t *bytes;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    bytes = malloc((size_t)st.st_size + 1);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    *n = (size_t)st.st_size;
    return bytes;
}

static void put_file(const char *path, const uint8_t *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

/* More than 64 KiB of log and of index, in batches of all sizes, with marks among them, as a killed writer leaves it. */
static void make_original(struct lab *lab, struct original *o)
{
    char path[160];

    lab_begin(lab, NULL);
    assert_int_equal(log_attach(&lab->log, line_a, 77, &lab->now), 0);
    for (int i = 0; i < 1700; i++) {
        lab_put(lab, (uint32_t)(1 + number(i % 100 == 0 ? 9000 : 200)));
        if (i % 50 == 0)
            assert_int_equal(log_mark(&lab->log, VC_INDEX_RESIZE, (uint64_t)i, (uint16_t)(i + 1), &lab->now), 0);
        if (number(8) != 0) /* the source had no more */
            (void)log_settle(&lab->log, &lab->now);
        lab_tick(lab, number(50) * MS);
    }
    lab_file(lab, path, 0, ".log");
    o->log = slurp(path, &o->log_bytes);
    lab_file(lab, path, 0, ".idx");
    o->idx = slurp(path, &o->idx_bytes);
    assert_true(o->log_bytes > REGION && o->idx_bytes > REGION);
    lab_kill(lab);
}

struct damage { /* first byte of each file that is not as it was; its length if none */
    size_t log, idx;
    size_t log_bytes, idx_bytes; /* what is left of the files */
};

static void damage_range(uint8_t *bytes, size_t from, size_t n, size_t *first)
{
    for (size_t i = 0; i < n; i++)
        bytes[from + i] ^= (uint8_t)(1 + number(255));
    if (n > 0 && from < *first)
        *first = from;
}

/* One file: cut, scrambled, or a sector lost, within the last 64 KiB. */
static void damage_file(uint8_t *bytes, size_t total, size_t *left, size_t *first)
{
    size_t region = total < REGION ? total : REGION, from = total - number(region + 1), n;

    switch (number(4)) {
    case 0: /* cut */
        *left = from;
        *first = from;
        break;
    case 1: /* scrambled to the end */ damage_range(bytes, from, total - from, first); break;
    case 2: /* some bytes */
        n = 1 + number(64);
        damage_range(bytes, from, n < total - from ? n : total - from, first);
        break;
    default: /* a sector */
        n = number(2) == 0 ? 512 : 4096;
        from -= from % n;
        damage_range(bytes, from, n < total - from ? n : total - from, first);
    }
}

/* The naive reader: bytes that a record before all damage vouches for. */
static uint64_t expected_length(const struct original *o, const struct damage *d)
{
    uint64_t length = 0;

    for (size_t at = 0; at + 64 <= d->idx && at + 64 <= o->idx_bytes; at += 64) {
        struct vc_index_record r;

        memcpy(&r, o->idx + at, sizeof r);
        if (r.kind != VC_INDEX_TIME && r.kind != VC_INDEX_CRC)
            continue;
        if (r.offset > d->log)
            break; /* fails, and with it all that follows */
        length = r.offset;
    }
    return length;
}

static void check_recovered(struct lab *lab, const struct original *o, uint64_t length)
{
    static struct lab_read r;

    if (lab->log.length != length)
        fail_msg("length %llu, not %llu", (unsigned long long)lab->log.length, (unsigned long long)length);
    lab_put(lab, 500); /* goes on at once */
    lab_read(&r, &lab->log, 0, LOG_KINDS_STREAM);
    assert_int_equal(r.n, length + 500);
    assert_memory_equal(r.bytes, o->log, length);
    for (size_t i = (size_t)length; i < r.n; i++)
        assert_int_equal(r.bytes[i], lab_byte(i));
    lab_read_end(&r);
}

static void after_a_loss_of_power_the_prefix_is_exact(void **state)
{
    struct original o;
    struct lab lab;
    char path[160];
    uint64_t kept = 0;

    (void)state;
    make_original(&lab, &o);
    for (unsigned i = 0, cuts = CUTS; i < cuts; i++) {
        struct damage d = {o.log_bytes, o.idx_bytes, o.log_bytes, o.idx_bytes};
        uint8_t *log = malloc(o.log_bytes), *idx = malloc(o.idx_bytes);
        uint64_t expected;

        assert_true(log != NULL && idx != NULL);
        memcpy(log, o.log, o.log_bytes);
        memcpy(idx, o.idx, o.idx_bytes);
        if (number(4) != 0)
            damage_file(log, o.log_bytes, &d.log_bytes, &d.log);
        if (number(4) != 0)
            damage_file(idx, o.idx_bytes, &d.idx_bytes, &d.idx);
        snprintf(path, sizeof path, "%s/" LAB_DOMAIN "/" LAB_CONSOLE, lab.path);
        lab_remove_files(path);
        lab_file(&lab, path, 0, ".log");
        put_file(path, log, d.log_bytes);
        lab_file(&lab, path, 0, ".idx");
        put_file(path, idx, d.idx_bytes);
        expected = expected_length(&o, &d);
        kept += expected;
        lab_store(&lab);
        lab.store.machine_boot++; /* the machine was restarted */
        lab_open(&lab);
        check_recovered(&lab, &o, expected);
        lab_kill(&lab);
        free(log);
        free(idx);
    }
    assert_true(kept / CUTS > o.log_bytes / 2); /* it did not just give up */
    free(o.log);
    free(o.idx);
    lab_remove(lab.path);
}

static void what_was_cut_is_said(void **state)
{
    static struct lab_read r;
    char path[160];
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    lab_put(&lab, 100000);
    lab_file(&lab, path, 0, ".log");
    lab_kill(&lab);
    assert_int_equal(truncate(path, 70000), 0);
    lab_store(&lab);
    lab.store.machine_boot++;
    lab_open(&lab);
    assert_int_equal(lab.log.length, 65536);
    lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM);
    assert_int_equal(r.n, 65536);
    assert_int_equal(r.lost, 100000 - 65536);
    lab_read_end(&r);
    assert_non_null(strstr(lab.message, "cut 34464 bytes"));
    lab_end(&lab);
}

/* kill -9 leaves whole bytes and at most a torn record: no byte may be lost for that. */
static void after_a_kill_no_byte_is_lost(void **state)
{
    struct original o;
    struct lab lab;
    char path[160];

    (void)state;
    make_original(&lab, &o);
    for (size_t cut = 0; cut < 400; cut++) {
        struct log_point p;

        snprintf(path, sizeof path, "%s/" LAB_DOMAIN "/" LAB_CONSOLE, lab.path);
        lab_remove_files(path);
        lab_file(&lab, path, 0, ".log");
        put_file(path, o.log, o.log_bytes);
        lab_file(&lab, path, 0, ".idx");
        put_file(path, o.idx, o.idx_bytes - cut);
        lab_store(&lab);
        lab_open(&lab);
        assert_true(log_resume(&lab.log, line_a, &p));
        assert_int_equal(p.cons, (uint32_t)(77 + o.log_bytes));
        check_recovered(&lab, &o, o.log_bytes);
        lab_kill(&lab);
    }
    free(o.log);
    free(o.idx);
    lab_remove(lab.path);
}

/* A daemon that was restarted vouches for its blocks as if it had never been away. */
static void checksums_go_on_over_a_kill(void **state)
{
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    for (int i = 0; i < 50; i++) {
        lab_put(&lab, 7777);
        lab_kill(&lab);
        lab_store(&lab);
        lab_open(&lab);
    }
    lab_put(&lab, 1);
    (void)log_settle(&lab.log, &lab.now);
    lab_kill(&lab);
    lab_store(&lab);
    lab.store.machine_boot++;
    lab_open(&lab);
    lab_expect_pattern(&lab.log, 0, 50 * 7777 + 1); /* nothing was cut */
    lab_end(&lab);
}

/* What stands behind a block without its record is not vouched for, whatever later records say. */
static void a_missing_block_record_ends_the_prefix(void **state)
{
    struct lab lab;
    char path[160];
    uint8_t *idx;
    size_t n;

    (void)state;
    lab_begin(&lab, NULL);
    lab_put(&lab, 200000); /* START, 3 blocks, time */
    lab_file(&lab, path, 0, ".idx");
    lab_kill(&lab);
    idx = slurp(path, &n);
    assert_int_equal(n, 5 * 64);
    memmove(idx + 2 * 64, idx + 3 * 64, 2 * 64);
    put_file(path, idx, n - 64);
    free(idx);
    lab_store(&lab);
    lab.store.machine_boot++;
    lab_open(&lab);
    assert_int_equal(lab.log.length, 65536);
    lab_end(&lab);
}

/* An index that is gone or was never ours says nothing about the bytes: they stay. */
static void without_an_index_all_bytes_stay(void **state)
{
    static const char *const how[] = {"empty", "gone", "first record scrambled"};
    struct lab lab;
    char path[160];

    (void)state;
    for (size_t i = 0; i < N_ROWS(how); i++) {
        lab_begin(&lab, NULL);
        lab_put(&lab, 5000);
        lab_file(&lab, path, 0, ".idx");
        lab_kill(&lab);
        if (i == 0)
            assert_int_equal(truncate(path, 0), 0);
        if (i == 1)
            assert_int_equal(unlink(path), 0);
        if (i == 2)
            put_file(path, (const uint8_t *)"scrambled", 9);
        lab_store(&lab);
        lab.store.machine_boot++;
        lab_open(&lab);
        lab_put(&lab, 10);
        lab_expect_pattern(&lab.log, 0, 5010);
        lab_end(&lab);
    }
}

/* Hostile index contents: records with right checksums that say what cannot be. */
static void lying_records_are_passed_over(void **state)
{
    static const struct {
        const char *name;
        uint64_t offset;
        uint16_t kind;
    } rows[] = {
        {"far behind the end", UINT64_MAX, VC_INDEX_BOOT},
        {"just behind the end", 5001, VC_INDEX_GAP},
        {"no kind", 100, 0},
        {"a kind of the future", 100, 0xffff},
        {"back before the last", 1, VC_INDEX_RESET},
        {"a time that vouches for nothing", 5000, VC_INDEX_TIME},
    };
    static struct lab_read r;
    struct lab lab;
    char path[160];

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        for (int power = 0; power < 2; power++) {
            struct vc_index_record record;
            uint8_t *idx;
            size_t n;

            lab_begin(&lab, NULL);
            lab_put(&lab, 5000);
            assert_int_equal(log_mark(&lab.log, VC_INDEX_BREAK, 0, 0, &lab.now), 0);
            assert_true(log_settle(&lab.log, &lab.now) || lab.log.marked_offset == 5000);
            lab_file(&lab, path, 0, ".idx");
            lab_kill(&lab);
            idx = slurp(path, &n);
            idx = realloc(idx, n + 64);
            memcpy(&record, idx + n - 64, 64);
            record.offset = rows[i].offset;
            record.kind = rows[i].kind;
            record.value = 12345;
            lab_seal(&record);
            memcpy(idx + n, &record, 64);
            put_file(path, idx, n + 64);
            free(idx);
            lab_store(&lab);
            lab.store.machine_boot += (uint64_t)power;
            lab_open(&lab);
            if (lab.log.length != 5000)
                fail_msg("%s: length %llu", rows[i].name, (unsigned long long)lab.log.length);
            lab_put(&lab, 100);
            lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM);
            assert_int_equal(r.n, 5100);
            lab_read_end(&r);
            lab_end(&lab);
        }
}

/* R45: damage in the middle of what a reader walks through neither stops nor repeats anything. */
static void readers_go_forward_over_damage(void **state)
{
    struct log_limits limits = {.segment_bytes = 8192};
    static struct lab_read r;
    struct lab lab;
    char path[160];

    (void)state;
    for (int round = 0; round < 100; round++) {
        lab_begin(&lab, &limits);
        for (int i = 0; i < 60; i++) {
            lab_put(&lab, 500);
            assert_int_equal(log_mark(&lab.log, VC_INDEX_BREAK, 0, 0, &lab.now), 0);
        }
        for (int i = 0; i < 3; i++) {
            uint64_t start = number(3) * 8500;
            size_t n;
            uint8_t *bytes;

            lab_file(&lab, path, start, number(2) == 0 ? ".log" : ".idx");
            bytes = slurp(path, &n);
            if (number(3) == 0)
                n = number(n + 1); /* even of the segment that is being written */
            else if (n > 0)
                damage_range(bytes, number(n), 1, &n);
            put_file(path, bytes, n);
            free(bytes);
        }
        lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM); /* ends, and checks that offsets do not go back */
        assert_true(r.n <= 30000);
        assert_true(r.n + r.lost >= 21500 || r.n_marks < 60);
        lab_read_end(&r);
        lab_end(&lab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_loss_of_power_the_prefix_is_exact),
        cmocka_unit_test(what_was_cut_is_said),
        cmocka_unit_test(after_a_kill_no_byte_is_lost),
        cmocka_unit_test(checksums_go_on_over_a_kill),
        cmocka_unit_test(a_missing_block_record_ends_the_prefix),
        cmocka_unit_test(without_an_index_all_bytes_stay),
        cmocka_unit_test(lying_records_are_passed_over),
        cmocka_unit_test(readers_go_forward_over_damage),
    };
    const char *given = getenv("VCONS_SEED");

    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u | 1;
    print_message("VCONS_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
