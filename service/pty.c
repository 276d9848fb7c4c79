/* SPDX-License-Identifier: MIT */
#include "pty.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "console.h"
#include "pty_place.h"
#include "raw.h"
#include "service.h"
#include "viewer.h"

#define EVENTS  64u  /* of inotify, read at once */
#define KEEP_MS 1000 /* how often its place is written down while it is read */

struct pty {
    struct pty *next;
    struct console *console;
    enum pty_for what;
    struct viewer *viewer; /* NULL: nobody has it open */
    uint64_t offset;       /* of the log, where the next one goes on */
    uint32_t size;         /* as it was last seen, rows << 16 | columns */
    int master, wd;        /* wd: the inotify watch on the slave */
    char path[32];         /* of the slave */
    uint8_t line_id[16];   /* by it the place is kept; zero: it is not */
    uint64_t kept;         /* that place; UINT64_MAX: none is */
    bool withdrawn;        /* it goes when nobody has it open any more */
};

/* Its place. */

static bool is_kept(const struct pty *pty)
{
    static const uint8_t none[sizeof pty->line_id];

    return memcmp(pty->line_id, none, sizeof none) != 0;
}

static void keep(struct pty *pty)
{
    uint64_t offset = pty->viewer != NULL ? viewer_offset(pty->viewer) : pty->offset;

    if (is_kept(pty) && offset != pty->kept &&
        pty_place_keep(pty->console->service->paths.runtime, pty->line_id, offset) == 0)
        pty->kept = offset;
}

static void forget(struct pty *pty)
{
    if (is_kept(pty))
        pty_place_forget(pty->console->service->paths.runtime, pty->line_id);
}

static void keep_all(uv_timer_t *timer)
{
    struct service *s = timer->data;
    bool read = false;

    for (struct pty *pty = s->ptys.first; pty != NULL; pty = pty->next) {
        keep(pty);
        read = read || (pty->viewer != NULL && is_kept(pty));
    }
    if (!read)
        uv_timer_stop(timer);
}

static void keep_while_read(struct pty *pty)
{
    uv_timer_t *timer = &pty->console->service->ptys.keep;

    if (is_kept(pty) && !uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, keep_all, KEEP_MS, KEEP_MS);
}

/* Modes. */

static void make_raw(const struct pty *pty)
{
    struct termios modes;

    if (tcgetattr(pty->master, &modes) != 0) /* of a pty both ends have the slave's */
        return;
    cfmakeraw(&modes);
    (void)tcsetattr(pty->master, TCSANOW, &modes);
}

/* A hang-up sets the modes of a terminal for people; so may somebody who leaves. An echo would have the guest read its own
 * output as if it were typed. */
static void end_echo(const struct pty *pty)
{
    struct termios modes;

    if (tcgetattr(pty->master, &modes) == 0 && (modes.c_lflag & ECHO) != 0)
        make_raw(pty);
}

void pty_typed(struct pty *pty)
{
    struct winsize size;
    uint32_t now;

    if (ioctl(pty->master, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        return;
    now = (uint32_t)size.ws_row << 16 | size.ws_col;
    if (now == pty->size)
        return;
    pty->size = now;
    console_resize(pty->console, now);
}

/* Somebody opens or closes it. */

static void opened(struct pty *pty)
{
    struct console *c = pty->console;
    struct service *s = c->service;
    char who[TOKEN_WHO_BYTES];
    struct viewer_wish wish = {
        .offset = pty->offset, .end = UINT64_MAX, .pty = pty, .may_write = true, .uid = s->own.uid, .who = who};
    int error = -EMFILE;

    if (pty->viewer != NULL) {
        viewer_reopened(pty->viewer);
        return;
    }
    snprintf(who, sizeof who, "pty %s", pty->path);
    if (clients_enter(s, s->own.uid) && (error = viewer_create(c, pty->master, &wish)) != 0)
        clients_leave(s, s->own.uid);
    if (error) {
        message("%s is open and shows nothing of %s/%s: %s", pty->path, c->log.domain, c->log.console,
                strerror(-error));
        return;
    }
    pty->viewer = viewer_newest(c);
    keep_while_read(pty);
    viewer_begin(pty->viewer);
}

void pty_left(struct pty *pty, uint64_t offset)
{
    pty->viewer = NULL;
    pty->offset = offset;
    keep(pty);
    make_raw(pty);
    pty_gone(pty->console);
}

static void noticed(struct ptys *ptys, const struct inotify_event *e)
{
    for (struct pty *pty = ptys->first; pty != NULL; pty = pty->next) {
        if (pty->wd != e->wd && (e->mask & IN_Q_OVERFLOW) == 0)
            continue;
        if (e->mask & IN_CLOSE)
            end_echo(pty);
        if (e->mask & (IN_OPEN | IN_Q_OVERFLOW)) /* if nobody has, its viewer finds out */
            opened(pty);
    }
}

static void opened_ready(struct watch *w, uint32_t events)
{
    struct ptys *ptys = (struct ptys *)((char *)w - offsetof(struct ptys, opened));
    _Alignas(struct inotify_event) char events_read[EVENTS * sizeof(struct inotify_event)];
    ssize_t n = read(w->fd, events_read, sizeof events_read);

    (void)events;
    for (ssize_t at = 0; at < n; at += (ssize_t)sizeof(struct inotify_event)) /* of single files: without names */
        noticed(ptys, (const struct inotify_event *)(const void *)(events_read + at));
}

static int watch_opens(struct service *s)
{
    struct watch *w = &s->ptys.opened;
    int fd;

    if (w->on)
        return 0;
    fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return -errno;
    *w = (struct watch){.ready = opened_ready, .fd = fd};
    uv_timer_init(&s->loop, &s->ptys.keep);
    s->ptys.keep.data = s;
    return watch_set(&s->watches, w, EPOLLIN);
}

/* Life. */

/* A raw slave that nobody has open, named in pty->path. */
static int make_slave(struct pty *pty, struct problem *p)
{
    unsigned number;
    int slave, error;

    pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (pty->master < 0)
        return problem_set(p, -errno, "/dev/ptmx: %s", strerror(errno));
    if (unlockpt(pty->master) != 0 || ioctl(pty->master, TIOCGPTN, &number) != 0)
        return problem_set(p, -errno, "/dev/ptmx: %s", strerror(errno));
    snprintf(pty->path, sizeof pty->path, "/dev/pts/%u", number);
    slave = open(pty->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (slave < 0)
        return problem_set(p, -errno, "%s: %s", pty->path, strerror(errno));
    make_raw(pty);
    error = fchmod(slave, 0600) != 0 ? -errno : 0;
    close(slave);
    return error ? problem_set(p, error, "%s: %s", pty->path, strerror(-error)) : 0;
}

static int watch_slave(struct service *s, struct pty *pty, struct problem *p)
{
    int error = watch_opens(s);

    if (error == 0) {
        pty->wd = inotify_add_watch(s->ptys.opened.fd, pty->path, IN_OPEN | IN_CLOSE);
        error = pty->wd < 0 ? -errno : 0;
    }
    return error ? problem_set(p, error, "%s: inotify: %s", pty->path, strerror(-error)) : 0;
}

static int make_link(const struct console *c, const struct pty *pty, struct problem *p)
{
    char path[PATHS_SOCKET_BYTES];
    int error = raw_directory(c);

    if (error == 0)
        error = raw_path(c, ".pty", path, p);
    if (error)
        return problem_set(p, error, "a link to %s: %s", pty->path, strerror(-error));
    unlink(path); /* what a service that was killed left */
    if (symlinkat(pty->path, AT_FDCWD, path) != 0)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

/* Accepts one that is half made. */
static void destroy(struct pty *pty)
{
    struct service *s = pty->console->service;

    if (pty->wd >= 0)
        inotify_rm_watch(s->ptys.opened.fd, pty->wd);
    if (pty->master >= 0)
        close(pty->master);
    free(pty);
}

const char *pty_open(struct console *c, enum pty_for what, uint64_t from, struct problem *p)
{
    struct service *s = c->service;
    struct pty *pty;

    if (c->pty[what] != NULL && c->pty[what]->withdrawn && make_link(c, c->pty[what], p) != 0)
        return NULL;
    if (c->pty[what] != NULL) {
        c->pty[what]->withdrawn = false;
        return c->pty[what]->path;
    }
    pty = calloc(1, sizeof *pty);
    if (pty == NULL) {
        problem_set(p, -ENOMEM, "out of memory");
        return NULL;
    }
    *pty = (struct pty){.console = c, .what = what, .offset = from, .master = -1, .wd = -1, .kept = UINT64_MAX};
    if (make_slave(pty, p) != 0 || watch_slave(s, pty, p) != 0 || (what == PTY_LINK && make_link(c, pty, p) != 0)) {
        destroy(pty);
        return NULL;
    }
    pty->next = s->ptys.first;
    s->ptys.first = pty;
    c->pty[what] = pty;
    return pty->path;
}

const char *pty_open_line(struct console *c, const uint8_t line_id[16], struct problem *p)
{
    const char *path;
    struct log_status log;
    struct pty *pty;
    uint64_t from;

    log_status_get(&c->log, &log);
    from = log.length;
    if (pty_place_find(c->service->paths.runtime, line_id, &from) && from > log.length)
        from = log.length;
    path = pty_open(c, PTY_MODULE, from, p);
    pty = c->pty[PTY_MODULE];
    if (pty == NULL || memcmp(pty->line_id, line_id, sizeof pty->line_id) == 0)
        return path;
    forget(pty); /* somebody still has it open from the guest before */
    memcpy(pty->line_id, line_id, sizeof pty->line_id);
    pty->kept = UINT64_MAX;
    keep(pty);
    if (pty->viewer != NULL)
        keep_while_read(pty);
    return path;
}

const char *pty_path(const struct console *c, enum pty_for what)
{
    return c->pty[what] != NULL && !c->pty[what]->withdrawn ? c->pty[what]->path : NULL;
}

void pty_unlink(const struct console *c)
{
    char path[PATHS_SOCKET_BYTES];

    if (c->pty[PTY_LINK] != NULL && raw_path(c, ".pty", path, NULL) == 0)
        unlink(path);
}

void pty_link(const struct console *c)
{
    struct problem p = {.text = ""};

    if (pty_path(c, PTY_LINK) != NULL && make_link(c, c->pty[PTY_LINK], &p) != 0)
        message("%s/%s: %s", c->log.domain, c->log.console, p.text);
}

static void close_one(struct pty *pty)
{
    struct console *c = pty->console;
    struct pty **at = &c->service->ptys.first;

    assert(pty->viewer == NULL);
    while (*at != pty)
        at = &(*at)->next;
    *at = pty->next;
    if (pty->what == PTY_LINK && !pty->withdrawn)
        pty_unlink(c);
    c->pty[pty->what] = NULL;
    destroy(pty);
}

void pty_gone(struct console *c)
{
    for (int i = 0; i < PTYS; i++)
        if (c->pty[i] != NULL && c->pty[i]->viewer == NULL &&
            (c->pty[i]->withdrawn || (c->gone && c->source == NULL))) {
            forget(c->pty[i]);
            close_one(c->pty[i]);
        }
}

void pty_withdraw(struct console *c)
{
    if (pty_path(c, PTY_LINK) == NULL)
        return;
    pty_unlink(c);
    c->pty[PTY_LINK]->withdrawn = true;
    pty_gone(c);
}

void pty_close(struct console *c)
{
    for (int i = 0; i < PTYS; i++)
        if (c->pty[i] != NULL)
            close_one(c->pty[i]);
}

void ptys_close(struct service *s)
{
    assert(s->ptys.first == NULL);
    if (!s->ptys.opened.on)
        return;
    watch_end(&s->watches, &s->ptys.opened);
    close(s->ptys.opened.fd);
}
