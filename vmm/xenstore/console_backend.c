/* SPDX-License-Identifier: MIT */
#include "console_backend.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 128 };
enum side { FRONTEND, BACKEND, ERROR_NODE };

static const char *path_of(const struct console_backend *b, enum side side, const char *key, char out[PATH])
{
    static const char *const formats[] = {"/local/domain/%u/device/console/%u%s",
                                          "/local/domain/0/backend/console/%u/%u%s",
                                          "/local/domain/0/error/backend/console/%u/%u%s"};

    snprintf(out, PATH, formats[side], b->domid, b->device, key);
    return out;
}

/* A decimal number and nothing else; false: not there, or anything else. */
static bool number_of(struct console_backend *b, const char *key, uint32_t *value)
{
    char path[PATH], text[12];
    unsigned long long number;
    int n = store_read(b->store, path_of(b, FRONTEND, key, path), text, sizeof text);

    if (n < 1 || (size_t)n >= sizeof text || strspn(text, "0123456789") != (size_t)n)
        return false;
    number = strtoull(text, NULL, 10);
    *value = (uint32_t)number;
    return number <= UINT32_MAX;
}

/* What of the guest's state counts. Without a node, or with nonsense in it, nobody is there. */
static uint32_t frontend_state(struct console_backend *b)
{
    uint32_t state;

    return number_of(b, "/state", &state) && state <= XENBUS_CLOSED ? state : XENBUS_CLOSED;
}

/* The store may be out of memory; the guest then sees the old state, which is no worse than a slow backend. */
static void say_state(struct console_backend *b, uint32_t state)
{
    char path[PATH];

    if (b->state == state)
        return;
    b->state = state;
    (void)store_printf(b->store, path_of(b, BACKEND, "/state", path), "%u", state);
}

static void complain(struct console_backend *b, const char *why)
{
    char path[PATH];

    (void)store_write(b->store, path_of(b, ERROR_NODE, "/error", path), why, strlen(why));
}

/* ---- The guest's page and port ---- */

static const char *try_connect(struct console_backend *b, uint32_t ring_ref, uint32_t port)
{
    void *page = b->env->map(b->ctx, ring_ref);

    if (page == NULL)
        return "ring-ref is no grant that may be written";
    if (!b->env->bind(b->ctx, port))
        goto unmap;
    if (!b->env->open(b->ctx, page))
        goto unbind;
    b->ring_ref = ring_ref;
    b->page = page;
    return NULL;

unbind:
    b->env->unbind(b->ctx);
    b->env->unmap(b->ctx, ring_ref, page);
    return "the ring's indices are wild";
unmap:
    b->env->unmap(b->ctx, ring_ref, page);
    return "port does not wait for domain 0";
}

static void connect_frontend(struct console_backend *b)
{
    uint32_t ring_ref, port;
    const char *why = "ring-ref or port is not a number";

    if (b->page != NULL || b->unplugged)
        return; /* connected as it was: another page or port needs a close first */
    if (number_of(b, "/ring-ref", &ring_ref) && number_of(b, "/port", &port))
        why = try_connect(b, ring_ref, port);
    if (why != NULL)
        complain(b, why);
    say_state(b, why == NULL ? XENBUS_CONNECTED : XENBUS_CLOSED);
}

static void disconnect_frontend(struct console_backend *b)
{
    void *page = b->page;

    if (page == NULL)
        return;
    b->page = NULL;
    b->env->close(b->ctx);
    b->env->unbind(b->ctx);
    b->env->unmap(b->ctx, b->ring_ref, page);
}

/* ---- States ---- */

static void frontend_changed(void *ctx)
{
    struct console_backend *b = ctx;
    uint32_t state = frontend_state(b);

    if (state == b->frontend)
        return; /* some other node below it */
    b->frontend = state;
    switch (state) {
    case XENBUS_INITIALISED: connect_frontend(b); break;
    case XENBUS_CLOSING:
        disconnect_frontend(b);
        say_state(b, XENBUS_CLOSING);
        break;
    case XENBUS_CLOSED:
        disconnect_frontend(b);
        say_state(b, XENBUS_CLOSED);
        break;
    case XENBUS_INITIALISING: /* a driver begins anew */
        disconnect_frontend(b);
        say_state(b, b->unplugged ? XENBUS_CLOSED : XENBUS_INIT_WAIT);
        break;
    default: break; /* CONNECTED follows ours; the others mean nothing to a console */
    }
}

void console_backend_unplug(struct console_backend *b)
{
    b->unplugged = true;
    /* A frontend that is connected closes first, and keeps its page until it said so. */
    say_state(b, b->page != NULL ? XENBUS_CLOSING : XENBUS_CLOSED);
}

bool console_backend_connected(const struct console_backend *b) { return b->page != NULL; }

/* ---- Nodes ---- */

static void put(struct console_backend *b, int *error, enum side side, const char *key, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void put(struct console_backend *b, int *error, enum side side, const char *key, const char *format, ...)
{
    char path[PATH], value[PATH];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (*error == 0)
        *error = store_write(b->store, path_of(b, side, key, path), value, strlen(value));
}

static void perms(struct console_backend *b, int *error, enum side side, const char *key, const char *format)
{
    char path[PATH], text[32];

    snprintf(text, sizeof text, format, b->domid);
    if (*error == 0)
        *error = store_set_perms(b->store, path_of(b, side, key, path), text);
}

/* What the guest only reads stands in its directory, but is not its own. */
static void put_shown(struct console_backend *b, int *error, const char *key, const char *value)
{
    put(b, error, FRONTEND, key, "%s", value);
    perms(b, error, FRONTEND, key, "n0 r%u");
}

/* Permissions before what inherits them, and states last: a guest that looks at the wrong moment gives up for good. */
static int write_nodes(struct console_backend *b, const char *name)
{
    char path[PATH];
    int error = 0;

    put(b, &error, BACKEND, "", "%s", "");
    perms(b, &error, BACKEND, "", "n0 r%u");
    put(b, &error, BACKEND, "/frontend", "%s", path_of(b, FRONTEND, "", path));
    put(b, &error, BACKEND, "/frontend-id", "%u", b->domid);
    put(b, &error, BACKEND, "/online", "1");
    put(b, &error, BACKEND, "/protocol", "vt100");
    if (name != NULL)
        put(b, &error, BACKEND, "/name", "%s", name);
    put(b, &error, BACKEND, "/state", "%u", XENBUS_INIT_WAIT);
    put(b, &error, FRONTEND, "", "%s", "");
    perms(b, &error, FRONTEND, "", "n%u r0");
    put(b, &error, FRONTEND, "/backend", "%s", path_of(b, BACKEND, "", path));
    put(b, &error, FRONTEND, "/backend-id", "0");
    put(b, &error, FRONTEND, "/protocol", "vt100");
    put_shown(b, &error, "/limit", "1048576");
    put_shown(b, &error, "/type", "vcons");
    put_shown(b, &error, "/output", "pty");
    put_shown(b, &error, "/tty", "");
    if (name != NULL)
        put_shown(b, &error, "/name", name);
    put(b, &error, FRONTEND, "/state", "%u", XENBUS_INITIALISING);
    return error;
}

int console_backend_add(struct console_backend *b, struct store *s, uint32_t domid, uint32_t device, const char *name,
                        const struct console_backend_env *env, void *ctx)
{
    char path[PATH];
    int error;

    *b = (struct console_backend){.store = s,
                                  .env = env,
                                  .ctx = ctx,
                                  .domid = domid,
                                  .device = device,
                                  .frontend = XENBUS_INITIALISING,
                                  .state = XENBUS_INIT_WAIT};
    error = write_nodes(b, name);
    if (error == 0) {
        b->watch = store_watch(s, path_of(b, FRONTEND, "", path), frontend_changed, b);
        error = b->watch == NULL ? -ENOMEM : 0;
    }
    if (error != 0)
        console_backend_remove(b);
    return error;
}

void console_backend_remove(struct console_backend *b)
{
    char path[PATH];

    if (b->store == NULL)
        return;
    store_unwatch(b->store, b->watch);
    disconnect_frontend(b);
    (void)store_remove(b->store, path_of(b, ERROR_NODE, "", path));
    (void)store_remove(b->store, path_of(b, FRONTEND, "", path));
    (void)store_remove(b->store, path_of(b, BACKEND, "", path));
    *b = (struct console_backend){0};
}

/* ---- Save and restore ---- */

void console_backend_save(const struct console_backend *b, struct vc_writer *w)
{
    vc_write_u32(w, b->frontend);
    vc_write_u32(w, b->state);
    vc_write_u32(w, b->unplugged);
    vc_write_u32(w, b->page != NULL);
    vc_write_u32(w, b->ring_ref);
}

void *console_backend_page(const struct console_backend *b) { return b->page; }

/* The watch fires at once: a state in the nodes that is not the one that was seen last is then a change as any other. */
int console_backend_restore(struct console_backend *b, struct store *s, uint32_t domid, uint32_t device,
                            const struct console_backend_env *env, void *ctx, struct vc_reader *r)
{
    char path[PATH];
    uint32_t unplugged, connected;

    *b = (struct console_backend){.store = s, .env = env, .ctx = ctx, .domid = domid, .device = device};
    b->frontend = vc_read_u32(r);
    b->state = vc_read_u32(r);
    unplugged = vc_read_u32(r);
    connected = vc_read_u32(r);
    b->ring_ref = vc_read_u32(r);
    b->unplugged = unplugged == 1;
    if (!vc_reader_ok(r) || b->frontend > XENBUS_CLOSED || b->state > XENBUS_CLOSED || unplugged > 1 || connected > 1)
        goto forget;
    if (connected == 1 && (b->page = env->map(ctx, b->ring_ref)) == NULL)
        goto forget;
    b->watch = store_watch(s, path_of(b, FRONTEND, "", path), frontend_changed, b);
    if (b->watch != NULL)
        return 0;
    if (b->page != NULL)
        env->unmap(ctx, b->ring_ref, b->page);
forget:
    *b = (struct console_backend){0};
    return -1;
}
