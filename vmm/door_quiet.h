/* SPDX-License-Identifier: MIT */
/*
 * door_quiet.h: a guest that sends much need not send each time (engine.h, quiet): for a while the door looks by itself.
 *
 *     sends come ──► one more within QUIET_BURST_MS ──► quiet: looked at when it is due, and whenever a vCPU yields
 *         ▲                                               │
 *         └────────── nothing came in a whole period ─────┘
 *
 * A period is 1 ms. While there is something each time it doubles, up to QUIET_MAX_MS; so what a guest says stays unseen for
 * 1 ms, or in the middle of a stream for so long. A ring that fills is seen at once: its guest yields. A lone send costs
 * nothing more than ever. Nothing is quiet while input waits, for then sends tell of room.
 *
 * Owner: part of struct door.
 * Lock:  console.lock: all functions are [locked] but door_quiet_look, which takes it.
 * Loss:  none. The end is: the port is loud again, with a full barrier; then a look (models/quiet_sends.pml).
 */
#ifndef VCONS_VMM_DOOR_QUIET_H
#define VCONS_VMM_DOOR_QUIET_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define QUIET_BURST_MS 10u
#define QUIET_MAX_MS   16u

struct door;

struct door_quiet {
    atomic_bool on; /* changed under the lock */
    uint32_t port;  /* which */
    uint32_t period_ms;
    uint64_t due_ms;  /* on: when the door is looked at, at the latest */
    uint64_t sent_ms; /* the last send that came */
    uint32_t out, in; /* the door's indices as they were at the last look that was due */
};

void door_quiet_init(struct door *door);
/* The guest sent, and was served; in that vCPU's thread. */
void door_quiet_sent(struct door *door);
/* The loop, after it served the door: ends a period that is due, or begins the next. */
void door_quiet_tick(struct door *door);
/* Now. The door was looked at afterwards. */
void door_quiet_end(struct door *door);
/*
 * A vCPU is in sched_op. yields: it asks for room, and sees it by itself; else it sleeps, and is woken by an event. True:
 * something was there.
 */
bool door_quiet_look(struct door *door, bool yields);

#endif
