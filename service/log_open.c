/* SPDX-License-Identifier: MIT */
#include "log_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Readers take one of two views while the other is made: so none of them ever waits for the writer, wherever it stands
 * still. What is published stays as it is until its successor was published too: a reader that finds the number as it was
 * has a whole view. Members are stored with release and loaded with acquire: who saw one of the view after the next sees
 * that the number is another.
 */
void log_publish(struct log *l)
{
    uint32_t next = l->view_seq + 1;
    struct log_view *v = &l->view[next % 2];

    store64(&v->length, log_end(l));
    store64(&v->saved, l->length);
    store64(&v->segment, l->segment);
    store64(&v->idx_bytes, l->idx_bytes);
    __atomic_store_n(&v->files, l->files, __ATOMIC_RELEASE);
    __atomic_store_n(&v->boot, l->boot, __ATOMIC_RELEASE);
    __atomic_store_n(&l->view_seq, next, __ATOMIC_RELEASE); /* pairs with the first load in log_view_get */
}

void log_view_get(const struct log *l, struct log_view *view)
{
    uint32_t seq;

    do {
        const struct log_view *v;

        seq = __atomic_load_n(&l->view_seq, __ATOMIC_ACQUIRE);
        v = &l->view[seq % 2];
        view->length = load64(&v->length);
        view->saved = load64(&v->saved);
        view->segment = load64(&v->segment);
        view->idx_bytes = load64(&v->idx_bytes);
        view->files = __atomic_load_n(&v->files, __ATOMIC_ACQUIRE);
        view->boot = __atomic_load_n(&v->boot, __ATOMIC_ACQUIRE);
    } while (__atomic_load_n(&l->view_seq, __ATOMIC_RELAXED) != seq); /* two were published meanwhile: look again */
}

void log_status_get(const struct log *l, struct log_status *status)
{
    struct log_view view;

    log_view_get(l, &view);
    *status = (struct log_status){.length = view.length,
                                  .oldest = load64(&l->oldest),
                                  .bytes = load64(&l->bytes),
                                  .boot = view.boot,
                                  .syncs = load64(&l->rules.sync_ns) != 0,
                                  .synced = load64(&l->synced),
                                  .discarded = load64(&l->discarded),
                                  .unsaved = view.length - view.saved,
                                  .opened_ns = l->stored_ns};
    if (status->oldest > status->length)
        status->oldest = status->length; /* files were replaced between the two looks */
}

static void enter(struct log *l)
{
    struct log_store *s = l->store;

    pthread_mutex_lock(&s->lock);
    l->next = s->logs;
    s->logs = l;
    pthread_mutex_unlock(&s->lock);
    l->open = true;
    if (l->writes)
        __atomic_fetch_add(&s->n_logs, 1, __ATOMIC_RELAXED);
}

static void leave(struct log *l)
{
    struct log_store *s = l->store;
    struct log **at = &s->logs;

    pthread_mutex_lock(&s->lock);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    pthread_mutex_unlock(&s->lock);
    l->open = false;
    if (l->writes)
        __atomic_fetch_sub(&s->n_logs, 1, __ATOMIC_RELAXED);
}

/* What a full, failing or read-only disk answers: the log opens all the same and discards until that ends. */
static bool is_disk(int error)
{
    return error == -ENOSPC || error == -EDQUOT || error == -EROFS || error == -EIO || error == -EFBIG;
}

static void mark_cut(struct log *l, uint64_t lost, const struct log_time *now)
{
    struct vc_index_record r = log_record(l, VC_INDEX_GAP, lost, now);

    if (l->discarded == 0)
        log_tell(l, LOG_TELL_FILES, now, "cut %llu bytes behind offset %llu that are not what was stored",
                 (unsigned long long)lost, (unsigned long long)l->length);
    if (log_records_write(l, &r, 1) != 0)
        l->marks_lost++;
}

static void message_lost(struct log *l, const struct log_time *now)
{
    log_tell(l, LOG_TELL_FAIL, now, "%s: the last %llu bytes of its history were only in memory, and are lost",
             log_error_text(l->error), (unsigned long long)(log_end(l) - l->length));
}

static uint64_t modified_ns(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * NS_PER_S + (uint64_t)st->st_mtim.tv_nsec;
}

/* When the newest segment was last written; 0 for a log that is empty. */
static uint64_t stored_ns(const struct log *l, int dir)
{
    char name[LOG_FILE_NAME];
    struct stat st;

    log_file_name(name, l->segment, ".log");
    if (l->length == 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    return modified_ns(&st);
}

static int open_files(struct log *l, const struct log_time *now)
{
    uint64_t lost = 0;
    bool empty = false;
    int error = 0, dir = l->writes ? log_dir_make(l->store, l->domain, l->console, &empty)
                                   : log_dir_open(l->store, l->domain, l->console);

    if (dir < 0)
        return dir;
    l->recovered = empty;
    if (!empty)
        error = l->writes ? log_recover(l, dir, &lost) : log_recover_view(l, dir);
    if (l->writes && is_disk(error))
        (void)log_recover_view(l, dir); /* what is there can at least be read */
    l->stored_ns = stored_ns(l, dir);
    if (error == 0 && l->writes && l->log_fd < 0)
        error = log_rotate_in(l, dir, empty, now);
    close(dir);
    if (l->discarded > 0)
        log_tell(l, LOG_TELL_FILES, now, "%llu bytes before offset %llu were only in memory when the service died",
                 (unsigned long long)l->discarded, (unsigned long long)l->length);
    if (error == 0 && lost > 0)
        mark_cut(l, lost, now);
    return error;
}

int log_open(struct log *l, struct log_store *s, const char *domain, const char *console, unsigned flags,
             const struct log_time *now)
{
    int error;

    *l = (struct log){.store = s, .log_fd = -1, .idx_fd = -1, .writes = (flags & LOG_READ) == 0};
    if (strlen(domain) >= sizeof l->domain || strlen(console) >= sizeof l->console)
        return -EINVAL;
    memcpy(l->domain, domain, strlen(domain));
    memcpy(l->console, console, strlen(console));
    l->checked_mono = l->segment_mono = now->mono_ns;
    log_rules_take(l);
    enter(l);
    error = open_files(l, now);
    if (l->segment_real != 0 && now->real_ns > l->segment_real)
        l->segment_mono -= now->real_ns - l->segment_real; /* a clock that jumped makes a short segment, no more */
    if (l->writes && is_disk(error)) {
        log_fail(l, error, now);
        error = 0;
    }
    log_publish(l);
    if (error == 0 && l->writes)
        log_dirty(l); /* an earlier process may have left what is not on the disk yet */
    if (error == 0)
        return 0;
    leave(l);
    log_files_close(l);
    return error;
}

/* Once more, then it is lost: the record that stands on the disk says how much. */
static void close_memory(struct log *l, const struct log_time *now)
{
    if (l->memory == NULL || log_save(l, now) == 0)
        return;
    message_lost(l, now);
    log_memory_end(l);
}

void log_close(struct log *l, const struct log_time *now)
{
    if (!l->open)
        return;
    if (l->writes)
        (void)log_settle(l, now);
    (void)log_gap_close(l, now);
    close_memory(l, now);
    if (__atomic_load_n(&l->dirty, __ATOMIC_ACQUIRE) != 0) {
        __atomic_store_n(&l->store->sync_closed, 1, __ATOMIC_RELEASE);
        if (l->store->env->dirty != NULL)
            l->store->env->dirty(l->store->ctx);
    }
    if (l->error != 0)
        __atomic_fetch_sub(&l->store->n_failing, 1, __ATOMIC_RELAXED);
    leave(l);
    log_files_close(l);
}

/* False: the newest segment that the glance saw is gone. */
static bool newest_file(const struct log_glance *g, const struct log_store *s, const char *domain, const char *console,
                        struct stat *st)
{
    char path[2 * LOG_NAME_BYTES + LOG_FILE_NAME + 2], name[LOG_FILE_NAME];

    log_file_name(name, g->segment, ".log");
    snprintf(path, sizeof path, "%s/%s/%s", domain, console, name);
    return fstatat(s->dir, path, st, AT_SYMLINK_NOFOLLOW) == 0;
}

int log_glance(struct log_glance *g, struct log_store *s, const char *domain, const char *console,
               const struct log_time *now)
{
    struct log l = {0};
    struct stat st;
    int error;

    if (g->known && newest_file(g, s, domain, console, &st) && (uint64_t)st.st_size == g->bytes &&
        modified_ns(&st) == g->modified_ns)
        return 0;
    *g = (struct log_glance){0};
    error = log_open(&l, s, domain, console, LOG_READ, now);
    if (error != 0)
        return error;
    log_status_get(&l, &g->status);
    g->segment = l.segment;
    log_close(&l, now);
    g->known = newest_file(g, s, domain, console, &st);
    g->bytes = g->status.length - g->segment; /* as the status has it: who appended since then is seen next time */
    g->modified_ns = g->known ? modified_ns(&st) : 0;
    return 0;
}
