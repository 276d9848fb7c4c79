/* SPDX-License-Identifier: MIT */
/*
 * tty.h: the user's terminal: its settings saved, made raw, and put back however the program ends.
 *
 * Spec:  termios(3). Put back on tty_restore, at exit, and in the signals of a crash; of those that can be caught the commands
 *        take TERM, INT, HUP, QUIT through signals.h and restore by themselves.
 * Owner: the caller places struct tty; of the first one saved a copy is kept for exit and crashes.
 * Lock:  none: one thread.
 * Trust: the terminal may go away at any moment: errors of putting it back are for nobody.
 */
#ifndef CLIENT_TTY_H
#define CLIENT_TTY_H
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct tty {
    int fd;
    bool saved, raw;
    bool keep_output; /* raw keys only: what is written to the terminal is for people, with plain newlines */
    struct termios before;
};

/* Keep the settings of the terminal that fd is. False: it is none; tty_raw and tty_restore then do nothing. */
bool tty_save(struct tty *t, int fd);
/* Every byte as it is typed, nothing echoed, no signals. Again after a stop (SIGCONT): the shell may have changed it. */
void tty_raw(struct tty *t);
void tty_restore(struct tty *t);
/* Rows and columns of fd's terminal; false: unknown. */
bool tty_size(int fd, uint16_t *rows, uint16_t *columns);
/* Whether the terminal decodes UTF-8: it does unless the locale names another character set. */
bool tty_utf8(void);

#endif
