/* SPDX-License-Identifier: MIT */
#include "exec.h"
#include "../boot.h"
#include "../engine.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vcons/wire/callpage.h>

#define SPARE_ADDRESSES (UINT64_C(64) << 20) /* besides RAM: its image before it moves into RAM, stack, vdso */
/* clone(2) of a thread, with what libraries may add: never a process, never a namespace. */
#define THREAD     ((uint64_t)(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD))
#define THREAD_MAY ((uint64_t)(CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID))
#define PARKED_FD  64 /* descriptors wait from here on while 0..4 are filled */

/* The program stays open as *program_fd, which execveat closes. */
static int place_fds(const int *fds, int *program_fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int from[] = {null_fd, null_fd, null_fd, fds[0], fds[1]};
    int parked[5];

    _Static_assert(VC_CALL_FD_RAM == 3 && VC_CALL_FD_PAGES == 4, "from[] is in their order");
    *program_fd = fcntl(*program_fd, F_DUPFD_CLOEXEC, PARKED_FD);
    for (int i = 0; i < 5; i++)
        parked[i] = fcntl(from[i], F_DUPFD_CLOEXEC, PARKED_FD);
    for (int i = 0; i < 5; i++)
        if (parked[i] < 0 || dup2(parked[i], i) < 0)
            return -1;
    return (int)syscall(SYS_close_range, 5, ~0U, 1 << 2 /* CLOSE_RANGE_CLOEXEC */);
}

static int bound(uint64_t ram_bytes)
{
    const struct rlimit none = {0, 0}, addresses = {ram_bytes + SPARE_ADDRESSES, ram_bytes + SPARE_ADDRESSES};

    return setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_AS, &addresses) != 0 ? -1 : 0;
}

/*
 * execveat stays possible, for it is how the guest begins; with the filter of `tiny` on top, not for a guest. Nothing else
 * opens anything, so a guest that is another program finds no path to execute but one that it can spell.
 */
static int filter(bool threads)
{
    static const int calls[] = {SCMP_SYS(execveat), SCMP_SYS(mmap),  SCMP_SYS(mprotect),   SCMP_SYS(munmap),
                                SCMP_SYS(futex),    SCMP_SYS(read),  SCMP_SYS(write),      SCMP_SYS(prctl),
                                SCMP_SYS(seccomp),  SCMP_SYS(close), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn)};
    const struct scmp_arg_cmp own = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = 0};
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int error = ctx == NULL ? -ENOMEM : 0;

    for (size_t i = 0; error == 0 && i < sizeof calls / sizeof calls[0]; i++)
        error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
    if (error == 0) /* its own limits, which bound() lowers: others of its user are other guests, or the VMM */
        error = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, &own);
    if (error == 0 && threads)
        error =
            seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, ~THREAD_MAY, THREAD));
    if (error == 0)
        error = seccomp_load(ctx);
    errno = -error;
    return error;
}

void process_exec(const struct domain_config *config, const int *fds, unsigned n_fds)
{
    char program[PATH_MAX], name[CONFIG_NAME_BYTES + 16], *const environment[] = {NULL};
    char *const argv[] = {name, NULL};
    struct problem problem;
    int program_fd;

    errno = EINVAL;
    if (n_fds != 2 || boot_kernel_path(config->kernel, "tiny-process", program, sizeof program, &problem) != 0)
        return;
    snprintf(name, sizeof name, "vcons-guest: %s", config->name);
    program_fd = open(program, O_RDONLY | O_CLOEXEC);
    if (program_fd < 0 || place_fds(fds, &program_fd) != 0 || domain_drop_privileges() != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user clears it */
    /* The bound last, for building a filter takes memory, a sanitizer's very much of it; prlimit64 can only lower it. */
    if (filter(config->vcpus > 1) == 0 && bound(config->memory_bytes) == 0)
        syscall(SYS_execveat, program_fd, "", argv, environment, AT_EMPTY_PATH);
}
