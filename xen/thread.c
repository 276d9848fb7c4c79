/* SPDX-License-Identifier: MIT */
/* The module's thread: XenStore, the rings that the control thread sends back, and what is due. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <vcons/atomic.h>

#include "attach.h"
#include "domains.h"
#include "requests.h"

#define RECONNECT_MS 1000

int64_t xen_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define FURTHER_TOKEN "backends"
#define FURTHER_NODES "/local/domain/0/backend/console"

/* FURTHER_NODES/ID/... */
static void touched_backend(struct xen *x, const char *path)
{
    char id[16];
    size_t before = sizeof FURTHER_NODES; /* with the slash */

    if (strlen(path) <= before)
        return;
    snprintf(id, sizeof id, "%s", path + before);
    id[strcspn(id, "/")] = '\0';
    domains_touched(x, id);
}

static void event(void *ctx, const char *path, const char *token)
{
    struct xen *x = ctx;

    if (path[0] == '@')
        x->look = true;
    else if (strcmp(token, FURTHER_TOKEN) == 0)
        touched_backend(x, path);
    else
        domains_fired(x, path, token);
}

static int watch_domains(struct xen *x)
{
    int error = nodes_watch(&x->nodes, "@introduceDomain", "domains");

    if (error == 0)
        error = nodes_watch(&x->nodes, "@releaseDomain", "domains");
    return error ? error : nodes_watch(&x->nodes, FURTHER_NODES, FURTHER_TOKEN);
}

/* XenStore was lost. Consoles go on: their pages and ports are Xen's. */
static void reconnect(struct xen *x)
{
    int fd;

    if (x->reconnect_ms == 0) {
        xen_say(x, "XenStore is gone; consoles go on, new ones wait for it");
        nodes_close(&x->nodes);
        x->reconnect_ms = xen_now_ms();
    }
    if (x->reconnect_ms > xen_now_ms())
        return;
    fd = dialer_ask(&x->dialer);
    if (fd >= 0)
        nodes_take(&x->nodes, fd, event, x);
    if (fd < 0 || watch_domains(x) != 0) {
        nodes_close(&x->nodes);
        x->nodes.lost = true;
        x->reconnect_ms = xen_now_ms() + RECONNECT_MS;
        return;
    }
    xen_say(x, "XenStore is back");
    x->reconnect_ms = 0;
    x->look = true;
    domains_touch_all(x);
}

static void take_post(struct xen *x)
{
    struct ring *r;
    uint32_t what;

    while ((r = post_take(&x->post, POST_THREAD, &what)) != NULL) {
        if (what & RING_TAKEN)
            seat_taken(x, r);
        if (what & RING_GONE)
            seat_gone(x, r);
        else if (what & RING_REFUSED)
            seat_refused(x, r);
    }
}

/* Everything that is due now. When there is more, as domains_serve. */
static int64_t serve(struct xen *x)
{
    int64_t again;

    take_post(x);
    requests_serve(x);
    if (x->nodes.fd >= 0)
        (void)nodes_events(&x->nodes);
    if (x->look && domains_look(x) == 0)
        x->look = false;
    again = domains_serve(x);
    if (nodes_lost(&x->nodes))
        reconnect(x);
    if (x->reconnect_ms != 0)
        return x->reconnect_ms;
    return x->look ? xen_now_ms() : again; /* events may have come with an answer */
}

/* The service leaves: what it has not taken it never will. */
static void take_back(struct xen *x)
{
    struct ring *r;
    uint32_t what;

    while ((r = post_take(&x->post, POST_CONTROL, &what)) != NULL)
        if (what & RING_ATTACH || r->console == NULL) /* the second: refused, and detached here as well */
            seat_gone(x, r);
}

static void *run(void *argument)
{
    struct xen *x = argument;

    while (!vc_load_seq(&x->stopping) || x->n_outstanding > 0) {
        int64_t again = vc_load_seq(&x->stopping) ? -1 : serve(x), left = again - xen_now_ms();
        struct pollfd p[] = {{.fd = x->post.side[POST_THREAD].fd, .events = POLLIN},
                             {.fd = x->nodes.fd, .events = POLLIN}};

        if (vc_load_seq(&x->stopping)) {
            take_post(x);
            take_back(x);
            if (x->n_outstanding == 0)
                break;
        }
        poll(p, 2, again < 0 ? -1 : left > 0 ? (int)left : 0);
    }
    return NULL;
}

int thread_open(struct xen *x, struct problem *p) { return nodes_open(&x->nodes, event, x, p); }

int thread_start(struct xen *x, struct problem *p)
{
    sigset_t all, before;
    int error = watch_domains(x);

    if (error)
        return problem_set(p, error, "XenStore: %s", strerror(-error));
    x->look = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&x->thread, NULL, run, x);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return problem_set(p, -error, "threads: %s", strerror(error));
    pthread_setname_np(x->thread, "xen");
    return 0;
}

void thread_finish(struct xen *x)
{
    vc_store_seq(&x->stopping, 1);
    post_wake(&x->post, POST_THREAD);
    pthread_join(x->thread, NULL);
    domains_free(x);
    nodes_close(&x->nodes);
}
