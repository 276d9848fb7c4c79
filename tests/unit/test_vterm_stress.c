/* SPDX-License-Identifier: MIT */
/* Numbers of consoles given and taken back by several processors at once: no two ports ever have one, and each is found by its own. */
#include "../../guest/vterm.h"
#include "random.h"
#include "unit.h"
#include <pthread.h>
#include <stdlib.h>

enum { THREADS = 4, PORTS = 8, TERMS = THREADS * PORTS, ROUNDS = 20000 };

static struct {
    struct vterms terms;
    uint64_t memory[(TERMS * sizeof(struct vterm) + 64) / sizeof(uint64_t)];
    pthread_mutex_t lock;
    uint32_t live[TERMS + 1], wrong;
} shared;

static void lock(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&shared.lock);
}
static void unlock(void *ctx)
{
    (void)ctx;
    pthread_mutex_unlock(&shared.lock);
}

static void mistake(void) { __atomic_fetch_add(&shared.wrong, 1, __ATOMIC_RELAXED); }

/* Published by now, and nobody else's. */
static bool begin(void *ctx, uint32_t number)
{
    (void)ctx;
    if (number == 0 || number > TERMS || __atomic_exchange_n(&shared.live[number], 1, __ATOMIC_RELAXED) != 0 ||
        vterm_find(&shared.terms, number) == NULL)
        mistake();
    return true;
}

static void end(void *ctx, uint32_t number)
{
    (void)ctx;
    if (__atomic_exchange_n(&shared.live[number], 0, __ATOMIC_RELAXED) != 1)
        mistake();
}

static const struct vterm_env env = {.lock = lock, .unlock = unlock, .begin = begin, .end = end};

static void *processor(void *seeded)
{
    struct hvc ports[PORTS];
    uint32_t numbers[PORTS] = {0};
    uint64_t seed = (uintptr_t)seeded;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t i = random_below(&seed, PORTS);

        if (numbers[i] == 0) {
            if (vterm_add(&shared.terms, &ports[i], &numbers[i]) != VC_OK || numbers[i] == 0)
                mistake();
        } else {
            if (vterm_find(&shared.terms, numbers[i]) != &ports[i] || !vterm_remove(&shared.terms, &ports[i]))
                mistake();
            vterm_release(&shared.terms, &ports[i]);
            numbers[i] = 0;
        }
    }
    for (uint32_t i = 0; i < PORTS; i++)
        if (numbers[i] != 0) {
            vterm_remove(&shared.terms, &ports[i]);
            vterm_release(&shared.terms, &ports[i]);
        }
    return NULL;
}

static void several_processors(void **state)
{
    pthread_t threads[THREADS];
    struct hvc last;
    uint32_t number;

    (void)state;
    assert_true(vterms_bytes(TERMS) <= sizeof shared.memory);
    assert_int_equal(vterms_init(&shared.terms, &env, NULL, TERMS, shared.memory, false), VC_OK);
    pthread_mutex_init(&shared.lock, NULL);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, processor, (void *)(i + 1)), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.wrong, 0);
    assert_int_equal(vterm_add(&shared.terms, &last, &number), VC_OK); /* all came back */
    assert_int_equal(number, 1);
    assert_int_equal(vterm_index(&shared.terms, number), 0);
    pthread_mutex_destroy(&shared.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(several_processors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
