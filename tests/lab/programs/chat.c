/* SPDX-License-Identifier: MIT */
/*
 * chat: runs a program on a pseudo-terminal and follows the steps on standard input, one a line:
 *
 *     see TEXT      wait until TEXT is shown, behind what was last seen; then only what is behind TEXT counts
 *     type TEXT     as if at the keyboard; nothing is added
 *     do COMMAND    run it by the shell; it must succeed
 *     end STATUS    wait until the program ends with this exit status
 *     # comment
 *
 * TEXT has \r \n \e \\ and \xNN. All that was shown goes to TRANSCRIPT. What is read on while a step waits is everything
 * that the program shows, so it is never held up. Exit status: 0 all steps were done, 1 one failed, 2 wrong usage.
 * A program that runs on after the last step gets SIGTERM.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 65536
#define ALL_BYTES  (64u << 20)
#define TAIL_BYTES 1500u /* of what was shown, printed when a step fails */

struct chat {
    int terminal, transcript;
    pid_t pid;
    uint64_t limit_ms; /* for one step */
    char *shown;
    size_t n_shown, seen;
    bool ended;
    int line;
};

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static _Noreturn void fail(struct chat *c, const char *what, const char *text)
{
    size_t tail = c->n_shown > TAIL_BYTES ? TAIL_BYTES : c->n_shown;

    fprintf(stderr, "chat: step %d: %s%s; last shown:\n", c->line, what, text);
    for (size_t i = c->n_shown - tail; i < c->n_shown; i++) {
        uint8_t byte = (uint8_t)c->shown[i];

        if (byte == '\n' || (byte >= ' ' && byte < 127))
            fputc(byte, stderr);
        else if (byte != '\r')
            fprintf(stderr, "\\x%02x", byte);
    }
    fprintf(stderr, "\n");
    kill(c->pid, SIGKILL);
    exit(1);
}

/* Take in what is shown, waiting for it at most so long. */
static void take(struct chat *c, int wait_ms)
{
    struct pollfd p = {.fd = c->terminal, .events = POLLIN};
    ssize_t n;

    if (c->ended) {
        poll(NULL, 0, wait_ms);
        return;
    }
    if (poll(&p, 1, wait_ms) <= 0)
        return;
    if (c->n_shown + READ_BYTES > ALL_BYTES)
        fail(c, "more is shown than chat takes", "");
    n = read(c->terminal, c->shown + c->n_shown, READ_BYTES);
    if (n <= 0) { /* EIO: the last who had it open is gone */
        c->ended = true;
        return;
    }
    if (write(c->transcript, c->shown + c->n_shown, (size_t)n) != n)
        err(1, "the transcript");
    c->n_shown += (size_t)n;
}

/* In place; the length. */
static size_t unescape(char *text)
{
    static const char letters[] = "rne\\", bytes[] = "\r\n\033\\";
    char *to = text;
    unsigned byte;

    for (const char *from = text; *from != '\0'; from++) {
        const char *letter = from[0] == '\\' && from[1] != '\0' ? strchr(letters, from[1]) : NULL;

        if (letter != NULL) {
            *to++ = bytes[letter - letters];
            from++;
        } else if (sscanf(from, "\\x%2x", &byte) == 1) {
            *to++ = (char)byte;
            from += 3;
        } else {
            *to++ = *from;
        }
    }
    return (size_t)(to - text);
}

static void see(struct chat *c, char *text)
{
    char *as_written = strdup(text), *at;
    size_t n = unescape(text);
    uint64_t end = now_ms() + c->limit_ms;

    while ((at = memmem(c->shown + c->seen, c->n_shown - c->seen, text, n)) == NULL) {
        if (c->ended || now_ms() > end)
            fail(c, c->ended ? "the program ended without: " : "not seen in time: ", as_written);
        take(c, 100);
    }
    c->seen = (size_t)(at - c->shown) + n;
    free(as_written);
}

static void type(struct chat *c, char *text)
{
    size_t n = unescape(text);
    uint64_t end = now_ms() + c->limit_ms;

    while (n > 0) {
        ssize_t done = write(c->terminal, text, n);

        if (done > 0) {
            text += done;
            n -= (size_t)done;
        } else if (errno != EAGAIN || now_ms() > end) {
            fail(c, "cannot type: ", strerror(errno));
        }
        take(c, done > 0 ? 0 : 20);
    }
}

/* Beside the program's own output, which is read on. */
static void run(struct chat *c, const char *command)
{
    uint64_t end = now_ms() + c->limit_ms;
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY);

        dup2(null, STDIN_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (now_ms() > end)
            fail(c, "not done in time: ", command);
        take(c, 20);
    }
    if (status != 0)
        fail(c, "failed: ", command);
}

static void end_with(struct chat *c, const char *wanted)
{
    uint64_t end = now_ms() + c->limit_ms;
    char got[32];
    size_t shown;
    int status;

    while (waitpid(c->pid, &status, WNOHANG) == 0) {
        if (now_ms() > end)
            fail(c, "still running, wanted exit status ", wanted);
        take(c, 20);
    }
    do { /* what is still on the way; somebody it left behind may hold the terminal open */
        shown = c->n_shown;
        take(c, 200);
    } while (!c->ended && c->n_shown > shown);
    snprintf(got, sizeof got, "%d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (strcmp(got, wanted) != 0)
        fail(c, "exit status is ", got);
    c->pid = 0;
}

static void follow(struct chat *c, char *step)
{
    char *text = strchr(step, ' ');

    if (*step == '\0' || *step == '#')
        return;
    if (text == NULL)
        fail(c, "what is ", step);
    *text++ = '\0';
    if (strcmp(step, "see") == 0)
        see(c, text);
    else if (strcmp(step, "type") == 0)
        type(c, text);
    else if (strcmp(step, "do") == 0)
        run(c, text);
    else if (strcmp(step, "end") == 0)
        end_with(c, text);
    else
        fail(c, "what is ", step);
}

static void start(struct chat *c, char **argv)
{
    struct winsize size = {.ws_row = 50, .ws_col = 132};

    c->pid = forkpty(&c->terminal, NULL, NULL, &size);
    if (c->pid < 0)
        err(1, "forkpty");
    if (c->pid == 0) {
        execvp(argv[0], argv);
        err(127, "%s", argv[0]);
    }
    fcntl(c->terminal, F_SETFL, O_NONBLOCK);
    fcntl(c->terminal, F_SETFD, FD_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct chat c = {.limit_ms = 60000, .shown = malloc(ALL_BYTES)};
    char *step = NULL;
    size_t room = 0;
    ssize_t n;

    if (argc > 3 && strcmp(argv[1], "-t") == 0) {
        c.limit_ms = strtoull(argv[2], NULL, 10) * 1000;
        argv += 2, argc -= 2;
    }
    if (argc < 3 || c.limit_ms == 0 || c.shown == NULL)
        errx(2, "usage: chat [-t SECONDS] TRANSCRIPT PROGRAM [ARG...] <STEPS");
    c.transcript = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (c.transcript < 0)
        err(1, "%s", argv[1]);
    start(&c, argv + 2);
    while ((n = getline(&step, &room, stdin)) > 0) {
        c.line++;
        step[strcspn(step, "\n")] = '\0';
        follow(&c, step);
    }
    if (c.pid != 0)
        kill(c.pid, SIGTERM);
    return 0;
}
