/* SPDX-License-Identifier: MIT */
/*
 * paths.h: where the service, its sockets, its state and its logs live, and where our programs are.
 *
 * Spec:  docs/vconsd.8 (FILES). VCONS_RUNTIME_DIR, VCONS_STATE_DIR and VCONS_LOG_DIR override all; else system-wide
 *        /run/vcons, /var/lib/vcons, /var/log/vcons; else of the user $XDG_RUNTIME_DIR/vcons (unset: /tmp/vcons-UID),
 *        $XDG_STATE_HOME/vcons (unset: ~/.local/state/vcons) and log/ in it.
 * Owner: the caller places struct paths. It is about 12 KiB.
 * Lock:  none; reads the environment.
 * Trust: the environment is the user's own. A directory below /tmp may be anybody's: paths_make checks its owner.
 */
#ifndef HOST_PATHS_H
#define HOST_PATHS_H
#include <limits.h>
#include <stdbool.h>

#include "message.h"

#define PATHS_SOCKET_BYTES 108u /* sun_path with its NUL: Linux takes no longer one */
#define PATHS_CONTROL      "control.sock"
#define PATHS_LINK         "link.sock"
#define PATHS_LOCK         "vconsd.lock" /* in the state directory */

enum paths_scope {
    PATHS_USER,   /* this user's own */
    PATHS_SYSTEM, /* the machine's */
};

struct paths {
    char runtime[PATH_MAX]; /* sockets: control.sock, link.sock, consoles/DOMAIN/CONSOLE.sock */
    char state[PATH_MAX];   /* the exclusive lock, owners of names */
    char log[PATH_MAX];     /* DOMAIN/CONSOLE/ */
};

/* Where things are; touches nothing. -ENAMETOOLONG, -ENOENT (no home): *p says which and what to set. */
int paths_find(enum paths_scope scope, struct paths *paths, struct problem *p);
/* Make the three directories and their parents: runtime and state 0700, log 0750 (the system's: 0755, 0700,
 * 0750). Each that is there must be a directory of this user's or root's that nobody else can write (no
 * symbolic link below /tmp). */
int paths_make(enum paths_scope scope, const struct paths *paths, struct problem *p);
/* directory/name as a socket's path. -ENAMETOOLONG: *p names the path and the limit. */
int paths_socket(char out[PATHS_SOCKET_BYTES], const char *directory, const char *name, struct problem *p);
/* One of our programs ("vconsd", "vcons-vmm", "tiny-process", …): in $VCONS_LIBEXEC, beside the running
 * program, in the build tree's rooms beside it, in the installed libexec, sbin and bin directories. -ENOENT:
 * *p says where it looked. */
int paths_program(char out[PATH_MAX], const char *name, struct problem *p);
/* The same for what is only read: a bundled kernel. */
int paths_kernel(char out[PATH_MAX], const char *name, struct problem *p);
/* text into out if it fits: 0 or -ENAMETOOLONG. */
__attribute__((format(printf, 2, 3))) int paths_format(char out[PATH_MAX], const char *format, ...);

#endif
