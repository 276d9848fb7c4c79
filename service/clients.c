/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "service.h"

#define DESCRIPTORS 3u /* a socket, and a segment with its index */

void clients_open(struct clients *c)
{
    struct rlimit limit;

    *c = (struct clients){.max = CLIENTS_OF_USER};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        c->max = (uint32_t)((limit.rlim_cur < UINT32_MAX ? limit.rlim_cur : UINT32_MAX) / 2 / DESCRIPTORS);
}

void clients_free(struct clients *c)
{
    free(c->users);
    *c = (struct clients){0};
}

static struct client_user *find(struct clients *c, uid_t uid)
{
    for (uint32_t i = 0; i < c->n_users; i++)
        if (c->users[i].uid == uid)
            return &c->users[i];
    return NULL;
}

static struct client_user *add(struct clients *c, uid_t uid)
{
    if (c->n_users == c->room) {
        uint32_t room = c->room == 0 ? 4 : c->room * 2;
        struct client_user *users = reallocarray(c->users, room, sizeof *users);

        if (users == NULL)
            return NULL;
        c->users = users;
        c->room = room;
    }
    c->users[c->n_users] = (struct client_user){.uid = uid};
    return &c->users[c->n_users++];
}

bool clients_enter(struct service *s, uid_t uid)
{
    struct clients *c = &s->clients;
    struct client_user *user = find(c, uid);
    bool own = uid == 0 || uid == s->own.uid;

    if (c->n >= c->max || (user != NULL && user->n >= CLIENTS_OF_USER && !own))
        return false;
    if (user == NULL)
        user = add(c, uid);
    if (user == NULL)
        return false;
    user->n++;
    c->n++;
    return true;
}

void clients_leave(struct service *s, uid_t uid)
{
    struct clients *c = &s->clients;
    struct client_user *user = find(c, uid);

    assert(user != NULL && user->n > 0);
    c->n--;
    if (--user->n == 0)
        *user = c->users[--c->n_users];
}
