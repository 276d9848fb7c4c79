/* SPDX-License-Identifier: MIT */
#include "focus.h"
#include "memory.h"

#define WRITE_CHUNK 4096u /* bytes shown between two releases of the locks */
#define TYPE_BATCH  64u

static unsigned long lock(struct vc_focus *f, void *which)
{
    return vc_lock_take(&f->env->lock, which, which == f->lock ? VC_RANK_CONSOLE : VC_RANK_DOMAIN_CONSOLE, 0);
}
static void unlock(struct vc_focus *f, void *which, unsigned long saved) { vc_lock_drop(&f->env->lock, which, saved); }

static bool size_ok(uint32_t n, uint32_t least) { return n >= least && (n & (n - 1)) == 0; }

int vc_focus_init(struct vc_focus *f, const struct vc_focus_config *c)
{
    if (!size_ok(c->typed_bytes, 1) || !size_ok(c->output_bytes, 4096))
        return VC_EINVAL;
    *f = (struct vc_focus){.env = c->env, .ctx = c->ctx, .lock = c->lock, .notice = c->notice, .cooked = c->cooked};
    f->typed = c->typed;
    f->typed_size = c->typed_bytes;
    f->output = c->output;
    f->output_size = c->output_bytes;
    f->letter = 'a';
    f->last = '\n';
    return VC_OK;
}

int vc_focus_conswitch(struct vc_focus *f, const char *word)
{
    if (word[0] != '\0' && (word[0] < 'a' || word[0] > 'z'))
        return VC_EINVAL;
    f->letter = word[0];
    f->n_pending = 0;
    return VC_OK;
}

int vc_focus_add(struct vc_focus *f, struct vc_focus_domain *d, uint32_t id, void *domain_lock, const char *notice,
                 void *ctx)
{
    struct vc_focus_domain **at = &f->domains;

    while (*at != NULL && (*at)->id < id)
        at = &(*at)->next;
    if (id == 0)
        return VC_EINVAL;
    if (*at != NULL && (*at)->id == id)
        return VC_EBUSY;
    *d = (struct vc_focus_domain){.id = id, .lock = domain_lock, .notice = notice, .ctx = ctx, .next = *at};
    d->lines.left = VC_FOCUS_LINES_BYTES;
    d->raw.left = VC_FOCUS_RAW_BYTES;
    *at = d;
    return VC_OK;
}

static void unlink_domain(struct vc_focus *f, const struct vc_focus_domain *d)
{
    struct vc_focus_domain **at = &f->domains;

    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
}

/* What nobody read was typed for the domain that had the focus, and goes with it. Under the console lock. */
static void discard(struct vc_focus *f)
{
    if (f->focus != NULL)
        f->focus->counts.discarded += f->typed_prod - f->typed_cons;
    f->typed_cons = f->typed_prod;
}

/*
 * The one place where the focus moves. The new domain's lock is taken first: no write of its own can come
 * between its partial line and the focus.
 */
static void move(struct vc_focus *f, struct vc_focus_domain *to)
{
    unsigned long saved_domain = to != NULL ? lock(f, to->lock) : 0, saved = lock(f, f->lock);

    discard(f);
    f->focus = to;
    vc_focus_announce(f);
    if (to != NULL)
        vc_focus_push_partial(f, to);
    unlock(f, f->lock, saved);
    if (to != NULL)
        unlock(f, to->lock, saved_domain);
    f->env->moved(f->ctx, to);
}

void vc_focus_remove(struct vc_focus *f, struct vc_focus_domain *d)
{
    unsigned long saved_domain = lock(f, d->lock), saved = lock(f, f->lock);

    vc_focus_end_line(f, d);
    unlock(f, f->lock, saved);
    unlock(f, d->lock, saved_domain);
    unlink_domain(f, d);
    if (f->focus == d)
        move(f, NULL);
}

int vc_focus_start(struct vc_focus *f, uint32_t id)
{
    struct vc_focus_domain *d = f->domains;

    while (id != 0 && d != NULL && d->id != id)
        d = d->next;
    if (id != 0 && d == NULL)
        return VC_ENOENT;
    f->n_pending = 0;
    move(f, id != 0 ? d : NULL);
    return VC_OK;
}

/* Into the typed ring; false: keys for d are refused. */
static bool append_typed(struct vc_focus *f, struct vc_focus_domain *d, const uint8_t *bytes, uint32_t n)
{
    unsigned long saved = lock(f, f->lock);
    bool refused = d->refuse;
    uint32_t room = f->typed_size - (f->typed_prod - f->typed_cons), put = n < room ? n : room;

    if (refused) {
        d->counts.refused += n;
    } else {
        for (uint32_t i = 0; i < put; i++)
            f->typed[f->typed_prod++ & (f->typed_size - 1)] = bytes[i];
        d->counts.typed += n;
        d->counts.overflow += n - put;
    }
    unlock(f, f->lock, saved);
    return !refused;
}

/* The focus is looked at without its lock here and below: only this thread moves it. */
static void deliver(struct vc_focus *f, const uint8_t *bytes, uint32_t n)
{
    uint32_t i = 0;

    while (i < n && f->focus == NULL)
        f->env->key(f->ctx, bytes[i++]); /* may give the focus away */
    if (i == n)
        return;
    if (append_typed(f, f->focus, bytes + i, n - i))
        f->env->input(f->ctx, f->focus);
    else
        f->env->refused(f->ctx, f->focus);
}

static bool is_switch(const struct vc_focus *f, uint8_t byte)
{
    return f->letter != 0 && byte == (uint8_t)(f->letter - 'a' + 1);
}

static void switch_key(struct vc_focus *f)
{
    if (++f->n_pending < 3)
        return;
    f->n_pending = 0;
    move(f, f->focus != NULL ? f->focus->next : f->domains);
}

void vc_focus_type(struct vc_focus *f, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    uint8_t batch[TYPE_BATCH];
    uint32_t held = 0;

    for (size_t i = 0; i < n; i++) {
        if (is_switch(f, from[i])) {
            deliver(f, batch, held);
            held = 0;
            switch_key(f);
            continue;
        }
        for (; f->n_pending > 0; f->n_pending--) /* one or two that did not become a switch */
            batch[held++] = (uint8_t)(f->letter - 'a' + 1);
        batch[held++] = from[i];
        if (held > TYPE_BATCH - 3) {
            deliver(f, batch, held);
            held = 0;
        }
    }
    deliver(f, batch, held);
}

uint32_t vc_focus_read(struct vc_focus *f, struct vc_focus_domain *d, void *bytes, uint32_t n)
{
    unsigned long saved = lock(f, f->lock);
    uint32_t waiting = f->typed_prod - f->typed_cons, got = 0;
    uint8_t *to = bytes;

    if (f->focus == d)
        while (got < n && got < waiting)
            to[got++] = f->typed[f->typed_cons++ & (f->typed_size - 1)];
    d->counts.read += got;
    unlock(f, f->lock, saved);
    return got;
}

void vc_focus_write(struct vc_focus *f, struct vc_focus_domain *d, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;

    while (n > 0) {
        uint32_t chunk = n < WRITE_CHUNK ? (uint32_t)n : WRITE_CHUNK;
        unsigned long saved_domain = lock(f, d->lock), saved = lock(f, f->lock);

        vc_focus_show(f, d, from, chunk);
        unlock(f, f->lock, saved);
        unlock(f, d->lock, saved_domain);
        from += chunk;
        n -= chunk;
    }
}

void vc_focus_print(struct vc_focus *f, const char *text)
{
    unsigned long saved = lock(f, f->lock);

    vc_focus_say(f, text);
    unlock(f, f->lock, saved);
}

uint32_t vc_focus_take(struct vc_focus *f, void *bytes, uint32_t n)
{
    unsigned long saved = lock(f, f->lock);
    uint32_t waiting, slot, first;

    vc_focus_catch_up(f);
    waiting = f->output_prod - f->output_cons;
    slot = f->output_cons & (f->output_size - 1);
    n = n < waiting ? n : waiting;
    first = n < f->output_size - slot ? n : f->output_size - slot;
    memcpy(bytes, f->output + slot, first);
    memcpy((uint8_t *)bytes + first, f->output, n - first);
    f->output_cons += n;
    unlock(f, f->lock, saved);
    return n;
}

void vc_focus_refuse(struct vc_focus *f, struct vc_focus_domain *d, bool refuse)
{
    unsigned long saved = lock(f, f->lock);

    d->refuse = refuse;
    unlock(f, f->lock, saved);
}

uint32_t vc_focus_id(struct vc_focus *f)
{
    unsigned long saved = lock(f, f->lock);
    uint32_t id = f->focus != NULL ? f->focus->id : 0;

    unlock(f, f->lock, saved);
    return id;
}

struct vc_focus_counts vc_focus_count(struct vc_focus *f, const struct vc_focus_domain *d)
{
    unsigned long saved = lock(f, f->lock);
    struct vc_focus_counts counts = d->counts;

    unlock(f, f->lock, saved);
    return counts;
}
