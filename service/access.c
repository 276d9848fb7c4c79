/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <errno.h>
#include <fnmatch.h>
#include <grp.h>
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

bool access_name_find(const char *text, bool *user, uint32_t *id)
{
    const struct passwd *passwd;
    const struct group *group;

    *user = strncmp(text, "user:", 5) == 0;
    if (*user) {
        passwd = getpwnam(text + 5);
        *id = passwd != NULL ? passwd->pw_uid : 0;
        return passwd != NULL;
    }
    group = getgrnam(strncmp(text, "group:", 6) == 0 ? text + 6 : text);
    *id = group != NULL ? group->gr_gid : 0;
    return group != NULL;
}

/* The file alone: other sources of names (nsswitch.conf) may ask a server, which is waited for. */
static void name_user(struct access_peer *peer)
{
    FILE *file = fopen("/etc/passwd", "re");
    const struct passwd *user;

    snprintf(peer->user, sizeof peer->user, "uid %u", (unsigned)peer->uid);
    if (file == NULL)
        return;
    while ((user = fgetpwent(file)) != NULL)
        if (user->pw_uid == peer->uid) {
            snprintf(peer->user, sizeof peer->user, "%s", user->pw_name);
            break;
        }
    fclose(file);
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
    if (peer->uid != 0 && peer->uid != geteuid()) /* access_who knows these */
        name_user(peer);
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

static bool is_among(const struct access_peer *peer, const struct access_names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        if (names->at[i].user ? names->at[i].id == peer->uid : access_in_group(peer, names->at[i].id))
            return true;
    return false;
}

struct access access_of(const struct service *s, const struct access_peer *peer, const char *domain,
                        const char *console)
{
    const struct access_rule *rule = rule_of(s, domain, console);
    bool own = peer->uid == 0 || peer->uid == s->own.uid;
    struct access a = {.all = own, .read = own, .write = own};

    if (rule == NULL || (!own && is_among(peer, &rule->deny)))
        return a;
    a.write = own || is_among(peer, &rule->write);
    a.read = a.write || is_among(peer, &rule->read);
    a.send_break = a.write && rule->send_break;
    return a;
}

void access_who(const struct service *s, const struct access_peer *peer, char *who, uint32_t bytes)
{
    const char *user = peer->uid == s->own.uid ? s->own.user : peer->uid == 0 ? "root" : peer->user;

    snprintf(who, bytes, "%s (pid %d)", user, (int)peer->pid);
}
