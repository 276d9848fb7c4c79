/* SPDX-License-Identifier: MIT */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "host/message.h"
#include "service.h"
#include "viewer.h"

#define LINE_BYTES (6u * VC_CONTROL_IN_MAX + 1024u) /* every byte typed as \u00XX */

struct line {
    uint32_t n;
    char text[LINE_BYTES];
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(l->text + l->n, sizeof l->text - l->n, format, args);
    va_end(args);
    l->n += n > 0 ? (uint32_t)n : 0;
    if (l->n >= sizeof l->text)
        l->n = sizeof l->text - 1;
}

/* Each byte is one character, U+0000 to U+00FF: what was typed need not be UTF-8. */
static void put_bytes(struct line *l, const char *key, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;

    put(l, ",\"%s\":\"", key);
    for (size_t i = 0; i < n && l->n < sizeof l->text - 16; i++)
        if (b[i] < 0x20 || b[i] >= 0x7f || b[i] == '"' || b[i] == '\\')
            put(l, "\\u%04x", b[i]);
        else
            l->text[l->n++] = (char)b[i];
    put(l, "\"");
}

static void begin(struct line *l, const char *event)
{
    struct timespec now;
    struct tm utc;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    l->n = (uint32_t)strftime(l->text, sizeof l->text, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
    put(l, ".%06ldZ\",\"event\":\"%s\"", now.tv_nsec / 1000, event);
}

static void put_console(struct line *l, const struct console *c)
{
    put(l, ",\"console\":\"%s/%s\"", c->log.domain, c->log.console);
}

static void put_viewer(struct line *l, const struct viewer *v)
{
    put(l, ",\"uid\":%u", (unsigned)v->uid);
    if (v->pid != 0)
        put(l, ",\"pid\":%d", (int)v->pid);
    put_bytes(l, "who", v->who, strlen(v->who));
    put(l, ",\"from\":\"%s\"", v->frames ? "control" : v->pty ? "pty" : "socket");
}

static void put_peer(struct line *l, const struct service *s, const struct access_peer *peer)
{
    char who[TOKEN_WHO_BYTES];

    access_who(s, peer, who, sizeof who);
    put(l, ",\"uid\":%u,\"pid\":%d", (unsigned)peer->uid, (int)peer->pid);
    put_bytes(l, "who", who, strlen(who));
}

static void failed(struct service *s, int error)
{
    struct audit *a = &s->audit;

    a->failures++;
    if (!a->said)
        message_at(MESSAGE_ERROR, "%s/" AUDIT_FILE ": %s; what is done from here on stands nowhere", s->paths.log,
                   strerror(error));
    a->said = true;
}

static void end(struct service *s, struct line *l)
{
    struct audit *a = &s->audit;
    ssize_t n;

    put(l, "}\n");
    n = a->fd >= 0 ? write(a->fd, l->text, l->n) : -1;
    if (n == (ssize_t)l->n) {
        if (a->said)
            message_at(MESSAGE_NOTICE, "%s/" AUDIT_FILE " is written again; %llu events are missing", s->paths.log,
                       (unsigned long long)a->failures);
        a->said = false;
        return;
    }
    failed(s, a->fd < 0 ? ENOENT : n < 0 ? errno : ENOSPC);
    if (n > 0)
        (void)!write(a->fd, "\n", 1); /* the next begins a line of its own, if it can */
}

/* Opening. */

void audit_open(struct service *s)
{
    struct audit *a = &s->audit;
    char path[PATH_MAX];
    struct stat st;

    a->fd = -1;
    a->on = s->config.audit != AUDIT_NO;
    a->text = s->config.audit == AUDIT_TEXT;
    if (!a->on || paths_format(path, "%s/" AUDIT_FILE, s->paths.log) != 0)
        return;
    a->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (a->fd < 0) {
        failed(s, errno);
        return;
    }
    /* A fifo or another's file would be told what happens here. */
    if (fstat(a->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink > 1) {
        failed(s, EINVAL);
        close(a->fd);
        a->fd = -1;
    }
}

void audit_close(struct service *s)
{
    if (s->audit.fd >= 0 && s->audit.on)
        close(s->audit.fd);
    s->audit.fd = -1;
}

void audit_reopen(struct service *s)
{
    audit_close(s);
    audit_open(s);
}

/* Events. */

void audit_service(struct service *s, const char *event)
{
    struct line l;

    if (!s->audit.on)
        return;
    begin(&l, event);
    put(&l, ",\"uid\":%u,\"pid\":%d,\"program\":\"vconsd %s\"", (unsigned)s->own.uid, (int)getpid(), VCONSD_VERSION);
    end(s, &l);
}

static void viewer_event(const struct viewer *v, const char *event)
{
    struct service *s = v->console->service;
    struct line l;

    if (!s->audit.on)
        return;
    begin(&l, event);
    put_console(&l, v->console);
    put_viewer(&l, v);
    if (strcmp(event, "attach") == 0)
        put(&l, ",\"may_write\":%s", v->may_write ? "true" : "false");
    if (strcmp(event, "detach") == 0)
        put(&l, ",\"typed\":%llu", (unsigned long long)v->typed);
    end(s, &l);
}

void audit_attached(const struct viewer *v) { viewer_event(v, "attach"); }
void audit_detached(const struct viewer *v) { viewer_event(v, "detach"); }
void audit_break(const struct viewer *v) { viewer_event(v, "break"); }

void audit_token(const struct console *c)
{
    struct service *s = c->service;
    char who[TOKEN_WHO_BYTES];
    struct line l;

    if (c->token.holder != NULL)
        c->token.holder->wrote = false;
    if (!s->audit.on)
        return;
    begin(&l, "token");
    put_console(&l, c);
    if (c->token.holder != NULL) {
        put_viewer(&l, c->token.holder);
    } else {
        token_who(c, who);
        if (who[0] != '\0')
            put_bytes(&l, "who", who, strlen(who));
        else
            put(&l, ",\"who\":null");
    }
    end(s, &l);
}

void audit_typed(struct viewer *v, const void *bytes, uint32_t n)
{
    struct service *s = v->console->service;
    struct line l;

    v->typed += n;
    if (!v->wrote)
        viewer_event(v, "write");
    v->wrote = true;
    if (!s->audit.on || !s->audit.text)
        return;
    begin(&l, "text");
    put_console(&l, v->console);
    put_viewer(&l, v);
    put_bytes(&l, "text", bytes, n);
    end(s, &l);
}

/* Whether one more of what is refused is written. */
static bool refusal_counts(struct audit *a)
{
    struct log_time now;

    service_clocks(&now);
    if (now.mono_ns / UINT64_C(1000000000) != a->second) {
        a->second = now.mono_ns / UINT64_C(1000000000);
        a->refused = 0;
    }
    if (++a->refused <= AUDIT_REFUSED_A_SECOND)
        return true;
    a->left_out++;
    return false;
}

static void put_left_out(struct line *l, struct audit *a)
{
    if (a->left_out > 0)
        put(l, ",\"left_out\":%llu", (unsigned long long)a->left_out);
    a->left_out = 0;
}

void audit_asked(struct service *s, const struct access_peer *peer, const char *op, const char *target,
                 const char *result)
{
    bool refused = strcmp(result, "done") != 0 && strcmp(result, "asked") != 0;
    struct line l;

    if (!s->audit.on || (refused && !refusal_counts(&s->audit)))
        return;
    begin(&l, "request");
    put(&l, ",\"op\":\"%s\"", op);
    if (target != NULL)
        put_bytes(&l, "of", target, strnlen(target, VC_CONTROL_IN_MAX / 2));
    put_peer(&l, s, peer);
    put(&l, ",\"result\":\"%s\"", result);
    if (refused)
        put_left_out(&l, &s->audit);
    end(s, &l);
}

void audit_refused(struct service *s, const struct access_peer *peer, const struct console *c, const char *what)
{
    struct line l;

    if (!s->audit.on || !refusal_counts(&s->audit))
        return;
    begin(&l, "refused");
    put_console(&l, c);
    put(&l, ",\"what\":\"%s\"", what);
    put_peer(&l, s, peer);
    put_left_out(&l, &s->audit);
    end(s, &l);
}
