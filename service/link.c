/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "console.h"
#include "control.h"
#include "host/name.h"
#include "host/sock.h"
#include "owner.h"
#include "service.h"
#include "source_line.h"

#define PACKETS 64u /* of one link before the others have their turn */

struct link {
    struct watch watch;
    struct service *service;
    struct link *next;
    uid_t uid;
    pid_t pid;
    bool greeted, owes_tokens; /* owes: TOKEN packets that the socket did not take */
    uint32_t answer_bytes;     /* of the answer that the socket did not take; nothing is read meanwhile */
    struct vc_link_answer answer;
    char name[VC_LINK_NAME_BYTES];
};

const char *link_name(const struct link *l) { return l->name; }
uint32_t link_pid(const struct link *l) { return (uint32_t)l->pid; }
struct link *link_next(const struct link *l) { return l->next; }

static struct link *link_of(struct watch *w) { return (struct link *)(void *)w; }

static void link_end(struct link *l)
{
    struct service *s = l->service;
    struct link **at = &s->links;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    s->n_links--;
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->link == l)
            console_detach(c, false);
    control_link_ended(s, l);
    watch_end(&s->watches, &l->watch);
    close(l->watch.fd);
    if (l->greeted)
        message_at(MESSAGE_INFO, "hypervisor %s (pid %d) has gone", l->name, (int)l->pid);
    free(l);
    service_idle_check(s);
}

/* Sending. */

static bool send_packet(struct link *l, const void *packet, uint32_t bytes)
{
    return send(l->watch.fd, packet, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)bytes;
}

static void send_answer(struct link *l, uint32_t type, uint32_t cookie, uint32_t reason, const char *text)
{
    l->answer = (struct vc_link_answer){.head = {type, sizeof l->answer}, .cookie = cookie, .reason = reason};
    snprintf(l->answer.text, sizeof l->answer.text, "%s", text);
    if (send_packet(l, &l->answer, sizeof l->answer))
        return;
    l->answer_bytes = sizeof l->answer; /* also if the link is dead: reading it will tell */
    watch_set(&l->service->watches, &l->watch, EPOLLOUT);
}

static void refuse(struct link *l, uint32_t cookie, enum vc_link_reason reason, const char *text)
{
    send_answer(l, VC_LINK_REFUSED, cookie, reason, text);
}

void link_tell_token(struct console *c)
{
    struct vc_link_claim token = {.head = {VC_LINK_TOKEN, sizeof token}, .cookie = c->origin.cookie};
    char who[TOKEN_WHO_BYTES];

    if (c->link == NULL || c->service->stopping)
        return;
    token.holds = c->token.terminal;
    token_who(c, who);
    if (!token.holds)
        snprintf(token.holder, sizeof token.holder, "%s", who);
    if (send_packet(c->link, &token, sizeof token))
        return;
    c->link->owes_tokens = true;
    watch_set(&c->service->watches, &c->link->watch, c->link->answer_bytes ? EPOLLOUT : EPOLLIN | EPOLLOUT);
}

int link_ask(struct link *l, enum vc_link_request request, const char *domain, int file, uint32_t *serial)
{
    struct vc_link_ask ask = {.head = {VC_LINK_REQUEST, sizeof ask}, .request = request};

    ask.serial = ++l->service->next_serial;
    snprintf(ask.domain, sizeof ask.domain, "%s", domain);
    if (sock_send_fds(l->watch.fd, &ask, sizeof ask, &file, file >= 0) != (ssize_t)sizeof ask)
        return -EAGAIN;
    *serial = ask.serial;
    return 0;
}

int link_ask_console(struct link *l, struct vc_link_console *ask)
{
    ask->head = (struct vc_link_head){VC_LINK_CONSOLE, sizeof *ask};
    ask->serial = ++l->service->next_serial;
    return send_packet(l, ask, sizeof *ask) ? 0 : -EAGAIN;
}

/* The socket takes packets again: what was not sent goes first. */
static void send_owed(struct link *l)
{
    if (l->answer_bytes > 0 && !send_packet(l, &l->answer, l->answer_bytes))
        return;
    l->answer_bytes = 0;
    watch_set(&l->service->watches, &l->watch, EPOLLIN);
    if (!l->owes_tokens)
        return;
    l->owes_tokens = false;
    for (struct console *c = l->service->registry.first; c != NULL && !l->owes_tokens; c = c->next)
        if (c->link == l)
            link_tell_token(c);
}

/* Receiving. */

static bool text_ok(const char *text, size_t size) { return memchr(text, '\0', size) != NULL; }

static bool on_hello(struct link *l, const struct vc_link_hello *hello)
{
    struct vc_link_hello answer = {
        .head = {VC_LINK_HELLO, sizeof answer}, .version = VC_LINK_VERSION, .pid = (uint32_t)getpid()};

    if (hello->version != VC_LINK_VERSION) {
        refuse(l, 0, VC_LINK_E_VERSION, "this service speaks version 1");
        return false;
    }
    if (!text_ok(hello->name, sizeof hello->name) || !name_ok(hello->name)) {
        refuse(l, 0, VC_LINK_E_NAME, "a hypervisor's name is [A-Za-z0-9][A-Za-z0-9._-]{0,31}");
        return false;
    }
    for (const struct link *o = l->service->links; o != NULL; o = o->next)
        if (o != l && o->greeted && strcmp(o->name, hello->name) == 0) {
            char text[VC_LINK_TEXT_BYTES];

            snprintf(text, sizeof text, "%s is linked already, running as pid %d", o->name, (int)o->pid);
            refuse(l, 0, VC_LINK_E_BUSY, text);
            return false;
        }
    memcpy(l->name, hello->name, sizeof l->name);
    l->greeted = true;
    l->service->had_link = true;
    message_at(MESSAGE_INFO, "hypervisor %s (pid %d) is linked", l->name, (int)l->pid);
    return send_packet(l, &answer, sizeof answer);
}

/* 0, or why this domain is not this link's to bring (enum vc_link_reason). */
static uint32_t check_owner(struct link *l, const struct vc_link_add *add, const struct console *c)
{
    bool other_uuid = memcmp(c->origin.uuid, add->uuid, sizeof add->uuid) != 0;
    bool back_soon = c->origin.kind == 0 && uv_is_active((const uv_handle_t *)&l->service->returning); /* owner_load */

    if (!c->origin.owned)
        return 0; /* known by its log only, or from a source of our own */
    if (c->link != NULL && c->link != l)
        return VC_LINK_E_BUSY;
    if (l->uid != 0 && c->origin.uid != l->uid)
        return VC_LINK_E_OWNER;
    if (c->link == l)
        return other_uuid ? VC_LINK_E_OWNER : 0;
    /* Away. Its hypervisor will be back if it lives; if it does not, the domain boots anew with whoever brings it. */
    if (other_uuid && (!c->gone || back_soon) && c->origin.pid != l->pid &&
        (kill(c->origin.pid, 0) == 0 || errno == EPERM))
        return VC_LINK_E_OWNER;
    return 0;
}

static uint32_t check_domain(struct link *l, const struct vc_link_add *add)
{
    const struct console *c = NULL;
    uint32_t reason = 0;

    while (reason == 0 && (c = console_of_domain(l->service, add->domain, c)) != NULL)
        reason = check_owner(l, add, c);
    return reason;
}

static uint32_t check_add(struct link *l, const struct vc_link_add *add, unsigned n_fds)
{
    if (!text_ok(add->domain, sizeof add->domain) || !text_ok(add->console, sizeof add->console) ||
        !text_ok(add->engine, sizeof add->engine) || !name_ok(add->domain) || !name_ok(add->console))
        return VC_LINK_E_NAME;
    if ((add->geometry != VC_LINK_GEOMETRY_LINE && add->geometry != VC_LINK_GEOMETRY_XEN) || add->kind == 0)
        return VC_LINK_E_BAD;
    if (n_fds != VC_LINK_FDS)
        return VC_LINK_E_FDS;
    return check_domain(l, add);
}

static struct origin origin_of(struct link *l, const struct vc_link_add *add)
{
    struct origin o = {.link = l,
                       .cookie = add->cookie,
                       .kind = add->kind,
                       .domid = add->domid,
                       .boot = add->boot,
                       .uid = l->uid,
                       .pid = l->pid,
                       .first = add->first == 1,
                       .owned = true};

    memcpy(o.uuid, add->uuid, sizeof o.uuid);
    memcpy(o.hypervisor, l->name, sizeof o.hypervisor);
    snprintf(o.engine, sizeof o.engine, "%.*s", (int)sizeof o.engine - 1, add->engine);
    return o;
}

/* Take the line. 0: the descriptors are ours; else a reason, and they are still the caller's. */
static uint32_t take_line(struct link *l, const struct vc_link_add *add, const int fds[VC_LINK_FDS])
{
    struct console *c = console_find(l->service, add->domain, add->console);
    struct origin origin = origin_of(l, add);
    struct source *source;
    uint32_t reason;
    int error;

    if (console_of_link(l->service, l, add->cookie) != NULL ||
        (c != NULL && (c->link != NULL || (c->source != NULL && !c->removing))))
        return VC_LINK_E_BUSY;
    source = line_create(add->geometry, fds, &l->service->append.kicker, &l->service->kicker, &reason);
    if (source == NULL)
        return reason;
    if (memcmp(source->line_id, add->line_id, sizeof add->line_id) != 0)
        error = -EINVAL; /* the packet and the page must speak of one line */
    else if ((c = console_get(l->service, add->domain, add->console)) == NULL) /* only now: a refusal leaves none */
        error = -ENOMEM;
    else
        error = console_attach(c, source, &origin);
    if (error == 0) {
        owner_keep(c);
        return 0;
    }
    line_abandon(source); /* the descriptors stay the caller's */
    return error == -EINVAL ? VC_LINK_E_MEMORY : error == -EBUSY ? VC_LINK_E_BUSY : VC_LINK_E_LIMIT;
}

static const char *reason_text(uint32_t reason)
{
    static const char *const texts[] = {
        [VC_LINK_E_NAME] = "a name is [A-Za-z0-9][A-Za-z0-9._-]{0,31}",
        [VC_LINK_E_BUSY] = "that domain or console is live already",
        [VC_LINK_E_OWNER] = "that name belongs to another user or domain UUID",
        [VC_LINK_E_MEMORY] = "the memory must be a sealed memfd that holds a line with this id",
        [VC_LINK_E_FDS] = "a line comes with its memory and four eventfds",
        [VC_LINK_E_LIMIT] = "no descriptors, memory or disk left for one more console",
        [VC_LINK_E_BAD] = "a console is a line (geometry 1) or a ring page of Xen's (2), and has a kind",
    };

    return reason < sizeof texts / sizeof texts[0] && texts[reason] != NULL ? texts[reason] : "refused";
}

static void on_add(struct link *l, const struct vc_link_add *add, int fds[VC_LINK_FDS], unsigned n_fds)
{
    uint32_t reason = check_add(l, add, n_fds);

    if (reason == 0)
        reason = take_line(l, add, fds);
    if (reason == 0) {
        send_answer(l, VC_LINK_OK, add->cookie, 0, "");
        return;
    }
    for (unsigned i = 0; i < n_fds; i++)
        close(fds[i]);
    refuse(l, add->cookie, reason, reason_text(reason));
}

static bool on_answer(struct link *l, const struct vc_link_answer *a)
{
    struct console *c;

    if (!text_ok(a->text, sizeof a->text))
        return false;
    if (a->head.type != VC_LINK_GONE) {
        control_answered(l->service, l, a);
        return true;
    }
    c = console_of_link(l->service, l, a->cookie);
    if (c != NULL)
        console_detach(c, true);
    return true;
}

static void on_status(struct link *l, const struct vc_link_status *status)
{
    struct console *c = console_of_link(l->service, l, status->cookie);

    if (c == NULL || status->state < VC_DOMAIN_RUNNING || status->state > VC_DOMAIN_PAUSED)
        return;
    c->state = status->state;
    c->dropped = status->dropped;
    if (status->guest == VC_GUEST_OPEN || status->guest == VC_GUEST_CLOSED)
        console_guest(c, status->guest);
}

/* What was this hypervisor's, and it no longer has, ended while nobody could say so. */
static void on_all(struct link *l)
{
    for (struct console *c = l->service->registry.first; c != NULL; c = c->next)
        if (c->link == NULL && !c->gone && c->origin.uid == l->uid && strcmp(c->origin.hypervisor, l->name) == 0)
            console_detach(c, true);
}

static void on_claim(struct link *l, const struct vc_link_claim *claim)
{
    struct console *c = console_of_link(l->service, l, claim->cookie);

    if (c != NULL)
        token_claim(c, claim->holds == 1);
}

static uint32_t bytes_of_type(uint32_t type)
{
    switch (type) {
    case VC_LINK_HELLO: return sizeof(struct vc_link_hello);
    case VC_LINK_ADD: return sizeof(struct vc_link_add);
    case VC_LINK_GONE:
    case VC_LINK_OK:
    case VC_LINK_REFUSED: return sizeof(struct vc_link_answer);
    case VC_LINK_CLAIM: return sizeof(struct vc_link_claim);
    case VC_LINK_STATE: return sizeof(struct vc_link_status);
    case VC_LINK_ALL: return sizeof(struct vc_link_head);
    default: return 0;
    }
}

/* One packet; false: it breaks the protocol. Its descriptors are taken care of either way. */
static bool on_packet(struct link *l, const void *packet, uint32_t bytes, int *fds, unsigned n_fds)
{
    const struct vc_link_head *head = packet;
    bool legal = bytes >= sizeof *head && head->bytes == bytes && bytes_of_type(head->type) == bytes &&
                 (head->type == VC_LINK_HELLO) != l->greeted;

    if (legal && head->type == VC_LINK_ADD) {
        on_add(l, packet, fds, n_fds);
        return true;
    }
    for (unsigned i = 0; i < n_fds; i++)
        close(fds[i]);
    if (!legal || n_fds > 0) {
        refuse(l, 0, VC_LINK_E_BAD, "a packet that breaks the protocol");
        return false;
    }
    switch (head->type) {
    case VC_LINK_HELLO: return on_hello(l, packet);
    case VC_LINK_STATE: on_status(l, packet); return true;
    case VC_LINK_ALL: on_all(l); return true;
    case VC_LINK_CLAIM: on_claim(l, packet); return true;
    default: return on_answer(l, packet);
    }
}

static void ready(struct watch *w, uint32_t events)
{
    struct link *l = link_of(w);
    _Alignas(8) char packet[VC_LINK_PACKET_MAX];
    int fds[VC_LINK_FDS];
    unsigned n_fds;

    if (events & EPOLLOUT)
        send_owed(l);
    for (unsigned i = 0; i < PACKETS && l->answer_bytes == 0; i++) {
        ssize_t n = sock_recv_fds(w->fd, packet, sizeof packet, fds, VC_LINK_FDS, &n_fds);

        if (n == -EAGAIN || n == -EINTR)
            return;
        if (n == -EMSGSIZE)
            refuse(l, 0, VC_LINK_E_BAD, "a packet with more than it may have");
        if (n <= 0 || !on_packet(l, packet, (uint32_t)n, fds, n_fds)) {
            link_end(l);
            return;
        }
    }
    if (l->answer_bytes > 0 && (events & (EPOLLHUP | EPOLLERR)))
        link_end(l);
}

static void accept_one(struct watch *w, uint32_t events)
{
    struct service *s = (struct service *)((char *)w - offsetof(struct service, link_listen));
    int fd = service_accept(s, w->fd);
    struct ucred peer;
    struct link *l;

    (void)events;
    if (fd < 0)
        return;
    if (sock_peer(fd, &peer) != 0 || (peer.uid != 0 && peer.uid != s->own.uid) || s->stopping ||
        (l = calloc(1, sizeof *l)) == NULL) {
        close(fd);
        return;
    }
    l->watch = (struct watch){.ready = ready, .fd = fd};
    l->service = s;
    l->uid = peer.uid;
    l->pid = peer.pid;
    l->next = s->links;
    s->links = l;
    s->n_links++;
    if (watch_set(&s->watches, &l->watch, EPOLLIN) != 0)
        link_end(l);
}

int link_listen(struct service *s, struct problem *p)
{
    s->link_listen = (struct watch){.ready = accept_one};
    s->link_listen.fd = service_listen(s, PATHS_LINK, SOCK_SEQPACKET, 0600, &s->link_given, p);
    return s->link_listen.fd < 0 ? s->link_listen.fd : watch_set(&s->watches, &s->link_listen, EPOLLIN);
}

void links_close(struct service *s)
{
    service_unlisten(s, &s->link_listen, PATHS_LINK, s->link_given);
    while (s->links != NULL)
        link_end(s->links);
}
