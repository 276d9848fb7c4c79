/* SPDX-License-Identifier: MIT */
/* Sources that are UNIX stream sockets: "unix:PATH", somebody else listens there; "unix-listen:PATH", we do. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "connector.h"
#include "console.h"
#include "host/sock.h"
#include "service.h"

/* Never waits: a listener whose queue is full answers EAGAIN. */
static int dial(struct connector *k, struct problem *p)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = k->place.where;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

    if (fd < 0)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1)); /* source_text.c checked its length */
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error = problem_set(p, -errno, "%s: %s", path, strerror(errno));
    close(fd);
    return error;
}

const struct connect_way connect_unix = {.type = "unix", .begin = dial};

static void wait_for_peer(struct connector *k)
{
    if (!k->watch.on)
        (void)watch_set(&k->service->watches, &k->watch, EPOLLIN);
}

/*
 * One at a time. A peer that follows one which has just hung up is let in behind it: nobody looks at the socket until the last
 * that the other said is in the log.
 */
static void knocked(struct watch *w, uint32_t events)
{
    struct connector *k = (struct connector *)((char *)w - offsetof(struct connector, watch));
    int fd;

    (void)events;
    if (k->source != NULL && source_fd_hung_up(k->source)) {
        watch_end(&k->service->watches, w);
        return;
    }
    fd = service_accept(k->service, w->fd);
    if (fd < 0)
        return;
    if (k->source == NULL) {
        connector_connected(k, fd);
        return;
    }
    close(fd);
    k->turned_away++;
}

static void listen_on(struct connector *k, int fd, bool elsewhere)
{
    k->watch = (struct watch){.ready = knocked, .fd = fd};
    k->elsewhere = elsewhere;
    if (k->source == NULL)
        snprintf(k->reason, sizeof k->reason, "%s: nobody is connected", k->place.where);
    wait_for_peer(k);
}

/* A directory that the configuration did not name when we gave up all others: a socket there is made by who did not. */
static int ask_for_it(struct connector *k, struct problem *p)
{
    k->asked = starter_request(k->service, STARTER_LISTEN, k->place.where);
    return k->asked != 0 ? -EINPROGRESS
                         : problem_set(p, -EAGAIN, "%s: who may make it does not answer", k->place.where);
}

static int listen_there(struct connector *k, struct problem *p)
{
    int fd = k->watch.fd;
    bool elsewhere = k->elsewhere;

    if (k->watch.ready == NULL) {
        fd = sock_listen(k->place.where, SOCK_STREAM, 0600, p);
        if (fd == -EACCES)
            return ask_for_it(k, p);
        elsewhere = false;
    }
    if (fd < 0)
        return fd;
    listen_on(k, fd, elsewhere);
    return -EINPROGRESS;
}

static void answered(struct connector *k, const struct starter_answer *answer, int fd)
{
    struct problem p;

    k->asked = 0;
    if (fd >= 0) {
        listen_on(k, fd, true);
        return;
    }
    problem_set(&p, -answer->error, "%s", answer->text);
    connector_failed(k, &p);
}

static void listen_no_more(struct connector *k)
{
    if (k->asked != 0)
        starter_unlink(k->service, k->place.where); /* by then it is made: nobody will hear of it */
    k->asked = 0;
    if (k->watch.ready == NULL)
        return;
    watch_end(&k->service->watches, &k->watch);
    close(k->watch.fd);
    if (k->elsewhere)
        starter_unlink(k->service, k->place.where);
    else
        unlink(k->place.where);
    k->watch = (struct watch){.ready = NULL};
}

static void listen_beside(struct connector *k)
{
    struct problem p;

    if (listen_there(k, &p) != -EINPROGRESS)
        message("%s/%s: %s", k->console->log.domain, k->console->log.console, p.text);
    k->reason[0] = '\0';
}

const struct connect_way connect_unix_listen = {.type = "unix-listen",
                                                .early = true,
                                                .begin = listen_there,
                                                .adopted = listen_beside,
                                                .cancel = listen_no_more,
                                                .answered = answered};
