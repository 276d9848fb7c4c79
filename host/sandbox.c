/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "sandbox.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

static const char *const base[] = {"read",
                                   "write",
                                   "readv",
                                   "writev",
                                   "close",
                                   "lseek",
                                   "fstat",
                                   "newfstatat",
                                   "mmap",
                                   "munmap",
                                   "mprotect",
                                   "mremap",
                                   "madvise",
                                   "brk",
                                   "futex",
                                   "futex_wait",
                                   "sched_yield",
                                   "rseq",
                                   "clock_gettime",
                                   "clock_nanosleep",
                                   "nanosleep",
                                   "gettimeofday",
                                   "restart_syscall",
                                   "rt_sigreturn",
                                   "rt_sigprocmask",
                                   "rt_sigaction",
                                   "sigaltstack",
                                   "getpid",
                                   "gettid",
                                   "tgkill", /* abort and assert name the thread */
                                   "set_robust_list",
                                   "getrandom", /* glibc's malloc, for the keys of its caches */
                                   "exit",
                                   "exit_group",
                                   NULL};

#ifdef SANITIZED
/* The leak checker stops the other threads with ptrace from a clone of its own, and reads /proc/self. */
static const char *const sanitizer[] = {
    "clone",       "clone3",     "ptrace",    "wait4",   "kill",
    "prctl",       "arch_prctl", "openat",    "open",    "readlink",
    "readlinkat",  "getdents64", "getdents", /* of GCC 12; killed for it, the checker would wait for ever */
    "prlimit64",   "getrlimit",  "setrlimit", "getppid", "sched_getaffinity",
    "dup",         "dup2",       "pipe",      "pipe2",   "process_vm_readv",
    "sysinfo",     "uname",      "getuid",    "geteuid", "getcwd",
    "stat",        "access",     "unlink",    "fcntl",   "ioctl",
    "personality", NULL};
#else
static const char *const sanitizer[] = {NULL};
#endif

static int allow(scmp_filter_ctx ctx, const char *const *names)
{
    for (; *names != NULL; names++) {
        int number = seccomp_syscall_resolve_name(*names);
        int error;

        if (number == __NR_SCMP_ERROR)
            continue; /* of another architecture, or newer than this libseccomp */
        error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
        if (error != 0 && error != -EEXIST)
            return error;
    }
    return 0;
}

int sandbox_enter(const char *const *syscalls, struct problem *p)
{
    const char *mode = getenv("VCONS_SANDBOX");
    bool log = mode != NULL && strcmp(mode, "log") == 0;
    scmp_filter_ctx ctx;
    int error;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return problem_set(p, -errno, "cannot give up new privileges: %s", strerror(errno));
    ctx = seccomp_init(log ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    if (ctx == NULL)
        return problem_set(p, -ENOMEM, "cannot make a system call filter: out of memory");
    error = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (error == 0 && (error = allow(ctx, base)) == 0 && (error = allow(ctx, sanitizer)) == 0 &&
        (error = allow(ctx, syscalls)) == 0)
        error = seccomp_load(ctx);
    seccomp_release(ctx);
    if (error != 0)
        return problem_set(p, error, "cannot load the system call filter: %s (does this kernel have seccomp?)",
                           strerror(-error));
    return 0;
}
