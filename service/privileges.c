/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"

/* Who we are. */

#define GIVE_DEPTH 4 /* consoles/DOMAIN/CONSOLE/FILE */

static int give_below(int fd, uid_t uid, gid_t gid, int depth);

/*
 * What a service of root's left there, and no file that stands elsewhere, too: whoever may write to the directory could have put it
 * there. Through a descriptor: nobody puts something else in its place.
 */
static int give_one(int directory, const char *name, uid_t uid, gid_t gid, int depth)
{
    struct stat st;
    int error = 0, fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return 0; /* a link, a socket: they are made anew */
    if (fstat(fd, &st) != 0)
        error = -errno;
    else if (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1)) {
        if (st.st_uid == 0 && fchown(fd, uid, st.st_gid == 0 ? gid : (gid_t)-1) != 0)
            error = -errno;
        if (error == 0 && S_ISDIR(st.st_mode) && depth > 0)
            error = give_below(fd, uid, gid, depth - 1);
    }
    close(fd);
    return error;
}

static int give_below(int fd, uid_t uid, gid_t gid, int depth)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = 0;
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *entry;

    if (dir == NULL) {
        error = -errno;
        if (again >= 0)
            close(again);
        return error;
    }
    while (error == 0 && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            error = give_one(fd, entry->d_name, uid, gid, depth);
    closedir(dir);
    return error;
}

/* Made here if it is not there: he may not be able to. */
static int give(const char *path, uid_t uid, gid_t gid)
{
    if (mkdir(path, 0750) != 0 && errno != EEXIST)
        return -errno;
    return access(path, F_OK) != 0 ? -errno : give_one(AT_FDCWD, path, uid, gid, GIVE_DEPTH);
}

bool privileges_is_user(const char *name) { return getpwnam(name) != NULL; }

static const struct passwd *find_user(const char *user, int *error, struct problem *p)
{
    const struct passwd *who = getpwnam(user);

    *error = 0;
    if (who == NULL)
        *error = problem_set(p, -EINVAL, "--run-as %s: there is no such user", user);
    else if (geteuid() != who->pw_uid && geteuid() != 0)
        *error = problem_set(p, -EPERM, "--run-as %s: only root becomes another user", user);
    return who;
}

int privileges_give(const char *user, const struct paths *paths, const char *text, struct problem *p)
{
    const char *const directories[] = {paths->runtime, paths->state, paths->log, text};
    int error;
    const struct passwd *who = find_user(user, &error, p);

    if (error || geteuid() == who->pw_uid)
        return error;
    for (size_t i = 0; i < sizeof directories / sizeof directories[0] && error == 0; i++)
        if (directories[i][0] != '\0' && (error = give(directories[i], who->pw_uid, who->pw_gid)) != 0)
            problem_set(p, error, "--run-as %s: %s: %s", user, directories[i], strerror(-error));
    return error;
}

int privileges_act_as(const char *user, struct problem *p)
{
    int error = 0;
    const struct passwd *who = user != NULL ? find_user(user, &error, p) : NULL;

    if (error)
        return error;
    if (user == NULL ? seteuid(0) != 0 || setegid(0) != 0 : setegid(who->pw_gid) != 0 || seteuid(who->pw_uid) != 0)
        return problem_set(p, -errno, "--run-as %s: %s", user != NULL ? user : "root", strerror(errno));
    return 0;
}

int privileges_become(const char *user, struct problem *p)
{
    int error;
    const struct passwd *who = find_user(user, &error, p);

    if (error || geteuid() == who->pw_uid)
        return error;
    if (initgroups(user, who->pw_gid) != 0 || setresgid(who->pw_gid, who->pw_gid, who->pw_gid) != 0 ||
        setresuid(who->pw_uid, who->pw_uid, who->pw_uid) != 0)
        return problem_set(p, -errno, "--run-as %s: %s", user, strerror(errno));
    return 0;
}

/* What we may. */

int privileges_drop(struct problem *p)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    uint32_t have, wanted = geteuid() == 0 ? 1u << CAP_DAC_OVERRIDE : 0;

    if (syscall(SYS_capget, &head, data) != 0)
        return problem_set(p, -errno, "capabilities: %s", strerror(errno));
    have = data[0].permitted;
    memset(data, 0, sizeof data);
    data[0].effective = data[0].permitted = have & wanted;
    if (syscall(SYS_capset, &head, data) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return problem_set(p, -errno, "cannot give up capabilities: %s", strerror(errno));
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return 0;
}

/* What we may write to. Numbers of the kernel's interface that Debian 12's headers may not have. */

enum { FS_REFER = 1 << 13, FS_TRUNCATE = 1 << 14 };
#define FS_FILE (LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define FS_ALL                                                                                                         \
    (FS_FILE | FS_REFER | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                             \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                     \
     LANDLOCK_ACCESS_FS_MAKE_SYM)
#define FS_LISTEN (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)

/* One directory and all below; one that is not there has nothing to write to. */
static int allow(int rules, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr below = {.allowed_access = access};
    int error = 0;

    below.parent_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (below.parent_fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) != 0)
        error = -errno;
    close(below.parent_fd);
    return error;
}

/* Where a console of the configuration listens: the socket is made in that directory, and an old one removed. */
static int allow_listening(int rules, const char *source)
{
    static const char kind[] = "unix-listen:";
    char directory[PATH_MAX];
    const char *path, *slash;

    if (source == NULL || strncmp(source, kind, sizeof kind - 1) != 0)
        return 0;
    path = source + sizeof kind - 1;
    slash = strrchr(path, '/');
    if (slash == NULL || paths_format(directory, "%.*s/", (int)(slash - path), path) != 0)
        return 0;
    return allow(rules, directory, FS_LISTEN);
}

/* Where serial ports are locked against other programs. Whatever a source is named at run time, it may be one. */
static int allow_locks(int rules)
{
    return allow(rules, "/var/lock",
                 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE);
}

static int allow_all(int rules, const struct paths *paths, const struct service_config *config, uint64_t handled)
{
    const char *const directories[] = {paths->runtime, paths->state, paths->log, config->text.directory};
    int error = allow(rules, "/dev", handled & FS_FILE);

    if (config->text.directory[0] != '\0')
        (void)mkdir(config->text.directory, 0750); /* as copy.c would, and then may not */
    for (size_t i = 0; i < sizeof directories / sizeof directories[0] && error == 0; i++)
        if (directories[i][0] != '\0')
            error = allow(rules, directories[i], handled);
    for (uint32_t i = 0; i < config->n_exact && error == 0; i++)
        error = allow_listening(rules, config->exact[i].settings.source);
    return error ? error : allow_locks(rules);
}

int privileges_files(const struct paths *paths, const struct service_config *config, struct problem *p)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr attr = {.handled_access_fs = version < 3 ? FS_ALL & ~(uint64_t)FS_TRUNCATE : FS_ALL};
    const char *mode = getenv("VCONS_SANDBOX");
    int rules, error;

    if (version < 2 || (mode != NULL && strcmp(mode, "log") == 0))
        return 0; /* the first version lets nobody rename between directories, as a domain's new name does */
    rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr.handled_access_fs, 0);
    if (rules < 0)
        return problem_set(p, -errno, "landlock: %s", strerror(errno));
    error = allow_all(rules, paths, config, attr.handled_access_fs);
    if (error == 0 &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_landlock_restrict_self, rules, 0) != 0))
        error = -errno;
    close(rules);
    return error ? problem_set(p, error, "landlock: %s", strerror(-error)) : 0;
}
