/* SPDX-License-Identifier: MIT */
/* A thread for each further vCPU, made while the process still may: the sandbox allows none (callpage.h). */
#include "process.h"
#include "sys.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <vcons/atomic.h>

#define STACK_BYTES  16384u
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

long process_clone(unsigned long flags, void *stack_end, uint32_t vcpu) __attribute__((visibility("hidden")));
_Noreturn void process_thread(uint32_t vcpu) __attribute__((visibility("hidden")));

static uint8_t stacks[PROCESS_VCPUS - 1][STACK_BYTES] __attribute__((aligned(16)));
static uint32_t may_go;

_Noreturn void process_thread(uint32_t vcpu)
{
    while (vc_load_acquire(&may_go) == 0) /* pairs with process_let_threads_go: by then the filter holds for all */
        sys6(__NR_futex, sys_address(&may_go), FUTEX_WAIT, 0, 0, 0, 0);
    if (process_page(vcpu)->restored != 0)
        process_go_on(process_page(vcpu)->stack, process_page(vcpu)->go_on);
    process_secondary(vcpu);
}

bool process_make_threads(uint32_t n_vcpus)
{
    for (uint32_t i = 1; i < n_vcpus; i++)
        if (process_clone(THREAD_FLAGS, stacks[i - 1] + STACK_BYTES, i) < 0)
            return false;
    return true;
}

void process_let_threads_go(void)
{
    vc_store_release(&may_go, 1);
    sys6(__NR_futex, sys_address(&may_go), FUTEX_WAKE, INT32_MAX, 0, 0, 0);
}
