/* SPDX-License-Identifier: MIT */
/* What the process of starter.h has children look up: names of hosts, and domains of a Xen's. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sock.h"
#include "starter.h"
#include "xl_lookup.h"

#define RESOLVE_S 30u /* for one name, at most */

static bool take_address(struct starter_address *to, const struct addrinfo *found)
{
    *to = (struct starter_address){.family = (uint16_t)found->ai_family};
    if (found->ai_family == AF_INET) {
        memcpy(to->bytes, &((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr, 4);
        return true;
    }
    if (found->ai_family != AF_INET6)
        return false;
    memcpy(to->bytes, &((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_addr, 16);
    to->scope = ((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_scope_id;
    return true;
}

static void look_up(const struct starter_ask *ask, struct starter_answer *a)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(ask->text, NULL, &hints, &found);

    for (const struct addrinfo *f = found; error == 0 && f != NULL && a->n < STARTER_ADDRESSES; f = f->ai_next)
        a->n += take_address(&a->addresses[a->n], f);
    if (a->n == 0) {
        a->error = ENOENT;
        snprintf(a->text, sizeof a->text, "%s", error ? gai_strerror(error) : "no address");
    }
}

static void ask_xenstore(const struct starter_ask *ask, struct starter_answer *a)
{
    struct xl_place place;
    const char *why = xl_lookup(ask->text, &place);

    if (why == NULL) {
        snprintf(a->text, sizeof a->text, "%u %s", place.domid, place.tty);
    } else {
        a->error = ENOENT;
        snprintf(a->text, sizeof a->text, "%s", why);
    }
}

_Noreturn void starter_look_up(int fd, const struct starter_ask *ask)
{
    struct starter_answer a = {.serial = ask->serial, .what = ask->what};

    alarm(RESOLVE_S);
    if (ask->what == STARTER_XL)
        ask_xenstore(ask, &a);
    else
        look_up(ask, &a);
    (void)sock_send_fds(fd, &a, sizeof a, NULL, 0); /* it fails when the service is gone */
    _exit(0);
}
