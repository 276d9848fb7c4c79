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
#include <stddef.h>

#define PROBLEM_BYTES 1024u

/* Why something failed, for people: what, where, and what to do; no program name, no newline. */
struct problem {
    char text[PROBLEM_BYTES];
};

/* The name that stands before each message; the string stays the caller's and must live on. */
void message_program(const char *name);
/* Write "program: text\n" to standard error. Keeps errno. */
__attribute__((format(printf, 1, 2))) void message(const char *format, ...);

/* Set the text (p may be NULL: nobody asks) and return error unchanged, so that a failing function can end
 * with return problem_set(p, -EACCES, …). */
__attribute__((format(printf, 3, 4))) int problem_set(struct problem *p, int error, const char *format, ...);
int problem_setv(struct problem *p, int error, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

/* Replace every control character of text[0..n) by '?', in place; also C1 and what follows a broken UTF-8 lead. */
void message_clean(char *text, size_t n);

#endif
