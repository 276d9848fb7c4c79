/* SPDX-License-Identifier: MIT */
#include "manager.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "append.h"
#include "host/message.h"
#include "service.h"

#define FIRST_FD    3      /* SD_LISTEN_FDS_START */
#define STORED_MOST 65536u /* as there are consoles */
#define BARRIER_MS  5000

/* A number of the environment; 0: none, or not a number. */
static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    char *end;
    uint64_t value = text != NULL ? strtoull(text, &end, 10) : 0;

    return text != NULL && *text != '\0' && *end == '\0' ? value : 0;
}

/* Whether what is for that process is for us; without it, it is for whoever reads it. */
static bool is_ours(const char *variable)
{
    return getenv(variable) == NULL || number_of(variable) == (uint64_t)getpid();
}

static int open_notify(struct manager *m)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path != NULL ? strlen(path) : 0;

    if (n < 2 || n >= sizeof m->at.sun_path || (path[0] != '/' && path[0] != '@'))
        return -1;
    m->at = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(m->at.sun_path, path, n + 1);
    if (path[0] == '@')
        m->at.sun_path[0] = '\0'; /* the abstract name space: no NUL at its end */
    m->at_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/' ? 1 : 0));
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static bool is_listening(int fd, int type)
{
    int value, domain;
    socklen_t bytes = sizeof value;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) != 0 || domain != AF_UNIX)
        return false;
    bytes = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &bytes) != 0 || value != type)
        return false;
    bytes = sizeof value;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &bytes) == 0 && value != 0;
}

/* The last part of the path that it is bound to; empty: it has none. */
static void bound_name(int fd, char *name, size_t bytes)
{
    struct sockaddr_un at = {.sun_family = AF_UNSPEC};
    socklen_t n = sizeof at - 1; /* so that there is a NUL behind it */
    const char *slash;

    name[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&at, &n) != 0 || at.sun_family != AF_UNIX)
        return;
    slash = strrchr(at.sun_path, '/');
    if (slash != NULL)
        snprintf(name, bytes, "%s", slash + 1);
}

/* Kept for us by its number. False: it is none of those. */
static bool take_stored(struct manager *m, const char *name, int fd)
{
    unsigned number, end = 0;
    int *more;

    if (strcmp(name, MANAGER_STATE) == 0 && m->earlier_fd < 0) {
        m->earlier_fd = fd;
        return true;
    }
    if (sscanf(name, MANAGER_STORED "%u%n", &number, (int *)&end) != 1 || name[end] != '\0' || number >= STORED_MOST)
        return false;
    if (number >= m->n_stored) {
        more = realloc(m->stored, (number + 1) * sizeof *more);
        if (more == NULL)
            return false;
        m->stored = more;
        while (m->n_stored <= number)
            m->stored[m->n_stored++] = -1;
    }
    if (m->stored[number] >= 0)
        return false;
    m->stored[number] = fd;
    return true;
}

static void take_socket(struct manager *m, const char *name, int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || take_stored(m, name, fd)) /* it is none, or is kept */
        return;
    if (m->n_sockets == MANAGER_SOCKETS) {
        close(fd);
        return;
    }
    m->sockets[m->n_sockets].fd = fd;
    snprintf(m->sockets[m->n_sockets++].name, sizeof m->sockets[0].name, "%s", name);
}

static void take_sockets(struct manager *m)
{
    uint64_t n = is_ours("LISTEN_PID") ? number_of("LISTEN_FDS") : 0;
    const char *names = getenv("LISTEN_FDNAMES");

    for (uint64_t i = 0; i < n && i < STORED_MOST + MANAGER_SOCKETS; i++) {
        size_t length = names != NULL ? strcspn(names, ":") : 0;
        char name[sizeof m->sockets[0].name];

        snprintf(name, sizeof name, "%.*s", (int)length, names != NULL ? names : "");
        take_socket(m, name, FIRST_FD + (int)i);
        if (names != NULL)
            names += length + (names[length] == ':' ? 1 : 0);
    }
}

static void open_store(struct manager *m)
{
    if (m->fd >= 0 && m->state_fd < 0 && pipe2(m->barrier, O_CLOEXEC | O_NONBLOCK) == 0)
        m->state_fd = memfd_create("vcons-state", MFD_CLOEXEC);
}

void manager_open(struct manager *m)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                            "LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES"};

    *m = (struct manager){.barrier = {-1, -1}, .state_fd = -1, .earlier_fd = -1};
    m->fd = open_notify(m);
    open_store(m);
    if (m->fd >= 0 && is_ours("WATCHDOG_PID"))
        m->watchdog_us = number_of("WATCHDOG_USEC");
    take_sockets(m);
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
}

void manager_close(struct manager *m)
{
    const int all[] = {m->fd, m->barrier[0], m->barrier[1], m->state_fd};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] >= 0)
            close(all[i]);
    m->fd = m->barrier[0] = m->barrier[1] = m->state_fd = -1;
}

int manager_socket(struct manager *m, const char *name, int type, bool *given)
{
    char bound[sizeof m->sockets[0].name];

    for (uint32_t i = 0; i < m->n_sockets; i++) {
        int fd = m->sockets[i].fd;

        if (fd < 0 || !is_listening(fd, type))
            continue;
        bound_name(fd, bound, sizeof bound);
        if (strcmp(m->sockets[i].name, name) != 0 && strcmp(bound, name) != 0)
            continue;
        if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
            continue;
        m->sockets[i].fd = -1;
        *given = !m->sockets[i].ours;
        return fd;
    }
    return -1;
}

bool manager_give(struct manager *m, const char *name, int fd, bool ours)
{
    if (m->n_sockets == MANAGER_SOCKETS)
        return false;
    m->sockets[m->n_sockets].fd = fd;
    m->sockets[m->n_sockets].ours = ours;
    snprintf(m->sockets[m->n_sockets++].name, sizeof m->sockets[0].name, "%s", name);
    return true;
}

void manager_inherit(struct manager *m, const struct sockaddr_un *at, socklen_t bytes, uint64_t watchdog_us)
{
    if (m->fd < 0) {
        m->at = *at;
        m->at_bytes = bytes;
        m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        open_store(m);
    }
    if (m->fd >= 0 && m->watchdog_us == 0)
        m->watchdog_us = watchdog_us;
}

void manager_sockets_done(struct manager *m)
{
    for (uint32_t i = 0; i < m->n_sockets; i++) {
        if (m->sockets[i].fd < 0)
            continue;
        message("the socket \"%s\" of the service manager is none of ours, or of another type", m->sockets[i].name);
        close(m->sockets[i].fd);
    }
    m->n_sockets = 0;
}

/* Telling. */

/* Never waits: a manager that does not read misses a word, and hears the next. */
static void tell(const struct manager *m, const char *text)
{
    if (m->fd >= 0)
        (void)sendto(m->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&m->at,
                     m->at_bytes);
}

static void tell_state(const struct service *s, const char *state)
{
    char text[256];

    snprintf(text, sizeof text, "%sSTATUS=%u consoles, %u connected; %u viewers", state, s->registry.n,
             s->registry.n_sources, s->n_viewers);
    tell(&s->manager, text);
}

static void watchdog_due(uv_timer_t *timer)
{
    struct service *s = timer->data;
    uint64_t turn = append_turn(&s->append);

    if (turn != s->manager.turn_seen || append_sleeps(turn))
        tell_state(s, "WATCHDOG=1\n");
    else
        message("the append thread has stood still for %.1f s: the watchdog is not told that all is well",
                (double)s->manager.watchdog_us / 2e6);
    s->manager.turn_seen = turn;
}

int manager_ready(struct service *s)
{
    struct manager *m = &s->manager;
    uint64_t half_ms = m->watchdog_us / 2000;
    char state[64];
    int error = uv_timer_init(&s->loop, &m->watchdog);

    if (error)
        return error;
    m->watchdog.data = s;
    m->turn_seen = append_turn(&s->append);
    uv_update_time(&s->loop);
    if (m->watchdog_us > 0) {
        uv_timer_start(&m->watchdog, watchdog_due, half_ms > 0 ? half_ms : 1, half_ms > 0 ? half_ms : 1);
        uv_unref((uv_handle_t *)&m->watchdog);
    }
    snprintf(state, sizeof state, "READY=1\nMAINPID=%d\n", (int)getpid());
    tell_state(s, state);
    return 0;
}

void manager_reloading(struct service *s)
{
    char text[96];
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu\n",
             (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
    tell(&s->manager, text);
}

void manager_reloaded(struct service *s) { tell_state(s, "READY=1\n"); }

void manager_stopping(struct service *s, const char *status)
{
    char text[128];

    snprintf(text, sizeof text, "STOPPING=1\nSTATUS=%s", status);
    tell(&s->manager, text);
}

/* The store. */

static void send_fd(const struct manager *m, const char *text, int fd)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    union {
        char bytes[CMSG_SPACE(sizeof fd)];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct msghdr msg = {.msg_name = (void *)(uintptr_t)&m->at,
                         .msg_namelen = m->at_bytes,
                         .msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    while (sendmsg(m->fd, &msg, MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

void manager_store(const struct manager *m, const char *name, int fd)
{
    char text[96];

    snprintf(text, sizeof text, "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    send_fd(m, text, fd);
}

void manager_barrier(struct manager *m)
{
    struct pollfd p = {.fd = m->barrier[0], .events = 0};

    if (m->barrier[1] < 0)
        return;
    send_fd(m, "BARRIER=1", m->barrier[1]);
    close(m->barrier[1]); /* it closes its own when it has come to it: then the pipe hangs up */
    m->barrier[1] = -1;
    (void)poll(&p, 1, BARRIER_MS);
}

void manager_forget_stored(struct manager *m)
{
    char text[96];

    if (m->earlier_fd >= 0) {
        tell(m, "FDSTOREREMOVE=1\nFDNAME=" MANAGER_STATE);
        close(m->earlier_fd);
    }
    m->earlier_fd = -1;
    for (uint32_t i = 0; i < m->n_stored; i++) {
        snprintf(text, sizeof text, "FDSTOREREMOVE=1\nFDNAME=" MANAGER_STORED "%u", i);
        tell(m, text);
        if (m->stored[i] >= 0)
            close(m->stored[i]);
    }
    free(m->stored);
    m->stored = NULL;
    m->n_stored = 0;
}
