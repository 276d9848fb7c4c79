/* SPDX-License-Identifier: MIT */
/*
 * echo_limit: the floor of a key's way there and back. Viewer, the service's way in, guest and the service's way out each
 * have a process of their own, as they have a thread of their own in vcons (design §5: nothing waits for the disk but
 * the append thread); a byte goes viewer -socket-> in -eventfd-> guest -eventfd-> out -socket-> viewer, and nobody does
 * anything else. Arguments: round trips of a round, the CPUs of viewer and guest and of the service; -1: any.
 */
#include "bench.h"
#include "echo.h"
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static void way_in(int viewer, int to_guest)
{
    uint64_t one = 1;
    char byte;

    while (read(viewer, &byte, 1) == 1)
        require(write(to_guest, &one, 8) == 8);
    exit(0);
}

static void way_out(int from_guest, int viewer)
{
    uint64_t one;
    char byte = 'x';

    for (;;)
        require(read(from_guest, &one, 8) == 8 && write(viewer, &byte, 1) == 1);
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
    char byte = (char)i;

    require(write(sockets[0], &byte, 1) == 1);
    echo_wait(sockets[0]);
    require(read(sockets[0], &byte, 1) == 1 && byte == 'x');
}

int main(int argc, char **argv)
{
    int to_guest = eventfd(0, 0), from_guest = eventfd(0, 0);

    require(argc == 4 && to_guest >= 0 && from_guest >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    for (int child = 0; child < 3; child++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, 9);
            close(sockets[0]);
            pin_to(atoi(argv[child == 2 ? 2 : 3]));
            if (child == 0)
                way_in(sockets[1], to_guest);
            if (child == 1)
                way_out(from_guest, sockets[1]);
            echo(to_guest, from_guest);
        }
    close(sockets[1]);
    pin_to(atoi(argv[2]));
    echo_measure((uint32_t)atoi(argv[1]), round_trip);
    return 0;
}
