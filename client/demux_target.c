/* SPDX-License-Identifier: MIT */
/* The consoles that a line is taken apart into. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demux.h"
#include "host/sock.h"

/* What it is called: "hypervisor", "dN", or as --name says. */
static void name_of(const struct demux *d, struct target *t)
{
    char own[NAME_BYTES] = "hypervisor";
    const char *name = own;
    size_t n;

    if (t->id != SPLIT_HYPERVISOR)
        snprintf(own, sizeof own, "d%" PRIu64, t->id);
    n = strlen(own);
    for (int i = 0; i < d->n_names; i++)
        if (strncmp(d->names[i], own, n) == 0 && d->names[i][n] == '=')
            name = d->names[i] + n + 1;
    snprintf(t->name, sizeof t->name, "%s/%s", d->host, name);
}

/* Beside the service's own sockets: who may write there is who may be believed. */
static int place(const struct demux *d, struct target *t, struct problem *p)
{
    char directory[PATHS_SOCKET_BYTES], name[NAME_FULL_BYTES + 16];
    char *slash;

    snprintf(directory, sizeof directory, "%s", d->control.path);
    slash = strrchr(directory, '/');
    snprintf(name, sizeof name, "demux.%s.sock", t->name);
    *strchr(name, '/') = '.';
    if (slash == NULL)
        return paths_socket(t->path, ".", name, p);
    *slash = '\0';
    return paths_socket(t->path, directory[0] != '\0' ? directory : "/", name, p);
}

/* The service may be another user than we, if we are root. */
static int open_listener(struct target *t, const char *control, struct problem *p)
{
    struct stat st;

    t->listen_fd = sock_listen(t->path, SOCK_STREAM, 0600, p);
    if (t->listen_fd < 0)
        return t->listen_fd;
    if (geteuid() == 0 && stat(control, &st) == 0 && st.st_uid != 0 && lchown(t->path, st.st_uid, st.st_gid) != 0)
        return problem_set(p, -errno, "%s: %s", t->path, strerror(errno));
    return 0;
}

/* What the service knows of it; NULL: nothing. *answer is the caller's; asked for if it is NULL. */
static json_t *look_up(struct demux *d, const struct target *t, json_t **answer)
{
    json_t *console;
    size_t i;

    if (*answer == NULL &&
        conn_try_ask(&d->control, json_pack("{s:s}", "op", "ls"), answer, &d->problem) != EXIT_DONE) {
        demux_again(d, EXIT_NO_SERVICE, NULL);
        return NULL;
    }
    json_array_foreach(json_object_get(*answer, "consoles"), i, console)
    {
        const char *name = json_string_value(json_object_get(console, "name"));

        if (name != NULL && strcmp(name, t->name) == 0)
            return console;
    }
    return NULL;
}

uint64_t demux_target_length(struct demux *d, const struct target *t, json_t **answer)
{
    return (uint64_t)json_integer_value(json_object_get(look_up(d, t, answer), "bytes"));
}

/* The service is to connect there, if it does not do so yet. */
static void tell_service(struct demux *d, const struct target *t)
{
    char source[PATHS_SOCKET_BYTES + 8];
    json_t *answer = NULL, *ok = NULL;
    const char *known = json_string_value(json_object_get(look_up(d, t, &answer), "source"));
    bool same = false;
    int status;

    snprintf(source, sizeof source, "unix:%s", t->path);
    same = known != NULL && strcmp(known, source) == 0;
    json_decref(answer);
    if (same || d->again)
        return;
    status = conn_try_ask(&d->control,
                          json_pack("{s:s,s:s,s:s,s:{},s:b}", "op", "source_add", "name", t->name, "source", source,
                                    "settings", "keep", 0),
                          &ok, &d->problem);
    if (status != EXIT_DONE)
        demux_again(d, status, NULL);
    json_decref(ok);
}

static struct target *begin(struct demux *d, uint64_t id)
{
    struct target *t = d->n_targets < DEMUX_TARGETS ? calloc(1, sizeof *t) : NULL;

    if (t == NULL) {
        demux_again(d, EXIT_FAILED, "%s: more than %u domains", d->source, DEMUX_TARGETS);
        return NULL;
    }
    *t = (struct target){.id = id, .listen_fd = -1, .fd = -1, .next = d->targets};
    name_of(d, t);
    t->base = t->given = demux_state_given(d, id);
    d->targets = t;
    d->n_targets++;
    if (place(d, t, &d->problem) != 0 || open_listener(t, d->control.path, &d->problem) != 0)
        demux_again(d, EXIT_FAILED, NULL);
    else
        tell_service(d, t);
    return t;
}

/* The oldest of what waits is in the log already. */
static void leave_out(struct target *t)
{
    size_t n = t->skip < t->have ? (size_t)t->skip : t->have;

    if (n > 0)
        memmove(t->out, t->out + n, t->have - n);
    t->have -= n;
    t->skip -= n;
}

static void flush(struct demux *d, struct target *t)
{
    size_t done = 0;

    if (t->fd < 0)
        return;
    leave_out(t);
    while (done < t->have) {
        ssize_t n = send(t->fd, t->out + done, t->have - done, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            demux_again(d, EXIT_NO_SERVICE, "%s: the service hung up: %s", t->name, strerror(errno));
            break;
        }
    }
    if (done > 0)
        memmove(t->out, t->out + done, t->have - done);
    t->have -= done;
}

static struct target *target_of(struct demux *d, uint64_t id)
{
    struct target *t = d->targets;

    while (t != NULL && t->id != id)
        t = t->next;
    return t != NULL ? t : begin(d, id);
}

void demux_out(struct demux *d, uint64_t id, const uint8_t *bytes, size_t n)
{
    struct target *t = d->again ? NULL : target_of(d, id);

    if (t == NULL || d->again)
        return;
    if (t->have + n > t->size) {
        size_t size = 2 * (t->have + n);
        uint8_t *more = realloc(t->out, size);

        if (more == NULL) {
            demux_again(d, EXIT_FAILED, "%s: out of memory", t->name);
            return;
        }
        t->out = more;
        t->size = size;
    }
    memcpy(t->out + t->have, bytes, n);
    t->have += n;
    t->given += n;
    if (t->fd >= 0)
        leave_out(t);
}

bool demux_full(const struct demux *d)
{
    for (const struct target *t = d->targets; t != NULL; t = t->next)
        if (t->have > DEMUX_OUT_MAX)
            return true;
    return false;
}

/* How much of what we say its log has. */
static void compare(struct demux *d, struct target *t)
{
    json_t *answer = NULL;
    uint64_t length = demux_target_length(d, t, &answer);

    json_decref(answer);
    if (d->again)
        return;
    if (length < t->base && d->start == 0) {
        d->from_start = true;
        demux_again(d, EXIT_NO_SERVICE, "%s: its log is shorter than it was", t->name);
    } else if (length < t->base) {
        message("%s: its log is shorter than it was, by %" PRIu64 " bytes that are no longer kept", t->name,
                t->base - length);
    } else if (length > 0 && d->start > 0 && d->kept == NULL) {
        demux_again(d, EXIT_FAILED,
                    "%s has a log, and that of %s no longer has all between: "
                    "what is new cannot be told; other names (--host) begin anew",
                    t->name, d->source);
    }
    t->skip = length > t->base ? length - t->base : 0;
}

/* The service is here, and has all that an earlier one of us gave it: it came back when it had read that to its end. */
static void take_service(struct demux *d, struct target *t)
{
    int fd = accept4(t->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    t->fd = fd;
    compare(d, t);
    if (!d->again)
        flush(d, t);
}

static void read_keys(struct demux *d, struct target *t)
{
    ssize_t n = recv(t->fd, t->keys + t->n_keys, sizeof t->keys - t->n_keys, MSG_DONTWAIT);

    if (n > 0)
        t->n_keys += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        demux_again(d, EXIT_NO_SERVICE, "%s: the service hung up", t->name);
}

int demux_target_poll(const struct target *t, short *events)
{
    *events = t->fd < 0 || t->n_keys < sizeof t->keys ? POLLIN : 0;
    if (t->fd >= 0 && t->have > 0)
        *events |= POLLOUT;
    return t->fd >= 0 ? t->fd : t->listen_fd;
}

void demux_target_serve(struct demux *d, struct target *t, short events)
{
    if (t->fd < 0) {
        if (events != 0)
            take_service(d, t);
        return;
    }
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && t->n_keys < sizeof t->keys)
        read_keys(d, t);
    if (!d->again)
        flush(d, t);
}

void demux_targets_close(struct demux *d)
{
    for (struct target *t = d->targets, *next; t != NULL; t = next) {
        next = t->next;
        if (t->fd >= 0)
            close(t->fd);
        if (t->listen_fd >= 0) {
            close(t->listen_fd);
            unlink(t->path);
        }
        free(t->out);
        free(t);
    }
    d->targets = NULL;
    d->n_targets = 0;
}
