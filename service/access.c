/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <errno.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/name.h"
#include "host/sock.h"
#include "service.h"

void access_own_find(struct access_own *own)
{
    struct passwd *user = getpwuid(geteuid());

    own->uid = geteuid();
    if (user != NULL)
        snprintf(own->user, sizeof own->user, "%s", user->pw_name);
    else
        snprintf(own->user, sizeof own->user, "uid %u", (unsigned)own->uid);
}

int access_peer_find(int fd, struct access_peer *peer)
{
    struct ucred cred;
    socklen_t bytes = sizeof peer->groups;
    int error = sock_peer(fd, &cred);

    *peer = (struct access_peer){0};
    if (error)
        return error;
    peer->uid = cred.uid;
    peer->pid = cred.pid;
    /* More groups than we have room for: only the primary one counts. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &bytes) == 0)
        peer->n_groups = (uint32_t)(bytes / sizeof peer->groups[0]);
    if (peer->n_groups < ACCESS_GROUPS)
        peer->groups[peer->n_groups++] = cred.gid;
    return 0;
}

bool access_in_group(const struct access_peer *peer, gid_t group)
{
    for (uint32_t i = 0; group != (gid_t)-1 && i < peer->n_groups; i++)
        if (peer->groups[i] == group)
            return true;
    return false;
}

static const struct access_rule *rule_of(const struct service *s, const char *domain, const char *console)
{
    char name[NAME_FULL_BYTES];

    snprintf(name, sizeof name, "%s/%s", domain, console);
    for (uint32_t i = 0; i < s->config.n_rules; i++)
        if (fnmatch(s->config.rules[i].pattern, name, 0) == 0)
            return &s->config.rules[i];
    return NULL;
}

struct access access_of(const struct service *s, const struct access_peer *peer, const char *domain,
                        const char *console)
{
    const struct access_rule *rule = rule_of(s, domain, console);
    bool own = peer->uid == 0 || peer->uid == s->own.uid;
    struct access a = {.all = own, .read = own, .write = own};

    if (rule == NULL)
        return a;
    a.write = own || access_in_group(peer, rule->write);
    a.read = a.write || access_in_group(peer, rule->read);
    a.send_break = a.write && rule->send_break;
    return a;
}

void access_who(const struct service *s, const struct access_peer *peer, char *who, uint32_t bytes)
{
    if (peer->uid == s->own.uid)
        snprintf(who, bytes, "%s (pid %d)", s->own.user, (int)peer->pid);
    else if (peer->uid == 0)
        snprintf(who, bytes, "root (pid %d)", (int)peer->pid);
    else
        snprintf(who, bytes, "uid %u (pid %d)", (unsigned)peer->uid, (int)peer->pid);
}
