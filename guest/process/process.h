/* SPDX-License-Identifier: MIT */
/*
 * process.h: the three steps by which a program becomes a guest of the process engine, new or saved before.
 *
 * Spec:  wire/callpage.h.
 * Owner: start.c maps call page and RAM, moves the image and never returns; the rest runs in RAM.
 * Lock:  none: one vCPU.
 * Trust: the hypervisor is trusted with this guest's life; what it says is checked where a mistake would be a wild write.
 */
#ifndef GUEST_PROCESS_H
#define GUEST_PROCESS_H
#include "platform.h"
#include <stdbool.h>

#define PROCESS_CALL_PAGE   (VC_CALL_RAM_BASE - 0x10000000u) /* where this guest sees the call page of its vCPU */
#define PROCESS_ADDRESS_END UINT64_C(0x7ffffffff000)         /* of user space with four levels of page tables */
#define PROCESS_EXIT        127                              /* status when it could not start */

/* start.c, entered by the kernel on the old stack, before relocation; moves to process_main, or to where a saved guest was. */
_Noreturn void process_start(void);
/* main.c, in RAM, on a stack in RAM. */
_Noreturn void process_main(void);
/* main.c, in the saved guest's RAM when it goes on: process_post waits here. */
struct process;
void process_wait(struct process *p) __attribute__((visibility("hidden")));
/* entry.S */
void process_post(struct process *p, struct vc_call_page *page) __attribute__((visibility("hidden")));
_Noreturn void process_go_on(uint64_t stack, uint64_t address) __attribute__((visibility("hidden")));
/* sandbox.c: from now on futex, read and write of inherited descriptors, sigreturn and exit; false: refused. */
bool process_sandbox(void);
/* One line on standard error, and out. */
_Noreturn void process_fail(const char *why);

#endif
