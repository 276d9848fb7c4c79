/* SPDX-License-Identifier: MIT */
#include "attach.h"
#include "bench.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static int dial_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    require((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", path) < sizeof address.sun_path);
    require(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static int dial_port(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    require(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    return fd;
}

/* The next line, which has to begin so; what follows it is left where it is. */
static void hear(int fd, char line[512], const char *begin)
{
    size_t n = 0;

    do
        require(n < 511 && recv(fd, line + n, 1, 0) == 1);
    while (line[n++] != '\n');
    line[n] = '\0';
    if (strncmp(line, begin, strlen(begin)) != 0) {
        fprintf(stderr, "%s", line);
        exit(1);
    }
}

static void ask(int fd, char line[512], const char *begin, const char *format, const char *what)
{
    char text[512];
    int n = snprintf(text, sizeof text, format, what);

    require(n > 0 && (size_t)n < sizeof text && send(fd, text, (size_t)n, 0) == n);
    hear(fd, line, begin);
}

static int attach_vconsd(const char *path, const char *console)
{
    char line[512];
    int fd = dial_path(path);

    ask(fd, line, "{\"id\":1,\"ok\"", "{\"id\":1,\"op\":\"hello\",\"version\":1}\n", "");
    ask(fd, line, "{\"id\":2,\"ok\"",
        "{\"id\":2,\"op\":\"attach\",\"console\":\"%s\",\"from\":\"now\",\"follow\":true,\"write\":\"free\"}\n",
        console);
    return fd;
}

static int attach_conman(const char *port, const char *console)
{
    char line[512];
    int fd = dial_port(port);

    ask(fd, line, "OK", "HELLO USER='%s' TTY='none'\n", "root");
    ask(fd, line, "OK", "CONNECT OPTION=JOIN CONSOLE='%s'\n", console);
    return fd;
}

static int login_conserver(const char *port)
{
    char line[512];
    int fd = dial_port(port);

    hear(fd, line, "ok");
    ask(fd, line, "ok", "login %s\r\n", "root");
    return fd;
}

/* One process knows which other one has that console. */
static int attach_conserver(const char *port, const char *console)
{
    char line[512], other[8] = "";
    int fd = login_conserver(port);

    ask(fd, line, "", "call %s\r\n", console);
    require(sscanf(line, "%7[0-9]", other) == 1);
    close(fd);
    fd = login_conserver(other);
    ask(fd, line, "[", "call %s\r\n", console);
    ask(fd, line, "[connected]", "%s", "\005c;");
    return fd;
}

int attach(const char *kind, const char *where, const char *console)
{
    if (strcmp(kind, "vconsd") == 0)
        return attach_vconsd(where, console);
    if (strcmp(kind, "conman") == 0)
        return attach_conman(where, console);
    if (strcmp(kind, "conserver") == 0)
        return attach_conserver(where, console);
    return strcmp(kind, "tcp") == 0 ? dial_port(where) : dial_path(where);
}

void attach_quiet(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char text[4096];

    while (poll(&p, 1, 1000) == 1)
        require(recv(fd, text, sizeof text, 0) > 0);
}
