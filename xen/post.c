/* SPDX-License-Identifier: MIT */
#include "post.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int post_open(struct post *p)
{
    for (int i = 0; i < 2; i++) {
        struct post_side *s = &p->side[i];

        s->first = NULL;
        s->last = &s->first;
        pthread_mutex_init(&s->lock, NULL);
        s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    return p->side[0].fd < 0 || p->side[1].fd < 0 ? -EMFILE : 0;
}

void post_close(struct post *p)
{
    for (int i = 0; i < 2; i++) {
        close(p->side[i].fd);
        pthread_mutex_destroy(&p->side[i].lock);
    }
}

void post_wake(struct post *p, enum post_box box)
{
    const uint64_t one = 1;

    (void)!write(p->side[box].fd, &one, sizeof one);
}

void post_send(struct post *p, enum post_box box, struct ring *r, uint32_t what)
{
    struct post_side *s = &p->side[box];

    pthread_mutex_lock(&s->lock);
    if (r->posted[box].what == 0) {
        r->posted[box].next = NULL;
        *s->last = r;
        s->last = &r->posted[box].next;
    }
    r->posted[box].what |= what;
    pthread_mutex_unlock(&s->lock);
    post_wake(p, box);
}

struct ring *post_take(struct post *p, enum post_box box, uint32_t *what)
{
    struct post_side *s = &p->side[box];
    uint64_t count;
    struct ring *r;

    pthread_mutex_lock(&s->lock);
    r = s->first;
    *what = 0;
    if (r != NULL) {
        s->first = r->posted[box].next;
        if (s->first == NULL)
            s->last = &s->first;
        *what = r->posted[box].what;
        r->posted[box].what = 0;
    } else {
        (void)!read(s->fd, &count, sizeof count); /* under the lock: whoever sends now finds it quiet, and wakes it */
    }
    pthread_mutex_unlock(&s->lock);
    return r;
}
