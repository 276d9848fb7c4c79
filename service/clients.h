/* SPDX-License-Identifier: MIT */
/*
 * clients.h: how many connections each user has, so that nobody's use up what logs and other people need.
 *
 * Spec:  SECURITY.md; P3 of reliability. With an access rule everybody may connect to the control socket and to raw ones.
 * Owner: struct service; zeroed, it counts nothing. clients_free ends it.
 * Lock:  none, the control thread.
 * Trust: the user comes from the kernel. A connection counts from its accept to the end of the viewer it became.
 */
#ifndef VCONS_SERVICE_CLIENTS_H
#define VCONS_SERVICE_CLIENTS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CLIENTS_OF_USER 256u /* of one who is neither root nor the service's own user */

struct service;
struct clients {
    struct client_user {
        uid_t uid;
        uint32_t n;
    } * users; /* those with connections, in no order */
    uint32_t n_users, room;
    uint32_t n, max; /* of all users */
};

/* From the limit of descriptors as it stands: one half is the clients', three for each; the other is the consoles'. */
void clients_open(struct clients *c);
void clients_free(struct clients *c);
/* One more of this user. False: he has too many, or all have; nothing is counted. */
bool clients_enter(struct service *s, uid_t uid);
void clients_leave(struct service *s, uid_t uid); /* one that clients_enter let in has ended */

#endif
