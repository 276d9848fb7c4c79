/* SPDX-License-Identifier: MIT */
/*
 * One thread appends, to a disk that is full now and then, others read, locate and tidy at once: for the thread sanitizer, and
 * for what readers may see. A reader's bytes and the gaps shown to it make up the history without a hole, from where it began.
 */
#include "log_lab.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/uio.h>

#define TOTAL   (UINT64_C(24) << 20)
#define READERS 3

struct reader {
    const struct log *log;
    uint32_t seed;
    bool slow;
    uint64_t read, lost, rounds;
    const char *failure;
};

static uint32_t done; /* atomic */
static bool full;     /* the disk, for the one who appends */

/* Linked in the place of libc's (-Wl,--wrap): only bytes of a log are written with it. */
ssize_t __real_pwritev64(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at);

ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at)
{
    if (!full)
        return __real_pwritev64(fd, iov, n, at);
    errno = ENOSPC;
    return -1;
}

/* Follow to the end, in pieces of changing size. False: what was shown cannot be. */
static bool follow(struct reader *r, struct log_cursor *c)
{
    static _Thread_local uint8_t bytes[32768];
    uint64_t at = c->offset;
    struct log_item item;

    for (;;) {
        bool last = __atomic_load_n(&done, __ATOMIC_ACQUIRE) != 0;
        ptrdiff_t n;

        if (log_cursor_next(c, &item) != 0)
            return false;
        if (item.kind == LOG_NOTHING) {
            if (last)
                return at == r->log->length;
            sched_yield();
            continue;
        }
        if (item.kind == LOG_MARK) {
            if (item.record.kind == VC_INDEX_GAP) {
                at += item.record.value;
                r->lost += item.record.value;
            } else if (item.record.value > item.record.offset) {
                return false; /* the writer marks with the offset as value; from a hole it moves to its end */
            }
            continue;
        }
        r->seed = r->seed * 1664525 + 1013904223;
        if (r->slow && !last)
            usleep(300); /* so that retention overtakes it */
        n = log_cursor_read(c, &item, bytes, 1 + r->seed % sizeof bytes);
        if (n < 0 || item.offset != at)
            return false;
        for (ptrdiff_t i = 0; i < n; i += 97)
            if (bytes[i] != lab_byte(at + (uint64_t)i))
                return false;
        log_cursor_take(c, (uint64_t)n);
        at += (uint64_t)n;
        r->read += (uint64_t)n;
        if (!last && r->seed >> 24 == 0)
            return true; /* leave, and come back elsewhere */
    }
}

static void *reader_main(void *arg)
{
    static const enum log_from_kind kinds[] = {LOG_FROM_START, LOG_FROM_TAIL, LOG_FROM_TIME, LOG_FROM_LINES,
                                               LOG_FROM_BOOT};
    struct reader *r = arg;

    do {
        struct log_from from = {kinds[r->seed % N_ROWS(kinds)], (int64_t)(r->seed % 5000)};
        struct log_status status;
        struct log_cursor c;
        uint64_t offset;

        if (from.kind == LOG_FROM_BOOT)
            from.value = -1;
        log_status_get(r->log, &status);
        if (status.oldest > status.length)
            r->failure = "status";
        if (log_locate(r->log, &from, &offset) != 0)
            offset = 0;
        if (log_cursor_open(&c, r->log, offset, LOG_KINDS_STREAM) != 0)
            r->failure = "open";
        else if (!follow(r, &c))
            r->failure = "stream";
        log_cursor_close(&c);
        r->rounds++;
    } while (r->failure == NULL && __atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0);
    return NULL;
}

static void *tidy_main(void *arg)
{
    const struct log_time now = {1, 1};

    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0) {
        (void)log_store_tidy(arg, &now);
        sched_yield();
    }
    return NULL;
}

static void *compress_main(void *arg)
{
    struct lab *lab = arg;
    unsigned n = 0;

    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) == 0)
        n += lab_compress(lab);
    print_message("%u segments were compressed\n", n);
    return NULL;
}

static void everything_at_once(void **state)
{
    struct log_limits limits = {.segment_bytes = 256 * 1024, .console_bytes = 2 << 20, .memory_bytes = 320 << 10};
    struct reader readers[READERS] = {0};
    pthread_t threads[READERS + 2];
    uint32_t seed = 1;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    assert_int_equal(pthread_create(&threads[READERS], NULL, tidy_main, &lab.store), 0);
    assert_int_equal(pthread_create(&threads[READERS + 1], NULL, compress_main, &lab), 0);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].log = &lab.log;
        readers[i].seed = i;
        readers[i].slow = i == 0;
        assert_int_equal(pthread_create(&threads[i], NULL, reader_main, &readers[i]), 0);
    }
    while (log_end(&lab.log) < TOTAL) {
        full = (log_end(&lab.log) >> 18) % 16 >= 14; /* 512 KiB out of 4 MiB */
        seed = seed * 1664525 + 1013904223;
        lab_put(&lab, 1 + (seed >> 16) % 20000);
        if (seed >> 28 == 0)
            assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, log_end(&lab.log), 0, &lab.now), 0);
        lab_tick(&lab, full ? MS : 50 * MS); /* a second is soon over: what is in memory is stored */
    }
    full = false;
    lab_tick(&lab, 1000 * MS);
    log_retry(&lab.log, &lab.now);
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < N_ROWS(threads); i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < READERS; i++) {
        if (readers[i].failure != NULL)
            fail_msg("reader %u: %s", i, readers[i].failure);
        print_message("reader %u: %llu rounds, %llu bytes, %llu taken by retention\n", i,
                      (unsigned long long)readers[i].rounds, (unsigned long long)readers[i].read,
                      (unsigned long long)readers[i].lost);
        assert_true(readers[i].read > 0);
    }
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_at_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
