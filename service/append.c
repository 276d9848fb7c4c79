/* SPDX-License-Identifier: MIT */
#include "append_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "host/thread.h"
#include "viewer.h"

#define TURN_MIN    (16u * 1024)  /* of one console before the next ... */
#define TURN_MAX    (256u * 1024) /* ... a whole line of the default size: one write(2), one kick for room */
#define TURN_EVENTS 16u
#define LOOK_NS                                                                                                        \
    UINT64_C(100000)    /* between two looks at who woke up: an echo waits so long behind floods, and one turn */
#define LOOK_TURNS   8u /* ... or so many turns, however short they are */
#define HOLD_NS      UINT64_C(10000000)  /* a key's way to its guest and back to who typed it, on a busy host */
#define ROUND_NS     UINT64_C(400000000) /* through all that have work: each is served twice a second and more */
#define FRUITLESS    64u                 /* kicks without work before a console is polled no more for a while */
#define REST_MIN_NS  UINT64_C(1000000)   /* 1 ms, doubled each time ... */
#define REST_MAX_NS  UINT64_C(128000000) /* ... up to here */
#define DRAIN_EVENTS 64u
#define ANSWER_BYTES 4096u               /* what a guest says to a key, a screen at most ... */
#define ANSWER_NS    UINT64_C(100000000) /* ... and how long it may take, among a thousand others */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_A_SECOND + (uint64_t)t.tv_nsec;
}

static void read_clocks(struct append *a)
{
    a->now.real_ns = clock_ns(CLOCK_REALTIME);
    a->now.mono_ns = clock_ns(CLOCK_MONOTONIC);
}

/* Queues. */

static void enqueue(struct append *a, struct console *c, enum append_queue queue)
{
    struct console ***last = queue == QUEUE_FRESH ? &a->fresh_last : &a->old_last;

    assert(c->append.queue == QUEUE_NONE);
    c->append.queue = (uint8_t)queue;
    c->append.next = NULL;
    **last = c;
    *last = &c->append.next;
    a->n_active++;
}

static struct console *dequeue(struct append *a)
{
    bool fresh = a->fresh != NULL;
    struct console **first = fresh ? &a->fresh : &a->old, ***last = fresh ? &a->fresh_last : &a->old_last;
    struct console *c = *first;

    if (c == NULL)
        return NULL;
    *first = c->append.next;
    if (*first == NULL)
        *last = first;
    a->n_active--;
    return c; /* its queue still says where it was */
}

static void unqueue(struct append *a, struct console *c)
{
    struct console **at = c->append.queue == QUEUE_FRESH ? &a->fresh : &a->old;
    struct console ***last = c->append.queue == QUEUE_FRESH ? &a->fresh_last : &a->old_last;

    if (c->append.queue == QUEUE_NONE)
        return;
    while (*at != c)
        at = &(*at)->append.next;
    *at = c->append.next;
    if (*at == NULL)
        *last = at;
    c->append.queue = QUEUE_NONE;
    a->n_active--;
}

void append_wake(struct append *a, struct console *c)
{
    if (c->append.queue == QUEUE_NONE && !c->append.resting && !c->append.ended)
        enqueue(a, c, QUEUE_FRESH);
}

static void source_ended(struct append *a, struct console *c)
{
    c->append.ended = true;
    append_poll(a, c, false);
    append_tell(a, c, APPEND_ENDED);
}

/* Nothing is left: sleep, or rest if it has kicked for nothing again and again. True: something came just now. */
static bool fall_asleep(struct append *a, struct console *c)
{
    uint32_t over;

    if (!c->source->ops->rest(c->source))
        return true;
    append_arm(a, c);
    append_settle_later(a, c);
    if (c->append.fruitless < FRUITLESS)
        return false;
    over = c->append.fruitless - FRUITLESS;
    append_rest(a, c, over < 7 ? REST_MIN_NS << over : REST_MAX_NS);
    return false;
}

/*
 * Large turns cost least: fewer system calls, and a guest that waits for room is woken once for more of it. But a round
 * through all that have work must not take long. A console that stood in the round since its last turn knows how long one
 * takes: turns shrink to what fits, and grow by a step while there is room for that. All are of one size: what a console
 * gets of a round is then the same for each.
 */
static uint32_t turn_bytes(struct append *a, struct console *c)
{
    uint64_t last = c->append.turn_mono, round_ns = a->now.mono_ns - last;

    c->append.turn_mono = a->now.mono_ns;
    if (c->append.queue != QUEUE_OLD || last <= a->turn_since)
        return a->turn_bytes; /* it slept, or part of its round was of turns of another size */
    if (round_ns > ROUND_NS && a->turn_bytes > TURN_MIN)
        a->turn_bytes /= 2;
    else if (round_ns < ROUND_NS / 3 && a->turn_bytes < TURN_MAX)
        a->turn_bytes *= 2;
    else
        return a->turn_bytes;
    a->turn_since = a->now.mono_ns;
    return a->turn_bytes;
}

static bool answers_key(const struct append *a, const struct console *c, uint32_t moved)
{
    uint64_t typed = __atomic_load_n(&c->append.typed_mono, __ATOMIC_RELAXED);

    return moved <= ANSWER_BYTES && typed + ANSWER_NS > a->now.mono_ns;
}

static void take_turn(struct append *a, struct console *c)
{
    enum append_queue was = (enum append_queue)c->append.queue;
    uint32_t turn = turn_bytes(a, c), may = append_limit_take(&c->append.limit, turn, a->now.mono_ns), moved = 0;
    int error = may > 0 ? append_move(a, c, may, TURN_EVENTS, &moved) : VC_OK;

    c->append.queue = QUEUE_NONE;
    append_retry_later(a, c);
    if (error == VC_OK && moved == may && may < turn) { /* what it says beyond its limit waits where it is */
        append_rest(a, c, append_limit_wait_ns(&c->append.limit, a->now.mono_ns));
        return;
    }
    c->append.fruitless = moved > 0 ? 0 : c->append.fruitless + 1;
    if (error == VC_EPEER)
        append_break(a, c);
    else if (error == VC_ENOENT)
        source_ended(a, c);
    else if (error == VC_OK || fall_asleep(a, c))
        enqueue(a, c, QUEUE_OLD);
    else if (was == QUEUE_FRESH && moved > 0 && a->old != NULL && !c->append.resting && !answers_key(a, c, moved))
        enqueue(a, c, QUEUE_OLD); /* its place in the round is used up: one that wakes at once waits for the others */
}

/* Whether a key goes before those in the round: for a while, and then not for as long again. */
static bool held(struct append *a)
{
    uint64_t typed = __atomic_load_n(&a->typed_mono, __ATOMIC_RELAXED);

    if (typed > a->hold_mono + HOLD_NS)
        a->hold_mono = typed + HOLD_NS;
    return a->fresh == NULL && a->hold_mono > a->now.mono_ns;
}

/* Bytes tell little of how long a turn takes: a ring of 2 KiB costs a hypercall, and a disk may be slow. */
static void take_turns(struct append *a)
{
    struct console *c;
    unsigned n = 0;

    while (!held(a) && (c = dequeue(a)) != NULL) {
        take_turn(a, c);
        if (++n == LOOK_TURNS || clock_ns(CLOCK_MONOTONIC) - a->now.mono_ns > LOOK_NS)
            return;
    }
}

/* Commands from the control thread. */

static void add(struct append *a, struct console *c)
{
    c->append.ended = false;
    c->append.fruitless = 0;
    __atomic_store_n(&c->append.broken, 0, __ATOMIC_SEQ_CST);
    c->source->reader = c;
    append_poll(a, c, true);
    append_retry_later(a, c);
    append_wake(a, c); /* whoever attaches acts as if kicked */
}

/* What the peer left behind, and no more than it can have left: it may live and write on. */
static void drain(struct append *a, struct console *c)
{
    uint32_t left = c->source->holds, moved;

    a->draining = true;
    while (left > 0 && append_move(a, c, left < TURN_MAX ? left : TURN_MAX, DRAIN_EVENTS, &moved) == VC_OK) {
        left -= moved;
        if (moved == 0)
            break;
    }
    a->draining = false;
}

/* One that was broken is looked at once more: who mended its indices and died at once has its last words. */
static void drain_all(struct append *a, struct console *c)
{
    if (!c->append.ended && (!c->append.broken || append_revive(a, c)))
        drain(a, c);
}

static void remove_now(struct append *a, struct console *c)
{
    unqueue(a, c);
    append_rest_no_more(a, c);
    append_poll(a, c, false);
    drain_all(a, c);
    c->source->reader = NULL;
    append_unsettle(a, c);
    append_retry_no_more(a, c);
    log_mark(&c->log, VC_INDEX_DETACH, 0, 0, &a->now);
    log_settle(&c->log, &a->now);
    viewers_flow(c, APPENDED_MARK, NULL, 0, 0);
    append_tell(a, c, APPEND_REMOVED | APPEND_OUTPUT);
}

static void sync_now(struct append *a, struct console *c)
{
    drain_all(a, c);
    append_tell(a, c, APPEND_SYNCED);
}

static bool obey_one(struct append *a)
{
    struct console *c;
    bool adding = false, removing = false, syncing = false;

    pthread_mutex_lock(&a->lock);
    c = a->commands;
    if (c != NULL) {
        a->commands = c->append.next_command;
        adding = c->append.command_add;
        removing = c->append.command_remove;
        syncing = c->append.command_sync;
        c->append.command_add = c->append.command_remove = c->append.command_sync = false;
    }
    pthread_mutex_unlock(&a->lock);
    if (c == NULL)
        return false;
    if (adding)
        add(a, c);
    if (syncing)
        sync_now(a, c);
    if (removing)
        remove_now(a, c);
    return true;
}

static bool obey(struct append *a)
{
    uint64_t count;
    bool stopping;

    (void)!read(a->wake, &count, sizeof count);
    while (obey_one(a)) {
    }
    pthread_mutex_lock(&a->lock);
    stopping = a->stopping;
    pthread_mutex_unlock(&a->lock);
    return !stopping;
}

/* The thread. */

/*
 * How epoll_wait waits: 0 or without end. What is due at a time is the timer's, set once and left alone until it fires: a
 * timeout would be set up and torn down again for each key that somebody types.
 */
static int timeout_ms(struct append *a)
{
    struct itimerspec at = {.it_interval = {0}};
    uint64_t first;

    if (a->n_active > 0 && !held(a))
        return 0;
    first = append_first_due(a);
    if (a->n_active > 0 && a->hold_mono < first)
        first = a->hold_mono;
    if (first <= a->now.mono_ns)
        return 0;
    if (first == UINT64_MAX || (a->timer_mono > a->now.mono_ns && a->timer_mono <= first))
        return -1; /* a timer that is early wakes for nothing, once */
    a->timer_mono = first;
    at.it_value.tv_sec = (time_t)(first / NS_A_SECOND);
    at.it_value.tv_nsec = (long)(first % NS_A_SECOND);
    timerfd_settime(a->timer, TFD_TIMER_ABSTIME, &at, NULL);
    return -1;
}

#define HUB_READERS 64u /* at once: the others are told of behind the next turns */

static void look_at_hub(struct append *a)
{
    struct source_hub *hub = __atomic_load_n(&a->hub, __ATOMIC_ACQUIRE);
    void *readers[HUB_READERS];
    uint32_t n = hub->collect(hub, readers, HUB_READERS);

    for (uint32_t i = 0; i < n; i++)
        append_wake(a, readers[i]);
}

static bool look(struct append *a)
{
    struct epoll_event events[64];
    int n, timeout = timeout_ms(a);
    bool commands = false;

    __atomic_store_n(&a->turn, a->turn + 1, __ATOMIC_RELAXED);
    n = epoll_wait(a->epoll, events, 64, timeout);
    __atomic_store_n(&a->turn, a->turn + 1, __ATOMIC_RELAXED);

    read_clocks(a);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == a)
            commands = true;
        else if (events[i].data.ptr == &a->hub)
            look_at_hub(a);
        else if (events[i].data.ptr != &a->timer)
            append_wake(a, events[i].data.ptr);
    }
    append_end_rests(a);
    append_settle_due(a);
    append_retry_due(a);
    return !commands || obey(a); /* last: it may take away a console that was just reported */
}

static void *run(void *argument)
{
    struct append *a = argument;

    read_clocks(a);
    while (look(a))
        take_turns(a);
    return NULL;
}

int append_start(struct append *a, struct waker *waker)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = a};
    struct epoll_event due = {.events = EPOLLIN | EPOLLET,
                              .data.ptr = &a->timer}; /* never read: set anew, it is quiet */
    int error;

    *a = (struct append){.waker = waker, .turn_bytes = TURN_MAX, .turn = 1};
    a->fresh_last = &a->fresh;
    a->old_last = &a->old;
    error = kicker_open(&a->kicker);
    if (error)
        return error;
    pthread_mutex_init(&a->lock, NULL);
    a->epoll = epoll_create1(EPOLL_CLOEXEC);
    a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (a->epoll < 0 || a->wake < 0 || a->timer < 0 || epoll_ctl(a->epoll, EPOLL_CTL_ADD, a->wake, &e) < 0 ||
        epoll_ctl(a->epoll, EPOLL_CTL_ADD, a->timer, &due) < 0)
        return -errno;
    return thread_start(&a->thread, "append", run, a);
}

int append_hub(struct append *a, struct source_hub *hub)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &a->hub};

    __atomic_store_n(&a->hub, hub, __ATOMIC_RELEASE);
    return epoll_ctl(a->epoll, EPOLL_CTL_ADD, hub->fd, &e) == 0 ? 0 : -errno;
}

void append_stop(struct append *a)
{
    uint64_t one = 1;

    pthread_mutex_lock(&a->lock);
    a->stopping = true;
    pthread_mutex_unlock(&a->lock);
    (void)!write(a->wake, &one, sizeof one);
    pthread_join(a->thread, NULL);
    close(a->wake);
    close(a->timer);
    close(a->epoll);
    kicker_close(&a->kicker);
    pthread_mutex_destroy(&a->lock);
}
