/* SPDX-License-Identifier: MIT */
/* domain_door.h: one door, for domain_doors.c, which has them all. Loop thread, but for what says otherwise. */
#ifndef VCONS_VMM_DOMAIN_DOOR_H
#define VCONS_VMM_DOMAIN_DOOR_H
#include "domain_private.h"

/* Domain, configuration and number are set. After -1 too the console is there to be finished, if it has memory. */
int door_init(struct door *door, struct problem *problem);
/* As it is before it is opened, or restored. */
void door_prepare(struct door *door);
/* It was restored, or frozen: connected or not, as it should be now; it looks at all that came meanwhile. */
void door_again(struct door *door);
int door_open(struct door *door, struct problem *problem);
void door_free(struct door *door);
void door_close(struct door *door, bool for_good);
/* The loop's look at one console, and when it must look again. ctx is the door. May reap the domain. */
void door_work(void *ctx);
/* There may be input for the guest. */
void door_input(struct door *door);
/*
 * A PV console beyond the first: the guest's ring page, whose port is bound already. False: its indices are wild. After
 * detach nobody looks at the page any more. Any thread.
 */
bool door_attach(struct door *door, void *page);
void door_detach(struct door *door);
void door_linked(struct door *door, bool linked);

#endif
