/* SPDX-License-Identifier: MIT */
#include "log_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLACK 16u /* the whole is brought below its cap by this part, so that not each segment needs a look at all */

struct holding { /* what one console has */
    char domain[LOG_NAME_BYTES], console[LOG_NAME_BYTES];
    uint64_t bytes;
    bool spent; /* nothing more of it can go */
};

struct holdings {
    struct log_store *store;
    struct holding *at;
    size_t n, room;
    uint64_t bytes;
};

uint64_t log_segment_delete(int dir, const struct log_segment *segment)
{
    char name[LOG_FILE_NAME];

    static const char *const suffixes[] = {".log", LOG_COMPRESSED};
    bool gone = false;

    log_file_name(name, segment->start, ".idx"); /* first: a lone index would never be found again */
    (void)unlinkat(dir, name, 0);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) { /* the raw one first: see log_compress_end */
        log_file_name(name, segment->start, suffixes[i]);
        gone = unlinkat(dir, name, 0) == 0 || gone;
    }
    return gone ? segment->disk + segment->idx_bytes : 0;
}

/* The open log of that name, or NULL. Under the store's lock. */
static struct log *open_log(struct log_store *s, const struct holding *h)
{
    for (struct log *l = s->logs; l != NULL; l = l->next)
        if (strcmp(l->domain, h->domain) == 0 && strcmp(l->console, h->console) == 0)
            return l;
    return NULL;
}

static void raise_oldest(struct log *l, uint64_t oldest)
{
    uint64_t had = load64(&l->oldest);

    while (had < oldest &&
           !__atomic_compare_exchange_n(&l->oldest, &had, oldest, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
        ;
}

/* Delete the console's oldest segment, never one that is appended to. Returns the bytes that went. */
static uint64_t shorten(struct log_store *s, struct holding *h, const struct log_segments *list, size_t i, int dir)
{
    struct log *l;
    uint64_t gone = 0;

    pthread_mutex_lock(&s->lock); /* nobody opens or closes it meanwhile */
    l = open_log(s, h);
    if (l == NULL || i + 1 < list->n)
        gone = log_segment_delete(dir, &list->at[i]);
    if (l != NULL && gone > 0)
        raise_oldest(l, list->at[i + 1].start);
    log_forget(s, l, gone);
    if (l == NULL && i + 1 == list->n)
        (void)unlinkat(dir, "current.log", 0);
    pthread_mutex_unlock(&s->lock);
    return gone;
}

/* Delete the console's oldest segments until it has at most cap bytes. */
static void shorten_to(struct holdings *all, struct holding *h, uint64_t cap)
{
    struct log_store *s = all->store;
    int dir = log_dir_open(s, h->domain, h->console, false);
    struct log_segments list = {0};
    uint64_t bytes;

    h->bytes = 0;
    if (dir < 0)
        return;
    if (log_segments_read(&list, dir) == 0) {
        bytes = list.bytes;
        for (size_t i = 0; i < list.n && bytes > cap; i++) {
            uint64_t gone = shorten(s, h, &list, i, dir);

            if (gone == 0)
                break;
            bytes -= gone;
        }
        h->bytes = bytes;
        h->spent = h->spent || bytes > cap;
    }
    log_segments_finish(&list);
    close(dir);
}

static void collect(void *ctx, const char *domain, const char *console)
{
    struct holdings *all = ctx;
    struct holding *h;

    if (all->n == all->room) {
        size_t room = all->room == 0 ? 64 : all->room * 2;

        h = reallocarray(all->at, room, sizeof *h);
        if (h == NULL)
            return; /* that one another time */
        all->at = h;
        all->room = room;
    }
    h = &all->at[all->n++];
    *h = (struct holding){0};
    memcpy(h->domain, domain, strnlen(domain, LOG_NAME_BYTES - 1));
    memcpy(h->console, console, strnlen(console, LOG_NAME_BYTES - 1));
    shorten_to(all, h, all->store->limits.console_bytes);
    h->spent = false;
    all->bytes += h->bytes;
}

static struct holding *largest(struct holdings *all)
{
    struct holding *found = NULL;

    for (size_t i = 0; i < all->n; i++)
        if (!all->at[i].spent && all->at[i].bytes > 0 && (found == NULL || all->at[i].bytes > found->bytes))
            found = &all->at[i];
    return found;
}

void log_store_tidy(struct log_store *s)
{
    struct holdings all = {.store = s};
    uint64_t cap = s->limits.total_bytes, goal = cap - cap / SLACK, step = cap / SLACK / 4;
    struct holding *h;

    (void)log_store_each(s, collect, &all);
    if (all.bytes <= cap)
        goal = cap;
    while (all.bytes > goal && (h = largest(&all)) != NULL) {
        uint64_t had = h->bytes;

        shorten_to(&all, h, had > step ? had - step : 0);
        all.bytes -= had - h->bytes;
    }
    free(all.at);
    /* What open segments hold cannot go: no use in coming again before it grew by as much as the slack. */
    store64(&s->tidy_above, all.bytes > cap ? all.bytes + cap / SLACK : cap);
    __atomic_store_n(&s->untidy, 0, __ATOMIC_RELEASE);
}

void log_shed(struct log *l)
{
    struct log_segment oldest = {.start = load64(&l->oldest)};
    int dir = oldest.start >= l->segment ? -1 : log_dir_open(l->store, l->domain, l->console, false);
    uint64_t gone;

    if (dir < 0)
        return;
    oldest.idx_bytes = log_file_size(dir, oldest.start, ".idx");
    oldest.disk = log_file_size(dir, oldest.start, ".log") + log_file_size(dir, oldest.start, LOG_COMPRESSED);
    gone = log_segment_delete(dir, &oldest);
    log_forget(l->store, l, gone);
    if (gone > 0)
        raise_oldest(l, log_segment_next(dir, oldest.start, l->segment));
    close(dir);
}
