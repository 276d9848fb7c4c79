/* SPDX-License-Identifier: MIT */
/*
 * control_requests.h: what each request of the control protocol does; control.c does the reading and writing.
 *
 * Owner: struct control is control.c's. Answers are new references for it.
 * Lock:  none, the control thread.
 * Trust: the request is JSON of any shape.
 */
#ifndef VCONS_SERVICE_CONTROL_REQUESTS_H
#define VCONS_SERVICE_CONTROL_REQUESTS_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "watch.h"

struct console;
struct link;
struct service;
struct viewer;

#define CONTROL_ASKED 8u /* hypervisors that one request can go to */

struct control {
    struct watch watch;
    struct service *service;
    struct control *next;
    struct access_peer peer;
    bool greeted;
    int passed_fd; /* came with the request, -1: none */
    char *line;    /* a request that is not whole yet */
    size_t line_n;
    char *answer; /* what the socket has not taken */
    size_t answer_n, answer_done;
    struct viewer *viewer; /* attached: once the answer is out */
    struct {               /* stop, reset and save wait for their hypervisors */
        const struct link *link;
        uint32_t serial;
    } asked[CONTROL_ASKED];
    uint32_t n_asked;
    json_t *asked_id;
    json_t *attaching;             /* an attach whose console is being brought up to date ... */
    const struct console *syncing; /* ... this one */
    bool asked_failed, asked_save;
    char asked_text[VC_LINK_TEXT_BYTES];
};

/* The answer to a request; NULL: it will come later (stop, reset, save, attach). */
json_t *control_request(struct control *k, const json_t *request);
/* The rest of an attach, k->attaching, once its console is up to date. */
json_t *control_attach(struct control *k);
json_t *control_ok(const json_t *id, json_t *value); /* takes value */
json_t *control_error(const json_t *id, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
