/* SPDX-License-Identifier: MIT */
/*
 * guest_process.h: the process that is a guest: made with nothing but its RAM and its call pages, watched until it dies.
 *
 * Spec:  wire/callpage.h, for the descriptors; execveat(2), pidfd_open(2).
 * Owner: the caller places struct guest_process. A started one must be waited for, exactly once.
 * Lock:  none. guest_process_kill may be called from any thread between start and the return of wait.
 * Trust: the program is hostile once it runs. Before its first instruction it has no new privileges, no descriptor but five
 *        (three of them /dev/null), no environment, no core dumps, bounded address space, and a filter that lets it do
 *        no more than map, protect and unmap memory, wait on futexes, read and write those descriptors, filter itself
 *        further, and leave. `tiny` filters itself down to what callpage.h says before it does anything else.
 */
#ifndef VCONS_VMM_PROCESS_GUEST_PROCESS_H
#define VCONS_VMM_PROCESS_GUEST_PROCESS_H
#include "../error.h"
#include <stdint.h>
#include <sys/types.h>

struct guest_process {
    pid_t pid;
    int pidfd;
};

/* ram_fd and pages_fd become VC_CALL_FD_RAM and VC_CALL_FD_PAGES. name is shown by ps. */
int guest_process_start(struct guest_process *p, const char *program, const char *name, int ram_fd, int pages_fd,
                        uint64_t ram_bytes, struct vmm_error *error);
void guest_process_kill(const struct guest_process *p);
/* Wait for its death. 0..255: its exit status; 128 + N: signal N; -1: nobody can tell any more. */
int guest_process_wait(struct guest_process *p);

#endif
