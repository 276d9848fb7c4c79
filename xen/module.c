/* SPDX-License-Identifier: MIT */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vcons/atomic.h>

#include "conflict.h"
#include "conring.h"

void xen_say(struct xen *x, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    x->service->message(x->service->ctx, format, args);
    va_end(args);
}

/* The control thread's side. */

static void take(struct xen *x, struct ring *r)
{
    const struct plugin_service *s = x->service;
    struct problem p;
    const char *tty;
    int error;
    struct console *c;

    if (r->former[0] != '\0' && (error = s->rename(s->ctx, r->former, r->domain)) != 0)
        xen_say(x, "%s is now %s, and not all of its logs: %s", r->former, r->domain, strerror(-error));
    c = s->console(s->ctx, r->domain, r->console_name, &error);
    tty = c != NULL ? s->pty(s->ctx, c, &r->source, &p) : NULL; /* before it prints more */
    if (c != NULL)
        error = s->attach(s->ctx, c, &r->source, &r->origin);
    if (error) {
        post_send(&x->post, POST_THREAD, r, RING_REFUSED);
        return;
    }
    r->console = c;
    r->tty[0] = '\0';
    if (tty != NULL)
        strncpy(r->tty, tty, sizeof r->tty - 1);
    else
        xen_say(x, "%s/%s: no pseudo-terminal: %s", r->domain, r->console_name, p.text);
    post_send(&x->post, POST_THREAD, r, RING_TAKEN);
}

/* The hypervisor's log: dom0's second console, as it were. */
static void take_log(struct xen *x)
{
    const struct plugin_service *s = x->service;
    const struct plugin_origin origin = {.kind = VC_LINK_TERMINAL, .engine = "xen"};
    int error;
    struct console *c = s->console(s->ctx, CONRING_DOMAIN, CONRING_CONSOLE, &error);

    if (c != NULL)
        error = s->attach(s->ctx, c, x->log, &origin);
    if (error) {
        xen_say(x, CONRING_DOMAIN "/" CONRING_CONSOLE ": %s", strerror(-error));
        x->log->ops->destroy(x->log);
    }
    x->log = NULL;
}

static void ready(void *instance)
{
    struct xen *x = instance;
    const struct plugin_service *s = x->service;
    struct ring *r;
    uint32_t what;

    if (x->log != NULL)
        take_log(x);
    requests_answer(x);
    while ((r = post_take(&x->post, POST_CONTROL, &what)) != NULL) {
        if (what & RING_ATTACH)
            take(x, r);
        if (what & (RING_ATTACH | RING_STATE) && r->console != NULL)
            s->state(s->ctx, r->console, vc_load_seq(&r->state));
        if (!(what & (RING_DETACH | RING_DETACH_END)))
            continue;
        if (r->console != NULL)
            s->detach(s->ctx, r->console, &r->source, (what & RING_DETACH_END) != 0);
        else
            post_send(&x->post, POST_THREAD, r, RING_GONE); /* it was refused */
    }
}

static int request(void *instance, uint32_t serial, const struct plugin_request *r)
{
    return requests_begin(instance, serial, r);
}

/* ready is not called any more, so nothing is attached. */
static void stop(void *instance)
{
    struct xen *x = instance;

    if (x->log != NULL)
        x->log->ops->destroy(x->log);
    x->log = NULL;
}

/* Set-up. */

static void say_nothing(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                        const char *format, va_list args)
{
    (void)logger, (void)level, (void)errnoval, (void)context, (void)format, (void)args;
}

static void no_progress(xentoollog_logger *logger, const char *context, const char *doing, int percent,
                        unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

static void no_destroy(xentoollog_logger *logger) { (void)logger; }

static int read_boot_id(struct xen *x, struct problem *p)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, x->boot_id, sizeof x->boot_id - 1) : -1;

    if (fd >= 0)
        close(fd);
    return n > 0 ? 0 : problem_set(p, -EIO, "/proc/sys/kernel/random/boot_id: %s", strerror(errno));
}

static int open_handles(struct xen *x, struct problem *p)
{
    int error = ports_open(&x->ports, &x->quiet, p);

    if (error)
        return error;
    x->grants = xengnttab_open(&x->quiet, 0);
    if (x->grants == NULL)
        return problem_set(p, -errno, "/dev/xen/gntdev: %s", strerror(errno));
    x->memory = xenforeignmemory_open(&x->quiet, 0);
    if (x->memory == NULL)
        return problem_set(p, -errno, "/dev/xen/privcmd: %s", strerror(errno));
    x->control = xc_interface_open(&x->quiet, &x->quiet, 0);
    if (x->control == NULL)
        return problem_set(p, -errno, "/dev/xen/privcmd: %s", strerror(errno));
    return read_boot_id(x, p);
}

static void close_handles(struct xen *x)
{
    if (x->control != NULL)
        xc_interface_close(x->control);
    if (x->memory != NULL)
        xenforeignmemory_close(x->memory);
    if (x->grants != NULL)
        xengnttab_close(x->grants);
    ports_close(&x->ports);
    keep_close(&x->keep);
    dialer_close(&x->dialer);
    nodes_close(&x->nodes);
    requests_close(x);
    post_close(&x->post);
    free(x);
}

/* Without it, the consoles of domains are served all the same. */
static void open_log(struct xen *x)
{
    struct problem p;

    x->log = conring_create(x, &p);
    if (x->log != NULL)
        post_wake(&x->post, POST_CONTROL);
    else
        xen_say(x, "the hypervisor's log: %s", p.text);
}

/* Nobody else serves these consoles: whoever does is ended where that was asked for. */
static int stand_alone(struct xen *x, struct problem *p)
{
    bool exact;
    int error, pid;

    while ((pid = conflict_find(p)) > 0) {
        if (!x->service->replace)
            return problem_set(
                p, -EBUSY,
                "xenconsoled serves the consoles of this dom0, as pid %d: end it first, or let --xenconsoled "
                "--replace do so; both would take bytes out of the same rings",
                pid);
        error = conflict_end(pid, CONFLICT_PATIENCE_MS, &exact, p);
        if (error)
            return error;
        xen_say(x, "xenconsoled, pid %d, was ended: its consoles go on here%s", pid,
                exact ? "" : "; it was never idle, so a few bytes it had in hand may be missing");
    }
    return pid;
}

static int open_all(struct xen *x, struct problem *p)
{
    int error = post_open(&x->post);

    if (error)
        return problem_set(p, error, "no descriptors left");
    error = open_handles(x, p);
    if (error == 0)
        error = stand_alone(x, p);
    if (error == 0)
        error = thread_open(x, p);
    if (error == 0)
        error = dialer_start(&x->dialer, nodes_dial, p);
    if (error == 0)
        open_log(x);
    return error;
}

static int open_module(const struct plugin_service *service, void **instance, struct problem *p)
{
    struct xen *x = calloc(1, sizeof *x);
    int error;

    if (x == NULL)
        return problem_set(p, -ENOMEM, "out of memory");
    x->service = service;
    x->nodes.fd = x->dialer.fd = x->keep.fd = -1;
    requests_open(x);
    x->quiet = (xentoollog_logger){say_nothing, no_progress, no_destroy};
    error = open_all(x, p);
    if (error)
        close_handles(x);
    else
        *instance = x;
    return error;
}

static int start(void *instance, struct source_hub **hub, int *fd, struct problem *p)
{
    struct xen *x = instance;
    int error = keep_open(&x->keep, x->service->directory);

    if (error)
        xen_say(x, "%s/xen: %s: consoles that are kept are not made again", x->service->directory, strerror(-error));
    *hub = &x->ports.hub;
    *fd = x->post.side[POST_CONTROL].fd;
    return thread_start(x, p);
}

static void finish(void *instance)
{
    struct xen *x = instance;

    thread_finish(x);
    close_handles(x);
}

/* Mapping and binding are mmap, munmap, ioctl, read and write, which the service has: of descriptors opened above. */
static const char *const syscalls[] = {"mmap", "munmap", "ioctl", "read", "write", "poll", "eventfd2", NULL};

extern const struct plugin vcons_plugin;
__attribute__((visibility("default"))) const struct plugin vcons_plugin = {.version = PLUGIN_VERSION,
                                                                           .syscalls = syscalls,
                                                                           .open = open_module,
                                                                           .start = start,
                                                                           .ready = ready,
                                                                           .request = request,
                                                                           .stop = stop,
                                                                           .finish = finish};
