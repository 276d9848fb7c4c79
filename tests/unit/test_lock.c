/* SPDX-License-Identifier: MIT */
/* The checker of lock.h: what it lets pass, and what it does not. */
#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/lock.h>

static struct vc_lock_held held;
static unsigned n_wrong, n_taken, n_dropped;
static bool wrong_in_taking;

static struct vc_lock_held *get_held(void) { return &held; }
static void wrong(const struct vc_lock_held *h, const void *lock, bool taking)
{
    (void)lock;
    assert_ptr_equal(h, &held);
    n_wrong++;
    wrong_in_taking = taking;
}
static unsigned long lock(void *l)
{
    (void)l;
    return ++n_taken;
}
static void unlock(void *l, unsigned long saved)
{
    (void)l;
    (void)saved;
    n_dropped++;
}
static const struct vc_lock_env env = {lock, unlock, get_held, wrong}, unchecked = {.lock = lock, .unlock = unlock};

static const struct {
    const char *name;
    enum vc_lock_rank first;
    uint32_t first_order;
    enum vc_lock_rank second;
    uint32_t second_order;
    bool good;
} pairs[] = {
    {"inwards", VC_RANK_DOOR, 0, VC_RANK_VCPU, 0, true},
    {"outwards", VC_RANK_VCPU, 0, VC_RANK_EVENTS, 1, false},
    {"events under the console's", VC_RANK_CONSOLE, 0, VC_RANK_EVENTS, 1, true},
    {"the console's under events", VC_RANK_EVENTS, 1, VC_RANK_CONSOLE, 0, false},
    {"two domains, in order", VC_RANK_EVENTS, 1, VC_RANK_EVENTS, 2, true},
    {"two domains, the other way", VC_RANK_EVENTS, 2, VC_RANK_EVENTS, 1, false},
    {"one domain twice", VC_RANK_EVENTS, 2, VC_RANK_EVENTS, 2, false},
    {"two vCPUs", VC_RANK_VCPU, 0, VC_RANK_VCPU, 1, false},
};
static void order(void **state)
{
    int a = 0, b = 0;

    (void)state;
    for (size_t i = 0; i < N_ROWS(pairs); i++) {
        unsigned long saved[2];

        memset(&held, 0, sizeof held);
        n_wrong = 0;
        saved[0] = vc_lock_take(&env, &a, pairs[i].first, pairs[i].first_order);
        saved[1] = vc_lock_take(&env, &b, pairs[i].second, pairs[i].second_order);
        if (n_wrong != !pairs[i].good || (n_wrong != 0 && !wrong_in_taking))
            fail_msg("%s", pairs[i].name);
        n_wrong = 0;
        vc_lock_drop(&env, &b, saved[1]);
        vc_lock_drop(&env, &a, saved[0]);
        assert_int_equal(n_wrong, 0);
        assert_int_equal(held.n, 0);
    }
}

static void given_back_in_order(void **state)
{
    int a = 0, b = 0;

    (void)state;
    memset(&held, 0, sizeof held);
    n_wrong = 0;
    vc_lock_drop(&env, &a, 0); /* not held */
    assert_int_equal(n_wrong, 1);
    assert_false(wrong_in_taking);
    vc_lock_take(&env, &a, VC_RANK_EVENTS, 1);
    vc_lock_take(&env, &b, VC_RANK_VCPU, 0);
    vc_lock_drop(&env, &a, 0); /* the outer one first */
    assert_int_equal(n_wrong, 2);
}

static void more_than_there_is_room_for(void **state)
{
    int locks[VC_LOCKS_HELD_MAX + 1] = {0};

    (void)state;
    memset(&held, 0, sizeof held);
    n_wrong = 0;
    for (uint32_t i = 0; i <= VC_LOCKS_HELD_MAX; i++)
        vc_lock_take(&env, &locks[i], VC_RANK_EVENTS, i + 1);
    assert_int_equal(n_wrong, 1);
    assert_int_equal(held.n, VC_LOCKS_HELD_MAX);
}

static void nothing_is_checked_without_held(void **state)
{
    int a = 0;

    (void)state;
    n_wrong = n_taken = n_dropped = 0;
    assert_int_equal(vc_lock_take(&unchecked, &a, VC_RANK_VCPU, 0), 1);
    vc_lock_drop(&unchecked, &a, 0);
    vc_lock_drop(&unchecked, &a, 0);
    assert_int_equal(n_wrong, 0);
    assert_int_equal(n_dropped, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(given_back_in_order),
        cmocka_unit_test(more_than_there_is_room_for),
        cmocka_unit_test(nothing_is_checked_without_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
