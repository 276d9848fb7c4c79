/* SPDX-License-Identifier: MIT */
#include "plugged.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "console.h"
#include "control.h"
#include "host/name.h"
#include "pty.h"
#include "service.h"

/* What a module may ask of the service. */

static void say(void *ctx, const char *format, va_list args)
{
    char text[PROBLEM_BYTES];

    (void)ctx;
    vsnprintf(text, sizeof text, format, args);
    message("%s", text);
}

static struct console *get(void *ctx, const char *domain, const char *console, int *error)
{
    struct console *c;

    *error = -EINVAL;
    if (!name_ok(domain) || !name_ok(console))
        return NULL;
    c = console_get(ctx, domain, console);
    *error = c != NULL ? console_open(c) : -ENOMEM;
    return *error == 0 ? c : NULL;
}

static int rename_domain(void *ctx, const char *domain, const char *name)
{
    return name_ok(domain) && name_ok(name) ? console_rename(ctx, domain, name) : -EINVAL;
}

static const char *pty(void *ctx, struct console *c, const struct source *source, struct problem *p)
{
    (void)ctx;
    return pty_open_line(c, source->line_id, p);
}

static int attach(void *ctx, struct console *c, struct source *source, const struct plugin_origin *from)
{
    const struct service *s = ctx;
    struct origin origin = {
        .kind = from->kind, .domid = from->domid, .uid = s->own.uid, .pid = getpid(), .first = from->first};

    if (s->stopping)
        return -ESHUTDOWN;
    memcpy(origin.uuid, from->uuid, sizeof origin.uuid);
    snprintf(origin.engine, sizeof origin.engine, "%s", from->engine);
    return console_attach(c, source, &origin);
}

static void detach(void *ctx, struct console *c, struct source *source, bool for_good)
{
    (void)ctx;
    if (c->source == source || c->later == source)
        console_detach(c, for_good);
}

static void state(void *ctx, struct console *c, uint32_t now)
{
    (void)ctx;
    if (c->source != NULL && now >= VC_DOMAIN_RUNNING && now <= VC_DOMAIN_PAUSED)
        c->state = now;
}

static void answered(void *ctx, uint32_t serial, int error, const char *text)
{
    struct vc_link_answer answer = {.head = {.type = error ? VC_LINK_REFUSED : VC_LINK_OK}, .cookie = serial};

    snprintf(answer.text, sizeof answer.text, "%s", text);
    control_answered(ctx, NULL, &answer);
}

int plugged_request(struct service *s, const struct plugin_request *request, uint32_t *serial)
{
    if (s->plugged.plugin == NULL || s->plugged.plugin->request == NULL || s->stopping)
        return -ENODEV;
    *serial = ++s->next_serial;
    return s->plugged.plugin->request(s->plugged.instance, *serial, request);
}

/* Loading. */

static void ready(struct watch *w, uint32_t events)
{
    struct plugged *k = (struct plugged *)((char *)w - offsetof(struct plugged, ready));

    (void)events;
    k->plugin->ready(k->instance);
}

static int load(struct plugged *k, const char *name, struct problem *p)
{
    char path[PATH_MAX];
    void *library;
    int error = paths_program(path, name, p);

    if (error)
        return error;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* never closed: its threads and sources are code of it */
    if (library == NULL)
        return problem_set(p, -ENOEXEC, "%s", dlerror());
    k->plugin = dlsym(library, PLUGIN_SYMBOL);
    if (k->plugin == NULL || k->plugin->version != PLUGIN_VERSION) {
        k->plugin = NULL;
        return problem_set(p, -ENOEXEC, "%s: it is of another version of vcons; install both of one", path);
    }
    return 0;
}

int plugged_open(struct service *s, const char *name, struct problem *p)
{
    struct plugged *k = &s->plugged;
    int error = load(k, name, p);

    if (error)
        return error;
    k->service = (struct plugin_service){.version = PLUGIN_VERSION,
                                         .ctx = s,
                                         .directory = s->paths.state,
                                         .replace = s->replace,
                                         .message = say,
                                         .console = get,
                                         .rename = rename_domain,
                                         .pty = pty,
                                         .attach = attach,
                                         .detach = detach,
                                         .state = state,
                                         .answered = answered};
    error = k->plugin->open(&k->service, &k->instance, p);
    if (error)
        k->plugin = NULL;
    return error;
}

int plugged_start(struct service *s, struct problem *p)
{
    struct plugged *k = &s->plugged;
    struct source_hub *hub = NULL;
    int error;

    if (k->plugin == NULL)
        return 0;
    k->ready.ready = ready;
    error = k->plugin->start(k->instance, &hub, &k->ready.fd, p);
    if (error)
        return error;
    if (hub != NULL)
        error = append_hub(&s->append, hub);
    if (error == 0)
        error = watch_set(&s->watches, &k->ready, EPOLLIN);
    return error ? problem_set(p, error, "module: %s", strerror(-error)) : 0;
}

void plugged_stop(struct service *s)
{
    if (s->plugged.plugin == NULL)
        return;
    watch_end(&s->watches, &s->plugged.ready);
    s->plugged.plugin->stop(s->plugged.instance);
}

void plugged_finish(struct service *s)
{
    if (s->plugged.plugin != NULL)
        s->plugged.plugin->finish(s->plugged.instance);
    s->plugged.plugin = NULL;
}

const char *const *plugged_syscalls(const struct service *s)
{
    static const char *const none[] = {NULL};

    return s->plugged.plugin != NULL ? s->plugged.plugin->syscalls : none;
}
