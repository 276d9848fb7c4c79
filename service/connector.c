/* SPDX-License-Identifier: MIT */
/* Consoles of vconsd.conf that have a source: connected, and connected again after each end, with growing pauses. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "console.h"
#include "host/message.h"
#include "service.h"
#include "source_socket.h"
#include "source_text.h"

struct connector {
    struct service *service;
    struct source_place place; /* its text is the configuration's */
    struct console *console;
    uv_timer_t timer;
    uint32_t pause_ms;
    bool told; /* that it cannot be reached, once for each stretch */
};

static void later(struct connector *k);

/* The source was destroyed: the connection is over. */
static void ended(void *ctx)
{
    struct connector *k = ctx;

    k->pause_ms = SOCKET_RETRY_MS;
    later(k);
}

/* A connected descriptor or a negative errno. Never waits: a listener whose queue is full answers EAGAIN. */
static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1)); /* config.c checked its length */
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

static int attach(struct connector *k, int fd)
{
    struct origin origin = {.uid = getuid(), .pid = getpid()};
    struct log_status status;
    struct source *source;
    int error = console_open(k->console);

    if (error)
        return error;
    log_status_get(&k->console->log, &status);
    source = socket_create(fd, status.length > 0, ended, k);
    if (source == NULL)
        return -ENOMEM;
    error = console_attach(k->console, source, &origin);
    if (error)
        socket_abandon(source);
    return error;
}

static void try(struct connector *k)
{
    int fd = dial(k->place.where), error = fd < 0 ? fd : attach(k, fd);

    if (error == 0) {
        if (k->told)
            message("%s/%s: connected to %s", k->console->log.domain, k->console->log.console, k->place.where);
        k->told = false;
        return;
    }
    if (fd >= 0)
        close(fd);
    if (!k->told)
        message("%s/%s: %s: %s; it is tried again and again", k->console->log.domain, k->console->log.console,
                k->place.where, strerror(-error));
    k->told = true;
    later(k);
}

static void due(uv_timer_t *timer) { try(timer->data); }

static void later(struct connector *k)
{
    if (k->service->stopping)
        return;
    uv_timer_start(&k->timer, due, k->pause_ms, 0);
    k->pause_ms = k->pause_ms * 2 < SOCKET_RETRY_MOST ? k->pause_ms * 2 : SOCKET_RETRY_MOST;
}

static int start_one(struct service *s, const struct config_console *block)
{
    struct connector *k = &s->sockets.at[s->sockets.n];
    struct name name;

    *k = (struct connector){.service = s, .pause_ms = SOCKET_RETRY_MS};
    (void)source_text_parse(block->settings.source, &k->place); /* config.c checked both */
    (void)name_split(block->pattern, &name, NULL);
    k->console = console_get(s, name.domain, name.console);
    if (k->console == NULL)
        return -ENOMEM;
    s->sockets.n++;
    k->console->gone = false; /* it is away, and will be back */
    uv_timer_init(&s->loop, &k->timer);
    k->timer.data = k;
    try(k);
    return 0;
}

int sockets_start(struct service *s)
{
    int error = 0;

    s->sockets.at = calloc(s->config.n_exact + 1, sizeof *s->sockets.at);
    if (s->sockets.at == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; error == 0 && i < s->config.n_exact; i++)
        if (s->config.exact[i].settings.source != NULL)
            error = start_one(s, &s->config.exact[i]);
    return error;
}

void sockets_stop(struct service *s)
{
    for (uint32_t i = 0; i < s->sockets.n; i++)
        uv_timer_stop(&s->sockets.at[i].timer);
}

void sockets_free(struct service *s)
{
    free(s->sockets.at);
    s->sockets = (struct socket_sources){0};
}
