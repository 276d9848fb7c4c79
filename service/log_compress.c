/* SPDX-License-Identifier: MIT */
/*
 * Closed segments, compressed one at a time. START.zst.new is written, flushed to the disk and renamed to START.log.zst, then
 * START.log goes: where both are found, the raw one holds, and this begins again. Of a segment that was deleted or opened
 * for appending meanwhile nothing is left behind.
 */
#define ZSTD_STATIC_LINKING_ONLY /* for a context in memory of ours */
#include "log_compress.h"
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define SUFFIX_NEW ".zst.new"
#define LEVEL      3
#define STEP       65536u /* bytes between two looks at stop */
#define FRAMES_MAX 65536u

struct workspace {
    uint8_t in[STEP], out[STEP];
    struct log_table_entry table[]; /* then zstd's own, on a page */
};

/* What is to be done. */

static bool same_directory(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* The open log of that name, or NULL. Under the store's lock. */
static struct log *open_log(const struct log_store *s, const struct log_compress *c)
{
    for (struct log *l = s->logs; l != NULL; l = l->next)
        if (strcmp(l->domain, c->domain) == 0 && strcmp(l->console, c->console) == 0)
            return l;
    return NULL;
}

static uint64_t workspace_bytes(uint64_t frames, ZSTD_compressionParameters parameters, size_t *zstd_at)
{
    *zstd_at = (sizeof(struct workspace) + frames * sizeof(struct log_table_entry) + 4095) & ~(size_t)4095;
    return *zstd_at + ZSTD_estimateCStreamSize_usingCParams(parameters);
}

/* Memory for all of it, so that none is asked for by a thread that hardly ever runs. */
static int make_workspace(struct log_compress *c)
{
    ZSTD_compressionParameters parameters = ZSTD_getCParams(LEVEL, LOG_FRAME_BYTES, 0);
    uint64_t frames = (c->bytes + LOG_FRAME_BYTES - 1) / LOG_FRAME_BYTES;
    size_t zstd_at;

    if (frames > FRAMES_MAX)
        return -EFBIG;
    c->memory_bytes = workspace_bytes(frames, parameters, &zstd_at);
    c->memory = mmap(NULL, c->memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c->memory == MAP_FAILED) {
        c->memory = NULL;
        return -ENOMEM;
    }
    c->zstd = ZSTD_initStaticCStream((uint8_t *)c->memory + zstd_at, c->memory_bytes - zstd_at);
    if (c->zstd == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_windowLog, (int)parameters.windowLog)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1)))
        return -ENOMEM;
    return 0;
}

static int begin(struct log_compress *c)
{
    char name[LOG_FILE_NAME];
    int error;

    c->raw_fd = log_file_open(c->dir, c->start, ".log", O_RDONLY);
    if (c->raw_fd < 0)
        return c->raw_fd;
    log_file_name(name, c->start, SUFFIX_NEW);
    (void)unlinkat(c->dir, name, 0); /* left by a death */
    c->packed_fd = log_file_open(c->dir, c->start, SUFFIX_NEW, O_RDWR | O_CREAT | O_EXCL);
    error = c->packed_fd < 0 ? c->packed_fd : make_workspace(c);
    return error;
}

static void release(struct log_compress *c)
{
    if (c->raw_fd >= 0)
        close(c->raw_fd);
    if (c->packed_fd >= 0)
        close(c->packed_fd);
    if (c->memory != NULL)
        munmap(c->memory, c->memory_bytes);
    c->raw_fd = c->packed_fd = -1;
    c->memory = NULL;
}

static void close_dir(struct log_compress *c)
{
    if (c->dir >= 0)
        close(c->dir);
    c->dir = -1;
}

static void drop_new(const struct log_compress *c)
{
    char name[LOG_FILE_NAME];

    log_file_name(name, c->start, SUFFIX_NEW);
    (void)unlinkat(c->dir, name, 0);
}

/* Closed segments whose index is gone get another. */
static void rebuild(struct log_store *s, struct log_compress *c, struct log_segments *list)
{
    struct log_segments closed = *list;
    uint64_t more;

    closed.n -= closed.n > 0;
    more = log_indices_rebuild(s, c->dir, &closed, 0);
    if (more == 0)
        return;
    pthread_mutex_lock(&s->lock);
    log_store_account(s, open_log(s, c), more);
    pthread_mutex_unlock(&s->lock);
}

/* The first raw segment from `from` on that another follows. Its bytes end where that one begins, whatever is in the file. */
static bool find_closed(struct log_store *s, struct log_compress *c, uint64_t from)
{
    struct log_segments list;
    bool found = false;

    if (log_segments_read(&list, c->dir) == 0) {
        if (c->start == 0) /* the first look at this console */
            rebuild(s, c, &list);
        for (size_t i = 0; i + 1 < list.n && !found; i++) {
            const struct log_segment *at = &list.at[i];
            uint64_t room = list.at[i + 1].start - at->start;

            found = at->start >= from && !at->compressed && at->bytes > 0;
            c->start = at->start;
            c->bytes = at->bytes < room ? at->bytes : room;
            c->had = at->disk;
        }
    }
    log_segments_finish(&list);
    return found;
}

/* The next segment of this console. */
static bool next_of_console(struct log_store *s, struct log_compress *c)
{
    struct log_rules rules;
    uint64_t from = c->start;

    c->dir = log_dir_open(s, c->domain, c->console);
    log_rules_find(s, c->domain, c->console, &rules);
    while (c->dir >= 0 && find_closed(s, c, from) && rules.raw == 0) {
        c->error = begin(c);
        if (c->error == 0)
            return true;
        from = c->start + 1; /* that one another time */
        drop_new(c);
        release(c);
    }
    close_dir(c);
    return false;
}

/* A console that closed a segment since it was last looked at. */
static bool next_console(struct log_store *s, struct log_compress *c)
{
    bool found = false;

    pthread_mutex_lock(&s->lock);
    for (struct log *l = s->logs; l != NULL && !found; l = l->next) {
        found = __atomic_exchange_n(&l->closed, 0, __ATOMIC_ACQ_REL) != 0;
        if (found) {
            memcpy(c->domain, l->domain, sizeof c->domain);
            memcpy(c->console, l->console, sizeof c->console);
            c->start = 0;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void remember(void *ctx, const char *domain, const char *console)
{
    struct log_compress *c = ctx;
    struct log_compress_name *names;

    if (c->n_names == c->room) {
        names = reallocarray(c->names, c->room == 0 ? 64 : c->room * 2, sizeof *names);
        if (names == NULL)
            return;
        c->names = names;
        c->room = c->room == 0 ? 64 : c->room * 2;
    }
    names = &c->names[c->n_names++];
    snprintf(names->domain, sizeof names->domain, "%s", domain);
    snprintf(names->console, sizeof names->console, "%s", console);
}

/* What an earlier process left: each console once. */
static bool next_name(struct log_compress *c)
{
    if (c->n_names == 0) {
        free(c->names);
        c->names = NULL;
        c->room = 0;
        return false;
    }
    c->n_names--;
    memcpy(c->domain, c->names[c->n_names].domain, sizeof c->domain);
    memcpy(c->console, c->names[c->n_names].console, sizeof c->console);
    c->start = 0;
    return true;
}

void log_compress_init(struct log_compress *c, struct log_store *s)
{
    *c = (struct log_compress){.dir = -1, .raw_fd = -1, .packed_fd = -1};
    (void)log_store_each(s, remember, c);
}

bool log_compress_next(struct log_store *s, struct log_compress *c)
{
    if (c->domain[0] != '\0' && next_of_console(s, c))
        return true;
    while (next_name(c) || next_console(s, c))
        if (next_of_console(s, c))
            return true;
    c->domain[0] = '\0';
    return false;
}

void log_compress_finish(struct log_compress *c)
{
    free(c->names);
    *c = (struct log_compress){.dir = -1, .raw_fd = -1, .packed_fd = -1};
}

/* The work. */

static int put(struct log_compress *c, const void *bytes, size_t n)
{
    for (const uint8_t *p = bytes; n > 0;) {
        ssize_t w = pwrite(c->packed_fd, p, n, (off_t)c->packed);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return w < 0 ? -errno : -EIO;
        p += w;
        n -= (size_t)w;
        c->packed += (uint64_t)w;
    }
    return 0;
}

/* Feed one step; at the end of a frame what zstd still holds comes too. */
static int feed(struct log_compress *c, struct workspace *w, size_t n, bool end)
{
    ZSTD_inBuffer in = {w->in, n, 0};
    size_t left;
    int error = 0;

    do {
        ZSTD_outBuffer out = {w->out, sizeof w->out, 0};

        left = ZSTD_compressStream2(c->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return -ENOMEM;
        error = put(c, w->out, out.pos);
    } while (error == 0 && (end ? left > 0 : in.pos < in.size));
    return error;
}

static int one_frame(struct log_compress *c, struct workspace *w, uint64_t at, uint64_t n, const uint32_t *stop)
{
    int error = ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(c->zstd, n)) ? -EINVAL : 0;

    while (error == 0 && n > 0) {
        ssize_t got = pread(c->raw_fd, w->in, n < STEP ? n : STEP, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (__atomic_load_n(stop, __ATOMIC_RELAXED) != 0)
            return -ECANCELED;
        if (got <= 0)
            return got < 0 ? -errno : -EIO; /* cut meanwhile: begin again */
        at += (uint64_t)got;
        n -= (uint64_t)got;
        error = feed(c, w, (size_t)got, n == 0);
    }
    return error;
}

static int put_table(struct log_compress *c, const struct log_table_entry *table, uint32_t n)
{
    const struct log_table_foot foot = {n, 0, LOG_TABLE_MAGIC};
    const struct log_table_head head = {LOG_TABLE_SKIP, (uint32_t)(n * sizeof *table + sizeof foot)};
    int error = put(c, &head, sizeof head);

    if (error == 0)
        error = put(c, table, n * sizeof *table);
    return error != 0 ? error : put(c, &foot, sizeof foot);
}

/* The compressed file is dated as the raw one was: when its last byte came. */
static int keep_time(const struct log_compress *c)
{
    struct stat st;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

    if (fstat(c->raw_fd, &st) != 0)
        return -errno;
    times[1] = st.st_mtim;
    return futimens(c->packed_fd, times) != 0 ? -errno : 0;
}

void log_compress_run(struct log_compress *c, const uint32_t *stop)
{
    struct workspace *w = c->memory;
    uint32_t n = 0;
    int error = 0;

    c->packed = 0;
    for (uint64_t at = 0; error == 0 && at < c->bytes; n++) {
        uint64_t begin = c->packed, part = c->bytes - at < LOG_FRAME_BYTES ? c->bytes - at : LOG_FRAME_BYTES;

        error = one_frame(c, w, at, part, stop);
        w->table[n] = (struct log_table_entry){(uint32_t)(c->packed - begin), (uint32_t)part};
        at += part;
    }
    if (error == 0)
        error = put_table(c, w->table, n);
    if (error == 0)
        error = keep_time(c);
    if (error == 0 && fdatasync(c->packed_fd) != 0)
        error = -errno;
    c->error = error;
}

/* The end. */

/* Whether it is still a closed segment of that console. Under the store's lock. */
static bool still_closed(struct log_store *s, const struct log_compress *c, struct log **l)
{
    int dir = log_dir_open(s, c->domain, c->console);
    bool same = dir >= 0 && same_directory(dir, c->dir);
    struct stat st;
    struct log_view view;

    if (dir >= 0)
        close(dir);
    *l = same ? open_log(s, c) : NULL;
    if (!same || fstat(c->raw_fd, &st) != 0 || st.st_nlink == 0)
        return false; /* the domain has another name now, or retention took it */
    if (*l == NULL)
        return true; /* whoever opens it now waits for us, and takes the newest as it is then */
    log_view_get(*l, &view);
    return c->start < view.segment;
}

/* That name is still what was written, all of it: another process may have begun the same, where one takes another's place. */
static bool is_ours(const struct log_compress *c, const char *name)
{
    struct stat file, named;

    return fstat(c->packed_fd, &file) == 0 && fstatat(c->dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           file.st_dev == named.st_dev && file.st_ino == named.st_ino && (uint64_t)file.st_size == c->packed;
}

static int rename_new(struct log_store *s, const struct log_compress *c)
{
    char from[LOG_FILE_NAME], to[LOG_FILE_NAME];
    struct log *l;
    int error = -ENOENT;

    log_file_name(from, c->start, SUFFIX_NEW);
    log_file_name(to, c->start, LOG_COMPRESSED);
    pthread_mutex_lock(&s->lock);
    if (still_closed(s, c, &l) && is_ours(c, from))
        error = renameat(c->dir, from, c->dir, to) != 0 ? -errno : 0;
    pthread_mutex_unlock(&s->lock);
    return error;
}

/* The raw file goes, unless that cannot be, or it went already: then what was made of it does. */
static int unlink_raw(struct log_store *s, const struct log_compress *c, int error)
{
    char raw[LOG_FILE_NAME], packed[LOG_FILE_NAME];
    struct log *l;

    log_file_name(raw, c->start, ".log");
    log_file_name(packed, c->start, LOG_COMPRESSED);
    pthread_mutex_lock(&s->lock);
    if (!still_closed(s, c, &l) || !is_ours(c, packed))
        error = -ENOENT;
    else if (error == 0 && unlinkat(c->dir, raw, 0) != 0)
        error = -errno;
    if (error != 0) {
        if (is_ours(c, packed)) /* another's may be the only copy by now */
            (void)unlinkat(c->dir, packed, 0);
    } else if (c->packed < c->had) {
        log_forget(s, l, c->had - c->packed);
    } else {
        log_store_account(s, l, c->packed - c->had);
    }
    pthread_mutex_unlock(&s->lock);
    return error;
}

int log_compress_end(struct log_store *s, struct log_compress *c)
{
    int error = c->error != 0 ? c->error : rename_new(s, c);

    if (error != 0)
        drop_new(c);
    else /* the new name is to be on the disk before the old one goes from it */
        error = unlink_raw(s, c, fsync(c->dir) != 0 ? -errno : 0);
    release(c);
    close_dir(c);
    c->start++; /* the next one, whatever became of this */
    return error;
}
