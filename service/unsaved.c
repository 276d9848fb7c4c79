/* SPDX-License-Identifier: MIT */
#include "unsaved.h"

#include "console.h"
#include "service.h"

#define RETRY_MS 1000u

static void retry(uv_timer_t *timer)
{
    struct service *s = timer->data;
    struct log_time now;
    bool left = false;

    service_clocks(&now);
    for (struct console *c = s->registry.first; c != NULL; c = c->next) {
        if (c->source != NULL || !c->log_open || !log_unsaved(&c->log))
            continue;
        log_retry(&c->log, &now);
        left = left || log_unsaved(&c->log);
    }
    if (!left)
        uv_timer_stop(timer);
}

void unsaved_retry(struct service *s)
{
    if (!uv_is_active((const uv_handle_t *)&s->unsaved))
        uv_timer_start(&s->unsaved, retry, RETRY_MS, RETRY_MS);
}
