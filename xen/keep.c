/* SPDX-License-Identifier: MIT */
#include "keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"

#define DIRECTORY  "xen"
#define FILES_MAX  4096u /* that are looked into for a UUID */
#define UUID_CHARS 32u

/* Text. */

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool parse_uuid(const char *text, uint8_t uuid[16])
{
    for (size_t i = 0; i < 16; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

        if (low < 0)
            return false;
        uuid[i] = (uint8_t)(high << 4 | low);
    }
    return text[UUID_CHARS] == '\0';
}

static bool has(const struct kept *k, const char *name)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (strcmp(k->names[i], name) == 0)
            return true;
    return false;
}

/* The next line of *text, which goes behind it. NULL: there is no whole one. */
static char *line_of(char **text)
{
    char *line = *text, *end = strchr(line, '\n');

    if (end == NULL)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

bool keep_parse(const char *text, size_t bytes, struct kept *k)
{
    char copy[KEEP_BYTES], *at = copy, *line;

    *k = (struct kept){.n = 0};
    if (bytes >= sizeof copy || memchr(text, '\0', bytes) != NULL)
        return false;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    line = line_of(&at);
    if (line == NULL || strncmp(line, "1 ", 2) != 0 || !parse_uuid(line + 2, k->uuid))
        return false;
    while (*at != '\0') {
        line = line_of(&at);
        if (line == NULL || !name_ok(line) || has(k, line) || k->n == KEEP_CONSOLES)
            return false;
        snprintf(k->names[k->n++], NAME_BYTES, "%s", line);
    }
    return k->n > 0;
}

size_t keep_format(const struct kept *k, char text[KEEP_BYTES])
{
    size_t n = 2;

    memcpy(text, "1 ", 2);
    for (size_t i = 0; i < sizeof k->uuid; i++, n += 2)
        snprintf(text + n, 3, "%02x", k->uuid[i]);
    text[n++] = '\n';
    for (uint32_t i = 0; i < k->n; i++)
        n += (size_t)snprintf(text + n, KEEP_BYTES - n, "%s\n", k->names[i]);
    text[n] = '\0';
    return n;
}

_Static_assert(2 + UUID_CHARS + 1 + KEEP_CONSOLES * NAME_BYTES + 1 < KEEP_BYTES, "the longest fits");

/* Files. */

int keep_open(struct keep *keep, const char *state)
{
    char path[PATH_MAX];

    keep->fd = -1;
    if (snprintf(path, sizeof path, "%s/" DIRECTORY, state) >= (int)sizeof path)
        return -ENAMETOOLONG;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -errno;
    keep->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return keep->fd < 0 ? -errno : 0;
}

void keep_close(struct keep *keep)
{
    if (keep->fd > 0)
        close(keep->fd);
    keep->fd = -1;
}

static int load(const struct keep *keep, const char *file, struct kept *k)
{
    char text[KEEP_BYTES];
    struct stat st;
    int fd = openat(keep->fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return errno == ELOOP ? -EPROTO : -errno;
    n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, sizeof text) : -1;
    close(fd);
    return n >= 0 && keep_parse(text, (size_t)n, k) ? 0 : -EPROTO;
}

static int find_uuid(const struct keep *keep, const uint8_t uuid[16], struct kept *k, char file[NAME_BYTES])
{
    int fd = openat(keep->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -ENOENT;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return -ENOENT;
    }
    for (uint32_t i = 0; i < FILES_MAX && found != 0 && (entry = readdir(dir)) != NULL; i++) {
        if (!name_ok(entry->d_name) || load(keep, entry->d_name, k) != 0 || memcmp(k->uuid, uuid, sizeof k->uuid) != 0)
            continue;
        memcpy(file, entry->d_name, strlen(entry->d_name) + 1); /* name_ok: it fits */
        found = 0;
    }
    closedir(dir);
    return found;
}

int keep_find(const struct keep *keep, const char *domain, const uint8_t uuid[16], struct kept *k,
              char file[NAME_BYTES])
{
    int error = name_ok(domain) ? load(keep, domain, k) : -ENOENT;

    snprintf(file, NAME_BYTES, "%s", domain);
    if (error == -ENOENT && uuid != NULL && find_uuid(keep, uuid, k, file) == 0)
        return 0;
    return error;
}

static int store(const struct keep *keep, const char *file, const struct kept *k)
{
    char text[KEEP_BYTES];

    if (k->n == 0)
        return unlinkat(keep->fd, file, 0) == 0 || errno == ENOENT ? 0 : -errno;
    keep_format(k, text);
    return file_replace(keep->fd, file, text);
}

int keep_add(const struct keep *keep, const char *domain, const uint8_t uuid[16], const char *console)
{
    struct kept k;
    char file[NAME_BYTES];
    int error = keep->fd < 0 ? -EIO : keep_find(keep, domain, uuid, &k, file);

    if (error == -ENOENT || error == -EPROTO)
        k.n = 0;
    else if (error)
        return error;
    memcpy(k.uuid, uuid, sizeof k.uuid);
    if (has(&k, console))
        return store(keep, file, &k);
    if (k.n == KEEP_CONSOLES)
        return -ENOSPC;
    snprintf(k.names[k.n++], NAME_BYTES, "%s", console);
    return store(keep, file, &k);
}

int keep_remove(const struct keep *keep, const char *domain, const uint8_t *uuid, const char *console)
{
    struct kept k;
    char file[NAME_BYTES];
    int error = keep->fd < 0 ? -ENOENT : keep_find(keep, domain, uuid, &k, file);
    uint32_t left = 0;

    if (error)
        return error;
    if (!has(&k, console))
        return -ENOENT;
    for (uint32_t i = 0; i < k.n; i++)
        if (strcmp(k.names[i], console) != 0)
            memmove(k.names[left++], k.names[i], NAME_BYTES);
    k.n = left;
    return store(keep, file, &k);
}
