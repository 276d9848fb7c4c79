/* SPDX-License-Identifier: MIT */
/* The new service's part: what it asks for, and keeps until it is wanted. */
#include <vcons/wire/control.h>

#include "upgrade.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/message.h"
#include "host/sock.h"
#include "manager.h"
#include "upgrade_wire.h"

struct upgrade_source {
    struct upgrade_source *next;
    int fd; /* -1: given away */
    struct upgrade_source_head head;
    _Alignas(8) char bytes[]; /* where its protocol stands, its text, then what goes to it */
};

/* Talking. */

/* The answer to one request; nothing behind its line is read. NULL: the connection ended, or it is none. */
static json_t *ask(int fd, const char *request)
{
    char line[512];
    size_t n = 0;

    if (upgrade_send_bytes(fd, request, strlen(request), -1) != 0)
        return NULL;
    while (n < sizeof line && upgrade_receive_byte(fd, line + n) == 0)
        if (line[n++] == '\n')
            return json_loadb(line, n, 0, NULL);
    return NULL;
}

static int ask_well(int fd, const char *request, struct problem *p)
{
    json_t *answer = ask(fd, request);
    const char *wrong = json_string_value(json_object_get(answer, "message"));
    int error = 0;

    if (answer == NULL || json_object_get(answer, "ok") == NULL)
        error = problem_set(p, -EPROTO, "the running service does not hand over: %s",
                            wrong != NULL ? wrong : "it has closed the connection");
    json_decref(answer);
    return error;
}

/* Taking. */

static int take_source(struct upgrade *u, int fd, const void *payload, uint32_t n)
{
    const struct upgrade_source_head *head = payload;
    struct upgrade_source *source;

    if (fd < 0 || n < sizeof *head || (uint64_t)head->n_kept + head->n_text + head->n_out != n - sizeof *head ||
        memchr(head->domain, '\0', sizeof head->domain) == NULL ||
        memchr(head->console, '\0', sizeof head->console) == NULL)
        return -EPROTO;
    source = malloc(sizeof *source + n - sizeof *head);
    if (source == NULL)
        return -ENOMEM;
    source->fd = fd;
    source->head = *head;
    memcpy(source->bytes, (const char *)payload + sizeof *head, n - sizeof *head);
    source->next = u->taken;
    u->taken = source;
    return 0;
}

static int take_manager(struct manager *m, const struct upgrade_manager *from, uint32_t n)
{
    if (n != sizeof *from || from->bytes > sizeof from->at)
        return -EPROTO;
    manager_inherit(m, &from->at, from->bytes, from->watchdog_us);
    return 0;
}

static int take_listening(struct manager *m, int fd, const struct upgrade_listening *l, uint32_t n)
{
    if (fd < 0 || n != sizeof *l || memchr(l->name, '\0', sizeof l->name) == NULL)
        return -EPROTO;
    return manager_give(m, l->name, fd, l->ours != 0) ? 0 : -EPROTO;
}

static int take_lock(struct upgrade *u, int fd)
{
    if (fd < 0 || u->lock_fd >= 0)
        return -EPROTO;
    u->lock_fd = fd;
    return 0;
}

static int take_starter(struct upgrade *u, int fd, const struct upgrade_starter *starter, uint32_t n)
{
    if (fd < 0 || n != sizeof *starter || u->starter_fd >= 0)
        return -EPROTO;
    u->starter_fd = fd;
    u->starter_next = starter->next;
    return 0;
}

/* All records up to END. */
static int take_all(struct upgrade *u, struct manager *m)
{
    _Alignas(8) static char payload[UPGRADE_PAYLOAD];
    struct upgrade_head head = {.type = 0};

    while (head.type != UPGRADE_END) {
        int fd, error = upgrade_receive(u->fd, &head, &fd, payload);

        if (error)
            return error;
        switch (head.type) {
        case UPGRADE_LOCK: error = take_lock(u, fd); break;
        case UPGRADE_LISTENING: error = take_listening(m, fd, (const void *)payload, head.bytes); break;
        case UPGRADE_MANAGER: error = take_manager(m, (const void *)payload, head.bytes); break;
        case UPGRADE_SOURCE: error = take_source(u, fd, payload, head.bytes); break;
        case UPGRADE_STARTER: error = take_starter(u, fd, (const void *)payload, head.bytes); break;
        case UPGRADE_END: break;
        default: error = -EPROTO;
        }
        if (error && fd >= 0)
            close(fd);
        if (error)
            return error;
    }
    return u->lock_fd >= 0 ? 0 : -EPROTO;
}

/* It answered that it is ours; what it still has to write it writes until its end of file. */
static int agree(struct upgrade *u)
{
    char word = 0;
    int error = upgrade_send_bytes(u->fd, &(char){UPGRADE_TAKEN}, 1, -1);

    if (error == 0)
        error = upgrade_receive_byte(u->fd, &word);
    if (error == 0 && word != UPGRADE_YOURS)
        error = -EPROTO;
    while (error == 0 && (upgrade_receive_byte(u->fd, &word) == -ETIMEDOUT))
        message("the old service has not ended yet: waiting for it");
    return error;
}

static int talk(struct upgrade *u, struct manager *m, struct problem *p)
{
    char request[96];
    int error = ask_well(u->fd, "{\"op\":\"hello\",\"version\":1}\n", p);

    snprintf(request, sizeof request, "{\"op\":\"upgrade\",\"version\":%u}\n", UPGRADE_VERSION);
    if (error == 0)
        error = ask_well(u->fd, request, p);
    if (error)
        return error;
    error = take_all(u, m);
    if (error == 0)
        error = agree(u);
    return error ? problem_set(p, error, "the running service did not hand over, and goes on: %s", strerror(-error))
                 : 0;
}

int upgrade_ask(struct upgrade *u, struct manager *m, const struct paths *paths, struct problem *p)
{
    char path[PATHS_SOCKET_BYTES];
    struct ucred peer;
    int error = paths_socket(path, paths->runtime, PATHS_CONTROL, p);

    *u = (struct upgrade){.fd = -1, .lock_fd = -1, .starter_fd = -1};
    if (error)
        return error;
    u->fd = sock_connect(path, SOCK_STREAM, p);
    if (u->fd < 0)
        return u->fd;
    if (sock_peer(u->fd, &peer) != 0 || (peer.uid != 0 && peer.uid != geteuid()))
        error = problem_set(p, -EPERM, "%s: another user's service listens there", path);
    else
        error = talk(u, m, p);
    close(u->fd);
    u->fd = -1;
    if (error && u->lock_fd >= 0)
        close(u->lock_fd);
    if (error)
        upgrade_done(u);
    return error;
}

/* A record that the manager kept: its head, and its payload behind that. */
static bool read_kept(const struct manager *m, off_t at, struct upgrade_head *head, char payload[UPGRADE_PAYLOAD])
{
    return pread(m->earlier_fd, head, sizeof *head, at) == (ssize_t)sizeof *head && head->magic == UPGRADE_MAGIC &&
           head->bytes <= UPGRADE_PAYLOAD && head->has_fd < m->n_stored &&
           pread(m->earlier_fd, payload, head->bytes, at + (off_t)sizeof *head) == (ssize_t)head->bytes;
}

void upgrade_restore(struct upgrade *u, struct manager *m)
{
    _Alignas(8) static char payload[UPGRADE_PAYLOAD];
    struct upgrade_head head;
    off_t at = 0;

    u->starter_fd = -1;
    while (m->earlier_fd >= 0 && read_kept(m, at, &head, payload)) {
        int fd = m->stored[head.has_fd], error = -EPROTO;

        if (head.type == UPGRADE_SOURCE)
            error = take_source(u, fd, payload, head.bytes);
        else if (head.type == UPGRADE_STARTER)
            error = take_starter(u, fd, (const void *)payload, head.bytes);
        if (error == 0)
            m->stored[head.has_fd] = -1;
        at += (off_t)(sizeof head + head.bytes);
    }
}

int upgrade_take(struct upgrade *u, const char *domain, const char *console, const char *text,
                 struct source_handover *h, uint32_t *asked)
{
    for (struct upgrade_source *source = u->taken; source != NULL; source = source->next) {
        const struct upgrade_source_head *head = &source->head;
        const char *its = source->bytes + head->n_kept;
        int fd = source->fd;

        if (fd < 0 || strcmp(head->domain, domain) != 0 || strcmp(head->console, console) != 0 ||
            strlen(text) != head->n_text || memcmp(its, text, head->n_text) != 0)
            continue;
        *h = (struct source_handover){.out = (const uint8_t *)its + head->n_text,
                                      .n_out = head->n_out,
                                      .kept = source->bytes,
                                      .n_kept = head->n_kept};
        *asked = head->asked;
        source->fd = -1;
        return fd;
    }
    return -1;
}

void upgrade_done(struct upgrade *u)
{
    while (u->taken != NULL) {
        struct upgrade_source *source = u->taken;

        u->taken = source->next;
        if (source->fd >= 0)
            close(source->fd); /* the configuration has it no more */
        free(source);
    }
}
