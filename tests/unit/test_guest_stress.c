/* SPDX-License-Identifier: MIT */
/* T15, driver and door in one process: the connection flag goes to and fro under a spew and under typing, from another
 * thread; the log is what the guest wrote, the guest reads what was typed. 10,000 toggles; VCONS_LONG=1: a million. */
#include "guest_machine.h"
#include "hvc.h"
#include "random.h"
#include "spew.h"
#include "unit.h"
#include "xen_console.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/atomic.h>

#define CONSOLE   0x100u /* frame */
#define TYPED_MAX 80000u

struct shared {
    struct machine machine;
    uint32_t toggles;
    uint32_t done;  /* the backend has toggled enough */
    uint32_t lines; /* the guest has written */
    uint8_t typed[TYPED_MAX];
    uint32_t n_typed; /* in all */
};

static uint8_t typed_byte(uint32_t i) { return (uint8_t)(i * 31 + i / 256); }

/* Type some more, and now and then let the log take only little, so that bytes stay in the ring across a toggle. */
static void stir(struct shared *s, uint64_t *seed)
{
    struct machine *m = &s->machine;

    pthread_mutex_lock(&m->door_lock);
    if (m->n_typed < 64 && s->n_typed + 8 <= TYPED_MAX) {
        if (m->n_typed == 0)
            m->typed = s->typed + s->n_typed;
        m->n_typed += 8;
        s->n_typed += 8;
    }
    m->log_limit = random_below(seed, 4) == 0 ? m->n_log + random_below(seed, 100) : SIZE_MAX;
    pthread_mutex_unlock(&m->door_lock);
}

/* The backend's thread: toggles at the pace of the guest's lines, so that each falls among them. */
static void *toggle(void *arg)
{
    struct shared *s = arg;
    uint64_t seed = 15;

    for (uint32_t i = 0; i < s->toggles; i++) {
        uint32_t lines = vc_load_seq(&s->lines) + random_below(&seed, 3);

        stir(s, &seed);
        for (uint32_t tries = 0; vc_load_seq(&s->lines) < lines && tries < 20; tries++)
            sched_yield();
        for (volatile uint32_t spin = random_below(&seed, 1000); spin > 0; spin = spin - 1)
            ;
        machine_connect(&s->machine, i % 2 == 0);
        if (random_below(&seed, 4) == 0)
            machine_serve(&s->machine);
    }
    pthread_mutex_lock(&s->machine.door_lock);
    s->machine.log_limit = SIZE_MAX;
    pthread_mutex_unlock(&s->machine.door_lock);
    vc_store_seq(&s->done, 1);
    machine_serve(&s->machine);
    return NULL;
}

/* The guest's: lines out, whatever came in. Returns the number of lines. */
static uint64_t write_and_read(struct shared *s, struct hvc *hvc, uint32_t *n_read)
{
    struct spew *spew = malloc(sizeof *spew);
    char line[SPEW_LINE_MAX];
    uint8_t got[64];
    uint64_t lines;

    spew_init(spew, 61);
    for (lines = 0; vc_load_seq(&s->done) == 0 || lines < 1000; lines++) {
        size_t n = spew_line(spew, line);

        hvc_write(hvc, line, n);
        vc_store_seq(&s->lines, (uint32_t)lines + 1);
        n = hvc_read(hvc, got, sizeof got);
        for (size_t i = 0; i < n; i++, ++*n_read)
            if (got[i] != typed_byte(*n_read))
                fail_msg("byte %u typed reads as %u", *n_read, got[i]);
    }
    free(spew);
    return lines;
}

/* A read of nothing tells the backend that the ring is empty, and what waited for room comes only then. */
static void read_rest(struct hvc *hvc, uint32_t *n_read)
{
    uint8_t byte;

    for (uint32_t nothing = 0; nothing < 2;) {
        if (hvc_read(hvc, &byte, 1) == 1) {
            assert_int_equal(byte, typed_byte((*n_read)++));
            nothing = 0;
        } else {
            nothing++;
        }
    }
}

static void expect_spew(const struct machine *m, uint64_t lines)
{
    struct spew *spew = malloc(sizeof *spew);
    char line[SPEW_LINE_MAX];
    size_t at = 0;

    spew_init(spew, 61);
    for (uint64_t i = 0; i < lines; i++) {
        uint32_t n = spew_line(spew, line);

        if (at + n > m->n_log || memcmp(m->log + at, line, n) != 0)
            fail_msg("line %llu is not what was written", (unsigned long long)i);
        at += n;
    }
    assert_int_equal(at, m->n_log);
    free(spew);
}

static void run(struct shared *s, bool clock)
{
    struct xencons_interface *page = aligned_alloc(4096, 4096);
    struct xen_console x;
    struct platform platform;
    pthread_t thread;
    uint32_t n_read = 0;
    uint64_t lines;

    memset(s, 0, sizeof *s);
    s->toggles = getenv("VCONS_LONG") != NULL ? 1000000 : 10000;
    for (uint32_t i = 0; i < TYPED_MAX; i++)
        s->typed[i] = typed_byte(i);
    machine_init(&s->machine, page, CONSOLE, false);
    s->machine.no_time = !clock;
    platform = machine_platform(&s->machine);
    assert_int_equal(xen_console_discover(&x, &platform), VC_OK);
    pthread_create(&thread, NULL, toggle, s);
    lines = write_and_read(s, &x.hvc, &n_read);
    pthread_join(thread, NULL);
    machine_connect(&s->machine, true);
    read_rest(&x.hvc, &n_read);
    machine_serve(&s->machine);
    expect_spew(&s->machine, lines);
    assert_int_equal(n_read, s->n_typed);
    assert_int_equal(x.hvc.dropped + x.violations, 0);
    assert_true(s->machine.by_hypercall > 0 && s->machine.by_hypercall < s->machine.n_log); /* both ways were used */
    assert_true(s->machine.n_reads > 0);
    machine_finish(&s->machine);
    free(page);
}

static void test_flag_toggles(void **state)
{
    struct shared *s = malloc(sizeof *s);

    (void)state;
    run(s, true);
    run(s, false);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_flag_toggles)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
