/* SPDX-License-Identifier: MIT */
/* A console's limit, by a clock of our own. */
#include "unit.h"

#include "service/append_limit.h"

#define S    UINT64_C(1000000000)
#define MS   UINT64_C(1000000)
#define FROM (UINT64_C(1) << 62) /* a clock that has run for long */

static struct append_limit limited(uint64_t rate, bool drop)
{
    struct append_limit l = {.rate = 0};

    append_limit_set(&l, rate, drop);
    return l;
}

/* All that it may say now, taken and stored. */
static uint32_t say(struct append_limit *l, uint32_t n, uint64_t now)
{
    uint32_t may = append_limit_take(l, n, now);

    assert_int_equal(append_limit_store(l, may, now), may);
    return may;
}

static void none(void **state)
{
    struct append_limit l = {.rate = 0};

    (void)state;
    assert_int_equal(say(&l, UINT32_MAX, FROM), UINT32_MAX);
    assert_int_equal(say(&l, UINT32_MAX, FROM), UINT32_MAX);
    assert_int_equal(append_limit_wait_ns(&l, FROM), 0);
    assert_int_equal(l.dropped + l.held_ns, 0);
}

static void held(void **state)
{
    struct append_limit l = limited(32768, false);
    uint64_t now = FROM, wait;

    (void)state;
    assert_int_equal(say(&l, 40000, now), 32768); /* a second's worth at once */
    assert_int_equal(say(&l, 1, now), 0);
    wait = append_limit_wait_ns(&l, now);
    assert_int_equal(wait, S / 32);
    assert_int_equal(l.held_ns, wait);
    now += wait;
    assert_int_equal(say(&l, 40000, now), 1024);
    now += S / 2;
    assert_in_range(say(&l, 40000, now), 16383, 16384);
    now += 100 * S;
    assert_int_equal(say(&l, 40000, now), 32768); /* not more than one second's, however long it was quiet */
    assert_int_equal(l.dropped, 0);
}

/* However often somebody looks, it gets no more than its rate and loses none of it: rates that divide no second. */
static void exact_over_time(void **state)
{
    static const struct {
        uint64_t rate, step;
    } rows[] = {{LIMIT_MIN, 1}, {LIMIT_MIN, 999}, {1025, 976561},      {65537, 7 * MS + 1},
                {1000003, 3},   {LIMIT_MAX, 1},   {LIMIT_MAX, 37 * MS}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct append_limit l = limited(rows[i].rate, false);
        uint64_t now = FROM, said = say(&l, UINT32_MAX, now), wanted;

        said += say(&l, UINT32_MAX, now); /* of 4 GiB, what one call cannot take */
        assert_int_equal(said, rows[i].rate);
        said = 0;
        for (int n = 0; n < 100000; n++) {
            now += rows[i].step;
            said += say(&l, UINT32_MAX, now);
        }
        wanted = rows[i].rate * ((now - FROM) / S) + rows[i].rate * ((now - FROM) % S) / S;
        if (said > wanted || wanted - said > 1)
            fail_msg("row %zu: %llu bytes in place of %llu", i, (unsigned long long)said, (unsigned long long)wanted);
    }
}

static void dropped(void **state)
{
    struct append_limit l = limited(40000, true);
    uint64_t now = FROM;

    (void)state;
    assert_int_equal(append_limit_take(&l, 100000, now), 100000); /* its guest never waits */
    assert_int_equal(append_limit_store(&l, 30000, now), 30000);
    assert_int_equal(append_limit_store(&l, 30000, now), 10000);
    assert_int_equal(l.dropped, 20000);
    now += 249 * MS; /* of what has begun to be lost, a stretch: not a byte now and then */
    assert_int_equal(append_limit_store(&l, 30000, now), 0);
    assert_int_equal(l.dropped, 50000);
    now += 2 * MS;
    assert_in_range(append_limit_store(&l, 5000, now), 5000, 5000);
    assert_in_range(append_limit_store(&l, 30000, now), 5039, 5040);
    assert_int_equal(l.held_ns, 0);
}

static void changed(void **state)
{
    struct append_limit l = limited(4096, false);

    (void)state;
    assert_int_equal(say(&l, 5000, FROM), 4096);
    append_limit_set(&l, 0, false);
    assert_int_equal(say(&l, 5000, FROM), 5000);
    assert_int_equal(append_limit_wait_ns(&l, FROM), 0);
    append_limit_set(&l, 2048, true);
    assert_int_equal(append_limit_take(&l, 5000, FROM + 10 * S), 5000);
    assert_int_equal(append_limit_store(&l, 5000, FROM + 10 * S), 2048);
    append_limit_set(&l, UINT64_MAX, true);
    assert_int_equal(l.rate, LIMIT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(none), cmocka_unit_test(held),
                                       cmocka_unit_test(exact_over_time), cmocka_unit_test(dropped),
                                       cmocka_unit_test(changed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
