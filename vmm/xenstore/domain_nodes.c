/* SPDX-License-Identifier: MIT */
#include "domain_nodes.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PATH = 128 };

struct writer {
    struct store *store;
    const struct domain_nodes *d;
    int error; /* the first */
};

static const char *home(const struct writer *w, const char *key, char out[PATH])
{
    snprintf(out, PATH, "/local/domain/%u%s", w->d->domid, key);
    return out;
}

static const char *vm_of(const struct domain_nodes *d, const char *key, char out[PATH])
{
    const uint8_t *u = d->uuid;

    snprintf(out, PATH, "/vm/%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x%s", u[0], u[1], u[2],
             u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15], key);
    return out;
}

static void put(struct writer *w, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void put(struct writer *w, const char *path, const char *format, ...)
{
    char value[256];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (w->error == 0)
        w->error = n < 0 || (size_t)n >= sizeof value ? -EINVAL : store_write(w->store, path, value, (size_t)n);
}

static void perms(struct writer *w, const char *path, const char *format)
{
    char text[32];

    snprintf(text, sizeof text, format, w->d->domid);
    if (w->error == 0)
        w->error = store_set_perms(w->store, path, text);
}

/* Empty nodes with permissions of their own. */
static void make_all(struct writer *w, const char *const *keys, size_t n, const char *format)
{
    char path[PATH];

    for (size_t i = 0; i < n; i++) {
        put(w, home(w, keys[i], path), "%s", "");
        perms(w, path, format);
    }
}

/* libxl_create.c: what the guest reads, and what it writes. */
static void make_directories(struct writer *w)
{
    char path[PATH];
    static const char *const read_only[] = {"/cpu", "/memory", "/device", "/control"};
    static const char *const writable[] = {"/control/shutdown",
                                           "/control/feature-poweroff",
                                           "/control/feature-reboot",
                                           "/control/feature-suspend",
                                           "/control/sysrq",
                                           "/data",
                                           "/drivers",
                                           "/feature",
                                           "/attr",
                                           "/error"};

    make_all(w, read_only, sizeof read_only / sizeof read_only[0], "n0 r%u");
    make_all(w, writable, sizeof writable / sizeof writable[0], "n%u");
    put(w, home(w, "/control/platform-feature-xs_reset_watches", path), "1"); /* for kernels that follow another one */
}

static void write_memory(struct writer *w)
{
    char path[PATH];

    put(w, home(w, "/memory/target", path), "%llu", (unsigned long long)w->d->memory_kib);
    put(w, home(w, "/memory/static-max", path), "%llu", (unsigned long long)w->d->memory_kib);
    for (uint32_t i = 0; i < w->d->vcpus; i++) {
        char key[48];

        snprintf(key, sizeof key, "/cpu/%u/availability", i);
        put(w, home(w, key, path), "online");
    }
}

static void write_pages(struct writer *w)
{
    char path[PATH];

    put(w, home(w, "/store/port", path), "%u", w->d->store_port);
    put(w, home(w, "/store/ring-ref", path), "%llu", (unsigned long long)w->d->store_gfn);
    if (w->d->console_gfn == 0)
        return;
    put(w, home(w, "/console/backend", path), "/local/domain/0/backend/console/%u/0", w->d->domid);
    put(w, home(w, "/console/backend-id", path), "0");
    put(w, home(w, "/console/limit", path), "1048576");
    put(w, home(w, "/console/type", path), "vcons");
    put(w, home(w, "/console/output", path), "pty");
    put(w, home(w, "/console/tty", path), "%s", "");
    put(w, home(w, "/console/port", path), "%u", w->d->console_port);
    put(w, home(w, "/console/ring-ref", path), "%llu", (unsigned long long)w->d->console_gfn);
}

/* A page and a port that are the hypervisor's and the backend's: nobody else is to know of them. */
static void write_rings(struct writer *w)
{
    char path[PATH], key[48];

    if (w->d->n_rings == 0)
        return;
    put(w, home(w, "/xen-console", path), "%s", "");
    perms(w, path, "n0");
    for (uint32_t i = 0; i < w->d->n_rings; i++) {
        snprintf(key, sizeof key, "/xen-console/%u/ring-ref", i);
        put(w, home(w, key, path), "%llu", (unsigned long long)w->d->rings[i].gfn);
        snprintf(key, sizeof key, "/xen-console/%u/port", i);
        put(w, home(w, key, path), "%u", w->d->rings[i].port);
    }
}

/* The first console has a directory with its backend too, but no handshake: its state stays 1. */
static void write_first_backend(struct writer *w)
{
    static const char *const values[][2] = {{"online", "1"}, {"protocol", "vt100"}, {"state", "1"}};
    char path[PATH], frontend[PATH];

    if (w->d->console_gfn == 0)
        return;
    snprintf(path, sizeof path, "/local/domain/0/backend/console/%u/0", w->d->domid);
    put(w, path, "%s", "");
    perms(w, path, "n0 r%u");
    snprintf(path, sizeof path, "/local/domain/0/backend/console/%u/0/frontend", w->d->domid);
    put(w, path, "%s", home(w, "/console", frontend));
    snprintf(path, sizeof path, "/local/domain/0/backend/console/%u/0/frontend-id", w->d->domid);
    put(w, path, "%u", w->d->domid);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        snprintf(path, sizeof path, "/local/domain/0/backend/console/%u/0/%s", w->d->domid, values[i][0]);
        put(w, path, "%s", values[i][1]);
    }
}

int domain_nodes_write(struct store *s, const struct domain_nodes *d)
{
    struct writer w = {.store = s, .d = d};
    char path[PATH], vm[PATH];

    if (!store_introduce(s, d->domid))
        return -ENOMEM;
    put(&w, home(&w, "", path), "%s", "");
    perms(&w, path, "n0 r%u");
    put(&w, vm_of(d, "", vm), "%s", "");
    perms(&w, vm, "n0 r%u");
    put(&w, home(&w, "/name", path), "%s", d->name);
    put(&w, home(&w, "/domid", path), "%u", d->domid);
    put(&w, home(&w, "/vm", path), "%s", vm);
    put(&w, vm_of(d, "/name", path), "%s", d->name);
    put(&w, vm_of(d, "/uuid", path), "%s", vm + strlen("/vm/"));
    make_directories(&w);
    write_memory(&w);
    write_pages(&w);
    write_rings(&w);
    write_first_backend(&w);
    if (w.error != 0)
        domain_nodes_remove(s, d);
    return w.error;
}

void domain_nodes_remove(struct store *s, const struct domain_nodes *d)
{
    char path[PATH];

    snprintf(path, sizeof path, "/local/domain/%u", d->domid);
    (void)store_remove(s, path);
    snprintf(path, sizeof path, "/local/domain/0/backend/console/%u", d->domid);
    (void)store_remove(s, path);
    (void)store_remove(s, vm_of(d, "", path));
    store_release(s, d->domid);
}
