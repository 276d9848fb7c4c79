/* SPDX-License-Identifier: MIT */
/*
 * T9 without memory for what the disk refuses: it is full, failing or read-only. The guest goes on, what is missing is one exact
 * mark, logging resumes by itself. On a small tmpfs where this may be mounted, and with system calls that fail on purpose everywhere.
 */
#include "log_faults.h"
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

static const uint8_t line_b[16] = "line b";

static const struct log_limits no_memory = {.memory_bytes = 1};

static void small_disk(struct lab *lab)
{
    *lab = (struct lab){.now = {1700000000 * UINT64_C(1000000000), 5000 * MS}};
    lab->limits = (struct log_limits){
        .segment_bytes = 1 << 20, .console_bytes = 8 << 20, .total_bytes = 8 << 20, .memory_bytes = 1};
    strcpy(lab->path, "/tmp/vcons-log-XXXXXX");
    assert_non_null(mkdtemp(lab->path));
    if (mount("vcons-test", lab->path, "tmpfs", 0, "size=512k") != 0) {
        assert_int_equal(rmdir(lab->path), 0);
        print_message("no tmpfs may be mounted here (%s)\n", strerror(errno));
        skip();
    }
}

static void small_disk_end(struct lab *lab)
{
    log_close(&lab->log, &lab->now);
    log_store_close(&lab->store);
    assert_int_equal(umount(lab->path), 0);
    assert_int_equal(rmdir(lab->path), 0);
}

static void ballast(const struct lab *lab, bool there)
{
    char path[96], block[4096] = "";
    int fd;

    snprintf(path, sizeof path, "%s/ballast", lab->path);
    if (!there) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

static void full_twenty_times(void)
{
    struct guest g = {0};
    struct lab lab;

    small_disk(&lab);
    lab_store(&lab);
    lab_open(&lab);
    assert_int_equal(log_attach(&lab.log, line_a, 0, &lab.now), 0);
    for (int cycle = 0; cycle < 20; cycle++) {
        uint64_t stored, marks = lab.log.idx_bytes;

        guest_prints(&lab, &g, 3000);
        assert_int_equal(lab.log.error, 0);
        ballast(&lab, true);
        for (int i = 0; i < 40; i++) { /* the page that is open still takes some, then nothing */
            guest_prints(&lab, &g, 1000);
            lab_tick(&lab, 100 * MS);
        }
        assert_int_equal(lab.log.error, ENOSPC);
        stored = g.stored;
        guest_prints(&lab, &g, 100000);
        assert_int_equal(g.stored, stored);
        if (cycle % 4 == 1) /* the gap's mark is on the full disk: nothing lost, nothing doubled */
            kill_and_resume(&lab, &g);
        if (cycle % 4 == 2) /* events of a full disk have their room */
            assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, (uint16_t)(cycle + 1), &lab.now), 0);
        ballast(&lab, false);
        if (lab.log.error != 0) {
            guest_prints(&lab, &g, 10); /* not before a second is over */
            assert_int_equal(g.stored, stored);
        }
        lab_tick(&lab, 1000 * MS);
        stored = g.stored;
        guest_prints(&lab, &g, 10);
        assert_int_equal(g.stored, stored + 10);
        assert_int_equal(lab.log.error, 0);
        assert_true(lab.log.idx_bytes - marks < 20 * 64); /* one growing record, not one for each round */
        expect_exact(&lab, &g);
    }
    assert_true(lab.n_messages <= 42); /* full, again, full: once each, with a budget */
    assert_int_equal(lab.store.n_failing, 0);
    small_disk_end(&lab);
}

/* T9's figures: 20, and 1,000. */
static void a_full_disk_twenty_times(void **state)
{
    (void)state;
    for (unsigned i = 0; i < lab_times(1, 50); i++)
        full_twenty_times();
}

static void a_disk_full_from_the_start(void **state)
{
    struct guest g = {0};
    struct lab lab;

    (void)state;
    small_disk(&lab);
    lab_store(&lab);
    ballast(&lab, true);
    lab_open(&lab);
    (void)log_attach(&lab.log, line_a, 0, &lab.now);
    for (int i = 0; i < 10; i++) {
        guest_prints(&lab, &g, 1000);
        lab_tick(&lab, 300 * MS);
    }
    assert_int_equal(lab.log.error, ENOSPC);
    assert_non_null(strstr(lab.message, "no space left"));
    ballast(&lab, false);
    lab_tick(&lab, 1000 * MS);
    guest_prints(&lab, &g, 1000);
    assert_int_equal(lab.log.error, 0);
    expect_exact(&lab, &g);
    kill_and_resume(&lab, &g);
    small_disk_end(&lab);
}

static void a_read_only_disk(void **state)
{
    struct guest g = {0};
    struct log_point p;
    struct lab lab;

    (void)state;
    small_disk(&lab);
    lab_store(&lab);
    lab_open(&lab);
    (void)log_attach(&lab.log, line_a, 0, &lab.now);
    (void)log_mark(&lab.log, VC_INDEX_BOOT, 1, 1, &lab.now);
    guest_prints(&lab, &g, 5000);
    lab_kill(&lab);
    assert_int_equal(mount(NULL, lab.path, NULL, MS_REMOUNT | MS_RDONLY, "size=512k"), 0);
    lab_store(&lab);
    lab_open(&lab);
    assert_int_equal(lab.log.error, EROFS);
    assert_non_null(strstr(lab.message, "read-only"));
    assert_int_equal(lab.log.length, 5000); /* it can be read */
    lab_expect_pattern(&lab.log, 0, 5000);
    (void)log_attach(&lab.log, line_b, (uint32_t)g.sent, &lab.now);
    (void)log_mark(&lab.log, VC_INDEX_BOOT, 1, 3, &lab.now);
    guest_prints(&lab, &g, 700);
    assert_int_equal(g.stored, 5000);
    assert_int_equal(mount(NULL, lab.path, NULL, MS_REMOUNT, "size=512k"), 0);
    lab_tick(&lab, 1000 * MS);
    guest_prints(&lab, &g, 300);
    assert_int_equal(g.stored, 5300);
    expect_exact(&lab, &g);
    lab_kill(&lab);
    lab_store(&lab);
    lab_open(&lab);
    assert_false(log_resume(&lab.log, line_a, &p));
    assert_true(log_resume(&lab.log, line_b, &p)); /* what was said meanwhile holds, not what the files said */
    assert_int_equal(p.cons, (uint32_t)g.sent);
    assert_int_equal(p.event, 3);
    assert_int_equal(p.boot, 2);
    small_disk_end(&lab);
}

static void errors_are_told_apart(void **state)
{
    static const struct {
        int error;
        const char *text;
    } rows[] = {
        {ENOSPC, "no space left"}, {EDQUOT, "quota"}, {EIO, "input/output"}, {EROFS, "read-only"}, {EFBIG, "limit"}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        for (int index = 0; index < 2; index++) {
            struct guest g = {0};
            struct lab lab;

            lab_begin(&lab, &no_memory);
            (void)log_attach(&lab.log, line_a, 0, &lab.now);
            guest_prints(&lab, &g, 1234);
            fault.error = rows[i].error;
            fault.also_index = index == 1; /* then not even the gap can be written down */
            for (int k = 0; k < 30; k++) {
                guest_prints(&lab, &g, 500);
                lab_tick(&lab, 90 * MS);
            }
            if (index == 1)
                assert_true(log_mark(&lab.log, VC_INDEX_BOOT, 1, 1, &lab.now) < 0);
            fault.error = 0;
            assert_int_equal(g.stored, 1234);
            if (strstr(lab.message, rows[i].text) == NULL)
                fail_msg("'%s' does not say '%s'", lab.message, rows[i].text);
            lab_tick(&lab, 1000 * MS);
            guest_prints(&lab, &g, 1);
            assert_int_equal(g.stored, 1235);
            expect_exact(&lab, &g);
            kill_and_resume(&lab, &g);
            lab_end(&lab);
        }
}

/* No byte of a line follows a lost attach: the next one opens a segment, which says what the attach would have. */
static void a_lost_record_is_made_up_for(void **state)
{
    struct guest g = {0};
    struct log_point p;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &no_memory);
    assert_int_equal(log_attach(&lab.log, line_b, 900, &lab.now), 0);
    lab.log.line_index = 0;
    guest_prints(&lab, &g, 100);
    fault.error = EIO;
    fault.also_index = true;
    assert_int_equal(log_attach(&lab.log, line_a, 100, &lab.now), -EIO);
    fault.error = 0;
    guest_prints(&lab, &g, 50); /* at once: no time mark is due */
    lab_kill(&lab);
    lab_store(&lab);
    lab_open(&lab);
    assert_true(log_resume(&lab.log, line_a, &p));
    assert_int_equal(p.cons, 150);
    lab_end(&lab);
}

static void short_writes_lose_nothing(void **state)
{
    struct guest g = {0};
    struct lab lab;

    (void)state;
    lab_begin(&lab, &no_memory);
    (void)log_attach(&lab.log, line_a, 0, &lab.now);
    for (unsigned n = 1; n < 400; n += 7) {
        fault.short_n = n;
        guest_prints(&lab, &g, 1000);
    }
    fault.short_n = 0;
    assert_int_equal(g.stored, g.sent);
    expect_exact(&lab, &g);
    lab_end(&lab);
}

/* T7: the k-th write, creation or rename fails, for each k until none is left to fail. */
static void any_single_failure(void **state)
{
    struct log_limits limits = {.segment_bytes = 4096, .memory_bytes = 1};
    bool failed = true;

    (void)state;
    for (long k = 1; failed; k++) {
        struct guest g = {0};
        struct lab lab;

        lab_begin(&lab, &limits);
        fault.countdown = k;
        (void)log_attach(&lab.log, line_a, 0, &lab.now);
        for (int i = 0; i < 30; i++) {
            guest_prints(&lab, &g, 600);
            if (i % 5 == 0)
                (void)log_mark(&lab.log, VC_INDEX_BOOT, 1, (uint16_t)(i + 1), &lab.now);
            lab_tick(&lab, 200 * MS);
        }
        failed = fault.countdown <= 0;
        fault.countdown = 0;
        lab_tick(&lab, 1000 * MS);
        guest_prints(&lab, &g, 1);
        if (lab.log.error != 0)
            fail_msg("does not recover from failure %ld", k);
        expect_exact(&lab, &g);
        kill_and_resume(&lab, &g);
        if (!failed)
            assert_true(k > 60); /* the loop did meet the calls it is about */
        lab_end(&lab);
    }
}

struct progress { /* what the one who dies had been told */
    uint64_t stored;
    uint16_t events;
    bool attached, done;
};

/* Opens, attaches, appends over several segments, marks: until it dies or is through. */
static void live(struct lab *lab, struct progress *p)
{
    struct guest g = {0};

    lab_store(lab);
    lab_open(lab);
    if (log_attach(&lab->log, line_a, 0, &lab->now) == 0)
        p->attached = true;
    for (int i = 0; i < 30; i++) {
        guest_prints(lab, &g, 600);
        p->stored = g.stored;
        if (i % 4 == 3 && log_mark(&lab->log, VC_INDEX_BOOT, 1, (uint16_t)(p->events + 1), &lab->now) == 0)
            p->events++;
        lab_tick(lab, 70 * MS);
    }
    p->done = true;
    _exit(0);
}

/* T1 in small: a death before and behind each system call loses nothing that was acknowledged, and doubles nothing. */
static void death_at_every_step(void **state)
{
    struct progress *p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long steps[2] = {0};

    (void)state;
    assert_true(p != MAP_FAILED);
    for (int after = 0; after < 2; after++)
        for (bool done = false; !done; steps[after]++) {
            struct log_limits limits = {.segment_bytes = 4096, .memory_bytes = 1};
            struct log_point point;
            struct lab lab;
            pid_t child;

            lab_begin(&lab, &limits);
            lab_kill(&lab);
            *p = (struct progress){0};
            child = fork();
            assert_true(child >= 0);
            if (child == 0) {
                fault.death = steps[after] + 1;
                fault.after = after == 1;
                live(&lab, p);
            }
            assert_int_equal(waitpid(child, NULL, 0), child);
            lab_store(&lab);
            lab_open(&lab);
            assert_true(lab.log.length >= p->stored && lab.log.length <= p->stored + 600);
            lab_expect_pattern(&lab.log, 0, lab.log.length);
            if (log_resume(&lab.log, line_a, &point)) {
                assert_int_equal(point.cons, (uint32_t)lab.log.length);
                assert_true(point.event == p->events || point.event == p->events + 1);
                assert_int_equal(point.boot, point.event);
            } else if (p->attached || lab.log.length > 0) {
                fail_msg("death %s step %ld: the line is forgotten", after == 1 ? "behind" : "before", steps[after]);
            }
            done = p->done;
            lab_end(&lab);
        }
    assert_true(steps[0] > 60 && steps[1] == steps[0]);
    munmap(p, sizeof *p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_twenty_times),
        cmocka_unit_test(a_disk_full_from_the_start),
        cmocka_unit_test(a_read_only_disk),
        cmocka_unit_test(errors_are_told_apart),
        cmocka_unit_test(a_lost_record_is_made_up_for),
        cmocka_unit_test(short_writes_lose_nothing),
        cmocka_unit_test(death_at_every_step),
        cmocka_unit_test(any_single_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
