/* SPDX-License-Identifier: MIT */
/*
 * privileges.h: what the service gives up before the first thread and the first hostile byte; host/sandbox.h is the last step.
 *
 * Spec:  capabilities(7), landlock(7), credentials(7).
 * Owner: nothing is kept.
 * Lock:  one thread there is: capabilities and landlock's rules are a thread's, and those made later inherit them.
 * Trust: walls behind our own bugs. What the service must be able to open while it runs is named here and nowhere else.
 */
#ifndef VCONS_SERVICE_PRIVILEGES_H
#define VCONS_SERVICE_PRIVILEGES_H
#include <stdbool.h>

#include "host/message.h"
#include "host/paths.h"

struct service_config;

/*
 * For that user the three directories, and that of text files if text is none of "", are made, and become his where they are root's,
 * with what is root's in them. Only root can. 0 or a negative errno with *p, as all of these; nothing is to be done for who is that user.
 */
int privileges_give(const char *user, const struct paths *paths, const char *text, struct problem *p);
/* Make and check as he would, until the next call with NULL: root again. */
int privileges_act_as(const char *user, struct problem *p);
/* Be that user from here on, with his groups. */
int privileges_become(const char *user, struct problem *p);
bool privileges_is_user(const char *name);
/*
 * No capability any more, and none to gain; of root's the one by which others' sockets and devices are opened. 0 or a negative
 * errno with *p.
 */
int privileges_drop(struct problem *p);
/*
 * Write to, make and remove nothing but in the service's directories, where text files go and where the configuration wants
 * sockets listened on; devices are written to. Where the kernel has no landlock nothing changes. 0 or a negative errno with *p.
 */
int privileges_files(const struct paths *paths, const struct service_config *config, struct problem *p);

#endif
