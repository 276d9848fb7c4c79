/* SPDX-License-Identifier: MIT */
#include <vcons/wire/control.h>

#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_requests.h"
#include "host/sock.h"
#include "link.h"
#include "service.h"
#include "upgrade.h"
#include "viewer.h"

static struct control *control_of(struct watch *w) { return (struct control *)(void *)w; }

static void unlink_control(struct control *k)
{
    struct control **at = &k->service->controls;

    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    k->service->n_controls--;
    watch_end(&k->service->watches, &k->watch);
}

static void drop_passed(struct control *k)
{
    if (k->passed_fd >= 0)
        close(k->passed_fd);
    k->passed_fd = -1;
}

/* The connection goes, or only its control part, when a viewer has taken the socket over. */
static void control_end(struct control *k, bool close_socket)
{
    struct service *s = k->service;

    unlink_control(k);
    upgrade_asker_gone(s, k);
    if (close_socket) {
        close(k->watch.fd);
        clients_leave(s, k->peer.uid);
    }
    drop_passed(k);
    json_decref(k->asked_id);
    json_decref(k->attaching);
    free(k->line);
    free(k->answer);
    free(k);
    service_idle_check(s);
}

/* Out. */

static void hand_over(struct control *k)
{
    struct viewer *v = k->viewer;

    control_end(k, false);
    viewer_begin(v);
}

/* False: k is gone. */
static bool send_answer(struct control *k)
{
    ssize_t n =
        send(k->watch.fd, k->answer + k->answer_done, k->answer_n - k->answer_done, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        shutdown(k->watch.fd, SHUT_RDWR); /* whatever the error: nothing is to follow half an answer */
        if (k->viewer != NULL)
            hand_over(k); /* it finds out by itself */
        else
            control_end(k, true);
        return false;
    }
    k->answer_done += n > 0 ? (size_t)n : 0;
    if (k->answer_done < k->answer_n) {
        watch_set(&k->service->watches, &k->watch, EPOLLOUT);
        return true;
    }
    free(k->answer);
    k->answer = NULL;
    if (k->viewer != NULL) {
        hand_over(k);
        return false;
    }
    watch_set(&k->service->watches, &k->watch, EPOLLIN);
    return true;
}

/* Jansson without memory answers less than was asked for, or takes what it read for nonsense: it is noted that it had none. */
static _Thread_local bool starved;

static void *json_memory(size_t n)
{
    void *memory = malloc(n);

    starved = starved || memory == NULL;
    return memory;
}

/* Whoever asked is told in no memory at all, and is gone, or all a viewer. */
static void answer_starved(struct control *k)
{
    static const char text[] =
        "{\"error\":\"" VC_CONTROL_E_FAILED "\",\"message\":\"the service has no memory for that\"}\n";

    (void)send(k->watch.fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(k->watch.fd, SHUT_RDWR);
    if (k->viewer != NULL)
        hand_over(k); /* it finds out by itself */
    else
        control_end(k, true);
}

/* False: k is gone. */
static bool answer(struct control *k, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);

    json_decref(value);
    if (text == NULL || starved) {
        free(text);
        answer_starved(k);
        return false;
    }
    k->answer_n = strlen(text) + 1;
    k->answer_done = 0;
    k->answer = text;
    text[k->answer_n - 1] = '\n'; /* where the NUL was */
    return send_answer(k);
}

/* In. */

static void obey(struct control *k, const char *line, size_t n)
{
    json_error_t error;
    json_t *request, *reply;

    starved = false;
    request = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    reply = request != NULL && !starved ? control_request(k, request)
                                        : control_error(NULL, VC_CONTROL_E_BAD, "not JSON: %s", error.text);
    json_decref(request);
    drop_passed(k); /* whoever needed it has sent it on */
    if (reply != NULL)
        answer(k, reply);
    else
        watch_set(&k->service->watches, &k->watch, 0); /* somebody else is asked: nothing is read until the answer */
}

/* Keep what may be the beginning of a request. False: k is gone. */
static bool keep(struct control *k, const char *bytes, size_t n)
{
    bool fits = k->line_n + n <= VC_CONTROL_LINE_MAX;
    char *grown = fits ? realloc(k->line, k->line_n + n) : NULL;

    if (fits && grown == NULL) {
        answer_starved(k);
        return false;
    }
    if (!fits) {
        starved = false;
        if (answer(k, control_error(NULL, VC_CONTROL_E_BAD, "a request is at most %u bytes", VC_CONTROL_LINE_MAX)))
            control_end(k, true);
        return false;
    }
    memcpy(grown + k->line_n, bytes, n);
    k->line = grown;
    k->line_n += n;
    return true;
}

/* One request, if it is whole, and not a byte more: what follows an attach is the viewer's. */
static void read_request(struct control *k)
{
    static char bytes[VC_CONTROL_LINE_MAX];
    ssize_t n = recv(k->watch.fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK);
    const char *end = n > 0 ? memchr(bytes, '\n', (size_t)n) : NULL;
    unsigned n_fds = 0;
    int fd = -1;
    char *line;
    size_t line_n;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        n = sock_recv_fds(k->watch.fd, bytes, end != NULL ? (size_t)(end + 1 - bytes) : (size_t)n, &fd, 1, &n_fds);
    if (fd >= 0) {
        drop_passed(k);
        k->passed_fd = fd;
    }
    if (n <= 0) {
        control_end(k, true);
        return;
    }
    if (!keep(k, bytes, (size_t)n))
        return;
    if (end == NULL || bytes + n <= end) /* what comes with a descriptor is taken apart from what came before it */
        return;
    line = k->line;
    line_n = k->line_n;
    k->line = NULL;
    k->line_n = 0;
    obey(k, line, line_n);
    free(line);
}

static void ready(struct watch *w, uint32_t events)
{
    struct control *k = control_of(w);

    if (events & EPOLLOUT) {
        send_answer(k);
        return; /* what it has to say is reported again */
    }
    if ((events & (EPOLLHUP | EPOLLERR)) && (k->n_asked > 0 || k->answer != NULL || k->syncing != NULL)) {
        if (k->viewer != NULL)
            hand_over(k);
        else
            control_end(k, true);
        return;
    }
    read_request(k); /* one for each turn: the others have theirs, the rest is reported again */
}

/* Answers of hypervisors. */

static void asked_failed(struct control *k, const char *code, const char *text)
{
    k->asked_failed = true;
    k->asked_code = code;
    snprintf(k->asked_text, sizeof k->asked_text, "%s", text);
}

static void asked_done(struct control *k)
{
    json_t *id = k->asked_id, *value = NULL;
    struct console *c;

    k->asked_id = NULL;
    if (!k->asked_failed && k->asked_text[0] != '\0') {
        value = json_pack("{s:s}", "text", k->asked_text);
    } else if (!k->asked_failed && k->asked_console.domain[0] != '\0') {
        c = console_find(k->service, k->asked_console.domain, k->asked_console.console);
        if (c != NULL)
            value = json_pack("{s:o}", "console", control_describe(c));
        else
            asked_failed(k, VC_CONTROL_E_FAILED, "its hypervisor says that it is there, and has not brought it");
    }
    answer(k, k->asked_failed ? control_error(id, k->asked_code, "%s", k->asked_text) : control_ok(id, value));
    json_decref(id);
}

/* code NULL: it was done. */
static void asked_one(struct control *k, uint32_t i, const char *code, const char *text)
{
    k->asked[i] = k->asked[--k->n_asked];
    if (code != NULL)
        asked_failed(k, code, text);
    if (k->n_asked == 0)
        asked_done(k);
}

void control_answered(struct service *s, const struct link *l, const struct vc_link_answer *a)
{
    for (struct control *k = s->controls; k != NULL; k = k->next)
        for (uint32_t i = 0; i < k->n_asked; i++)
            if (k->asked[i].link == l && k->asked[i].serial == a->cookie) {
                if (l == NULL && a->head.type == VC_LINK_OK) /* a module: it says what it did */
                    snprintf(k->asked_text, sizeof k->asked_text, "%s", a->text);
                asked_one(k, i, a->head.type == VC_LINK_REFUSED ? VC_CONTROL_E_FAILED : NULL, a->text);
                return;
            }
}

void control_link_ended(struct service *s, const struct link *l)
{
    struct control *next;

    for (struct control *k = s->controls; k != NULL; k = next) {
        next = k->next;
        for (uint32_t i = 0; i < k->n_asked; i++)
            if (k->asked[i].link == l) {
                /* A hypervisor told to stop everything may well leave before it answers. */
                asked_one(k, i, k->asked_lost != NULL ? VC_CONTROL_E_FAILED : NULL, k->asked_lost);
                break;
            }
    }
}

void control_synced(struct service *s, const struct console *c)
{
    struct control *next;

    for (struct control *k = s->controls; k != NULL; k = next) {
        json_t *reply;

        next = k->next;
        if (k->syncing != c)
            continue;
        k->syncing = NULL;
        reply = control_attach_on(k);
        json_decref(k->attaching);
        k->attaching = NULL;
        answer(k, reply);
    }
}

/* Life. */

/* Somebody who may come in; NULL: not now. */
static struct control *welcome(struct service *s, int fd)
{
    static const char full[] = "{\"error\":\"" VC_CONTROL_E_FAILED
                               "\",\"message\":\"too many connections to this service are open already\"}\n";
    struct control *k = calloc(1, sizeof *k);

    if (k != NULL && access_peer_find(fd, &k->peer) == 0 && !s->stopping) {
        if (clients_enter(s, k->peer.uid))
            return k;
        (void)send(fd, full, sizeof full - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    free(k);
    return NULL;
}

static void accept_one(struct watch *w, uint32_t events)
{
    struct service *s = (struct service *)((char *)w - offsetof(struct service, control_listen));
    int fd = service_accept(s, w->fd);
    struct control *k = fd >= 0 ? welcome(s, fd) : NULL;

    (void)events;
    if (k == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    k->watch = (struct watch){.ready = ready, .fd = fd};
    k->passed_fd = -1;
    k->service = s;
    k->next = s->controls;
    s->controls = k;
    s->n_controls++;
    if (watch_set(&s->watches, &k->watch, EPOLLIN) != 0)
        control_end(k, true);
}

int control_listen(struct service *s, struct problem *p)
{
    json_set_alloc_funcs(json_memory, free);
    s->control_listen = (struct watch){.ready = accept_one};
    /* With rules for groups everybody may knock; who comes in is decided by credentials. */
    s->control_listen.fd =
        service_listen(s, PATHS_CONTROL, SOCK_STREAM, s->config.n_rules > 0 ? 0666 : 0600, &s->control_given, p);
    return s->control_listen.fd < 0 ? s->control_listen.fd : watch_set(&s->watches, &s->control_listen, EPOLLIN);
}

void controls_close(struct service *s)
{
    service_unlisten(s, &s->control_listen, PATHS_CONTROL, s->control_given);
    while (s->controls != NULL) /* of one that becomes a viewer the console closes the socket */
        control_end(s->controls, s->controls->viewer == NULL);
}
