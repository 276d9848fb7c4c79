/* SPDX-License-Identifier: MIT */
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"
#include "host/file.h"
#include "host/message.h"
#include "host/paths.h"
#include "service.h"

#define OWNER_BYTES 96u

int owners_open(struct service *s)
{
    char path[PATH_MAX];

    s->owners_fd = -1;
    if (paths_format(path, "%s/owners", s->paths.state) != 0)
        return -ENAMETOOLONG;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -errno;
    s->owners_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return s->owners_fd < 0 ? -errno : 0;
}

void owners_close(struct service *s)
{
    if (s->owners_fd >= 0)
        close(s->owners_fd);
    s->owners_fd = -1;
}

static int digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

static bool parse(const char *text, struct origin *o)
{
    char hex[2 * sizeof o->uuid + 1] = "";
    unsigned uid;
    int pid, end = 0;

    if (sscanf(text, "1 %u %d %32[0-9a-f]%n", &uid, &pid, hex, &end) != 3 || strcmp(text + end, "\n") != 0 ||
        strlen(hex) != sizeof hex - 1 || pid <= 0)
        return false;
    for (size_t i = 0; i < sizeof o->uuid; i++)
        o->uuid[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    o->uid = uid;
    o->pid = pid;
    o->owned = true;
    return true;
}

void owner_load(struct console *c)
{
    char text[OWNER_BYTES];
    int fd = openat(c->service->owners_fd, c->log.domain, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    c->owner_kept = parse(text, &c->origin);
}

static void format(const struct origin *o, char text[OWNER_BYTES])
{
    char hex[2 * sizeof o->uuid + 1];

    for (size_t i = 0; i < sizeof o->uuid; i++)
        snprintf(hex + 2 * i, 3, "%02x", o->uuid[i]);
    snprintf(text, OWNER_BYTES, "1 %u %d %s\n", (unsigned)o->uid, (int)o->pid, hex);
}

void owner_keep(struct console *c)
{
    struct service *s = c->service;
    char text[OWNER_BYTES];
    int error;

    if (c->owner_kept || s->owners_fd < 0)
        return;
    format(&c->origin, text);
    error = file_replace(s->owners_fd, c->log.domain, text);
    c->owner_kept = error == 0;
    if (error && !s->said_owners)
        message("%s/owners/%s: %s; whose the name is will not be known after a restart", s->paths.state, c->log.domain,
                strerror(-error));
    s->said_owners = error != 0;
}
