/* SPDX-License-Identifier: MIT */
/* Closed segments that are compressed: readers see what they saw before, whatever becomes of the files and of whoever makes them. */
#include "log_lab.h"
#include <errno.h>
#include <sys/wait.h>

#define MIB (1u << 20)

/* Faults: the calls below are linked in the place of libc's (-Wl,--wrap). */
static struct {
    long death; /* > 0: the call that counts it down to 0 is the process's last: before it, or if after, behind it */
    bool after;
    long countdown; /* > 0: the call that counts it down to 0 fails with ENOSPC */
} fault;

ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at);
int __real_openat64(int dir, const char *path, int flags, mode_t mode);
int __wrap_openat64(int dir, const char *path, int flags, mode_t mode);
int __real_renameat(int a, const char *from, int b, const char *to);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __real_unlinkat(int dir, const char *path, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static bool fails(void)
{
    if (fault.death > 0 && !fault.after && --fault.death == 0)
        _exit(0);
    errno = ENOSPC;
    return fault.countdown > 0 && --fault.countdown == 0;
}

static int done(int result)
{
    int error = errno;

    if (fault.death > 0 && fault.after && --fault.death == 0)
        _exit(0);
    errno = error;
    return result;
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
    ssize_t written = fails() ? -1 : __real_pwrite64(fd, bytes, n, at);

    (void)done(0);
    return written;
}

int __wrap_openat64(int dir, const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) == 0)
        return __real_openat64(dir, path, flags, mode);
    return done(fails() ? -1 : __real_openat64(dir, path, flags, mode));
}

int __wrap_renameat(int a, const char *from, int b, const char *to)
{
    return done(fails() ? -1 : __real_renameat(a, from, b, to));
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
    return done(fails() ? -1 : __real_unlinkat(dir, path, flags));
}

int __wrap_fsync(int fd) { return done(fails() ? -1 : __real_fsync(fd)); }
int __wrap_fdatasync(int fd) { return done(fails() ? -1 : __real_fdatasync(fd)); }

static bool exists(const struct lab *lab, uint64_t start, const char *suffix)
{
    char path[160];

    lab_file(lab, path, start, suffix);
    return access(path, F_OK) == 0;
}

static void put(struct lab *lab, uint64_t n)
{
    for (; n > 0; n -= n < 50000 ? n : 50000) {
        lab_put(lab, n < 50000 ? (uint32_t)n : 50000);
        lab_tick(lab, 7 * MS);
    }
}

/* Bytes of all regular files of the console. */
static uint64_t on_disk(const struct lab *lab, unsigned *n_files)
{
    char path[160];
    struct dirent *entry;
    uint64_t bytes = 0;
    struct stat st;
    DIR *dir;

    *n_files = 0;
    snprintf(path, sizeof path, "%s/" LAB_DOMAIN "/" LAB_CONSOLE, lab->path);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
            bytes += (uint64_t)st.st_size;
            ++*n_files;
        }
    closedir(dir);
    return bytes;
}

/* A cursor at each of many offsets sees the bytes that are there. */
static void expect_anywhere(const struct lab *lab)
{
    uint64_t length = lab->log.length;
    uint32_t seed = 3;

    for (int i = 0; i < 300; i++) {
        struct log_cursor c;
        struct log_item item;
        uint8_t bytes[700];
        uint64_t offset;
        ptrdiff_t n;

        seed = seed * 1664525 + 1013904223;
        offset = i % 7 == 0 ? seed % 9 * MIB + MIB - 1 : seed % length;
        offset = offset < length ? offset : 0;
        assert_int_equal(log_cursor_open(&c, &lab->log, offset, 0), 0);
        assert_int_equal(log_cursor_next(&c, &item), 0);
        assert_int_equal(item.kind, LOG_BYTES);
        assert_int_equal(item.offset, offset);
        n = log_cursor_read(&c, &item, bytes, sizeof bytes);
        assert_true(n > 0);
        for (ptrdiff_t k = 0; k < n; k++)
            assert_int_equal(bytes[k], lab_byte(offset + (uint64_t)k));
        log_cursor_close(&c);
    }
}

static uint64_t locate(const struct lab *lab, enum log_from_kind kind, int64_t value)
{
    struct log_from from = {kind, value};
    uint64_t offset;

    assert_int_equal(log_locate(&lab->log, &from, &offset), 0);
    return offset;
}

/* All that a reader can ask for, as one number each. */
static void ask_all(const struct lab *lab, uint64_t answers[64])
{
    unsigned n = 0;

    for (int64_t i = 1; i <= 9; i++) {
        answers[n++] = locate(lab, LOG_FROM_BOOT, i);
        answers[n++] = locate(lab, LOG_FROM_BOOT, -i);
        answers[n++] = locate(lab, LOG_FROM_LINES, i * 9000);
        answers[n++] = locate(lab, LOG_FROM_TIME, (int64_t)(UINT64_C(1700000000) * 1000 * MS + (uint64_t)i * 170 * MS));
        answers[n++] = locate(lab, LOG_FROM_TAIL, i * 1000003);
    }
    assert_true(n <= 64);
}

static void readers_see_what_they_saw(void **state)
{
    struct log_limits limits = {.segment_bytes = 5 * MIB / 2};
    static struct lab_read before, after;
    uint64_t asked[2][64] = {0};
    struct log_status status;
    unsigned n_files;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(log_mark(&lab.log, VC_INDEX_BOOT, 1, 0, &lab.now), 0);
        put(&lab, MIB + 777);
    }
    lab_read(&before, &lab.log, 0, UINT32_MAX);
    ask_all(&lab, asked[0]);
    assert_int_equal(lab_compress(&lab), 3);
    assert_int_equal(lab_compress(&lab), 0); /* once is enough */
    assert_true(exists(&lab, 0, ".log.zst") && !exists(&lab, 0, ".log"));
    lab_expect_pattern(&lab.log, 0, lab.log.length);
    expect_anywhere(&lab);
    ask_all(&lab, asked[1]);
    assert_memory_equal(asked[0], asked[1], sizeof asked[0]);
    lab_read(&after, &lab.log, 0, UINT32_MAX);
    assert_int_equal(after.n_marks, before.n_marks);
    assert_memory_equal(after.marks, before.marks, before.n_marks * sizeof before.marks[0]);
    log_status_get(&lab.log, &status);
    assert_int_equal(status.bytes, on_disk(&lab, &n_files));
    assert_int_equal(lab.store.bytes, status.bytes);
    assert_int_equal(n_files, 8);
    assert_true(status.bytes < lab.log.length);
    lab_kill(&lab); /* and whoever comes next counts the same */
    lab_store(&lab);
    lab_open(&lab);
    assert_int_equal(lab.store.bytes, status.bytes);
    put(&lab, 1000);
    lab_expect_pattern(&lab.log, 0, 9 * (MIB + 777) + 1000);
    assert_null(lab.store.unpacked); /* no reader, no memory */
    lab_read_end(&before);
    lab_read_end(&after);
    lab_end(&lab);
}

/* What the manual says: zstdcat reads it, and its seek table is zstd's own format. */
static void others_read_it(void **state)
{
    struct log_limits limits = {.segment_bytes = 5 * MIB / 2};
    char path[160], command[256];
    uint8_t tail[8 + 3 * 8 + 9];
    uint32_t word[8], sum = 0;
    struct lab lab;
    uint64_t at = 0;
    struct stat st;
    FILE *f;
    int c;

    (void)state;
    lab_begin(&lab, &limits);
    put(&lab, 4 * MIB);
    assert_int_equal(lab_compress(&lab), 1);
    lab_file(&lab, path, 0, ".log.zst");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, -(long)sizeof tail, SEEK_END), 0);
    assert_int_equal(fread(tail, 1, sizeof tail, f), sizeof tail);
    fclose(f);
    memcpy(word, tail, sizeof word);
    assert_int_equal(word[0], 0x184d2a5e);
    assert_int_equal(word[1], 3 * 8 + 9);
    for (int i = 0; i < 3; i++)
        sum += word[2 + 2 * i];
    assert_int_equal(sum + sizeof tail, st.st_size);
    assert_int_equal(word[3], MIB);
    assert_int_equal(word[5], MIB);
    memcpy(word, tail + 32, 4);
    assert_int_equal(word[0], 3); /* frames; then a byte of flags: none */
    assert_int_equal(tail[36], 0);
    memcpy(word, tail + 37, 4);
    assert_int_equal(word[0], 0x8f92eab1);
    snprintf(command, sizeof command, "zstd -dcq '%s'", path);
    f = popen(command, "r");
    assert_non_null(f);
    for (; (c = getc(f)) != EOF; at++)
        if (c != lab_byte(at))
            fail_msg("zstd reads another byte at %llu", (unsigned long long)at);
    assert_int_equal(pclose(f), 0);
    assert_true(at > 2 * MIB && at == strtoull(strrchr(path, '/') + 1, NULL, 10) + at);
    lab_file(&lab, path, at, ".log");
    assert_int_equal(access(path, F_OK), 0); /* the next begins where it ends */
    lab_end(&lab);
}

/* A death before and behind each system call: history is whole, and the next pass leaves one copy of each segment. */
static void death_at_every_step(void **state)
{
    struct log_limits limits = {.segment_bytes = 100000};
    long steps[2] = {0};

    (void)state;
    for (int after = 0; after < 2; after++)
        for (bool through = false; !through; steps[after]++) {
            unsigned n_files;
            struct lab lab;
            pid_t child;
            int status;

            lab_begin(&lab, &limits);
            put(&lab, 350000);
            lab_kill(&lab);
            child = fork();
            assert_true(child >= 0);
            if (child == 0) {
                lab_store(&lab);
                lab_open(&lab);
                fault.death = steps[after] + 1;
                fault.after = after == 1;
                _exit(lab_compress(&lab) == 3 ? 7 : 8);
            }
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 8);
            through = WEXITSTATUS(status) == 7;
            lab_store(&lab);
            lab_open(&lab);
            lab_expect_pattern(&lab.log, 0, 350000);
            put(&lab, 10);
            (void)lab_compress(&lab);
            lab_expect_pattern(&lab.log, 0, 350010);
            assert_int_equal(lab.store.bytes, on_disk(&lab, &n_files));
            assert_int_equal(n_files, 8); /* three compressed, one raw, their indices */
            lab_end(&lab);
        }
    assert_true(steps[0] >= 3 * 8 && steps[1] == steps[0]);
}

/* Each call fails once: the segment stays raw, nothing else is left of it, and it is compressed another time. */
static void any_single_failure(void **state)
{
    struct log_limits limits = {.segment_bytes = 100000};
    bool failed = true;

    (void)state;
    for (long k = 1; failed; k++) {
        unsigned n_files, n;
        struct lab lab;

        lab_begin(&lab, &limits);
        put(&lab, 250000);
        fault.countdown = k;
        n = lab_compress(&lab);
        failed = fault.countdown <= 0;
        fault.countdown = 0;
        lab_expect_pattern(&lab.log, 0, 250000);
        n += lab_compress(&lab);
        assert_in_range(n, 2, 3); /* made twice where its raw file could not go */
        lab_expect_pattern(&lab.log, 0, 250000);
        assert_int_equal(lab.store.bytes, on_disk(&lab, &n_files));
        assert_int_equal(n_files, 6);
        lab_end(&lab);
    }
}

static void stopped_in_its_midst(void **state)
{
    struct log_limits limits = {.segment_bytes = 3 * MIB};
    const uint32_t stop = 1;
    struct log_compress c;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    put(&lab, 4 * MIB);
    log_compress_init(&c, &lab.store);
    assert_true(log_compress_next(&lab.store, &c));
    log_compress_run(&c, &stop);
    assert_int_equal(log_compress_end(&lab.store, &c), -ECANCELED);
    log_compress_finish(&c);
    assert_true(exists(&lab, 0, ".log") && !exists(&lab, 0, ".log.zst") && !exists(&lab, 0, ".zst.new"));
    lab_end(&lab);
}

/* What happens to a segment while it is compressed. */
enum meanwhile { DELETED, SHORTENED, RENAMED, REOPENED, REPLACED, N_MEANWHILE };

static void happens(struct lab *lab, enum meanwhile what, uint64_t newest)
{
    char path[160];

    switch (what) {
    case DELETED:
        lab->store.limits.console_bytes = 1;
        (void)log_store_tidy(&lab->store, &lab->now);
        break;
    case SHORTENED:
        lab_file(lab, path, 0, ".log");
        assert_int_equal(truncate(path, 1000), 0);
        break;
    case REPLACED: /* by another process that does the same, and is not as far */
        lab_file(lab, path, 0, ".zst.new");
        assert_int_equal(unlink(path), 0);
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        break;
    case RENAMED: assert_int_equal(log_rename(&lab->log, "d2"), 0); break;
    case REOPENED: /* an empty newest segment without an index was never born: the one before is appended to again */
        log_close(&lab->log, &lab->now);
        lab_file(lab, path, newest, ".log");
        assert_int_equal(truncate(path, 0), 0);
        lab_file(lab, path, newest, ".idx");
        assert_int_equal(unlink(path), 0);
        lab_open(lab);
        assert_int_equal(lab->log.segment, 0);
        break;
    default: fail();
    }
}

static void what_changes_meanwhile(void **state)
{
    struct log_limits limits = {.segment_bytes = 3 * MIB};
    const uint32_t go = 0;

    (void)state;
    for (int what = 0; what < N_MEANWHILE; what++)
        for (int before = 0; before < 2; before++) { /* the work, or only its end */
            struct log_compress c;
            struct lab lab;

            lab_begin(&lab, &limits);
            put(&lab, 3 * MIB + 60000);
            log_compress_init(&c, &lab.store);
            assert_true(log_compress_next(&lab.store, &c));
            if (before)
                happens(&lab, (enum meanwhile)what, lab.log.segment);
            log_compress_run(&c, &go);
            if (!before)
                happens(&lab, (enum meanwhile)what, lab.log.segment);
            if (what == SHORTENED && !before)
                assert_int_equal(log_compress_end(&lab.store, &c), 0); /* what was read before is what was stored */
            else if (log_compress_end(&lab.store, &c) == 0)
                fail_msg("%d: taken for done", what);
            log_compress_finish(&c);
            assert_false(exists(&lab, 0, ".zst.new"));
            if (what == REOPENED) {
                lab_put(&lab, 1000);
                lab_expect_pattern(&lab.log, 0, lab.log.length);
            }
            if (what == REPLACED)
                lab_expect_pattern(&lab.log, 0, lab.log.length);
            if (what == DELETED)
                assert_false(exists(&lab, 0, ".log.zst"));
            lab_end(&lab);
        }
}

/* A reader in the midst of a raw segment goes on in it, and over into the next. */
static void a_reader_on_the_way(void **state)
{
    struct log_limits limits = {.segment_bytes = MIB};
    struct log_cursor c;
    struct log_item item;
    struct lab lab;
    uint64_t at = 0;

    (void)state;
    lab_begin(&lab, &limits);
    put(&lab, 5 * MIB);
    assert_int_equal(log_cursor_open(&c, &lab.log, 0, 0), 0);
    for (;;) {
        static uint8_t bytes[30011];
        ptrdiff_t n;

        assert_int_equal(log_cursor_next(&c, &item), 0);
        if (item.kind == LOG_NOTHING)
            break;
        assert_int_equal(item.kind, LOG_BYTES);
        assert_int_equal(item.offset, at);
        n = log_cursor_read(&c, &item, bytes, sizeof bytes);
        assert_true(n > 0);
        for (ptrdiff_t i = 0; i < n; i++)
            if (bytes[i] != lab_byte(at + (uint64_t)i))
                fail_msg("byte %llu", (unsigned long long)at + (unsigned long long)i);
        log_cursor_take(&c, (uint64_t)n);
        at += (uint64_t)n;
        if (at > MIB / 2)
            (void)lab_compress(&lab);
    }
    assert_int_equal(at, 5 * MIB);
    log_cursor_close(&c);
    lab_end(&lab);
}

/* The newest raw segment deleted by somebody: history goes on behind the compressed one, also if that is damaged. */
static void nothing_raw_is_left(void **state)
{
    struct log_limits limits = {.segment_bytes = MIB};
    char path[160];

    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        struct log_status status;
        struct log_glance glance = {0};
        uint64_t newest;
        struct lab lab;

        lab_begin(&lab, &limits);
        put(&lab, 3 * MIB / 2);
        newest = lab.log.segment;
        assert_int_equal(lab_compress(&lab), 1);
        log_close(&lab.log, &lab.now);
        lab_file(&lab, path, newest, ".log");
        assert_int_equal(unlink(path), 0);
        lab_file(&lab, path, newest, ".idx");
        assert_int_equal(unlink(path), 0);
        lab_file(&lab, path, 0, ".log.zst");
        if (damaged)
            assert_int_equal(truncate(path, 5), 0);
        assert_int_equal(log_glance(&glance, &lab.store, LAB_DOMAIN, LAB_CONSOLE, &lab.now), 0);
        if (!damaged)
            assert_int_equal(glance.status.length, newest);
        lab_open(&lab);
        log_status_get(&lab.log, &status);
        assert_int_equal(status.length, newest);
        put(&lab, 1000);
        if (!damaged) {
            lab_expect_pattern(&lab.log, 0, newest + 1000);
        } else {
            static struct lab_read r;

            lab_read(&r, &lab.log, 0, LOG_KINDS_STREAM);
            assert_int_equal(r.n, 1000);
            assert_int_equal(r.lost, newest);
            lab_read_end(&r);
        }
        lab_end(&lab);
    }
}

/* Retention counts what is on the disk, and deletes compressed segments too. */
static void retention(void **state)
{
    struct log_limits limits = {.segment_bytes = 65536, .console_bytes = 300000};
    struct log_status status;
    unsigned n_files;
    struct lab lab;

    (void)state;
    lab_begin(&lab, &limits);
    for (int i = 0; i < 40; i++) {
        put(&lab, 65536);
        (void)lab_compress(&lab);
        (void)log_store_tidy(&lab.store, &lab.now);
        log_status_get(&lab.log, &status);
        assert_true(status.bytes <= 300000);
        assert_int_equal(status.bytes, on_disk(&lab, &n_files));
        lab_expect_pattern(&lab.log, status.oldest, status.length);
    }
    assert_true(status.oldest > 0 && status.length - status.oldest > 300000 - 65536); /* more than fits raw */
    lab.store.limits.console_bytes = 1; /* where tidying does not keep up, appending sheds */
    put(&lab, 4 * 65536);
    log_status_get(&lab.log, &status);
    lab_expect_pattern(&lab.log, status.oldest, status.length);
    lab_end(&lab);
}

/* Damage. */

struct original {
    uint8_t bytes[2 * MIB];
    size_t n;
};

static void read_file(const char *path, struct original *o)
{
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    o->n = fread(o->bytes, 1, sizeof o->bytes, f);
    fclose(f);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Bytes that are shown are right, and with the gaps they are all. Returns how many are missing. */
static uint64_t expect_gaps(const struct lab *lab, const char *what, size_t where)
{
    static uint8_t bytes[65536];
    uint64_t at = 0, lost = 0;
    struct log_cursor c;
    struct log_item item;

    assert_int_equal(log_cursor_open(&c, &lab->log, 0, LOG_KINDS_STREAM), 0);
    for (;;) {
        ptrdiff_t n;

        assert_int_equal(log_cursor_next(&c, &item), 0);
        if (item.kind == LOG_NOTHING)
            break;
        if (item.kind == LOG_MARK) {
            at += item.record.value;
            lost += item.record.value;
            continue;
        }
        n = log_cursor_read(&c, &item, bytes, sizeof bytes);
        assert_true(n >= 0);
        if (n > 0 && item.offset != at)
            fail_msg("%s %zu: %llu shown at %llu", what, where, (unsigned long long)at,
                     (unsigned long long)item.offset);
        for (ptrdiff_t i = 0; i < n; i++)
            if (bytes[i] != lab_byte(at + (uint64_t)i))
                fail_msg("%s %zu: byte %llu", what, where, (unsigned long long)at);
        log_cursor_take(&c, (uint64_t)n);
        at += (uint64_t)n;
    }
    log_cursor_close(&c);
    if (at != lab->log.length)
        fail_msg("%s %zu: %llu of %llu accounted for", what, where, (unsigned long long)at,
                 (unsigned long long)lab->log.length);
    return lost;
}

static void damage(void **state)
{
    struct log_limits limits = {.segment_bytes = 5 * MIB / 2};
    static struct original good, bad;
    uint64_t segment, lost;
    char path[160];
    struct lab lab;
    size_t step, seen = 0, n_changed = 0;

    (void)state;
    lab_begin(&lab, &limits);
    put(&lab, 3 * MIB);
    segment = lab.log.segment;
    assert_int_equal(lab_compress(&lab), 1);
    lab_file(&lab, path, 0, ".log.zst");
    read_file(path, &good);
    assert_int_equal(expect_gaps(&lab, "whole", 0), 0);
    step = good.n / 40;
    for (size_t n = 0; n < good.n; n += n + 60 < good.n && n > 60 ? step : 1) { /* cut: whole frames before are there */
        assert_int_equal(truncate(path, 0), 0);
        write_file(path, good.bytes, n);
        lost = expect_gaps(&lab, "cut to", n);
        assert_true(lost == 0 || lost == segment || lost == segment - MIB || lost == segment - 2 * MIB);
        assert_true(lost > 0 || n + 8 + 3 * 8 + 9 >= good.n); /* the table alone may go */
    }
    for (size_t at = 0; at < good.n; at += at + 60 < good.n && at > 30 ? step : 1) { /* changed: that frame alone */
        bad = good;
        bad.bytes[at] ^= (uint8_t)(1 + at % 255);
        write_file(path, bad.bytes, bad.n);
        lost = expect_gaps(&lab, "changed", at);
        n_changed++;
        seen += lost > 0; /* some words of a frame's head can be others, and the bytes are the same */
        assert_true(lost <= MIB || at < 30 || at + 60 >= good.n);
    }
    assert_true(seen > 50 && seen >= n_changed - 70);
    write_file(path, good.bytes, good.n);
    assert_int_equal(expect_gaps(&lab, "whole again", 0), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* somebody's directory of that name */
    assert_int_equal(rmdir(path), 0);
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_what_they_saw),
        cmocka_unit_test(others_read_it),
        cmocka_unit_test(death_at_every_step),
        cmocka_unit_test(any_single_failure),
        cmocka_unit_test(stopped_in_its_midst),
        cmocka_unit_test(what_changes_meanwhile),
        cmocka_unit_test(a_reader_on_the_way),
        cmocka_unit_test(nothing_raw_is_left),
        cmocka_unit_test(retention),
        cmocka_unit_test(damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
