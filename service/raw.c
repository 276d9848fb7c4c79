/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "console.h"
#include "host/sock.h"
#include "service.h"
#include "viewer.h"

static void greet(struct console *c, int fd, bool writes)
{
    struct service *s = c->service;
    char who[TOKEN_WHO_BYTES];
    struct viewer_wish wish = {.end = UINT64_MAX, .who = who};
    struct access_peer peer;
    struct log_status log;
    struct access may;

    if (access_peer_find(fd, &peer) != 0)
        goto refuse;
    may = access_of(s, &peer, c->log.domain, c->log.console);
    if (!may.read)
        audit_refused(s, &peer, c, "attach");
    if (!may.read || s->stopping || console_open(c) != 0 || !clients_enter(s, peer.uid))
        goto refuse;
    access_who(s, &peer, who, sizeof who);
    log_status_get(&c->log, &log);
    wish.offset = log.length;
    wish.may_write = writes && may.write;
    wish.uid = peer.uid;
    wish.pid = peer.pid;
    if (viewer_create(c, fd, &wish) != 0) {
        clients_leave(s, peer.uid);
        goto refuse;
    }
    viewer_begin(viewer_newest(c));
    return;

refuse:
    close(fd);
}

static void accept_one(struct console *c, struct watch *w, bool writes)
{
    int fd = service_accept(c->service, w->fd);

    if (fd >= 0)
        greet(c, fd, writes);
}

static void writer_ready(struct watch *w, uint32_t events)
{
    (void)events;
    accept_one((struct console *)((char *)w - offsetof(struct console, raw)), w, true);
}

static void reader_ready(struct watch *w, uint32_t events)
{
    (void)events;
    accept_one((struct console *)((char *)w - offsetof(struct console, raw_ro)), w, false);
}

int raw_path(const struct console *c, const char *end, char path[PATHS_SOCKET_BYTES], struct problem *p)
{
    char name[sizeof "consoles//.ro.sock" + 2 * NAME_CHARS];

    snprintf(name, sizeof name, "consoles/%s/%s%s", c->log.domain, c->log.console, end);
    return paths_socket(path, c->service->paths.runtime, name, p);
}

static int listen_at(struct console *c, struct watch *w, const char *end, struct problem *p)
{
    char path[PATHS_SOCKET_BYTES];
    int error = raw_path(c, end, path, p);

    if (error)
        return error;
    w->fd = sock_listen_ours(path, SOCK_STREAM, c->service->config.n_rules > 0 ? 0666 : 0600, p);
    return w->fd < 0 ? w->fd : watch_set(&c->service->watches, w, EPOLLIN);
}

/* With that mode, whatever our umask: groups of a rule pass through it. */
static int make(const char *path, mode_t mode)
{
    if (mkdir(path, mode) != 0)
        return errno == EEXIST ? 0 : -errno;
    return (mode & 077) != 0 && chmod(path, mode) != 0 ? -errno : 0;
}

int raw_directory(const struct console *c)
{
    char above[PATH_MAX], path[PATH_MAX];
    mode_t mode = c->service->config.n_rules > 0 ? 0755 : 0700;
    int error;

    if (paths_format(above, "%s/consoles", c->service->paths.runtime) != 0 ||
        paths_format(path, "%s/%s", above, c->log.domain) != 0)
        return -ENAMETOOLONG;
    error = make(path, mode);
    if (error == -ENOENT && (error = make(above, mode)) == 0) /* the first console of all */
        error = make(path, mode);
    return error;
}

void raw_open(struct console *c)
{
    struct problem p = {.text = ""};
    int error;

    if (c->raw.on || c->service->starting)
        return;
    c->raw.ready = writer_ready;
    c->raw_ro.ready = reader_ready;
    error = raw_directory(c);
    if (error)
        problem_set(&p, error, "its directory below %s/consoles: %s", c->service->paths.runtime, strerror(-error));
    else if ((error = listen_at(c, &c->raw, ".sock", &p)) == 0)
        error = listen_at(c, &c->raw_ro, ".ro.sock", &p);
    if (error)
        message("%s/%s has no raw sockets: %s", c->log.domain, c->log.console, p.text);
}

void raws_open(struct service *s)
{
    s->starting = false;
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->source != NULL)
            raw_open(c);
}

static void end_one(struct console *c, struct watch *w, const char *end)
{
    char path[PATHS_SOCKET_BYTES];

    if (!w->on)
        return;
    watch_end(&c->service->watches, w);
    close(w->fd);
    if (raw_path(c, end, path, NULL) == 0)
        unlink(path);
}

void raw_close(struct console *c)
{
    end_one(c, &c->raw, ".sock");
    end_one(c, &c->raw_ro, ".ro.sock");
}
