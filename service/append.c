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
#include "viewer.h"

#define TURN_MIN       (16u * 1024)  /* of one console before the next ... */
#define TURN_MAX       (256u * 1024) /* ... a whole line of the default size: one write(2), one kick for room */
#define TURN_EVENTS    16u
#define NS_A_SECOND    UINT64_C(1000000000)
#define LOOK_BYTES     (512u * 1024) /* between two looks at who woke up: an echo waits behind so much of floods, at most */
#define LOOK_TURNS     8u            /* ... or so many turns, however little they bring */
#define ROUND_NS       UINT64_C(400000000) /* through all that have work: each is served twice a second and more */
#define SETTLE_NS      UINT64_C(10000000)  /* after output: then the index vouches for the last of it */
#define SETTLE_EACH_NS UINT64_C(1000000) /* later for each that was due last time: a thousand records a second in all */
#define FRUITLESS      64u               /* kicks without work before a console is polled no more for a while */
#define REST_MIN_NS    UINT64_C(1000000) /* 1 ms, doubled each time ... */
#define REST_MAX_NS    UINT64_C(128000000)  /* ... up to here */
#define BROKEN_NS      UINT64_C(1000000000) /* a broken source is tried again once a second (design §2) */
#define DRAIN_EVENTS   64u
#define BROKEN_BY_PEER 1u /* the value of the BROKEN record: indices or events of the line */

static void read_clocks(struct append *a)
{
    struct timespec real, mono;

    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    a->now.real_ns = (uint64_t)real.tv_sec * NS_A_SECOND + (uint64_t)real.tv_nsec;
    a->now.mono_ns = (uint64_t)mono.tv_sec * NS_A_SECOND + (uint64_t)mono.tv_nsec;
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

static void wake_up(struct append *a, struct console *c)
{
    if (c->append.queue == QUEUE_NONE && !c->append.resting && !c->append.ended)
        enqueue(a, c, QUEUE_FRESH);
}

/* Polling and resting. */

static void poll_source(struct append *a, struct console *c, bool on)
{
    struct epoll_event e = {.events = c->source->bytes_events | EPOLLET, .data.ptr = c};

    if (c->append.polled == on || c->source->bytes_fd < 0)
        return;
    if (epoll_ctl(a->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, c->source->bytes_fd, &e) == 0)
        c->append.polled = on;
}

static void rest_until(struct append *a, struct console *c, uint64_t delay_ns)
{
    poll_source(a, c, false);
    c->append.wake_mono = a->now.mono_ns + delay_ns;
    if (c->append.resting)
        return;
    c->append.resting = true;
    c->append.next_resting = a->resting;
    a->resting = c;
}

static void rest_no_more(struct append *a, struct console *c)
{
    struct console **at = &a->resting;

    if (!c->append.resting)
        return;
    while (*at != c)
        at = &(*at)->append.next_resting;
    *at = c->append.next_resting;
    c->append.resting = false;
}

static void break_source(struct append *a, struct console *c)
{
    if (!c->append.broken) /* one record for each stretch of brokenness */
        log_mark(&c->log, VC_INDEX_BROKEN, BROKEN_BY_PEER, 0, &a->now);
    __atomic_store_n(&c->append.broken, 1, __ATOMIC_SEQ_CST);
    if (viewers_flow(c, APPENDED_MARK, NULL, 0, 0))
        append_tell(a, c, APPEND_OUTPUT);
    rest_until(a, c, BROKEN_NS);
}

/* A broken source whose indices are legal again goes on from where they stand: what lies between is unknown. */
static bool revive(struct append *a, struct console *c)
{
    if (c->source->ops->revive(c->source) != VC_OK)
        return false;
    log_mark(&c->log, VC_INDEX_GAP, UINT64_MAX, 0, &a->now);
    log_attach(&c->log, c->source->line_id, c->source->ops->index(c->source), &a->now);
    __atomic_store_n(&c->append.broken, 0, __ATOMIC_SEQ_CST);
    return true;
}

static void end_rest(struct append *a, struct console *c)
{
    rest_no_more(a, c);
    if (c->append.broken && !revive(a, c)) {
        rest_until(a, c, BROKEN_NS);
        return;
    }
    poll_source(a, c, true);
    wake_up(a, c);
}

/*
 * The last words of a console that falls silent are vouched for a little later, and together: a key's echo then does not
 * wait for the disk twice, and somebody who types costs a record each 10 ms at most (decisions, log).
 */
static void settle_later(struct append *a, struct console *c)
{
    if (c->append.unsettled)
        return;
    c->append.unsettled = true;
    c->append.next_unsettled = a->unsettled;
    if (a->unsettled == NULL)
        a->settle_mono = a->now.mono_ns + SETTLE_NS + a->n_settled * SETTLE_EACH_NS;
    a->unsettled = c;
}

static void settle(struct append *a, struct console *c)
{
    if (log_settle(&c->log, &a->now) && viewers_flow(c, APPENDED_TIME, NULL, 0, 0))
        append_tell(a, c, APPEND_OUTPUT);
}

static void settle_all(struct append *a)
{
    struct console *next, *c = a->unsettled;

    a->unsettled = NULL;
    a->n_settled = 0;
    for (; c != NULL; c = next, a->n_settled++) {
        next = c->append.next_unsettled;
        c->append.unsettled = false;
        if (c->append.queue == QUEUE_NONE) /* else it speaks again: log_append marks the time */
            settle(a, c);
    }
}

static void unsettle(struct append *a, struct console *c)
{
    struct console **at = &a->unsettled;

    if (!c->append.unsettled)
        return;
    while (*at != c)
        at = &(*at)->append.next_unsettled;
    *at = c->append.next_unsettled;
    c->append.unsettled = false;
}

static void source_ended(struct append *a, struct console *c)
{
    c->append.ended = true;
    poll_source(a, c, false);
    append_tell(a, c, APPEND_ENDED);
}

/* Nothing is left: sleep, or rest if it has kicked for nothing again and again. True: something came just now. */
static bool fall_asleep(struct append *a, struct console *c)
{
    uint32_t over;

    if (!c->source->ops->rest(c->source))
        return true;
    settle_later(a, c);
    if (c->append.fruitless < FRUITLESS)
        return false;
    over = c->append.fruitless - FRUITLESS;
    rest_until(a, c, over < 7 ? REST_MIN_NS << over : REST_MAX_NS);
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

/* How many bytes it moved. */
static uint32_t take_turn(struct append *a, struct console *c)
{
    enum append_queue was = (enum append_queue)c->append.queue;
    uint32_t moved;
    int error = append_move(a, c, turn_bytes(a, c), TURN_EVENTS, &moved);

    c->append.queue = QUEUE_NONE;
    c->append.fruitless = moved > 0 ? 0 : c->append.fruitless + 1;
    if (error == VC_EPEER)
        break_source(a, c);
    else if (error == VC_ENOENT)
        source_ended(a, c);
    else if (error == VC_OK || fall_asleep(a, c))
        enqueue(a, c, QUEUE_OLD);
    else if (was == QUEUE_FRESH && moved > 0 && a->old != NULL && !c->append.resting)
        enqueue(a, c, QUEUE_OLD); /* its place in the round is used up: one that wakes at once waits for the others */
    return moved;
}

static void take_turns(struct append *a)
{
    uint32_t moved = 0;

    for (unsigned i = 0; i < LOOK_TURNS && moved < LOOK_BYTES; i++) {
        struct console *c = dequeue(a);

        if (c == NULL)
            return;
        moved += take_turn(a, c);
    }
}

/* Commands from the control thread. */

static void add(struct append *a, struct console *c)
{
    c->append.ended = false;
    c->append.fruitless = 0;
    __atomic_store_n(&c->append.broken, 0, __ATOMIC_SEQ_CST);
    poll_source(a, c, true);
    wake_up(a, c); /* whoever attaches acts as if kicked */
}

/* What the peer left behind, and no more than it can have left: it may live and write on. */
static void drain(struct append *a, struct console *c)
{
    uint32_t left = c->source->holds, moved;

    while (left > 0 && append_move(a, c, left < TURN_MAX ? left : TURN_MAX, DRAIN_EVENTS, &moved) == VC_OK) {
        left -= moved;
        if (moved == 0)
            break;
    }
}

static void remove_now(struct append *a, struct console *c)
{
    unqueue(a, c);
    rest_no_more(a, c);
    poll_source(a, c, false);
    if (!c->append.broken && !c->append.ended)
        drain(a, c);
    unsettle(a, c);
    log_mark(&c->log, VC_INDEX_DETACH, 0, 0, &a->now);
    log_settle(&c->log, &a->now);
    viewers_flow(c, APPENDED_MARK, NULL, 0, 0);
    append_tell(a, c, APPEND_REMOVED | APPEND_OUTPUT);
}

static void sync_now(struct append *a, struct console *c)
{
    if (!c->append.broken && !c->append.ended)
        drain(a, c);
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

static uint64_t first_due(const struct append *a)
{
    uint64_t first = a->unsettled != NULL ? a->settle_mono : UINT64_MAX;

    for (const struct console *c = a->resting; c != NULL; c = c->append.next_resting)
        if (c->append.wake_mono < first)
            first = c->append.wake_mono;
    return first;
}

/*
 * How epoll_wait waits: 0 or without end. What is due at a time is the timer's, set once and left alone until it fires: a
 * timeout would be set up and torn down again for each key that somebody types.
 */
static int timeout_ms(struct append *a)
{
    struct itimerspec at = {.it_interval = {0}};
    uint64_t first;

    if (a->n_active > 0)
        return 0;
    first = first_due(a);
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

static void end_rests(struct append *a)
{
    struct console *next;

    for (struct console *c = a->resting; c != NULL; c = next) {
        next = c->append.next_resting;
        if (c->append.wake_mono <= a->now.mono_ns)
            end_rest(a, c);
    }
}

static bool look(struct append *a)
{
    struct epoll_event events[64];
    int n = epoll_wait(a->epoll, events, 64, timeout_ms(a));
    bool commands = false;

    read_clocks(a);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == a)
            commands = true;
        else if (events[i].data.ptr != &a->timer)
            wake_up(a, events[i].data.ptr);
    }
    end_rests(a);
    if (a->unsettled != NULL && a->now.mono_ns >= a->settle_mono)
        settle_all(a);
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

int append_start(struct append *a, uv_async_t *async)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = a};
    struct epoll_event due = {.events = EPOLLIN | EPOLLET,
                              .data.ptr = &a->timer}; /* never read: set anew, it is quiet */
    int error;

    *a = (struct append){.async = async, .turn_bytes = TURN_MAX};
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
    error = pthread_create(&a->thread, NULL, run, a);
    if (error == 0)
        pthread_setname_np(a->thread, "append"); /* from here: the sandbox may come before the thread's first step */
    return -error;
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
