/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "copy.h"
#include "host/sock.h"
#include "lease.h"
#include "link.h"
#include "owner.h"
#include "pty.h"
#include "raw.h"
#include "reload.h"
#include "viewer.h"

#define RETURN_MS       2000  /* hypervisors dial again within 10 ms: long enough for busy ones */
#define FIRST_CLIENT_MS 30000 /* a service that ends by itself waits so long for somebody to come at all */

void service_clocks(struct log_time *now)
{
    struct timespec real, mono;

    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    now->real_ns = (uint64_t)real.tv_sec * UINT64_C(1000000000) + (uint64_t)real.tv_nsec;
    now->mono_ns = (uint64_t)mono.tv_sec * UINT64_C(1000000000) + (uint64_t)mono.tv_nsec;
}

int service_accept(struct service *s, int listening)
{
    int fd;

    if (s->spare_fd < 0) /* another thread had it, the last time */
        s->spare_fd = fcntl(s->watches.epoll, F_DUPFD_CLOEXEC, 0);
    fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || s->spare_fd < 0)
        return fd;
    /* Descriptors are used up. Who knocks is sent away, or it would knock for ever and keep us awake. */
    close(s->spare_fd);
    fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    s->spare_fd = fcntl(s->watches.epoll, F_DUPFD_CLOEXEC, 0);
    if (!s->said_full)
        message("no descriptors left: a client was turned away");
    s->said_full = true;
    return -1;
}

int service_listen(struct service *s, const char *name, int type, mode_t mode, bool *given, struct problem *p)
{
    char path[PATHS_SOCKET_BYTES];
    int fd, error;

    *given = false;
    fd = manager_socket(&s->manager, name, type, given);
    error = paths_socket(path, s->paths.runtime, name, p);
    if (error == 0 && fd >= 0)
        (void)chmod(path, mode); /* who may knock is ours to say, if it is there and ours */
    if (error && fd >= 0)
        close(fd);
    return error ? error : fd >= 0 ? fd : sock_listen(path, type, mode, p);
}

void service_unlisten(struct service *s, struct watch *listening, const char *name, bool given)
{
    char path[PATHS_SOCKET_BYTES];

    if (!listening->on)
        return;
    watch_end(&s->watches, listening);
    if (!given && paths_socket(path, s->paths.runtime, name, NULL) == 0)
        unlink(path); /* before the lock goes: it is still ours */
    close(listening->fd);
}

/* Leaving by itself. */

static bool busy(const struct service *s)
{
    return s->plugged.plugin != NULL || s->registry.n_sources > 0 || s->n_viewers > 0 || s->n_links > 0 ||
           s->n_controls > 0;
}

static void linger_over(uv_timer_t *timer)
{
    struct service *s = timer->data;

    if (!busy(s))
        service_stop(s);
}

void service_idle_check(struct service *s)
{
    if (s->linger_s < 0 || s->stopping || busy(s))
        return;
    uv_update_time(&s->loop);
    uv_timer_start(&s->linger, linger_over, s->had_link ? (uint64_t)s->linger_s * 1000 : FIRST_CLIENT_MS, 0);
}

/* Who has not come back by now does not come: viewers of consoles that are known by their logs only are told. */
static void returned(uv_timer_t *timer)
{
    struct service *s = timer->data;

    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->gone && c->source == NULL)
            viewers_end(c);
}

/* Ending. */

static void closed_rest(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void finish(struct service *s)
{
    controls_close(s);
    starter_close(s);
    append_stop(&s->append);
    copies_stop(s);
    registry_close(s);
    ptys_close(s);
    audit_service(s, "stop");
    audit_close(s);
    tidier_stop(&s->tidier);       /* it reads the store, and the rules behind it */
    committer_stop(&s->committer); /* flushes what the logs had when they were closed */
    log_store_close(&s->store);
    waker_finish(&s->news); /* nobody is left who asks */
    uv_walk(&s->loop, closed_rest, NULL);
}

void service_stop(struct service *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    if (!s->upgrade.agreed) /* else it is as it was for the manager, with another pid */
        manager_stopping(s, "draining consoles");
    metrics_stop(s);
    sources_stop(s);
    plugged_stop(s);
    links_close(s); /* their sources are drained and detached: the lines stay with the guests for whoever comes next */
    (void)upgrade_store(s);
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        console_detach(c, false);
    waker_ask(&s->news); /* from a fresh stack: we may stand in the middle of what finish frees */
}

static void news_ready(void *ctx)
{
    struct service *s = ctx;

    console_news(s);
    if (s->stopping && s->registry.n_sources == 0 && s->news.ready)
        finish(s);
}

static void reload_told(struct service *s)
{
    struct reload_counts n;
    struct problem p = {.text = ""};

    if (s->config_path == NULL || s->stopping)
        return;
    if (service_reload(s, &n, &p) != 0)
        message_at(MESSAGE_ERROR, "%s; everything stays as it was", p.text);
    else
        message_at(MESSAGE_INFO, "%s: %u sources added, %u changed, %u removed", s->config_path, n.added, n.changed,
                   n.removed);
}

static void signalled(uv_signal_t *signal, int number)
{
    message_at(MESSAGE_INFO, "signal %d: %s", number, number == SIGHUP ? "configuration and files anew" : "the end");
    if (number != SIGHUP) {
        service_stop(signal->data);
        return;
    }
    manager_reloading(signal->data);
    reload_told(signal->data);
    copies_reopen(signal->data);
    audit_reopen(signal->data);
    manager_reloaded(signal->data);
}

/* Beginning. */

static int start_signals(struct service *s)
{
    uv_signal_t *signals[] = {&s->term, &s->interrupt, &s->hangup};
    const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    int error = 0;

    for (int i = 0; i < 3 && error == 0; i++) {
        uv_signal_init(&s->loop, signals[i]);
        signals[i]->data = s;
        error = uv_signal_start(signals[i], signalled, numbers[i]);
        uv_unref((uv_handle_t *)signals[i]);
    }
    return error;
}

static void store_message(void *ctx, const char *text)
{
    (void)ctx;
    message("%s", text);
}

static void store_untidy(void *ctx) { tidier_untidy(&((struct service *)ctx)->tidier); }

static void store_closed(void *ctx) { tidier_closed(&((struct service *)ctx)->tidier); }

static void store_dirty(void *ctx) { committer_dirty(&((struct service *)ctx)->committer); }

static void store_rules(void *ctx, const char *domain, const char *console, struct log_rules *rules)
{
    struct service *s = ctx;
    struct console_settings settings;

    pthread_mutex_lock(&s->config_lock); /* the tidier asks too */
    settings = config_for(&s->config, domain, console);
    pthread_mutex_unlock(&s->config_lock);
    settings_log(&settings, rules); /* no text of it is looked at */
}

static void know(void *ctx, const char *domain, const char *console)
{
    struct console *c = name_ok(domain) && name_ok(console) ? console_get(ctx, domain, console) : NULL;

    if (c == NULL)
        return;
    owner_load(c);
    lease_load(c);
}

static int open_store(struct service *s, struct problem *p)
{
    static const struct log_env env = {.message = store_message,
                                       .untidy = store_untidy,
                                       .closed = store_closed,
                                       .dirty = store_dirty,
                                       .rules = store_rules};
    int error = log_store_open(&s->store, s->paths.log, &s->config.limits, &env, s);

    if (error == 0)
        error = log_store_each(&s->store, know, s);
    if (error)
        return problem_set(p, error, "logs in %s: %s", s->paths.log, strerror(-error));
    return 0;
}

int service_start(struct service *s, struct problem *p)
{
    struct log_time now;
    int error;

    service_clocks(&now);
    s->started_ns = now.mono_ns;
    registry_open(&s->registry);
    clients_open(&s->clients);
    error = uv_loop_init(&s->loop);
    s->linger.data = s->returning.data = s->unsaved.data = s;
    if (error == 0)
        error = waker_init(&s->news, &s->loop, news_ready, s);
    if (error == 0)
        error = uv_timer_init(&s->loop, &s->linger);
    if (error == 0)
        error = uv_timer_init(&s->loop, &s->returning);
    if (error == 0)
        error = uv_timer_init(&s->loop, &s->unsaved);
    if (error == 0)
        error = start_signals(s);
    if (error == 0)
        error = watches_open(&s->watches, &s->loop);
    if (error == 0)
        error = kicker_open(&s->kicker);
    if (error)
        return problem_set(p, error, "event loop: %s", strerror(-error));
    s->spare_fd = fcntl(s->watches.epoll, F_DUPFD_CLOEXEC, 0);
    error = owners_open(s);
    if (error)
        return problem_set(p, error, "%s/owners: %s", s->paths.state, strerror(-error));
    leases_open(s);
    error = open_store(s, p);
    if (error)
        return error;
    audit_open(s);
    audit_service(s, "start");
    error = append_start(&s->append, &s->news);
    if (error == 0)
        error = tidier_start(&s->tidier, &s->store);
    if (error == 0)
        error = committer_start(&s->committer, &s->store);
    if (error)
        return problem_set(p, error, "threads: %s", strerror(-error));
    error = plugged_start(s, p);
    if (error == 0)
        error = copies_start(s, p);
    if (error)
        return error;
    error = link_listen(s, p);
    if (error == 0)
        error = control_listen(s, p);
    if (error == 0)
        error = metrics_start(s, p);
    if (error)
        return error;
    s->starting = true; /* what consoles say is logged first, and then is the time for viewers */
    if ((error = starter_watch(s)) != 0 || (error = sources_start(s)) != 0)
        return problem_set(p, error, "sources: %s", strerror(-error));
    sources_kept(s);
    raws_open(s);
    manager_sockets_done(&s->manager);
    manager_forget_stored(&s->manager);
    upgrade_done(&s->upgrade);
    service_idle_check(s);
    if (s->registry.n > 0)
        uv_timer_start(&s->returning, returned, RETURN_MS, 0);
    return error;
}

void service_run(struct service *s)
{
    while (watches_run(&s->watches)) {
    }
    watches_close(&s->watches);
    plugged_finish(s);
    uv_loop_close(&s->loop);
    sources_free(s);
    owners_close(s);
    leases_close(s);
    clients_free(&s->clients);
    kicker_close(&s->kicker);
}
