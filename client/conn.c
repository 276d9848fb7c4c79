/* SPDX-License-Identifier: MIT */
/* Finding the service, asking it, and being told. Frames: conn_frame.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "host/sock.h"

void conn_close(struct conn *c)
{
    if (c->path[0] != '\0' && c->fd >= 0)
        close(c->fd);
    free(c->in);
    free(c->out);
    *c = (struct conn){.fd = -1, .pass_fd = -1, .patience_ms = CONN_PATIENCE_MS};
}

static int path_of(enum paths_scope scope, char out[PATHS_SOCKET_BYTES], struct problem *p)
{
    struct paths paths;
    int error = paths_find(scope, &paths, p);

    return error != 0 ? error : paths_socket(out, paths.runtime, PATHS_CONTROL, p);
}

/* The paths to try, in order. How many, or -errno. */
static int candidates(const struct options *options, char path[2][PATHS_SOCKET_BYTES], struct problem *p)
{
    int n = 0, error = 0;

    if (options->socket != NULL) {
        if (strlen(options->socket) >= PATHS_SOCKET_BYTES)
            return problem_set(p, -ENAMETOOLONG, "%s: a socket's path has at most %u bytes", options->socket,
                               PATHS_SOCKET_BYTES - 1);
        strcpy(path[0], options->socket);
        return 1;
    }
    if (options->scope != SCOPE_SYSTEM)
        error = path_of(PATHS_USER, path[n++], p);
    if (error == 0 && options->scope != SCOPE_USER)
        error = path_of(PATHS_SYSTEM, path[n++], p);
    if (error != 0)
        return error;
    return n == 2 && strcmp(path[0], path[1]) == 0 ? 1 : n;
}

static int connect_any(struct conn *c, const struct options *options, struct problem *p)
{
    char path[2][PATHS_SOCKET_BYTES];
    struct problem first = {""}, last;
    int n = candidates(options, path, p), status = EXIT_NO_SERVICE;

    if (n < 0)
        return EXIT_USAGE;
    for (int i = 0; i < n; i++) {
        c->fd = sock_connect(path[i], SOCK_STREAM, &last);
        if (c->fd >= 0) {
            strcpy(c->path, path[i]);
            return EXIT_DONE;
        }
        if (c->fd == -EACCES)
            status = EXIT_NOT_ALLOWED;
        if (i == 0)
            first = last;
    }
    problem_set(p, 0, "no console service: tried %.400s%s%.400s%s", first.text, n == 2 ? ", " : "",
                n == 2 ? last.text : "",
                status == EXIT_NOT_ALLOWED ? ": your user may not use it"
                                           : ": start one with vcons run or vconsd, or name its --socket");
    return status;
}

static int send_all(struct conn *c, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t sent = sock_send_fds(c->fd, text, n, &c->pass_fd, c->pass_fd >= 0);

        if (sent < 0)
            return (int)sent;
        c->pass_fd = -1; /* it goes with the first byte */
        text += sent;
        n -= (size_t)sent;
    }
    return 0;
}

static int send_request(struct conn *c, json_t *request, struct problem *p)
{
    char *text = NULL;
    int error = -ENOMEM;

    if (request != NULL && json_object_set_new(request, "id", json_integer(++c->id)) == 0)
        text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (text != NULL && strlen(text) < VC_CONTROL_LINE_MAX) {
        size_t n = strlen(text);

        text[n] = '\n'; /* in the place of its NUL */
        error = send_all(c, text, n + 1);
    }
    free(text);
    if (error == -EPIPE) /* it has hung up, and may have said why */
        error = 0;
    return error == 0 ? 0 : problem_set(p, error, "%s: cannot ask: %s", c->path, strerror(-error));
}

/* Room for more bytes in c->in; moves what is unused to its start. */
static int make_room(struct conn *c, size_t room, size_t limit)
{
    if (c->taken > 0) {
        memmove(c->in, c->in + c->taken, c->have - c->taken);
        c->have -= c->taken;
        c->taken = 0;
    }
    while (c->in_size - c->have < room) {
        size_t size = c->in_size > 0 ? 2 * c->in_size : 16384;
        uint8_t *more = size <= limit ? realloc(c->in, size) : NULL;

        if (more == NULL)
            return size <= limit ? -ENOMEM : -EMSGSIZE;
        c->in = more;
        c->in_size = size;
    }
    return 0;
}

int conn_receive(struct conn *c)
{
    ssize_t n;
    int error = make_room(c, 1, 4 * CONN_ANSWER_MAX);

    if (error != 0)
        return error;
    n = recv(c->fd, c->in + c->have, c->in_size - c->have, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : -errno;
    c->have += (size_t)n;
    return n > 0;
}

/* The next line, parsed; NULL with *p. */
static json_t *receive_answer(struct conn *c, struct problem *p)
{
    size_t seen = 0;
    json_error_t at;
    json_t *answer;

    for (;;) {
        uint8_t *end =
            c->have > c->taken + seen ? memchr(c->in + c->taken + seen, '\n', c->have - c->taken - seen) : NULL;
        int result;

        if (end != NULL) {
            answer =
                json_loadb((char *)c->in + c->taken, (size_t)(end - c->in) - c->taken, JSON_REJECT_DUPLICATES, &at);
            c->taken = (size_t)(end - c->in) + 1;
            if (!json_is_object(answer)) {
                problem_set(p, 0, "%s: what answers there is no console service", c->path);
                json_decref(answer);
                return NULL;
            }
            return answer;
        }
        seen = c->have - c->taken;
        result = seen > CONN_ANSWER_MAX ? -EMSGSIZE : !conn_wait(c, c->patience_ms) ? -ETIMEDOUT : conn_receive(c);
        if (result <= 0) {
            problem_set(p, 0, "%s: the service %s", c->path,
                        result == 0 ? "closed the connection: is it stopping? vcons status" : strerror(-result));
            return NULL;
        }
    }
}

static int status_of(const char *code)
{
    static const struct {
        const char *code;
        int status;
    } all[] = {{VC_CONTROL_E_NO_CONSOLE, EXIT_NO_CONSOLE},
               {VC_CONTROL_E_NO_DOMAIN, EXIT_NO_CONSOLE},
               {VC_CONTROL_E_NOT_ALLOWED, EXIT_NOT_ALLOWED}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(code, all[i].code) == 0)
            return all[i].status;
    return EXIT_FAILED;
}

static const char *advice(const char *code)
{
    if (strcmp(code, VC_CONTROL_E_NO_CONSOLE) == 0 || strcmp(code, VC_CONTROL_E_NO_DOMAIN) == 0)
        return ": see vcons ls";
    if (strcmp(code, VC_CONTROL_E_VERSION) == 0)
        return ": service and command are of different versions";
    return "";
}

int conn_try_ask(struct conn *c, json_t *request, json_t **ok, struct problem *p)
{
    json_t *answer = NULL, *result;
    const char *code, *text;
    int status = EXIT_NO_SERVICE;

    *ok = NULL;
    if (send_request(c, request, p) != 0 || (answer = receive_answer(c, p)) == NULL)
        return status;
    result = json_object_get(answer, "ok");
    code = json_string_value(json_object_get(answer, "error"));
    text = json_string_value(json_object_get(answer, "message"));
    if (json_integer_value(json_object_get(answer, "id")) != c->id && code == NULL) {
        problem_set(p, 0, "%s: an answer to something else", c->path);
    } else if (code != NULL) {
        problem_set(p, 0, "%s (service at %s)%s", text != NULL ? text : code, c->path, advice(code));
        status = status_of(code);
    } else if (json_is_object(result)) {
        *ok = json_incref(result);
        status = EXIT_DONE;
    } else {
        problem_set(p, 0, "%s: an answer without a result", c->path);
    }
    json_decref(answer);
    return status;
}

int conn_try(struct conn *c, const struct options *options, struct problem *p)
{
    json_t *ok = NULL;
    int status;

    *c = (struct conn){.fd = -1, .pass_fd = -1, .patience_ms = CONN_PATIENCE_MS};
    status = connect_any(c, options, p);
    if (status == EXIT_DONE)
        status = conn_try_ask(c, json_pack("{s:s,s:i}", "op", "hello", "version", VC_CONTROL_VERSION), &ok, p);
    json_decref(ok);
    if (status != EXIT_DONE)
        conn_close(c);
    return status;
}

int conn_open(struct conn *c, const struct options *options)
{
    struct problem p;
    int status = conn_try(c, options, &p);

    if (status != EXIT_DONE)
        message("%s", p.text);
    return status;
}

int conn_ask(struct conn *c, json_t *request, json_t **ok)
{
    struct problem p;
    int status = conn_try_ask(c, request, ok, &p);

    if (status != EXIT_DONE)
        message("%s", p.text);
    return status;
}

int conn_request(const struct options *options, json_t *request, json_t **ok)
{
    struct conn c;
    int status = conn_open(&c, options);

    if (status == EXIT_DONE)
        status = conn_ask(&c, request, ok);
    else
        json_decref(request);
    conn_close(&c);
    return status;
}

int conn_ask_with(struct conn *c, json_t *request, int fd, json_t **ok)
{
    c->pass_fd = fd;
    c->patience_ms = -1;
    return conn_ask(c, request, ok);
}

static uint64_t number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

static void copy_text(char *out, size_t size, const json_t *ok, const char *key, const char *instead)
{
    const char *text = json_string_value(json_object_get(ok, key));

    snprintf(out, size, "%s", text != NULL ? text : instead);
    message_clean(out, strlen(out));
}

static json_t *marks_of(enum conn_marks marks)
{
    return marks == CONN_MARKS_TIME ? json_string("time") : json_boolean(marks == CONN_MARKS_STREAM);
}

int conn_attach(struct conn *c, const struct conn_view *view, json_t *from, struct conn_attach *attach,
                struct problem *p)
{
    json_t *ok,
        *request = json_pack("{s:s,s:s,s:o,s:b,s:s,s:o}", "op", "attach", "console", view->console, "from", from,
                             "follow", view->follow, "write", view->write, "marks", marks_of(view->marks));
    int status = conn_try_ask(c, request, &ok, p);

    if (status != EXIT_DONE)
        return status;
    *attach =
        (struct conn_attach){.start = number(ok, "start"), .offset = number(ok, "offset"), .end = number(ok, "end")};
    attach->rows = (uint16_t)number(ok, "rows");
    attach->columns = (uint16_t)number(ok, "columns");
    attach->may_break = json_is_true(json_object_get(ok, "break"));
    attach->on_demand = json_is_true(json_object_get(ok, "on_demand"));
    copy_text(attach->console, sizeof attach->console, ok, "console", view->console);
    copy_text(attach->state, sizeof attach->state, ok, "state", "running");
    json_decref(ok);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0)
        return EXIT_DONE;
    problem_set(p, 0, "%s: %s", c->path, strerror(errno));
    return EXIT_FAILED;
}
