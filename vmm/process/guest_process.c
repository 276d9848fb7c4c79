/* SPDX-License-Identifier: MIT */
#include "guest_process.h"
#include "../engine.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vcons/wire/callpage.h>

#define SPARE_ADDRESSES (UINT64_C(64) << 20) /* besides RAM: its image before it moves into RAM, stack, vdso */
#define PARKED_FD       16                   /* descriptors wait above here while 0..4 are filled */

struct filter {
    struct sock_fprog program;
    struct sock_filter code[128];
};

/* What the child needs, made before the fork: afterwards only async-signal-safe calls are allowed. */
struct plan {
    int program_fd, null_fd, ram_fd, pages_fd;
    char *argv[2];
    uint64_t address_bytes;
    struct filter filter;
};

static int allow_all(scmp_filter_ctx ctx)
{
    static const int calls[] = {SCMP_SYS(execveat), SCMP_SYS(mmap),  SCMP_SYS(mprotect),     SCMP_SYS(munmap),
                                SCMP_SYS(futex),    SCMP_SYS(read),  SCMP_SYS(write),        SCMP_SYS(prctl),
                                SCMP_SYS(seccomp),  SCMP_SYS(close), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit_group)};

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0) != 0)
            return -1;
    return 0;
}

/* libseccomp writes its program to a descriptor; a memfd takes it. */
static int make_filter(struct filter *f)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int fd = memfd_create("vcons-filter", MFD_CLOEXEC), result = -1;
    ssize_t n;

    if (ctx == NULL || fd < 0 || allow_all(ctx) != 0 || seccomp_export_bpf(ctx, fd) != 0)
        goto release;
    n = pread(fd, f->code, sizeof f->code, 0);
    if (n <= 0 || n == (ssize_t)sizeof f->code)
        goto release;
    f->program = (struct sock_fprog){.len = (unsigned short)((size_t)n / sizeof f->code[0]), .filter = f->code};
    result = 0;
release:
    if (fd >= 0)
        close(fd);
    if (ctx != NULL)
        seccomp_release(ctx);
    return result;
}

/* ---- In the child. ---- */

static int place_fds(struct plan *plan)
{
    const int from[] = {plan->null_fd, plan->null_fd, plan->null_fd, plan->ram_fd, plan->pages_fd};
    int parked[5];

    _Static_assert(VC_CALL_FD_RAM == 3 && VC_CALL_FD_PAGES == 4, "from[] is in their order");
    plan->program_fd = fcntl(plan->program_fd, F_DUPFD_CLOEXEC, PARKED_FD);
    for (int i = 0; i < 5; i++)
        parked[i] = fcntl(from[i], F_DUPFD_CLOEXEC, PARKED_FD);
    for (int i = 0; i < 5; i++)
        if (dup2(parked[i], i) < 0)
            return -1;
    return (int)syscall(SYS_close_range, 5, ~0U, 1 << 2 /* CLOSE_RANGE_CLOEXEC */);
}

static int bound(const struct plan *plan)
{
    const struct rlimit none = {0, 0}, addresses = {plan->address_bytes, plan->address_bytes};

    return setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_AS, &addresses) != 0 ? -1 : 0;
}

_Noreturn static void become_guest(struct plan *plan)
{
    static char *const no_environment[] = {NULL};
    sigset_t all;

    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (place_fds(plan) == 0 && domain_drop_privileges() == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && bound(plan) == 0 &&
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &plan->filter.program) == 0)
        syscall(SYS_execveat, plan->program_fd, "", plan->argv, no_environment, AT_EMPTY_PATH);
    _exit(127);
}

/* ---- In the VMM. ---- */

static int make_plan(struct plan *plan, const char *program, const char *name, struct vmm_error *error)
{
    plan->program_fd = open(program, O_RDONLY | O_CLOEXEC);
    if (plan->program_fd < 0)
        return vmm_fail(error, "%s: %s", program, strerror(errno));
    plan->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    plan->argv[0] = strdup(name);
    if (plan->null_fd < 0 || plan->argv[0] == NULL || make_filter(&plan->filter) != 0)
        return vmm_fail(error, "cannot prepare a guest's process: %s", strerror(errno));
    return 0;
}

static void drop_plan(struct plan *plan)
{
    if (plan->program_fd >= 0)
        close(plan->program_fd);
    if (plan->null_fd >= 0)
        close(plan->null_fd);
    free(plan->argv[0]);
}

int guest_process_start(struct guest_process *p, const char *program, const char *name, int ram_fd, int pages_fd,
                        uint64_t ram_bytes, struct vmm_error *error)
{
    struct plan plan = {.program_fd = -1,
                        .null_fd = -1,
                        .ram_fd = ram_fd,
                        .pages_fd = pages_fd,
                        .address_bytes = ram_bytes + SPARE_ADDRESSES};
    int result = make_plan(&plan, program, name, error);

    *p = (struct guest_process){.pid = -1, .pidfd = -1};
    if (result != 0)
        goto drop_plan;
    p->pid = fork();
    if (p->pid == 0)
        become_guest(&plan);
    if (p->pid > 0)
        p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pid < 0 || p->pidfd < 0) {
        result = vmm_fail(error, "cannot make a guest's process: %s", strerror(errno));
        if (p->pid > 0) {
            kill(p->pid, SIGKILL);
            waitpid(p->pid, NULL, 0);
        }
    }
drop_plan:
    drop_plan(&plan);
    return result;
}

void guest_process_kill(const struct guest_process *p)
{
    syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0); /* ESRCH: it is dead already */
}

int guest_process_wait(struct guest_process *p)
{
    siginfo_t info = {0};
    int result;

    do
        result = waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return -1; /* somebody else in this program took it */
    return info.si_code == CLD_EXITED ? info.si_status & 0xff : 128 + info.si_status;
}
