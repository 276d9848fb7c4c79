/* SPDX-License-Identifier: MIT */
/* What is flushed to the disk, when, and what is said of it: the flushes are recorded in the place of libc's (-Wl,--wrap). */
#include "log_lab.h"
#include <errno.h>
#include <sys/sysmacros.h>

#define S (1000 * MS)

static struct {
    unsigned files, systems; /* flushes */
    int error;               /* they fail with it */
    ino_t inode[64];         /* of the files */
    uint64_t bytes[64];      /* how long they were then */
} seen;

int __wrap_fdatasync(int fd);
int __wrap_syncfs(int fd);

int __wrap_fdatasync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    if (seen.files < N_ROWS(seen.inode)) {
        seen.inode[seen.files] = st.st_ino;
        seen.bytes[seen.files] = (uint64_t)st.st_size;
    }
    seen.files++;
    errno = seen.error;
    return seen.error != 0 ? -1 : 0;
}

int __wrap_syncfs(int fd)
{
    assert_true(fd >= 0);
    seen.systems++;
    errno = seen.error;
    return seen.error != 0 ? -1 : 0;
}

static unsigned n_dirty;

static void count_dirty(void *ctx)
{
    (void)ctx;
    n_dirty++;
}

static void begin(struct lab *lab, uint64_t sync_ns)
{
    memset(&seen, 0, sizeof seen);
    lab_begin(lab, NULL);
    lab->env.dirty = count_dirty;
    n_dirty = 0;
    lab->rules.sync_ns = sync_ns;
    log_store_rules(&lab->store);
}

static uint64_t synced(const struct log *l)
{
    struct log_status status;

    log_status_get(l, &status);
    return status.synced;
}

static uint64_t sync_now(struct lab *lab) { return log_store_sync(&lab->store, &lab->now); }

static void nothing_is_flushed_unasked(void **state)
{
    struct log_status status;
    struct lab lab;

    (void)state;
    begin(&lab, 0);
    lab_put(&lab, 100000);
    assert_true(sync_now(&lab) == UINT64_MAX);
    log_status_get(&lab.log, &status);
    assert_false(status.syncs);
    lab_end(&lab);
    assert_int_equal(seen.files + seen.systems + n_dirty, 0);
}

static void within_its_period(void **state)
{
    uint64_t stored;
    struct lab lab;
    char path[160];
    struct stat st;

    (void)state;
    begin(&lab, 2 * S);
    lab_put(&lab, 1000);
    assert_int_equal(n_dirty, 1); /* asked for once, not at each byte */
    lab_put(&lab, 1000);
    assert_int_equal(n_dirty, 1);
    assert_int_equal(synced(&lab.log), 0);
    assert_int_equal(sync_now(&lab), 0);
    assert_int_equal(seen.systems, 1); /* the first: the files' names too */
    assert_int_equal(synced(&lab.log), 2000);
    assert_true(sync_now(&lab) == UINT64_MAX);
    for (int i = 0; i < 10; i++) { /* a little each half second: a flush each 2 s */
        lab_tick(&lab, S / 2);
        lab_put(&lab, 10);
        (void)sync_now(&lab);
    }
    assert_int_equal(seen.files, 2 * 2); /* the bytes and the index */
    assert_int_equal(seen.systems, 1);
    lab_file(&lab, path, 0, ".log");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(seen.inode[0], st.st_ino);
    lab_file(&lab, path, 0, ".idx");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(seen.inode[1], st.st_ino);
    assert_int_equal(seen.bytes[2], 2080); /* not more is said than was there */
    assert_int_equal(synced(&lab.log), 2080);
    assert_int_equal(sync_now(&lab), S); /* that much is left of the period */
    stored = lab.log.length;
    lab_tick(&lab, S);
    assert_int_equal(sync_now(&lab), 0);
    assert_int_equal(synced(&lab.log), stored);
    lab_end(&lab);
}

static void without_pause(void **state)
{
    struct lab lab;

    (void)state;
    begin(&lab, 1);
    for (unsigned i = 1; i < 20; i++) {
        lab_put(&lab, 10);
        lab_tick(&lab, 1);
        assert_int_equal(sync_now(&lab), 0);
        assert_int_equal(synced(&lab.log), 10 * i);
        assert_int_equal(n_dirty, i);
    }
    assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0); /* a record is worth a flush too */
    assert_int_equal(n_dirty, 20);
    lab_end(&lab);
}

/* A thousand consoles cost as many flushes as one. */
static void one_commit_for_all(void **state)
{
    static struct log logs[1000];
    struct lab lab;
    char name[8];

    (void)state;
    begin(&lab, S);
    for (unsigned i = 0; i < N_ROWS(logs); i++) {
        snprintf(name, sizeof name, "c%u", i);
        assert_int_equal(log_open(&logs[i], &lab.store, "many", name, 0, &lab.now), 0);
    }
    for (int round = 0; round < 3; round++) {
        memset(&seen, 0, sizeof seen);
        for (unsigned i = 0; i < N_ROWS(logs); i++)
            assert_int_equal(lab_append(&logs[i], "some", 4, &lab.now), 4);
        assert_int_equal(sync_now(&lab), 0);
        assert_int_equal(seen.files, 0);
        assert_int_equal(seen.systems, 1);
        for (unsigned i = 0; i < N_ROWS(logs); i++)
            assert_int_equal(synced(&logs[i]), logs[i].length);
        lab_tick(&lab, S);
    }
    for (unsigned i = 0; i < N_ROWS(logs); i++)
        log_close(&logs[i], &lab.now);
    lab_end(&lab);
}

static void over_segments(void **state)
{
    struct lab lab;

    (void)state;
    begin(&lab, S);
    lab_put(&lab, 1000);
    (void)sync_now(&lab);
    lab.rules.segment_bytes = 65536;
    log_store_rules(&lab.store);
    lab_put(&lab, 65536);
    lab_put(&lab, 65536);
    assert_true(lab.log.segment > 1000);
    lab_tick(&lab, S);
    memset(&seen, 0, sizeof seen);
    assert_int_equal(sync_now(&lab), 0);
    assert_int_equal(seen.systems, 1); /* the files in between as well */
    assert_int_equal(synced(&lab.log), lab.log.length);
    lab_end(&lab);
}

static void a_flush_that_fails(void **state)
{
    struct lab lab;

    (void)state;
    begin(&lab, S);
    lab_put(&lab, 1000);
    seen.error = EIO;
    assert_int_equal(sync_now(&lab), S); /* again in a while */
    assert_int_equal(synced(&lab.log), 0);
    assert_non_null(strstr(lab.message, "is not on the disk"));
    seen.error = 0;
    lab_tick(&lab, S);
    assert_int_equal(sync_now(&lab), 0);
    assert_int_equal(synced(&lab.log), 1000);
    lab_end(&lab);
}

/* Closed before its time came: it is flushed all the same. */
static void closed_before(void **state)
{
    struct lab lab;

    (void)state;
    begin(&lab, 10 * S);
    lab_put(&lab, 1000);
    (void)sync_now(&lab);
    lab_put(&lab, 1000);
    memset(&seen, 0, sizeof seen);
    n_dirty = 0;
    log_close(&lab.log, &lab.now);
    assert_true(n_dirty > 0);
    assert_int_equal(sync_now(&lab), 0);
    assert_int_equal(seen.systems, 1);
    assert_true(sync_now(&lab) == UINT64_MAX);
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_flushed_unasked),
        cmocka_unit_test(within_its_period),
        cmocka_unit_test(without_pause),
        cmocka_unit_test(one_commit_for_all),
        cmocka_unit_test(over_segments),
        cmocka_unit_test(a_flush_that_fails),
        cmocka_unit_test(closed_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
