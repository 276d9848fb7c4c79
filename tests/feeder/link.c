/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <err.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void poll_for(struct feeder_link *l, int op, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = l->socket};

    if (epoll_ctl(l->epoll, op, l->socket, &e) < 0)
        err(1, "polling the link");
}

void link_send(struct feeder_link *l, const void *packet, uint32_t bytes)
{
    if (l->socket >= 0)
        (void)send(l->socket, packet, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void link_drop(struct feeder_link *l)
{
    if (l->socket < 0)
        return;
    close(l->socket);
    l->socket = -1;
    for (uint32_t i = 0; i < l->n_feeds; i++)
        l->feeds[i].served = false;
    puts("unlinked");
}

void link_open(struct feeder_link *l)
{
    char copy[sizeof((struct sockaddr_un *)0)->sun_path];

    snprintf(copy, sizeof copy, "%s", l->path);
    l->socket = -1;
    l->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (l->inotify < 0 || inotify_add_watch(l->inotify, dirname(copy), IN_CREATE | IN_MOVED_TO) < 0)
        err(1, "watching the directory of %s", l->path);
    link_dial(l);
}

void link_dial(struct feeder_link *l)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct vc_link_hello hello = {
        .head = {VC_LINK_HELLO, sizeof hello}, .version = VC_LINK_VERSION, .pid = (uint32_t)getpid()};

    if (l->socket >= 0 || l->paused)
        return;
    if ((size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s", l->path) >= sizeof a.sun_path)
        errx(2, "%s: longer than a socket's path may be", l->path);
    snprintf(hello.name, sizeof hello.name, "%s", l->name);
    l->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->socket < 0)
        err(1, "link");
    if (connect(l->socket, (struct sockaddr *)&a, sizeof a) < 0) {
        close(l->socket);
        l->socket = -1;
        return;
    }
    l->greeted = false;
    l->n_asked = l->n_served = 0;
    poll_for(l, EPOLL_CTL_ADD, EPOLLIN);
    link_send(l, &hello, sizeof hello);
}

/* One ADD with its descriptors; false: the socket is full for now, or gone. */
static bool offer(struct feeder_link *l, struct feed *f)
{
    struct vc_link_add add = {.head = {VC_LINK_ADD, sizeof add},
                              .cookie = f->number,
                              .kind = f->kind,
                              .geometry = VC_LINK_GEOMETRY_LINE,
                              .domid = f->number + 1,
                              .boot = 1,
                              .first = strcmp(f->console, "hvc0") == 0};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof f->fds)] = {0};
    struct iovec iov = {&add, sizeof add};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    memcpy(add.line_id, f->source.page->id, sizeof add.line_id);
    memcpy(add.uuid, f->domain, sizeof add.uuid - 1);
    add.uuid[15] = 1; /* never all zero */
    memcpy(add.domain, f->domain, sizeof add.domain);
    memcpy(add.console, f->console, sizeof add.console);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof f->fds);
    memcpy(CMSG_DATA(c), f->fds, sizeof f->fds);
    return sendmsg(l->socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof add;
}

static void offer_all(struct feeder_link *l)
{
    while (l->n_asked < l->n_feeds && (!l->feeds[l->n_asked].there || offer(l, &l->feeds[l->n_asked])))
        l->n_asked++;
    poll_for(l, EPOLL_CTL_MOD, l->n_asked < l->n_feeds ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static uint32_t n_there(const struct feeder_link *l)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < l->n_feeds; i++)
        n += l->feeds[i].there;
    return n;
}

static void answered(struct feeder_link *l, const struct vc_link_answer *a)
{
    if (a->cookie >= l->n_feeds) {
        printf("answer %u %u %.128s\n", a->cookie, a->reason, a->text);
        return;
    }
    if (a->head.type == VC_LINK_REFUSED) {
        printf("refused %u %u %.128s\n", a->cookie, a->reason, a->text);
        return;
    }
    l->feeds[a->cookie].served = true;
    if (++l->n_served == n_there(l))
        printf("served %u\n", l->n_served);
}

static void asked(struct feeder_link *l, const struct vc_link_ask *a)
{
    struct vc_link_answer answer = {.head = {VC_LINK_OK, sizeof answer}, .cookie = a->serial};

    printf("request %u %.36s\n", a->request, a->domain);
    link_send(l, &answer, sizeof answer);
}

static struct feed *find(struct feeder_link *l, const char *domain, const char *console)
{
    for (uint32_t i = 0; i < l->n_feeds; i++)
        if (l->feeds[i].there && strcmp(l->feeds[i].domain, domain) == 0 && strcmp(l->feeds[i].console, console) == 0)
            return &l->feeds[i];
    return NULL;
}

static const char *add(struct feeder_link *l, const struct vc_link_console *a)
{
    struct feed *f = l->feeds;

    if (a->device > 0)
        return "no such device";
    if (find(l, a->domain, a->console) != NULL)
        return "that name is taken";
    while (f < l->feeds + l->n_feeds && f->there)
        f++;
    if (f == l->feeds + l->n_feeds)
        return "no spare console";
    l->begin(l->ctx, f);
    f->kind = a->kind;
    memcpy(f->domain, a->domain, sizeof f->domain);
    memcpy(f->console, a->console, sizeof f->console);
    if (!offer(l, f))
        errx(1, "link: no room for an ADD");
    return NULL;
}

static const char *take_away(struct feeder_link *l, const struct vc_link_console *a)
{
    struct vc_link_answer gone = {.head = {VC_LINK_GONE, sizeof gone}};
    struct feed *f = find(l, a->domain, a->console);

    if (f == NULL)
        return "no such console";
    if (strcmp(f->console, "hvc0") == 0)
        return "the first console stays";
    gone.cookie = f->number;
    link_send(l, &gone, sizeof gone);
    l->n_served -= f->served;
    l->end(l->ctx, f);
    return NULL;
}

static void asked_console(struct feeder_link *l, const struct vc_link_console *a)
{
    struct vc_link_answer answer = {.head = {VC_LINK_OK, sizeof answer}, .cookie = a->serial};
    const char *wrong = a->request == VC_LINK_CONSOLE_ADD ? add(l, a) : take_away(l, a);

    if (wrong != NULL) {
        answer.head.type = VC_LINK_REFUSED;
        answer.reason = VC_LINK_E_FAILED;
        snprintf(answer.text, sizeof answer.text, "%s", wrong);
    }
    printf("console %u %.36s %.36s %u %u\n", a->request, a->domain, a->console, a->kind, a->device);
    link_send(l, &answer, sizeof answer);
}

static void receive(struct feeder_link *l, const void *packet)
{
    const struct vc_link_head *head = packet;
    const struct vc_link_claim *token = packet;

    switch (head->type) {
    case VC_LINK_HELLO:
        puts("linked");
        l->greeted = true;
        offer_all(l);
        break;
    case VC_LINK_OK:
    case VC_LINK_REFUSED: answered(l, packet); break;
    case VC_LINK_TOKEN: printf("token %u %u %.128s\n", token->cookie, token->holds, token->holder); break;
    case VC_LINK_REQUEST: asked(l, packet); break;
    case VC_LINK_CONSOLE: asked_console(l, packet); break;
    default: errx(1, "link: a packet of type %u", head->type);
    }
}

void link_ready(struct feeder_link *l, uint32_t events)
{
    _Alignas(8) char packet[VC_LINK_PACKET_MAX] = {0};
    ssize_t n;

    while (l->socket >= 0 && (n = recv(l->socket, packet, sizeof packet, MSG_DONTWAIT)) != -1) {
        if (n < (ssize_t)sizeof(struct vc_link_head)) {
            link_drop(l);
            link_dial(l);
            return;
        }
        receive(l, packet);
    }
    if (l->socket >= 0 && errno != EAGAIN) {
        link_drop(l);
        link_dial(l);
    } else if ((events & EPOLLOUT) && l->greeted) {
        offer_all(l);
    }
}
