/* SPDX-License-Identifier: MIT */
/*
 * process.h: the steps by which a program becomes a guest of the process engine, new or saved before.
 *
 * Spec:  wire/callpage.h.
 * Owner: start.c maps call page and RAM, moves the image and never returns; the rest runs in RAM.
 * Lock:  none: one thread, until process_let_threads_go; then the others run process_secondary, each once.
 * Trust: the hypervisor is trusted with this guest's life; what it says is checked where a mistake would be a wild write.
 */
#ifndef GUEST_PROCESS_H
#define GUEST_PROCESS_H
#include "platform.h"
#include <stdbool.h>

#define PROCESS_CALL_PAGE   (VC_CALL_RAM_BASE - 0x10000000u) /* where this guest sees the call pages of its vCPUs */
#define PROCESS_VCPUS       64u                              /* at most */
#define PROCESS_ADDRESS_END UINT64_C(0x7ffffffff000)         /* of user space with four levels of page tables */
#define PROCESS_EXIT        127                              /* status when it could not start */

/* The call page of a vCPU, and how many it has pages for: what the hypervisor says, at most what tiny can use. */
static inline struct vc_call_page *process_page(uint32_t vcpu)
{
    return (struct vc_call_page *)(uintptr_t)(PROCESS_CALL_PAGE + vcpu * (uint64_t)VC_CALL_PAGE_BYTES);
}
uint32_t process_vcpus(void);

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
/* threads.c: one for each vCPU but the first, asleep until they may go: to process_secondary, or to where each was. */
bool process_make_threads(uint32_t n_vcpus);
void process_let_threads_go(void);
/* main.c, in each of them. */
_Noreturn void process_secondary(uint32_t vcpu);
/* sandbox.c, for all threads: from now on futex, read and write of inherited descriptors, sigreturn and exit; false: refused. */
bool process_sandbox(void);
/* One line on standard error, and out. */
_Noreturn void process_fail(const char *why);

#endif
