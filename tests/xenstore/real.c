/* SPDX-License-Identifier: MIT */
/*
 * real.c: the table of this directory, put to the xenstored of a real Xen: xenstore-real DOMID [DOMID], as root in its dom0.
 *
 * Each is a domain that was created paused. The first is for the table: domain 0 is played over the daemon's socket, the guest over the guest's own
 * ring page, which grant reference 1 of every domain names. Its event channel we cannot send on; but xenstored looks at all
 * rings whenever it has something to do, so each message of the guest is followed by one of a third client. (The C xenstored
 * does so; oxenstored waits for the event.) Neither libxenstore nor libxengnttab: nothing stands between table and wire.
 *
 * At last the rings are broken, the first by a message that is too long, the second by a wild index, and the page has to say
 * which, as test_xenstore_ring.c expects of ours.
 *
 * Ends with "N passed, N failed, N differ as written".
 */
#include "runner.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <vcons/atomic.h>
#include <vcons/ring.h>

typedef uint32_t grant_ref_t; /* the next header leaves them to its user */
typedef uint16_t domid_t;
#include <xen/gntdev.h>

enum { GRANT_XENSTORE = 1, TRIES = 5000, TRY_US = 1000, FAILED = 1, USAGE = 2 };

struct real {
    int zero, poke; /* sockets */
    struct vc_producer req;
    struct vc_consumer rsp;
};

static void die(const char *what)
{
    perror(what);
    exit(FAILED);
}

static int dial(void)
{
    static const char *const paths[] = {"/run/xenstored/socket", "/var/run/xenstored/socket"};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strcpy(address.sun_path, paths[i]);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        close(fd);
    }
    die("xenstored's socket");
    return -1;
}

static void write_all(int fd, const void *bytes, size_t n)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t done = write(fd, p, n);

        if (done <= 0)
            die("write to xenstored");
        p += done;
        n -= (size_t)done;
    }
}

static bool read_all(int fd, void *bytes, size_t n)
{
    for (char *p = bytes; n > 0;) {
        ssize_t done = read(fd, p, n);

        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* Have xenstored look at its rings. */
static void poke(struct real *r)
{
    struct xsd_sockmsg head = {.type = XS_GET_DOMAIN_PATH, .len = 2};
    char payload[XENSTORE_PAYLOAD_MAX];

    write_all(r->poke, &head, sizeof head);
    write_all(r->poke, "0", 2);
    if (!read_all(r->poke, &head, sizeof head) || !read_all(r->poke, payload, head.len))
        die("xenstored");
}

static void put(struct real *r, const void *bytes, uint32_t n)
{
    uint32_t done;

    for (int i = 0; n > 0 && i < TRIES; i++) {
        if (vc_producer_put(&r->req, bytes, n, &done) != VC_OK)
            die("request ring");
        bytes = (const char *)bytes + done;
        n -= done;
        poke(r);
    }
}

static bool get(struct real *r, void *bytes, uint32_t n)
{
    uint32_t done;

    for (int i = 0; n > 0 && i < TRIES; i++) {
        if (vc_consumer_get(&r->rsp, bytes, n, &done) != VC_OK)
            die("response ring");
        bytes = (char *)bytes + done;
        n -= done;
        if (n > 0) {
            poke(r);
            if (i > 10) /* it limits how much a guest may write a second: give it its time */
                nanosleep(&(struct timespec){.tv_nsec = TRY_US * 1000L}, NULL);
        }
    }
    return n == 0;
}

static void send_one(void *ctx, char who, const struct xsd_sockmsg *head, const char *payload)
{
    struct real *r = ctx;

    if (who == 'g') {
        uint8_t message[sizeof *head + XENSTORE_PAYLOAD_MAX];

        memcpy(message, head, sizeof *head);
        memcpy(message + sizeof *head, payload, head->len);
        put(r, message, (uint32_t)sizeof *head + head->len); /* each time it is poked costs */
    } else {
        write_all(r->zero, head, sizeof *head);
        write_all(r->zero, payload, head->len);
    }
}

static bool receive_one(void *ctx, char who, struct xsd_sockmsg *head, char *payload)
{
    struct real *r = ctx;

    if (who == 'g')
        return get(r, head, sizeof *head) && head->len <= XENSTORE_PAYLOAD_MAX && get(r, payload, head->len);
    return read_all(r->zero, head, sizeof *head) && head->len <= XENSTORE_PAYLOAD_MAX &&
           read_all(r->zero, payload, head->len);
}

static struct xenstore_domain_interface *map_page(uint32_t domid)
{
    struct ioctl_gntdev_map_grant_ref map = {.count = 1};
    int fd = open("/dev/xen/gntdev", O_RDWR | O_CLOEXEC);
    void *page;

    if (fd < 0)
        die("/dev/xen/gntdev");
    map.refs[0].domid = (domid_t)domid;
    map.refs[0].ref = GRANT_XENSTORE;
    if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, &map) != 0)
        die("map grant");
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)map.index);
    if (page == MAP_FAILED)
        die("mmap of the grant");
    return page;
}

static void attach(struct real *r, struct xenstore_domain_interface *page)
{
    struct vc_ring req = {page->req, sizeof page->req, &page->req_prod, &page->req_cons};
    struct vc_ring rsp = {page->rsp, sizeof page->rsp, &page->rsp_prod, &page->rsp_cons};

    if (vc_producer_attach(&r->req, &req) != VC_OK || vc_consumer_attach(&r->rsp, &rsp) != VC_OK)
        die("ring indices");
}

/* ---- Broken rings ---- */

static bool says_error(struct real *r, const struct xenstore_domain_interface *page, uint32_t error, const char *what)
{
    const volatile uint32_t *said = &page->error;

    for (int i = 0; *said == XENSTORE_ERROR_NONE && i < TRIES; i++)
        poke(r);
    if (*said != error)
        printf("%s: wanted error %u, the page says %u\n", what, error, *said);
    return *said == error;
}

static bool too_long(struct real *r, const struct xenstore_domain_interface *page)
{
    struct xsd_sockmsg head = {.type = XS_WRITE, .len = XENSTORE_PAYLOAD_MAX + 1};

    put(r, &head, sizeof head);
    return says_error(r, page, XENSTORE_ERROR_PROTO, "a message that is too long");
}

static bool wild_index(struct real *r, uint32_t domid)
{
    struct xenstore_domain_interface *page = map_page(domid);

    vc_store_seq(&page->req_prod, vc_load_seq(&page->req_cons) + XENSTORE_RING_SIZE + 1);
    return says_error(r, page, XENSTORE_ERROR_RINGIDX, "a wild index");
}

static void say(const char *line) { printf("%s\n", line); }

int main(int argc, char **argv)
{
    struct real r;
    struct xt_server server = {.ctx = &r, .real = true, .send = send_one, .receive = receive_one};
    struct xenstore_domain_interface *page;
    struct xt_result result;
    bool right = true;

    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: xenstore-real DOMID [DOMID]\n");
        return USAGE;
    }
    server.guest = (uint32_t)strtoul(argv[1], NULL, 10);
    r.zero = dial();
    r.poke = dial();
    page = map_page(server.guest);
    attach(&r, page);
    setvbuf(stdout, NULL, _IOLBF, 0);
    result = xt_run(&server, say);
    right &= too_long(&r, page);
    right &= argc < 3 || wild_index(&r, (uint32_t)strtoul(argv[2], NULL, 10));
    printf("%zu passed, %zu failed, %zu differ as written\n", result.passed, result.failed, result.differ);
    return result.failed == 0 && right ? 0 : FAILED;
}
