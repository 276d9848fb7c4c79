/* SPDX-License-Identifier: MIT */
/* The old service's part: what it gives, and how it goes on if nobody takes it. */
#include <vcons/wire/control.h>

#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connector.h"
#include "console.h"
#include "control_requests.h"
#include "host/message.h"
#include "manager.h"
#include "service.h"
#include "upgrade_wire.h"

/* A console whose source can go on with somebody else, as it stands. */
static bool can_yield(const struct console *c)
{
    return c->source != NULL && !c->removing && c->connector != NULL && c->source->ops->handover != NULL;
}

/* Sending. */

/* As upgrade_send, with the descriptor's number in its place. */
static bool store(struct service *s, uint32_t type, int fd, const void *payload, uint32_t n)
{
    struct upgrade_head head = {.magic = UPGRADE_MAGIC, .type = type, .has_fd = s->upgrade.n_stored, .bytes = n};
    char name[32];

    snprintf(name, sizeof name, MANAGER_STORED "%u", s->upgrade.n_stored++);
    manager_store(&s->manager, name, fd);
    return write(s->manager.state_fd, &head, sizeof head) == (ssize_t)sizeof head &&
           write(s->manager.state_fd, payload, n) == (ssize_t)n;
}

static bool give(struct service *s, uint32_t type, int fd, const void *payload, uint32_t n)
{
    if (s->upgrade.storing)
        return store(s, type, fd, payload, n);
    return upgrade_send(s->upgrade.fd, type, fd, payload, n) == 0;
}

static bool give_listening(struct service *s, const char *name, const struct watch *w, bool given)
{
    struct upgrade_listening l = {.ours = given ? 0 : 1};

    snprintf(l.name, sizeof l.name, "%s", name);
    return !w->on || give(s, UPGRADE_LISTENING, w->fd, &l, sizeof l);
}

static bool give_manager(struct service *s)
{
    struct upgrade_manager m = {
        .watchdog_us = s->manager.watchdog_us, .at = s->manager.at, .bytes = s->manager.at_bytes};

    return s->manager.fd < 0 || give(s, UPGRADE_MANAGER, -1, &m, sizeof m);
}

static bool give_starter(struct service *s)
{
    struct upgrade_starter starter = {.next = s->starter.next};

    return s->starter.fd < 0 || give(s, UPGRADE_STARTER, s->starter.fd, &starter, sizeof starter);
}

/* One piece more of a record; n: its bytes so far. False: it has no room. */
static bool put(char payload[UPGRADE_PAYLOAD], uint32_t *n, const void *bytes, uint32_t more)
{
    if (more > UPGRADE_PAYLOAD - *n)
        return false;
    if (more > 0)
        memcpy(payload + *n, bytes, more);
    *n += more;
    return true;
}

static bool give_source(struct service *s, const struct console *c)
{
    static char payload[UPGRADE_PAYLOAD];
    const char *text = c->connector->settings.source;
    struct source_handover h = {.n_out = 0};
    struct upgrade_source_head head = {.n_text = (uint32_t)strlen(text), .asked = c->connector->asked};
    int fd = c->source->ops->handover(c->source, &h);
    uint32_t n = 0;

    if (fd < 0)
        return true; /* it cannot, as it stands now: it is connected anew */
    head.n_kept = h.n_kept;
    head.n_out = h.n_out;
    memcpy(head.domain, c->log.domain, sizeof head.domain);
    memcpy(head.console, c->log.console, sizeof head.console);
    return put(payload, &n, &head, sizeof head) && put(payload, &n, h.kept, h.n_kept) &&
           put(payload, &n, text, head.n_text) && put(payload, &n, h.out, h.n_out) &&
           give(s, UPGRADE_SOURCE, fd, payload, n);
}

static bool give_all(struct service *s)
{
    bool well = give(s, UPGRADE_LOCK, s->lock_fd, NULL, 0) && give_manager(s) && give_starter(s) &&
                give_listening(s, PATHS_CONTROL, &s->control_listen, s->control_given) &&
                give_listening(s, PATHS_LINK, &s->link_listen, s->link_given) &&
                give_listening(s, METRICS_SOCKET, &s->metrics.socket, s->metrics.given);

    for (const struct console *c = s->registry.first; c != NULL && well; c = c->next)
        well = !c->handing || give_source(s, c);
    return well && give(s, UPGRADE_END, -1, NULL, 0);
}

/* The answer, the records, its word, ours: from there on it is the service. */
static bool agree(struct service *s, const json_t *id)
{
    json_t *answer = control_ok(id, json_pack("{s:i}", "version", (int)UPGRADE_VERSION));
    char *text = json_dumps(answer, JSON_COMPACT);
    bool well = false;
    char word = 0;

    json_decref(answer);
    if (text != NULL)
        well = upgrade_send_bytes(s->upgrade.fd, text, strlen(text), -1) == 0 &&
               upgrade_send_bytes(s->upgrade.fd, "\n", 1, -1) == 0;
    free(text);
    return well && give_all(s) && upgrade_receive_byte(s->upgrade.fd, &word) == 0 && word == UPGRADE_TAKEN &&
           upgrade_send_bytes(s->upgrade.fd, &(char){UPGRADE_YOURS}, 1, -1) == 0;
}

/* Going on, or going. */

static void resume(struct service *s)
{
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->handing)
            console_resume(c);
}

static void let_go(struct service *s)
{
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->handing)
            console_let_go(c); /* our descriptor, not its */
}

/* What runs for them is the next one's. */
static void disown_commands(struct service *s)
{
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->handing)
            c->connector->asked = 0;
}

static void leave(struct service *s)
{
    s->upgrade.agreed = true;
    s->control_given = s->link_given = s->metrics.given = true; /* their names are its */
    disown_commands(s);
    service_stop(s);
    let_go(s);
}

static void store_all(struct service *s)
{
    bool well = give_starter(s);

    for (const struct console *c = s->registry.first; c != NULL && well; c = c->next)
        well = !c->handing || give_source(s, c);
    if (s->upgrade.n_stored > 0)
        manager_store(&s->manager, MANAGER_STATE, s->manager.state_fd);
    manager_barrier(&s->manager);
    disown_commands(s);
    let_go(s);
}

static void all_yielded(struct service *s)
{
    struct control *k = s->upgrade.asker;

    if (s->upgrade.storing) {
        store_all(s);
        return;
    }
    s->upgrade.asker = NULL;
    s->upgrade.fd =
        k != NULL ? fcntl(k->watch.fd, F_DUPFD_CLOEXEC, 0) : -1; /* ours alone: it says by its end that we have ended */
    if (s->upgrade.fd >= 0 && agree(s, k->asked_id)) {
        message_at(MESSAGE_NOTICE, "pid %d goes on from here", (int)k->peer.pid);
        leave(s);
        return;
    }
    if (k != NULL) {
        message("pid %d has not taken over: this service goes on", (int)k->peer.pid);
        shutdown(k->watch.fd, SHUT_RDWR); /* it ends by what its watch says then */
    }
    if (s->upgrade.fd >= 0)
        close(s->upgrade.fd);
    s->upgrade.fd = -1;
    resume(s);
}

void upgrade_yielded(struct console *c)
{
    if (--c->service->upgrade.n_pending == 0)
        all_yielded(c->service);
}

void upgrade_asker_gone(struct service *s, const struct control *k)
{
    if (s->upgrade.asker == k)
        s->upgrade.asker = NULL;
}

const char *upgrade_begin(struct service *s, struct control *asker)
{
    struct upgrade *u = &s->upgrade;

    if (s->stopping || u->n_pending > 0 || u->agreed)
        return "this service ends already, or is being taken over";
    if (__atomic_load_n(&s->store.n_failing, __ATOMIC_RELAXED) > 0)
        return "logs cannot be written: what is kept in memory meanwhile would be lost";
    u->asker = asker;
    u->n_pending = 1; /* ourselves, until all are asked */
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (can_yield(c)) {
            u->n_pending++;
            console_yield(c);
        }
    if (--u->n_pending == 0)
        all_yielded(s);
    return NULL;
}

bool upgrade_store(struct service *s)
{
    struct upgrade *u = &s->upgrade;

    if (s->manager.state_fd < 0 || u->agreed || u->n_pending > 0)
        return false;
    u->storing = true;
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (can_yield(c)) {
            u->n_pending++;
            console_yield(c);
        }
    return u->n_pending > 0;
}
