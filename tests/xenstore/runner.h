/* SPDX-License-Identifier: MIT */
/* runner.h: puts the table to a server, whichever it is. */
#ifndef VCONS_TESTS_XENSTORE_RUNNER_H
#define VCONS_TESTS_XENSTORE_RUNNER_H
#include "table.h"
#include <stdbool.h>
#include <vcons/wire/xenstore.h>

struct xt_server {
    void *ctx;
    uint32_t guest; /* its domain's number */
    bool real;      /* rows' real replies are expected */
    void (*send)(void *ctx, char who, const struct xsd_sockmsg *head, const char *payload);
    /* The next message to who, payload of XENSTORE_PAYLOAD_MAX bytes; it must come. False: it did not. */
    bool (*receive)(void *ctx, char who, struct xsd_sockmsg *head, char *payload);
};

struct xt_result {
    size_t passed, failed, differ; /* rows; differ: where the real one was expected to, and did (among passed) */
};
/* say is called with a line for each row that failed. */
struct xt_result xt_run(const struct xt_server *server, void (*say)(const char *line));

#endif
