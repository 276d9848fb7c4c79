/* SPDX-License-Identifier: MIT */
/* focus_rig.h: a terminal with up to four domains, for the tests of focus and console_io. Needs unit.h before it. */
#ifndef VCONS_TESTS_FOCUS_RIG_H
#define VCONS_TESTS_FOCUS_RIG_H
#include "door_locks.h"
#include <string.h>
#include <vcons/console_io.h>
#include <vcons/focus.h>

#define RIG_DOMAINS 4u

struct rig {
    struct vc_focus focus;
    struct vc_focus_domain domains[RIG_DOMAINS];
    struct door_lock console, domain_locks[RIG_DOMAINS];
    uint8_t typed[64], output[4096];
    char screen[65536]; /* what the terminal got */
    uint32_t n_screen;
    uint64_t now_ms;
    unsigned n_ready, n_moved, n_now;
    char keys[64];   /* in hypervisor focus */
    char inputs[64]; /* the digits of domains that were notified */
    char refusals[64];
    struct vc_focus_domain *to;
    uint32_t start_on_key; /* what key 's' gives the focus to */
};

static inline void rig_note(char *trace, size_t size, char what)
{
    size_t n = strlen(trace);

    if (n + 1 < size)
        trace[n] = what;
}

static uint64_t rig_now(void *ctx)
{
    ((struct rig *)ctx)->n_now++;
    return ((struct rig *)ctx)->now_ms;
}

static void rig_ready(void *ctx)
{
    door_under(LOCK_CONSOLE);
    ((struct rig *)ctx)->n_ready++;
}

static void rig_input(void *ctx, struct vc_focus_domain *d)
{
    struct rig *r = ctx;

    door_may_sleep();
    rig_note(r->inputs, sizeof r->inputs, (char)('0' + d->id));
}

static void rig_key(void *ctx, uint8_t key)
{
    struct rig *r = ctx;

    door_may_sleep();
    rig_note(r->keys, sizeof r->keys, (char)key);
    if (key == 's')
        assert_int_equal(vc_focus_start(&r->focus, r->start_on_key), VC_OK);
}

static void rig_moved(void *ctx, struct vc_focus_domain *to)
{
    struct rig *r = ctx;

    door_may_sleep();
    r->n_moved++;
    r->to = to;
}

static void rig_refused(void *ctx, struct vc_focus_domain *d)
{
    struct rig *r = ctx;

    door_may_sleep();
    rig_note(r->refusals, sizeof r->refusals, (char)('0' + d->id));
}

static const struct vc_focus_env rig_env = {
    .lock = {door_lock, door_unlock},
    .now_ms = rig_now,
    .ready = rig_ready,
    .input = rig_input,
    .key = rig_key,
    .moved = rig_moved,
    .refused = rig_refused,
};

/* Domains 1..n, the hypervisor has the focus, nothing was shown yet. */
static inline void rig_init_cooked(struct rig *r, uint32_t n, bool cooked)
{
    struct vc_focus_config c = {.env = &rig_env, .ctx = r, .lock = &r->console, .cooked = cooked};

    memset(r, 0, sizeof *r);
    r->now_ms = 100000;
    r->console = (struct door_lock)DOOR_LOCK(LOCK_CONSOLE);
    c.typed = r->typed;
    c.typed_bytes = sizeof r->typed;
    c.output = r->output;
    c.output_bytes = sizeof r->output;
    assert_int_equal(vc_focus_init(&r->focus, &c), VC_OK);
    for (uint32_t i = 0; i < n; i++) {
        r->domain_locks[i] = (struct door_lock)DOOR_LOCK(LOCK_DOMAIN);
        assert_int_equal(vc_focus_add(&r->focus, &r->domains[i], i + 1, &r->domain_locks[i], NULL, NULL), VC_OK);
    }
}

static inline void rig_init(struct rig *r, uint32_t n) { rig_init_cooked(r, n, false); }

/* What the terminal got since the last look. */
static inline const char *rig_screen(struct rig *r)
{
    uint32_t n, at = 0;

    while ((n = vc_focus_take(&r->focus, r->screen + at, sizeof r->screen - 1 - at)) > 0)
        at += n;
    r->screen[at] = '\0';
    r->n_screen = at;
    return r->screen;
}

static inline void rig_write(struct rig *r, uint32_t id, const char *text)
{
    vc_focus_write(&r->focus, &r->domains[id - 1], text, strlen(text));
}

static inline void rig_type(struct rig *r, const char *text) { vc_focus_type(&r->focus, text, strlen(text)); }

/* What a read of so many bytes gives, as a string. */
static inline const char *rig_read(struct rig *r, uint32_t id, uint32_t n)
{
    static char got[128];

    got[vc_focus_read(&r->focus, &r->domains[id - 1], got, n < sizeof got ? n : sizeof got - 1)] = '\0';
    return got;
}

static inline void rig_balance(struct rig *r, uint32_t id, uint64_t waiting)
{
    struct vc_focus_counts c = vc_focus_count(&r->focus, &r->domains[id - 1]);

    assert_int_equal(c.typed, c.read + c.discarded + c.overflow + waiting);
}

#define AAA "\x01\x01\x01"

#endif
