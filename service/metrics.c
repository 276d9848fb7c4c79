/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access.h"
#include "service.h"

#define TICK_MS 1000u

struct metrics_client {
    struct watch watch;
    struct service *service;
    struct metrics_client *next;
    bool local;           /* on the socket: it may do without HTTP */
    bool answering, last; /* last: what is in the buffer is all there is */
    uint32_t idle;        /* ticks without headway */
    uint32_t n, done;     /* of bytes: what came, then what goes out */
    struct metrics_text text;
    char bytes[METRICS_CHUNK];
};

static void client_end(struct metrics_client *k)
{
    struct metrics *m = &k->service->metrics;
    struct metrics_client **at = &m->clients;

    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    watch_end(&k->service->watches, &k->watch);
    close(k->watch.fd);
    free(k);
    if (--m->n == 0)
        uv_timer_stop(&m->timer);
}

/* Out. False: k is gone. */
static bool send_some(struct metrics_client *k)
{
    ssize_t n;

    if (k->done == k->n && !k->last) {
        k->done = 0;
        k->n = metrics_text(k->service, &k->text, k->bytes, sizeof k->bytes);
        k->last = k->n == 0;
    }
    n = k->done < k->n ? send(k->watch.fd, k->bytes + k->done, k->n - k->done, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n < 0 || (k->last && k->done + (uint32_t)n == k->n)) {
        client_end(k);
        return false;
    }
    k->done += (uint32_t)n;
    k->idle = 0;
    return true;
}

static void answer(struct metrics_client *k, const char *status, bool body)
{
    static const char head[] = "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                               "Connection: close\r\nCache-Control: no-store\r\n\r\n%s";
    bool well = strcmp(status, "200 OK") == 0;

    k->n = (uint32_t)snprintf(k->bytes, sizeof k->bytes, head, status, well ? "" : "GET /metrics\n");
    k->done = 0;
    k->answering = true;
    k->last = !well || !body;
    watch_set(&k->service->watches, &k->watch, EPOLLOUT);
}

/* Without HTTP: the text alone. */
static void answer_plain(struct metrics_client *k)
{
    k->n = k->done = 0;
    k->answering = true;
    watch_set(&k->service->watches, &k->watch, EPOLLOUT);
}

/* In. */

/* bytes is the whole of it, with a NUL behind. */
static void obey(struct metrics_client *k)
{
    char method[8], path[64], version[12];

    if (sscanf(k->bytes, "%7s %63s %11[^\r\n]", method, path, version) != 3 || strncmp(version, "HTTP/1.", 7) != 0)
        answer(k, "400 Bad Request", true);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        answer(k, "405 Method Not Allowed", true);
    else if (strcmp(path, "/metrics") != 0 && strncmp(path, "/metrics?", 9) != 0)
        answer(k, "404 Not Found", true);
    else
        answer(k, "200 OK", strcmp(method, "GET") == 0);
}

static void receive(struct metrics_client *k)
{
    ssize_t n = recv(k->watch.fd, k->bytes + k->n, METRICS_REQUEST - k->n, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == 0 && k->n == 0 && k->local) {
        answer_plain(k);
        return;
    }
    if (n <= 0) {
        client_end(k);
        return;
    }
    k->n += (uint32_t)n; /* no headway: whoever sends a byte a second has ten */
    k->bytes[k->n] = '\0';
    if (strstr(k->bytes, "\r\n\r\n") != NULL || strstr(k->bytes, "\n\n") != NULL)
        obey(k);
    else if (k->n == METRICS_REQUEST)
        answer(k, "431 Request Header Fields Too Large", true);
}

static void ready(struct watch *w, uint32_t events)
{
    struct metrics_client *k = (struct metrics_client *)(void *)w;

    if (k->answering && (events & EPOLLOUT) == 0)
        client_end(k); /* a hang-up */
    else if (k->answering)
        send_some(k);
    else
        receive(k);
}

static void tick(uv_timer_t *timer)
{
    struct service *s = timer->data;
    struct metrics_client *next;

    for (struct metrics_client *k = s->metrics.clients; k != NULL; k = next) {
        next = k->next;
        k->idle++;
        if (k->idle > METRICS_PATIENCE_S)
            client_end(k);
        else if (k->local && !k->answering && k->n == 0)
            answer_plain(k);
    }
}

/* Life. */

static bool may_come(const struct service *s, int fd)
{
    struct access_peer peer;

    if (access_peer_find(fd, &peer) != 0)
        return false;
    return peer.uid == 0 || peer.uid == s->own.uid ||
           (s->config.metrics_group != 0 && access_in_group(&peer, s->config.metrics_group));
}

static void make_room(struct metrics *m)
{
    struct metrics_client *oldest = m->clients;

    if (m->n < METRICS_CLIENTS)
        return;
    while (oldest->next != NULL)
        oldest = oldest->next;
    client_end(oldest);
}

static void welcome(struct service *s, int listening, bool local)
{
    struct metrics *m = &s->metrics;
    int fd = service_accept(s, listening);
    struct metrics_client *k = NULL;

    if (fd >= 0 && !s->stopping && (!local || may_come(s, fd))) {
        make_room(m);
        k = malloc(sizeof *k);
    }
    if (k == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    memset(k, 0, offsetof(struct metrics_client, bytes));
    k->watch = (struct watch){.ready = ready, .fd = fd};
    k->service = s;
    k->local = local;
    k->next = m->clients;
    m->clients = k;
    if (m->n++ == 0) {
        uv_update_time(&s->loop);
        uv_timer_start(&m->timer, tick, TICK_MS, TICK_MS);
    }
    if (watch_set(&s->watches, &k->watch, EPOLLIN) != 0)
        client_end(k);
}

static void socket_ready(struct watch *w, uint32_t events)
{
    (void)events;
    welcome((struct service *)((char *)w - offsetof(struct service, metrics.socket)), w->fd, true);
}

static void port_ready(struct watch *w, uint32_t events)
{
    (void)events;
    welcome((struct service *)((char *)w - offsetof(struct service, metrics.port)), w->fd, false);
}

static int listen_port(struct service *s, struct problem *p)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(s->config.metrics_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, error = 0;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 || listen(fd, METRICS_CLIENTS) != 0)
        error = problem_set(p, -errno, "metrics_port = %u: %s", (unsigned)s->config.metrics_port, strerror(errno));
    if (error && fd >= 0)
        close(fd);
    s->metrics.port.fd = fd;
    return error ? error : watch_set(&s->watches, &s->metrics.port, EPOLLIN);
}

int metrics_start(struct service *s, struct problem *p)
{
    struct metrics *m = &s->metrics;
    mode_t mode = s->config.metrics_group != 0 ? 0666 : 0600;
    int error = uv_timer_init(&s->loop, &m->timer);

    if (error)
        return problem_set(p, error, "event loop: %s", strerror(-error));
    m->timer.data = s;
    m->socket.ready = socket_ready;
    m->port.ready = port_ready;
    m->socket.fd = service_listen(s, METRICS_SOCKET, SOCK_STREAM, mode, &m->given, p);
    if (m->socket.fd < 0)
        return m->socket.fd;
    error = watch_set(&s->watches, &m->socket, EPOLLIN);
    return error || s->config.metrics_port == 0 ? error : listen_port(s, p);
}

void metrics_stop(struct service *s)
{
    struct metrics *m = &s->metrics;

    while (m->clients != NULL)
        client_end(m->clients);
    service_unlisten(s, &m->socket, METRICS_SOCKET, m->given);
    if (!m->port.on)
        return;
    watch_end(&s->watches, &m->port);
    close(m->port.fd);
}
