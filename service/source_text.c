/* SPDX-License-Identifier: MIT */
#include "source_text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "xl_lookup.h"

static const char *check_socket_path(struct source_place *place)
{
    const char *where = place->where;

    if (where[0] == '/' && strlen(where) < sizeof((struct sockaddr_un *)0)->sun_path)
        return NULL;
    return "an absolute path of at most 107 bytes behind the colon";
}

static const char *check_device(struct source_place *place)
{
    const char *where = place->where, *slash = strrchr(where, '/');

    return where[0] == '/' && slash[1] != '\0' ? NULL : "the absolute path of a device behind the colon";
}

/* HOST:PORT, [ADDRESS]:PORT */
static const char *check_host(struct source_place *place)
{
    const char *colon = strrchr(place->where, ':'), *begin = place->where, *end = colon;
    char *after;
    unsigned long port = colon != NULL ? strtoul(colon + 1, &after, 10) : 0;

    if (colon != NULL && *begin == '[' && colon[-1] == ']') {
        begin++;
        end--;
    } else if (colon != NULL && memchr(begin, ':', (size_t)(colon - begin)) != NULL)
        colon = NULL; /* an address of IPv6 whose port cannot be told */
    if (colon == NULL || end <= begin || (size_t)(end - begin) >= sizeof place->host || colon[1] < '0' ||
        colon[1] > '9' || *after != '\0' || port < 1 || port > 65535)
        return "HOST:PORT or [ADDRESS]:PORT behind the first colon";
    memcpy(place->host, begin, (size_t)(end - begin));
    place->host[end - begin] = '\0';
    place->port = (uint16_t)port;
    return NULL;
}

static const char *check_command(struct source_place *place)
{
    return place->where[0] != '\0' ? NULL : "a command for the shell behind the colon";
}

/* It becomes the name of a file: no path. */
static const char *check_domain(struct source_place *place)
{
    if (place->where[0] != '\0' && place->where[0] != '.' && strlen(place->where) < 128 &&
        strchr(place->where, '/') == NULL)
        return NULL;
    return "the name of a domain behind the colon";
}

static const char *check_xl(struct source_place *place)
{
    return xl_text_ok(place->where) ? NULL : "DOMAIN, DOMAIN/pv0 or DOMAIN/vuart0 behind the colon";
}

static const struct {
    const char *prefix;
    const char *(*check)(struct source_place *place); /* NULL, or what it expects */
} kinds[] = {
    [SOURCE_UNIX] = {"unix:", check_socket_path},  [SOURCE_UNIX_LISTEN] = {"unix-listen:", check_socket_path},
    [SOURCE_PTY] = {"pty:", check_device},         [SOURCE_SERIAL] = {"serial:", check_device},
    [SOURCE_TCP] = {"tcp:", check_host},           [SOURCE_TELNET] = {"telnet:", check_host},
    [SOURCE_RFC2217] = {"rfc2217:", check_host},   [SOURCE_COMMAND] = {"command:", check_command},
    [SOURCE_LIBVIRT] = {"libvirt:", check_domain}, [SOURCE_XL] = {"xl:", check_xl},
};
_Static_assert(sizeof kinds / sizeof kinds[0] == SOURCE_KINDS, "one row each");

const char *source_text_parse(const char *text, struct source_place *place)
{
    for (unsigned kind = 0; kind < SOURCE_KINDS; kind++) {
        size_t n = strlen(kinds[kind].prefix);

        if (strncmp(text, kinds[kind].prefix, n) != 0)
            continue;
        *place = (struct source_place){.kind = (enum source_kind)kind, .where = text + n};
        return kinds[kind].check(place);
    }
    return "one of unix:PATH, unix-listen:PATH, pty:PATH, serial:PATH, tcp:HOST:PORT, telnet:HOST:PORT, "
           "rfc2217:HOST:PORT, command:TEXT, libvirt:DOMAIN, xl:DOMAIN";
}
