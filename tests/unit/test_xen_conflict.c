/* SPDX-License-Identifier: MIT */
/* A daemon that serves consoles already: who counts as one, and its end between two things that it does. The daemon is a copy of this
 * program under that name, which takes something in hand, then waits in poll(2), for ever. */
#include "unit.h"

#include "../../xen/conflict.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 8

struct daemon_log {     /* shared with it */
    uint32_t took, put; /* atomic */
};

static char directory[64];
static struct daemon_log *shared;

static uint32_t load(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The daemon: argv is NAME, "idle", "stubborn" or "busy", and where struct daemon_log is. */
static _Noreturn void be_daemon(char **argv)
{
    int fd = open(argv[2], O_RDWR);
    struct daemon_log *log = mmap(NULL, sizeof *log, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(argv[1], "stubborn") == 0)
        signal(SIGTERM, SIG_IGN);
    for (;;) {
        uint64_t until = now_ns() + 3000000;

        __atomic_fetch_add(&log->took, 1, __ATOMIC_SEQ_CST);
        while (now_ns() < until) {
        }
        __atomic_fetch_add(&log->put, 1, __ATOMIC_SEQ_CST);
        if (strcmp(argv[1], "busy") != 0)
            poll(NULL, 0, 1);
    }
}

static void copy_self(const char *to)
{
    char bytes[65536];
    int from_fd = open("/proc/self/exe", O_RDONLY), to_fd = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
    ssize_t n;

    assert_true(from_fd >= 0 && to_fd >= 0);
    while ((n = read(from_fd, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(to_fd, bytes, (size_t)n), n);
    close(from_fd);
    close(to_fd);
}

static void in_directory(char path[PATH_MAX], const char *name) { snprintf(path, PATH_MAX, "%s/%s", directory, name); }

static int make_directory(void **state)
{
    char path[PATH_MAX];
    int fd;

    (void)state;
    strcpy(directory, "/tmp/vcons-conflict-XXXXXX");
    assert_non_null(mkdtemp(directory));
    in_directory(path, "xenconsoled");
    copy_self(path);
    in_directory(path, "log");
    fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, sizeof *shared), 0);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return shared == MAP_FAILED;
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"xenconsoled", "xenconsoled.other", "same", "log"};
    char path[PATH_MAX];

    (void)state;
    munmap(shared, sizeof *shared);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        in_directory(path, names[i]);
        unlink(path);
    }
    return rmdir(directory);
}

/* A daemon of that file, which has begun. */
static pid_t start(const char *name, const char *how)
{
    char path[PATH_MAX], log[PATH_MAX];
    uint32_t before = load(&shared->put);
    pid_t pid = fork();

    in_directory(path, name);
    in_directory(log, "log");
    if (pid == 0) {
        execl(path, path, how, log, (char *)NULL);
        _exit(127);
    }
    while (load(&shared->put) == before)
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    return pid;
}

static const char *text_of(pid_t pid)
{
    static char text[16];

    snprintf(text, sizeof text, "%d", (int)pid);
    return text;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void who_counts(void **state)
{
    char path[PATH_MAX], other[PATH_MAX];
    pid_t pid = start("xenconsoled", "idle");
    struct problem p;
    siginfo_t info;

    (void)state;
    assert_true(conflict_is(text_of(pid)));
    assert_true(conflict_find(&p) > 0);
    assert_false(conflict_is(text_of(getpid())));
    assert_false(conflict_is("0"));
    assert_false(conflict_is("4194305")); /* above any pid */
    kill(pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_false(conflict_is(text_of(pid))); /* not yet buried, and serving nothing */
    waitpid(pid, NULL, 0);

    /* Put away under another name, it is what it was. */
    in_directory(path, "xenconsoled");
    in_directory(other, "xenconsoled.other");
    assert_int_equal(link(path, other), 0);
    pid = start("xenconsoled.other", "idle");
    assert_true(conflict_is(text_of(pid)));
    assert_int_equal(unlink(other), 0); /* and so it is when its file is replaced by an upgrade */
    assert_true(conflict_is(text_of(pid)));
    end(pid);
}

/* Our own program, by that name, is ourselves: the process that started us waits for us to answer. */
static void ourselves(void **state)
{
    char path[PATH_MAX], exe[PATH_MAX] = "";
    pid_t pid;

    (void)state;
    assert_true(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    in_directory(path, "same");
    assert_int_equal(symlink(exe, path), 0);
    pid = start("same", "idle");
    assert_int_equal(prctl(PR_SET_NAME, "xenconsoled"), 0);
    assert_false(conflict_is(text_of(getpid())));
    assert_int_equal(prctl(PR_SET_NAME, "test"), 0);
    assert_false(conflict_is(text_of(pid)));
    end(pid);
}

static void ended_between(void **state)
{
    struct problem p;
    bool exact;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid;
        int status;

        *shared = (struct daemon_log){0};
        pid = start("xenconsoled", "idle");
        while (load(&shared->took) == load(&shared->put)) { /* it has something in hand now */
        }
        assert_int_equal(conflict_end(pid, CONFLICT_PATIENCE_MS, &exact, &p), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        assert_true(exact);
        assert_int_equal(load(&shared->took), load(&shared->put));
    }
}

static void never_idle(void **state)
{
    struct problem p;
    pid_t pid = start("xenconsoled", "busy");
    bool exact;
    int status;

    (void)state;
    assert_int_equal(conflict_end(pid, CONFLICT_PATIENCE_MS, &exact, &p), 0);
    assert_false(exact);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

static void left_alone(void **state)
{
    struct problem p;
    pid_t pid = start("xenconsoled", "stubborn"), other = start("xenconsoled", "idle");
    uint32_t put;
    bool exact;

    (void)state;
    end(other);
    assert_int_equal(conflict_end(pid, 20, &exact, &p), -ETIMEDOUT);
    assert_non_null(strstr(p.text, text_of(pid)));
    assert_true(conflict_is(text_of(pid)));
    put = load(&shared->put);
    while (load(&shared->put) == put) /* not stopped either */
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    end(pid);
    assert_int_equal(conflict_end(pid, 20, &exact, &p), 0); /* it is gone: nothing is to be done */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_counts), cmocka_unit_test(ourselves),
                                       cmocka_unit_test(ended_between), cmocka_unit_test(never_idle),
                                       cmocka_unit_test(left_alone)};

    if (argc == 3)
        be_daemon(argv);
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
