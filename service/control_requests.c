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

struct console *control_writable(struct control *k, const json_t *request, const char *to, char name[NAME_FULL_BYTES],
                                 json_t **refusal)
{
    const json_t *id = json_object_get(request, "id");
    const char *text = control_text(request, "console");
    struct console *c = text != NULL ? console_resolve(k->service, text) : NULL;
    struct access may = {.read = false};

    if (c != NULL)
        may = access_of(k->service, &k->peer, c->log.domain, c->log.console);
    if (may.read)
        snprintf(name, NAME_FULL_BYTES, "%s/%s", c->log.domain, c->log.console);
    if (may.read && may.write)
        return c;
    if (text == NULL)
        *refusal = control_bad(request, "which console? \"console\" is DOMAIN/CONSOLE or DOMAIN");
    else if (!may.read)
        *refusal = control_error(id, VC_CONTROL_E_NO_CONSOLE, "no console %s", text);
    else
        *refusal = control_error(id, VC_CONTROL_E_NOT_ALLOWED, "you may read %s, not %s it", name, to);
    return NULL;
}

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
    json_object_set_new(o, "early_output", json_boolean(k == NULL || (k->way->early && !k->settings.on_demand)));
    json_object_set_new(o, "on_demand", json_boolean(connector_on_demand(c)));
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
                                        (json_int_t)(c->dropped + status.discarded), "boots", (int)status.boot,
                                        "viewers", (int)c->n_viewers, "refused", (json_int_t)c->refused, "broken",
                                        (int)__atomic_load_n(&c->append.broken, __ATOMIC_SEQ_CST)));
    json_object_set_new(o, "synced", status.syncs ? json_integer((json_int_t)status.synced) : json_null());
    json_object_set_new(o, "unsaved", json_integer((json_int_t)status.unsaved));
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

static json_t *stop(struct control *k, const json_t *request) { return ask_domain(k, request, VC_LINK_STOP); }
static json_t *reset(struct control *k, const json_t *request) { return ask_domain(k, request, VC_LINK_RESET); }
static json_t *save(struct control *k, const json_t *request) { return ask_domain(k, request, VC_LINK_SAVE); }

static json_t *console_add(struct control *k, const json_t *request)
{
    return control_console(k, request, VC_LINK_CONSOLE_ADD);
}

static json_t *console_remove(struct control *k, const json_t *request)
{
    return control_console(k, request, VC_LINK_CONSOLE_REMOVE);
}

static const struct request {
    const char *op;
    json_t *(*answer)(struct control *k, const json_t *request);
    bool changes;       /* something, and so stands in the audit log ... */
    const char *target; /* ... with what this key says */
} requests[] = {{"hello", hello, false, NULL},
                {"ls", ls, false, NULL},
                {"status", status, false, NULL},
                {"attach", control_attach, false, NULL},
                {"stop", stop, true, "domain"},
                {"reset", reset, true, "domain"},
                {"save", save, true, "domain"},
                {"console_add", console_add, true, "domain"},
                {"console_remove", console_remove, true, "domain"},
                {"resize", control_resize, true, "console"},
                {"lease", control_lease, true, "console"},
                {"source_add", control_source_add, true, "name"},
                {"source_remove", control_source_remove, true, "name"},
                {"reload", control_reload, true, NULL},
                {"xen", control_xen, true, "domain"},
                {"upgrade", upgrade, true, NULL}};

#define N_REQUESTS (sizeof requests / sizeof requests[0])

static json_t *no_such(const json_t *request)
{
    char text[256] = "\"op\" is one of";
    size_t n = strlen(text);

    for (size_t i = 0; i < N_REQUESTS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s %s", i > 0 ? "," : "", requests[i].op);
    return control_bad(request, text);
}

static void audit(struct control *k, const json_t *request, const struct request *r, const json_t *reply)
{
    const char *how = "asked";

    if (reply != NULL)
        how = json_object_get(reply, "error") != NULL ? control_text(reply, "error") : "done";
    audit_asked(k->service, &k->peer, r->op, r->target != NULL ? control_text(request, r->target) : NULL, how);
}

json_t *control_request(struct control *k, const json_t *request)
{
    const char *op = control_text(request, "op");
    const struct request *r = requests;
    json_t *reply;

    if (!json_is_object(request) || op == NULL)
        return control_bad(request, "a request is a JSON object with \"op\"");
    while (r < requests + N_REQUESTS && strcmp(op, r->op) != 0)
        r++;
    if (!k->greeted && (r == requests + N_REQUESTS || r->answer != hello))
        return control_bad(request, "the first request is hello");
    if (r == requests + N_REQUESTS)
        return no_such(request);
    reply = r->answer(k, request);
    if (r->changes)
        audit(k, request, r, reply);
    return reply;
}
