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
    uint64_t bytes, real_ns, expiry; /* expiry: in so many ns something will be too old */
};

uint64_t log_segment_thin(int dir, const struct log_segment *segment)
{
    char name[LOG_FILE_NAME];

    log_file_name(name, segment->start, LOG_COMPRESSED);
    (void)unlinkat(dir, name, 0);
    return segment->disk + segment->idx_bytes;
}

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

/* Whether nobody appends to it. Under the store's lock. */
static bool is_closed(const struct log *l, const struct log_segments *list, size_t i)
{
    struct log_view view;

    if (l == NULL)
        return true;
    log_view_get(l, &view);
    return i + 1 < list->n && list->at[i].start < view.segment;
}

struct shortening { /* of one console */
    struct log_store *store;
    struct holding *holding;
    struct log_rules rules;
    struct log_segments list;
    struct log_pins pins;
    uint64_t cap, bytes;      /* it is to have at most so much, and has */
    uint64_t real_ns, expiry; /* what the time is, and when the next segment will be too old */
    int dir;
    bool kept; /* something of what was looked at: history begins there */
};

/* Delete a segment, or put the pieces of it that are pinned in its place: pins has them, n of them. */
static void replace(struct shortening *a, size_t i, const struct log_pin *pins, size_t n)
{
    const struct log_segment *segment = &a->list.at[i];
    uint64_t gone = 0, left = 0, begins = n > 0 ? pins[0].begin : i + 1 < a->list.n ? a->list.at[i + 1].start : 0;
    struct log *l;
    bool whole = n == 0;

    pthread_mutex_lock(&a->store->lock); /* nobody opens or closes it meanwhile */
    l = open_log(a->store, a->holding);
    if (is_closed(l, &a->list, i)) {
        bool same = n > 0 && pins[0].begin == segment->start; /* the first piece takes the raw file's place */

        for (size_t k = 0; k < n; k++)
            left += log_pin_place(a->dir, &pins[k], true) == 0;
        whole = left == n;
        if (whole)
            gone = same ? log_segment_thin(a->dir, segment) : log_segment_delete(a->dir, segment);
        if (l != NULL && gone > 0 && !a->kept)
            raise_oldest(l, begins);
        if (l == NULL && n == 0 && i + 1 == a->list.n)
            (void)unlinkat(a->dir, "current.log", 0);
    } else {
        for (size_t k = 0; k < n; k++)
            (void)log_pin_place(a->dir, &pins[k], false);
    }
    left = 0;
    for (size_t k = 0; gone > 0 && k < n; k++)
        left += log_file_size(a->dir, pins[k].begin, ".log", NULL) + log_file_size(a->dir, pins[k].begin, ".idx", NULL);
    log_store_account(a->store, l, left);
    log_forget(a->store, l, gone);
    pthread_mutex_unlock(&a->store->lock);
    a->bytes -= gone < a->bytes ? gone : a->bytes;
    a->bytes += left;
    a->kept = a->kept || gone == 0 || n > 0;
}

#define PIECES_MAX 64u /* of one segment; of one in which a guest started more often the rest goes */

/* Of a segment that has to go by its age, or else for size: all but what is pinned. */
static void take_out(struct shortening *a, size_t i, bool aged)
{
    const struct log_segment *s = &a->list.at[i];
    struct log_pin pins[PIECES_MAX];
    uint64_t from = s->start, to = s->start + s->bytes;
    size_t n = 0;

    while (!aged && n < PIECES_MAX && log_pins_next(&a->pins, from, to, &pins[n])) {
        if (pins[n].begin == s->start && pins[n].end == to) { /* all of it */
            a->kept = true;
            return;
        }
        if (log_pin_write(a->store, a->dir, s, &pins[n]) != 0) {
            (void)log_pin_place(a->dir, &pins[n], false); /* no room even for that, or it is damaged */
            from = pins[n].end;
            continue;
        }
        from = pins[n++].end;
    }
    replace(a, i, pins, n);
}

static bool too_old(struct shortening *a, const struct log_segment *s)
{
    uint64_t age = a->rules.keep_age_ns;

    if (age == 0)
        return false;
    if (s->modified_ns + age <= a->real_ns)
        return true;
    if (s->modified_ns + age - a->real_ns < a->expiry)
        a->expiry = s->modified_ns + age - a->real_ns;
    return false;
}

/* What is still appended to is looked at again: when it was closed nobody says so. */
static void take_out_old(struct shortening *a, size_t i)
{
    uint64_t had = a->bytes, again = a->rules.keep_age_ns / 8 + NS_PER_S;

    take_out(a, i, true);
    if (a->bytes == had && again < a->expiry)
        a->expiry = again;
}

/* What is open cannot go, nor of a closed log the end while there is something else. */
static void shorten_all(struct shortening *a)
{
    size_t n = a->list.n;

    for (size_t i = 0; i < n; i++)
        if (too_old(a, &a->list.at[i]))
            take_out_old(a, i);
        else if (i + 1 < n && a->bytes > a->cap)
            take_out(a, i, false);
        else
            a->kept = true;
}

/* That was not enough: all that is closed may go. */
static void shorten_more(struct shortening *a)
{
    log_segments_finish(&a->list);
    if (log_segments_read(&a->list, a->dir) != 0)
        return;
    a->bytes = a->list.bytes;
    a->kept = false;
    for (size_t i = 0; i < a->list.n && a->bytes > a->cap; i++)
        replace(a, i, NULL, 0);
}

/* Delete what is too old of the console, and its oldest segments until it has at most cap bytes. */
static void shorten_to(struct holdings *all, struct holding *h, uint64_t cap)
{
    struct shortening a = {.store = all->store,
                           .holding = h,
                           .cap = cap,
                           .real_ns = all->real_ns,
                           .expiry = all->expiry,
                           .dir = log_dir_open(all->store, h->domain, h->console)};

    h->bytes = 0;
    if (a.dir < 0)
        return;
    log_rules_find(all->store, h->domain, h->console, &a.rules);
    if (a.rules.keep_bytes < a.cap)
        a.cap = a.rules.keep_bytes;
    if (log_segments_read(&a.list, a.dir) == 0) {
        a.bytes = a.list.bytes;
        if (a.bytes <= a.cap || log_pins_read(&a.pins, a.dir, &a.list, a.rules.pin_bytes, a.cap / 2) == 0)
            shorten_all(&a);
        if (a.bytes > a.cap)
            shorten_more(&a);
        h->bytes = a.bytes;
        h->spent = h->spent || a.bytes > a.cap;
        all->expiry = a.expiry;
    }
    log_pins_finish(&a.pins);
    log_segments_finish(&a.list);
    close(a.dir);
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
    shorten_to(all, h, UINT64_MAX);
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

/* The wall clock, but where it was set forward: that makes no segment old. */
static uint64_t trusted_real(struct log_store *s, const struct log_time *now)
{
    uint64_t real;

    if (s->clock_base == 0)
        s->clock_base = now->real_ns - now->mono_ns;
    real = s->clock_base + now->mono_ns;
    return now->real_ns < real ? now->real_ns : real;
}

uint64_t log_store_tidy(struct log_store *s, const struct log_time *now)
{
    struct holdings all = {.store = s, .real_ns = trusted_real(s, now), .expiry = UINT64_MAX};
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
    return all.expiry;
}

#define SHED_LOOKS 128u /* at segments, oldest first, for one without the beginning of a boot */

static struct vc_index_record start_at(int dir, uint64_t start)
{
    return log_index_start(dir, &(struct log_segment){.start = start});
}

/*
 * The oldest segment where nothing is pinned, or else the oldest. What is pinned is only guessed here, on the safe side: all from a
 * segment in which a boot was counted to as far behind it as a pin can go.
 */
static uint64_t find_spare(const struct log *l, int dir, uint64_t oldest)
{
    uint64_t pin = load64(&l->rules.pin_bytes), pinned = 0, at = oldest;
    struct vc_index_record start = start_at(dir, at);

    for (unsigned i = 0; pin > 0 && i < SHED_LOOKS && at < l->segment; i++) {
        uint64_t next = log_segment_next(dir, at, l->segment);
        struct vc_index_record behind = start_at(dir, next);

        if (start.kind != 0 && behind.kind != 0 && start.boot != behind.boot)
            pinned = next + pin;
        else if (at >= pinned)
            return at;
        at = next;
        start = behind;
    }
    return oldest;
}

void log_shed(struct log *l)
{
    uint64_t oldest = load64(&l->oldest), gone;
    struct log_segment spare = {.start = oldest};
    int dir = oldest >= l->segment ? -1 : log_dir_open(l->store, l->domain, l->console);

    if (dir < 0)
        return;
    spare.start = find_spare(l, dir, oldest);
    spare.idx_bytes = log_file_size(dir, spare.start, ".idx", NULL);
    spare.disk = log_file_size(dir, spare.start, ".log", NULL) + log_file_size(dir, spare.start, LOG_COMPRESSED, NULL);
    gone = log_segment_delete(dir, &spare);
    log_forget(l->store, l, gone);
    if (gone > 0 && spare.start == oldest)
        raise_oldest(l, log_segment_next(dir, oldest, l->segment));
    close(dir);
}
