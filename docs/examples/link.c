/* SPDX-License-Identifier: MIT */
/*
 * A console of your own hypervisor in vconsd: hand it a line over link.sock, then write what the guest prints into that memory.
 * man 7 vcons-link says what goes over the socket, <vcons/wire/link.h> how.
 *
 *     cc link.c $(pkg-config --cflags --libs vcons) -o link && echo hello | ./link /run/vcons/link.sock mine
 *
 * Standard input stands for the guest's output, standard output for the guest that reads what is typed: vcons attach mine. A
 * hypervisor would dial again when the service has gone, with the same memory: what the ring holds by then is not lost.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vcons/line.h>
#include <vcons/wire/link.h>

enum { OUT = 256 * 1024, IN = 4096, COOKIE = 7 };
static int link_fd, fds[VC_LINK_FDS];
static struct vc_source line;
static uint8_t id[VC_LINE_ID_BYTES];

/* Memory that neither side can take from the other: sealed before it is handed over. */
static void make_line(void)
{
    size_t bytes = vc_line_bytes(OUT, IN);
    void *memory;

    fds[VC_LINK_FD_MEMORY] = memfd_create("line", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (ftruncate(fds[VC_LINK_FD_MEMORY], (off_t)bytes) != 0 || getrandom(id, sizeof id, 0) != sizeof id ||
        fcntl(fds[VC_LINK_FD_MEMORY], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        err(1, "memory");
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[VC_LINK_FD_MEMORY], 0);
    if (memory == MAP_FAILED || vc_line_format(memory, OUT, IN, id) != 0 || vc_source_open(&line, memory, bytes) != 0)
        errx(1, "no line");
    for (int i = VC_LINK_FD_OUT_BYTES; i < VC_LINK_FDS; i++)
        fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* One packet. Others come in between: who holds the write token, requests to stop the domain. */
static void await(enum vc_link_type wanted)
{
    union {
        struct vc_link_head head;
        struct vc_link_answer answer;
        char bytes[VC_LINK_PACKET_MAX];
    } p;

    do {
        if (recv(link_fd, &p, sizeof p, 0) < (ssize_t)sizeof p.head)
            errx(1, "the service has gone");
        if (p.head.type == VC_LINK_REFUSED)
            errx(1, "refused: %.*s", (int)sizeof p.answer.text, p.answer.text);
    } while (p.head.type != wanted);
}

static void dial(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct vc_link_hello hello = {{VC_LINK_HELLO, sizeof hello}, VC_LINK_VERSION, (uint32_t)getpid(), "example"};

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    link_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(link_fd, (struct sockaddr *)&a, sizeof a) != 0 || send(link_fd, &hello, sizeof hello, 0) < 0)
        err(1, "%s", path);
    await(VC_LINK_HELLO);
}

/* The uuid is the domain's identity: only who has it may go on with the log of that name. Yours comes from its configuration. */
static void add(const char *domain)
{
    struct vc_link_add m = {.head = {VC_LINK_ADD, sizeof m},
                            .cookie = COOKIE,
                            .kind = VC_LINK_XEN,
                            .domid = 1,
                            .boot = 1,
                            .geometry = VC_LINK_GEOMETRY_LINE,
                            .first = 1,
                            .uuid = "an example only",
                            .console = "hvc0"};
    struct vc_link_head all = {VC_LINK_ALL, sizeof all};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof fds)];
    } rights = {.head = {CMSG_LEN(sizeof fds), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec iov = {&m, sizeof m};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights};

    snprintf(m.domain, sizeof m.domain, "%s", domain);
    memcpy(m.line_id, id, sizeof id);
    memcpy(CMSG_DATA(&rights.head), fds, sizeof fds);
    if (sendmsg(link_fd, &message, 0) < 0 || send(link_fd, &all, sizeof all, 0) < 0)
        err(1, "add");
    await(VC_LINK_OK);
}

/* The guest printed: nothing is dropped, who is full waits. False: it prints no more. */
static bool print(void)
{
    uint8_t bytes[4096];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    uint32_t at = 0, done;
    bool kick = false;

    while (n > 0 && at < (uint32_t)n) {
        if (vc_source_put(&line, bytes + at, (uint32_t)n - at, &done, &kick) != 0)
            errx(1, "the service broke the line");
        at += done;
        if (kick)
            eventfd_write(fds[VC_LINK_FD_OUT_BYTES], 1);
        if (done == 0) { /* arm, look again, sleep: <vcons/line.h> */
            vc_source_arm_room(&line);
            if (vc_source_room(&line, &done) == 0 && done == 0)
                poll(&(struct pollfd){fds[VC_LINK_FD_OUT_ROOM], POLLIN, 0}, 1, -1);
            eventfd_read(fds[VC_LINK_FD_OUT_ROOM], &(eventfd_t){0});
        }
        kick = false;
    }
    return n > 0;
}

/* Somebody typed. Events between the bytes are a break, and another size of the terminal. */
static void typed(void)
{
    struct vc_line_event event;
    bool kick = false, taken;
    uint8_t bytes[IN];
    uint32_t got;

    eventfd_read(fds[VC_LINK_FD_IN_BYTES], &(eventfd_t){0});
    do {
        vc_source_arm_bytes(&line);
        if (vc_source_event(&line, &event, &taken, &kick) != 0 ||
            vc_source_get(&line, bytes, sizeof bytes, &got, &kick) != 0)
            errx(1, "the service broke the line");
        if (write(STDOUT_FILENO, bytes, got) < 0)
            err(1, "output");
    } while (got > 0 || taken);
    if (kick)
        eventfd_write(fds[VC_LINK_FD_IN_ROOM], 1);
}

int main(int argc, char **argv)
{
    struct vc_link_answer gone = {.head = {VC_LINK_GONE, sizeof gone}, .cookie = COOKIE};
    struct pollfd p[] = {{STDIN_FILENO, POLLIN, 0}, {0, POLLIN, 0}, {0, POLLIN, 0}};

    if (argc != 3)
        errx(2, "usage: link LINK.SOCK DOMAIN");
    make_line();
    dial(argv[1]);
    add(argv[2]);
    p[1].fd = fds[VC_LINK_FD_IN_BYTES];
    p[2].fd = link_fd;
    typed(); /* what came before we looked */
    do {
        poll(p, 3, -1);
        if (p[1].revents != 0)
            typed();
        if ((p[2].revents & POLLHUP) != 0)
            errx(1, "the service has gone");
        if (p[2].revents != 0)
            recv(link_fd, (char[VC_LINK_PACKET_MAX]){0}, VC_LINK_PACKET_MAX, 0);
    } while (p[0].revents == 0 || print());
    send(link_fd, &gone, sizeof gone, 0);
    shutdown(link_fd, SHUT_WR);
    while (recv(link_fd, (char[VC_LINK_PACKET_MAX]){0}, VC_LINK_PACKET_MAX, 0) > 0) /* until it has taken the rest */
        ;
    return 0;
}
