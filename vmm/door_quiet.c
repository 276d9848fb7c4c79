/* SPDX-License-Identifier: MIT */
#include "door_quiet.h"
#include "domain_door.h"
#include "vmm.h"

void door_quiet_init(struct door *door)
{
    atomic_store(&door->quiet.on, false);
    door->quiet.sent_ms = 0;
}

/* What the door has taken and given, as it alone knows. */
static uint32_t taken(const struct door *door) { return door->pvcons.back.out.cons; }
static uint32_t given(const struct door *door) { return door->pvcons.back.in.prod; }

static void next_period(struct door *door, uint32_t period_ms)
{
    struct door_quiet *q = &door->quiet;

    q->period_ms = period_ms;
    q->due_ms = vmm_now_ms() + period_ms;
    q->out = taken(door);
    q->in = given(door);
    console_quiet(&door->console, true); /* the service, too, hears of a period's bytes at once */
}

static bool input_waits(const struct door *door) { return door->n_kept > 0 || !vc_source_idle(&door->console.source); }

/* The port may have been closed just now: who closes it makes it loud again after us, or we see that it is no longer ours. */
static bool make_quiet(struct door *door)
{
    struct domain *d = door->domain;
    struct vc_event_binding binding;

    if (!d->ops->quiet(d->engine, door->port, true))
        return false;
    if (vc_events_look(&d->events, door->port, &binding) == VC_OK && binding.kind == VC_EVENT_DOOR &&
        binding.door == &door->to)
        return true;
    d->ops->quiet(d->engine, door->port, false);
    return false;
}

static bool may_be_quiet(const struct door *door)
{
    return door->domain->ops->quiet != NULL && !door->frozen && door->pvcons.state == VC_PVCONS_CONNECTED &&
           door->console.flow == CONSOLE_FLOWS && !domain_interrupted(door->domain) && !input_waits(door);
}

void door_quiet_sent(struct door *door)
{
    struct door_quiet *q = &door->quiet;
    uint64_t now = vmm_now_ms();
    bool burst = now <= q->sent_ms + QUIET_BURST_MS;

    q->sent_ms = now;
    if (!burst || atomic_load(&q->on) || !may_be_quiet(door) || !make_quiet(door))
        return;
    q->port = door->port;
    atomic_store(&q->on, true);
    next_period(door, 1);
    door_ask_for_a_look(door); /* the loop has a deadline now */
}

void door_quiet_end(struct door *door)
{
    struct domain *d = door->domain;

    if (!atomic_load(&door->quiet.on))
        return;
    d->ops->quiet(d->engine, door->quiet.port, false); /* before the look: see the header */
    atomic_store(&door->quiet.on, false);
    console_quiet(&door->console, false);
    door_serve(door);
}

void door_quiet_tick(struct door *door)
{
    struct door_quiet *q = &door->quiet;
    bool some = taken(door) != q->out || given(door) != q->in;

    if (!atomic_load(&q->on) || (may_be_quiet(door) && vmm_now_ms() < q->due_ms))
        return;
    if (some && may_be_quiet(door))
        next_period(door, q->period_ms < QUIET_MAX_MS ? q->period_ms * 2 : QUIET_MAX_MS);
    else
        door_quiet_end(door);
}

bool door_quiet_look(struct door *door, bool yields)
{
    uint32_t before;
    bool some;

    console_lock(&door->console);
    before = taken(door);
    if (yields && !door->frozen)
        vc_pvcons_serve_yield(&door->pvcons); /* what it leaves, held or broken, is the loop's when it is due */
    else
        door_serve(door);
    some = taken(door) != before;
    console_unlock(&door->console);
    return some;
}
