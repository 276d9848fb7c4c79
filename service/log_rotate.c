/* SPDX-License-Identifier: MIT */
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CARRIED 64u /* records that go from an index into the one that replaces it */
#define BATCH   32u /* read at once */

static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

uint64_t log_segment_limit(const struct log *l)
{
    const struct log_limits *limits = &l->store->limits;
    uint64_t logs = larger(__atomic_load_n(&l->store->n_logs, __ATOMIC_RELAXED), 1);

    /* Only closed segments can be deleted: open ones may hold a quarter of what each and all may have. */
    return smaller(smaller(load64(&l->rules.segment_bytes), load64(&l->rules.keep_bytes) / 4),
                   larger(limits->total_bytes / 4 / logs, LOG_SEGMENT_FLOOR));
}

uint64_t log_index_limit(uint64_t segment_limit) { return larger(segment_limit / 4, 4 * LOG_ROOM_BYTES); }

void log_files_close(struct log *l)
{
    if (l->log_fd >= 0)
        close(l->log_fd);
    if (l->idx_fd >= 0)
        close(l->idx_fd);
    l->log_fd = l->idx_fd = -1;
}

void log_point_current(int dir, uint64_t start)
{
    char name[LOG_FILE_NAME], is[LOG_FILE_NAME];
    ssize_t n = readlinkat(dir, "current.log", is, sizeof is);

    log_file_name(name, start, ".log");
    if (n == (ssize_t)strlen(name) && memcmp(is, name, (size_t)n) == 0)
        return;
    if (n < 0 && symlinkat(name, dir, "current.log") == 0)
        return;
    (void)unlinkat(dir, "current.new", 0);
    if (symlinkat(name, dir, "current.new") == 0)
        (void)renameat(dir, "current.new", dir, "current.log"); /* a convenience for tail -F: no error of the log */
}

/*
 * A segment that begins where the newest does, since that has no byte: its index takes the place of the other, and says first what
 * that said. Of thousands the newest are left, and what is missing by the others.
 */

struct carried {
    struct vc_index_record r[CARRIED + 3]; /* START, a gap, those, the state now */
    struct vc_index_record folded;
    unsigned n;
    uint64_t missing; /* by gaps that were folded */
};

static void fold(struct log *l, struct carried *c, const struct vc_index_record *r)
{
    c->folded = *r;
    if (r->kind == VC_INDEX_GAP)
        c->missing = r->value > UINT64_MAX - c->missing ? UINT64_MAX : c->missing + r->value;
    else
        l->marks_lost++;
}

static void carry_folded(struct carried *c)
{
    if (c->missing == 0)
        return;
    c->folded.kind = VC_INDEX_GAP;
    c->folded.value = c->missing;
    c->missing = 0;
    log_record_seal(&c->folded);
    c->r[c->n++] = c->folded;
}

static void carry_one(struct log *l, struct carried *c, const struct vc_index_record *r, bool among_newest)
{
    if (!log_record_ok(r, l->length, l->length) || r->kind == VC_INDEX_START || r->kind == VC_INDEX_TIME ||
        r->kind == VC_INDEX_UNSAVED)
        return;
    if (!among_newest) {
        fold(l, c, r);
        return;
    }
    carry_folded(c);
    c->r[c->n++] = *r;
}

/* From the second on. */
static void carry_all(struct log *l, struct carried *c, int fd, uint64_t n)
{
    struct vc_index_record r[BATCH];
    int got = 1;

    for (uint64_t i = 1; i < n && got > 0; i += (uint64_t)got) {
        got = log_records_read(fd, i * sizeof r[0], r, n - i < BATCH ? (unsigned)(n - i) : BATCH);
        for (int k = 0; k < got; k++)
            carry_one(l, c, &r[k], i + (uint64_t)k + CARRIED >= n);
    }
}

static void carry(struct log *l, struct carried *c, int fd, uint64_t idx_bytes, const struct log_time *now)
{
    uint64_t n = idx_bytes / VC_INDEX_RECORD_BYTES;
    struct vc_index_record r;

    if (n < 2 || log_records_read(fd, 0, &r, 1) != 1 || !log_record_ok(&r, l->length, l->length) ||
        r.kind != VC_INDEX_START)
        return;
    r.value = c->r[0].value;
    r.realtime_ns = now->real_ns;
    r.mono_ns = now->mono_ns;
    log_record_seal(&r);
    c->r[0] = r;
    carry_all(l, c, fd, n);
    carry_folded(c);
    c->r[c->n++] = log_record(l, VC_INDEX_TIME, 0, now);
}

/* All that a new index begins with. Returns the bytes of the one that it replaces. */
static uint64_t first_records(struct log *l, struct carried *c, int dir, const struct log_time *now)
{
    bool open = l->idx_fd >= 0 && l->length == l->segment;
    int fd = open ? l->idx_fd : log_file_open(dir, l->length, ".idx", O_RDONLY);
    int64_t bytes = fd < 0 ? 0 : open ? (int64_t)l->idx_bytes : log_file_bytes(fd);

    *c = (struct carried){.n = 1};
    c->r[0] = log_record(l, VC_INDEX_START, l->store->machine_boot, now);
    if (bytes > 0)
        carry(l, c, fd, (uint64_t)bytes, now);
    if (!open && fd >= 0)
        close(fd);
    return bytes > 0 ? (uint64_t)bytes : 0;
}

/*
 * The index comes into being with its first record: under another name, then renamed. Of the first segment of all an empty one
 * does no harm: should we die right here, it is replaced.
 */
static int index_begin(struct log *l, int dir, bool empty, const struct log_time *now)
{
    const char *suffix = empty ? ".idx" : ".idx.new";
    char temporary[LOG_FILE_NAME], name[LOG_FILE_NAME];
    struct carried first;
    uint64_t replaced = first_records(l, &first, dir, now);
    int error;

    log_file_name(temporary, l->length, suffix);
    log_file_name(name, l->length, ".idx");
    if (!empty)
        (void)unlinkat(dir, temporary, 0);
    l->idx_fd = log_file_open(dir, l->length, suffix, O_RDWR | O_CREAT | O_EXCL);
    if (l->idx_fd < 0)
        return l->idx_fd;
    l->idx_bytes = l->idx_room = 0;
    error = log_records_write(l, first.r, first.n);
    if (error == 0 && !empty && renameat(dir, temporary, dir, name) != 0)
        error = -errno;
    if (error != 0) {
        (void)unlinkat(dir, temporary, 0);
        close(l->idx_fd);
    } else {
        log_forget(l->store, l, replaced);
    }
    return error;
}

/* The bytes of a new segment; an empty file may be there already, left by a death between two steps. */
static int bytes_begin(const struct log *l, int dir)
{
    int fd = log_file_open(dir, l->length, ".log", O_RDWR | O_CREAT);
    int64_t bytes = fd < 0 ? fd : log_file_bytes(fd);

    if (bytes == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return bytes < 0 ? (int)bytes : -EEXIST; /* never cut what we do not know */
}

/* An index that could not begin leaves no file without bytes behind, of which a full disk would gather one at each try. */
static void unborn(const struct log *l, int dir)
{
    char name[LOG_FILE_NAME];

    log_file_name(name, l->length, ".log");
    if (log_file_size(dir, l->length, ".log", NULL) == 0)
        (void)unlinkat(dir, name, 0);
}

static int begin(struct log *l, int dir, bool empty, const struct log_time *now)
{
    int old_log = l->log_fd, old_idx = l->idx_fd, log_fd = bytes_begin(l, dir), error;
    uint64_t old_idx_bytes = l->idx_bytes, old_idx_room = l->idx_room;

    if (log_fd < 0)
        return log_fd;
    error = index_begin(l, dir, empty, now);
    if (error != 0) {
        close(log_fd);
        if (old_log < 0 || l->length != l->segment)
            unborn(l, dir);
        l->idx_fd = old_idx;
        l->idx_bytes = old_idx_bytes;
        l->idx_room = old_idx_room;
        return error;
    }
    if (old_log >= 0)
        close(old_log);
    if (old_idx >= 0 && (l->memory != NULL || l->gap_stored))
        (void)!ftruncate(old_idx,
                         (off_t)old_idx_bytes); /* UNSAVED or a growing gap stands behind: it goes into the new one */
    if (old_idx >= 0)
        close(old_idx);
    l->log_fd = log_fd;
    return 0;
}

int log_rotate_in(struct log *l, int dir, bool empty, const struct log_time *now)
{
    int error;

    if (l->idx_fd >= 0 && l->marked_offset != l->length && !l->gap_open)
        (void)log_time_mark(l, now); /* vouches for the last block, which no CRC record will close */
    if (l->length > LOG_OFFSET_MAX)
        return -EOVERFLOW; /* no console prints that much: a planted name */
    error = begin(l, dir, empty, now);
    if (error == 0) {
        bool closed = l->length > l->segment;

        log_point_current(dir, l->length);
        l->segment = l->marked_offset = l->length;
        l->marked_mono = 0; /* the first bytes get a time of their own */
        l->checked_mono = l->segment_mono = now->mono_ns;
        l->segment_real = 0;
        l->crc = 0;
        l->rotate = false;
        l->gap_stored = false; /* if one grows, its record is still to come here */
        l->files++;
        log_publish(l); /* whoever compresses looks at where the newest segment begins */
        if (closed && l->store->env->closed != NULL) {
            __atomic_store_n(&l->closed, 1, __ATOMIC_RELEASE);
            l->store->env->closed(l->store->ctx);
        }
    }
    return error;
}

int log_rotate(struct log *l, const struct log_time *now)
{
    bool empty;
    int dir = log_dir_make(l->store, l->domain, l->console, &empty), error = dir;

    if (dir < 0)
        return dir;
    error = log_rotate_in(l, dir, empty, now);
    close(dir);
    return error;
}

static bool linked(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static bool oldest_exists(const struct log *l, uint64_t oldest)
{
    static const char *const suffixes[] = {".log", LOG_COMPRESSED};
    int dir = log_dir_open(l->store, l->domain, l->console), fd = -ENOENT;

    if (dir < 0)
        return false;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0] && fd < 0; i++)
        fd = log_file_open(dir, oldest, suffixes[i], O_RDONLY);
    close(dir);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Somebody deleted the files. The history goes on at the same offset, and says how much of it is gone. */
static int anew(struct log *l, const struct log_time *now)
{
    uint64_t oldest = load64(&l->oldest), lost;
    bool some = oldest != l->segment && oldest_exists(l, oldest);
    struct vc_index_record r;
    int error;

    lost = l->length - (some ? l->segment : oldest);
    log_forget(l->store, l, some ? lost + l->idx_bytes : load64(&l->bytes));
    log_tell(l, LOG_TELL_FILES, now, "its files were deleted; it goes on in new ones at offset %llu",
             (unsigned long long)l->length);
    log_files_close(l);
    if (!some)
        store64(&l->oldest, l->length);
    error = log_rotate(l, now);
    if (error != 0 || lost == 0)
        return error;
    r = log_record(l, VC_INDEX_GAP, lost, now);
    return log_records_write(l, &r, 1);
}

int log_check_linked(struct log *l, const struct log_time *now)
{
    if (now->mono_ns - l->checked_mono < NS_PER_S + log_share_ns(l))
        return 0;
    l->checked_mono = now->mono_ns;
    if (!linked(l->log_fd))
        return anew(l, now);
    if (log_file_bytes(l->log_fd) < (int64_t)(l->length - l->segment)) {
        log_tell(l, LOG_TELL_FILES, now, "its newest file was cut; it goes on in another at offset %llu",
                 (unsigned long long)l->length);
        return log_rotate(l, now); /* writing behind the cut would fill what is lost with zeros */
    }
    return linked(l->idx_fd) ? 0 : log_rotate(l, now); /* the bytes are there: only marks are gone */
}
