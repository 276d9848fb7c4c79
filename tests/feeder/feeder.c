/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "link.h"

#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define RETRY_MS 10 /* decisions: dial again within 10 ms of the socket's return, even if inotify missed it */

static const char usage[] =
    "feeder --link PATH [-n CONSOLES] [--name HYPERVISOR] [--prefix p] [--lines N] [--width W] [--go]\n"
    "       [--echo] [--out BYTES] [--in BYTES] [--spare CONSOLES]\n"
    "feeder --check LOGDIR [-n CONSOLES] [--prefix p] [--width W] BYTES...\n"
    "\n"
    "Stands for that many guests, domains p0, p1, ... with one console hvc0 each, on the service's real link.\n"
    "Writes N numbered lines on each (0: for ever) once told to go, waits when a line is full, dials again when the\n"
    "service returns. Spare consoles come and go as the service asks for them: the first free number, of device 0.\n"
    "Says: linked | served N | unlinked | refused I REASON TEXT | token I HOLDS WHO | request KIND DOMAIN | finished\n"
    "      console REQUEST DOMAIN NAME KIND DEVICE\n"
    "Takes: go           write\n"
    "       stop         end each console's current line; sent I BYTES for each, then done\n"
    "       lines I N    N more lines on console I; done (at once)\n"
    "       more N       N more lines on every console; done (at once)\n"
    "       sent         sent I BYTES for each, then done\n"
    "       waits        waits MICROSECONDS: the longest that any console had more to write and no room, since asked "
    "last; done\n"
    "       input I      got I COUNT HEX (the newest 4 KiB), then done\n"
    "       size I       size I ROWS COLUMNS, as last told, then done\n"
    "       event I KIND VALUE | state I STATE DROPPED | claim I 0|1 | gone I; each: done\n"
    "       drop         close the link and stay away; dial: come back\n"
    "       quit (or end of file)\n";

struct feeder {
    struct feeder_link link;
    struct feed *feeds;
    uint32_t n, width; /* n: with the spare ones */
    uint32_t out_size, in_size;
    bool echo;
    uint64_t target;
    struct feed *first, **last; /* the run queue */
    bool going, stopping, finished;
};

static void enqueue(struct feeder *r, struct feed *f)
{
    if (f->runnable)
        return;
    f->runnable = true;
    f->next = NULL;
    *r->last = f;
    r->last = &f->next;
}

static struct feed *dequeue(struct feeder *r)
{
    struct feed *f = r->first;

    r->first = f->next;
    if (r->first == NULL)
        r->last = &r->first;
    f->runnable = false;
    return f;
}

static void run_round(struct feeder *r)
{
    for (int i = 0; i < 16 && r->first != NULL; i++) {
        struct feed *f = dequeue(r);

        if (feed_run(f))
            enqueue(r, f);
    }
}

static bool all_written(const struct feeder *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->feeds[i].position < r->feeds[i].target)
            return false;
    return true;
}

static void say_sent(struct feeder *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        printf("sent %u %" PRIu64 "\n", i, r->feeds[i].position);
    puts("done");
}

static void say_waits(struct feeder *r)
{
    uint64_t longest_us = 0;

    for (uint32_t i = 0; i < r->n; i++) {
        if (r->feeds[i].longest_us > longest_us)
            longest_us = r->feeds[i].longest_us;
        r->feeds[i].longest_us = 0;
    }
    printf("waits %" PRIu64 "\ndone\n", longest_us);
}

static void go(struct feeder *r)
{
    r->going = true;
    for (uint32_t i = 0; i < r->n; i++) {
        if (!r->feeds[i].there)
            continue;
        r->feeds[i].target = r->target;
        enqueue(r, &r->feeds[i]);
    }
}

static void more(struct feeder *r, uint32_t lines)
{
    for (uint32_t i = 0; i < r->n; i++) {
        if (!r->feeds[i].there)
            continue;
        r->feeds[i].target = r->feeds[i].position + (uint64_t)lines * r->width;
        enqueue(r, &r->feeds[i]);
    }
    r->finished = false;
    r->going = true;
    puts("done");
}

static void stop(struct feeder *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        feed_stop(&r->feeds[i]);
    r->stopping = true;
    r->going = false;
}

static void say_input(const struct feed *f)
{
    uint64_t n = f->got < FEED_INPUT ? f->got : FEED_INPUT;

    printf("got %u %" PRIu64 " ", f->number, f->got);
    for (uint64_t i = f->got - n; i < f->got; i++)
        printf("%02x", f->input[i % FEED_INPUT]);
    puts("\ndone");
}

static void say_gone(struct feeder *r, struct feed *f)
{
    struct vc_link_answer gone = {.head = {VC_LINK_GONE, sizeof gone}, .cookie = f->number};

    link_send(&r->link, &gone, sizeof gone);
}

static void say_state(struct feeder *r, struct feed *f, uint32_t state, uint64_t dropped)
{
    struct vc_link_status status = {
        .head = {VC_LINK_STATE, sizeof status}, .cookie = f->number, .state = state, .dropped = dropped};

    link_send(&r->link, &status, sizeof status);
}

static void say_claim(struct feeder *r, struct feed *f, uint32_t holds)
{
    struct vc_link_claim claim = {.head = {VC_LINK_CLAIM, sizeof claim}, .cookie = f->number, .holds = holds};

    link_send(&r->link, &claim, sizeof claim);
}

/* Commands about one console. */
static void command_on(struct feeder *r, const char *word, struct feed *f, uint64_t a, uint64_t b)
{
    if (strcmp(word, "lines") == 0) {
        f->target = f->position + a * f->width;
        r->finished = false;
        r->going = true;
        enqueue(r, f);
    } else if (strcmp(word, "event") == 0) {
        if (!feed_post(f, (uint32_t)a, b))
            puts("full");
    } else if (strcmp(word, "state") == 0) {
        say_state(r, f, (uint32_t)a, b);
    } else if (strcmp(word, "claim") == 0) {
        say_claim(r, f, (uint32_t)a);
    } else if (strcmp(word, "gone") == 0) {
        say_gone(r, f);
    } else if (strcmp(word, "size") == 0) {
        printf("size %u %u %u\n", f->number, f->size >> 16, f->size & 0xffff);
    } else {
        errx(2, "no command %s", word);
    }
    puts("done");
}

static void command(struct feeder *r, const char *line)
{
    char word[16] = "";
    uint32_t i = 0;
    uint64_t a = 0, b = 0;
    int words = sscanf(line, "%15s %" SCNu32 " %" SCNu64 " %" SCNu64, word, &i, &a, &b);

    if (strcmp(word, "go") == 0) {
        go(r);
    } else if (strcmp(word, "stop") == 0) {
        stop(r);
    } else if (strcmp(word, "sent") == 0) {
        say_sent(r);
    } else if (strcmp(word, "more") == 0) {
        more(r, i);
    } else if (strcmp(word, "waits") == 0) {
        say_waits(r);
    } else if (strcmp(word, "drop") == 0 || strcmp(word, "dial") == 0) {
        r->link.paused = word[1] == 'r';
        r->link.paused ? link_drop(&r->link) : link_dial(&r->link);
    } else if (strcmp(word, "quit") == 0) {
        exit(0);
    } else if (words < 2 || i >= r->n || !r->feeds[i].there) {
        errx(2, "which console? %s", line);
    } else if (strcmp(word, "input") == 0) {
        say_input(&r->feeds[i]);
    } else {
        command_on(r, word, &r->feeds[i], a, b);
    }
}

static void read_commands(struct feeder *r)
{
    static char buffer[4096];
    static size_t used;
    ssize_t n = read(STDIN_FILENO, buffer + used, sizeof buffer - 1 - used);
    char *end;

    if (n <= 0)
        exit(0);
    used += (size_t)n;
    buffer[used] = '\0';
    while ((end = strchr(buffer, '\n')) != NULL) {
        *end = '\0';
        command(r, buffer);
        used -= (size_t)(end + 1 - buffer);
        memmove(buffer, end + 1, used + 1);
    }
}

static void watch(struct feeder *r, int fd, uint32_t events, uint64_t tag)
{
    struct epoll_event e = {.events = events, .data.u64 = tag};

    if (epoll_ctl(r->link.epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        err(1, "epoll");
}

/* Tags: a descriptor number for the few, and this plus the console's number for the many. */
#define TAG_FEED (UINT64_C(1) << 32)

static void handle(struct feeder *r, const struct epoll_event *e)
{
    char names[4096];

    if (e->data.u64 >= TAG_FEED) {
        enqueue(r, &r->feeds[e->data.u64 - TAG_FEED]);
    } else if (e->data.fd == STDIN_FILENO) {
        read_commands(r);
    } else if (e->data.fd == r->link.inotify) {
        (void)!read(r->link.inotify, names, sizeof names);
        link_dial(&r->link);
    } else {
        link_ready(&r->link, e->events);
    }
}

static void loop(struct feeder *r)
{
    struct epoll_event events[64];

    for (;;) {
        bool retry = r->link.socket < 0 && !r->link.paused;
        int n = epoll_wait(r->link.epoll, events, 64, r->first != NULL ? 0 : retry ? RETRY_MS : -1);

        for (int i = 0; i < n; i++)
            handle(r, &events[i]);
        if (n == 0 && retry)
            link_dial(&r->link);
        run_round(r);
        if (r->going && !r->finished && r->first == NULL && all_written(r)) {
            r->finished = true;
            puts("finished");
        }
        if (r->stopping && all_written(r)) {
            r->stopping = false;
            say_sent(r);
        }
    }
}

static void begin(void *ctx, struct feed *f)
{
    struct feeder *r = ctx;
    uint32_t i = (uint32_t)(f - r->feeds);

    feed_open(f, i, r->width, r->out_size, r->in_size);
    f->echo = r->echo;
    f->kind = VC_LINK_FEEDER;
    snprintf(f->domain, sizeof f->domain, "%s%u", r->link.prefix, i);
    strcpy(f->console, "hvc0");
    feed_post(f, VC_LINE_BOOT, 1);
    watch(r, f->fds[VC_LINK_FD_OUT_ROOM], EPOLLIN | EPOLLET, TAG_FEED + i);
    watch(r, f->fds[VC_LINK_FD_IN_BYTES], EPOLLIN | EPOLLET, TAG_FEED + i);
    enqueue(r, f);
}

static void end(void *ctx, struct feed *f)
{
    struct feeder *r = ctx;

    /* The service has the same descriptions: closing ours alone would go on telling of them. */
    epoll_ctl(r->link.epoll, EPOLL_CTL_DEL, f->fds[VC_LINK_FD_OUT_ROOM], NULL);
    epoll_ctl(r->link.epoll, EPOLL_CTL_DEL, f->fds[VC_LINK_FD_IN_BYTES], NULL);
    feed_close(f);
}

static void open_feeds(struct feeder *r, uint32_t spare)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* five descriptors a console */
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    r->feeds = calloc(r->n + spare, sizeof *r->feeds);
    if (r->feeds == NULL)
        err(1, "consoles");
    for (uint32_t i = 0; i < r->n; i++)
        begin(r, &r->feeds[i]);
    r->n += spare;
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);

    if (*end != '\0' || value < min || value > max)
        errx(2, "%s is not a number from %" PRIu64 " to %" PRIu64, text, min, max);
    return value;
}

static int check(const struct feeder *r, const char *logs, char **totals, int n_totals)
{
    char path[4096];
    int bad = 0;

    if ((uint32_t)n_totals != r->n)
        errx(2, "--check: expected %u numbers of bytes", r->n);
    for (uint32_t i = 0; i < r->n; i++) {
        snprintf(path, sizeof path, "%s/%s%u/hvc0", logs, r->link.prefix, i);
        bad |= check_log(path, i, r->width, number(totals[i], 0, UINT64_MAX));
    }
    return bad;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"link", 1, NULL, 'l'},  {"name", 1, NULL, 'N'},  {"prefix", 1, NULL, 'p'},
                                            {"lines", 1, NULL, 'L'}, {"width", 1, NULL, 'w'}, {"go", 0, NULL, 'g'},
                                            {"echo", 0, NULL, 'e'},  {"out", 1, NULL, 'o'},   {"in", 1, NULL, 'i'},
                                            {"check", 1, NULL, 'c'}, {"help", 0, NULL, 'h'},  {"spare", 1, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    struct feeder r = {.n = 1,
                       .width = 80,
                       .out_size = VC_LINE_OUT_DEFAULT,
                       .in_size = VC_LINE_IN_DEFAULT,
                       .link = {.name = "feeder", .prefix = "f", .begin = begin, .end = end, .ctx = &r}};
    uint32_t spare = 0;
    uint64_t lines = 0;
    bool start = false;
    const char *logs = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
        switch (c) {
        case 'l': r.link.path = optarg; break;
        case 'N': r.link.name = optarg; break;
        case 'p': r.link.prefix = optarg; break;
        case 'n': r.n = (uint32_t)number(optarg, 1, 100000); break;
        case 'L': lines = number(optarg, 0, UINT32_MAX); break;
        case 'w': r.width = (uint32_t)number(optarg, FEED_WIDTH_MIN, FEED_WIDTH_MAX); break;
        case 'g': start = true; break;
        case 'e': r.echo = true; break;
        case 's': spare = (uint32_t)number(optarg, 0, 1000); break;
        case 'o': r.out_size = (uint32_t)number(optarg, VC_LINE_SIZE_MIN, VC_LINE_SIZE_MAX); break;
        case 'i': r.in_size = (uint32_t)number(optarg, VC_LINE_SIZE_MIN, VC_LINE_SIZE_MAX); break;
        case 'c': logs = optarg; break;
        case 'h': fputs(usage, stdout); return 0;
        default: fputs(usage, stderr); return 2;
        }
    }
    if (logs != NULL)
        return check(&r, logs, argv + optind, argc - optind);
    if (r.link.path == NULL || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    r.last = &r.first;
    r.target = lines == 0 ? UINT64_MAX : lines * r.width;
    r.link.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r.link.epoll < 0)
        err(1, "epoll");
    open_feeds(&r, spare);
    r.link.feeds = r.feeds;
    r.link.n_feeds = r.n;
    watch(&r, STDIN_FILENO, EPOLLIN, STDIN_FILENO);
    link_open(&r.link);
    watch(&r, r.link.inotify, EPOLLIN, (uint64_t)r.link.inotify);
    if (start)
        go(&r);
    loop(&r);
}
