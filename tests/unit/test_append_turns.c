/* SPDX-License-Identifier: MIT */
/* Whose turn it is: floods in a round, and a console that speaks now and then. Time is counted in the floods' turns. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "log_lab.h"
#include "service/append.h"
#include "service/console.h"

#define FLOODS    64u
#define ROUNDS    40u
#define BETWEEN   10u /* turns from one word to the next: it sleeps meanwhile */
#define AT_ONCE   16u /* turns; twice those between two looks at who woke up */
#define SAY_BYTES 64u

struct speaker {
    struct source source; /* first */
    struct world *world;
    uint32_t left; /* to be said */
};

struct world {
    struct lab lab;
    struct append append;
    struct waker waker;
    struct speaker flood[FLOODS], quiet;
    struct console consoles[FLOODS + 1];
    int done;
    bool typed; /* what the quiet one says answers a key */
    uint64_t n_turns, next, said;
    unsigned rounds, waited; /* waited: it did not come before most of the floods */
};

static const uint8_t words[SAY_BYTES] = "a flood says this again and again, and never has said it all\r\n";

static int peek(struct source *s, struct vc_span spans[2], uint32_t *n)
{
    *n = ((struct speaker *)s)->left;
    spans[0] = (struct vc_span){words, *n};
    spans[1] = (struct vc_span){words, 0};
    return VC_OK;
}

static bool rest(struct source *s) { return ((struct speaker *)s)->left == 0; }

static void speak(struct world *w)
{
    w->said = w->n_turns;
    w->quiet.left = 1;
    if (w->typed)
        append_typed(&w->append, &w->consoles[FLOODS], 1);
    assert_int_equal(eventfd_write(w->quiet.source.bytes_fd, 1), 0);
}

static void flood_commit(struct source *s, uint32_t n)
{
    struct world *w = ((struct speaker *)s)->world;

    (void)n;
    if (++w->n_turns != w->next)
        return;
    speak(w);
}

static void quiet_commit(struct source *s, uint32_t n)
{
    struct world *w = ((struct speaker *)s)->world;

    w->quiet.left -= n;
    w->waited += w->n_turns - w->said > AT_ONCE;
    w->next = w->n_turns + BETWEEN;
    if (++w->rounds == ROUNDS)
        assert_int_equal(eventfd_write(w->done, 1), 0);
}

static const struct source_ops flood_ops = {.type = "flood", .peek = peek, .commit = flood_commit, .rest = rest};
static const struct source_ops quiet_ops = {.type = "quiet", .peek = peek, .commit = quiet_commit, .rest = rest};

static void begin(struct world *w, unsigned i)
{
    struct speaker *speaker = i < FLOODS ? &w->flood[i] : &w->quiet;
    struct console *c = &w->consoles[i];
    char name[16];

    snprintf(name, sizeof name, "c%u", i);
    *speaker = (struct speaker){.source = {.ops = i < FLOODS ? &flood_ops : &quiet_ops, .room_fd = -1},
                                .world = w,
                                .left = i < FLOODS ? SAY_BYTES : 0};
    speaker->source.bytes_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    speaker->source.bytes_events = EPOLLIN;
    assert_true(speaker->source.bytes_fd >= 0);
    c->source = &speaker->source;
    pthread_mutex_init(&c->live, NULL);
    assert_int_equal(log_open(&c->log, &w->lab.store, LAB_DOMAIN, name, 0, &w->lab.now), 0);
    append_add(&w->append, c);
}

static void remove_all(struct world *w)
{
    uint32_t news;

    for (unsigned i = 0; i <= FLOODS; i++)
        append_remove(&w->append, &w->consoles[i]);
    for (unsigned n = 0; n <= FLOODS;) {
        if (append_collect(&w->append, &news) == NULL)
            usleep(1000);
        n += (news & APPEND_REMOVED) != 0;
    }
}

/* In so many of ROUNDS the quiet one had to wait for others that were there before. */
static unsigned waits(bool typed)
{
    static struct world w;
    eventfd_t count;

    w = (struct world){.typed = typed, .next = FLOODS, .done = eventfd(0, EFD_CLOEXEC)};
    atomic_store(&w.waker.asked, true); /* nobody is to be woken: remove_all looks by itself */
    lab_begin(&w.lab, NULL);
    assert_int_equal(append_start(&w.append, &w.waker), 0);
    for (unsigned i = FLOODS + 1; i-- > 0;) /* the quiet one first: it sleeps when they come */
        begin(&w, i);
    assert_int_equal(eventfd_read(w.done, &count), 0);
    remove_all(&w);
    append_stop(&w.append);
    for (unsigned i = 0; i <= FLOODS; i++) {
        log_close(&w.consoles[i].log, &w.lab.now);
        pthread_mutex_destroy(&w.consoles[i].live);
        close(w.consoles[i].source->bytes_fd);
    }
    close(w.done);
    lab_end(&w.lab);
    return w.waited;
}

/* Each answer comes at once, however soon the next key does. (Not all: a machine may stand still until the key is an old one.) */
static void keys_overtake_floods(void **state)
{
    (void)state;
    assert_true(waits(true) <= ROUNDS / 4);
}

/* Who sleeps and wakes without being asked to gains nothing by it: every second time he waits for his turn. */
static void pauses_gain_nothing(void **state)
{
    (void)state;
    assert_true(waits(false) >= ROUNDS / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_overtake_floods),
        cmocka_unit_test(pauses_gain_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
