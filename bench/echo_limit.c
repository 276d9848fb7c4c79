/* SPDX-License-Identifier: MIT */
/*
 * echo_limit: the floor of a key's way there and back. Viewer, service and guest are three processes; a byte goes
 * viewer -socket-> service -eventfd-> guest -eventfd-> service -socket-> viewer, and nobody does anything else.
 * Argument: round trips.
 */
#include "bench.h"
#include "echo.h"
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static void serve(int viewer, int to_guest, int from_guest)
{
    uint64_t one = 1;
    char byte;

    while (read(viewer, &byte, 1) == 1) {
        require(write(to_guest, &one, 8) == 8 && read(from_guest, &one, 8) == 8);
        require(write(viewer, &byte, 1) == 1);
    }
    exit(0);
}

static void echo(int from_service, int to_service)
{
    uint64_t one;

    for (;;)
        require(read(from_service, &one, 8) == 8 && write(to_service, &one, 8) == 8);
}

static int sockets[2];

static void round_trip(uint32_t i)
{
    char byte = (char)('a' + i % 26), back = 0;

    require(write(sockets[0], &byte, 1) == 1 && read(sockets[0], &back, 1) == 1 && back == byte);
}

int main(int argc, char **argv)
{
    int to_guest = eventfd(0, 0), from_guest = eventfd(0, 0);

    require(argc == 2 && to_guest >= 0 && from_guest >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    for (int child = 0; child < 2; child++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, 9);
            close(sockets[0]);
            if (child == 0)
                serve(sockets[1], to_guest, from_guest);
            echo(to_guest, from_guest);
        }
    close(sockets[1]);
    echo_measure((uint32_t)atoi(argv[1]), round_trip);
    return 0;
}
