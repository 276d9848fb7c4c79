/* SPDX-License-Identifier: MIT */
#include <vcons/wire/control.h>
#include <vcons/wire/link.h>

#include "control_requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "console.h"
#include "link.h"
#include "pty.h"
#include "service.h"
#include "upgrade.h"
#include "viewer.h"

#define PROGRAM "vconsd " VCONSD_VERSION

json_t *control_ok(const json_t *id, json_t *value)
{
    return json_pack("{s:O?, s:o}", "id", (json_t *)(uintptr_t)id, "ok", value != NULL ? value : json_object());
}

/* Where a long text was cut, in the midst of a character, jansson would refuse all of it. */
static void whole_characters(char *text)
{
    size_t n = strlen(text), begin = n;

    while (begin > 0 && n - begin < 3 && ((unsigned char)text[begin - 1] & 0xc0) == 0x80)
        begin--;
    if (begin > 0 && ((unsigned char)text[begin - 1] & 0xc0) == 0xc0)
        text[begin - 1] = '\0';
}

json_t *control_error(const json_t *id, const char *code, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) >= (int)sizeof text)
        whole_characters(text);
    va_end(args);
    message_clean(text, strlen(text)); /* names in it may be the client's */
    return json_pack("{s:O?, s:s, s:s}", "id", (json_t *)(uintptr_t)id, "error", code, "message", text);
}

json_t *control_bad(const json_t *request, const char *what)
{
    return control_error(json_object_get(request, "id"), VC_CONTROL_E_BAD, "%s", what);
}

const char *control_text(const json_t *request, const char *key)
{
    return json_string_value(json_object_get(request, key));
}

/* hello, ls, status */

static json_t *hello(struct control *k, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");

    if (json_integer_value(json_object_get(request, "version")) != VC_CONTROL_VERSION)
        return control_error(id, VC_CONTROL_E_VERSION, "this service speaks version %d", VC_CONTROL_VERSION);
    k->greeted = true;
    return control_ok(
        id, json_pack("{s:i, s:i, s:s}", "version", VC_CONTROL_VERSION, "pid", (int)getpid(), "program", PROGRAM));
}

const char *control_door(const struct console *c)
{
    static const char *const names[] = {
        [VC_LINK_XEN] = "xen",         [VC_LINK_CONSOLE_IO] = "console_io",
        [VC_LINK_COMMAND] = "command", [VC_LINK_TERMINAL] = "terminal",
        [VC_LINK_PL011] = "pl011",     [VC_LINK_SBSA] = "sbsa",
        [VC_LINK_16550] = "16550",     [VC_LINK_VIRTIO] = "virtio",
        [VC_LINK_FEEDER] = "feeder",   [VC_LINK_VIRTIO_PORT] = "virtio-port",
    };
    uint32_t kind = c->origin.kind;

    return kind < sizeof names / sizeof names[0] && names[kind] != NULL ? names[kind] : "none";
}

/* Of virtio ports alone the guest's end is told: other doors have none that it would open. */
static json_t *guest_of(const struct console *c)
{
    bool virtio = c->origin.kind == VC_LINK_VIRTIO || c->origin.kind == VC_LINK_VIRTIO_PORT;
    uint32_t guest = virtio ? __atomic_load_n(&c->append.guest, __ATOMIC_RELAXED) & ~APPEND_GUEST_SEEN : 0;

    return guest == VC_GUEST_OPEN     ? json_string("open")
           : guest == VC_GUEST_CLOSED ? json_string("closed")
                                      : json_null();
}

/* Bytes, boots and the newest output: of an open log, or of one that is only glanced at. */
static void status_of(struct console *c, struct log_status *status)
{
    struct log_time now;

    if (c->log_open) {
        log_status_get(&c->log, status);
        return;
    }
    service_clocks(&now);
    (void)log_glance(&c->glance, &c->service->store, c->log.domain, c->log.console, &now);
    *status = c->glance.status;
}

/* What its bytes come from, and why not now. A hypervisor keeps what its guest says until we come; others may not. */
static void describe_source(const struct console *c, json_t *o)
{
    const struct connector *k = c->connector;
    const char *type = c->source != NULL ? c->source->ops->type : NULL;

    json_object_set_new(o, "source", k != NULL ? json_string(k->settings.source) : json_string(type));
    if (k == NULL && type == NULL)
        json_object_set_new(o, "source", json_null());
    json_object_set_new(o, "reason", k != NULL && k->reason[0] != '\0' ? json_string(k->reason) : json_null());
    json_object_set_new(o, "early_output", json_boolean(k == NULL || k->way->early));
    json_object_set_new(o, "turned_away", json_integer(k != NULL ? (json_int_t)k->turned_away : 0));
}

static json_t *limit_of(const struct console *c)
{
    const struct append_limit *l = &c->append.limit;
    uint64_t rate = __atomic_load_n(&l->rate, __ATOMIC_RELAXED);

    if (rate == 0)
        return json_null();
    return json_pack("{s:I, s:s, s:I, s:f}", "bytes_a_second", (json_int_t)rate, "over",
                     __atomic_load_n(&l->drop, __ATOMIC_RELAXED) ? "drop" : "hold", "dropped",
                     (json_int_t)__atomic_load_n(&l->dropped, __ATOMIC_RELAXED), "held_s",
                     (double)__atomic_load_n(&l->held_ns, __ATOMIC_RELAXED) / 1e9);
}

json_t *control_describe(struct console *c)
{
    struct service *s = c->service;
    const char *link = pty_path(c, PTY_LINK), *tty = pty_path(c, PTY_MODULE);
    uint64_t written = __atomic_load_n(&c->append.written, __ATOMIC_RELAXED);
    struct log_status status;
    char name[NAME_FULL_BYTES], who[TOKEN_WHO_BYTES], log[PATH_MAX], socket[PATH_MAX];
    json_t *o;

    status_of(c, &status);
    if (written == 0)
        written = status.opened_ns; /* before this service */
    token_who(c, who);
    snprintf(name, sizeof name, "%s/%s", c->log.domain, c->log.console);
    (void)paths_format(log, "%s/%s", s->paths.log, name);
    (void)paths_format(socket, "%s/consoles/%s.sock", s->paths.runtime, name);
    o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "name", name, "domain", c->log.domain, "console",
                  c->log.console, "domid", (int)c->origin.domid, "hypervisor",
                  c->link != NULL ? link_name(c->link) : "", "engine", c->origin.engine, "door", control_door(c),
                  "state", console_state(c));
    json_object_update_new(o, json_pack("{s:I, s:I, s:i, s:i, s:I, s:b}", "bytes", (json_int_t)status.length, "dropped",
                                        (json_int_t)c->dropped, "boots", (int)status.boot, "viewers", (int)c->n_viewers,
                                        "refused", (json_int_t)c->refused, "broken",
                                        (int)__atomic_load_n(&c->append.broken, __ATOMIC_SEQ_CST)));
    json_object_set_new(o, "synced", status.syncs ? json_integer((json_int_t)status.synced) : json_null());
    json_object_set_new(o, "writer", who[0] != '\0' ? json_string(who) : json_null());
    json_object_set_new(o, "writer_since", who[0] != '\0' ? json_real((double)c->token.since_ns / 1e9) : json_null());
    json_object_set_new(o, "last_output", written != 0 ? json_real((double)written / 1e9) : json_null());
    describe_source(c, o);
    json_object_set_new(o, "log", json_string(log));
    json_object_set_new(o, "socket", c->raw.on ? json_string(socket) : json_null());
    json_object_set_new(o, "pty", link != NULL ? json_string(link) : json_null());
    json_object_set_new(o, "tty", tty != NULL ? json_string(tty) : json_null());
    json_object_set_new(o, "limit", limit_of(c));
    json_object_set_new(o, "guest", guest_of(c));
    json_object_set_new(o, "lease", control_lease_of(c));
    return o;
}

static json_t *ls(struct control *k, const json_t *request)
{
    json_t *list = json_array();

    for (struct console *c = k->service->registry.first; c != NULL; c = c->next)
        if (access_of(k->service, &k->peer, c->log.domain, c->log.console).read)
            json_array_append_new(list, control_describe(c));
    return control_ok(json_object_get(request, "id"), json_pack("{s:o}", "consoles", list));
}

/* A hypervisor is shown to those who may read one of its consoles. */
static bool may_see(const struct control *k, const struct link *l)
{
    const struct service *s = k->service;

    if (k->peer.uid == 0 || k->peer.uid == s->own.uid)
        return true;
    for (const struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->link == l && access_of(s, &k->peer, c->log.domain, c->log.console).read)
            return true;
    return false;
}

static json_t *status(struct control *k, const json_t *request)
{
    struct service *s = k->service;
    json_t *links = json_array();
    struct log_time now;

    service_clocks(&now);
    for (const struct link *l = s->links; l != NULL; l = link_next(l))
        if (may_see(k, l))
            json_array_append_new(links, json_pack("{s:s, s:i}", "name", link_name(l), "pid", (int)link_pid(l)));
    return control_ok(json_object_get(request, "id"),
                      json_pack("{s:i, s:s, s:f, s:i, s:i, s:i, s:o, s:s, s:s, s:s, s:I, s:i, s:I, s:b}", "pid",
                                (int)getpid(), "program", PROGRAM, "uptime_s",
                                (double)(now.mono_ns - s->started_ns) / 1e9, "consoles", (int)s->registry.n, "sources",
                                (int)s->registry.n_sources, "viewers", (int)s->n_viewers, "links", links, "runtime_dir",
                                s->paths.runtime, "state_dir", s->paths.state, "log_dir", s->paths.log, "log_bytes",
                                (json_int_t)__atomic_load_n(&s->store.bytes, __ATOMIC_RELAXED), "logs_failing",
                                (int)__atomic_load_n(&s->store.n_failing, __ATOMIC_RELAXED), "audit_failures",
                                (json_int_t)s->audit.failures, "kicks_sure", kicker_sure(&s->kicker)));
}

/* stop, reset, save */

void control_asking(struct control *k, const char *lost)
{
    k->n_asked = 0;
    k->asked_failed = false;
    k->asked_lost = lost;
    k->asked_text[0] = '\0';
    k->asked_console = (struct name){{0}, {0}};
}

void control_asked(struct control *k, const json_t *request, const struct link *l, uint32_t serial)
{
    const json_t *id = json_object_get(request, "id");

    if (k->n_asked == 0)
        k->asked_id = id != NULL ? json_deep_copy(id) : json_null();
    k->asked[k->n_asked].link = l;
    k->asked[k->n_asked++].serial = serial;
}

static json_t *ask(struct control *k, const json_t *request, struct link *l, enum vc_link_request what,
                   const char *domain)
{
    uint32_t serial;

    if (k->n_asked == CONTROL_ASKED ||
        link_ask(l, what, domain, what == VC_LINK_SAVE ? k->passed_fd : -1, &serial) != 0)
        return control_error(json_object_get(request, "id"), VC_CONTROL_E_FAILED, "%s does not answer now",
                             link_name(l));
    control_asked(k, request, l, serial);
    return NULL;
}

static json_t *stop_all(struct control *k, const json_t *request)
{
    json_t *failed = NULL;

    for (struct link *l = k->service->links; l != NULL && failed == NULL; l = link_next(l))
        failed = ask(k, request, l, VC_LINK_STOP_ALL, "");
    if (failed != NULL) {
        json_decref(k->asked_id);
        k->asked_id = NULL;
        k->n_asked = 0;
        return failed;
    }
    return k->n_asked == 0 ? control_ok(json_object_get(request, "id"), NULL) : NULL;
}

static json_t *ask_domain(struct control *k, const json_t *request, enum vc_link_request what)
{
    const json_t *id = json_object_get(request, "id");
    const char *domain = control_text(request, "domain");
    const struct console *c;

    if (k->peer.uid != 0 && k->peer.uid != k->service->own.uid)
        return control_error(id, VC_CONTROL_E_NOT_ALLOWED, "only the service's own user and root stop or save domains");
    control_asking(k, what == VC_LINK_SAVE ? "its hypervisor went away before it was saved" : NULL);
    if (what == VC_LINK_SAVE && k->passed_fd < 0)
        return control_bad(request, "save comes with the descriptor of a file");
    if (json_is_true(json_object_get(request, "all")) && what == VC_LINK_STOP)
        return stop_all(k, request);
    if (domain == NULL)
        return control_bad(request, "which domain? \"domain\" is a name");
    c = console_resolve(k->service, domain);
    if (c == NULL)
        return control_error(id, VC_CONTROL_E_NO_DOMAIN, "no domain %s", domain);
    if (c->link == NULL)
        return control_error(id, VC_CONTROL_E_AWAY, "the hypervisor of %s is not connected", c->log.domain);
    return ask(k, request, c->link, what, c->log.domain);
}

/* attach */

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
    if (error)
        return control_error(id, VC_CONTROL_E_FAILED, "%s/%s: %s", c->log.domain, c->log.console, strerror(-error));
    k->viewer = viewer_newest(c);
    if (may->write && write != NULL && strcmp(write, "no") != 0)
        k->viewer->refused = !token_request(c, k->viewer, strcmp(write, "steal") == 0 ? TOKEN_STEAL : TOKEN_IF_FREE);
    snprintf(name, sizeof name, "%s/%s", c->log.domain, c->log.console);
    return control_ok(
        id, json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:b}", "console", name, "state", console_state(c), "start",
                      (json_int_t)log.oldest, "offset", (json_int_t)wish.offset, "end", (json_int_t)log.length, "rows",
                      (int)(c->size >> 16), "columns", (int)(c->size & 0xffff), "break", (int)may->send_break));
}

json_t *control_attach(struct control *k)
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
static json_t *attach(struct control *k, const json_t *request)
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

/* Nothing is answered here: upgrade.c does, when it has all together. */
static json_t *upgrade(struct control *k, const json_t *request)
{
    const json_t *id = json_object_get(request, "id");
    const char *wrong;

    if (k->peer.uid != 0 && k->peer.uid != k->service->own.uid)
        return control_error(id, VC_CONTROL_E_NOT_ALLOWED, "only the service's own user and root take over");
    if (json_integer_value(json_object_get(request, "version")) != UPGRADE_VERSION)
        return control_error(id, VC_CONTROL_E_VERSION, "this service hands over by version %u", UPGRADE_VERSION);
    json_decref(k->asked_id);
    k->asked_id = id != NULL ? json_deep_copy(id) : NULL;
    wrong = upgrade_begin(k->service, k);
    return wrong != NULL ? control_error(id, VC_CONTROL_E_FAILED, "%s", wrong) : NULL;
}

static json_t *dispatch(struct control *k, const json_t *request)
{
    const char *op = control_text(request, "op");

    if (!json_is_object(request) || op == NULL)
        return control_bad(request, "a request is a JSON object with \"op\"");
    if (strcmp(op, "hello") == 0)
        return hello(k, request);
    if (!k->greeted)
        return control_bad(request, "the first request is hello");
    if (strcmp(op, "ls") == 0)
        return ls(k, request);
    if (strcmp(op, "status") == 0)
        return status(k, request);
    if (strcmp(op, "stop") == 0)
        return ask_domain(k, request, VC_LINK_STOP);
    if (strcmp(op, "reset") == 0)
        return ask_domain(k, request, VC_LINK_RESET);
    if (strcmp(op, "save") == 0)
        return ask_domain(k, request, VC_LINK_SAVE);
    if (strcmp(op, "console_add") == 0)
        return control_console(k, request, VC_LINK_CONSOLE_ADD);
    if (strcmp(op, "console_remove") == 0)
        return control_console(k, request, VC_LINK_CONSOLE_REMOVE);
    if (strcmp(op, "xen") == 0)
        return control_xen(k, request);
    if (strcmp(op, "upgrade") == 0)
        return upgrade(k, request);
    if (strcmp(op, "resize") == 0)
        return control_resize(k, request);
    if (strcmp(op, "reload") == 0)
        return control_reload(k, request);
    if (strcmp(op, "source_add") == 0)
        return control_source_add(k, request);
    if (strcmp(op, "source_remove") == 0)
        return control_source_remove(k, request);
    if (strcmp(op, "lease") == 0)
        return control_lease(k, request);
    if (strcmp(op, "attach") == 0)
        return attach(k, request);
    return control_bad(request, "\"op\" is one of hello, ls, status, stop, reset, save, console_add, console_remove, "
                                "source_add, source_remove, "
                                "reload, resize, lease, attach");
}

json_t *control_request(struct control *k, const json_t *request)
{
    static const struct {
        const char *op, *target; /* which key says what it is done to */
    } changes[] = {
        {"stop", "domain"},           {"reset", "domain"},       {"save", "domain"},    {"console_add", "domain"},
        {"console_remove", "domain"}, {"xen", "domain"},         {"resize", "console"}, {"reload", NULL},
        {"source_add", "name"},       {"source_remove", "name"}, {"upgrade", NULL},     {"lease", "console"}};
    const char *op = control_text(request, "op");
    json_t *reply = dispatch(k, request);

    for (size_t i = 0; op != NULL && i < sizeof changes / sizeof changes[0]; i++)
        if (strcmp(op, changes[i].op) == 0)
            audit_asked(k->service, &k->peer, op,
                        changes[i].target != NULL ? control_text(request, changes[i].target) : NULL,
                        reply == NULL                             ? "asked"
                        : json_object_get(reply, "error") != NULL ? control_text(reply, "error")
                                                                  : "done");
    return reply;
}
