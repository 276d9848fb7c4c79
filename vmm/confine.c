/* SPDX-License-Identifier: MIT */
/* What the VMM may still ask of the kernel once everything is set up. */
#include "host/sandbox.h"
#include "vmm.h"

/*
 * No exec, no bind, no listen: programs of guests are started by the launchers, which were forked before. Files are opened
 * when a domain is made anew: its kernel, its ramdisk, /dev/kvm.
 */
static const char *const calls[] = {
    /* the loop, timers, wakes between threads */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "poll", "ppoll", "eventfd2", "timerfd_settime", "pipe2",
    /* vCPU threads */
    "timer_create", "timer_settime", "timer_delete", /* a look at a vCPU that KVM keeps, once a second */
    "clone", "clone3", "set_tid_address", "prctl", "sched_getaffinity", "prlimit64", "get_mempolicy",
    /* guests' memory, lines */
    "memfd_create", "ftruncate", "fallocate", "fcntl", "dup3", "dup", "io_submit", "io_getevents", "io_destroy",
    "preadv2", "pread64", "pwrite64", "fsync",
    /* the link, the launchers */
    "socket", "socketpair", "connect", "sendmsg", "recvmsg", "sendto", "recvfrom", "getsockopt", "setsockopt",
    "shutdown", "inotify_add_watch", "inotify_rm_watch", "pidfd_send_signal", "wait4", "waitid",
    /* the terminal, KVM */
    "ioctl",
    /* a domain's kernel and ramdisk; the directory of programs, and its end */
    "openat", "open", "access", "faccessat", "faccessat2", "stat", "lstat", "statx", "readlink", "readlinkat", "getcwd",
    "getdents64", "fchdir", "mkdir", "mkdirat", "chown", "fchownat", "unlink", "unlinkat", "rmdir", "getuid", "geteuid",
    "getgid", "getegid", "uname", NULL};

int vmm_confine(struct problem *problem) { return sandbox_enter(calls, problem) == 0 ? 0 : -1; }
