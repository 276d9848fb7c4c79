/* SPDX-License-Identifier: MIT */
/* Sources that are connected while somebody wants to see them: connect = viewer. */
#include <stdio.h>

#include "connector.h"
#include "console.h"
#include "service.h"
#include "viewer.h"

/* Who looks at what there is, is nobody. */
static bool is_attached(const struct viewer *v) { return v->end == UINT64_MAX; }

bool connector_wanted(const struct connector *k)
{
    const struct viewer *v = k->console->viewers;

    if (!k->settings.on_demand)
        return true;
    while (v != NULL && !is_attached(v))
        v = v->next;
    return v != NULL;
}

void connector_idle(struct connector *k)
{
    connector_cancel(k);
    k->pause_ms = CONNECT_PAUSE_MS;
    snprintf(k->reason, sizeof k->reason, "it is connected when somebody attaches");
}

static void over(uv_timer_t *timer)
{
    struct connector *k = timer->data;

    if (!connector_wanted(k))
        console_detach(k->console, false); /* it becomes idle by its end */
}

/* Nobody is there any more. The timer is that of attempts, of which a connected one makes none. */
static void leave(struct connector *k)
{
    uv_timer_t *timer = &k->retry;

    if (k->source == NULL)
        connector_idle(k);
    else if (!uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, over, (uint64_t)k->settings.linger_s * 1000, 0);
}

void connector_look(struct connector *k)
{
    uv_timer_t *timer = &k->retry;

    if (!k->settings.on_demand || k->going)
        return;
    uv_update_time(&k->service->loop);
    if (!connector_wanted(k))
        leave(k);
    else if (k->source != NULL)
        uv_timer_stop(timer);
    else if (!k->trying)
        uv_timer_start(timer, connector_due, 0, 0); /* by the loop: whoever calls us is in the middle of a viewer */
}

bool connector_on_demand(const struct console *c) { return c->connector != NULL && c->connector->settings.on_demand; }

void connector_viewers(const struct console *c)
{
    if (!c->service->stopping && c->connector != NULL)
        connector_look(c->connector);
}
