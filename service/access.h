/* SPDX-License-Identifier: MIT */
/*
 * access.h: who may read and write which console, by peer credentials.
 *
 * Spec:  design §5: the service's own user, root, and groups and users named per console; rules R13, R40. Whoever is denied has
 *        nothing of that console, whatever else the rule says of him; root and the service's own user cannot be.
 * Owner: the caller places everything.
 * Lock:  none, the control thread.
 * Trust: credentials come from the kernel (SO_PEERCRED, SO_PEERGROUPS), as they were when the client connected.
 */
#ifndef VCONS_SERVICE_ACCESS_H
#define VCONS_SERVICE_ACCESS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ACCESS_GROUPS 64u
#define ACCESS_NAMES  16u /* in one list of a rule */

struct access_own { /* who we are, looked up before the sandbox */
    uid_t uid;
    char user[32];
};
struct access_peer {
    uid_t uid;
    pid_t pid;
    char user[32]; /* the name of that uid, if /etc/passwd has it; else "uid N" */
    uint32_t n_groups;
    gid_t groups[ACCESS_GROUPS];
};
struct access_names { /* users and groups */
    uint32_t n;
    struct {
        bool user; /* else a group */
        uint32_t id;
    } at[ACCESS_NAMES];
};
struct access_rule {  /* "access" blocks of vconsd.conf; the first whose pattern fits counts */
    char pattern[80]; /* fnmatch, of DOMAIN/CONSOLE */
    struct access_names read, write, deny;
    bool send_break; /* writers may send breaks */
};
struct access {
    bool read, write, send_break, all; /* all: may stop domains too */
};

struct service;

void access_own_find(struct access_own *own);
/* 0 or a negative errno. */
int access_peer_find(int fd, struct access_peer *peer);
bool access_in_group(const struct access_peer *peer, gid_t group); /* (gid_t)-1: no group, false */
struct access access_of(const struct service *s, const struct access_peer *peer, const char *domain,
                        const char *console);
/* NAME or group:NAME, a group; user:NAME. Looked up now. False: there is no such. */
bool access_name_find(const char *text, bool *user, uint32_t *id);
/* "user (pid 123)" */
void access_who(const struct service *s, const struct access_peer *peer, char *who, uint32_t bytes);

#endif
