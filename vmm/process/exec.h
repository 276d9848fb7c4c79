/* SPDX-License-Identifier: MIT */
/*
 * exec.h: a process becomes a guest, with nothing but its RAM and its call pages.
 *
 * Spec:  wire/callpage.h, for the descriptors; execveat(2), seccomp(2).
 * Trust: the program is hostile once it runs. Before its first instruction it has no new privileges, no descriptor but
 *        five (three of them /dev/null), no environment, no core dumps, bounded address space, and a filter that lets
 *        it do no more than map, protect and unmap memory, wait on futexes, read and write those descriptors, filter
 *        itself further, and leave; and, where it has several vCPUs, make threads of itself, of which there may be as
 *        many as its user may have. `tiny` filters itself down to what callpage.h says before it does anything else.
 */
#ifndef VCONS_VMM_PROCESS_EXEC_H
#define VCONS_VMM_PROCESS_EXEC_H
#include "../config.h"

/* engine_ops.exec: fds are RAM and call pages. Returns only on failure, with errno. */
void process_exec(const struct domain_config *config, const int *fds, unsigned n_fds);

#endif
