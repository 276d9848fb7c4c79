/* SPDX-License-Identifier: MIT */
/*
 * What is to survive a loss of power: one commit for all consoles that wait for one. A few files are flushed one by one; more,
 * or files that came into being since, by one flush of their file system, so that commits cost the same however many consoles
 * there are.
 */
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 4u /* logs that are flushed one by one */

struct commit {
    struct log_store *store;
    const struct log_time *now;
    uint32_t n;     /* logs that are due */
    bool all;       /* not file by file */
    uint64_t next;  /* ns until one that is not due yet is */
    struct newest { /* of the first few */
        char domain[LOG_NAME_BYTES], console[LOG_NAME_BYTES];
        uint64_t segment;
    } at[FILES_MAX];
};

void log_dirty(struct log *l)
{
    struct log_store *s = l->store;

    /* Pairs with take's exchange: whichever comes second sees what the other did before. */
    if (load64(&l->rules.sync_ns) == 0 || !l->writes || __atomic_exchange_n(&l->dirty, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (s->env->dirty != NULL)
        s->env->dirty(s->ctx);
}

/* Take one that is due into the commit. Under the store's lock. */
static void take(struct commit *c, struct log *l)
{
    uint64_t period = load64(&l->rules.sync_ns), age = c->now->mono_ns - l->sync_mono;
    struct log_view view;

    if (period == 0 || __atomic_load_n(&l->dirty, __ATOMIC_ACQUIRE) == 0)
        return;
    if (age < period && l->sync_mono != 0) {
        c->next = period - age < c->next ? period - age : c->next;
        return;
    }
    (void)__atomic_exchange_n(&l->dirty, 0, __ATOMIC_ACQ_REL); /* what is appended from here on asks again */
    log_view_get(l, &view);
    l->sync_length = view.saved;
    l->sync_round = c->store->sync_round;
    l->sync_mono = c->now->mono_ns;
    if (c->n < FILES_MAX) {
        struct newest *newest = &c->at[c->n];

        memcpy(newest->domain, l->domain, sizeof newest->domain);
        memcpy(newest->console, l->console, sizeof newest->console);
        newest->segment = view.segment;
    }
    c->all = c->all || load64(&l->synced) < view.segment || load64(&l->synced) == 0;
    c->n++;
}

static int flush_file(int dir, uint64_t start, const char *suffix)
{
    int error, fd = log_file_open(dir, start, suffix, O_RDONLY);

    if (fd < 0)
        return fd;
    error = fdatasync(fd) != 0 ? -errno : 0;
    close(fd);
    return error;
}

static int flush_one(struct log_store *s, const struct newest *newest)
{
    int error, dir = log_dir_open(s, newest->domain, newest->console);

    if (dir < 0)
        return dir;
    error = flush_file(dir, newest->segment, ".log"); /* bytes before what vouches for them */
    if (error == 0)
        error = flush_file(dir, newest->segment, ".idx");
    close(dir);
    return error;
}

static int flush(struct commit *c)
{
    int error = 0;

    for (uint32_t i = 0; !c->all && c->n <= FILES_MAX && i < c->n && error == 0; i++)
        error = flush_one(c->store, &c->at[i]);
    if (c->all || c->n > FILES_MAX || error != 0) /* renamed, rotated or deleted meanwhile: wherever it is now */
        error = syncfs(c->store->dir) != 0 ? -errno : 0;
    return error;
}

/* Those whose bytes are on the disk, or if it failed are to be tried again. Under the store's lock. */
static void settle(struct commit *c, struct log *l, int error)
{
    if (l->sync_round != c->store->sync_round)
        return;
    if (error == 0) {
        store64(&l->synced, l->sync_length);
        return;
    }
    __atomic_store_n(&l->dirty, 1, __ATOMIC_RELEASE);
    log_tell(l, LOG_TELL_SYNC, c->now, "%s: what is stored is not on the disk", log_error_text(-error));
}

uint64_t log_store_sync(struct log_store *s, const struct log_time *now)
{
    struct commit c = {.store = s, .now = now, .next = UINT64_MAX};
    int error;

    pthread_mutex_lock(&s->lock);
    s->sync_round++;
    c.all = __atomic_exchange_n(&s->sync_closed, 0, __ATOMIC_ACQ_REL) != 0;
    for (struct log *l = s->logs; l != NULL; l = l->next)
        take(&c, l);
    pthread_mutex_unlock(&s->lock);
    if (c.n == 0 && !c.all)
        return c.next;
    error = flush(&c);
    pthread_mutex_lock(&s->lock);
    for (struct log *l = s->logs; l != NULL; l = l->next)
        settle(&c, l, error);
    pthread_mutex_unlock(&s->lock);
    if (error != 0)
        return LOG_RETRY_NS; /* sync_mono counts from the one that failed */
    return 0;                /* look again: some may have become due meanwhile */
}
