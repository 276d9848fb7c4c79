/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console.h"
#include "copy_text.h"
#include "host/crc32c.h"
#include "host/thread.h"
#include "service.h"

#define PIECE      (64u * 1024)  /* of the log at once */
#define TEXT       (128u * 1024) /* of text at once */
#define TURN_BYTES (1u << 20)    /* to one file before the others have their turn */
#define OPENED     "Logfile Opened\n"

struct kept { /* in the state directory; native byte order: it is this machine's */
    uint64_t device, inode;
    uint64_t length; /* of the file, when ... */
    uint64_t offset; /* ... so much of the log was in it */
    uint32_t in_line, crc;
};

struct copy {
    struct copy *next; /* of those with work; guarded by copies->lock, as are: */
    bool due, wanted;
    struct console *console;
    uint64_t from;             /* where the very first begins */
    struct copy *next_refused; /* the thread's, as all below */
    bool refused, open, said;
    struct log_cursor cursor;
    struct copy_text text;
    uint64_t length, skip; /* of the file; how much of the text to come is there already */
    uint32_t opened;
    int text_fd, kept_fd;
    struct kept kept;
};

/* The list. */

static void push(struct copies *k, struct copy *c) /* under the lock */
{
    if (c->due)
        return;
    c->due = true;
    c->next = NULL;
    *k->last = c;
    k->last = &c->next;
    pthread_cond_signal(&k->wake);
}

static void push_locked(struct copies *k, struct copy *c)
{
    pthread_mutex_lock(&k->lock);
    push(k, c);
    pthread_mutex_unlock(&k->lock);
}

void copy_due(struct console *c)
{
    struct copy *copy = __atomic_load_n(&c->copy, __ATOMIC_ACQUIRE); /* pairs with copy_begin's release */

    if (copy != NULL) /* who takes it out of the list does so under the lock, and looks into the log afterwards */
        push_locked(&c->service->copies, copy);
}

/* Names. */

static bool is_hypervisor(const struct console *c)
{
    return strcmp(c->log.domain, "Domain-0") == 0 && strcmp(c->log.console, "hypervisor") == 0;
}

static int path_of(const struct copy *copy, char path[PATH_MAX])
{
    const struct console *c = copy->console;
    const char *directory = c->service->copies.rules->directory;

    if (is_hypervisor(c))
        return paths_format(path, "%s/hypervisor.log", directory);
    if (strcmp(c->log.console, "pv0") == 0)
        return paths_format(path, "%s/guest-%s.log", directory, c->log.domain);
    return paths_format(path, "%s/guest-%s-%s.log", directory, c->log.domain, c->log.console);
}

/* What is kept. */

static uint32_t crc_of(const struct kept *k) { return crc32c(0, k, offsetof(struct kept, crc)); }

static void load(struct copy *c)
{
    if (pread(c->kept_fd, &c->kept, sizeof c->kept, 0) != (ssize_t)sizeof c->kept || crc_of(&c->kept) != c->kept.crc)
        c->kept = (struct kept){.offset = UINT64_MAX};
}

static int keep(struct copy *c)
{
    c->kept.length = c->length;
    c->kept.offset = c->cursor.offset;
    c->kept.in_line = c->text.in_line;
    c->kept.crc = crc_of(&c->kept);
    return pwrite(c->kept_fd, &c->kept, sizeof c->kept, 0) == (ssize_t)sizeof c->kept ? 0 : -errno;
}

/* Files. */

static int write_all(int fd, const char *text, size_t n, size_t *written)
{
    for (*written = 0; *written < n;) {
        ssize_t put = write(fd, text + *written, n - *written);

        if (put < 0 && errno != EINTR)
            return -errno;
        *written += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* The mark of xenconsoled's logs, in an empty file alone: never within a line, and never twice. */
static int mark_opened(struct copy *c)
{
    char mark[COPY_STAMP + sizeof OPENED];
    size_t n = COPY_STAMP + sizeof OPENED - 1, written;
    int error;

    copy_stamp(time(NULL), mark);
    memcpy(mark + COPY_STAMP, OPENED, sizeof OPENED);
    error = write_all(c->text_fd, mark, n, &written);
    if (error && ftruncate(c->text_fd, 0) != 0)
        return -errno;
    return error;
}

static int open_text(struct copy *c)
{
    char path[PATH_MAX];
    struct stat is;
    int error = path_of(c, path);

    if (error)
        return error;
    c->text_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (c->text_fd < 0 || fstat(c->text_fd, &is) != 0)
        return -errno;
    if (!S_ISREG(is.st_mode))
        return -EINVAL;
    if (is.st_size == 0 && fchmod(c->text_fd, 0640) != 0) /* whatever our umask */
        return -errno;
    if (is.st_size == 0 && c->text.times && (error = mark_opened(c)) != 0)
        return error;
    if (fstat(c->text_fd, &is) != 0)
        return -errno;
    c->skip = is.st_dev == c->kept.device && is.st_ino == c->kept.inode && (uint64_t)is.st_size > c->kept.length
                  ? (uint64_t)is.st_size - c->kept.length
                  : 0;
    c->length = (uint64_t)is.st_size - c->skip;
    c->kept.device = is.st_dev;
    c->kept.inode = is.st_ino;
    return 0;
}

static void close_copy(struct copy *c)
{
    if (c->text_fd >= 0)
        close(c->text_fd);
    if (c->kept_fd >= 0)
        close(c->kept_fd);
    log_cursor_close(&c->cursor);
    c->text_fd = c->kept_fd = -1;
    c->open = false;
}

static int open_copy(struct copies *k, struct copy *c)
{
    const struct console *console = c->console;
    const struct copy_rules *rules = k->rules;
    char name[2 * NAME_BYTES];
    struct log_status log;
    uint64_t from;
    int error;

    snprintf(name, sizeof name, "%s,%s", console->log.domain, console->log.console);
    c->kept_fd = openat(k->state_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (c->kept_fd < 0)
        return -errno;
    load(c);
    log_status_get(&console->log, &log);
    from = c->kept.offset <= log.length ? c->kept.offset : c->from; /* else it is of a log that was taken away */
    c->text = (struct copy_text){.times = is_hypervisor(console) ? rules->times_hypervisor : rules->times_guests,
                                 .replace_escape = rules->replace_escape,
                                 .in_line = c->kept.offset <= log.length && c->kept.in_line != 0};
    error = log_cursor_open(&c->cursor, &console->log, from, 0);
    if (error == 0)
        error = open_text(c);
    if (error == 0)
        error = keep(c);
    c->open = error == 0;
    return error;
}

/* Logs are rotated by renaming them and telling us. The line that was cut in two has its time in the file before. */
static int open_again(struct copy *c, uint32_t opened)
{
    int error;

    if (c->opened == opened)
        return 0;
    close(c->text_fd);
    c->text_fd = -1;
    error = open_text(c);
    if (error == 0)
        error = keep(c);
    if (error == 0)
        c->opened = opened;
    return error;
}

/* Writing. */

/* The next piece. 0: *n bytes of the log are in the file, 0 of them: that is all there is. */
static int write_piece(struct copy *c, size_t *n)
{
    static uint8_t bytes[PIECE];
    static char text[TEXT];
    struct copy_text next = c->text;
    struct log_item item;
    size_t text_n, have, written = 0;
    ptrdiff_t got;
    int error = log_cursor_next(&c->cursor, &item);

    *n = 0;
    if (error || item.kind != LOG_BYTES)
        return error;
    got = log_cursor_read(&c->cursor, &item, bytes, sizeof bytes);
    if (got <= 0) {
        *n = got == 0 ? 1 : 0; /* what is lost is a gap now: look again */
        return (int)got;
    }
    *n = copy_text(&next, time(NULL), bytes, (size_t)got, text, sizeof text, &text_n);
    have = c->skip < text_n ? (size_t)c->skip : text_n;
    error = write_all(c->text_fd, text + have, text_n - have, &written);
    if (error) {
        *n = 0; /* what it took is seen when the file is opened again */
        return error;
    }
    c->skip -= have;
    c->length += text_n;
    c->text = next;
    log_cursor_take(&c->cursor, *n);
    return 0;
}

/* A turn. *more: there is something left. */
static int work(struct copies *k, struct copy *c, uint32_t opened, bool *more)
{
    size_t n = 1, total = 0;
    int error = 0;

    *more = false;
    if (!c->open) {
        error = open_copy(k, c);
        c->opened = opened;
    } else {
        error = open_again(c, opened);
    }
    while (error == 0 && n > 0 && total < TURN_BYTES) {
        error = write_piece(c, &n);
        total += n;
    }
    *more = error == 0 && n > 0;
    if (total > 0 && keep(c) != 0 && error == 0)
        error = -errno;
    return error;
}

static uint64_t mono_ms(void)
{
    struct log_time now;

    service_clocks(&now);
    return now.mono_ns / 1000000;
}

/* It is tried again in a while, from what is kept on. The first time says so. */
static void refuse(struct copies *k, struct copy *c, int error)
{
    char path[PATH_MAX];

    if (!c->said && path_of(c, path) == 0)
        message("%s: %s; what belongs there is kept, and written when that is over", path, strerror(-error));
    c->said = c->refused = true;
    close_copy(c);
    if (k->refused == NULL)
        k->retry_ms = mono_ms() + COPY_RETRY_MS;
    c->next_refused = k->refused;
    k->refused = c;
}

static void turn(struct copies *k, struct copy *c, bool wanted, uint32_t opened)
{
    bool more;
    int error = work(k, c, opened, &more);

    if (error) {
        refuse(k, c, error);
        return;
    }
    c->said = false;
    if (more)
        push_locked(k, c);
    else if (!wanted)
        close_copy(c);
}

/* The thread. */

static void retry(struct copies *k) /* under the lock */
{
    for (struct copy *c = k->refused; c != NULL; c = c->next_refused) {
        c->refused = false;
        push(k, c);
    }
    k->refused = NULL;
}

static void wait_for_work(struct copies *k)
{
    struct timespec until = {.tv_sec = (time_t)(k->retry_ms / 1000), .tv_nsec = (long)(k->retry_ms % 1000) * 1000000};

    if (k->refused == NULL)
        pthread_cond_wait(&k->wake, &k->lock);
    else
        pthread_cond_timedwait(&k->wake, &k->lock, &until);
}

static struct copy *pop(struct copies *k)
{
    struct copy *c = k->due;

    k->due = c->next;
    if (k->due == NULL)
        k->last = &k->due;
    c->due = false;
    return c;
}

/* The next with work; NULL: it is time to end. */
static struct copy *next_due(struct copies *k, bool *wanted, uint32_t *opened)
{
    struct copy *c = NULL;

    pthread_mutex_lock(&k->lock);
    while (c == NULL) {
        if (k->stopping && mono_ms() >= k->stop_ms)
            break; /* how far each got is kept */
        if (k->refused != NULL && mono_ms() >= k->retry_ms)
            retry(k);
        if (k->due != NULL)
            c = pop(k);
        else if (k->stopping)
            break;
        else
            wait_for_work(k);
        if (c != NULL && c->refused)
            c = NULL; /* its time comes by itself */
    }
    *wanted = c != NULL && c->wanted;
    *opened = k->opened;
    pthread_mutex_unlock(&k->lock);
    return c;
}

static void *run(void *argument)
{
    struct copies *k = argument;
    struct copy *c;
    uint32_t opened;
    bool wanted;

    while ((c = next_due(k, &wanted, &opened)) != NULL)
        turn(k, c, wanted, opened);
    return NULL;
}

/* Life. */

static bool is_wanted(const struct console *c)
{
    const struct copies *k = &c->service->copies;

    return k->running && (is_hypervisor(c) ? k->rules->hypervisor : k->rules->guests);
}

void copy_begin(struct console *c, uint64_t from)
{
    struct copies *k = &c->service->copies;
    struct copy *copy = c->copy;

    if (!is_wanted(c))
        return;
    if (copy == NULL) {
        copy = calloc(1, sizeof *copy);
        if (copy == NULL) {
            message("%s/%s is not copied: out of memory", c->log.domain, c->log.console);
            return;
        }
        *copy = (struct copy){.console = c, .from = from, .text_fd = -1, .kept_fd = -1};
        __atomic_store_n(&c->copy, copy, __ATOMIC_RELEASE);
    }
    pthread_mutex_lock(&k->lock);
    if (!copy->wanted)
        copy->from = from; /* where nothing is kept: under another name */
    copy->wanted = true;
    push(k, copy);
    pthread_mutex_unlock(&k->lock);
}

void copy_gone(struct console *c)
{
    struct copies *k = &c->service->copies;

    if (c->copy == NULL)
        return;
    pthread_mutex_lock(&k->lock);
    c->copy->wanted = false;
    push(k, c->copy);
    pthread_mutex_unlock(&k->lock);
}

static int open_directories(struct service *s, struct problem *p)
{
    const char *directory = s->copies.rules->directory;
    char path[PATH_MAX];

    if (mkdir(directory, 0750) != 0 && errno != EEXIST)
        return problem_set(p, -errno, "%s: %s", directory, strerror(errno));
    if (access(directory, W_OK | X_OK) != 0)
        return problem_set(p, -errno, "%s: %s", directory, strerror(errno));
    if (paths_format(path, "%s/copies", s->paths.state) != 0)
        return problem_set(p, -ENAMETOOLONG, "%s/copies: too long", s->paths.state);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    s->copies.state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return s->copies.state_fd < 0 ? problem_set(p, -errno, "%s: %s", path, strerror(errno)) : 0;
}

/* An earlier service ended before this console's file had all; perhaps nobody ever brings the console again. */
static void go_on(struct service *s, const char *name)
{
    struct copy at = {.kept_fd = openat(s->copies.state_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    char domain[2 * NAME_BYTES];
    struct console *c;
    struct log_time now;
    char *comma;

    if (at.kept_fd < 0)
        return;
    load(&at);
    close(at.kept_fd);
    snprintf(domain, sizeof domain, "%s", name);
    comma = strchr(domain, ',');
    if (comma == NULL)
        return;
    *comma = '\0';
    c = console_find(s, domain, comma + 1);
    service_clocks(&now);
    if (c == NULL || log_glance(&c->glance, &s->store, domain, comma + 1, &now) != 0 ||
        at.kept.offset >= c->glance.status.length || console_open(c) != 0)
        return;
    copy_begin(c, at.kept.offset);
    copy_gone(c);
}

static void all_go_on(struct service *s)
{
    int fd = fcntl(s->copies.state_fd, F_DUPFD_CLOEXEC, 0);
    DIR *names = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;

    if (names == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((entry = readdir(names)) != NULL)
        if (entry->d_name[0] != '.')
            go_on(s, entry->d_name);
    closedir(names);
}

int copies_start(struct service *s, struct problem *p)
{
    struct copies *k = &s->copies;
    pthread_condattr_t monotonic;
    int error;

    k->rules = &s->config.text;
    if (k->rules->directory[0] == '\0')
        return 0;
    error = open_directories(s, p);
    if (error)
        return error;
    tzset(); /* before the sandbox */
    k->last = &k->due;
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    error = thread_start(&k->thread, "copies", run, k);
    if (error)
        return problem_set(p, error, "threads: %s", strerror(-error));
    k->running = true;
    all_go_on(s);
    return 0;
}

void copies_reopen(struct service *s)
{
    struct copies *k = &s->copies;

    if (!k->running)
        return;
    pthread_mutex_lock(&k->lock);
    k->opened++;
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        if (c->copy != NULL && c->copy->wanted)
            push(k, c->copy);
    pthread_mutex_unlock(&k->lock);
}

void copies_stop(struct service *s)
{
    struct copies *k = &s->copies;

    if (!k->running)
        return;
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    k->stop_ms = mono_ms() + COPY_STOP_MS;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    k->running = false;
    for (struct console *c = s->registry.first; c != NULL; c = c->next) {
        if (c->copy != NULL)
            close_copy(c->copy);
        free(c->copy);
        c->copy = NULL;
    }
    close(k->state_fd);
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
}
