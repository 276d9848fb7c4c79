/* SPDX-License-Identifier: MIT */
/*
 * dom0_tty now            nanoseconds of the monotonic clock
 * dom0_tty echo TTY N     nanoseconds of a key's way to a guest at its prompt and back, the median of N: on the pseudo-terminal of its
 *                         console, whoever serves that
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define N_MAX    1000u
#define LINE_MAX 100u   /* of keys, then the line is begun anew: the guest's has an end */
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

static uint64_t echo(const char *path, unsigned n)
{
    static uint64_t ns[N_MAX];
    int tty = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (tty < 0)
        err(1, "%s", path);
    for (unsigned i = 0; i < n; i++) {
        uint64_t began;

        if (i % LINE_MAX == 0) { /* a new line, and all that was said before is behind us */
            type(tty, '\r');
            read_until(tty, '>');
            read_until(tty, ' ');
        }
        began = now_ns();
        type(tty, (char)('a' + i % 26));
        read_until(tty, (char)('a' + i % 26));
        ns[i] = now_ns() - began;
    }
    close(tty);
    qsort(ns, n, sizeof ns[0], by_size);
    return ns[n / 2];
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "now") == 0) {
        printf("%" PRIu64 "\n", now_ns());
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "echo") == 0 && atoi(argv[3]) > 0 && atoi(argv[3]) <= (int)N_MAX) {
        printf("%" PRIu64 "\n", echo(argv[2], (unsigned)atoi(argv[3])));
        return 0;
    }
    errx(2, "usage: dom0_tty now|echo TTY N");
}
