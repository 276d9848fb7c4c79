/* SPDX-License-Identifier: MIT */
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tty.h"

/* What exit and a crash put back: a copy, for they come when the command's own storage is gone. */
static struct tty kept;

static void restore_kept(void) { tty_restore(&kept); }

static void crashed(int number)
{
    restore_kept(); /* tcsetattr is async-signal-safe */
    raise(number);  /* SA_RESETHAND: this time it kills */
}

bool tty_save(struct tty *t, int fd)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action = {.sa_handler = crashed, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

    *t = (struct tty){.fd = fd};
    t->saved = isatty(fd) && tcgetattr(fd, &t->before) == 0;
    if (!t->saved || kept.saved)
        return t->saved;
    kept = *t;
    atexit(restore_kept);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &action, NULL);
    return true;
}

void tty_raw(struct tty *t)
{
    struct termios raw = t->before;

    if (!t->saved)
        return;
    cfmakeraw(&raw);
    if (t->keep_output)
        raw.c_oflag = t->before.c_oflag;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(t->fd, TCSADRAIN, &raw) == 0)
        t->raw = true;
}

void tty_restore(struct tty *t)
{
    if (!t->saved)
        return;
    /* Not TCSADRAIN: output that a stopped terminal holds back must not keep us here. */
    tcsetattr(t->fd, TCSANOW, &t->before);
    t->raw = false;
}

bool tty_size(int fd, uint16_t *rows, uint16_t *columns)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        return false;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return true;
}

bool tty_utf8(void)
{
    const char *set = nl_langinfo(CODESET);

    /* The C locale says ASCII on machines whose terminals have long been UTF-8. */
    return strcasecmp(set, "UTF-8") == 0 || strcmp(set, "ANSI_X3.4-1968") == 0;
}
