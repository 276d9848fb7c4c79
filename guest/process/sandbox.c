/* SPDX-License-Identifier: MIT */
#include "process.h"
#include "sys.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stddef.h>

/* Standard input to call pages: no other descriptor is inherited, and none can be made. */
#define N_DESCRIPTORS (VC_CALL_FD_PAGES + 1)

#define LOAD(field)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define IF(value, skip)     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0)
#define RETURN(action)      BPF_STMT(BPF_RET | BPF_K, action)

bool process_sandbox(void)
{
    struct sock_filter filter[] = {
        LOAD(arch),
        UNLESS(AUDIT_ARCH_X86_64, 8),
        LOAD(nr), /* x32 calls have a bit of their own and equal none of these */
        IF(__NR_futex, 7),
        IF(__NR_exit_group, 6),
        IF(__NR_rt_sigreturn, 5),
        IF(__NR_read, 1),
        UNLESS(__NR_write, 2),
        LOAD(args[0]), /* the kernel takes 32 bits of a descriptor; this is the low word */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, N_DESCRIPTORS, 0, 1),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};

    return sys6(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0) == 0 &&
           sys3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, sys_address(&program)) == 0;
}
