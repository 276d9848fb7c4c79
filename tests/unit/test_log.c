/* SPDX-License-Identifier: MIT */
/* The log store by daylight: what goes in comes out, over segments, restarts, retention. */
#include "log_lab.h"
#include "service/log_private.h" /* log_publish: a thread that does nothing else is stopped in the midst of it */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>

static const uint8_t line_a[16] = "line a", line_b[16] = "line b";

static void bytes_and_marks_come_out_in_order(void **state)
{
    static struct lab_read r;
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    assert_int_equal(log_attach(&lab.log, line_a, 1000, &lab.now), 0);
    assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 1, &lab.now), 0);
    lab_put(&lab, 100);
    assert_int_equal(log_mark(&lab.log, VC_INDEX_RESIZE, 25 << 16 | 80, 2, &lab.now), 0);
    assert_int_equal(log_mark(&lab.log, VC_INDEX_GAP, 77, 3, &lab.now), 0);
    lab_put(&lab, 50);
    lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM);
    assert_int_equal(r.n, 150);
    static const struct {
        uint16_t kind;
        uint64_t offset, value;
        uint32_t index, boot;
        uint16_t event;
    } rows[] = {{VC_INDEX_ATTACH, 0, 0, 1000, 0, 0},
                {VC_INDEX_BOOT, 0, 1, 1000, 1, 1},
                {VC_INDEX_RESIZE, 100, 25 << 16 | 80, 1100, 1, 2},
                {VC_INDEX_GAP, 100, 77, 1100, 1, 3}};
    assert_int_equal(r.n_marks, N_ROWS(rows));
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        const struct vc_index_record *m = &r.marks[i];

        if (m->kind != rows[i].kind || m->offset != rows[i].offset || m->value != rows[i].value ||
            m->line_index != rows[i].index || m->boot != rows[i].boot || m->event != rows[i].event ||
            memcmp(m->line_id, line_a, 16) != 0)
            fail_msg("mark %zu differs", i);
    }
    lab_read_end(&r);
    lab_expect_pattern(&lab.log, 0, 150);
    lab_end(&lab);
}

static void files_can_be_read_with_plain_tools(void **state)
{
    char path[160], target[64];
    struct stat st;
    struct lab lab;
    ssize_t n;

    (void)state;
    umask(0077); /* as the daemon's */
    lab_begin(&lab, NULL);
    lab_put(&lab, 12345);
    lab_file(&lab, path, 0, ".log");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 12345);
    assert_int_equal(st.st_mode & 07777, 0640);
    lab_file(&lab, path, 0, ".idx");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size % VC_INDEX_RECORD_BYTES, 0);
    snprintf(path, sizeof path, "%s/" LAB_DOMAIN "/" LAB_CONSOLE "/current.log", lab.path);
    n = readlink(path, target, sizeof target - 1);
    assert_true(n > 0);
    target[n] = '\0';
    assert_string_equal(target, "00000000000000000000.log");
    lab_end(&lab);
}

/* A death between the two steps by which current.log changes leaves it at the segment before. */
static void current_is_the_newest_after_a_kill(void **state)
{
    char current[160], fresh[160], target[64], name[64];
    struct lab lab;
    ssize_t n;

    (void)state;
    lab_begin(&lab, NULL);
    lab_put(&lab, 1000);
    assert_int_equal(log_rotate(&lab.log, &lab.now), 0);
    lab_put(&lab, 1000);
    lab_kill(&lab);
    snprintf(current, sizeof current, "%s/" LAB_DOMAIN "/" LAB_CONSOLE "/current.log", lab.path);
    snprintf(fresh, sizeof fresh, "%s/" LAB_DOMAIN "/" LAB_CONSOLE "/current.new", lab.path);
    assert_int_equal(rename(current, fresh), 0);
    assert_int_equal(symlink("00000000000000000000.log", current), 0);
    lab_store(&lab);
    lab_open(&lab);
    n = readlink(current, target, sizeof target - 1);
    assert_true(n > 0);
    target[n] = '\0';
    snprintf(name, sizeof name, "%020u.log", 1000);
    assert_string_equal(target, name);
    lab_end(&lab);
}

static void resume_is_exact_after_a_kill(void **state)
{
    struct log_point p;
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    assert_int_equal(log_attach(&lab.log, line_a, UINT32_MAX - 99, &lab.now), 0);
    assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 9, &lab.now), 0);
    lab_put(&lab, 70000); /* with a time mark in it */
    lab_put(&lab, 333);   /* without */
    lab_kill(&lab);
    lab_store(&lab);
    lab_open(&lab);
    assert_int_equal(lab.log.length, 70333);
    assert_true(log_resume(&lab.log, line_a, &p));
    assert_int_equal(p.cons, (uint32_t)(UINT32_MAX - 99 + 70333u)); /* modulo 2^32 */
    assert_int_equal(p.event, 9);
    assert_int_equal(p.boot, 1);
    assert_false(log_resume(&lab.log, line_b, &p));
    lab_put(&lab, 1000); /* the checksum of the open block went on */
    lab_expect_pattern(&lab.log, 0, 71333);
    lab_end(&lab);
}

static void sources_without_a_line_never_resume(void **state)
{
    static const uint8_t none[16];
    struct log_point p;
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    assert_int_equal(log_attach(&lab.log, none, 0, &lab.now), 0);
    lab_put(&lab, 10);
    assert_false(log_resume(&lab.log, none, &p));
    lab_end(&lab);
}

static void rotates_by_size_and_reads_across(void **state)
{
    struct log_limits limits = {.segment_bytes = 10000};
    struct log_segment_name {
        uint64_t start;
    } starts[] = {{0}, {10500}, {21000}};
    char path[160];
    struct stat st;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    for (int i = 0; i < 45; i++) {
        lab_put(&lab, 700);
        lab_tick(&lab, 3 * MS);
    }
    for (size_t i = 0; i < N_ROWS(starts); i++) { /* 15 appends pass 10,000 bytes */
        lab_file(&lab, path, starts[i].start, ".log");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, 10500);
    }
    lab_expect_pattern(&lab.log, 0, 31500);
    for (uint64_t from = 0; from <= 31500; from += 1750) {
        static struct lab_read r;

        lab_read(&r, &lab.log, from, LOG_KINDS_STREAM);
        assert_int_equal(r.first, from);
        assert_int_equal(r.n, 31500 - from);
        for (size_t i = 0; i < r.n; i++)
            assert_int_equal(r.bytes[i], lab_byte(from + i));
        lab_read_end(&r);
    }
    lab_end(&lab);
}

static void a_renamed_domain_keeps_its_history(void **state)
{
    static const uint8_t line[16] = "the same line";
    struct log_limits limits = {.segment_bytes = 10000};
    struct log_cursor c;
    struct log_item item;
    struct log_point point;
    struct log other = {.open = false};
    char path[160];
    struct stat st;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    assert_int_equal(log_attach(&lab.log, line, 0, &lab.now), 0);
    for (int i = 0; i < 20; i++)
        lab_put(&lab, 700);
    assert_int_equal(log_cursor_open(&c, &lab.log, 0, LOG_KINDS_STREAM), 0); /* a reader that is in the midst of it */
    assert_int_equal(log_open(&other, &lab.store, "taken", LAB_CONSOLE, 0, &lab.now), 0);
    assert_int_equal(log_rename(&lab.log, "taken"), -EEXIST);
    assert_int_equal(log_rename(&lab.log, "../up"), -EINVAL);
    assert_string_equal(lab.log.domain, LAB_DOMAIN);
    assert_int_equal(log_rename(&lab.log, "renamed"), 0);
    assert_string_equal(lab.log.domain, "renamed");
    snprintf(path, sizeof path, "%s/" LAB_DOMAIN, lab.path);
    assert_int_equal(stat(path, &st), -1);
    snprintf(path, sizeof path, "%s/renamed/" LAB_CONSOLE "/current.log", lab.path);
    assert_int_equal(stat(path, &st), 0);
    assert_true(log_resume(&lab.log, line, &point));
    assert_int_equal(point.cons, 14000);
    for (int i = 0; i < 20; i++)
        lab_put(&lab, 700);            /* over the end of a segment */
    for (uint64_t n = 0; n < 28000;) { /* it reads on as if nothing had been */
        assert_int_equal(log_cursor_next(&c, &item), 0);
        if (item.kind == LOG_MARK)
            continue;
        assert_int_equal(item.kind, LOG_BYTES);
        assert_int_equal(item.offset, n);
        n += item.n;
        log_cursor_take(&c, item.n);
    }
    log_cursor_close(&c);
    lab_expect_pattern(&lab.log, 0, 28000);
    log_close(&other, &lab.now);
    lab_end(&lab);
}

static void resumes_right_after_a_rotation(void **state)
{
    struct log_limits limits = {.segment_bytes = 4096};
    struct log_point p;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    assert_int_equal(log_attach(&lab.log, line_a, 5, &lab.now), 0);
    lab_put(&lab, 4096);
    lab_put(&lab, 1); /* opens the next: its START is the only record there */
    lab_kill(&lab);
    lab_store(&lab);
    lab_open(&lab);
    assert_int_equal(lab.log.segment, 4096);
    assert_true(log_resume(&lab.log, line_a, &p));
    assert_int_equal(p.cons, 5 + 4097);
    lab_end(&lab);
}

/* Killed between making a segment's two files: the one before still tells where the line stands. */
static void an_unborn_segment_is_forgotten(void **state)
{
    struct log_point p;
    char path[160];
    struct lab lab;
    int fd;

    (void)state;
    lab_begin(&lab, NULL);
    assert_int_equal(log_attach(&lab.log, line_a, 5, &lab.now), 0);
    lab_put(&lab, 5000);
    lab_file(&lab, path, 5000, ".log");
    lab_kill(&lab);
    fd = open(path, O_CREAT | O_WRONLY, 0640);
    assert_true(fd >= 0);
    close(fd);
    lab_store(&lab);
    lab_open(&lab);
    assert_true(log_resume(&lab.log, line_a, &p));
    assert_int_equal(p.cons, 5005);
    assert_int_equal(access(path, F_OK), -1);
    lab_put(&lab, 100);
    lab_expect_pattern(&lab.log, 0, 5100);
    lab_end(&lab);
}

/* Killed while the first of all segments was made: after its bytes, its empty index, a torn record in that. */
static void a_first_segment_that_was_half_made_is_made_anew(void **state)
{
    char path[160], index[160];
    struct lab lab;

    (void)state;
    for (int step = 0; step < 3; step++) {
        lab_begin(&lab, NULL);
        lab_file(&lab, path, 0, ".log");
        lab_file(&lab, index, 0, ".idx");
        lab_kill(&lab);
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(truncate(index, 0), 0);
        if (step == 0)
            assert_int_equal(unlink(index), 0);
        if (step == 2)
            assert_int_equal(truncate(index, VC_INDEX_RECORD_BYTES / 2), 0);
        lab_store(&lab);
        lab_open(&lab);
        assert_int_equal(log_attach(&lab.log, line_a, 5, &lab.now), 0);
        lab_put(&lab, 100);
        lab_kill(&lab);
        lab_store(&lab);
        lab_open(&lab);
        lab_expect_pattern(&lab.log, 0, 100);
        lab_end(&lab);
    }
}

static uint64_t disk_bytes(const struct lab *lab)
{
    char path[512];
    struct dirent *e;
    struct stat st;
    uint64_t sum = 0;
    DIR *d;

    snprintf(path, sizeof path, "%s/" LAB_DOMAIN "/" LAB_CONSOLE, lab->path);
    d = opendir(path);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            sum += (uint64_t)st.st_size;
    closedir(d);
    return sum;
}

/* R2: what a guest can cause to be stored has a quota, of bytes and of marks. */
static void retention_holds_the_console_cap(void **state)
{
    struct log_limits limits = {.segment_bytes = 8192, .console_bytes = 64 * 1024};
    struct log_status status;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    for (int i = 0; i < 3000; i++) {
        lab_put(&lab, 900);
        lab_tick(&lab, 11 * MS);
        if (lab.n_untidy > 0) {
            (void)log_store_tidy(&lab.store, &lab.now);
            lab.n_untidy = 0;
            assert_true(disk_bytes(&lab) <= limits.console_bytes);
        }
        assert_true(disk_bytes(&lab) <= limits.console_bytes + 2 * 8192);
        log_status_get(&lab.log, &status);
        assert_int_equal(status.bytes, disk_bytes(&lab));
    }
    log_status_get(&lab.log, &status);
    assert_true(status.oldest > 0);
    lab_expect_pattern(&lab.log, status.oldest, 3000 * 900);
    lab_end(&lab);
}

static void quota_holds_even_if_nobody_tidies(void **state)
{
    struct log_limits limits = {.segment_bytes = 8192, .console_bytes = 64 * 1024};
    struct log_status status;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    for (int i = 0; i < 1000; i++) {
        lab_put(&lab, 900);
        assert_true(disk_bytes(&lab) <= 2 * limits.console_bytes + 2 * 8192);
    }
    log_status_get(&lab.log, &status);
    lab_expect_pattern(&lab.log, status.oldest, 900000);
    lab_end(&lab);
}

static void marks_alone_cannot_fill_the_disk(void **state)
{
    struct log_limits limits = {.segment_bytes = 8192, .console_bytes = 64 * 1024};
    struct log_point p;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    assert_int_equal(log_attach(&lab.log, line_a, 42, &lab.now), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, i, (uint16_t)(i + 1), &lab.now), 0);
        if (i % 100 == 0)
            assert_true(disk_bytes(&lab) <= limits.console_bytes);
    }
    lab_kill(&lab);
    lab_store(&lab);
    lab_open(&lab);
    assert_true(log_resume(&lab.log, line_a, &p));
    assert_int_equal(p.cons, 42);
    assert_int_equal(p.boot, 5000);
    assert_int_equal(p.event, 5000);
    lab_end(&lab);
}

/* A flood costs the flooder its history, not the others. */
static void the_largest_console_pays_for_the_whole(void **state)
{
    struct log_limits limits = {.segment_bytes = 64 * 1024, .console_bytes = 1 << 30, .total_bytes = 1024 * 1024};
    struct log_status status;
    struct lab lab;
    struct log quiet;
    uint8_t byte = 'q';

    (void)state;
    lab_begin(&lab, &limits);
    assert_int_equal(log_open(&quiet, &lab.store, "d2", "hvc0", 0, &lab.now), 0);
    assert_int_equal(lab_append(&quiet, &byte, 1, &lab.now), 1);
    log_close(&quiet, &lab.now); /* and a console that is away keeps its history too */
    for (int i = 0; i < 300; i++) {
        lab_put(&lab, 10000);
        if (lab.n_untidy > 0) {
            (void)log_store_tidy(&lab.store, &lab.now);
            lab.n_untidy = 0;
            assert_true(disk_bytes(&lab) <= limits.total_bytes);
        }
    }
    log_status_get(&lab.log, &status);
    assert_true(status.oldest > 0);
    assert_int_equal(log_open(&quiet, &lab.store, "d2", "hvc0", LOG_READ, &lab.now), 0);
    log_status_get(&quiet, &status);
    assert_int_equal(status.oldest, 0);
    assert_int_equal(status.length, 1);
    log_close(&quiet, &lab.now);
    lab_end(&lab);
}

static void a_reader_goes_on_when_retention_takes_its_place(void **state)
{
    struct log_limits limits = {.segment_bytes = 4096, .console_bytes = 16384};
    uint64_t at = 0, lost = 0, read = 0;
    uint8_t bytes[1000];
    struct log_cursor c;
    struct log_item item;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    assert_int_equal(log_cursor_open(&c, &lab.log, 0, LOG_KINDS_STREAM), 0);
    for (int i = 0; i < 500; i++) {
        lab_put(&lab, 700);
        if (i % 10 == 0)
            (void)log_store_tidy(&lab.store, &lab.now);
        if (i % 7 != 0 && i < 499)
            continue; /* too slow */
        do {
            assert_int_equal(log_cursor_next(&c, &item), 0);
            if (item.kind == LOG_MARK) {
                assert_int_equal(item.record.kind, VC_INDEX_GAP);
                lost += item.record.value;
                at += item.record.value;
            } else if (item.kind == LOG_BYTES) {
                ptrdiff_t n = log_cursor_read(&c, &item, bytes, sizeof bytes);

                assert_true(n > 0);
                assert_int_equal(item.offset, at);
                for (ptrdiff_t k = 0; k < n; k++)
                    assert_int_equal(bytes[k], lab_byte(at + (uint64_t)k));
                log_cursor_take(&c, (uint64_t)n);
                at += (uint64_t)n;
                read += (uint64_t)n;
            }
        } while (item.kind != LOG_NOTHING && (i == 499 || item.kind != LOG_BYTES));
    }
    assert_true(lost > 0);
    assert_int_equal(read + lost, 500 * 700);
    log_cursor_close(&c);
    lab_end(&lab);
}

static void files_deleted_under_it(void **state)
{
    static struct lab_read r;
    struct log_point p;
    struct lab lab;
    char path[160];

    (void)state;
    lab_begin(&lab, NULL);
    assert_int_equal(log_attach(&lab.log, line_a, 0, &lab.now), 0);
    lab_put(&lab, 500);
    snprintf(path, sizeof path, "%s/" LAB_DOMAIN, lab.path);
    lab_remove(path);
    lab_tick(&lab, 2000 * MS);
    lab_put(&lab, 40);
    lab_tick(&lab, 2000 * MS);
    lab_put(&lab, 2);
    assert_int_equal(lab.n_messages, 1);
    assert_non_null(strstr(lab.message, "were deleted"));
    lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM);
    assert_int_equal(r.first, 500); /* offsets go on */
    assert_int_equal(r.n, 42);
    assert_int_equal(r.lost, 500);
    lab_read_end(&r);
    lab_kill(&lab);
    lab_store(&lab);
    lab_open(&lab);
    assert_true(log_resume(&lab.log, line_a, &p));
    assert_int_equal(p.cons, 542);
    lab_end(&lab);
}

static void only_the_index_deleted_loses_no_byte(void **state)
{
    struct lab lab;
    char path[160];

    (void)state;
    lab_begin(&lab, NULL);
    lab_put(&lab, 500);
    lab_file(&lab, path, 0, ".idx");
    assert_int_equal(unlink(path), 0);
    lab_tick(&lab, 2000 * MS);
    lab_put(&lab, 40);
    lab_expect_pattern(&lab.log, 0, 540);
    lab_end(&lab);
}

static void names_are_ids_and_links_are_not_followed(void **state)
{
    static const char *const bad[] = {
        "..", ".", "", "a/b", "-x", "a\n", ".hidden", "x\x1b[2J", "0123456789012345678901234567890123"};
    char path[160];
    struct lab lab;
    struct log l;

    (void)state;
    lab_begin(&lab, NULL);
    for (size_t i = 0; i < N_ROWS(bad); i++) {
        if (log_open(&l, &lab.store, bad[i], "hvc0", 0, &lab.now) != -EINVAL)
            fail_msg("domain '%s'", bad[i]);
        if (log_open(&l, &lab.store, "ok", bad[i], 0, &lab.now) != -EINVAL)
            fail_msg("console '%s'", bad[i]);
    }
    snprintf(path, sizeof path, "%s/planted", lab.path);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_true(log_open(&l, &lab.store, "planted", "hvc0", 0, &lab.now) < 0);
    snprintf(path, sizeof path, "%s/ok/c", lab.path);
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/00000000000000000000.log");
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_true(log_open(&l, &lab.store, "ok", "c", 0, &lab.now) < 0);
    lab_end(&lab);
}

static void read_only_logs_change_nothing(void **state)
{
    static struct lab_read r;
    char path[160];
    struct stat before, after;
    struct lab lab;
    struct log l;

    (void)state;
    lab_begin(&lab, NULL);
    lab_put(&lab, 300);
    assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0);
    log_close(&lab.log, &lab.now);
    lab_file(&lab, path, 0, ".idx");
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(log_open(&l, &lab.store, LAB_DOMAIN, LAB_CONSOLE, LOG_READ, &lab.now), 0);
    lab_read(&r, &l, 0, LOG_KINDS_STREAM);
    assert_int_equal(r.n, 300);
    assert_int_equal(r.n_marks, 1);
    lab_read_end(&r);
    log_close(&l, &lab.now);
    assert_int_equal(log_open(&l, &lab.store, LAB_DOMAIN, "none", LOG_READ, &lab.now), -ENOENT);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before.st_size, after.st_size);
    lab_end(&lab);
}

/* Of a log that nobody has open; what an earlier glance knew serves as long as the files are what they were. */
static void a_glance_knows_when_it_is_old(void **state)
{
    struct log_glance g = {.known = false}, fresh;
    char path[160];
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0);
    lab_put(&lab, 300);
    log_close(&lab.log, &lab.now);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(log_glance(&g, &lab.store, LAB_DOMAIN, LAB_CONSOLE, &lab.now), 0);
        assert_int_equal(g.status.length, 300);
        assert_int_equal(g.status.boot, 1);
        assert_true(g.status.opened_ns > 0);
    }
    lab_file(&lab, path, 0, ".idx");
    assert_int_equal(truncate(path, 0), 0); /* an open would find no boot now: nothing was opened */
    assert_int_equal(log_glance(&g, &lab.store, LAB_DOMAIN, LAB_CONSOLE, &lab.now), 0);
    assert_int_equal(g.status.boot, 1);
    lab_open(&lab);
    lab_put(&lab, 7); /* in a segment of its own: nothing vouches for the first any more */
    log_close(&lab.log, &lab.now);
    fresh = (struct log_glance){.known = false};
    assert_int_equal(log_glance(&fresh, &lab.store, LAB_DOMAIN, LAB_CONSOLE, &lab.now), 0);
    assert_int_equal(fresh.status.length, 307);
    lab_file(&lab, path, fresh.segment, ".log");
    assert_int_equal(unlink(path), 0);
    lab_file(&lab, path, 0, ".log");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(log_glance(&fresh, &lab.store, LAB_DOMAIN, LAB_CONSOLE, &lab.now), -ENOENT);
    assert_int_equal(fresh.status.length, 0);
    lab_end(&lab);
}

static void each(void *ctx, const char *domain, const char *console)
{
    strcat(ctx, domain);
    strcat(ctx, "/");
    strcat(ctx, console);
    strcat(ctx, " ");
}

static void lists_what_is_there(void **state)
{
    char names[128] = "";
    struct lab lab;

    (void)state;
    lab_begin(&lab, NULL);
    assert_int_equal(log_store_each(&lab.store, each, names), 0);
    assert_string_equal(names, LAB_DOMAIN "/" LAB_CONSOLE " ");
    lab_end(&lab);
}

static int stopped[2], go_on[2]; /* pipes */

static void stand_still(int number)
{
    char byte = 's';

    (void)number;
    if (write(stopped[1], &byte, 1) != 1 || read(go_on[0], &byte, 1) != 1)
        abort();
}

static void *publish_for_ever(void *log)
{
    for (uint32_t i = 1;; i++) {
        struct log *l = log;

        l->length = l->segment = l->idx_bytes = l->files = l->boot = i;
        log_publish(l);
        if (i % 1024 == 0)
            pthread_testcancel();
    }
    return NULL;
}

/* Wherever the appending thread is stopped, or ends, a reader gets a view at once, and one that was whole. */
static void readers_wait_for_no_writer(void **state)
{
    static struct log l;
    struct sigaction stand = {.sa_handler = stand_still};
    struct log_view view = {0};
    pthread_t writer;
    char byte;

    (void)state;
    assert_int_equal(pipe(stopped) | pipe(go_on) | sigaction(SIGUSR1, &stand, NULL), 0);
    assert_int_equal(pthread_create(&writer, NULL, publish_for_ever, &l), 0);
    alarm(25);
    for (unsigned i = 0; i < 60; i++) {
        uint32_t boot = view.boot;

        assert_int_equal(pthread_kill(writer, SIGUSR1), 0);
        assert_int_equal(read(stopped[0], &byte, 1), 1);
        log_view_get(&l, &view);
        if (view.length != view.boot || view.segment != view.boot || view.idx_bytes != view.boot ||
            view.files != view.boot || view.boot < boot)
            fail_msg("a view of two moments: %u and %u", view.files, view.boot);
        assert_int_equal(write(go_on[1], "g", 1), 1);
        for (boot = view.boot; view.boot == boot; sched_yield()) /* on its way again, to be stopped somewhere else */
            log_view_get(&l, &view);
    }
    alarm(0);
    pthread_cancel(writer);
    pthread_join(writer, NULL);
}

static void memory_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct log) <= 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_marks_come_out_in_order),
        cmocka_unit_test(files_can_be_read_with_plain_tools),
        cmocka_unit_test(current_is_the_newest_after_a_kill),
        cmocka_unit_test(resume_is_exact_after_a_kill),
        cmocka_unit_test(sources_without_a_line_never_resume),
        cmocka_unit_test(rotates_by_size_and_reads_across),
        cmocka_unit_test(a_renamed_domain_keeps_its_history),
        cmocka_unit_test(resumes_right_after_a_rotation),
        cmocka_unit_test(an_unborn_segment_is_forgotten),
        cmocka_unit_test(a_first_segment_that_was_half_made_is_made_anew),
        cmocka_unit_test(retention_holds_the_console_cap),
        cmocka_unit_test(quota_holds_even_if_nobody_tidies),
        cmocka_unit_test(marks_alone_cannot_fill_the_disk),
        cmocka_unit_test(the_largest_console_pays_for_the_whole),
        cmocka_unit_test(a_reader_goes_on_when_retention_takes_its_place),
        cmocka_unit_test(files_deleted_under_it),
        cmocka_unit_test(only_the_index_deleted_loses_no_byte),
        cmocka_unit_test(names_are_ids_and_links_are_not_followed),
        cmocka_unit_test(read_only_logs_change_nothing),
        cmocka_unit_test(a_glance_knows_when_it_is_old),
        cmocka_unit_test(lists_what_is_there),
        cmocka_unit_test(readers_wait_for_no_writer),
        cmocka_unit_test(memory_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
