/* SPDX-License-Identifier: MIT */
/*
 * echo_vcons: a viewer of one console that types a key and waits until its echo comes, through control.sock.
 * Arguments: the socket, the console's name, round trips of a round, the CPU; -1: any.
 */
#include "bench.h"
#include "echo.h"
#include <sys/socket.h>
#include <sys/un.h>
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

/* One request; what comes back has to say ok. */
static void ask(const char *request)
{
    char line[VC_CONTROL_LINE_MAX], *at = line;

    require(send(service, request, strlen(request), 0) == (ssize_t)strlen(request));
    do
        all(at, 1);
    while (*at++ != '\n');
    *at = '\0';
    if (strstr(line, "\"ok\"") == NULL) {
        fprintf(stderr, "%s", line);
        exit(1);
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
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char attach[512];

    require(argc == 5);
    require((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]) < sizeof address.sun_path);
    service = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(service >= 0 && connect(service, (struct sockaddr *)&address, sizeof address) == 0);
    ask("{\"id\":1,\"op\":\"hello\",\"version\":1}\n");
    snprintf(attach, sizeof attach,
             "{\"id\":2,\"op\":\"attach\",\"console\":\"%s\",\"from\":\"now\",\"follow\":true,\"write\":\"free\"}\n",
             argv[2]);
    ask(attach);
    pin_to(atoi(argv[4]));
    echo_measure((uint32_t)atoi(argv[3]), round_trip);
    return 0;
}
