/* SPDX-License-Identifier: MIT */
/*
 * echo_vcons: a viewer of one console that types a key and waits until its echo comes, through control.sock.
 * Arguments: the socket, the console's name, round trips of a round, the CPU; -1: any.
 */
#include "attach.h"
#include "echo.h"
#include <sys/socket.h>
#include <vcons/wire/control.h>

static int service;

/* As any client reads: in one call what is there. */
static void all(void *bytes, size_t n)
{
    static uint8_t buffer[4096];
    static size_t begin, end;

    for (uint8_t *to = bytes; n > 0; n--) {
        if (begin == end) {
            ssize_t got;

            echo_wait(service);
            got = recv(service, buffer, sizeof buffer, 0);

            require(got > 0);
            begin = 0;
            end = (size_t)got;
        }
        *to++ = buffer[begin++];
    }
}

static void round_trip(uint32_t i)
{
    static uint8_t payload[VC_CONTROL_OUT_MAX + 8];
    struct {
        struct vc_control_frame frame;
        uint8_t key;
    } typed = {{1, VC_CONTROL_IN, {0}}, (uint8_t)('a' + i % 26)};
    struct vc_control_frame frame;

    require(send(service, &typed, sizeof typed.frame + 1, 0) == sizeof typed.frame + 1);
    do {
        all(&frame, sizeof frame);
        require(frame.length <= sizeof payload);
        all(payload, frame.length);
        require(frame.type != VC_CONTROL_END);
    } while (frame.type != VC_CONTROL_OUT);
    require(frame.length == 9 && payload[8] == typed.key);
}

int main(int argc, char **argv)
{
    require(argc == 5);
    service = attach("vconsd", argv[1], argv[2]);
    pin_to(atoi(argv[4]));
    echo_measure((uint32_t)atoi(argv[3]), round_trip);
    return 0;
}
