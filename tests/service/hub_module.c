/* SPDX-License-Identifier: MIT */
/*
 * A module for vconsd (service/plugin.h) without any hypervisor: consoles h/c0 … h/c7, rings as Xen's, ports that all wake by one
 * descriptor and stay masked until their source rests. One thread plays all guests: each prints LINES numbered lines, then gives
 * back what is typed to it, and ends at a ^D. HUB_LINE=N gives all of them lines with an id of N, and pseudo-terminals;
 * HUB_LINES=N has them print that many lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vcons/atomic.h>

#include "service/plugin.h"

#define GUESTS 8u
#define OUT    2048u
#define IN     64u
#define WHOLE  59u /* a line and its end */

struct guest {
    struct source source;
    uint32_t number;
    uint8_t out[OUT], in[IN];
    uint32_t out_prod, out_cons, in_prod, in_cons;
    struct vc_consumer back_out; /* the service's ends */
    struct vc_producer back_in;
    struct vc_producer front_out; /* the guest's */
    struct vc_consumer front_in;
    bool pending, masked; /* its port; guarded by lock */
    uint32_t armed;       /* atomic: the control thread waits for room */
    uint32_t line, at;    /* what it prints next */
    bool ended;
    struct console *console;
};

static struct {
    const struct plugin_service *service;
    struct source_hub hub;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    int ports[2], ready; /* numbers of ports that are pending; an eventfd for the control thread */
    bool stopping;
    uint32_t asked; /* serial of a request that waits for its answer; 0: none */
    char answer[128];
    uint32_t lines;      /* that each guest prints */
    unsigned long kicks; /* of guests by the service; guarded by lock */
    struct guest guests[GUESTS];
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static struct guest *guest_of(const struct source *s) { return (struct guest *)(uintptr_t)s; }

/* Ports: delivered once, then masked. all.lock is held. */
static void deliver(struct guest *g)
{
    if (!g->pending || g->masked)
        return;
    g->pending = false;
    g->masked = true;
    if (write(all.ports[1], &g->number, sizeof g->number) != sizeof g->number)
        abort(); /* at most one number of each guest is there: it fits */
}

static void notify_service(struct guest *g)
{
    pthread_mutex_lock(&all.lock);
    g->pending = true;
    deliver(g);
    pthread_mutex_unlock(&all.lock);
}

static void notify_guest(void)
{
    pthread_mutex_lock(&all.lock);
    all.kicks++;
    pthread_cond_signal(&all.wake);
    pthread_mutex_unlock(&all.lock);
}

static uint32_t collect(struct source_hub *hub, void *readers[], uint32_t n)
{
    uint32_t numbers[4], count = 0, most = n < 4 ? n : 4; /* few at a time: what is left must come again */
    uint64_t one = 1;
    ssize_t got = read(hub->fd, numbers, most * sizeof numbers[0]);

    for (ssize_t i = 0; i < got / (ssize_t)sizeof numbers[0]; i++) {
        struct guest *g = &all.guests[numbers[i]];

        if (__atomic_exchange_n(&g->armed, 0, __ATOMIC_SEQ_CST) != 0 && write(g->source.room_fd, &one, sizeof one) < 0)
            abort();
        if (g->source.reader != NULL)
            readers[count++] = g->source.reader;
    }
    return count;
}

static int guest_peek(struct source *s, struct vc_span spans[2], uint32_t *n)
{
    return vc_consumer_peek(&guest_of(s)->back_out, spans, n);
}

static void guest_commit(struct source *s, uint32_t n)
{
    vc_consumer_commit(&guest_of(s)->back_out, n);
    notify_guest();
}

static bool guest_rest(struct source *s)
{
    struct guest *g = guest_of(s);
    struct vc_span spans[2];
    uint32_t n;

    pthread_mutex_lock(&all.lock);
    g->masked = false;
    deliver(g);
    pthread_mutex_unlock(&all.lock);
    return vc_consumer_peek(&g->back_out, spans, &n) != VC_OK || n == 0;
}

static uint32_t guest_index(const struct source *s) { return guest_of(s)->back_out.cons; }

static int guest_revive(struct source *s)
{
    (void)s;
    return VC_EPEER;
}

static int guest_room(struct source *s, uint32_t *room) { return vc_producer_room(&guest_of(s)->back_in, room); }

static int guest_put(struct source *s, const void *bytes, uint32_t n, uint32_t *put)
{
    int error = vc_producer_put(&guest_of(s)->back_in, bytes, n, put);

    notify_guest();
    return error;
}

static bool guest_room_rest(struct source *s)
{
    struct guest *g = guest_of(s);
    uint32_t room;

    __atomic_store_n(&g->armed, 1, __ATOMIC_SEQ_CST);
    return vc_producer_room(&g->back_in, &room) == VC_OK && room == 0;
}

static void guest_destroy(struct source *s) { close(s->room_fd); }

static const struct source_ops guest_ops = {.type = "ring",
                                            .peek = guest_peek,
                                            .commit = guest_commit,
                                            .rest = guest_rest,
                                            .index = guest_index,
                                            .revive = guest_revive,
                                            .room = guest_room,
                                            .put = guest_put,
                                            .room_rest = guest_room_rest,
                                            .destroy = guest_destroy};

/* The guests. */

static bool print_on(struct guest *g)
{
    char text[WHOLE + 1];
    uint32_t put;

    if (g->line >= all.lines)
        return false;
    snprintf(text, sizeof text, "c%u line %08u %041u\n", g->number % 10, g->line % 100000000, g->line * 7919u);
    vc_producer_put(&g->front_out, text + g->at, WHOLE - g->at, &put);
    g->at += put;
    if (g->at == WHOLE) {
        g->at = 0;
        g->line++;
    }
    if (put > 0)
        notify_service(g);
    return put > 0;
}

static bool echo(struct guest *g)
{
    uint8_t bytes[16];
    uint32_t room, got, put;

    if (vc_producer_room(&g->front_out, &room) != VC_OK)
        abort();
    if (g->line < all.lines || room < sizeof bytes)
        return false;
    vc_consumer_get(&g->front_in, bytes, sizeof bytes, &got);
    if (got == 0)
        return false;
    vc_producer_put(&g->front_out, bytes, got, &put);
    if (memchr(bytes, 4, got) != NULL)
        vc_store_seq(&g->at, UINT32_MAX); /* over */
    notify_service(g);
    return true;
}

static void *guests(void *argument)
{
    uint64_t one = 1;
    unsigned long seen = 0;
    bool moved = true;

    (void)argument;
    for (;;) {
        pthread_mutex_lock(&all.lock);
        while (!moved && !all.stopping && seen == all.kicks)
            pthread_cond_wait(&all.wake, &all.lock);
        seen = all.kicks;
        if (all.stopping)
            break;
        pthread_mutex_unlock(&all.lock);
        moved = false;
        for (uint32_t i = 0; i < GUESTS; i++) {
            struct guest *g = &all.guests[i];

            if (vc_load_seq(&g->at) == UINT32_MAX && !g->ended) {
                g->ended = true;
                (void)!write(all.ready, &one, sizeof one);
            }
            moved |= !g->ended && (print_on(g) | echo(g));
        }
    }
    pthread_mutex_unlock(&all.lock);
    return NULL;
}

/* The module. */

static void attach(struct guest *g)
{
    const struct plugin_origin origin = {.kind = VC_LINK_XEN, .domid = 7, .first = g->number == 0, .engine = "hub"};
    struct problem p;
    char name[16];
    int error;

    snprintf(name, sizeof name, "c%u", g->number);
    g->console = all.service->console(all.service->ctx, "h", name, &error);
    if (g->console != NULL && g->source.line_id[0] != 0 &&
        all.service->pty(all.service->ctx, g->console, &g->source, &p) == NULL)
        abort();
    if (g->console == NULL || all.service->attach(all.service->ctx, g->console, &g->source, &origin) != 0)
        abort();
    if (all.service->attach(all.service->ctx, g->console, &g->source, &origin) != -EBUSY)
        abort();
}

static void ready(void *instance)
{
    uint64_t count;

    (void)instance;
    (void)!read(all.ready, &count, sizeof count);
    if (all.asked != 0)
        all.service->answered(all.service->ctx, all.asked, strstr(all.answer, "no such") != NULL ? -ENOENT : 0,
                              all.answer);
    all.asked = 0;
    for (uint32_t i = 0; i < GUESTS; i++) {
        struct guest *g = &all.guests[i];

        if (g->console == NULL)
            attach(g);
        else if (vc_load_seq(&g->at) == UINT32_MAX)
            all.service->detach(all.service->ctx, g->console, &g->source, true);
    }
}

static void prepare(struct guest *g, uint32_t number)
{
    struct vc_ring out = {g->out, OUT, &g->out_prod, &g->out_cons}, in = {g->in, IN, &g->in_prod, &g->in_cons};

    g->number = number;
    vc_consumer_attach(&g->back_out, &out);
    vc_producer_attach(&g->back_in, &in);
    vc_producer_attach(&g->front_out, &out);
    vc_consumer_attach(&g->front_in, &in);
    g->source = (struct source){.ops = &guest_ops,
                                .bytes_fd = -1,
                                .room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                                .room_events = EPOLLIN,
                                .holds = OUT,
                                .hub = &all.hub};
    if (getenv("HUB_LINE") != NULL) {
        g->source.line_id[0] = (uint8_t)atoi(getenv("HUB_LINE"));
        g->source.line_id[15] = (uint8_t)number;
    }
}

static int open_module(const struct plugin_service *service, void **instance, struct problem *p)
{
    if (getenv("HUB_FAILS") != NULL)
        return problem_set(p, -ENODEV, "this is no dom0");
    all.service = service;
    all.lines = getenv("HUB_LINES") != NULL ? (uint32_t)atoi(getenv("HUB_LINES")) : 20000;
    *instance = &all;
    return 0;
}

static int start(void *instance, struct source_hub **hub, int *fd, struct problem *p)
{
    (void)instance;
    all.ready = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pipe2(all.ports, O_CLOEXEC | O_NONBLOCK) != 0)
        return problem_set(p, -errno, "pipe: %s", strerror(errno));
    all.hub = (struct source_hub){.fd = all.ports[0], .collect = collect};
    for (uint32_t i = 0; i < GUESTS; i++)
        prepare(&all.guests[i], i);
    *hub = &all.hub;
    *fd = all.ready;
    return -pthread_create(&all.thread, NULL, guests, NULL);
}

static int request(void *instance, uint32_t serial, const struct plugin_request *r)
{
    const uint64_t one = 1;

    (void)instance;
    all.asked = serial;
    snprintf(all.answer, sizeof all.answer, "%d %s '%s'%s", (int)r->verb, r->domain, r->name,
             strcmp(r->domain, "h") != 0 ? ": no such domain" : "");
    return write(all.ready, &one, sizeof one) == sizeof one ? 0 : -EIO;
}

static void stop(void *instance) { (void)instance; }

static void finish(void *instance)
{
    (void)instance;
    pthread_mutex_lock(&all.lock);
    all.stopping = true;
    pthread_cond_signal(&all.wake);
    pthread_mutex_unlock(&all.lock);
    pthread_join(all.thread, NULL);
    close(all.ports[0]);
    close(all.ports[1]);
    close(all.ready);
}

static const char *const syscalls[] = {"pipe2", NULL};

extern const struct plugin vcons_plugin;
const struct plugin vcons_plugin = {.version = PLUGIN_VERSION,
                                    .syscalls = syscalls,
                                    .open = open_module,
                                    .start = start,
                                    .ready = ready,
                                    .request = request,
                                    .stop = stop,
                                    .finish = finish};
