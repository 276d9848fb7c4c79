/* SPDX-License-Identifier: MIT */
#include <vcons/announce.h>

static unsigned long take(struct vc_announce *a) { return vc_lock_take(&a->env->lock, a->lock, VC_RANK_ANNOUNCE, 0); }
static void drop(struct vc_announce *a, unsigned long saved) { vc_lock_drop(&a->env->lock, a->lock, saved); }

static void ask_timer(struct vc_announce *a, bool on)
{
    if (!on && !a->timing)
        return;
    a->timing = on;
    a->env->timer(a->ctx, on ? a->limit_ns : 0);
}

static bool passed(enum vc_announced s)
{
    return s == VC_ANNOUNCED_NOT || s == VC_ANNOUNCED_LATE || s == VC_ANNOUNCED_DONE;
}

static struct vc_announce_place *at(const struct vc_announce *a, uint32_t turn)
{
    return &a->places[a->places[turn].whose];
}

/* The first turn from `from` whose place is in that state, or n. */
static uint32_t find(const struct vc_announce *a, uint32_t from, enum vc_announced state)
{
    while (from < a->n && at(a, from)->state != state)
        from++;
    return from;
}

/* [locked] Its turn comes after all others, which move up. */
static void move_behind(struct vc_announce *a, uint32_t place)
{
    uint32_t turn = a->places[place].turn;

    a->first -= turn < a->first;
    for (; turn + 1 < a->n; turn++) {
        a->places[turn].whose = a->places[turn + 1].whose;
        at(a, turn)->turn = turn;
    }
    a->places[turn].whose = place;
    a->places[place].turn = turn;
}

static void give_turn(struct vc_announce *a, struct vc_announce_place *p)
{
    p->state = VC_ANNOUNCED_TURN;
    a->env->turn(a->ctx, p->owner);
}

/* [locked] Some are ready. */
static void settle_together(struct vc_announce *a)
{
    if (find(a, a->first, VC_ANNOUNCED_EXPECTED) < a->n) {
        if (!a->timing)
            ask_timer(a, true);
        return;
    }
    ask_timer(a, false);
    for (uint32_t i = a->first; i < a->n; i++)
        if (at(a, i)->state == VC_ANNOUNCED_READY)
            give_turn(a, at(a, i));
}

/* [locked] After any change of a place: the turn goes on, if it can, and the timer runs while somebody is waited for. */
static void settle(struct vc_announce *a, bool anew)
{
    struct vc_announce_place *p;

    while (a->first < a->n && passed(at(a, a->first)->state))
        a->first++;
    if (!a->together && find(a, a->first, VC_ANNOUNCED_TURN) < a->n) {
        if (anew)
            ask_timer(a, true);
        return;
    }
    if (find(a, a->first, VC_ANNOUNCED_READY) == a->n) {
        ask_timer(a, false);
        return;
    }
    if (a->together) {
        settle_together(a);
        return;
    }
    p = at(a, a->first);
    if (p->state != VC_ANNOUNCED_READY) { /* expected, and others are ready */
        if (!a->timing || anew)
            ask_timer(a, true);
        return;
    }
    ask_timer(a, true);
    give_turn(a, p);
}

/* [locked] */
static void set(struct vc_announce *a, uint32_t place, enum vc_announced state)
{
    struct vc_announce_place *p = &a->places[place];
    bool was_turn = p->state == VC_ANNOUNCED_TURN;

    p->state = state;
    a->first = p->turn < a->first ? p->turn : a->first;
    settle(a, was_turn);
}

void vc_announce_init(struct vc_announce *a, const struct vc_announce_env *env, void *ctx, void *lock,
                      struct vc_announce_place *places, uint32_t n, uint64_t limit_ns)
{
    *a = (struct vc_announce){.env = env, .ctx = ctx, .lock = lock, .limit_ns = limit_ns, .places = places, .n = n};
    for (uint32_t i = 0; i < n; i++)
        places[i] = (struct vc_announce_place){.state = VC_ANNOUNCED_NOT, .turn = i, .whose = i};
}

void vc_announce_together(struct vc_announce *a) { a->together = true; }

void vc_announce_from_now_on(struct vc_announce *a)
{
    unsigned long saved = take(a);

    a->by_time = true;
    drop(a, saved);
}

void vc_announce_expect(struct vc_announce *a, uint32_t place, void *owner)
{
    unsigned long saved = take(a);

    a->places[place].owner = owner;
    if (a->by_time && a->places[place].state == VC_ANNOUNCED_NOT)
        move_behind(a, place);
    set(a, place, VC_ANNOUNCED_EXPECTED);
    drop(a, saved);
}

void vc_announce_ready(struct vc_announce *a, uint32_t place)
{
    unsigned long saved = take(a);
    enum vc_announced state = a->places[place].state;

    if (state == VC_ANNOUNCED_EXPECTED || state == VC_ANNOUNCED_LATE)
        set(a, place, VC_ANNOUNCED_READY);
    drop(a, saved);
}

bool vc_announce_may(struct vc_announce *a, uint32_t place)
{
    unsigned long saved = take(a);
    enum vc_announced state = a->places[place].state;

    drop(a, saved);
    return state == VC_ANNOUNCED_TURN || state == VC_ANNOUNCED_DONE;
}

void vc_announce_done(struct vc_announce *a, uint32_t place)
{
    unsigned long saved = take(a);

    if (a->places[place].state != VC_ANNOUNCED_DONE)
        set(a, place, VC_ANNOUNCED_DONE);
    drop(a, saved);
}

void vc_announce_leave(struct vc_announce *a, uint32_t place)
{
    unsigned long saved = take(a);

    set(a, place, VC_ANNOUNCED_NOT);
    drop(a, saved);
}

/* [locked] Who is still expected, before that turn, is not waited for any more. */
static void pass_by(struct vc_announce *a, uint32_t end)
{
    for (uint32_t i = a->first; i < end; i++)
        if (at(a, i)->state == VC_ANNOUNCED_EXPECTED)
            at(a, i)->state = VC_ANNOUNCED_LATE;
}

void vc_announce_timer(struct vc_announce *a)
{
    unsigned long saved = take(a);

    if (a->timing) {
        uint32_t turn = find(a, a->first, VC_ANNOUNCED_TURN), ready = find(a, a->first, VC_ANNOUNCED_READY);

        a->timing = false;
        a->late++;
        if (a->together)
            pass_by(a, a->n);
        else if (turn < a->n)
            at(a, turn)->state = VC_ANNOUNCED_DONE;
        else
            pass_by(a, ready);
        settle(a, true);
    }
    drop(a, saved);
}
