/* SPDX-License-Identifier: MIT */
/* The request that turns a connection into a viewer's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "connector.h"
#include "console.h"
#include "control_requests.h"
#include "service.h"
#include "viewer.h"
#include <vcons/wire/control.h>

static bool from_object(const json_t *from, struct log_from *out)
{
    static const struct {
        const char *key;
        enum log_from_kind kind;
    } keys[] = {{"offset", LOG_FROM_OFFSET},
                {"tail", LOG_FROM_TAIL},
                {"lines", LOG_FROM_LINES},
                {"time_ns", LOG_FROM_TIME},
                {"boot", LOG_FROM_BOOT}};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *value = json_object_get(from, keys[i].key);

        if (!json_is_integer(value))
            continue;
        *out = (struct log_from){keys[i].kind, json_integer_value(value)};
        return out->value >= 0 || out->kind == LOG_FROM_BOOT;
    }
    return false;
}

static bool from_of(const json_t *from, struct log_from *out)
{
    const char *word = json_string_value(from);

    *out = (struct log_from){.kind = LOG_FROM_NOW};
    if (from == NULL || (word != NULL && strcmp(word, "now") == 0))
        return true;
    out->kind = LOG_FROM_START;
    if (word != NULL)
        return strcmp(word, "start") == 0;
    return from_object(from, out);
}

/* "marks": true for what has a place in the stream; "time" for time marks as well. */
static uint32_t kinds_of(const json_t *marks)
{
    const char *word = json_string_value(marks);

    if (word != NULL && strcmp(word, "time") == 0)
        return LOG_KINDS_STREAM | LOG_KIND(VC_INDEX_TIME);
    return json_is_true(marks) ? LOG_KINDS_STREAM : 0;
}

static json_t *attach_to(struct control *k, const json_t *request, struct console *c, const struct access *may)
{
    const json_t *id = json_object_get(request, "id");
    const char *write = control_text(request, "write");
    char who[TOKEN_WHO_BYTES], name[NAME_FULL_BYTES];
    struct viewer_wish wish = {.kinds = kinds_of(json_object_get(request, "marks")),
                               .frames = true,
                               .may_write = may->write,
                               .may_break = may->send_break,
                               .uid = k->peer.uid,
                               .pid = k->peer.pid,
                               .who = who};
    struct log_status log;
    struct log_from from;
    int error;

    if (!from_of(json_object_get(request, "from"), &from))
        return control_bad(request, "\"from\" is \"start\", \"now\", or one of offset, tail, lines, time_ns, boot");
    error = console_open(c);
    if (error == 0)
        error = log_locate(&c->log, &from, &wish.offset);
    log_status_get(&c->log, &log);
    wish.end = json_is_false(json_object_get(request, "follow")) ? log.length : UINT64_MAX;
    access_who(k->service, &k->peer, who, sizeof who);
    if (error == 0)
        error = viewer_create(c, k->watch.fd, &wish);
    if (error == -ENOENT && from.kind == LOG_FROM_BOOT)
        return control_error(id, VC_CONTROL_E_FAILED, "%s/%s: nothing of that boot is kept; there were %u",
                             c->log.domain, c->log.console, log.boot);
    if (error)
        return control_error(id, VC_CONTROL_E_FAILED, "%s/%s: %s", c->log.domain, c->log.console, strerror(-error));
    k->viewer = viewer_newest(c);
    if (may->write && write != NULL && strcmp(write, "no") != 0)
        k->viewer->refused = !token_request(c, k->viewer, strcmp(write, "steal") == 0 ? TOKEN_STEAL : TOKEN_IF_FREE);
    snprintf(name, sizeof name, "%s/%s", c->log.domain, c->log.console);
    return control_ok(id, json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:b, s:b}", "console", name, "state",
                                    console_state(c), "start", (json_int_t)log.oldest, "offset",
                                    (json_int_t)wish.offset, "end", (json_int_t)log.length, "rows",
                                    (int)(c->size >> 16), "columns", (int)(c->size & 0xffff), "break",
                                    (int)may->send_break, "on_demand", (int)connector_on_demand(c)));
}

json_t *control_attach_on(struct control *k)
{
    const json_t *request = k->attaching;
    struct console *c = console_resolve(k->service, control_text(request, "console"));
    struct access may;

    if (c == NULL)
        return control_error(json_object_get(request, "id"), VC_CONTROL_E_NO_CONSOLE, "it is gone");
    may = access_of(k->service, &k->peer, c->log.domain, c->log.console);
    return attach_to(k, request, c, &may);
}

/* The answer speaks of positions: they cover every byte that the guest wrote before the question (R39). */
json_t *control_attach(struct control *k, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    const char *name = control_text(request, "console"), *write = control_text(request, "write");
    struct console *c;
    struct access may;

    if (name == NULL)
        return control_bad(request, "which console? \"console\" is DOMAIN/CONSOLE or DOMAIN");
    c = console_resolve(k->service, name);
    if (c != NULL)
        may = access_of(k->service, &k->peer, c->log.domain, c->log.console);
    if (c != NULL && !may.read)
        audit_refused(k->service, &k->peer, c, "attach");
    if (c == NULL || !may.read)
        return control_error(id, VC_CONTROL_E_NO_CONSOLE, "no console %s", name);
    if (write != NULL && strcmp(write, "no") != 0 && !may.write)
        audit_refused(k->service, &k->peer, c, "write");
    if (write != NULL && strcmp(write, "no") != 0 && !may.write)
        return control_error(id, VC_CONTROL_E_NOT_ALLOWED, "you may read %s, not write it", name);
    if (c->source == NULL)
        return attach_to(k, request, c, &may);
    k->attaching = json_incref((json_t *)(uintptr_t)request);
    k->syncing = c;
    if (!c->removing) /* else its end is near, which will tell as well */
        append_sync(&k->service->append, c);
    return NULL;
}
