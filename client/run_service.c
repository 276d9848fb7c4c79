/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "signals.h"

#define START_MS 5000
#define END_MS   5000
#define STEP_MS  10

off_t run_length(const char *file)
{
    struct stat st;

    return stat(file, &st) == 0 ? st.st_size : 0;
}

void run_tell(const char *file, off_t length)
{
    char bytes[4096];
    ssize_t n;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (lseek(fd, length, SEEK_SET) >= 0)
        while ((n = read(fd, bytes, sizeof bytes)) > 0 && write(STDERR_FILENO, bytes, (size_t)n) == n)
            continue;
    close(fd);
}

void run_become(char *const argv[], int keep_fd)
{
    if (keep_fd >= 0)
        fcntl(keep_fd, F_SETFD, 0);
    signals_reset();
    execv(argv[0], argv);
    message("%s: %s", argv[0], strerror(errno));
    _exit(EXIT_FAILED);
}

pid_t run_spawn(char *const argv[], const char *file, int keep_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int errors = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    pid_t pid = null >= 0 && errors >= 0 ? fork() : -1;
    int error = pid < 0 ? -errno : 0;

    if (pid == 0) {
        setsid(); /* a terminal that hangs up is not its business */
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(errors, STDERR_FILENO);
        run_become(argv, keep_fd);
    }
    if (null >= 0)
        close(null);
    if (errors >= 0)
        close(errors);
    return pid < 0 ? error : pid;
}

/* True: the service answers; where it is and where it logs is noted. */
static int look(struct run *r, const struct options *options, struct problem *p)
{
    struct conn c;
    json_t *ok = NULL;
    const char *dir;
    char *slash;
    int status = conn_try(&c, options, p);

    if (status != EXIT_DONE)
        return status;
    strcpy(r->socket, c.path);
    status = conn_ask(&c, json_pack("{s:s}", "op", "status"), &ok);
    dir = json_string_value(json_object_get(ok, "log_dir"));
    snprintf(r->log_dir, sizeof r->log_dir, "%s", dir != NULL ? dir : r->paths.log);
    json_decref(ok);
    conn_close(&c);
    slash = strrchr(r->socket, '/');
    if (status == EXIT_DONE &&
        snprintf(r->link, sizeof r->link, "%.*s/" PATHS_LINK, slash != NULL ? (int)(slash - r->socket) : 1,
                 slash != NULL ? r->socket : ".") >= (int)sizeof r->link) {
        problem_set(p, 0, "%s: this path is too long to have " PATHS_LINK " beside it", r->socket);
        return EXIT_FAILED;
    }
    return status;
}

/* Ours has left because somebody else's has the directory: two who run at once start two, and use the one that stays. */
static bool another_starts(const struct run *r)
{
    char path[PATH_MAX];
    bool locked;
    int fd;

    if (paths_format(path, "%s/" PATHS_LOCK, r->paths.state) != 0)
        return false;
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    locked = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}

/* The service that we started is to answer within START_MS. */
static int wait_for_service(struct run *r, const struct options *options, const char *file, off_t length)
{
    struct problem p;
    int waited = 0, state;
    bool another = false;

    while (look(r, options, &p) != EXIT_DONE) {
        if (r->service > 0 && waitpid(r->service, &state, WNOHANG) == r->service)
            r->service = 0;
        another = another || (r->service == 0 && another_starts(r));
        if (r->service == 0 && !another && look(r, options, &p) != EXIT_DONE) {
            run_tell(file, length);
            message("the console service could not start: vconsd --foreground shows why");
            return EXIT_NO_SERVICE;
        }
        if ((waited += STEP_MS) > START_MS) {
            run_tell(file, length);
            message("the console service does not answer within %d s: %s", START_MS / 1000, p.text);
            return EXIT_NO_SERVICE;
        }
        poll(NULL, 0, STEP_MS);
    }
    return EXIT_DONE;
}

static int start_service(struct run *r, const struct options *options)
{
    char program[PATH_MAX], file[PATH_MAX];
    char *argv[6] = {program, "--foreground"};
    int n = 2;
    struct problem p;
    off_t length;

    if (r->private) {
        argv[n++] = "--private";
    } else {
        argv[n++] = "--linger";
        argv[n++] = "30";
    }
    if (r->scope == PATHS_SYSTEM)
        argv[n++] = "--system";
    if (paths_program(program, "vconsd", &p) != 0 || paths_make(r->scope, &r->paths, &p) != 0) {
        message("%s", p.text);
        return EXIT_FAILED;
    }
    if (paths_format(file, "%s/vconsd.err", r->paths.state) != 0)
        return EXIT_FAILED;
    length = run_length(file);
    r->service = run_spawn(argv, file, -1);
    if (r->service < 0) {
        message("%s: %s", file, strerror(-r->service));
        r->service = 0;
        return EXIT_FAILED;
    }
    return wait_for_service(r, options, file, length);
}

int run_service(struct run *r)
{
    struct options options = *r->options;
    struct problem p;
    int status;

    /* Only root and the service's own user may add consoles to it, so that a user looks for the user's own. */
    if (options.scope == SCOPE_ANY && geteuid() != 0)
        options.scope = SCOPE_USER;
    r->scope = options.scope == SCOPE_SYSTEM ? PATHS_SYSTEM : PATHS_USER;
    if (r->private) {
        options.socket = NULL;
        options.scope = SCOPE_USER;
        r->scope = PATHS_USER;
    }
    if (paths_find(r->scope, &r->paths, &p) != 0) {
        message("%s", p.text);
        return EXIT_USAGE;
    }
    status = r->private ? EXIT_NO_SERVICE : look(r, &options, &p);
    if (status != EXIT_NO_SERVICE || options.socket != NULL) {
        if (status != EXIT_DONE)
            message("%s", p.text);
        return status;
    }
    if (options.scope == SCOPE_ANY)
        options.scope = SCOPE_USER; /* where ours will be */
    return start_service(r, &options);
}

int run_private_make(struct run *r)
{
    static const char *const names[][2] = {
        {"VCONS_RUNTIME_DIR", "run"}, {"VCONS_STATE_DIR", "state"}, {"VCONS_LOG_DIR", "log"}};
    char path[PATH_MAX];

    strcpy(r->private_dir, "/tmp/vcons-private-XXXXXX");
    if (mkdtemp(r->private_dir) == NULL) {
        message("%s: %s", r->private_dir, strerror(errno));
        r->private_dir[0] = '\0';
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (paths_format(path, "%s/%s", r->private_dir, names[i][1]) == 0)
            setenv(names[i][0], path, 1);
    }
    unsetenv("VCONS_SOCKET");
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    remove(path);
    return 0;
}

/* All but the logs. */
static void remove_around_logs(const struct run *r)
{
    static const char *const parts[] = {"run", "state"};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (paths_format(path, "%s/%s", r->private_dir, parts[i]) == 0)
            nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void run_private_end(struct run *r, bool keep_logs)
{
    int state, waited = 0;

    for (; r->service > 0 && waitpid(r->service, &state, WNOHANG) == 0 && waited < END_MS; waited += STEP_MS)
        poll(NULL, 0, STEP_MS);
    if (r->service > 0 && waited >= END_MS) {
        kill(r->service, SIGTERM);
        waitpid(r->service, &state, 0);
    }
    if (r->private_dir[0] == '\0')
        return;
    if (!keep_logs || rmdir(r->paths.log) == 0 || access(r->paths.log, F_OK) != 0) { /* rmdir: there are none */
        nftw(r->private_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        return;
    }
    remove_around_logs(r);
    message("the logs of this run are kept in %s", r->paths.log);
}
