/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"

int paths_format(char out[PATH_MAX], const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(out, PATH_MAX, format, args);
    va_end(args);
    return n >= 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static const char *env(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *absolute(const char *name) /* XDG: a relative one is to be ignored */
{
    const char *value = env(name);

    return value != NULL && value[0] == '/' ? value : NULL;
}

static int user_state(char out[PATH_MAX], struct problem *p)
{
    const char *state = absolute("XDG_STATE_HOME"), *home = absolute("HOME");
    const struct passwd *user;

    if (state != NULL)
        return paths_format(out, "%s/vcons", state);
    if (home == NULL) {
        user = getpwuid(geteuid());
        home = user != NULL ? user->pw_dir : NULL;
    }
    if (home == NULL)
        return problem_set(p, -ENOENT, "no home directory for user %u: set VCONS_STATE_DIR", geteuid());
    return paths_format(out, "%s/.local/state/vcons", home);
}

static int find_user(struct paths *paths, struct problem *p)
{
    const char *runtime = absolute("XDG_RUNTIME_DIR"), *state = env("VCONS_STATE_DIR");
    int error = runtime != NULL ? paths_format(paths->runtime, "%s/vcons", runtime)
                                : paths_format(paths->runtime, "/tmp/vcons-%u", geteuid());

    if (error == 0 && !(state != NULL && env("VCONS_LOG_DIR") != NULL))
        error = user_state(paths->state, p);
    return error != 0 ? error : paths_format(paths->log, "%s/log", state != NULL ? state : paths->state);
}

static int find_system(struct paths *paths)
{
    strcpy(paths->runtime, "/run/vcons");
    strcpy(paths->state, "/var/lib/vcons");
    strcpy(paths->log, "/var/log/vcons");
    return 0;
}

static int override(char out[PATH_MAX], const char *variable)
{
    const char *value = env(variable);

    return value != NULL ? paths_format(out, "%s", value) : 0;
}

int paths_find(enum paths_scope scope, struct paths *paths, struct problem *p)
{
    int error;

    *paths = (struct paths){0};
    if (p != NULL)
        p->text[0] = '\0';
    error = scope == PATHS_SYSTEM ? find_system(paths) : find_user(paths, p);
    if (error == 0 && (error = override(paths->runtime, "VCONS_RUNTIME_DIR")) == 0 &&
        (error = override(paths->state, "VCONS_STATE_DIR")) == 0)
        error = override(paths->log, "VCONS_LOG_DIR");
    if (error == -ENAMETOOLONG)
        problem_set(p, error,
                    "a directory of vcons is longer than %d bytes: set VCONS_RUNTIME_DIR, VCONS_STATE_DIR "
                    "and VCONS_LOG_DIR to shorter ones",
                    PATH_MAX - 1);
    return error;
}

/* mkdir -p of everything above the last part, with the mode that a user's umask gives. */
static int make_parents(const char *path, struct problem *p)
{
    char part[PATH_MAX];

    if (paths_format(part, "%s", path) != 0)
        return problem_set(p, -ENAMETOOLONG, "%.200s…: path too long", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
            return problem_set(p, -errno, "%s: cannot make this directory: %s", part, strerror(errno));
        *slash = '/';
    }
    return 0;
}

static int check_directory(const char *path, struct problem *p)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    if (S_ISLNK(st.st_mode)) {
        /* A link of our own or root's making is a choice; anybody else's is a trap. */
        if (st.st_uid != geteuid() && st.st_uid != 0)
            return problem_set(p, -EPERM, "%s: a symbolic link of user %u: remove it", path, st.st_uid);
        if (stat(path, &st) != 0)
            return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode))
        return problem_set(p, -ENOTDIR, "%s: not a directory", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return problem_set(p, -EPERM, "%s: belongs to user %u, not to us: remove it or set VCONS_RUNTIME_DIR", path,
                           st.st_uid);
    if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
        return problem_set(p, -EPERM, "%s: everybody can write here: chmod o-w it", path);
    return 0;
}

static int make_one(const char *path, mode_t mode, struct problem *p)
{
    int error = make_parents(path, p);

    if (error != 0)
        return error;
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return problem_set(p, -errno, "%s: cannot make this directory: %s", path, strerror(errno));
    return check_directory(path, p);
}

int paths_make(enum paths_scope scope, const struct paths *paths, struct problem *p)
{
    int error = make_one(paths->runtime, scope == PATHS_SYSTEM ? 0755 : 0700, p);

    if (error == 0)
        error = make_one(paths->state, 0700, p);
    return error != 0 ? error : make_one(paths->log, 0750, p);
}

int paths_socket(char out[PATHS_SOCKET_BYTES], const char *directory, const char *name, struct problem *p)
{
    int n = snprintf(out, PATHS_SOCKET_BYTES, "%s/%s", directory, name);

    if (n >= 0 && (unsigned)n < PATHS_SOCKET_BYTES)
        return 0;
    out[0] = '\0';
    return problem_set(p, -ENAMETOOLONG,
                       "%s/%s: %d bytes, and a socket's path has at most %u: set VCONS_RUNTIME_DIR to a shorter one",
                       directory, name, n, PATHS_SOCKET_BYTES - 1);
}

static bool is_there(char out[PATH_MAX], const char *directory, const char *below, const char *name, int mode)
{
    struct stat st;

    return paths_format(out, "%s%s/%s", directory, below, name) == 0 && stat(out, &st) == 0 && S_ISREG(st.st_mode) &&
           access(out, mode) == 0;
}

static int find(char out[PATH_MAX], const char *name, int mode, struct problem *p)
{
    static const char *const rooms[] = {"", "/../service", "/../vmm", "/../client", "/../guest", "/../xen"};
    static const char *const installed[] = {HOST_LIBEXECDIR, HOST_SBINDIR, HOST_BINDIR};
    const char *asked = env("VCONS_LIBEXEC");
    char beside[PATH_MAX] = "";
    ssize_t n = readlink("/proc/self/exe", beside, sizeof beside - 1);
    char *slash;

    if (asked != NULL && is_there(out, asked, "", name, mode))
        return 0;
    beside[n > 0 ? n : 0] = '\0';
    slash = strrchr(beside, '/');
    if (slash != NULL) {
        *slash = '\0';
        for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
            if (is_there(out, beside, rooms[i], name, mode))
                return 0;
    }
    for (size_t i = 0; i < sizeof installed / sizeof installed[0]; i++)
        if (is_there(out, installed[i], "", name, mode))
            return 0;
    out[0] = '\0';
    return problem_set(p, -ENOENT, "program %s not found in %s%s%s or %s: install vcons or set VCONS_LIBEXEC", name,
                       asked != NULL ? asked : "", asked != NULL ? ", " : "", beside, HOST_LIBEXECDIR);
}

int paths_program(char out[PATH_MAX], const char *name, struct problem *p) { return find(out, name, X_OK, p); }

int paths_kernel(char out[PATH_MAX], const char *name, struct problem *p) { return find(out, name, R_OK, p); }
