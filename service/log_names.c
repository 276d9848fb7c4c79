/* SPDX-License-Identifier: MIT */
/*
 * The names in a long console's directory, kept from one reader's look to the next: who seeks in a history looks several times,
 * and a directory of a thousand files takes longer to list than all the rest. One directory's are kept, until its ctime is
 * another; a ctime so young that the next change may bear the same is not trusted.
 */
#include "log_private.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LONG_ENOUGH 64                      /* segments; fewer are listed in no time */
#define SETTLED_NS  (INT64_C(50) * 1000000) /* several ticks of the slowest kernel's clock */

static bool same(const struct log_names *k, const struct stat *st)
{
    return k->at != NULL && k->dev == st->st_dev && k->ino == st->st_ino && k->changed.tv_sec == st->st_ctim.tv_sec &&
           k->changed.tv_nsec == st->st_ctim.tv_nsec;
}

static struct log_segment *copy(const struct log_segment *at, size_t n)
{
    struct log_segment *more = reallocarray(NULL, n, sizeof *more);

    return more == NULL ? NULL : memcpy(more, at, n * sizeof *more);
}

static bool recall(struct log_store *s, const struct stat *st, struct log_segments *list)
{
    *list = (struct log_segments){0};
    pthread_mutex_lock(&s->names_lock);
    if (same(&s->names, st))
        list->at = copy(s->names.at, s->names.n);
    if (list->at != NULL)
        list->n = s->names.n;
    pthread_mutex_unlock(&s->names_lock);
    return list->at != NULL;
}

static void keep(struct log_store *s, const struct stat *st, const struct log_segments *list)
{
    struct log_segment *at = copy(list->at, list->n);

    if (at == NULL)
        return;
    pthread_mutex_lock(&s->names_lock);
    free(s->names.at);
    s->names = (struct log_names){st->st_dev, st->st_ino, st->st_ctim, at, list->n};
    pthread_mutex_unlock(&s->names_lock);
}

int log_segments_recall(struct log_segments *list, struct log_store *s, int dir)
{
    struct timespec now;
    struct stat st;
    bool settled;
    int error;

    if (fstat(dir, &st) != 0)
        return log_segments_names(list, dir);
    if (recall(s, &st, list))
        return 0;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    settled = (now.tv_sec - st.st_ctim.tv_sec) * (int64_t)NS_PER_S + now.tv_nsec - st.st_ctim.tv_nsec > SETTLED_NS;
    error = log_segments_names(list, dir);
    if (error == 0 && settled && list->n >= LONG_ENOUGH)
        keep(s, &st, list);
    return error;
}
