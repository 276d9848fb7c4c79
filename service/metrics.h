/* SPDX-License-Identifier: MIT */
/*
 * metrics.h: what a monitoring system asks: counters in Prometheus' text form, on metrics.sock and, if wanted, a port on loopback.
 *
 * Spec:  Prometheus, "Exposition formats", text version 0.0.4; HTTP/1.x: GET or HEAD /metrics, one request a connection. On the
 *        socket also without HTTP: who sends nothing and closes its way out, or is silent for a second, is answered too.
 * Owner: struct metrics is the service's; a connection frees itself.
 * Lock:  none, the control thread.
 * Trust: the client: any bytes at any pace, or none. There are at most METRICS_CLIENTS, of which a new one replaces the oldest; each
 *        has one buffer, is written METRICS_CHUNK bytes a turn and is dropped when it has made no headway for METRICS_PATIENCE_S.
 *        On the socket it is root, the service's own user or of the group metrics_group; on the port it is anybody here.
 */
#ifndef VCONS_SERVICE_METRICS_H
#define VCONS_SERVICE_METRICS_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "host/message.h"
#include "watch.h"

#define METRICS_SOCKET     "metrics.sock"
#define METRICS_CLIENTS    16u
#define METRICS_CHUNK      16384u
#define METRICS_REQUEST    4096u /* bytes, with all headers */
#define METRICS_PATIENCE_S 10u

struct console;
struct metrics_client;
struct service;

struct metrics {
    struct watch socket, port;      /* listening */
    bool given;                     /* the socket is the service manager's */
    uv_timer_t timer;               /* a second; runs while there are clients */
    struct metrics_client *clients; /* the newest first */
    uint32_t n;
};

int metrics_start(struct service *s, struct problem *p); /* 0 or a negative errno */
void metrics_stop(struct service *s);

/* metrics_text.c: how far a text has got; zeroed: nowhere. */
struct metrics_text {
    uint32_t family;
    bool named; /* HELP and TYPE of this family are out */
    const struct console *at;
};
/* As many whole lines more as fit in room, at least METRICS_LINE; how many bytes. 0: that was all. */
#define METRICS_LINE 512u
uint32_t metrics_text(const struct service *s, struct metrics_text *t, char *out, uint32_t room);
/* A label's value: backslash, quote and newline with a backslash before them. Cut where it does not fit. */
void metrics_label(const char *value, char *out, uint32_t bytes);

#endif
