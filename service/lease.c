/* SPDX-License-Identifier: MIT */
#include "lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"
#include "host/file.h"
#include "host/message.h"
#include "host/paths.h"
#include "service.h"

#define LEASE_BYTES (TOKEN_WHO_BYTES + VC_CONTROL_NOTE_BYTES + 80u)
#define FILE_BYTES  (2 * LOG_NAME_BYTES + 2u)

/* Said once: what was leased then ends with the service, no more. */
static void cannot(struct service *s, int error)
{
    if (error && !s->said_leases)
        message("%s/leases: %s; leases will end with this service", s->paths.state, strerror(-error));
    s->said_leases = error != 0;
}

void leases_open(struct service *s)
{
    char path[PATH_MAX];

    s->leases_fd = -1;
    if (paths_format(path, "%s/leases", s->paths.state) != 0) {
        cannot(s, -ENAMETOOLONG);
        return;
    }
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        s->leases_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s->leases_fd < 0)
        cannot(s, -errno);
}

void leases_close(struct service *s)
{
    if (s->leases_fd >= 0)
        close(s->leases_fd);
    s->leases_fd = -1;
}

/* A comma is in no name. */
static void file_of(const struct console *c, char file[FILE_BYTES])
{
    snprintf(file, FILE_BYTES, "%s,%s", c->log.domain, c->log.console);
}

/* The line that begins there, with its end cut off; *text is then the next. False: it does not fit, or has no end. */
static bool take_line(char **text, char *to, size_t bytes)
{
    char *end = strchr(*text, '\n');

    if (end == NULL || (size_t)(end - *text) >= bytes)
        return false;
    *end = '\0';
    memcpy(to, *text, (size_t)(end - *text) + 1);
    message_clean(to, strlen(to));
    *text = end + 1;
    return true;
}

static bool parse(char *text, struct lease *l)
{
    unsigned uid;
    int n = 0;

    if (sscanf(text, "1 %u %" SCNu64 " %" SCNu64 "%n", &uid, &l->since_ns, &l->until_ns, &n) != 3 || text[n] != '\n')
        return false;
    l->uid = uid;
    text += n + 1;
    return take_line(&text, l->who, sizeof l->who) && take_line(&text, l->note, sizeof l->note) && *text == '\0';
}

void lease_load(struct console *c)
{
    char file[FILE_BYTES], text[LEASE_BYTES];
    struct lease lease = {.uid = 0};
    ssize_t n;
    int fd;

    file_of(c, file);
    fd = openat(c->service->leases_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (!parse(text, &lease) || !token_restore(c, &lease))
        lease_forget(c);
}

void lease_keep(const struct console *c)
{
    const struct lease *l = c->token.lease;
    char file[FILE_BYTES], text[LEASE_BYTES];

    if (c->service->leases_fd < 0)
        return;
    if (l == NULL) {
        lease_forget(c);
        return;
    }
    file_of(c, file);
    snprintf(text, sizeof text, "1 %u %" PRIu64 " %" PRIu64 "\n%s\n%s\n", (unsigned)l->uid, l->since_ns, l->until_ns,
             l->who, l->note);
    cannot(c->service, file_replace(c->service->leases_fd, file, text));
}

void lease_forget(const struct console *c)
{
    char file[FILE_BYTES];

    file_of(c, file);
    if (c->service->leases_fd >= 0 && unlinkat(c->service->leases_fd, file, 0) != 0 && errno != ENOENT)
        cannot(c->service, -errno);
}
