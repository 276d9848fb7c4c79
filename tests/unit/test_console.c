/* SPDX-License-Identifier: MIT */
/* A console of the VMM against a service that comes, goes and lies: hold, tail, gap, by an injected clock. */
#include "vmm/console.h"
#include "vmm/console_tail.h"
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define LINE VC_LINE_OUT_DEFAULT

struct bench {
    struct console console;
    struct console_kicks kicks;
    struct vc_sink sink;
    uint64_t now_ms;
    unsigned n_held;
    uint64_t shown;
    uint32_t next;         /* the generator's place */
    uint8_t log[4 * LINE]; /* what the service stored */
    uint32_t n_log;
    uint64_t gaps[8], gap_at[8];
    unsigned n_gaps;
    uint32_t boots[256];
    unsigned n_boots;
};

static uint64_t now_ms(void *ctx) { return ((struct bench *)ctx)->now_ms; }
static void shown(void *ctx, const uint8_t *bytes, uint32_t n)
{
    (void)bytes;
    ((struct bench *)ctx)->shown += n;
}
static void held(void *ctx) { ((struct bench *)ctx)->n_held++; }
static const struct console_env env = {.now_ms = now_ms, .taken = shown, .held = held};

static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 2654435761u >> 24); }

static struct bench *open_bench(int hold_ms, bool served)
{
    struct bench *b = calloc(1, sizeof *b);
    struct problem problem;

    assert_int_equal(console_kicks_init(&b->kicks, &problem), 0);
    assert_int_equal(console_init(&b->console, &env, b, &b->kicks, hold_ms, &problem), 0);
    assert_int_equal(vc_sink_open(&b->sink, b->console.memory.base, b->console.memory.bytes), VC_OK);
    b->now_ms = 5000;
    console_lock(&b->console);
    if (served)
        console_attached(&b->console);
    return b;
}

static void close_bench(struct bench *b)
{
    console_unlock(&b->console);
    console_finish(&b->console);
    console_kicks_finish(&b->kicks);
    free(b);
}

/* Offer the next n bytes of the generator; how many were taken. */
static uint32_t offer(struct bench *b, uint32_t n)
{
    uint8_t bytes[8192];
    uint32_t taken = 0, some, got;

    while (taken < n) {
        some = n - taken < sizeof bytes ? n - taken : (uint32_t)sizeof bytes;
        for (uint32_t i = 0; i < some; i++)
            bytes[i] = byte_at(b->next + i);
        got = console_put(&b->console, bytes, some);
        b->next += got;
        taken += got;
        if (got < some)
            break;
    }
    return taken;
}

/* The service takes up to max bytes, and all events among them. */
static void take(struct bench *b, uint32_t max)
{
    struct vc_line_event event;
    struct vc_span spans[2];
    uint32_t n;
    bool due;

    for (;;) {
        assert_int_equal(vc_sink_event(&b->sink, &event, &due), VC_OK);
        if (due) {
            if (event.kind == VC_LINE_GAP) {
                b->gap_at[b->n_gaps] = b->n_log;
                b->gaps[b->n_gaps++] = event.value;
            } else if (event.kind == VC_LINE_BOOT) {
                b->boots[b->n_boots++] = (uint32_t)event.value;
            }
            vc_sink_event_done(&b->sink);
            continue;
        }
        assert_int_equal(vc_sink_peek(&b->sink, spans, &n), VC_OK);
        if (n == 0 || max == 0)
            return;
        n = spans[0].n < max ? spans[0].n : max;
        memcpy(b->log + b->n_log, spans[0].bytes, n);
        b->n_log += n;
        max -= n;
        vc_sink_commit(&b->sink, n);
    }
}

/* The service is there and takes everything, the loop moves the console on, until nothing moves. */
static void serve(struct bench *b)
{
    uint32_t before;

    do {
        before = b->n_log + b->n_gaps + b->n_boots;
        take(b, UINT32_MAX);
        console_move(&b->console);
    } while (b->n_log + b->n_gaps + b->n_boots != before);
}

static void check_log(const struct bench *b, uint32_t from, uint32_t n, uint32_t generator)
{
    for (uint32_t i = 0; i < n; i++)
        if (b->log[from + i] != byte_at(generator + i))
            fail_msg("byte %u of the log is not byte %u of the guest", from + i, generator + i);
}

static void all_bytes_pass(void **state)
{
    struct bench *b = open_bench(1000, true);

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(offer(b, 100000), 100000);
        serve(b);
        b->n_log = 0;
    }
    assert_int_equal(b->n_gaps, 0);
    assert_int_equal(b->console.dropped, 0);
    assert_int_equal(b->shown, 1000000);
    assert_true(console_delivered(&b->console));
    close_bench(b);
}

static void held_for_hold_then_tail_then_one_gap(void **state)
{
    struct bench *b = open_bench(1000, true);
    const uint32_t extra = 1000000;

    (void)state;
    assert_int_equal(offer(b, LINE + 10), LINE);
    assert_int_equal(b->n_held, 1);
    assert_int_equal(console_deadline(&b->console), 6000);
    b->now_ms = 5999;
    assert_int_equal(offer(b, 10), 0);
    assert_int_equal(b->n_held, 1); /* the owner knows the deadline already */
    b->now_ms = 6000;
    assert_int_equal(offer(b, extra), extra);
    assert_int_equal(console_deadline(&b->console), UINT64_MAX);
    assert_false(console_delivered(&b->console));
    serve(b);
    /* Head and newest are kept, the middle is one counted gap. */
    assert_int_equal(b->n_log, LINE + CONSOLE_TAIL_BYTES);
    assert_int_equal(b->n_gaps, 1);
    assert_int_equal(b->gap_at[0], LINE);
    assert_int_equal(b->gaps[0], extra - CONSOLE_TAIL_BYTES);
    assert_int_equal(b->console.dropped, extra - CONSOLE_TAIL_BYTES);
    check_log(b, 0, LINE, 0);
    check_log(b, LINE, CONSOLE_TAIL_BYTES, LINE + extra - CONSOLE_TAIL_BYTES);
    assert_int_equal(offer(b, 500), 500);
    serve(b);
    assert_int_equal(b->n_log, LINE + CONSOLE_TAIL_BYTES + 500);
    check_log(b, LINE + CONSOLE_TAIL_BYTES, 500, LINE + extra);
    close_bench(b);
}

static void a_tail_that_fits_is_no_gap(void **state)
{
    struct bench *b = open_bench(1000, true);

    (void)state;
    offer(b, LINE + 1);
    b->now_ms += 1000;
    assert_int_equal(offer(b, CONSOLE_TAIL_BYTES), CONSOLE_TAIL_BYTES);
    serve(b);
    assert_int_equal(b->n_gaps, 0);
    assert_int_equal(b->n_log, LINE + CONSOLE_TAIL_BYTES);
    check_log(b, 0, b->n_log, 0);
    close_bench(b);
}

static void hold_counts_once_an_outage(void **state)
{
    struct bench *b = open_bench(1000, true);

    (void)state;
    offer(b, LINE + 1);
    /* A service that takes a byte now and then is no reason to hold the guest for ever. */
    for (int i = 0; i < 10; i++) {
        b->now_ms += 100;
        take(b, 1);
        offer(b, 2);
    }
    assert_int_equal(b->console.flow, CONSOLE_TAILS);
    close_bench(b);
}

static void a_slow_service_loses_nothing(void **state)
{
    struct bench *b = open_bench(1000, true);
    uint32_t offered = 0;

    (void)state;
    for (int i = 0; i < 40; i++) { /* 16 KiB each 900 ms, for 36 s */
        offered += offer(b, LINE);
        b->now_ms += 900;
        take(b, LINE / 16);
        console_move(&b->console);
    }
    assert_int_equal(b->console.dropped, 0);
    serve(b);
    assert_int_equal(b->n_log, offered);
    check_log(b, 0, offered, 0);
    close_bench(b);
}

static void the_rest_of_a_tail_goes_before_new_output(void **state)
{
    struct bench *b = open_bench(1000, true);
    uint32_t all;

    (void)state;
    offer(b, LINE + 1);
    b->now_ms += 1000;
    offer(b, CONSOLE_TAIL_BYTES);
    take(b, LINE / 2); /* it is back: half of the tail moves, the guest is held while the rest waits */
    console_move(&b->console);
    assert_int_equal(b->console.flow, CONSOLE_HELD);
    assert_int_equal(offer(b, 100), 0);
    serve(b);
    assert_int_equal(offer(b, 100), 100);
    serve(b);
    all = LINE + CONSOLE_TAIL_BYTES + 100;
    assert_int_equal(b->n_log, all);
    assert_int_equal(b->n_gaps, 0);
    check_log(b, 0, all, 0);
    close_bench(b);
}

static void without_a_service_nothing_is_held(void **state)
{
    struct bench *b = open_bench(1000, false);

    (void)state;
    assert_int_equal(offer(b, 2 * LINE + LINE / 2), 2 * LINE + LINE / 2);
    console_move(&b->console); /* the loop looks, for whatever reason: there is more to tell of later */
    assert_int_equal(offer(b, LINE / 2), LINE / 2);
    assert_int_equal(b->n_held, 0);
    assert_int_equal(b->console.dropped, LINE);
    console_attached(&b->console); /* the first service finds head, mark and newest */
    serve(b);
    assert_int_equal(b->n_gaps, 1);
    assert_int_equal(b->gaps[0], LINE);
    check_log(b, 0, LINE, 0);
    check_log(b, LINE, LINE, 2 * LINE);
    close_bench(b);
}

static void hold_zero_and_hold_forever(void **state)
{
    struct bench *never = open_bench(0, true), *forever = open_bench(CONSOLE_HOLD_FOREVER, true);

    (void)state;
    assert_int_equal(offer(never, LINE + 100), LINE + 100);
    assert_int_equal(never->console.flow, CONSOLE_TAILS);
    close_bench(never);
    assert_int_equal(offer(forever, LINE + 100), LINE);
    forever->now_ms += UINT64_C(1) << 40;
    assert_int_equal(offer(forever, 100), 0);
    assert_int_equal(console_deadline(&forever->console), UINT64_MAX);
    serve(forever);
    assert_int_equal(offer(forever, 100), 100);
    close_bench(forever);
}

static void events_keep_their_place_in_the_tail(void **state)
{
    struct bench *b = open_bench(1000, true);

    (void)state;
    offer(b, LINE + 1);
    b->now_ms += 1000;
    offer(b, 1000);
    console_post(&b->console, VC_LINE_BOOT, 2);
    offer(b, 1000);
    console_post(&b->console, VC_LINE_BOOT, 3);
    take(b, LINE);
    console_move(&b->console);
    take(b, 0);
    assert_int_equal(b->n_boots, 0);
    take(b, 1000);
    assert_int_equal(b->n_boots, 1); /* exactly between the two thousands */
    assert_int_equal(b->boots[0], 2);
    serve(b);
    assert_int_equal(b->n_boots, 2);
    assert_int_equal(b->n_gaps, 0);
    check_log(b, 0, LINE + 2000, 0);
    close_bench(b);
}

static void a_full_event_ring_is_a_full_line(void **state)
{
    struct bench *b = open_bench(1000, true);

    (void)state;
    for (uint32_t i = 1; i <= VC_LINE_OUT_EVENTS + CONSOLE_TAIL_EVENTS + 8; i++)
        console_post(&b->console, VC_LINE_BOOT, i);
    assert_int_equal(offer(b, 10), 0);
    serve(b);
    assert_int_equal(offer(b, 10), 10);
    serve(b);
    /* The oldest of those that waited are forgotten, the newest are there. */
    assert_int_equal(b->n_boots, VC_LINE_OUT_EVENTS + CONSOLE_TAIL_EVENTS);
    assert_int_equal(b->boots[b->n_boots - 1], VC_LINE_OUT_EVENTS + CONSOLE_TAIL_EVENTS + 8);
    check_log(b, 0, 10, 0);
    close_bench(b);
}

static void a_service_that_lies_is_a_full_line(void **state)
{
    static const struct {
        const char *name;
        size_t field;
        uint32_t value;
    } lies[] = {
        {"cons ahead of prod", offsetof(struct vc_line_header, out_cons), 1},
        {"cons far behind", offsetof(struct vc_line_header, out_cons), 0u - LINE - 1},
        {"events taken that never were", offsetof(struct vc_line_header, out_event_cons), 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct bench *b = open_bench(1000, true);
        struct problem problem;
        uint8_t old[VC_LINE_ID_BYTES];
        int fd = b->console.memory.fds[VC_LINK_FD_OUT_BYTES];

        memcpy(old, b->console.memory.id, sizeof old);
        *(uint32_t *)((uint8_t *)b->console.memory.base + lies[i].field) = lies[i].value;
        if (offer(b, 10) != 0 || !b->console.broken)
            fail_msg("believed: %s", lies[i].name);
        b->now_ms += 1000;
        assert_int_equal(offer(b, 10), 10); /* the guest goes on after hold */
        /* The next service gets a fresh line, with a mark for what only the last one knows. */
        assert_int_equal(console_renew(&b->console, &problem), 0);
        assert_memory_not_equal(old, b->console.memory.id, sizeof old);
        assert_int_equal(b->console.memory.fds[VC_LINK_FD_OUT_BYTES], fd);
        assert_int_equal(vc_sink_open(&b->sink, b->console.memory.base, b->console.memory.bytes), VC_OK);
        console_attached(&b->console);
        serve(b);
        assert_int_equal(b->n_gaps, 1);
        assert_true(b->gaps[0] == UINT64_MAX);
        check_log(b, 0, 10, 0);
        close_bench(b);
    }
}

static void kicks_never_wait(void **state)
{
    struct bench *b = open_bench(1000, true);
    int fd = b->console.memory.fds[VC_LINK_FD_OUT_BYTES];
    uint64_t full = UINT64_MAX - 1, count;

    (void)state;
    /* The service shares the description: it made it blocking, and filled it. */
    if (read(fd, &count, sizeof count) < 0)
        count = 0;
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
    assert_int_equal(write(fd, &full, sizeof full), sizeof full);
    alarm(10); /* a hang is the failure */
    for (int i = 0; i < 100; i++) {
        vc_sink_arm_bytes(&b->sink);
        assert_int_equal(offer(b, 100), 100);
    }
    line_unkick(fd);
    line_unkick(fd); /* empty now, and blocking */
    alarm(0);
    serve(b);
    check_log(b, 0, 10000, 0);
    close_bench(b);
}

static void a_sleeping_service_is_kicked(void **state)
{
    struct bench *b = open_bench(1000, true);
    struct pollfd p = {.fd = b->console.memory.fds[VC_LINK_FD_OUT_BYTES], .events = POLLIN};

    (void)state;
    line_unkick(p.fd);
    assert_int_equal(poll(&p, 1, 0), 0);
    offer(b, 1); /* not armed: it is awake */
    assert_int_equal(poll(&p, 1, 0), 0);
    vc_sink_arm_bytes(&b->sink);
    offer(b, 1);
    assert_int_equal(poll(&p, 1, 0), 1);
    close_bench(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bytes_pass),
        cmocka_unit_test(held_for_hold_then_tail_then_one_gap),
        cmocka_unit_test(a_tail_that_fits_is_no_gap),
        cmocka_unit_test(hold_counts_once_an_outage),
        cmocka_unit_test(a_slow_service_loses_nothing),
        cmocka_unit_test(the_rest_of_a_tail_goes_before_new_output),
        cmocka_unit_test(without_a_service_nothing_is_held),
        cmocka_unit_test(hold_zero_and_hold_forever),
        cmocka_unit_test(events_keep_their_place_in_the_tail),
        cmocka_unit_test(a_full_event_ring_is_a_full_line),
        cmocka_unit_test(a_service_that_lies_is_a_full_line),
        cmocka_unit_test(kicks_never_wait),
        cmocka_unit_test(a_sleeping_service_is_kicked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
