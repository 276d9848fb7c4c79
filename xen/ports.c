/* SPDX-License-Identifier: MIT */
#include "ports.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"

#define AT_ONCE 64u

static struct ports *ports_of(struct source_hub *hub) { return (struct ports *)(void *)hub; }

/* The lock also keeps the user alive: who goes unbinds first. */
static void *reader_of(struct ports *p, uint32_t port)
{
    struct port_user *u;
    void *reader = NULL;

    pthread_mutex_lock(&p->lock);
    u = port < p->n ? p->users[port] : NULL;
    if (u != NULL && u->event(u))
        reader = u->source->reader;
    pthread_mutex_unlock(&p->lock);
    return reader;
}

static uint32_t collect(struct source_hub *hub, void *readers[], uint32_t n)
{
    struct ports *p = ports_of(hub);
    uint32_t pending[AT_ONCE], count = 0;
    ssize_t got = read(hub->fd, pending, (n < AT_ONCE ? n : AT_ONCE) * sizeof pending[0]);

    for (ssize_t i = 0; i < got / (ssize_t)sizeof pending[0]; i++) {
        readers[count] = reader_of(p, pending[i]);
        count += readers[count] != NULL;
    }
    return count;
}

int ports_open(struct ports *p, struct xentoollog_logger *logger, struct problem *problem)
{
    *p = (struct ports){.handle = xenevtchn_open(logger, 0)};
    if (p->handle == NULL)
        return problem_set(problem, -errno, "this is not the dom0 of a Xen: /dev/xen/evtchn: %s", strerror(errno));
    p->hub = (struct source_hub){.fd = xenevtchn_fd(p->handle), .collect = collect};
    pthread_mutex_init(&p->lock, NULL);
    if (fcntl(p->hub.fd, F_SETFL, O_NONBLOCK) == 0)
        return 0;
    problem_set(problem, -errno, "/dev/xen/evtchn: %s", strerror(errno));
    ports_close(p);
    return -EIO;
}

void ports_close(struct ports *p)
{
    if (p->handle == NULL)
        return;
    xenevtchn_close(p->handle);
    pthread_mutex_destroy(&p->lock);
    free(p->users);
    *p = (struct ports){0};
}

/* The lock is held. */
static int make_room(struct ports *p, uint32_t port)
{
    struct port_user **more;
    uint32_t n = p->n > 0 ? p->n : 64;

    if (port > PLACE_PORT_MAX)
        return -ERANGE;
    while (n <= port)
        n *= 2;
    if (n == p->n)
        return 0;
    more = realloc(p->users, n * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    memset(more + p->n, 0, (n - p->n) * sizeof *more);
    p->users = more;
    p->n = n;
    return 0;
}

/* A port that was just bound, or -1 with errno: the lock is held, so that nothing is reported before it is known. */
static int take(struct ports *p, int port, struct port_user *u)
{
    int error = port < 0 ? -errno : make_room(p, (uint32_t)port);

    if (error == 0)
        p->users[port] = u;
    else if (port >= 0)
        xenevtchn_unbind(p->handle, (evtchn_port_t)port);
    return error ? error : port;
}

int ports_bind(struct ports *p, uint32_t domid, uint32_t remote, struct port_user *u)
{
    int port;

    pthread_mutex_lock(&p->lock);
    port = take(p, xenevtchn_bind_interdomain(p->handle, domid, remote), u);
    pthread_mutex_unlock(&p->lock);
    return port;
}

int ports_bind_virq(struct ports *p, uint32_t virq, struct port_user *u)
{
    int port;

    pthread_mutex_lock(&p->lock);
    port = take(p, xenevtchn_bind_virq(p->handle, virq), u);
    pthread_mutex_unlock(&p->lock);
    return port;
}

void ports_unbind(struct ports *p, uint32_t port)
{
    pthread_mutex_lock(&p->lock);
    if (port < p->n)
        p->users[port] = NULL;
    pthread_mutex_unlock(&p->lock);
    xenevtchn_unbind(p->handle, port);
}

void ports_notify(struct ports *p, uint32_t port) { xenevtchn_notify(p->handle, port); }
void ports_unmask(struct ports *p, uint32_t port) { xenevtchn_unmask(p->handle, port); }
