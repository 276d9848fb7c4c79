/* SPDX-License-Identifier: MIT */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/name.h"
#include "host/paths.h"
#include "host/sandbox.h"
#include "host/sock.h"

static char directory[] = "/tmp/vcons-host-XXXXXX";

static void names(void **state)
{
    static const struct {
        const char *text, *domain, *console; /* domain NULL: refused */
    } rows[] = {
        {"web", "web", ""},
        {"web/hvc0", "web", "hvc0"},
        {"1/A.b_c-d", "1", "A.b_c-d"},
        {"12345678901234567890123456789012", "12345678901234567890123456789012", ""},
        {"123456789012345678901234567890123", NULL, NULL},
        {"", NULL, NULL},
        {"/", NULL, NULL},
        {"/hvc0", NULL, NULL},
        {"web/", NULL, NULL},
        {"web/hvc0/", NULL, NULL},
        {"web/a/b", NULL, NULL},
        {"..", NULL, NULL},
        {"../etc", NULL, NULL},
        {"web/..", NULL, NULL},
        {".hidden", NULL, NULL},
        {"-n", NULL, NULL},
        {"we b", NULL, NULL},
        {"web\n", NULL, NULL},
        {"web\x1b[31m", NULL, NULL},
        {"w\xc3\xa9"
         "b",
         NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct name name;
        struct problem p = {""};
        int error = name_split(rows[i].text, &name, &p);

        if (error != (rows[i].domain != NULL ? 0 : -EINVAL))
            fail_msg("'%s': %d", rows[i].text, error);
        assert_string_equal(name.domain, rows[i].domain != NULL ? rows[i].domain : "");
        assert_string_equal(name.console, rows[i].console != NULL ? rows[i].console : "");
        for (const char *c = p.text; *c != '\0'; c++)
            if (*c == '\x1b' || *c == '\n')
                fail_msg("'%s': its message has a control character", rows[i].text);
    }
}

static void domids(void **state)
{
    uint32_t id = 7;

    (void)state;
    assert_true(name_domid("0", &id) && id == 0);
    assert_true(name_domid("4294967295", &id) && id == UINT32_MAX);
    assert_false(name_domid("4294967296", &id));
    assert_false(name_domid("99999999999", &id));
    assert_false(name_domid("", &id));
    assert_false(name_domid("01", &id));
    assert_false(name_domid("-1", &id));
    assert_false(name_domid("1x", &id));
}

static void clear(void)
{
    static const char *const all[] = {"VCONS_RUNTIME_DIR", "VCONS_STATE_DIR", "VCONS_LOG_DIR", "XDG_RUNTIME_DIR",
                                      "XDG_STATE_HOME"};

    for (size_t i = 0; i < N_ROWS(all); i++)
        unsetenv(all[i]);
    setenv("HOME", "/home/me", 1);
}

static void where_things_are(void **state)
{
    struct paths paths;
    struct problem p;
    char expect[64], longest[PATH_MAX + 8];

    (void)state;
    clear();
    assert_int_equal(paths_find(PATHS_SYSTEM, &paths, &p), 0);
    assert_string_equal(paths.runtime, "/run/vcons");
    assert_string_equal(paths.log, "/var/log/vcons");
    assert_int_equal(paths_find(PATHS_USER, &paths, &p), 0);
    snprintf(expect, sizeof expect, "/tmp/vcons-%u", geteuid());
    assert_string_equal(paths.runtime, expect);
    assert_string_equal(paths.state, "/home/me/.local/state/vcons");
    assert_string_equal(paths.log, "/home/me/.local/state/vcons/log");
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    setenv("XDG_STATE_HOME", "not/absolute", 1); /* to be ignored, says the XDG specification */
    assert_int_equal(paths_find(PATHS_USER, &paths, &p), 0);
    assert_string_equal(paths.runtime, "/run/user/7/vcons");
    assert_string_equal(paths.state, "/home/me/.local/state/vcons");
    setenv("VCONS_RUNTIME_DIR", "/a", 1);
    setenv("VCONS_STATE_DIR", "/b", 1);
    assert_int_equal(paths_find(PATHS_USER, &paths, &p), 0);
    assert_string_equal(paths.runtime, "/a");
    assert_string_equal(paths.log, "/b/log");
    setenv("VCONS_LOG_DIR", "/c", 1);
    assert_int_equal(paths_find(PATHS_SYSTEM, &paths, &p), 0);
    assert_string_equal(paths.state, "/b");
    assert_string_equal(paths.log, "/c");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    setenv("VCONS_LOG_DIR", longest, 1);
    assert_int_equal(paths_find(PATHS_USER, &paths, &p), -ENAMETOOLONG);
    clear();
}

static void a_socket_path_has_a_limit(void **state)
{
    char out[PATHS_SOCKET_BYTES], dir[PATHS_SOCKET_BYTES];
    struct problem p;

    (void)state;
    memset(dir, 'd', sizeof dir);
    dir[107 - 13] = '\0'; /* with "/control.sock" 107 bytes */
    assert_int_equal(paths_socket(out, dir, PATHS_CONTROL, &p), 0);
    assert_int_equal(strlen(out), 107);
    strcat(dir, "d");
    assert_int_equal(paths_socket(out, dir, PATHS_CONTROL, &p), -ENAMETOOLONG);
    assert_non_null(strstr(p.text, "108 bytes, and a socket's path has at most 107"));
    assert_int_equal(sock_listen("", SOCK_STREAM, 0600, &p), -EINVAL);
}

static void directories_are_made_and_checked(void **state)
{
    struct paths paths = {"", "", ""};
    struct problem p;
    struct stat st;

    (void)state;
    paths_format(paths.runtime, "%s/r", directory);
    paths_format(paths.state, "%s/deep/er/s", directory);
    paths_format(paths.log, "%s/l", directory);
    assert_int_equal(paths_make(PATHS_USER, &paths, &p), 0);
    assert_int_equal(paths_make(PATHS_USER, &paths, &p), 0); /* once more: they are there */
    assert_int_equal(stat(paths.runtime, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(paths.log, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0750);
    chmod(paths.runtime, 0777);
    assert_int_equal(paths_make(PATHS_USER, &paths, &p), -EPERM);
    rmdir(paths.runtime);
    assert_int_equal(close(open(paths.runtime, O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(paths_make(PATHS_USER, &paths, &p), -ENOTDIR);
    assert_non_null(strstr(p.text, paths.runtime));
    unlink(paths.runtime);
}

static void sockets_carry_descriptors(void **state)
{
    char path[128], bytes[8];
    struct problem p;
    int listener, client, server, pipes[2], fds[2];
    unsigned n;
    struct ucred peer;
    struct stat st;

    (void)state;
    snprintf(path, sizeof path, "%s/s.sock", directory);
    listener = sock_listen(path, SOCK_SEQPACKET, 0600, &p);
    assert_true(listener >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(sock_listen(path, SOCK_SEQPACKET, 0600, &p), -EADDRINUSE);
    close(accept4(listener, NULL, NULL, SOCK_CLOEXEC)); /* that one looked whether somebody listens */
    client = sock_connect(path, SOCK_SEQPACKET, &p);
    server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(client >= 0 && server >= 0);
    assert_int_equal(sock_peer(server, &peer), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(sock_send_fds(client, "abc", 3, pipes, 2), 3);
    assert_int_equal(sock_recv_fds(server, bytes, sizeof bytes, fds, 2, &n), 3);
    assert_int_equal(n, 2);
    assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(sock_send_fds(client, "abc", 3, pipes, 2), 3); /* one more than is wanted */
    assert_int_equal(sock_recv_fds(server, bytes, sizeof bytes, fds, 1, &n), -EMSGSIZE);
    assert_int_equal(n, 0);
    assert_int_equal(sock_send_fds(client, "123456789", 9, NULL, 0), 9);
    assert_int_equal(sock_recv_fds(server, bytes, sizeof bytes, fds, 1, &n), -EMSGSIZE);
    close(client);
    assert_int_equal(sock_recv_fds(server, bytes, sizeof bytes, fds, 1, &n), 0);
    close(server);
    close(listener);
    assert_int_equal(sock_connect(path, SOCK_SEQPACKET, &p), -ECONNREFUSED);
    listener = sock_listen(path, SOCK_SEQPACKET, 0600, &p); /* a dead program's socket is replaced */
    assert_true(listener >= 0);
    close(listener);
    unlink(path);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(sock_listen(path, SOCK_SEQPACKET, 0600, &p), -EADDRINUSE); /* a file stays */
    assert_int_equal(unlink(path), 0);
    close(pipes[0]);
    close(pipes[1]);
}

/* A child enters the sandbox and waits on a pipe; then it does what the letter there says. Its status. */
static int sandboxed(char letter, bool *locked)
{
    static const char *const allowed[] = {"getuid", "geteuid", "no_such_call", NULL};
    char status_path[64], line[256];
    int status, to[2], from[2];
    FILE *file;
    pid_t pid;

    assert_int_equal(pipe(to) | pipe(from), 0);
    pid = fork();
    if (pid == 0) {
        char c = sandbox_enter(allowed, NULL) == 0 ? 'y' : 'n';

        c = write(from[1], &c, 1) == 1 && read(to[0], &c, 1) == 1 ? c : '?';
        _exit(c == 'u' && getuid() == geteuid() ? 0 : socket(AF_INET, SOCK_STREAM, 0));
    }
    assert_int_equal(read(from[0], line, 1), 1);
    assert_int_equal(line[0], 'y');
    snprintf(status_path, sizeof status_path, "/proc/%d/status", pid);
    file = fopen(status_path, "r");
    *locked = false;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        *locked |= strcmp(line, "NoNewPrivs:\t1\n") == 0;
    fclose(file);
    assert_int_equal(write(to[1], &letter, 1), 1);
    waitpid(pid, &status, 0);
    for (int i = 0; i < 2; i++) {
        close(to[i]);
        close(from[i]);
    }
    return status;
}

static void a_sandbox_kills_what_it_does_not_know(void **state)
{
    bool locked;
    int status;

    (void)state;
    status = sandboxed('s', &locked);
    assert_true(locked);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
    status = sandboxed('u', &locked);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void programs_are_found(void **state)
{
    char out[PATH_MAX], path[PATH_MAX];
    struct problem p;

    (void)state;
    setenv("VCONS_LIBEXEC", directory, 1);
    assert_int_equal(paths_program(out, "no-such-program", &p), -ENOENT);
    assert_non_null(strstr(p.text, directory));
    paths_format(path, "%s/it", directory);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0700)), 0);
    assert_int_equal(paths_program(out, "it", &p), 0);
    assert_string_equal(out, path);
    unlink(path);
    unsetenv("VCONS_LIBEXEC");
}

static void messages_are_clean(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {{"a\x1b[31mb\n", "a?[31mb?"},
                {"\xc2\x9b", "??"},
                {"\x9b", "?"},
                {"\xe2\x80\xa6 \xc3\xa9", "\xe2\x80\xa6 \xc3\xa9"},
                {"\x7f\t", "??"}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct problem p;

        assert_int_equal(problem_set(&p, -5, "%s", rows[i].in), -5);
        assert_string_equal(p.text, rows[i].out);
    }
}

static int set_up(void **state)
{
    (void)state;
    umask(022);
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    char part[PATH_MAX];
    static const char *const all[] = {"deep/er/s", "deep/er", "deep", "r", "l", ""};

    (void)state;
    for (size_t i = 0; i < N_ROWS(all); i++)
        if (paths_format(part, "%s/%s", directory, all[i]) == 0)
            rmdir(part);
    return access(directory, F_OK) == 0 ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(domids),
        cmocka_unit_test(where_things_are),
        cmocka_unit_test(a_socket_path_has_a_limit),
        cmocka_unit_test(directories_are_made_and_checked),
        cmocka_unit_test(sockets_carry_descriptors),
        cmocka_unit_test(a_sandbox_kills_what_it_does_not_know),
        cmocka_unit_test(programs_are_found),
        cmocka_unit_test(messages_are_clean),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
