/* SPDX-License-Identifier: MIT */
/* The scanner that looks at a configuration before libconfuse does: it follows the lexer of libconfuse 3.3.
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "config.h"

struct scan {
    const char *path;
    char *text;
    size_t bytes, at;
    unsigned line, depth;
    unsigned opened[CONFIG_DEPTH]; /* the line of each '{' that waits for its '}' */
    struct problem *problem;
};

__attribute__((format(printf, 3, 4))) static int wrong(struct scan *s, unsigned line, const char *format, ...)
{
    struct problem what;
    va_list args;

    va_start(args, format);
    problem_setv(&what, 0, format, args);
    va_end(args);
    return problem_set(s->problem, -EINVAL, "%s:%u: %s", s->path, line, what.text);
}

static char peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->bytes ? s->text[s->at + ahead] : '\0';
}

static bool starts(const struct scan *s, const char *two) { return peek(s, 0) == two[0] && peek(s, 1) == two[1]; }

static int no_controls(struct scan *s)
{
    unsigned line = 1;

    for (size_t i = 0; i < s->bytes; i++) {
        unsigned char c = (unsigned char)s->text[i];

        if (c == '\n')
            line++;
        if ((c < ' ' && strchr("\t\n\r\f", c) == NULL) || c == '\0' || c == 0x7f)
            return wrong(s, line, "byte 0x%02x: expected text", c);
    }
    return 0;
}

static int blank_line_comment(struct scan *s)
{
    while (s->at < s->bytes && s->text[s->at] != '\n')
        s->text[s->at++] = ' ';
    return 0;
}

static int blank_block_comment(struct scan *s)
{
    unsigned opened = s->line;

    for (s->text[s->at++] = ' ', s->text[s->at++] = ' '; s->at < s->bytes; s->at++) {
        if (starts(s, "*/")) {
            s->text[s->at++] = ' ';
            s->text[s->at++] = ' ';
            return 0;
        }
        if (s->text[s->at] == '\n')
            s->line++;
        else
            s->text[s->at] = ' ';
    }
    return wrong(s, opened, "this comment has no end: expected */");
}

/* An escape that libconfuse would turn into a NUL, which cuts the string: \0, \00, \000, \x0, \x00. */
static bool escapes_nul(const struct scan *s)
{
    size_t i = peek(s, 1) == 'x' ? 2 : 1, digits = 0;
    size_t most = i == 2 ? 2 : 3;

    while (digits < most && peek(s, i + digits) == '0')
        digits++;
    if (digits == 0)
        return false;
    return digits == most || !(i == 2 ? isxdigit((unsigned char)peek(s, i + digits)) != 0
                                      : peek(s, i + digits) >= '0' && peek(s, i + digits) <= '7');
}

static int skip_string(struct scan *s)
{
    char quote = s->text[s->at++];
    unsigned opened = s->line;

    for (; s->at < s->bytes; s->at++) {
        char c = s->text[s->at];

        if (c == quote) {
            s->at++;
            return 0;
        }
        if (quote == '"' && starts(s, "${"))
            return wrong(s, s->line, "${…} is not filled in: write \\${ or use single quotes for the text itself");
        if (quote == '"' && c == '\\' && escapes_nul(s))
            return wrong(s, s->line, "a NUL in a string: expected text");
        if (c == '\\' && s->at + 1 < s->bytes)
            c = s->text[++s->at];
        if (c == '\n')
            s->line++;
    }
    return wrong(s, opened, "this string has no end: expected %c", quote);
}

static int open_block(struct scan *s)
{
    if (s->depth == CONFIG_DEPTH)
        return wrong(s, s->line, "blocks within blocks more than %u deep", CONFIG_DEPTH);
    s->opened[s->depth++] = s->line;
    s->at++;
    return 0;
}

static int close_block(struct scan *s)
{
    if (s->depth == 0)
        return wrong(s, s->line, "this } closes nothing: expected a key or the end of the file");
    s->depth--;
    s->at++;
    return 0;
}

static bool in_word(const struct scan *s)
{
    return s->at > 0 && strchr(" \t\n\r\f\"'={}()+,", s->text[s->at - 1]) == NULL;
}

static int scan_one(struct scan *s)
{
    switch (s->text[s->at]) {
    case '#': return blank_line_comment(s);
    case '"':
    case '\'': return skip_string(s);
    case '{': return open_block(s);
    case '}': return close_block(s);
    case '\n': s->line++; break;
    default: break;
    }
    if (starts(s, "${"))
        return wrong(s, s->line, "${…} is not filled in: use single quotes for the text itself");
    if (starts(s, "/*"))
        return blank_block_comment(s);
    if (starts(s, "//") && in_word(s))
        return wrong(s, s->line, "// inside a word: put the word in quotes, or a space before the comment");
    if (starts(s, "//"))
        return blank_line_comment(s);
    s->at++;
    return 0;
}

int config_check(const char *path, char *text, size_t bytes, struct problem *p)
{
    struct scan s = {.path = path, .text = text, .bytes = bytes, .line = 1, .problem = p};
    int error = no_controls(&s);

    while (error == 0 && s.at < s.bytes)
        error = scan_one(&s);
    if (error == 0 && s.depth > 0)
        return wrong(&s, s.opened[s.depth - 1], "this block has no end: expected }");
    return error;
}

/* Past a string of checked text: its end is there. */
static size_t past_string(const char *text, size_t at)
{
    char quote = text[at++];

    for (; text[at] != '\0' && text[at] != quote; at++)
        if (text[at] == '\\' && text[at + 1] != '\0')
            at++;
    return text[at] != '\0' ? at + 1 : at;
}

static size_t past_block(const char *text, size_t at)
{
    unsigned depth = 0;

    do {
        if (text[at] == '"' || text[at] == '\'') {
            at = past_string(text, at);
            continue;
        }
        depth += text[at] == '{';
        depth -= text[at] == '}';
        at++;
    } while (text[at] != '\0' && depth > 0);
    return at;
}

bool config_word(const char *text, size_t *at, char word[64])
{
    size_t n;

    while (text[*at] != '\0') {
        if (isalpha((unsigned char)text[*at])) {
            for (n = 0; isalnum((unsigned char)text[*at + n]) || strchr("_-", text[*at + n]) != NULL; n++)
                if (text[*at + n] == '\0')
                    break;
            memcpy(word, text + *at, n < 63 ? n : 63);
            word[n < 63 ? n : 63] = '\0';
            *at += n;
            return true;
        }
        if (text[*at] == '"' || text[*at] == '\'')
            *at = past_string(text, *at);
        else if (text[*at] == '{')
            *at = past_block(text, *at);
        else
            (*at)++;
    }
    return false;
}
