/* SPDX-License-Identifier: MIT */
/*
 * line_limit: the least that can stand where vconsd stands: takes lines over the real link and appends what they hold to
 * one file each. No index, no marks, no viewers, no checks of its peer, no recovery. Arguments: the link's path, the
 * directory of the logs (each in DOMAIN/CONSOLE/00000000000000000000.log).
 */
#include "bench.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <vcons/wire/line.h>
#include <vcons/wire/link.h>

struct line {
    struct vc_line_header *page;
    uint8_t *out;
    uint32_t mask, cons, events;
    int log, room;
    struct line *next; /* in the list of those with something to do */
    bool listed;
};

static int epoll;
static struct line *first, **last = &first;
static const char *logs;

static void list(struct line *l)
{
    if (l->listed)
        return;
    l->listed = true;
    l->next = NULL;
    *last = l;
    last = &l->next;
}

static uint32_t load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static void store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }

/* Append everything there is; true: there was something. */
static bool move(struct line *l)
{
    uint32_t n = load(&l->page->out_prod) - l->cons, slot = l->cons & l->mask;
    uint32_t part = n < l->mask + 1 - slot ? n : l->mask + 1 - slot;
    struct iovec spans[2] = {{l->out + slot, part}, {l->out, n - part}};

    if (load(&l->page->out_event_prod) != l->events) {
        l->events = load(&l->page->out_event_prod);
        store(&l->page->out_event_cons, l->events);
    }
    if (n == 0)
        return false;
    require(writev(l->log, spans, n > part ? 2 : 1) == (ssize_t)n);
    l->cons += n;
    store(&l->page->out_cons, l->cons);
    if (load(&l->page->out_room_wait) != 0 && __atomic_exchange_n(&l->page->out_room_wait, 0, __ATOMIC_SEQ_CST) != 0)
        require(write(l->room, &(uint64_t){1}, 8) == 8);
    return true;
}

static void move_all(void)
{
    struct line *l = first;

    first = NULL;
    last = &first;
    while (l != NULL) {
        struct line *next = l->next;

        l->listed = false;
        if (move(l)) {
            list(l);
        } else {
            store(&l->page->out_bytes_wait, 1);
            if (load(&l->page->out_prod) != l->cons || load(&l->page->out_event_prod) != l->events)
                list(l);
        }
        l = next;
    }
}

static int open_log(const struct vc_link_add *add)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof path, "%s/%.36s", logs, add->domain);
    require(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/%.36s/%.36s", logs, add->domain, add->console);
    require(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/%.36s/%.36s/%020d.log", logs, add->domain, add->console, 0);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    require(fd >= 0);
    return fd;
}

static void take_line(const struct vc_link_add *add, const int *fds)
{
    struct line *l = calloc(1, sizeof *l);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = l};
    struct stat stat;

    require(l != NULL && fstat(fds[VC_LINK_FD_MEMORY], &stat) == 0);
    l->page = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[VC_LINK_FD_MEMORY], 0);
    require(l->page != MAP_FAILED);
    close(fds[VC_LINK_FD_MEMORY]);
    l->out = (uint8_t *)l->page + l->page->out_offset;
    l->mask = l->page->out_size - 1;
    l->cons = l->page->out_cons;
    l->room = fds[VC_LINK_FD_OUT_ROOM];
    l->log = open_log(add);
    require(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[VC_LINK_FD_OUT_BYTES], &event) == 0);
    require(write(l->room, &(uint64_t){1}, 8) == 8);
    list(l);
}

/* One packet of the link; false: it ended. */
static bool answer(int link)
{
    _Alignas(8) char packet[VC_LINK_PACKET_MAX];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int[VC_LINK_FDS]))];
    struct iovec iov = {packet, sizeof packet};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct vc_link_hello hello = {.head = {VC_LINK_HELLO, sizeof hello}, .version = VC_LINK_VERSION};
    struct vc_link_answer ok = {.head = {VC_LINK_OK, sizeof ok}};
    const struct vc_link_head *head = (const void *)packet;

    if (recvmsg(link, &m, 0) <= 0)
        return false;
    if (head->type == VC_LINK_HELLO) {
        require(send(link, &hello, sizeof hello, 0) == sizeof hello);
    } else if (head->type == VC_LINK_ADD) {
        ok.cookie = ((const struct vc_link_add *)(const void *)packet)->cookie;
        take_line((const void *)packet, (const void *)CMSG_DATA(CMSG_FIRSTHDR(&m)));
        require(send(link, &ok, sizeof ok, 0) == sizeof ok);
    }
    return true;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), link;

    require((size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", path) < sizeof address.sun_path);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 1) == 0);
    link = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    require(link >= 0);
    return link;
}

int main(int argc, char **argv)
{
    struct epoll_event events[256] = {{0}};
    struct rlimit files;
    int link;

    require(argc == 3);
    logs = argv[2];
    require(getrlimit(RLIMIT_NOFILE, &files) == 0);
    files.rlim_cur = files.rlim_max;
    require(setrlimit(RLIMIT_NOFILE, &files) == 0);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    link = listen_at(argv[1]);
    events[0].events = EPOLLIN;
    require(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, link, &events[0]) == 0);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, first != NULL ? 0 : -1);

        for (int i = 0; i < n; i++)
            if (events[i].data.ptr != NULL)
                list(events[i].data.ptr);
            else if (!answer(link))
                return 0;
        move_all();
    }
}
