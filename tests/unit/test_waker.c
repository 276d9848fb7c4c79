/* SPDX-License-Identifier: MIT */
/* waker.h: once for all who asked meanwhile, and never not at all. */
#include "unit.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "host/waker.h"

#define ASKERS 4u
#define ASKS   20000u

struct rig {
    uv_loop_t loop;
    struct waker waker;
    unsigned n_looks, n_again;
    atomic_uint done; /* by all askers */
    unsigned seen;
};

static void look(void *ctx)
{
    struct rig *r = ctx;

    r->n_looks++;
    r->seen = atomic_load(&r->done);
    if (r->n_again > 0) {
        r->n_again--;
        waker_ask(&r->waker);
    }
    if (r->seen == ASKERS * ASKS)
        uv_stop(&r->loop);
}

static void start(struct rig *r)
{
    memset(r, 0, sizeof *r);
    uv_loop_init(&r->loop);
    assert_int_equal(waker_init(&r->waker, &r->loop, look, r), 0);
}

static void end(struct rig *r)
{
    waker_finish(&r->waker);
    waker_finish(&r->waker); /* of one that is finished: nothing */
    while (uv_run(&r->loop, UV_RUN_NOWAIT) != 0)
        continue;
    assert_int_equal(uv_loop_close(&r->loop), 0);
}

static void test_once_for_all_who_asked(void **state)
{
    struct rig r;

    (void)state;
    start(&r);
    uv_run(&r.loop, UV_RUN_NOWAIT);
    assert_int_equal(r.n_looks, 0);
    for (int i = 0; i < 100; i++)
        waker_ask(&r.waker);
    uv_run(&r.loop, UV_RUN_NOWAIT);
    assert_int_equal(r.n_looks, 1);
    uv_run(&r.loop, UV_RUN_NOWAIT);
    assert_int_equal(r.n_looks, 1);
    end(&r);
}

/* What comes while the loop looks is not forgotten. */
static void test_asked_in_the_middle_of_a_look(void **state)
{
    struct rig r;

    (void)state;
    start(&r);
    r.n_again = 3;
    waker_ask(&r.waker);
    for (int i = 0; i < 10; i++)
        uv_run(&r.loop, UV_RUN_NOWAIT);
    assert_int_equal(r.n_looks, 4);
    end(&r);
}

static void *ask_often(void *ctx)
{
    struct rig *r = ctx;

    for (unsigned i = 0; i < ASKS; i++) {
        atomic_fetch_add(&r->done, 1);
        waker_ask(&r->waker);
    }
    return NULL;
}

/* Without end, were the last one lost: the loop sleeps for ever. */
static void test_the_last_of_many_is_seen(void **state)
{
    pthread_t threads[ASKERS];
    struct rig r;

    (void)state;
    start(&r);
    for (unsigned i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &r), 0);
    uv_run(&r.loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(r.seen, ASKERS * ASKS);
    assert_true(r.n_looks <= ASKERS * ASKS);
    end(&r);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_once_for_all_who_asked),
                                              cmocka_unit_test(test_asked_in_the_middle_of_a_look),
                                              cmocka_unit_test(test_the_last_of_many_is_seen)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
