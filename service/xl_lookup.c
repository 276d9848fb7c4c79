/* SPDX-License-Identifier: MIT */
#include "xl_lookup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vcons/wire/xenstore.h>

#define TTYS "/dev/pts/"

struct store {
    int fd;
    uint32_t request;
    uint32_t bytes; /* of the last answer, in payload, with a NUL of ours behind them */
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};

/* The domain's name, and whether its vuart is meant. */
static bool split(const char *text, char name[XL_NAME_BYTES], bool *vuart)
{
    const char *slash = strchr(text, '/');
    size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);

    *vuart = slash != NULL && strcmp(slash, "/vuart0") == 0;
    if (n == 0 || n >= XL_NAME_BYTES || (slash != NULL && !*vuart && strcmp(slash, "/pv0") != 0))
        return false;
    memcpy(name, text, n);
    name[n] = '\0';
    return true;
}

int xl_text_ok(const char *text)
{
    char name[XL_NAME_BYTES];
    bool vuart;

    return split(text, name, &vuart);
}

/* Asking. */

static int dial(void)
{
    const char *asked = getenv("XENSTORED_PATH");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", asked != NULL ? asked : "/run/xenstored/socket");
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool receive(const struct store *s, void *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t part = read(s->fd, (char *)to + got, n - got);

        if (part <= 0)
            return false;
        got += (size_t)part;
    }
    return true;
}

/* The answer, in payload. -ENOENT: the store has none. -EPROTO: it is no use to ask it more. */
static int ask(struct store *s, uint32_t type, const char *path)
{
    struct xsd_sockmsg head = {.type = type, .req_id = ++s->request, .len = (uint32_t)strlen(path) + 1};

    if (send(s->fd, &head, sizeof head, MSG_NOSIGNAL) != (ssize_t)sizeof head ||
        send(s->fd, path, head.len, MSG_NOSIGNAL) != (ssize_t)head.len || !receive(s, &head, sizeof head) ||
        head.len > XENSTORE_PAYLOAD_MAX || head.req_id != s->request || !receive(s, s->payload, head.len))
        return -EPROTO;
    s->bytes = head.len;
    s->payload[head.len] = '\0';
    return head.type == type ? 0 : head.type == XS_ERROR ? -ENOENT : -EPROTO;
}

static int read_node(struct store *s, uint32_t domid, const char *node)
{
    char path[64];

    snprintf(path, sizeof path, "/local/domain/%u/%s", domid, node);
    return ask(s, XS_READ, path);
}

/* Looking. */

static bool is_number(const char *text, uint32_t *n)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    *n = (uint32_t)value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value <= UINT16_MAX * 65536ul;
}

static int find_domain(struct store *s, const char *name, uint32_t *domid)
{
    static char ids[XENSTORE_PAYLOAD_MAX + 1]; /* a process of its own: starter.h */
    uint32_t bytes;
    int error = ask(s, XS_DIRECTORY, "/local/domain");

    if (error)
        return error;
    bytes = s->bytes;
    memcpy(ids, s->payload, bytes + 1);
    for (uint32_t at = 0; at < bytes; at += (uint32_t)strlen(ids + at) + 1) {
        error = is_number(ids + at, domid) && *domid != 0 ? read_node(s, *domid, "name") : -ENOENT;
        if (error == -EPROTO || (error == 0 && strcmp(s->payload, name) == 0))
            return error;
    }
    return -ENOENT;
}

static bool take_tty(const struct store *s, struct xl_place *place)
{
    uint32_t number;

    if (strncmp(s->payload, TTYS, sizeof TTYS - 1) != 0 || strlen(s->payload) != s->bytes ||
        s->bytes >= sizeof place->tty || !is_number(s->payload + sizeof TTYS - 1, &number))
        return false;
    memcpy(place->tty, s->payload, s->bytes + 1);
    return true;
}

static const char *find_tty(struct store *s, bool vuart, struct xl_place *place)
{
    static const char *const nodes[2][2] = {{"console/tty", "serial/0/tty"}, {"vuart/0/tty", "vuart/0/tty"}};
    int error = read_node(s, place->domid, nodes[vuart][0]);

    if (error == -ENOENT)
        error = read_node(s, place->domid, nodes[vuart][1]);
    if (error)
        return error == -ENOENT ? "nobody serves that console of it" : "XenStore does not answer as it should";
    return take_tty(s, place) ? NULL : "XenStore has no pseudo-terminal for it";
}

const char *xl_lookup(const char *text, struct xl_place *place)
{
    static struct store s;
    char name[XL_NAME_BYTES];
    const char *why;
    bool vuart;
    int error;

    if (!split(text, name, &vuart))
        return "it is no name of a domain";
    s.fd = dial();
    if (s.fd < 0)
        return errno == EACCES ? "XenStore is root's alone" : "XenStore does not answer: is this a dom0?";
    error = find_domain(&s, name, &place->domid);
    if (error)
        why = error == -ENOENT ? "Xen runs no domain of that name" : "XenStore does not answer as it should";
    else
        why = find_tty(&s, vuart, place);
    close(s.fd);
    return why;
}
