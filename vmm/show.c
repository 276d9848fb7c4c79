/* SPDX-License-Identifier: MIT */
#include "show.h"
#include "vmm.h"

static void due(uv_timer_t *timer);

static void write_now(struct show *s)
{
    atomic_store(&s->bytes, 0);
    atomic_store(&s->paced, true);
    uv_timer_start(&s->timer, due, s->pace_ms, 0);
    terminal_write(&s->vmm->terminal);
}

/* Either this sees what is wanted, or who wants it sees that nobody will look: paced and wanted are each other's partners. */
static void due(uv_timer_t *timer)
{
    struct show *s = timer->data;

    atomic_store(&s->paced, false);
    if (!atomic_exchange(&s->wanted, false)) {
        s->pace_ms = SHOW_MS;
        return;
    }
    s->pace_ms = s->pace_ms < SHOW_MAX_MS ? s->pace_ms * 2 : SHOW_MAX_MS;
    write_now(s);
}

void show_init(struct show *s, struct vmm *vmm)
{
    s->vmm = vmm;
    s->pace_ms = SHOW_MS;
    uv_timer_init(&vmm->loop, &s->timer);
    s->timer.data = s;
}

void show_finish(struct show *s) { uv_close((uv_handle_t *)&s->timer, NULL); }

void show_wanted(struct show *s)
{
    atomic_store(&s->wanted, true);
    if (!atomic_load(&s->paced))
        vmm_notify(s->vmm);
}

void show_bytes(struct show *s, uint32_t n)
{
    uint32_t before = atomic_fetch_add(&s->bytes, n);

    if (before < SHOW_BYTES && n >= SHOW_BYTES - before)
        vmm_notify(s->vmm);
}

void show_at_once(struct show *s) { show_bytes(s, SHOW_BYTES); }

void show_look(struct show *s)
{
    if ((!atomic_load(&s->paced) || atomic_load(&s->bytes) >= SHOW_BYTES) && atomic_exchange(&s->wanted, false))
        write_now(s);
}
