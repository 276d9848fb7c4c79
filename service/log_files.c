/* SPDX-License-Identifier: MIT */
#include "host/name.h"
#include "log_private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 20 /* of UINT64_MAX */

/* One level down, made if asked for. Never through a link: what lies in a log directory may have been planted (R41). */
static int step(int dir, const char *name, bool create, bool *made)
{
    struct stat st;
    int fd;

    *made = false;
    if (!name_ok(name))
        return -EINVAL;
    *made = create && mkdirat(dir, name, 0750) == 0;
    if (create && !*made && errno != EEXIST)
        return -errno;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Who may read logs is not the umask's to say: decisions, Names. Left alone where it is right already: a change would
     * take the directory's group from those made in it. */
    if (fd >= 0 && *made && (fstat(fd, &st) != 0 || (st.st_mode & 0777) != 0750))
        (void)fchmod(fd, 0750);
    return fd < 0 ? -errno : fd;
}

static int dir_open(const struct log_store *s, const char *domain, const char *console, bool create, bool *made)
{
    int outer = step(s->dir, domain, create, made), inner;

    if (outer < 0)
        return outer;
    inner = step(outer, console, create, made);
    close(outer);
    return inner;
}

int log_dir_open(const struct log_store *s, const char *domain, const char *console)
{
    bool made;

    return dir_open(s, domain, console, false, &made);
}

int log_dir_make(const struct log_store *s, const char *domain, const char *console, bool *empty)
{
    int dir = dir_open(s, domain, console, false, empty); /* most are there: making one that is costs more */

    return dir == -ENOENT ? dir_open(s, domain, console, true, empty) : dir;
}

int log_rename(struct log *l, const char *domain)
{
    struct log_store *s = l->store;
    bool made;
    int before = step(s->dir, l->domain, false, &made);
    int after = before < 0 ? before : step(s->dir, domain, true, &made);
    int error = after < 0 ? after : 0;

    if (error == 0 && renameat2(before, l->console, after, l->console, RENAME_NOREPLACE) != 0)
        error = -errno;
    if (before >= 0)
        close(before);
    if (after >= 0)
        close(after);
    if (error)
        return error;
    (void)unlinkat(s->dir, l->domain, AT_REMOVEDIR); /* if that was its last console */
    pthread_mutex_lock(&s->lock);                    /* whoever tidies looks at names */
    snprintf(l->domain, sizeof l->domain, "%s", domain);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

void log_file_name(char name[LOG_FILE_NAME], uint64_t start, const char *suffix)
{
    snprintf(name, LOG_FILE_NAME, "%020llu%.8s", (unsigned long long)start, suffix);
}

int log_file_open(int dir, uint64_t start, const char *suffix, int flags)
{
    char name[LOG_FILE_NAME];
    struct stat st;
    int fd, error;

    log_file_name(name, start, suffix);
    fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    /* A second name would let what is written here appear elsewhere; one without any is ours, just deleted. */
    error = fstat(fd, &st) != 0 ? -errno : S_ISREG(st.st_mode) && st.st_nlink <= 1 ? 0 : -ELOOP;
    if (error == 0 && (flags & O_CREAT) != 0 && (st.st_mode & 07777) != 0640)
        (void)fchmod(fd, 0640);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int64_t log_file_bytes(int fd)
{
    struct stat st;

    return fstat(fd, &st) != 0 ? -errno : st.st_size;
}

/* The start of a segment by its name, and the suffix behind it; NULL: it has another form. */
static const char *parse_name(const char *name, uint64_t *start)
{
    *start = 0;
    for (int i = 0; i < DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9' || __builtin_mul_overflow(*start, 10, start) ||
            __builtin_add_overflow(*start, (uint64_t)(name[i] - '0'), start))
            return NULL;
    }
    return *start <= LOG_OFFSET_MAX ? name + DIGITS : NULL;
}

/* True: it names a segment's bytes. */
static bool parse_bytes_name(const char *name, uint64_t *start, bool *compressed)
{
    const char *suffix = parse_name(name, start);

    *compressed = suffix != NULL && strcmp(suffix, LOG_COMPRESSED) == 0;
    return *compressed || (suffix != NULL && strcmp(suffix, ".log") == 0);
}

static int by_start(const void *a, const void *b)
{
    const struct log_segment *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

uint64_t log_file_size(int dir, uint64_t start, const char *suffix, uint64_t *modified_ns)
{
    char name[LOG_FILE_NAME];
    struct stat st;

    log_file_name(name, start, suffix);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return 0;
    if (modified_ns != NULL)
        *modified_ns = (uint64_t)st.st_mtim.tv_sec * NS_PER_S + (uint64_t)st.st_mtim.tv_nsec;
    return (uint64_t)st.st_size;
}

static int add_segment(struct log_segments *list, size_t *room, uint64_t start, bool compressed)
{
    if (list->n == *room) {
        size_t more = *room == 0 ? 32 : *room * 2;
        struct log_segment *at = more > LOG_SEGMENTS_MAX ? NULL : reallocarray(list->at, more, sizeof *at);

        if (at == NULL)
            return more > LOG_SEGMENTS_MAX ? -EFBIG : -ENOMEM;
        list->at = at;
        *room = more;
    }
    list->at[list->n++] = (struct log_segment){.start = start, .compressed = compressed};
    return 0;
}

/* A death while a segment was compressed may leave both of its files: the raw one is whole. */
static void unite(struct log_segments *list)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++)
        if (n > 0 && list->at[n - 1].start == list->at[i].start)
            list->at[n - 1].compressed = false;
        else
            list->at[n++] = list->at[i];
    list->n = n;
}

void log_segment_measure(struct log_segments *list, size_t i, int dir)
{
    struct log_segment *s = &list->at[i];
    uint64_t raw = s->compressed ? 0 : log_file_size(dir, s->start, ".log", &s->modified_ns);

    s->idx_bytes = log_file_size(dir, s->start, ".idx", NULL);
    s->disk = raw + log_file_size(dir, s->start, LOG_COMPRESSED, s->compressed ? &s->modified_ns : NULL);
    s->bytes = !s->compressed    ? raw
               : i + 1 < list->n ? list->at[i + 1].start - s->start
                                 : log_frames_content(dir, s->start);
}

/* One block of a directory's names. */
static int add_block(struct log_segments *list, size_t *room, const char *block, size_t n)
{
    const struct dirent64 *entry;
    bool compressed;
    uint64_t start;
    int error = 0;

    for (size_t at = 0; error == 0 && at < n; at += entry->d_reclen) {
        entry = (const struct dirent64 *)(const void *)(block + at);
        if (parse_bytes_name(entry->d_name, &start, &compressed))
            error = add_segment(list, room, start, compressed);
    }
    return error;
}

int log_segments_names(struct log_segments *list, int dir)
{
    _Alignas(struct dirent64) char block[16384]; /* of few names, mostly: a stream costs more than they do */
    size_t room = 0;
    ssize_t n = 1;
    int error = lseek(dir, 0, SEEK_SET) < 0 ? -errno : 0;

    *list = (struct log_segments){0};
    while (error == 0 && n > 0) {
        n = getdents64(dir, block, sizeof block);
        error = n < 0 ? -errno : add_block(list, &room, block, (size_t)n);
    }
    if (list->n > 1)
        qsort(list->at, list->n, sizeof *list->at, by_start);
    unite(list);
    return error;
}

int log_segments_read(struct log_segments *list, int dir)
{
    int error = log_segments_names(list, dir);

    for (size_t i = 0; i < list->n; i++) {
        log_segment_measure(list, i, dir);
        list->bytes += list->at[i].disk + list->at[i].idx_bytes;
    }
    return error;
}

/* One block of a directory's names. */
static void next_in(const char *block, size_t n, uint64_t after, uint64_t *next)
{
    const struct dirent64 *entry;
    bool compressed;
    uint64_t start;

    for (size_t at = 0; at < n; at += entry->d_reclen) {
        entry = (const struct dirent64 *)(const void *)(block + at);
        if (parse_bytes_name(entry->d_name, &start, &compressed) && start > after && start < *next)
            *next = start;
    }
}

uint64_t log_segment_next(int dir, uint64_t after, uint64_t last)
{
    _Alignas(struct dirent64) char block[4096]; /* readdir would allocate */
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return last;
    while ((n = getdents64(fd, block, sizeof block)) > 0)
        next_in(block, (size_t)n, after, &last);
    close(fd);
    return last;
}

int log_segments_of(struct log_segments *list, const struct log_store *s, const char *domain, const char *console)
{
    int error, dir = log_dir_open(s, domain, console);

    *list = (struct log_segments){0};
    if (dir < 0)
        return dir;
    error = log_segments_read(list, dir);
    close(dir);
    return error;
}

void log_segments_finish(struct log_segments *list)
{
    free(list->at);
    *list = (struct log_segments){0};
}

bool log_segment_has_content(struct log_segments *list, size_t i, int dir)
{
    log_segment_measure(list, i, dir);
    return list->at[i].bytes > 0 || list->at[i].idx_bytes > VC_INDEX_RECORD_BYTES;
}

const struct log_segment *log_segment_at(struct log_segments *list, int dir, uint64_t offset)
{
    size_t low = 0, high = list->n;

    while (low < high) { /* to the first that starts behind offset */
        size_t middle = low + (high - low) / 2;

        if (list->at[middle].start <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 1 && low < list->n && !log_segment_has_content(list, low - 1, dir))
        low--; /* a planted empty file must not hide bytes */
    return list->n == 0 ? NULL : &list->at[low > 0 ? low - 1 : 0];
}
