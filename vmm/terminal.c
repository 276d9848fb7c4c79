/* SPDX-License-Identifier: MIT */
#include "terminal.h"
#include "vmm.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * An own description of what fd is: flags set on it are nobody else's. A file keeps the shared one, for that holds its
 * offset; so does a socket, which cannot be opened.
 */
static int reopen(int fd, int mode)
{
    struct stat st;
    char path[32];
    int own = -1;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fstat(fd, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)))
        own = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void set_raw(struct terminal *t)
{
    struct termios raw = t->saved;

    cfmakeraw(&raw);
    tcsetattr(t->in_fd, TCSADRAIN, &raw);
}

static void typed(uv_poll_t *poll, int status, int events)
{
    struct terminal *t = poll->data;
    uint8_t keys[1024];
    ssize_t n;

    (void)events;
    n = status < 0 ? 0 : read(t->in_fd, keys, sizeof keys);
    if (n > 0) {
        vc_focus_type(&t->vmm->focus, keys, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        uv_poll_stop(poll); /* no more keys; not a reason to quit */
        t->has_keys = false;
        vmm_no_keys(t->vmm);
    }
}

/* True: the terminal took all of the chunk. What it cannot take for good (EIO: it has gone) counts as taken. */
static bool write_chunk(struct terminal *t)
{
    while (t->at < t->n) {
        ssize_t n = t->out_fd < 0 ? (ssize_t)(t->n - t->at) : write(t->out_fd, t->chunk + t->at, t->n - t->at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return false;
        t->at += n < 0 ? t->n - t->at : (size_t)n;
    }
    return true;
}

static bool next_chunk(struct terminal *t)
{
    struct console *console = &t->vmm->console;

    t->at = 0;
    t->n = vc_focus_take(&t->vmm->focus, t->chunk, sizeof t->chunk);
    console_lock(console);
    console_put(console, t->chunk, (uint32_t)t->n); /* hold = 0: takes all, always */
    console_unlock(console);
    return t->n > 0;
}

static void quiet(struct terminal *t, bool quiet)
{
    struct console *console = &t->vmm->console;

    console_lock(console);
    console_quiet(console, quiet);
    console_unlock(console);
}

/* The service hears of all chunks at once. */
static bool write_all(struct terminal *t)
{
    bool all = true;

    quiet(t, true);
    do
        all = write_chunk(t);
    while (all && next_chunk(t));
    quiet(t, false);
    return all;
}

static void writable(uv_poll_t *poll, int status, int events)
{
    struct terminal *t = poll->data;

    (void)status, (void)events;
    if (write_all(t))
        uv_poll_stop(poll);
}

void terminal_write(struct terminal *t)
{
    if (!write_all(t) && t->out_ready)
        uv_poll_start(&t->out, UV_WRITABLE, writable);
}

bool terminal_open(struct terminal *t, struct vmm *vmm)
{
    *t = (struct terminal){.vmm = vmm, .in_fd = reopen(0, O_RDONLY), .out_fd = reopen(1, O_WRONLY)};
    signal(SIGTTOU, SIG_IGN); /* in the background: settings wait for SIGCONT, output goes its way */
    signal(SIGTTIN, SIG_IGN);
    if (t->in_fd >= 0 && tcgetattr(t->in_fd, &t->saved) == 0) {
        t->raw = true;
        set_raw(t);
    }
    t->in.data = t->out.data = t;
    t->in_ready = t->in_fd >= 0 && uv_poll_init(&vmm->loop, &t->in, t->in_fd) == 0;
    t->has_keys = t->in_ready;
    if (t->in_ready)
        uv_poll_start(&t->in, UV_READABLE, typed);
    /* A file cannot be polled, and need not be: it is never full for long. */
    t->out_ready = t->out_fd >= 0 && uv_poll_init(&vmm->loop, &t->out, t->out_fd) == 0;
    return t->raw && isatty(t->out_fd);
}

void terminal_again(struct terminal *t)
{
    if (t->raw)
        set_raw(t);
}

/* rows << 16 | columns; 0: nobody knows. */
static uint32_t size_of(const struct terminal *t)
{
    struct winsize size;

    if (!t->raw)
        return t->viewers_size >> 16 != 0 && (t->viewers_size & 0xffff) != 0 ? t->viewers_size : 0;
    if (!t->has_keys || t->out_fd < 0 || ioctl(t->out_fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 ||
        size.ws_col == 0)
        return 0;
    return (uint32_t)size.ws_row << 16 | size.ws_col;
}

void terminal_resized(struct terminal *t)
{
    struct vmm *vmm = t->vmm;
    uint32_t size = size_of(t), id = vc_focus_id(&vmm->focus);
    struct domain *d = id != 0 ? vmm_domain_of_id(vmm, id) : NULL;

    if (size != 0 && d != NULL && link_holder(&vmm->link, id)[0] == '\0')
        domain_console_resize(d, 0, size >> 16, size & 0xffff);
}

void terminal_drain(struct terminal *t, unsigned wait_ms)
{
    uint64_t deadline = vmm_now_ms() + wait_ms;
    struct pollfd p = {.fd = t->out_fd, .events = POLLOUT};

    while (!write_all(t) && vmm_now_ms() < deadline)
        poll(&p, 1, (int)(deadline - vmm_now_ms()));
}

void terminal_close(struct terminal *t)
{
    if (t->in_ready)
        uv_close((uv_handle_t *)&t->in, NULL);
    if (t->out_ready)
        uv_close((uv_handle_t *)&t->out, NULL);
    if (t->raw)
        tcsetattr(t->in_fd, TCSADRAIN, &t->saved);
    if (t->in_fd >= 0)
        close(t->in_fd);
    if (t->out_fd >= 0)
        close(t->out_fd);
    t->in_ready = t->out_ready = t->raw = t->has_keys = false;
    t->in_fd = t->out_fd = -1;
}
