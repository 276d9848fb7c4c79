/* SPDX-License-Identifier: MIT */
/*
 * xen_ring DOMID FRAME PORT WHAT...: a PV console ring in dom0, by hand; what the words need of console/ring-ref and console/port.
 *
 *     show           "in_cons N in_prod N out_cons N out_prod N connection N"
 *     flag N         the connection flag becomes N, and an event tells of it
 *     index NAME N   that index becomes what it is plus N, and an event tells of it: a backend that lies
 *     drain FILE [N] a backend that does no more than it must: ring to FILE until the domain is gone or N bytes came; then
 *                    "drained N bytes in S s, E events" from the first byte on. It is what a service is measured against: it tells the guest
 *                    of room only where that may wait for it, and writes large pieces
 *     echo N         a key's way to a guest at its prompt and back, N times, 20 ms apart: nanoseconds, the median, the mean and what 99 in
 *                    100 do not exceed. No log, no terminal, no second thread: the limit of whoever has those
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <vcons/wire/xencons.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#define LOOK_MS  1000 /* so often drain looks whether the domain is there */
#define ECHO_MAX 1000u
#define PAUSE_NS 20000000
#define UNTYPED  10u /* keys before those that count */

struct ring {
    uint32_t domid;
    struct xencons_interface *page;
    xenforeignmemory_handle *memory;
    xenevtchn_handle *events;
    evtchn_port_t port; /* ours */
};

static uint32_t load(uint32_t *index) { return __atomic_load_n(index, __ATOMIC_SEQ_CST); }

static void notify(const struct ring *r)
{
    if (xenevtchn_notify(r->events, r->port) != 0)
        err(1, "notify");
}

static void map(struct ring *r, xen_pfn_t frame)
{
    r->memory = xenforeignmemory_open(NULL, 0);
    if (r->memory == NULL)
        err(1, "privcmd");
    r->page = xenforeignmemory_map(r->memory, r->domid, PROT_READ | PROT_WRITE, 1, &frame, NULL);
    if (r->page == NULL)
        err(1, "domain %" PRIu32 ", frame %" PRIu64, r->domid, (uint64_t)frame);
}

static void bind_port(struct ring *r, uint32_t remote)
{
    xenevtchn_port_or_error_t port;

    r->events = xenevtchn_open(NULL, 0);
    if (r->events == NULL)
        err(1, "evtchn");
    port = xenevtchn_bind_interdomain(r->events, r->domid, remote);
    if (port < 0)
        err(1, "domain %" PRIu32 ", port %" PRIu32, r->domid, remote);
    r->port = (evtchn_port_t)port;
}

static void show(const struct ring *r)
{
    struct xencons_interface *p = r->page;

    printf("in_cons %" PRIu32 " in_prod %" PRIu32 " out_cons %" PRIu32 " out_prod %" PRIu32 " connection %u\n",
           load(&p->in_cons), load(&p->in_prod), load(&p->out_cons), load(&p->out_prod), p->connection);
}

static uint32_t *index_named(const struct ring *r, const char *name)
{
    struct xencons_interface *p = r->page;
    const struct {
        const char *name;
        uint32_t *index;
    } all[] = {
        {"in_cons", &p->in_cons}, {"in_prod", &p->in_prod}, {"out_cons", &p->out_cons}, {"out_prod", &p->out_prod}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(name, all[i].name) == 0)
            return all[i].index;
    errx(2, "no index %s", name);
}

/* ---- The limit. ---- */

struct sink {
    int file;
    size_t n;
    bool owed; /* an event for what was taken */
    uint8_t bytes[65536];
};

static void flush(struct sink *s)
{
    if (write(s->file, s->bytes, s->n) != (ssize_t)s->n)
        err(1, "write");
    s->n = 0;
}

/* What is there, at most the ring; the number of bytes. An impossible index is the end: nobody is to be protected here. */
static uint32_t take(struct ring *r, struct sink *s)
{
    struct xencons_interface *p = r->page;
    uint32_t cons = load(&p->out_cons), n = load(&p->out_prod) - cons;
    uint32_t at = cons % XENCONS_OUT_SIZE, first = XENCONS_OUT_SIZE - at;

    if (n == 0)
        return 0;
    if (n > XENCONS_OUT_SIZE)
        errx(1, "%" PRIu32 " bytes in the ring", n);
    if (s->n + n > sizeof s->bytes)
        flush(s);
    first = first < n ? first : n;
    memcpy(s->bytes + s->n, p->out + at, first);
    memcpy(s->bytes + s->n + first, p->out, n - first);
    s->n += n;
    __atomic_store_n(&p->out_cons, cons + n, __ATOMIC_SEQ_CST);
    s->owed = load(&p->out_prod) - cons != XENCONS_OUT_SIZE; /* full until just now: it may wait */
    if (!s->owed)
        notify(r);
    return n;
}

/* Nothing is left: who waits for that is told, and what was said is in the file. */
static void rest(struct ring *r, struct sink *s)
{
    if (s->owed)
        notify(r);
    s->owed = false;
    flush(s);
}

/* An event, or false: a while passed without. */
static bool event(const struct ring *r)
{
    struct pollfd fd = {.fd = xenevtchn_fd(r->events), .events = POLLIN};
    xenevtchn_port_or_error_t port;

    if (poll(&fd, 1, LOOK_MS) <= 0)
        return false;
    port = xenevtchn_pending(r->events);
    if (port < 0 || xenevtchn_unmask(r->events, (evtchn_port_t)port) != 0)
        err(1, "pending");
    return true;
}

/* A domain that is not there any more gives no page a second time. */
static bool is_gone(const struct ring *r, xen_pfn_t frame)
{
    void *again = xenforeignmemory_map(r->memory, r->domid, PROT_READ, 1, &frame, NULL);

    if (again != NULL)
        xenforeignmemory_unmap(r->memory, again, 1);
    return again == NULL;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void drain(struct ring *r, xen_pfn_t frame, const char *path, uint64_t most)
{
    static struct sink sink;
    uint64_t bytes = 0, events = 0;
    double began = 0;

    sink.file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (sink.file < 0)
        err(1, "%s", path);
    r->page->connection = XENCONSOLE_CONNECTED;
    notify(r);
    for (;;) {
        uint32_t n = take(r, &sink);

        if (bytes == 0 && n > 0)
            began = seconds();
        bytes += n;
        if (bytes >= most)
            break;
        if (n > 0)
            continue;
        rest(r, &sink);
        if (event(r))
            events++;
        else if (is_gone(r, frame))
            break;
    }
    rest(r, &sink);
    printf("drained %" PRIu64 " bytes in %.3f s, %" PRIu64 " events\n", bytes, began == 0 ? 0 : seconds() - began,
           events);
}

/* The other limit. */

static uint64_t nanoseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Take what the guest says; whether that byte was in it. */
static bool heard(struct ring *r, uint8_t key)
{
    struct xencons_interface *p = r->page;
    uint32_t cons = load(&p->out_cons), prod = load(&p->out_prod);
    bool found = false;

    for (; cons != prod; cons++)
        found = found || p->out[cons % XENCONS_OUT_SIZE] == key;
    __atomic_store_n(&p->out_cons, cons, __ATOMIC_SEQ_CST);
    return found;
}

static uint64_t one_echo(struct ring *r, uint8_t key)
{
    struct xencons_interface *p = r->page;
    uint64_t began = nanoseconds();

    p->in[load(&p->in_prod) % XENCONS_IN_SIZE] = key;
    __atomic_fetch_add(&p->in_prod, 1, __ATOMIC_SEQ_CST);
    notify(r);
    while (!heard(r, key))
        event(r);
    notify(r);
    return nanoseconds() - began;
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void echo(struct ring *r, uint32_t n)
{
    static uint64_t ns[ECHO_MAX];
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    uint64_t sum = 0;

    if (n == 0 || n > ECHO_MAX)
        errx(2, "1 to %u keys", ECHO_MAX);
    r->page->connection = XENCONSOLE_CONNECTED;
    heard(r, 0);
    for (uint32_t i = 0; i < UNTYPED + n; i++) {
        nanosleep(&pause, NULL);
        ns[i < UNTYPED ? 0 : i - UNTYPED] = one_echo(r, (uint8_t)('a' + i % 26));
    }
    for (uint32_t i = 0; i < n; i++)
        sum += ns[i];
    qsort(ns, n, sizeof ns[0], by_size);
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", ns[n / 2], sum / n, ns[(n - 1) * 99 / 100]);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t n = strtoull(text, &end, 0);

    if (*text == '\0' || *end != '\0')
        errx(2, "no number: %s", text);
    return n;
}

static int run(struct ring *r, xen_pfn_t frame, int n, char **words)
{
    if (n == 1 && strcmp(words[0], "show") == 0) {
        show(r);
    } else if (n == 2 && strcmp(words[0], "flag") == 0) {
        __atomic_store_n(&r->page->connection, (uint8_t)number(words[1]), __ATOMIC_SEQ_CST);
        notify(r);
    } else if (n == 3 && strcmp(words[0], "index") == 0) {
        __atomic_fetch_add(index_named(r, words[1]), (uint32_t)number(words[2]), __ATOMIC_SEQ_CST);
        notify(r);
    } else if (n == 2 && strcmp(words[0], "echo") == 0) {
        echo(r, (uint32_t)number(words[1]));
    } else if ((n == 2 || n == 3) && strcmp(words[0], "drain") == 0) {
        drain(r, frame, words[1], n == 3 ? number(words[2]) : UINT64_MAX);
    } else {
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct ring r = {0};

    if (argc < 5)
        errx(2, "usage: xen_ring DOMID FRAME PORT show|flag N|index NAME N|drain FILE [N]|echo N");
    r.domid = (uint32_t)number(argv[1]);
    map(&r, number(argv[2]));
    if (strcmp(argv[4], "show") != 0) /* it looks on beside whoever serves it */
        bind_port(&r, (uint32_t)number(argv[3]));
    if (run(&r, number(argv[2]), argc - 4, argv + 4) != 0)
        errx(2, "what is %s?", argv[4]);
    return 0;
}
