/* SPDX-License-Identifier: MIT */
/* What the control thread asks of the append thread, and what it is told. */
#include <time.h>
#include <unistd.h>

#include "append_private.h"
#include "console.h"

void append_tell(struct append *a, struct console *c, uint32_t news)
{
    if (__atomic_fetch_or(&c->append.news, news, __ATOMIC_SEQ_CST) != 0)
        return; /* in the list already: append_collect takes the set, then looks no more */
    pthread_mutex_lock(&a->lock);
    c->append.next_news = a->news;
    a->news = c;
    pthread_mutex_unlock(&a->lock);
    waker_ask(a->waker);
}

struct console *append_collect(struct append *a, uint32_t *news)
{
    struct console *c;

    pthread_mutex_lock(&a->lock);
    c = a->news;
    if (c != NULL)
        a->news = c->append.next_news;
    pthread_mutex_unlock(&a->lock);
    *news = c != NULL ? __atomic_exchange_n(&c->append.news, 0, __ATOMIC_SEQ_CST) : 0;
    return c;
}

static void push_command(struct append *a, struct console *c, bool *command)
{
    uint64_t one = 1;
    bool first;

    pthread_mutex_lock(&a->lock);
    first = a->commands == NULL;
    if (!c->append.command_add && !c->append.command_remove && !c->append.command_sync) {
        c->append.next_command = a->commands;
        a->commands = c;
    }
    *command = true;
    pthread_mutex_unlock(&a->lock);
    if (first)                                   /* else it was woken for one that it has not taken yet */
        (void)!write(a->wake, &one, sizeof one); /* ours alone: it is neither full nor blocking */
}

void append_add(struct append *a, struct console *c) { push_command(a, c, &c->append.command_add); }
void append_remove(struct append *a, struct console *c) { push_command(a, c, &c->append.command_remove); }
void append_sync(struct append *a, struct console *c) { push_command(a, c, &c->append.command_sync); }

#define KEY_BYTES 8u /* of one key, or what a terminal makes of it */

void append_typed(struct append *a, struct console *c, uint32_t n)
{
    struct timespec now;
    uint64_t mono;

    if (n == 0 || n > KEY_BYTES)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    mono = (uint64_t)now.tv_sec * NS_A_SECOND + (uint64_t)now.tv_nsec;
    __atomic_store_n(&c->append.typed_mono, mono, __ATOMIC_RELAXED);
    if (c->source->hub != NULL)
        __atomic_store_n(&a->typed_mono, mono, __ATOMIC_RELAXED);
}
