/* SPDX-License-Identifier: MIT */
/*
 * echo_peer: a viewer of one console that types a key and waits until its echo comes, through whoever serves it without
 * frames. Arguments: attach.h's kind, where, the console's name, round trips of a round, the CPU; -1: any.
 */
#include "attach.h"
#include "echo.h"
#include <sys/socket.h>

static int service;

static void round_trip(uint32_t i)
{
    char key = (char)('a' + i % 26), back;

    require(send(service, &key, 1, 0) == 1);
    echo_wait(service);
    require(recv(service, &back, 1, 0) == 1 && back == key);
}

int main(int argc, char **argv)
{
    require(argc == 6);
    service = attach(argv[1], argv[2], argv[3]);
    attach_quiet(service);
    pin_to(atoi(argv[5]));
    echo_measure((uint32_t)atoi(argv[4]), round_trip);
    return 0;
}
