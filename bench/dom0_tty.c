/* SPDX-License-Identifier: MIT */
/*
 * dom0_tty now            nanoseconds of the monotonic clock
 * dom0_tty echo PATH N    nanoseconds of a key's way to a guest at its prompt and back, N times, 20 ms apart as an eager typist: the median, the mean and what 99 in 100
 *                         do not exceed. PATH is the pseudo-terminal of its console, whoever serves that, or vconsd's socket
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

#define N_MAX    1000u
#define LINE_MAX 100u /* of keys, then the line is begun anew: the guest's has an end */
#define PAUSE_US 20000
#define HANG_MS  120000 /* a guard */

/* All that comes until that byte. */
static void read_until(int tty, char wanted)
{
    struct pollfd fd = {.fd = tty, .events = POLLIN};
    char byte;

    do {
        if (poll(&fd, 1, HANG_MS) != 1)
            errx(1, "no echo");
        if (read(tty, &byte, 1) != 1)
            err(1, "read");
    } while (byte != wanted);
}

static void type(int tty, char byte)
{
    if (write(tty, &byte, 1) != 1)
        err(1, "write");
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path)
        errx(1, "%s: too long", path);
    strcpy(address.sun_path, path);
    return fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static int open_console(const char *path)
{
    struct stat s;
    int fd;

    if (stat(path, &s) != 0)
        err(1, "%s", path);
    fd = S_ISSOCK(s.st_mode) ? open_socket(path) : open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        err(1, "%s", path);
    return fd;
}

static void echo(const char *path, unsigned n)
{
    static uint64_t ns[N_MAX];
    uint64_t sum = 0;
    int tty = open_console(path);

    for (unsigned i = 0; i < n; i++) {
        uint64_t began;

        if (i % LINE_MAX == 0) { /* a new line, and all that was said before is behind us */
            type(tty, '\r');
            read_until(tty, '>');
            read_until(tty, ' ');
        }
        usleep(PAUSE_US);
        began = now_ns();
        type(tty, (char)('a' + i % 26));
        read_until(tty, (char)('a' + i % 26));
        ns[i] = now_ns() - began;
        sum += ns[i];
    }
    close(tty);
    qsort(ns, n, sizeof ns[0], by_size);
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", ns[n / 2], sum / n, ns[(n - 1) * 99 / 100]);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "now") == 0) {
        printf("%" PRIu64 "\n", now_ns());
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "echo") == 0 && atoi(argv[3]) > 0 && atoi(argv[3]) <= (int)N_MAX) {
        echo(argv[2], (unsigned)atoi(argv[3]));
        return 0;
    }
    errx(2, "usage: dom0_tty now|echo PATH N");
}
