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
#include <vcons/wire/link.h>

#include "access.h"
#include "host/name.h"
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
    struct {               /* requests to hypervisors that wait for their answers */
        const struct link *link;
        uint32_t serial;
    } asked[CONTROL_ASKED];
    uint32_t n_asked;
    json_t *asked_id;
    json_t *attaching;             /* an attach whose console is being brought up to date ... */
    const struct console *syncing; /* ... this one */
    bool asked_failed;
    const char *asked_lost;    /* what went wrong if a hypervisor goes before it answered; NULL: nothing did */
    struct name asked_console; /* that comes or goes: it is told of in the answer; empty: none */
    const char *asked_code;    /* of the error, if asked_failed */
    char asked_text[VC_LINK_TEXT_BYTES];
};

/* The answer to a request; NULL: it will come later (stop, reset, save, attach). */
json_t *control_request(struct control *k, const json_t *request);
/* control_attach.c: from then on the connection is a viewer's; and the rest of that, k->attaching, once its console is up to date. */
json_t *control_attach(struct control *k, const json_t *request);
json_t *control_attach_on(struct control *k);
/* control_consoles.c: a console more or less; the size of one. */
json_t *control_console(struct control *k, const json_t *request, enum vc_link_console_request what);
json_t *control_resize(struct control *k, const json_t *request);
json_t *control_xen(struct control *k, const json_t *request); /* to the module */
/* control_lease.c: the write token for a time; and what of that stands in CONSOLE. */
json_t *control_lease(struct control *k, const json_t *request);
json_t *control_lease_of(const struct console *c);
/* control_sources.c: the configuration anew; sources by hand. */
json_t *control_reload(struct control *k, const json_t *request);
json_t *control_source_add(struct control *k, const json_t *request);
json_t *control_source_remove(struct control *k, const json_t *request);
/* The object CONSOLE of wire/control.h. */
json_t *control_describe(struct console *c);
const char *control_door(const struct console *c);
const char *control_text(const json_t *request, const char *key); /* NULL: it has none of that name, or no text */
/*
 * The console that a request is about, which its client may write, and its full name. NULL: the answer is *refusal. to: a verb for it.
 */
struct console *control_writable(struct control *k, const json_t *request, const char *to, char name[NAME_FULL_BYTES],
                                 json_t **refusal);
/* A request that goes on to a hypervisor begins: nothing is asked yet. */
void control_asking(struct control *k, const char *lost);
/* It was asked: the answer comes later, with the request's id. */
void control_asked(struct control *k, const json_t *request, const struct link *l, uint32_t serial);
json_t *control_bad(const json_t *request, const char *what);
json_t *control_ok(const json_t *id, json_t *value); /* takes value */
json_t *control_error(const json_t *id, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
