/* SPDX-License-Identifier: MIT */
/* Sources behind a network: "tcp:HOST:PORT", "telnet:HOST:PORT", "rfc2217:HOST:PORT". */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connector.h"
#include "service.h"

#define DIAL_MS 10000u /* for one address */

/* A peer that is switched off, or behind a cable that was pulled, says nothing more: found out after 30 + 3 * 10 seconds. */
static const struct {
    int level, name, value;
} options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
               {IPPROTO_TCP, TCP_KEEPIDLE, 30},
               {IPPROTO_TCP, TCP_KEEPINTVL, 10},
               {IPPROTO_TCP, TCP_KEEPCNT, 3},
               {IPPROTO_TCP, TCP_NODELAY, 1}};

static void dial(struct connector *k);

static void stop_dialing(struct connector *k)
{
    if (k->watch.ready == NULL)
        return;
    watch_end(&k->service->watches, &k->watch);
    close(k->watch.fd);
    k->watch = (struct watch){.ready = NULL};
}

static void next_address(struct connector *k, int error)
{
    struct problem p;

    uv_timer_stop(&k->retry);
    stop_dialing(k);
    k->address++;
    if (k->address < k->n_addresses) {
        dial(k);
        return;
    }
    problem_set(&p, 0, "%s: %s", k->place.where, strerror(error));
    connector_failed(k, &p);
}

static void too_late(uv_timer_t *timer) { next_address(timer->data, ETIMEDOUT); }

static void dialed(struct watch *w, uint32_t events)
{
    struct connector *k = (struct connector *)((char *)w - offsetof(struct connector, watch));
    int error = 0, fd = w->fd;
    socklen_t n = sizeof error;

    (void)events;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    if (error) {
        next_address(k, error);
        return;
    }
    uv_timer_stop(&k->retry);
    watch_end(&k->service->watches, w);
    k->watch = (struct watch){.ready = NULL};
    connector_connected(k, fd);
}

static socklen_t make_address(const struct starter_address *from, uint16_t port, struct sockaddr_storage *to)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)to;

    memset(to, 0, sizeof *to);
    to->ss_family = from->family;
    if (from->family == AF_INET) {
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, from->bytes, sizeof in->sin_addr);
        return sizeof *in;
    }
    in6->sin6_port = htons(port);
    in6->sin6_scope_id = from->scope;
    memcpy(&in6->sin6_addr, from->bytes, sizeof in6->sin6_addr);
    return sizeof *in6;
}

static void dial(struct connector *k)
{
    const struct starter_address *a = &k->addresses[k->address];
    struct sockaddr_storage to;
    socklen_t n = make_address(a, k->place.port, &to);
    int fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        next_address(k, errno);
        return;
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
    k->watch = (struct watch){.ready = dialed, .fd = fd};
    if (connect(fd, (struct sockaddr *)&to, n) != 0 && errno != EINPROGRESS) {
        next_address(k, errno);
        return;
    }
    uv_update_time(&k->service->loop);
    uv_timer_start(&k->retry, too_late, DIAL_MS, 0);
    (void)watch_set(&k->service->watches, &k->watch, EPOLLOUT); /* also where it is connected already */
}

static bool is_numeric(const char *host, struct starter_address *a)
{
    *a = (struct starter_address){.family = AF_INET};
    if (inet_pton(AF_INET, host, a->bytes) == 1)
        return true;
    a->family = AF_INET6;
    return inet_pton(AF_INET6, host, a->bytes) == 1;
}

static int begin(struct connector *k, struct problem *p)
{
    k->address = 0;
    k->n_addresses = 1;
    if (is_numeric(k->place.host, &k->addresses[0])) {
        dial(k);
        return -EINPROGRESS;
    }
    k->asked = starter_request(k->service, STARTER_RESOLVE, k->place.host);
    if (k->asked == 0)
        return problem_set(p, -EAGAIN, "%s: the process that looks up names does not answer", k->place.where);
    return -EINPROGRESS;
}

static void answered(struct connector *k, const struct starter_answer *answer, int fd)
{
    struct problem p;

    if (fd >= 0)
        close(fd);
    k->asked = 0;
    if (answer->error || answer->n == 0) {
        problem_set(&p, 0, "%s: %s", k->place.where, answer->text);
        connector_failed(k, &p);
        return;
    }
    k->n_addresses = (uint8_t)answer->n;
    memcpy(k->addresses, answer->addresses, sizeof k->addresses);
    for (uint32_t i = 0; i < k->n_addresses; i++)
        if (k->addresses[i].family != AF_INET)
            k->addresses[i].family = AF_INET6;
    dial(k);
}

static void cancel(struct connector *k)
{
    k->asked = 0;
    stop_dialing(k);
}

const struct connect_way connect_tcp = {
    .type = "tcp", .remote = true, .begin = begin, .cancel = cancel, .answered = answered};
const struct connect_way connect_telnet = {.type = "telnet",
                                           .remote = true,
                                           .telnet = true,
                                           .breaks = true,
                                           .sizes = true,
                                           .begin = begin,
                                           .cancel = cancel,
                                           .answered = answered};
const struct connect_way connect_rfc2217 = {.type = "rfc2217",
                                            .remote = true,
                                            .telnet = true,
                                            .com_port = true,
                                            .breaks = true,
                                            .sizes = true,
                                            .begin = begin,
                                            .cancel = cancel,
                                            .answered = answered};
