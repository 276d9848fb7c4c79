/* SPDX-License-Identifier: MIT */
#include "imagebuilder.h"
#include "host/config.h"
#include "host/message.h"
#include "slurp.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 20000u
#define NO_INDEX   IMAGEBUILDER_NO_INDEX

/* ---- Shell's assignments, as data. ---- */

struct reader {
    struct imagebuilder *b;
    char *at;
    unsigned line;
    struct problem *problem;
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reader *r, const char *format, ...)
{
    struct problem why;
    va_list args;

    va_start(args, format);
    problem_setv(&why, 0, format, args);
    va_end(args);
    return problem_set(r->problem, -1, "%s:%u: %s", r->b->file, r->line, why.text);
}

static bool in_name(char c) { return isalnum((unsigned char)c) || c == '_'; }

static void skip_blanks(struct reader *r)
{
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\r')
        r->at++;
}

static void skip_line(struct reader *r)
{
    while (*r->at != '\0' && *r->at != '\n')
        r->at++;
}

/* NAME or NAME[N], and the '='. The name is ended in place. */
static int take_name(struct reader *r, struct imagebuilder_value *v)
{
    char *end;

    v->name = r->at;
    v->index = NO_INDEX;
    while (in_name(*r->at))
        r->at++;
    end = r->at;
    if (*r->at == '[') {
        unsigned long index = isdigit((unsigned char)r->at[1]) ? strtoul(r->at + 1, &r->at, 10) : NO_INDEX;

        if (*r->at != ']' || index >= IMAGEBUILDER_DOMAINS_MAX)
            return wrong(r, "expected a number below %u in []", IMAGEBUILDER_DOMAINS_MAX);
        v->index = (uint32_t)index;
        r->at++;
    }
    if (end == v->name || isdigit((unsigned char)v->name[0]) || *r->at != '=')
        return wrong(r, "expected NAME=VALUE or NAME[N]=VALUE, and nothing else of a shell");
    *end = '\0';
    r->at++;
    return 0;
}

/* In double quotes: to where the closing one stands, with what a backslash keeps from the shell taken as it is. */
static int take_quoted(struct reader *r, char **to, bool *filled_in)
{
    for (r->at++; *r->at != '"'; r->at++) {
        if (*r->at == '\0')
            return wrong(r, "a \" is not closed");
        if (*r->at == '\n')
            r->line++;
        *filled_in |= *r->at == '$' || *r->at == '`';
        if (*r->at == '\\' && r->at[1] == '\n') {
            r->at++;
            r->line++;
            continue;
        }
        if (*r->at == '\\' && r->at[1] != '\0' && strchr("\\\"$`", r->at[1]) != NULL)
            r->at++;
        *(*to)++ = *r->at;
    }
    r->at++;
    return 0;
}

static int take_literal(struct reader *r, char **to)
{
    for (r->at++; *r->at != '\''; r->at++) {
        if (*r->at == '\0')
            return wrong(r, "a ' is not closed");
        r->line += *r->at == '\n';
        *(*to)++ = *r->at;
    }
    r->at++;
    return 0;
}

/* Unquoted and in place: it only ever gets shorter. */
static int take_text(struct reader *r, struct imagebuilder_value *v)
{
    char *to = r->at;

    v->text = to;
    while (*r->at != '\0' && strchr(" \t\r\n", *r->at) == NULL) {
        if (strchr(";&|<>()", *r->at) != NULL)
            return wrong(r, "expected a value in quotes: '%c' is the shell's", *r->at);
        if (*r->at == '"' || *r->at == '\'') {
            if ((*r->at == '"' ? take_quoted(r, &to, &v->filled_in) : take_literal(r, &to)) != 0)
                return -1;
            continue;
        }
        v->filled_in |= strchr("$`*?~", *r->at) != NULL;
        if (*r->at == '\\' && r->at[1] != '\0')
            r->at++;
        *to++ = *r->at++;
    }
    skip_blanks(r);
    if (*r->at == '#')
        skip_line(r);
    if (*r->at != '\0' && *r->at != '\n')
        return wrong(r, "expected the end of the line behind the value");
    if (*r->at == '\n') {
        r->at++;
        r->line++;
    }
    *to = '\0';
    return 0;
}

static int keep(struct reader *r, const struct imagebuilder_value *v)
{
    struct imagebuilder *b = r->b;
    struct imagebuilder_value *grown = b->values, *to;

    if (b->n_values == VALUES_MAX)
        return wrong(r, "expected at most %u values", VALUES_MAX);
    if (b->n_values == b->n_allocated) {
        b->n_allocated = 2 * b->n_allocated + 64;
        grown = realloc(grown, b->n_allocated * sizeof *grown);
    }
    if (grown == NULL)
        return wrong(r, "no memory");
    b->values = grown;
    to = &grown[b->n_values];
    *to = *v;
    to->name = strdup(v->name);
    to->text = strdup(v->text);
    if (to->name == NULL || to->text == NULL) {
        free(to->name);
        free(to->text);
        return wrong(r, "no memory");
    }
    b->n_values++;
    return 0;
}

static int take_line(struct reader *r)
{
    struct imagebuilder_value v = {.line = r->line};

    skip_blanks(r);
    if (*r->at == '#')
        skip_line(r);
    if (*r->at == '\0')
        return 0;
    if (*r->at == '\n') {
        r->at++;
        r->line++;
        return 0;
    }
    if (strncmp(r->at, "export ", 7) == 0) {
        r->at += 7;
        skip_blanks(r);
    }
    return take_name(r, &v) != 0 || take_text(r, &v) != 0 || keep(r, &v) != 0 ? -1 : 0;
}

/* ---- What it says. ---- */

/* The last one counts, as in a shell. */
static const struct imagebuilder_value *find(const struct imagebuilder *b, const char *name, uint32_t index)
{
    for (size_t i = b->n_values; i-- > 0;)
        if (b->values[i].index == index && strcmp(b->values[i].name, name) == 0)
            return &b->values[i];
    return NULL;
}

int imagebuilder_text(const struct imagebuilder *b, const char *name, uint32_t index, const char **text,
                      struct problem *problem)
{
    const struct imagebuilder_value *v = find(b, name, index);

    *text = v != NULL && v->text[0] != '\0' ? v->text : NULL;
    if (v == NULL || !v->filled_in)
        return 0;
    return problem_set(problem, -1,
                       "%s:%u: %s: expected text as it is: what a shell would fill in is not, nor any command run",
                       b->file, v->line, name);
}

int imagebuilder_number(const struct imagebuilder *b, const char *name, uint32_t index, uint64_t most, uint64_t *number,
                        struct problem *problem)
{
    const struct imagebuilder_value *v = find(b, name, index);
    const char *text;
    uint64_t value;
    char *end;

    if (imagebuilder_text(b, name, index, &text, problem) != 0)
        return -1;
    if (text == NULL)
        return 0;
    errno = 0;
    value = strtoull(text, &end, 0);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || value > most)
        return problem_set(problem, -1, "%s:%u: %s = \"%s\": expected a number, at most %" PRIu64, b->file, v->line,
                           name, text, most);
    *number = value;
    return 0;
}

static int take_frame(struct imagebuilder *b, struct problem *problem)
{
    uint64_t n = 0;

    b->memory_end = UINT64_MAX;
    if (imagebuilder_number(b, "MEMORY_START", NO_INDEX, UINT64_MAX, &b->memory_start, problem) != 0 ||
        imagebuilder_number(b, "MEMORY_END", NO_INDEX, UINT64_MAX, &b->memory_end, problem) != 0 ||
        imagebuilder_number(b, "NUM_DOMUS", NO_INDEX, IMAGEBUILDER_DOMAINS_MAX, &n, problem) != 0)
        return -1;
    b->n_domains = (uint32_t)n;
    return 0;
}

static int parse(struct imagebuilder *b, char *text, struct problem *problem)
{
    struct reader r = {.b = b, .at = text, .line = 1, .problem = problem};

    while (*r.at != '\0')
        if (take_line(&r) != 0)
            return -1;
    return take_frame(b, problem);
}

int imagebuilder_read(struct imagebuilder *b, const char *file, struct problem *problem)
{
    char *text;
    size_t bytes;
    int result;

    *b = (struct imagebuilder){.file = file};
    if (slurp(file, CONFIG_BYTES, &text, &bytes, problem) != 0)
        return -1;
    result = memchr(text, '\0', bytes) != NULL
                 ? problem_set(problem, -1, "%s: expected text, there is a NUL in it", file)
                 : parse(b, text, problem);
    free(text);
    if (result != 0)
        imagebuilder_finish(b);
    return result;
}

void imagebuilder_finish(struct imagebuilder *b)
{
    for (size_t i = 0; i < b->n_values; i++) {
        free(b->values[i].name);
        free(b->values[i].text);
    }
    free(b->values);
    *b = (struct imagebuilder){0};
}

int imagebuilder_file(const struct imagebuilder *b, const char *domain, const char *key, const char **file,
                      struct problem *problem)
{
    unsigned long n;
    char *end;

    *file = NULL;
    if (strncmp(domain, "domU", 4) != 0 || !isdigit((unsigned char)domain[4]))
        return 0;
    n = strtoul(domain + 4, &end, 10);
    if (*end != '\0' || n >= b->n_domains)
        return 0;
    return imagebuilder_text(b, key, (uint32_t)n, file, problem);
}
