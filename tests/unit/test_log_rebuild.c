/* SPDX-License-Identifier: MIT */
/* Indices that are gone are made anew; and files that others cut, lengthened or took away under readers. */
#include "log_lab.h"

#define KB UINT64_C(1024)

static void path_of(const struct lab *lab, char path[160], uint64_t start, const char *suffix)
{
    lab_file(lab, path, start, suffix);
}

static bool exists(const struct lab *lab, uint64_t start, const char *suffix)
{
    char path[160];

    path_of(lab, path, start, suffix);
    return access(path, F_OK) == 0;
}

static void take_away(const struct lab *lab, uint64_t start, const char *suffix)
{
    char path[160];

    path_of(lab, path, start, suffix);
    assert_int_equal(unlink(path), 0);
}

/* Segments of 100000 bytes or so; their starts. */
static size_t fill(struct lab *lab, uint64_t starts[16])
{
    struct log_limits limits = {.segment_bytes = 100 * KB};
    size_t n = 0;

    lab_begin(lab, &limits);
    assert_int_equal(log_mark(&lab->log, VC_INDEX_BOOT, 1, 0, &lab->now), 0);
    while (lab->log.length < 430 * KB) {
        lab_put(lab, 9001);
        lab_tick(lab, 50 * MS);
        if (n == 0 || starts[n - 1] != lab->log.segment)
            starts[n++] = lab->log.segment;
    }
    (void)log_settle(&lab->log, &lab->now);
    assert_true(n >= 4);
    return n;
}

/* All records of a segment are right and vouch for all of its bytes, as the format says. */
static void expect_vouched(const struct lab *lab, uint64_t start, uint64_t end)
{
    struct vc_index_record r[64], copy;
    char path[160];
    uint64_t at = start;
    uint8_t *bytes = malloc(64 * KB);
    size_t n;
    FILE *f;

    assert_non_null(bytes);
    path_of(lab, path, start, ".idx");
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(r, sizeof r[0], N_ROWS(r), f);
    fclose(f);
    assert_true(n >= 2);
    assert_int_equal(r[0].kind, VC_INDEX_START);
    for (size_t i = 0; i < n; i++) {
        copy = r[i];
        lab_seal(&copy);
        assert_int_equal(copy.crc32c, r[i].crc32c);
        if (i == 0)
            continue;
        assert_int_equal(r[i].kind, r[i].offset - at == 64 * KB ? VC_INDEX_CRC : VC_INDEX_TIME);
        lab_fill(bytes, at, r[i].offset - at);
        assert_int_equal(r[i].value, crc32c_plain(0, bytes, r[i].offset - at));
        at = r[i].offset;
    }
    assert_int_equal(at, end);
    free(bytes);
}

static void the_newest(void **state)
{
    uint64_t starts[16], length;
    struct log_from from = {LOG_FROM_BOOT, -1};
    struct lab lab;
    uint64_t offset;
    size_t n;

    (void)state;
    n = fill(&lab, starts);
    length = lab.log.length;
    lab_kill(&lab);
    take_away(&lab, starts[n - 1], ".idx");
    lab_store(&lab);
    lab_open(&lab);
    expect_vouched(&lab, starts[n - 1], length);
    assert_int_equal(lab.log.length, length);
    assert_int_equal(lab.log.boot, 1); /* as the one before says */
    lab_put(&lab, 1000);
    lab_expect_pattern(&lab.log, 0, length + 1000);
    assert_int_equal(log_locate(&lab.log, &from, &offset), 0);
    assert_int_equal(offset, 0);
    lab_end(&lab);
}

static void closed_ones(void **state)
{
    for (int compressed = 0; compressed < 2; compressed++) {
        uint64_t starts[16], store_bytes;
        struct lab lab;
        size_t n;

        (void)state;
        n = fill(&lab, starts);
        if (compressed)
            assert_int_equal(lab_compress(&lab), n - 1);
        for (size_t i = 0; i + 1 < n; i++)
            take_away(&lab, starts[i], ".idx");
        lab_kill(&lab);
        lab_store(&lab);
        lab_open(&lab);
        store_bytes = lab.store.bytes;
        (void)lab_compress(&lab);
        for (size_t i = 0; i + 1 < n; i++)
            expect_vouched(&lab, starts[i], starts[i + 1]);
        assert_true(compressed ? lab.store.bytes > store_bytes : lab.store.bytes < store_bytes);
        lab_expect_pattern(&lab.log, 0, lab.log.length);
        lab_end(&lab);
    }
}

/* An index that is there is never touched, nor is one made for bytes that are being deleted. */
static void only_where_none_is(void **state)
{
    uint64_t starts[16];
    struct stat before, after;
    struct lab lab;
    char path[160];

    (void)state;
    (void)fill(&lab, starts);
    path_of(&lab, path, starts[0], ".idx");
    assert_int_equal(stat(path, &before), 0);
    (void)lab_compress(&lab);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_size, before.st_size);
    assert_false(exists(&lab, starts[0], ".idx.new"));
    lab_end(&lab);
}

/* Others. */

static void lengthened(void **state)
{
    for (int how = 0; how < 3; how++) { /* closed when the reader comes; while it is there; and then compressed */
        uint64_t starts[16], at = 0;
        struct log_cursor c;
        struct log_item item;
        struct lab lab;
        char path[160];
        size_t n;
        FILE *f;

        (void)state;
        n = fill(&lab, starts);
        assert_int_equal(log_cursor_open(&c, &lab.log, how == 1 ? starts[n - 1] : 0, 0), 0);
        at = how == 1 ? starts[n - 1] : 0;
        if (how == 1)
            assert_int_equal(log_cursor_next(&c, &item), 0);
        for (int i = 0; i < 20; i++)
            lab_put(&lab, 9001); /* and what was the newest is closed */
        path_of(&lab, path, how == 1 ? starts[n - 1] : starts[1], ".log");
        f = fopen(path, "ab");
        assert_non_null(f);
        assert_int_equal(fwrite("others wrote this", 1, 17, f), 17);
        fclose(f);
        if (how == 2)
            assert_true(lab_compress(&lab) >= n - 1);
        for (;;) {
            static uint8_t bytes[4000];
            ptrdiff_t got;

            assert_int_equal(log_cursor_next(&c, &item), 0);
            if (item.kind == LOG_NOTHING)
                break;
            assert_int_equal(item.kind, LOG_BYTES);
            assert_int_equal(item.offset, at);
            got = log_cursor_read(&c, &item, bytes, sizeof bytes);
            assert_true(got > 0);
            for (ptrdiff_t i = 0; i < got; i++)
                if (bytes[i] != lab_byte(at + (uint64_t)i))
                    fail_msg("%d: byte %llu", how, (unsigned long long)at);
            log_cursor_take(&c, (uint64_t)got);
            at += (uint64_t)got;
        }
        assert_int_equal(at, lab.log.length);
        log_cursor_close(&c);
        lab_end(&lab);
    }
}

/* Cut: what is missing is a gap of that length, in a closed segment and in the one that is written to. */
static void shortened(void **state)
{
    for (int newest = 0; newest < 2; newest++) {
        static struct lab_read r;
        uint64_t starts[16], length;
        struct lab lab;
        char path[160];
        size_t n;

        (void)state;
        n = fill(&lab, starts);
        length = lab.log.length;
        path_of(&lab, path, newest ? starts[n - 1] : starts[1], ".log");
        assert_int_equal(truncate(path, 100), 0);
        lab_read(&r, &lab.log, 0, LOG_KIND(VC_INDEX_GAP));
        assert_int_equal(r.n + r.lost, length);
        assert_int_equal(r.lost, newest ? length - starts[n - 1] - 100 : starts[2] - starts[1] - 100);
        lab_read_end(&r);
        lab_tick(&lab, 2000 * MS); /* it is looked at each second */
        lab_put(&lab, 1000);       /* and it goes on where it was, with what is missing still a gap */
        lab_read(&r, &lab.log, 0, LOG_KIND(VC_INDEX_GAP));
        assert_int_equal(r.n + r.lost, length + 1000);
        assert_int_equal(r.lost, newest ? length - starts[n - 1] - 100 : starts[2] - starts[1] - 100);
        for (size_t i = 0; i < 1000; i++)
            assert_int_equal(r.bytes[r.n - 1000 + i], lab_byte(length + i));
        lab_read_end(&r);
        lab_end(&lab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest), cmocka_unit_test(closed_ones), cmocka_unit_test(only_where_none_is),
        cmocka_unit_test(lengthened), cmocka_unit_test(shortened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
