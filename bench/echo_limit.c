/* SPDX-License-Identifier: MIT */
/*
 * echo_limit: the floor of a key's way there and back. Viewer, the service's way in, guest and the service's way out each
 * have a process of their own, as they have a thread of their own in vcons (design §5: nothing waits for the disk but
 * the append thread); a byte goes viewer -socket-> in -eventfd-> guest -eventfd-> out -socket-> viewer, and nobody does
 * anything else. Arguments: round trips of a round, the CPUs of viewer and guest and of the service; -1: any; and "sockets",
 * if one lies between service and guest as well.
 */
#include "bench.h"
#include "echo.h"
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static size_t hop = 8; /* bytes of an event; of a socket, one */

static void way_in(int viewer, int to_guest)
{
    uint64_t one = 1;
    char byte;

    while (read(viewer, &byte, 1) == 1)
        require(write(to_guest, &one, hop) == (ssize_t)hop);
    exit(0);
}

/* Who sleeps in read(2) of a socket is woken for nothing, whenever the other end takes what was sent to it. */
static void take(int fd)
{
    uint64_t one;

    if (hop == 1)
        echo_wait(fd);
    require(read(fd, &one, hop) == (ssize_t)hop);
}

static void way_out(int from_guest, int viewer)
{
    char byte = 'x';

    for (;;) {
        take(from_guest);
        require(write(viewer, &byte, 1) == 1);
    }
}

static void echo(int from_service, int to_service)
{
    uint64_t one = 1;

    for (;;) {
        take(from_service);
        require(write(to_service, &one, hop) == (ssize_t)hop);
    }
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
    int guest[2] = {eventfd(0, 0), eventfd(0, 0)}, service[2] = {guest[0], guest[1]};

    require((argc == 4 || argc == 5) && guest[0] >= 0 && guest[1] >= 0);
    require(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    if (argc == 5) {
        hop = 1;
        require(socketpair(AF_UNIX, SOCK_STREAM, 0, guest) == 0);
        service[0] = service[1] = guest[1];
        guest[1] = guest[0];
    }
    for (int child = 0; child < 3; child++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, 9);
            close(sockets[0]);
            pin_to(atoi(argv[child == 2 ? 2 : 3]));
            if (child == 0)
                way_in(sockets[1], service[0]);
            if (child == 1)
                way_out(service[1], sockets[1]);
            echo(guest[0], guest[1]);
        }
    close(sockets[1]);
    pin_to(atoi(argv[2]));
    echo_measure((uint32_t)atoi(argv[1]), round_trip);
    return 0;
}
