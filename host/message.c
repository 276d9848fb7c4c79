/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "message.h"

static const char *const levels[] = {[MESSAGE_ERROR] = "error",
                                     [MESSAGE_WARNING] = "warning",
                                     [MESSAGE_NOTICE] = "notice",
                                     [MESSAGE_INFO] = "info",
                                     [MESSAGE_DEBUG] = "debug"};
static const char *program = "vcons";
static enum message_level limit = MESSAGE_NOTICE;
static enum message_form form = MESSAGE_PLAIN;

void message_program(const char *name) { program = name; }
void message_limit(enum message_level most) { limit = most; }
void message_form(enum message_form to) { form = to; }

bool message_level_of(const char *word, enum message_level *level)
{
    for (int i = MESSAGE_ERROR; i <= MESSAGE_DEBUG; i++)
        if (strcmp(word, levels[i]) == 0) {
            *level = (enum message_level)i;
            return true;
        }
    return false;
}

bool message_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

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

/* What stands before the program's name. */
static void head(enum message_level level, char *text, size_t bytes)
{
    struct timespec now;
    struct tm utc;
    size_t n;

    text[0] = '\0';
    if (form == MESSAGE_JOURNAL)
        snprintf(text, bytes, "<%d>", (int)level);
    if (form != MESSAGE_DATED)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    n = strftime(text, bytes, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + n, bytes - n, ".%03dZ %s: ", (int)(now.tv_nsec / 1000000), levels[level]);
}

static void say(enum message_level level, const char *format, va_list args)
{
    int saved = errno;
    struct problem p;
    char line[PROBLEM_BYTES + 128], before[48];
    int n;

    if (level > limit)
        return;
    problem_setv(&p, 0, format, args);
    head(level, before, sizeof before);
    n = snprintf(line, sizeof line, "%s%.60s: %s\n", before, program, p.text);
    if (write(STDERR_FILENO, line, (size_t)n) < 0) {
        /* There is nowhere left to complain. */
    }
    errno = saved;
}

void message(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(MESSAGE_WARNING, format, args);
    va_end(args);
}

void message_at(enum message_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(level, format, args);
    va_end(args);
}
