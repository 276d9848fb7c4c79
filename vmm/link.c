/* SPDX-License-Identifier: MIT */
#include "link.h"
#include "host/message.h"
#include "host/sock.h"
#include "link_private.h"
#include "vmm.h"
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS      1000u /* where inotify cannot tell, and after a violation */
#define HURRY_MS      2u    /* the socket is there but nobody listens yet: bind comes before listen */
#define HURRIED_MAX   100u
#define FIRST_WAIT_MS 5000u

static void dial(struct link *l);

struct console *link_console_of(struct link *l, uint32_t cookie)
{
    struct link_console *c = &l->consoles[cookie];

    return c->domain == NULL ? &l->vmm->console : domain_console(c->domain, c->number);
}

void link_taken(struct link *l, uint32_t cookie, bool taken)
{
    struct link_console *c = &l->consoles[cookie];

    c->holder[0] = '\0';
    if (c->domain != NULL) {
        domain_linked(c->domain, c->number, taken);
        if (c->number == 0)
            vc_focus_refuse(&l->vmm->focus, domain_focus(c->domain), false);
        if (c->number == 0 && !taken)
            terminal_resized(&l->vmm->terminal);
    } else if (taken) {
        console_lock(&l->vmm->console);
        console_attached(&l->vmm->console);
        console_unlock(&l->vmm->console);
    }
}

static void free_handle(uv_handle_t *handle) { free(handle); }

static void retry_due(uv_timer_t *timer) { dial(timer->data); }

static void retry_in(struct link *l, uint64_t ms)
{
    if (l->ready)
        uv_timer_start(&l->retry, retry_due, ms, 0);
}

/* At once, while a service is expected back; a service that only slams the door is not. */
static void dial_soon(struct link *l)
{
    bool soon = l->hurried < HURRIED_MAX;

    if (soon)
        l->hurried++;
    retry_in(l, soon ? HURRY_MS : RETRY_MS);
}

static void close_socket(struct link *l)
{
    uv_close((uv_handle_t *)l->poll, free_handle); /* stops polling now, frees itself later */
    l->poll = NULL;
    close(l->fd);
    l->fd = -1;
    if (l->phase == LINK_UP && vmm_now_ms() - l->up_since_ms >= RETRY_MS)
        l->hurried = 0;
    l->phase = LINK_DOWN;
    l->n_answers = 0;
    l->epoch++;
}

void link_down(struct link *l, uint64_t wait_ms)
{
    if (l->fd < 0)
        return;
    close_socket(l);
    for (uint32_t i = 0; i < l->n_consoles; i++) {
        bool had = l->consoles[i].phase == LINK_TAKEN;

        l->consoles[i].add_serial = l->consoles[i].remove_serial = 0; /* who asked hears of it by the end of the link */
        if (l->consoles[i].ended) {
            link_console_over(l, i);
            continue;
        }
        if (l->consoles[i].phase != LINK_AWAY && l->consoles[i].phase != LINK_FREE)
            l->consoles[i].phase = LINK_NEW;
        if (had)
            link_taken(l, i, false);
    }
    if (wait_ms > 0)
        retry_in(l, wait_ms);
    else
        dial_soon(l);
}

void link_violated(struct link *l, const char *what)
{
    if (l->fd < 0)
        return;
    message("console service: %s; the link is closed and tried again", what);
    link_down(l, RETRY_MS);
}

/* ---- Dialling. ---- */

static void ready(uv_poll_t *poll, int status, int events)
{
    struct link *l = poll->data;

    if (status < 0) {
        link_down(l, 0);
        return;
    }
    if ((events & (UV_READABLE | UV_DISCONNECT)) != 0)
        link_receive(l);
    if (l->fd >= 0 && (events & UV_WRITABLE) != 0)
        link_send_owed(l);
}

void link_want_write(struct link *l, bool want)
{
    uv_poll_start(l->poll, UV_READABLE | UV_DISCONNECT | (want ? UV_WRITABLE : 0), ready);
}

/* Never waits: a service whose backlog is full is one that is not there yet. */
static int connect_now(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

    if (fd < 0)
        return -errno;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

/* Guests' output is for a service of this user or of root; where anyone could put a socket, that is not said by its path. */
static bool peer_ok(int fd)
{
    struct ucred peer;

    return sock_peer(fd, &peer) == 0 && (peer.uid == geteuid() || peer.uid == 0 || geteuid() == 0);
}

static void watch_directory(struct link *l);

static void dial(struct link *l)
{
    int fd;

    if (l->fd >= 0 || !l->ready)
        return;
    watch_directory(l);
    fd = connect_now(l->path);
    if (fd < 0) {
        if (fd == -ECONNREFUSED || fd == -EAGAIN)
            dial_soon(l);
        else
            retry_in(l, RETRY_MS);
        return;
    }
    l->poll = malloc(sizeof *l->poll);
    if (l->poll == NULL || !peer_ok(fd) || uv_poll_init(l->retry.loop, l->poll, fd) != 0) {
        free(l->poll);
        close(fd);
        retry_in(l, RETRY_MS);
        return;
    }
    l->poll->data = l;
    l->fd = fd;
    l->phase = LINK_GREETED;
    link_want_write(l, false);
    if (link_send_hello(l) != 0)
        link_down(l, RETRY_MS);
}

static void directory_changed(uv_poll_t *poll, int status, int events)
{
    struct link *l = poll->data;
    char buffer[4096];

    (void)status, (void)events;
    while (read(l->watch_fd, buffer, sizeof buffer) > 0) /* whatever it was: dialling is the only way to know */
        ;
    l->hurried = 0;
    dial(l);
}

/* The directory may come after us, so this is tried before each dialling until it worked. */
static void watch_directory(struct link *l)
{
    char directory[sizeof l->path];

    if (l->watching)
        return;
    memcpy(directory, l->path, sizeof directory);
    l->watching = inotify_add_watch(l->watch_fd, dirname(directory), IN_CREATE | IN_MOVED_TO | IN_ATTRIB) >= 0;
}

static int make_consoles(struct link *l)
{
    uint32_t n = 1;

    for (size_t i = 0; i < l->vmm->n_domains; i++)
        n += domain_n_consoles(l->vmm->domains[i]);
    l->consoles = calloc(n, sizeof *l->consoles);
    if (l->consoles == NULL)
        return -1;
    l->n_consoles = 1;
    for (size_t i = 0; i < l->vmm->n_domains; i++)
        for (uint32_t j = 0; j < domain_n_consoles(l->vmm->domains[i]); j++) /* all are there still */
            l->consoles[l->n_consoles++] = (struct link_console){.domain = l->vmm->domains[i], .number = j};
    return 0;
}

int link_init(struct link *l, struct vmm *vmm, const char *path, struct problem *problem)
{
    *l = (struct link){.vmm = vmm, .fd = -1};
    if (strlen(path) >= sizeof l->path)
        return problem_set(problem, -1, "%s: too long for a socket: expected at most %zu bytes", path,
                           sizeof l->path - 1);
    snprintf(l->path, sizeof l->path, "%s", path);
    l->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (make_consoles(l) != 0 || l->watch_fd < 0 || uv_poll_init(&vmm->loop, &l->watch, l->watch_fd) != 0)
        return problem_set(problem, -1, "cannot watch for the console service: %s", strerror(errno));
    l->watch.data = l;
    uv_poll_start(&l->watch, UV_READABLE, directory_changed);
    uv_timer_init(&vmm->loop, &l->retry);
    l->retry.data = l;
    l->ready = true;
    return 0;
}

static bool all_answered(const struct link *l)
{
    for (uint32_t i = 0; i < l->n_consoles; i++)
        if (link_is_console(&l->consoles[i]) && l->consoles[i].phase != LINK_TAKEN &&
            l->consoles[i].phase != LINK_REFUSED)
            return false;
    return true;
}

int link_first(struct link *l, struct problem *problem)
{
    uint64_t deadline = vmm_now_ms() + FIRST_WAIT_MS;

    dial(l);
    /* One that was there and went, as in a restart, is expected back; where none listens nobody waits. */
    while ((l->fd >= 0 || l->up_since_ms > 0) && !all_answered(l) && vmm_now_ms() < deadline)
        if (uv_run(&l->vmm->loop, UV_RUN_NOWAIT) != 0)
            uv_sleep(1);
    return l->refusal[0] != '\0' ? problem_set(problem, -1, "%s", l->refusal) : 0;
}

void link_finish(struct link *l)
{
    if (!l->ready)
        return;
    for (uint32_t i = 0; i < l->n_consoles; i++)
        l->consoles[i].owe_gone = l->consoles[i].phase == LINK_TAKEN;
    if (l->fd >= 0)
        link_send_owed(l);
    l->ready = false;
    link_down(l, 0);
    uv_close((uv_handle_t *)&l->watch, NULL);
    uv_close((uv_handle_t *)&l->retry, NULL);
    close(l->watch_fd);
    free(l->consoles);
    l->consoles = NULL;
    l->n_consoles = 0;
}

/* ---- What the rest of the VMM says. ---- */

bool link_is_console(const struct link_console *c) { return c->phase != LINK_FREE && !c->ended; }

static bool is_of(const struct link_console *c, const struct domain *d) { return link_is_console(c) && c->domain == d; }

static bool is_first_of(const struct link_console *c, uint32_t domid)
{
    return link_is_console(c) && c->number == 0 && domain_id(c->domain) == domid;
}

void link_domain_state(struct link *l, struct domain *d)
{
    if (l->consoles == NULL)
        return;
    for (uint32_t i = 1; i < l->n_consoles; i++)
        l->consoles[i].owe_state |= is_of(&l->consoles[i], d);
    if (l->fd >= 0)
        link_send_owed(l);
}

/* GONE is sent before whatever is owed later, and then these consoles are nobody's. */
void link_domain_gone(struct link *l, struct domain *d)
{
    for (uint32_t i = 1; i < l->n_consoles; i++)
        if (is_of(&l->consoles[i], d)) {
            if (l->consoles[i].phase == LINK_TAKEN)
                l->consoles[i].owe_gone = true;
            else
                l->consoles[i].phase = LINK_AWAY;
        }
    if (l->fd >= 0)
        link_send_owed(l);
}

void link_domain_back(struct link *l, struct domain *d)
{
    for (uint32_t i = 1; i < l->n_consoles; i++)
        if (is_of(&l->consoles[i], d) && l->consoles[i].phase == LINK_AWAY)
            l->consoles[i].phase = LINK_NEW;
    if (l->fd >= 0)
        link_send_owed(l);
}

void link_focus(struct link *l, uint32_t domid)
{
    for (uint32_t i = 1; i < l->n_consoles; i++) {
        struct link_console *c = &l->consoles[i];
        bool claims = is_first_of(c, domid);

        c->owe_claim |= c->claims != claims;
        c->claims = claims;
    }
    if (l->fd >= 0)
        link_send_owed(l);
}

const char *link_holder(const struct link *l, uint32_t domid)
{
    for (uint32_t i = 1; i < l->n_consoles; i++)
        if (is_first_of(&l->consoles[i], domid))
            return l->consoles[i].holder;
    return "";
}
