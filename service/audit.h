/* SPDX-License-Identifier: MIT */
/*
 * audit.h: who attached, who could write and who wrote, who asked for what and was refused: LOG/_audit.log, append-only.
 *
 * Spec:  docs/vconsd.8, "AUDIT": a JSON object a line. No console's name begins with an underscore.
 * Owner: struct audit is the service's; zeroed it writes nothing, and counts nothing as a failure.
 * Lock:  none, the control thread.
 * Trust: names are checked before they come here, users' names are escaped. What those who are let in do is all written; of what is
 *        refused AUDIT_REFUSED_A_SECOND, for anybody may be refused without end: how many were left out stands in the next.
 */
#ifndef VCONS_SERVICE_AUDIT_H
#define VCONS_SERVICE_AUDIT_H
#include <stdbool.h>
#include <stdint.h>

#define AUDIT_FILE             "_audit.log"
#define AUDIT_REFUSED_A_SECOND 20u

struct access_peer;
struct console;
struct service;
struct viewer;

enum audit_wish { AUDIT_YES, AUDIT_NO, AUDIT_TEXT };

struct audit {
    int fd; /* -1: it cannot be opened; failures grow with each event */
    bool on, text;
    bool said;         /* that it fails */
    uint64_t failures; /* events that were not written, or not whole */
    uint64_t second;   /* CLOCK_MONOTONIC, of … */
    uint32_t refused;  /* … so many */
    uint64_t left_out;
};

void audit_open(struct service *s);   /* as the configuration says; a failure is told and counted, no more */
void audit_reopen(struct service *s); /* its name may be another file's now */
void audit_close(struct service *s);

void audit_service(struct service *s, const char *event); /* "start", "stop" */
void audit_attached(const struct viewer *v);
void audit_detached(const struct viewer *v);
void audit_token(const struct console *c); /* it changed hands */
void audit_typed(struct viewer *v, const void *bytes, uint32_t n);
void audit_break(const struct viewer *v);
/* A request that changes something, and what came of it: "done", "asked" (somebody else) or an error's code. */
void audit_asked(struct service *s, const struct access_peer *peer, const char *op, const char *target,
                 const char *result);
/* No reader, or no writer, of it: what is "attach" or "write". */
void audit_refused(struct service *s, const struct access_peer *peer, const struct console *c, const char *what);

#endif
