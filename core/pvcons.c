/* SPDX-License-Identifier: MIT */
#include <vcons/atomic.h>
#include <vcons/pvcons.h>

void vc_pvcons_init(struct vc_pvcons *c, const struct vc_pvcons_env *env, void *ctx)
{
    *c = (struct vc_pvcons){.env = env, .ctx = ctx};
}

static void notify(struct vc_pvcons *c)
{
    c->owes = false;
    c->env->notify(c->ctx);
}

/*
 * Room was made in a ring that held n bytes. Who waits for some found the ring full, and it was, unless that one had looked
 * at an out_cons that has moved since: this one, and whoever waits for an empty ring, learns of it by what is owed.
 */
static void notify_of_room(struct vc_pvcons *c, uint32_t n)
{
    if (c->env->owe == NULL || (n == XENCONS_OUT_SIZE && !c->yields)) {
        notify(c);
    } else if (!c->owes) {
        c->owes = true;
        c->env->owe(c->ctx);
    }
}

/* What the caller takes of the *had bytes in the out ring; *left: it did not take all. */
static int drain(struct vc_pvcons *c, bool *moved, bool *left, uint32_t *had)
{
    uint8_t bytes[XENCONS_OUT_SIZE]; /* what env sees nobody changes any more */
    struct vc_span spans[2];
    uint32_t n, taken;
    int error = vc_consumer_peek(&c->back.out, spans, &n);

    *had = n;
    if (error || n == 0)
        return error;
    vc_copy_once(bytes, spans[0].bytes, spans[0].n);
    vc_copy_once(bytes + spans[0].n, spans[1].bytes, spans[1].n);
    taken = c->env->out(c->ctx, bytes, n);
    *left = taken < n;
    if (taken > 0) {
        vc_consumer_commit(&c->back.out, taken);
        *moved = true;
    }
    return VC_OK;
}

static int feed(struct vc_pvcons *c, bool *moved)
{
    uint8_t bytes[XENCONS_IN_SIZE];
    uint32_t room, n;
    int error = vc_producer_room(&c->back.in, &room);

    if (error || room == 0)
        return error;
    n = c->env->in(c->ctx, bytes, room);
    if (n == 0)
        return VC_OK;
    error = vc_producer_put(&c->back.in, bytes, n, &n); /* fits, unless the guest just broke in_cons */
    *moved = *moved || n > 0;
    return error;
}

static enum vc_pvcons_served mark_broken(struct vc_pvcons *c, enum vc_pvcons_reason reason)
{
    c->state = VC_PVCONS_BROKEN;
    c->retry_ms = c->env->now_ms(c->ctx) + VC_PVCONS_RETRY_MS;
    c->env->broken(c->ctx, reason);
    return VC_PVCONS_RETRY;
}

static enum vc_pvcons_served pass(struct vc_pvcons *c)
{
    bool room = false, input = false, left = false;
    enum vc_pvcons_reason reason = VC_PVCONS_OUT_INDICES;
    uint32_t had;
    int error = drain(c, &room, &left, &had);

    if (!error && c->state == VC_PVCONS_CONNECTED) {
        reason = VC_PVCONS_IN_INDICES;
        error = feed(c, &input);
    }
    if (input) /* there is no event index: after every change, and never without one */
        notify(c);
    else if (room)
        notify_of_room(c, had);
    if (error)
        return mark_broken(c, reason);
    return left ? VC_PVCONS_HELD : VC_PVCONS_DONE;
}

static void tell(struct vc_pvcons *c, bool connected)
{
    vc_xencons_back_connect(&c->back, connected);
    notify(c); /* a guest that waits for room looks at the flag again */
}

/* Attach anew, from the indices that the guest left, if they are legal by now. */
static bool heal(struct vc_pvcons *c)
{
    uint64_t now = c->env->now_ms(c->ctx);

    if (now < c->retry_ms)
        return false;
    c->retry_ms = now + VC_PVCONS_RETRY_MS;
    if (vc_xencons_back_attach(&c->back, c->back.page) != VC_OK)
        return false;
    c->state = c->connect ? VC_PVCONS_CONNECTED : VC_PVCONS_SERVED;
    tell(c, c->connect);
    return true;
}

enum vc_pvcons_served vc_pvcons_serve(struct vc_pvcons *c)
{
    if (c->state == VC_PVCONS_DETACHED)
        return VC_PVCONS_DONE;
    if (c->state == VC_PVCONS_BROKEN && !heal(c))
        return VC_PVCONS_RETRY;
    return pass(c);
}

enum vc_pvcons_served vc_pvcons_serve_yield(struct vc_pvcons *c)
{
    enum vc_pvcons_served served;

    c->yields = true;
    served = vc_pvcons_serve(c);
    c->yields = false;
    return served;
}

int vc_pvcons_attach(struct vc_pvcons *c, struct xencons_interface *page)
{
    bool moved = false, left = false;
    uint32_t had;
    int error;

    if (c->state != VC_PVCONS_DETACHED)
        return VC_EBUSY;
    error = vc_xencons_back_attach(&c->back, page);
    if (error)
        return error;
    error = c->env->bind(c->ctx);
    if (error)
        return error;
    error = drain(c, &moved, &left, &had);
    if (error) {
        c->env->unbind(c->ctx);
        return error;
    }
    c->owes = false;
    if (moved)
        notify(c);
    c->connect = false;
    c->state = VC_PVCONS_SERVED;
    return VC_OK;
}

int vc_pvcons_connect(struct vc_pvcons *c)
{
    if (c->state == VC_PVCONS_DETACHED)
        return VC_EINVAL;
    c->connect = true;
    if (c->state == VC_PVCONS_BROKEN)
        return VC_OK;
    c->state = VC_PVCONS_CONNECTED;
    tell(c, true);
    return VC_OK;
}

enum vc_pvcons_served vc_pvcons_disconnect(struct vc_pvcons *c)
{
    enum vc_pvcons_served left;

    if (c->state == VC_PVCONS_DETACHED)
        return VC_PVCONS_DONE;
    c->connect = false;
    if (c->state == VC_PVCONS_CONNECTED)
        c->state = VC_PVCONS_SERVED; /* no more input */
    left = vc_pvcons_serve(c);
    tell(c, false);
    return left;
}

void vc_pvcons_settle(struct vc_pvcons *c)
{
    if (c->owes && c->state != VC_PVCONS_DETACHED)
        notify(c);
}

void vc_pvcons_detach(struct vc_pvcons *c, bool for_good)
{
    if (c->state == VC_PVCONS_DETACHED)
        return;
    if (for_good)
        vc_pvcons_disconnect(c);
    vc_pvcons_settle(c);
    c->env->unbind(c->ctx);
    c->state = VC_PVCONS_DETACHED;
}

bool vc_pvcons_unread(const struct vc_pvcons *c)
{
    uint32_t room;

    if (c->state != VC_PVCONS_SERVED && c->state != VC_PVCONS_CONNECTED)
        return false;
    return vc_producer_room(&c->back.in, &room) == VC_OK && room < XENCONS_IN_SIZE;
}
