/* SPDX-License-Identifier: MIT */
/*
 * save.h: a domain that runs is saved to a file, and one that was saved goes on, maybe elsewhere.
 *
 *     RUNNING ──► pausing ──► (all vCPUs parked) ──► writing ──► (on the disk) ──► OFF, saved
 *        ▲           │ not within SAVE_PAUSE_MS          │ no room
 *        └───────────┴──────────────────────────────────┘ and goes on as if nothing had been
 *
 * While it stands still nothing moves between guest and line, so what is written is of one moment: bytes that the guest
 * wrote are either in the log or in its ring, input is either read or saved. The focus is not saved, but for the line that the
 * domain has not ended on the terminal. Channels to other domains come back unbound, as Xen has them after a migration: those
 * domains are not there. Output that waits in the console's tail stays with this program, as after any stop.
 *
 * Spec:  save_file.h, vcons/save.h; design §2 "save/restore".
 * Owner: struct domain has its save while it lasts, and what was loaded until it starts.
 * Lock:  loop thread; the file is written by a thread of its own, which nobody waits for.
 * Trust: a file to write to is a descriptor that a client opened: regular, or refused. A file to restore is hostile: loaded
 *        and checked whole before anything of the domain runs, and each error is one clear line.
 */
#ifndef VCONS_VMM_SAVE_H
#define VCONS_VMM_SAVE_H
#include "config.h"
#include "domain.h"
#include "save_file.h"

#define SAVE_PAUSE_MS 2000u /* a vCPU that computes on without a call or exit for so long does not stand still */

struct save;

/*
 * Save d into the file fd, which is ours from now on. The answer to request `serial` of the link comes when it is saved and
 * gone, or goes on.
 */
void save_begin(struct domain *d, int fd, uint32_t serial);
/* Whether it is being written: its memory must stay. domain_reap comes later then. */
bool save_holds(const struct domain *d);
/* The loop ends: wait for the thread, forget the rest. */
void save_abandon(struct domain *d);

/* options->restore: open it and add its domain to config, which keeps the file as config->restored. */
int save_config_open(struct vmm_config *config, const struct vmm_config_options *options, struct problem *p);
void save_config_close(struct vmm_config *config);
/* Load what follows CONFIG into d, which was just created: memory, state, engine. Sets d->loaded. -1: *p says why not; d is
 * to be destroyed. */
int save_load(struct domain *d, struct save_in *in, struct problem *p);
/* What was loaded starts: just before the engine does. Its clock goes on, its doors are open. */
void save_resume(struct domain *d);

/*
 * What remembers which files were restored under which name: a name may have each file's state but once. -1: it was, or it
 * cannot be remembered. forget: the domain did not start after all.
 */
int save_remember(const struct save_in *in, const char *name, struct problem *p);
void save_forget(const struct save_in *in, const char *name);

#endif
