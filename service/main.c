/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/file.h"
#include "host/message.h"
#include "host/sandbox.h"
#include "privileges.h"
#include "service.h"
#include "xenconsoled.h"

#define SYSTEM_CONFIG "/etc/vcons/vconsd.conf"
#define OWN_USER      "vcons" /* who serves a Xen's consoles, where there is one: packaging/systemd/sysusers.conf */
#define LOCK_PAUSE_MS 5u
#define LOCK_GRACE_MS 50u   /* a killed one may look alive for a moment */
#define LOCK_WAIT_MS  2000u /* its memory may be large */

static const char usage[] =
    "vconsd [--system | --user] [--config FILE] [--check] [--foreground] [--linger SECONDS | --private] [--xen]\n"
    "       [--log-level LEVEL] [--run-as USER] [--upgrade]\n"
    "\n"
    "The console service: takes consoles from hypervisors and sockets, stores every byte, serves any number of "
    "viewers.\n"
    "  --check       read the configuration, say what is wrong with it, and end\n"
    "  --foreground  stay in the foreground; without it the command returns when the service answers\n"
    "  --linger S    end S seconds after the last console and viewer went\n"
    "  --private     end as soon as they have\n"
    "  --upgrade     take the place of the service that runs, which hands over what it has\n"
    "  --run-as U    started by root: be that user from then on\n"
    "  --log-level L messages up to error, warning, notice (without it), info or debug\n"
    "  --xen         serve the consoles of all domains of the Xen whose dom0 this is\n"
    "  --xenconsoled the same with the options of xenconsoled: vconsd --xenconsoled --help\n"
    "See vconsd(8).\n";

struct options {
    enum paths_scope scope;
    const char *config, *run_as;
    bool check, foreground, xen, upgrade;
    enum message_level log_level;
    int64_t linger_s;
    struct xenconsoled compatible; /* with other options than these */
};

/* What is needed after set-up, beyond what every program of ours may do: host/sandbox.c. */
static const char *const syscalls[] = {
    /* loop, watches, kicks */
    "epoll_wait", "epoll_pwait", "epoll_ctl", "io_submit", "io_getevents", "io_destroy", "poll", "ppoll",
    "timerfd_create", "timerfd_settime",
    /* clients and hypervisors */
    "accept4", "recvfrom", "recvmsg", "sendto", "sendmsg", "getsockopt", "setsockopt", "socket", "bind", "listen",
    "connect", "shutdown", "fchmod", "fchmodat", "chmod", "fcntl", "flock", "fstatfs", "kill",
    /* logs, raw sockets */
    "openat", "mkdir", "mkdirat", "unlink", "unlinkat", "renameat", "renameat2", "symlinkat", "ftruncate", "fallocate",
    "sysinfo", /* glibc's qsort, for the names of more than a hundred segments */
    "pread64", "pwrite64", "pwritev", "utimensat", "statfs", "getdents64", "lstat", "stat", "statx", "fdatasync",
    "syncfs", "fsync", "readlinkat", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", /* who opens a pty */
    "getuid", "geteuid", "ioctl", "sched_getaffinity", "madvise", "membarrier", NULL};

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        {"system", 0, NULL, 's'},     {"user", 0, NULL, 'u'},   {"config", 1, NULL, 'c'},    {"check", 0, NULL, 'k'},
        {"foreground", 0, NULL, 'f'}, {"linger", 1, NULL, 'l'}, {"private", 0, NULL, 'p'},   {"help", 0, NULL, 'h'},
        {"version", 0, NULL, 'v'},    {"xen", 0, NULL, 'x'},    {"log-level", 1, NULL, 'L'}, {"run-as", 1, NULL, 'r'},
        {"upgrade", 0, NULL, 'U'},    {NULL, 0, NULL, 0}};
    char *end;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (c) {
        case 's': o->scope = PATHS_SYSTEM; break;
        case 'u': o->scope = PATHS_USER; break;
        case 'c': o->config = optarg; break;
        case 'k': o->check = true; break;
        case 'f': o->foreground = true; break;
        case 'p': o->linger_s = 0; break;
        case 'x': o->xen = true; break;
        case 'l':
            o->linger_s = strtol(optarg, &end, 10);
            if (*end == '\0' && end != optarg && o->linger_s >= 0 && o->linger_s <= 1000000)
                break;
            message("--linger %s: expected seconds, 0 to 1000000", optarg);
            return 2;
        case 'L':
            if (message_level_of(optarg, &o->log_level))
                break;
            message("--log-level %s: expected error, warning, notice, info or debug", optarg);
            return 2;
        case 'U': o->upgrade = true; break;
        case 'r': o->run_as = optarg; break;
        case 'h': fputs(usage, stdout); exit(0);
        case 'v': puts("vconsd " VCONSD_VERSION); exit(0);
        default: fputs(usage, stderr); return 2;
        }
    }
    if (optind == argc)
        return 0;
    message("%s: no argument is expected", argv[optind]);
    return 2;
}

/* As a unit or script for xenconsoled starts it. */
static int parse_compatible(int argc, char **argv, struct options *o)
{
    int error = xenconsoled_parse(&o->compatible, argc, argv);

    o->scope = PATHS_SYSTEM;
    o->foreground = o->compatible.interactive;
    o->run_as = o->compatible.run_as;
    o->xen = true;
    if (o->compatible.verbose)
        o->log_level = MESSAGE_INFO;
    return error;
}

static int load_config(struct service *s, const struct options *o, struct problem *p)
{
    const char *path = o->config;

    if (path == NULL && o->scope != PATHS_SYSTEM)
        return 0;
    s->config_path = path != NULL ? path : SYSTEM_CONFIG;
    if (path == NULL && access(SYSTEM_CONFIG, F_OK) != 0)
        return 0; /* it may come later: vcons reload */
    return service_config_load(&s->config, s->config_path, p);
}

/* Text of a small file, "" if there is none. */
static void read_text(int fd, char *text, size_t bytes)
{
    ssize_t n = fd >= 0 ? pread(fd, text, bytes - 1, 0) : 0;

    text[n > 0 ? n : 0] = '\0';
}

/* Gone, a zombie, or killed: what it holds will be free as soon as the last of its threads has ended. */
static bool is_dying(pid_t pid)
{
    char path[64], text[2048];
    const char *state, *killed;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return kill(pid, 0) != 0 && errno == ESRCH;
    read_text(fd, text, sizeof text);
    close(fd);
    state = strstr(text, "\nState:\t");
    killed = strstr(text, "\nSigPnd:\t");
    if (state != NULL && strchr("ZXx", state[8]) != NULL)
        return true;
    return killed != NULL && (strtoull(killed + 9, NULL, 16) & 1ull << (SIGKILL - 1)) != 0;
}

/* Right after a kill -9 the dead one's last thread may still hold the lock: that one is waited for, bounded. */
static bool try_lock(int fd, char pid[32])
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

    for (unsigned ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; ms += LOCK_PAUSE_MS) {
        read_text(fd, pid, 32);
        pid[strcspn(pid, "\n")] = '\0';
        if (ms >= LOCK_WAIT_MS || (ms >= LOCK_GRACE_MS && !is_dying((pid_t)strtol(pid, NULL, 10))))
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* One service on one directory: two would both consume the same lines. The lock goes with the process. */
static int lock_state(struct service *s, bool upgrade, struct problem *p)
{
    char path[PATH_MAX], pid[32] = "";
    ssize_t n;
    int error;

    if (paths_format(path, "%s/" PATHS_LOCK, s->paths.state) != 0)
        return problem_set(p, -ENAMETOOLONG, "%s: too long", s->paths.state);
    if (!upgrade)
        upgrade_restore(&s->upgrade, &s->manager);
    if (upgrade && (error = upgrade_ask(&s->upgrade, &s->manager, &s->paths, p)) != 0)
        return error;
    if (s->upgrade.starter_fd >= 0) {
        starter_discard(&s->starter); /* the other runs what we have taken over */
        s->starter.fd = s->upgrade.starter_fd;
        s->starter.next = s->upgrade.starter_next;
    }
    s->lock_fd = upgrade ? s->upgrade.lock_fd : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    if (!try_lock(s->lock_fd, pid)) /* one that was handed over is ours: the lock is the open file's */
        return problem_set(p, -EBUSY, "%s: a service runs here already, as pid %s", s->paths.state,
                           pid[0] != '\0' ? pid : "?");
    n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
        message("%s: %s", path, strerror(errno)); /* a full disk: the lock itself holds */
    return 0;
}

static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max; /* a console needs eight */
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        message("descriptor limit: %s", strerror(errno));
}

/* Into the background: the parent leaves when the child answers, with 0, or when it fails, with 1. Returns the pipe. */
static int detach(void)
{
    int ends[2];
    char ready;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    child = fork();
    if (child < 0)
        return -errno;
    if (child > 0) {
        close(ends[1]);
        _exit(read(ends[0], &ready, 1) == 1 ? 0 : 1);
    }
    close(ends[0]);
    setsid();
    return ends[1];
}

/* In the background: say that we answer, and let go of whoever started us. Messages go to a file from here on. */
static int leave_terminal(const struct service *s, int ready, struct problem *p)
{
    char path[PATH_MAX];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = -1;

    if (paths_format(path, "%s/vconsd.messages", s->paths.state) == 0)
        log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (null < 0 || log < 0)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    (void)!write(ready, "r", 1);
    close(ready);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    message_form(MESSAGE_DATED);
    close(null);
    close(log);
    return 0;
}

/* What is needed from here on, by us and by the module we loaded. */
static int confine(const struct service *s, struct problem *p)
{
    const char *const *more = plugged_syscalls(s);
    const char *all[128];
    size_t n = 0;

    for (size_t i = 0; syscalls[i] != NULL; i++)
        all[n++] = syscalls[i];
    while (*more != NULL && n < sizeof all / sizeof all[0] - 1)
        all[n++] = *more++;
    all[n] = NULL;
    return sandbox_enter(all, p);
}

/* Who is to be replaced holds it until the module has ended him. */
static int claim(const struct options *o, bool replaced, struct problem *p)
{
    int fd; /* stays open: the lock is ours as long as we live */

    if (!o->compatible.wanted || o->compatible.interactive || o->compatible.replace != replaced)
        return 0;
    return xenconsoled_claim(o->compatible.pid_file, &fd, p);
}

static int become(const struct options *o, struct problem *p)
{
    return o->run_as != NULL ? privileges_become(o->run_as, p) : 0;
}

/* The directories, and the lock on them, are the user's, whoever we still are. */
static int take_place(struct service *s, const struct options *o, struct problem *p)
{
    bool acting = s->config.xen && o->run_as != NULL;
    int error = acting ? privileges_act_as(o->run_as, p) : 0;

    if (error == 0)
        error = paths_make(o->scope, &s->paths, p);
    if (error == 0)
        error = lock_state(s, o->upgrade, p);
    if (error == 0 && acting)
        error = privileges_act_as(NULL, p);
    return error;
}

/* Xen's devices and XenStore are root's to open; what is done with them then takes no root. */
static int serve_xen(struct service *s, const struct options *o, struct problem *p)
{
    int error = plugged_open(s, PLUGGED_XEN, p);

    if (error == 0)
        error = claim(o, true, p);
    if (error == 0)
        error = become(o, p);
    if (error || s->starter.fd >= 0)
        return error;                    /* or there is one, of the service before us, and commands with it */
    return starter_fork(&s->starter, p); /* what it runs is the user's, too, who is known only now */
}

static int start(struct service *s, const struct options *o, int ready, struct problem *p)
{
    int error = paths_find(o->scope, &s->paths, p);

    if (error == 0 && o->run_as != NULL)
        error = privileges_give(o->run_as, &s->paths, s->config.text.directory, p);
    if (error == 0 && !s->config.xen)
        error = become(o, p);
    if (error == 0 && !s->config.xen)
        error = starter_fork(&s->starter, p); /* before there is anything that it should not have */
    if (error == 0)
        error = take_place(s, o, p);
    if (error == 0)
        error = claim(o, false, p);
    if (error)
        return error;
    raise_descriptors();
    s->replace = o->compatible.replace;
    if (s->config.xen)
        error = serve_xen(s, o, p);
    if (error == 0)
        error = privileges_drop(p);
    if (error == 0)
        error = privileges_files(&s->paths, &s->config, p);
    if (error)
        return error;
    access_own_find(&s->own);
    s->linger_s = o->linger_s;
    error = service_start(s, p);
    if (error == 0 && ready >= 0)
        error = leave_terminal(s, ready, p);
    if (error == 0)
        error = confine(s, p);
    if (error == 0 && (error = manager_ready(s)) != 0)
        problem_set(p, error, "event loop: %s", strerror(-error));
    if (error == 0)
        message_at(MESSAGE_INFO, "ready: %s, state in %s, logs in %s", s->paths.runtime, s->paths.state, s->paths.log);
    return error;
}

int main(int argc, char **argv)
{
    static struct service s = {.lock_fd = -1, .starter.fd = -1, .config_lock = PTHREAD_MUTEX_INITIALIZER};
    struct options o = {.scope = PATHS_USER, .linger_s = -1, .log_level = MESSAGE_NOTICE};
    struct problem p = {.text = ""};
    int ready = -1, error;

    file_standard();
    message_program("vconsd");
    tidier_init(&s.tidier);
    committer_init(&s.committer);
    if (message_to_journal())
        message_form(MESSAGE_JOURNAL);
    manager_open(&s.manager);
    error = xenconsoled_asked(argc, argv) ? parse_compatible(argc, argv, &o) : parse(argc, argv, &o);
    if (error)
        return error;
    message_limit(o.log_level);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of the size of files is a full disk */
    umask(0027);
    mallopt(M_ARENA_MAX, 1); /* no thread of ours allocates in a hurry; an arena for each only holds memory back */
    if (load_config(&s, &o, &p) != 0) {
        message_at(MESSAGE_ERROR, "%s", p.text);
        return 2;
    }
    s.config.xen = s.config.xen || o.xen;
    if (o.compatible.text.directory[0] != '\0')
        s.config.text = o.compatible.text;
    if (o.check)
        return 0;
    if (s.config.xen && o.run_as == NULL && o.scope == PATHS_SYSTEM && geteuid() == 0 && privileges_is_user(OWN_USER))
        o.run_as = OWN_USER;
    if (!o.foreground && (ready = detach()) < 0) {
        message_at(MESSAGE_ERROR, "cannot go into the background: %s", strerror(-ready));
        return 1;
    }
    if (start(&s, &o, ready, &p) != 0) {
        message_at(MESSAGE_ERROR, "%s", p.text);
        return 1;
    }
    service_run(&s);
    message_at(MESSAGE_INFO, "ended");
    manager_close(&s.manager);
    service_config_free(&s.config);
    return 0;
}
