/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "copy.h"
#include "host/message.h"
#include "host/name.h"
#include "lease.h"
#include "pty.h"
#include "raw.h"
#include "registry.h"
#include "service.h"
#include "unsaved.h"
#include "upgrade.h"
#include "viewer.h"

#define NEWS_A_TURN 256u /* as long as the append thread is as quick as we are there is always one more */

int console_open(struct console *c)
{
    char domain[LOG_NAME_BYTES], console[LOG_NAME_BYTES];
    struct log_time now;
    int error;

    if (c->log_open)
        return 0;
    memcpy(domain, c->log.domain, sizeof domain);
    memcpy(console, c->log.console, sizeof console);
    service_clocks(&now);
    error = log_open(&c->log, &c->service->store, domain, console, 0, &now);
    /* The names are what we are found by: they stay, whatever became of the log. */
    memcpy(c->log.domain, domain, sizeof domain);
    memcpy(c->log.console, console, sizeof console);
    c->log_open = error == 0;
    return error;
}

const char *console_state(const struct console *c)
{
    static const char *const names[] = {[VC_DOMAIN_RUNNING] = "running",
                                        [VC_DOMAIN_OFF] = "off",
                                        [VC_DOMAIN_CRASHED] = "crashed",
                                        [VC_DOMAIN_PAUSED] = "paused"};

    if (c->source == NULL && !c->gone)
        return "away";
    return names[c->state];
}

/* Where the log knows this very line, go on there; else say that something is missing, if it is, and attach anew. */
static void join(struct console *c, struct source *source, const struct log_time *now)
{
    static const uint8_t none[16];
    struct log_point point;
    bool known = memcmp(source->line_id, none, sizeof none) != 0 && log_resume(&c->log, source->line_id, &point);

    if (known && source->ops->resume != NULL && source->ops->resume(source, point.cons, point.event) == VC_OK)
        known = true;
    else if (known || (source->ops->used != NULL && source->ops->used(source)))
        log_mark(&c->log, VC_INDEX_GAP, UINT64_MAX, 0, now);
    log_attach(&c->log, source->line_id, source->ops->index(source), now);
}

/* Whose it is from here on: what its hypervisor says next is about this line, also while the one before is drained. */
static void belong(struct console *c, const struct origin *origin)
{
    const struct origin *o = &c->origin;

    c->owner_kept = c->owner_kept && o->uid == origin->uid && o->pid == origin->pid &&
                    memcmp(o->uuid, origin->uuid, sizeof o->uuid) == 0;
    registry_set_link(c, NULL);
    c->origin = *origin;
    registry_set_link(c, origin->link);
    c->gone = false;
    c->state = VC_DOMAIN_RUNNING;
}

static int post_size(struct console *c)
{
    return c->source->ops->post != NULL ? c->source->ops->post(c->source, VC_INDEX_RESIZE, c->size) : VC_OK;
}

/* A source without room says when it has some. */
static void tell_size(struct console *c)
{
    int error;

    if (!c->size_owed || c->source == NULL || c->removing)
        return;
    error = post_size(c);
    if (error == VC_ENOSPC && !console_wait_room(c))
        error = post_size(c); /* there was room before it could say so; not for ever: it may be a liar */
    c->size_owed = error == VC_ENOSPC;
}

void console_resize(struct console *c, uint32_t size)
{
    c->size = size;
    c->size_owed = true;
    tell_size(c);
}

void console_settle(struct console *c)
{
    struct console_settings settings = config_for(&c->service->config, c->log.domain, c->log.console);
    struct problem p = {.text = ""};
    struct log_status log;

    append_limit_set(&c->append.limit, settings.limit, settings.drop_over_limit);
    if (!settings.pty)
        pty_withdraw(c);
    if (!settings.pty || c->source == NULL)
        return;
    log_status_get(&c->log, &log);
    if (pty_open(c, PTY_LINK, log.length, &p) == NULL)
        message("%s/%s has no pty: %s", c->log.domain, c->log.console, p.text);
}

/* What it is to a world outside: plain sockets, and a pty and a text file where the configuration wants them. */
static void show(struct console *c)
{
    struct log_status log;

    raw_open(c);
    log_status_get(&c->log, &log);
    copy_begin(c, log.length);
    console_settle(c);
}

/* Its log is open, and it belongs to whoever brought the source. */
static void attach_now(struct console *c, struct source *source)
{
    struct log_time now;

    service_clocks(&now);
    join(c, source, &now);
    c->source = source;
    c->service->registry.n_sources++;
    message_at(MESSAGE_DEBUG, "%s/%s: attached, a %s", c->log.domain, c->log.console, source->ops->type);
    show(c);
    __atomic_store_n(&c->append.guest, VC_GUEST_UNKNOWN, __ATOMIC_RELAXED); /* until somebody tells */
    if (source->ops->greet != NULL)
        source->ops->greet(source);
    append_add(&c->service->append, c);
    if (viewers_flow(c, APPENDED_MARK, NULL, 0, 0))
        viewers_pump(c);
    c->size_owed |= c->token.holder != NULL && c->size != 0; /* another line, the same terminal */
    tell_size(c);                                            /* first, as it was before what is typed now */
    viewer_room(c);                                          /* somebody may have been typing into the void */
}

int console_attach(struct console *c, struct source *source, const struct origin *origin)
{
    int error = console_open(c);

    if (error)
        return error;
    if (c->source != NULL && (!c->removing || c->later != NULL || c->handing))
        return -EBUSY;
    if (c->source != NULL)
        c->later = source;
    belong(c, origin);
    if (c->later == NULL)
        attach_now(c, source);
    return 0;
}

static int rename_one(struct service *s, struct console *c, const char *name)
{
    int error = c->source != NULL ? -EBUSY : console_find(s, name, c->log.console) != NULL ? -EEXIST : console_open(c);

    if (error)
        return error;
    raw_close(c); /* what has the name in its path comes again with the source */
    copy_gone(c);
    pty_unlink(c); /* whoever has it open keeps it */
    registry_leave_names(c);
    lease_forget(c);
    error = log_rename(&c->log, name);
    lease_keep(c);
    pty_link(c);
    registry_enter_names(c); /* by the name that it has now */
    return error;
}

int console_rename(struct service *s, const char *domain, const char *name)
{
    int failed = 0;

    for (struct console *c = s->registry.first; c != NULL; c = c->next) {
        int error = strcmp(c->log.domain, domain) == 0 ? rename_one(s, c, name) : 0;

        failed = error ? error : failed;
    }
    return failed;
}

static void forget_later(struct console *c)
{
    if (c->later == NULL)
        return;
    c->later->ops->destroy(c->later);
    c->later = NULL;
}

/* Who looks at it has seen all that there will be. */
static void ended(struct console *c)
{
    viewers_end(c);
    pty_gone(c);
    copy_gone(c);
}

void console_guest(struct console *c, uint32_t end)
{
    uint32_t was = __atomic_load_n(&c->append.guest, __ATOMIC_RELAXED);

    while ((was & APPEND_GUEST_SEEN) == 0 &&
           !__atomic_compare_exchange_n(&c->append.guest, &was, end, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
}

void console_detach(struct console *c, bool for_good)
{
    c->gone = c->gone || for_good;
    registry_set_link(c, NULL);
    if (for_good && c->state == VC_DOMAIN_RUNNING)
        c->state = VC_DOMAIN_OFF;
    if (c->token.terminal || c->token.claimed)
        token_claim(c, false);
    forget_later(c);
    if (c->source == NULL && for_good)
        ended(c);
    if (c->source == NULL || c->removing)
        return;
    c->removing = true;
    watch_end(&c->service->watches, &c->room);
    append_remove(&c->service->append, c);
}

/* The append thread is done with the source. */
static void removed(struct console *c)
{
    struct source *later = c->later;

    message_at(MESSAGE_DEBUG, "%s/%s: detached", c->log.domain, c->log.console);
    c->source->ops->destroy(c->source);
    c->source = NULL;
    c->removing = false;
    c->service->registry.n_sources--;
    c->later = NULL;
    if (later != NULL)
        attach_now(c, later);
    if (c->source == NULL)
        viewers_orphans(c);
    if (c->source == NULL && log_unsaved(&c->log))
        unsaved_retry(c->service);
    if (c->gone && c->source == NULL)
        ended(c);
    service_idle_check(c->service);
}

void console_yield(struct console *c)
{
    c->handing = c->removing = true;
    watch_end(&c->service->watches, &c->room);
    append_remove(&c->service->append, c);
}

/* Nothing was lost: the log has a detach here, an attach, and no gap. */
void console_resume(struct console *c)
{
    struct log_time now;

    service_clocks(&now);
    c->handing = c->removing = false;
    log_attach(&c->log, c->source->line_id, c->source->ops->index(c->source), &now);
    append_add(&c->service->append, c);
    if (viewers_flow(c, APPENDED_MARK, NULL, 0, 0))
        viewers_pump(c);
    tell_size(c);
    viewer_room(c);
}

void console_let_go(struct console *c)
{
    c->handing = false;
    removed(c);
}

void console_news(struct service *s)
{
    struct console *c;
    uint32_t news, turns = 0;

    while (turns++ < NEWS_A_TURN && (c = append_collect(&s->append, &news)) != NULL) {
        if (news & APPEND_ENDED)
            console_detach(c, false);
        if (news & APPEND_OUTPUT)
            viewers_pump(c);
        if (news & (APPEND_SYNCED | APPEND_REMOVED))
            control_synced(s, c);
        if (news & APPEND_REMOVED && c->handing)
            upgrade_yielded(c);
        else if (news & APPEND_REMOVED)
            removed(c);
    }
    if (turns > NEWS_A_TURN)
        waker_ask(&s->news); /* there may be more */
}

static void room_ready(struct watch *w, uint32_t events)
{
    struct console *c = (struct console *)((char *)w - offsetof(struct console, room));
    uint32_t room;

    (void)events;
    (void)c->source->ops->room(c->source, &room); /* what it has left to send goes first */
    tell_size(c);
    viewer_room(c);
}

bool console_wait_room(struct console *c)
{
    if (c->source == NULL || c->removing)
        return true; /* attach_now will tell */
    if (!c->room.on) {
        c->room.fd = c->source->room_fd;
        c->room.ready = room_ready;
        if (watch_set(&c->service->watches, &c->room, c->source->room_events | EPOLLET) != 0)
            return true;
    }
    return c->source->ops->room_rest(c->source);
}

void registry_close(struct service *s)
{
    struct console *next;
    struct log_time now;

    service_clocks(&now);
    for (struct console *c = s->registry.first; c != NULL; c = next) {
        next = c->next;
        viewers_drop(c);
        pty_close(c);
        raw_close(c);
        if (c->log_open)
            log_close(&c->log, &now);
        token_end(c);
        pthread_mutex_destroy(&c->live);
        free(c);
    }
    registry_open(&s->registry);
}
