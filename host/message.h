/* SPDX-License-Identifier: MIT */
/*
 * message.h: what a hosted program says to people: one line on standard error, "program: text".
 *
 * Owner: the caller owns every struct problem; nothing here allocates.
 * Lock:  none needed: a message is one write(2). message_program is called once, before the first thread.
 * Trust: arguments may hold a guest's or a peer's bytes: control characters leave as '?', so that a message is always
 *        one line and never speaks to the terminal.
 */
#ifndef HOST_MESSAGE_H
#define HOST_MESSAGE_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define PROBLEM_BYTES 1024u

/* Why something failed, for people: what, where, and what to do; no program name, no newline. */
struct problem {
    char text[PROBLEM_BYTES];
};

/* The name that stands before each message; the string stays the caller's and must live on. */
void message_program(const char *name);
/* Write "program: text\n" to standard error, as a warning. Keeps errno. */
__attribute__((format(printf, 1, 2))) void message(const char *format, ...);

enum message_level { /* syslog(3)'s */
                     MESSAGE_ERROR = 3,
                     MESSAGE_WARNING = 4,
                     MESSAGE_NOTICE = 5,
                     MESSAGE_INFO = 6,
                     MESSAGE_DEBUG = 7,
};
enum message_form {
    MESSAGE_PLAIN,   /* for people who look on */
    MESSAGE_DATED,   /* "2026-11-22T08:30:00.123Z warning: program: text", for a file */
    MESSAGE_JOURNAL, /* "<4>program: text", sd-daemon(3) */
};

/* The same at a level, for a daemon's own log; nothing beyond the limit, MESSAGE_NOTICE at first. */
__attribute__((format(printf, 2, 3))) void message_at(enum message_level level, const char *format, ...);
/* As message_program, once, except that the form may change while there is one thread. */
void message_limit(enum message_level limit);
void message_form(enum message_form form);
/* error, warning, notice, info or debug. False: another word. */
bool message_level_of(const char *word, enum message_level *level);
/* Whether standard error goes to systemd's journal: JOURNAL_STREAM of systemd.exec(5). */
bool message_to_journal(void);

/* Set the text (p may be NULL: nobody asks) and return error unchanged, so that a failing function can end
 * with return problem_set(p, -EACCES, …). */
__attribute__((format(printf, 3, 4))) int problem_set(struct problem *p, int error, const char *format, ...);
int problem_setv(struct problem *p, int error, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

/* Replace every control character of text[0..n) by '?', in place; also C1 and what follows a broken UTF-8 lead. */
void message_clean(char *text, size_t n);

#endif
