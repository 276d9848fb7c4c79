/* SPDX-License-Identifier: MIT */
#include "source_text.h"

#include <stddef.h>
#include <string.h>
#include <sys/un.h>

static const char *check_socket_path(const char *where)
{
    if (where[0] == '/' && strlen(where) < sizeof((struct sockaddr_un *)0)->sun_path)
        return NULL;
    return "an absolute path of at most 107 bytes behind the colon";
}

static const char *check_device(const char *where)
{
    const char *slash = strrchr(where, '/');

    return where[0] == '/' && slash[1] != '\0' ? NULL : "the absolute path of a device behind the colon";
}

static const struct {
    const char *prefix;
    const char *(*check)(const char *where); /* NULL, or what it expects */
} kinds[] = {
    [SOURCE_UNIX] = {"unix:", check_socket_path},
    [SOURCE_UNIX_LISTEN] = {"unix-listen:", check_socket_path},
    [SOURCE_PTY] = {"pty:", check_device},
    [SOURCE_SERIAL] = {"serial:", check_device},
};
_Static_assert(sizeof kinds / sizeof kinds[0] == SOURCE_KINDS, "one row each");

const char *source_text_parse(const char *text, struct source_place *place)
{
    for (unsigned kind = 0; kind < SOURCE_KINDS; kind++) {
        size_t n = strlen(kinds[kind].prefix);

        if (strncmp(text, kinds[kind].prefix, n) != 0)
            continue;
        *place = (struct source_place){.kind = (enum source_kind)kind, .where = text + n};
        return kinds[kind].check(place->where);
    }
    return "unix:PATH, unix-listen:PATH, pty:PATH or serial:PATH";
}
