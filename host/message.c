/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "message.h"

static const char *program = "vcons";

void message_program(const char *name) { program = name; }

void message_clean(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 = c == 0xc2 && i + 1 < n && ((unsigned char)text[i + 1] & 0xe0) == 0x80;
        bool lone = (c & 0xe0) == 0x80 && (i == 0 || ((unsigned char)text[i - 1] & 0x80) == 0);

        if (c < 0x20 || c == 0x7f || lone)
            text[i] = '?';
        if (c1)
            text[i] = text[i + 1] = '?'; /* U+0080..U+009F: CSI and its kin, in UTF-8 */
    }
}

int problem_setv(struct problem *p, int error, const char *format, va_list args)
{
    if (p == NULL)
        return error;
    vsnprintf(p->text, sizeof p->text, format, args);
    message_clean(p->text, strlen(p->text));
    return error;
}

int problem_set(struct problem *p, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    problem_setv(p, error, format, args);
    va_end(args);
    return error;
}

void message(const char *format, ...)
{
    int saved = errno;
    struct problem p;
    char line[PROBLEM_BYTES + 64];
    va_list args;
    int n;

    va_start(args, format);
    problem_setv(&p, 0, format, args);
    va_end(args);
    n = snprintf(line, sizeof line, "%.60s: %s\n", program, p.text);
    if (write(STDERR_FILENO, line, (size_t)n) < 0) {
        /* There is nowhere left to complain. */
    }
    errno = saved;
}
