/* SPDX-License-Identifier: MIT */
/* The files of a configuration: one, those that it includes, and those in the directory beside it. */
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define FILES_DEEP 8u     /* files that include files */
#define FILES_MOST 65536u /* in all: a file a console */

struct files {
    cfg_t *cfg;
    uint32_t n, depth;
    struct problem *problem;
};

static int parse_file(struct files *f, const char *path);

/* A directory that is not there has no files; one that cannot be read is an error. */
static int unreadable(const char *path, int error)
{
    (void)path;
    return error != ENOENT;
}

/* What `include` in a file names: a path or a glob(7), relative to that file. */
static int parse_matches(struct files *f, const char *from, unsigned line, const char *what)
{
    const char *slash = strrchr(from, '/');
    char path[PATH_MAX];
    glob_t found = {0};
    int n, error = 0, directory = what[0] != '/' && slash != NULL ? (int)(slash + 1 - from) : 0;

    n = snprintf(path, sizeof path, "%.*s%s", directory, from, what);
    if (n >= (int)sizeof path)
        return problem_set(f->problem, -EINVAL, "%s:%u: include: the path is too long", from, line);
    switch (glob(path, 0, unreadable, &found)) {
    case 0: break;
    case GLOB_NOMATCH:
        if (strpbrk(what, "*?[") == NULL)
            return problem_set(f->problem, -EINVAL, "%s:%u: include \"%s\": there is no such file", from, line, what);
        return 0;
    default: return problem_set(f->problem, -EINVAL, "%s:%u: include \"%s\": cannot be read", from, line, what);
    }
    for (size_t i = 0; error == 0 && i < found.gl_pathc; i++)
        error = parse_file(f, found.gl_pathv[i]);
    globfree(&found);
    return error;
}

struct include {
    size_t at, end; /* the statement, in the text */
    size_t begin, n;
    unsigned line;
};

/* The text between the quotes behind an `include`, which ends at at. False: it is not that. */
static bool read_include(const char *text, size_t at, struct include *found)
{
    char quote;

    found->at = at - strlen("include");
    while (isspace((unsigned char)text[at]))
        at++;
    quote = text[at];
    if (quote != '"' && quote != '\'')
        return false;
    found->begin = ++at;
    while (text[at] != quote && text[at] != '\0' && text[at] != '\\' && text[at] != '\n')
        at++;
    found->n = at - found->begin;
    found->end = at + 1;
    return text[at] == quote;
}

/* The next include of the text from *at on, blanked there: what follows keeps its line. False: there is none. */
static bool next_include(char *text, size_t *at, struct include *found, char path[PATH_MAX])
{
    char word[64];

    while (config_word(text, at, word)) {
        if (strcmp(word, "include") != 0 || !read_include(text, *at, found) || found->n >= PATH_MAX)
            continue; /* libconfuse says what is wrong with it */
        memcpy(path, text + found->begin, found->n);
        path[found->n] = '\0';
        found->line = 1;
        for (size_t i = 0; i < found->at; i++)
            found->line += text[i] == '\n';
        for (size_t i = found->at; i < found->end; i++)
            if (text[i] != '\n')
                text[i] = ' ';
        *at = found->end;
        return true;
    }
    return false;
}

/* Its own blocks first, then those that it includes: text holds them blanked, so they are taken from a copy. */
static int parse_text(struct files *f, const char *path, char *text, size_t bytes)
{
    char *copy = strdup(text), what[PATH_MAX];
    struct include found;
    size_t at = 0;
    int error;

    if (copy == NULL)
        return problem_set(f->problem, -ENOMEM, "%s: out of memory", path);
    while (next_include(text, &at, &found, what)) {
    }
    error = config_parse_text(f->cfg, path, text, bytes, f->problem);
    for (at = 0; error == 0 && next_include(copy, &at, &found, what);)
        error = parse_matches(f, path, found.line, what);
    free(copy);
    return error;
}

static int parse_file(struct files *f, const char *path)
{
    size_t bytes;
    char *text;
    int error;

    if (f->depth == FILES_DEEP || f->n == FILES_MOST)
        return problem_set(f->problem, -EINVAL, "%s: files include files more than %u deep, or more than %u in all",
                           path, FILES_DEEP, FILES_MOST);
    error = config_read(path, &text, &bytes, f->problem);
    if (error)
        return error;
    f->n++;
    f->depth++;
    error = parse_text(f, path, text, bytes);
    f->depth--;
    free(text);
    return error;
}

int config_files_parse(cfg_t *cfg, const char *path, struct problem *p)
{
    struct files f = {.cfg = cfg, .problem = p};
    char more[PATH_MAX];
    int error = parse_file(&f, path);

    if (error == 0 && snprintf(more, sizeof more, "%s.d/*.conf", path) < (int)sizeof more && more[0] != '\0') {
        glob_t found = {0};

        if (glob(more, 0, unreadable, &found) == 0)
            for (size_t i = 0; error == 0 && i < found.gl_pathc; i++)
                error = parse_file(&f, found.gl_pathv[i]);
        globfree(&found);
    }
    return error;
}
