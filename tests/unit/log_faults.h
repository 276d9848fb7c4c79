/* SPDX-License-Identifier: MIT */
/* log_faults.h: system calls that fail or kill on purpose, and a guest that goes on printing meanwhile. For a test that is linked
 * with -Wl,--wrap for each of the calls below. */
#ifndef VCONS_TESTS_LOG_FAULTS_H
#define VCONS_TESTS_LOG_FAULTS_H
#include "log_lab.h"
#include <errno.h>
#include <sys/uio.h>

#define SLOT 16384u /* of the pool: what is too much for memory leaves by as many bytes */

static const uint8_t line_a[16] = "line a";

/* The calls below are linked in the place of libc's. */
static struct {
    int error;        /* each write fails with it, if not 0 */
    bool also_index;  /* also those of the index */
    unsigned short_n; /* not 0: no write takes more than this many bytes */
    long death; /* > 0: the call that counts it down to 0 is the process's last: before it, or if after, behind it */
    bool after;
    long countdown; /* > 0: the call that counts it down to 0 fails with ENOSPC */
} fault;

ssize_t __real_pwritev64(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at);
int __real_openat64(int dir, const char *path, int flags, mode_t mode);
int __wrap_openat64(int dir, const char *path, int flags, mode_t mode);
int __real_renameat(int a, const char *from, int b, const char *to);
int __wrap_renameat(int a, const char *from, int b, const char *to);

/* As kill -9 just before a system call. */
static void die_before(void)
{
    if (fault.death > 0 && !fault.after && --fault.death == 0)
        _exit(0);
}

/* As kill -9 just behind it. */
static void die_after(void)
{
    if (fault.death > 0 && fault.after && --fault.death == 0)
        _exit(0);
}

static bool fails(bool index)
{
    die_before();
    if (fault.countdown > 0 && --fault.countdown == 0) {
        errno = ENOSPC;
        return true;
    }
    errno = fault.error;
    return fault.error != 0 && (!index || fault.also_index);
}

ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at)
{
    struct iovec part = iov[0];

    if (fails(false))
        return -1;
    if (fault.short_n == 0) {
        ssize_t done = __real_pwritev64(fd, iov, n, at);

        die_after();
        return done;
    }
    if (part.iov_len == 0)
        part = iov[1];
    part.iov_len = part.iov_len < fault.short_n ? part.iov_len : fault.short_n;
    return __real_pwritev64(fd, &part, 1, at);
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
    ssize_t done = fails(true) ? -1 : __real_pwrite64(fd, bytes, n, at);

    die_after();
    return done;
}

int __wrap_openat64(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    if ((flags & O_CREAT) == 0)
        return __real_openat64(dir, path, flags, mode);
    fd = fails(true) ? -1 : __real_openat64(dir, path, flags, mode);
    die_after();
    return fd;
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
    int error = fails(true) ? -1 : __real_renameat(a, from, b, to);

    die_after();
    return error;
}

/* A guest that never stops: its bytes are the pattern by its own count, whatever becomes of them. */
struct guest {
    uint64_t sent, stored;
};

static inline void guest_prints(struct lab *lab, struct guest *g, uint32_t n)
{
    uint8_t *bytes = malloc(n);
    struct log_point p;

    assert_non_null(bytes);
    lab_fill(bytes, g->sent, n);
    g->stored += lab_append(&lab->log, bytes, n, &lab->now);
    g->sent += n;
    (void)log_resume(&lab->log, line_a, &p);
    assert_int_equal(p.cons, (uint32_t)g->sent); /* all can be committed */
    free(bytes);
}

/* Stored bytes stand where the guest's count says once each mark is counted: then every mark is exact. */
static inline void expect_exact(const struct lab *lab, const struct guest *g)
{
    struct log_cursor c;
    struct log_item item;
    uint64_t place = 0, stored = 0;
    uint8_t bytes[4096];

    assert_int_equal(log_cursor_open(&c, &lab->log, 0, LOG_KINDS_STREAM), 0);
    for (;;) {
        assert_int_equal(log_cursor_next(&c, &item), 0);
        if (item.kind == LOG_NOTHING)
            break;
        if (item.kind == LOG_MARK) {
            if (item.record.kind == VC_INDEX_GAP)
                place += item.record.value;
            if (item.record.kind == VC_INDEX_GAP && item.record.line_id[0] != 0) /* else it is read off the names */
                assert_int_equal(item.record.line_index, (uint32_t)place);
            continue;
        }
        ptrdiff_t n = log_cursor_read(&c, &item, bytes, sizeof bytes);
        assert_true(n > 0);
        for (ptrdiff_t i = 0; i < n; i++)
            if (bytes[i] != lab_byte(place + (uint64_t)i))
                fail_msg("byte %llu of the guest is not where it belongs", (unsigned long long)(place + (uint64_t)i));
        place += (uint64_t)n;
        stored += (uint64_t)n;
        log_cursor_take(&c, (uint64_t)n);
    }
    log_cursor_close(&c);
    assert_int_equal(place, g->sent);
    assert_int_equal(stored, g->stored);
}

static inline void disk(int error, bool also_index)
{
    fault.error = error;
    fault.also_index = also_index;
}

/* All that a new reader finds from 0 on: everything the guest sent, but for lost bytes. */
static inline void expect_all(struct lab *lab, struct guest *g, uint64_t lost)
{
    g->stored = g->sent - lost;
    expect_exact(lab, g);
}

static inline void kill_and_resume(struct lab *lab, const struct guest *g)
{
    struct log_point p;

    lab_kill(lab);
    lab_store(lab);
    lab_open(lab);
    assert_true(log_resume(&lab->log, line_a, &p));
    assert_int_equal(p.cons, (uint32_t)g->sent);
}

#endif
