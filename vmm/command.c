/* SPDX-License-Identifier: MIT */
/*
 * The engine `command`: a program on a pseudo-terminal as a guest. A thread carries bytes between its terminal and the
 * domain; a keeper (command_keeper.h) holds its processes.
 */
#include "command_keeper.h"
#include "config.h"
#include "engine.h"
#include "host/clock.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { OUT_BYTES = 16384, IN_BYTES = 256 };
enum { ROWS = 24, COLUMNS = 80 };
/* After that a domain is over, whatever its processes still do; but for output that is held. */
#define STOP_LIMIT_MS 3000

struct command_engine {
    struct domain *domain;
    const struct domain_config *config;
    int keeper, wake;
    atomic_uint size; /* rows << 16 | columns */
    pthread_t thread;
    atomic_int terminal; /* the master; -1: none. Made by start, closed by stop: the loop's thread */

    /* The thread's, while it runs. */
    bool heard_exit, gone, hung_up, stopping;
    int32_t status;
    uint64_t stop_at_ms;
    char out[OUT_BYTES], in[IN_BYTES]; /* read from the terminal, or for it, and not yet passed on */
    size_t out_at, n_out, in_at, n_in;
};

static bool usable(struct problem *why) { return keeper_prepare(why) == 0; }

static int check(const struct domain_config *config, struct problem *problem)
{
    const struct keeper_command c = {config->name, NULL, config->directory, config->command};

    if (config->command[0] == NULL || config->command[0][0] == '\0')
        return problem_set(problem, -1, "command names no program");
    if (keeper_command_bytes(&c) > KEEPER_MAX_BYTES - 4096)
        return problem_set(problem, -1, "command is longer than %u bytes", KEEPER_MAX_BYTES - 4096);
    return 0;
}

static void destroy(void *engine)
{
    struct command_engine *e = engine;

    if (e->keeper >= 0)
        close(e->keeper);
    if (e->wake >= 0)
        close(e->wake);
    free(e);
}

static void *create(struct domain *d, const struct domain_config *config, struct guest_memory *memory,
                    struct problem *problem)
{
    struct command_engine *e = calloc(1, sizeof *e);

    (void)memory;
    if (e == NULL) {
        problem_set(problem, -1, "no memory");
        return NULL;
    }
    e->domain = d;
    e->config = config;
    atomic_init(&e->size, ROWS << 16 | COLUMNS);
    atomic_init(&e->terminal, -1);
    e->keeper = keeper_create(problem);
    e->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (e->keeper >= 0 && e->wake < 0)
        problem_set(problem, -1, "no event descriptor: %s", strerror(errno));
    if (e->keeper >= 0 && e->wake >= 0)
        return e;
    destroy(e);
    return NULL;
}

/* ---- Bytes. ---- */

static void read_terminal(struct command_engine *e)
{
    ssize_t n = read(e->terminal, e->out, sizeof e->out);

    e->out_at = 0;
    e->n_out = n > 0 ? (size_t)n : 0;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        e->hung_up = true; /* EIO: nobody has the other side open, and all was read */
}

/* All that the domain takes: until the terminal is empty or the domain holds us back. */
static void carry_out(struct command_engine *e)
{
    while (!e->hung_up || e->n_out > 0) {
        size_t put;

        if (e->n_out == 0)
            read_terminal(e);
        if (e->n_out == 0)
            return;
        put = domain_stream_put(e->domain, e->out + e->out_at, e->n_out);
        e->out_at += put;
        e->n_out -= put;
        if (e->n_out > 0)
            return; /* held: wake comes */
    }
}

/* No more than the terminal takes: what is typed ahead of a busy program waits in the line, not in the kernel. */
static void carry_in(struct command_engine *e)
{
    while (!e->hung_up) {
        ssize_t n;

        if (e->n_in == 0) {
            e->in_at = 0;
            e->n_in = domain_stream_get(e->domain, e->in, sizeof e->in);
        }
        if (e->n_in == 0)
            return;
        n = write(e->terminal, e->in + e->in_at, e->n_in);
        if (n <= 0)
            return; /* full: POLLOUT comes */
        e->in_at += (size_t)n;
        e->n_in -= (size_t)n;
    }
}

/* ---- The thread. ---- */

static void hear(struct command_engine *e)
{
    struct keeper_message m;
    int heard;

    while ((heard = keeper_hear(e->keeper, &m)) > 0) {
        if (m.kind == KEEPER_EXITED) {
            e->heard_exit = true;
            e->status = m.value;
        }
        if (m.kind == KEEPER_GONE)
            e->gone = true;
    }
    if (heard < 0 && !e->gone) {
        domain_crashed(e->domain, "the process that keeps its processes is gone");
        e->gone = true;
    }
}

static void look_at_stopping(struct command_engine *e)
{
    if (e->stopping || !domain_stopping(e->domain))
        return;
    e->stopping = true;
    e->stop_at_ms = clock_ms() + STOP_LIMIT_MS;
    keeper_stop(e->keeper);
}

/* Over when nothing runs and every byte was passed on; at the limit, when every byte was that we read so far. */
static bool over(struct command_engine *e)
{
    if (e->stopping && clock_ms() >= e->stop_at_ms)
        e->gone = e->hung_up = true;
    return e->gone && e->hung_up && e->n_out == 0;
}

static void sleep_until_work(struct command_engine *e)
{
    struct pollfd fds[3] = {{.fd = e->wake, .events = POLLIN},
                            {.fd = e->gone ? -1 : e->keeper, .events = POLLIN},
                            {.fd = e->hung_up || e->n_out > 0 ? -1 : e->terminal, .events = POLLIN}};
    uint64_t now = clock_ms(), count;
    int timeout_ms = !e->stopping || (e->gone && e->hung_up) ? -1
                     : e->stop_at_ms > now                   ? (int)(e->stop_at_ms - now)
                                                             : 0;

    if (e->n_in > 0 && fds[2].fd >= 0)
        fds[2].events |= POLLOUT;
    if (poll(fds, 3, timeout_ms) > 0 && fds[0].revents != 0 && read(e->wake, &count, sizeof count) < 0)
        return; /* somebody else's wake was taken: nothing to do */
}

static void *run(void *engine)
{
    struct command_engine *e = engine;

    while (!over(e)) {
        sleep_until_work(e);
        look_at_stopping(e);
        hear(e);
        carry_out(e);
        carry_in(e);
    }
    if (!e->stopping)
        domain_exited(e->domain, e->status);
    domain_ended(e->domain);
    return NULL;
}

static int start(void *engine, struct problem *problem)
{
    struct command_engine *e = engine;
    struct keeper_command c = {e->config->name, domain_directory(e->domain), e->config->directory, e->config->command};
    unsigned size = atomic_load(&e->size);
    struct keeper_message m;
    sigset_t all, before;
    int result;

    while (keeper_hear(e->keeper, &m) > 0) /* what the last run left */
        continue;
    e->heard_exit = e->gone = e->hung_up = e->stopping = false;
    e->status = 0;
    e->n_out = e->n_in = 0;
    e->terminal = keeper_start(e->keeper, &c, (uint16_t)(size >> 16), (uint16_t)size, problem);
    if (e->terminal < 0)
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&e->thread, NULL, run, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (result == 0)
        return 0;
    keeper_stop(e->keeper);
    close(e->terminal);
    e->terminal = -1;
    return problem_set(problem, -1, "no thread for a command: %s", strerror(result));
}

static void kick(void *engine)
{
    struct command_engine *e = engine;
    const uint64_t one = 1;

    (void)!write(e->wake, &one, sizeof one); /* a counter that is full: it is awake */
}

static void resize(void *engine, unsigned rows, unsigned columns)
{
    struct command_engine *e = engine;
    const struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    atomic_store(&e->size, (rows & 0xffff) << 16 | (columns & 0xffff));
    if (e->terminal >= 0)
        ioctl(e->terminal, TIOCSWINSZ, &size);
}

static void stop(void *engine)
{
    struct command_engine *e = engine;

    pthread_join(e->thread, NULL);
    close(e->terminal);
    e->terminal = -1;
}

static int reset(void *engine, struct problem *problem)
{
    struct command_engine *e = engine;
    struct keeper_message m;
    int heard;

    while ((heard = keeper_hear(e->keeper, &m)) > 0) /* what the last run left */
        continue;
    if (heard == 0)
        return 0; /* a start makes the rest anew */
    if (e->keeper >= 0)
        close(e->keeper); /* it was killed */
    e->keeper = keeper_create(problem);
    return e->keeper >= 0 ? 0 : -1;
}

const struct engine_ops engine_command = {
    .name = "command",
    .stream = true,
    .usable = usable,
    .check = check,
    .create = create,
    .start = start,
    .kick = kick,
    .wake = kick,
    .resize = resize,
    .stop = stop,
    .reset = reset,
    .destroy = destroy,
};
