/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "file.h"

/* libconfuse hands its error function no context: where the parse under way puts its first error. One thread
 * parses at a time (config.h), and between parses it is NULL. */
static struct problem *parsing;

static int open_regular(const char *path, struct problem *p)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* O_NONBLOCK: a fifo without writer must not hang us */

    if (fd < 0)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return problem_set(p, -EINVAL, "%s: expected a regular file, this is %s", path,
                           S_ISDIR(st.st_mode) ? "a directory" : "something else");
    }
    return fd;
}

int config_read(const char *path, char **text, size_t *bytes, struct problem *p)
{
    ssize_t n;
    int error, fd = open_regular(path, p);

    *text = NULL;
    *bytes = 0;
    if (fd < 0)
        return fd;
    *text = malloc(CONFIG_BYTES + 2);
    n = *text != NULL ? file_read(fd, *text, CONFIG_BYTES + 1) : -ENOMEM;
    close(fd);
    if (n < 0)
        error = problem_set(p, (int)n, "%s: %s", path, strerror((int)-n));
    else if (n > (ssize_t)CONFIG_BYTES)
        error = problem_set(p, -EINVAL, "%s: more than 1 MiB: expected a configuration file", path);
    else
        error = config_check(path, *text, (size_t)n, p);
    if (error != 0) {
        free(*text);
        *text = NULL;
        return error;
    }
    (*text)[n] = '\0';
    *bytes = (size_t)n;
    return 0;
}

static void note_error(cfg_t *cfg, const char *format, va_list args)
{
    struct problem what;
    int n;

    if (parsing == NULL || parsing->text[0] != '\0')
        return; /* the first error is the cause */
    problem_setv(&what, 0, format, args);
    n = snprintf(parsing->text, sizeof parsing->text, "%s:%d: %s", cfg->filename ? cfg->filename : "", cfg->line,
                 what.text);
    if (strncmp(format, "no such option", 14) != 0 || n < 0)
        return; /* libconfuse's own words; ours, with the right word in them, need no list */
    for (const cfg_opt_t *opt = cfg->opts; opt->name != NULL && (size_t)n < sizeof parsing->text; opt++)
        if ((opt->flags & CONFIG_HIDDEN) == 0)
            n += snprintf(parsing->text + n, sizeof parsing->text - (size_t)n, "%s %s",
                          opt == cfg->opts ? ": expected one of" : ",", opt->name);
}

int config_error(cfg_t *cfg, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note_error(cfg, format, args);
    va_end(args);
    return -1;
}

const char *config_string(cfg_opt_t *opt) { return cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1); }

long config_integer(cfg_opt_t *opt) { return cfg_opt_getnint(opt, cfg_opt_size(opt) - 1); }

int config_once(cfg_t *cfg, cfg_opt_t *opt)
{
    if ((opt->flags & CONFIG_SEEN) != 0)
        return config_error(cfg, "%s was given before: expected it once", cfg_opt_name(opt));
    opt->flags |= CONFIG_SEEN;
    return 0;
}

int config_parse_text(cfg_t *cfg, const char *path, char *text, size_t bytes, struct problem *p)
{
    struct problem own;
    FILE *file;
    int result;

    p = p != NULL ? p : &own;
    text[bytes++] = '\n'; /* an empty file too has one byte for fmemopen; there is room for it */
    file = fmemopen(text, bytes, "r");
    if (file == NULL)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    free(cfg->filename);
    cfg->filename = strdup(path);
    cfg_set_error_function(cfg, note_error);
    parsing = p;
    p->text[0] = '\0';
    result = cfg_parse_fp(cfg, file);
    parsing = NULL;
    fclose(file);
    if (result == CFG_SUCCESS && p->text[0] == '\0')
        return 0;
    if (p->text[0] == '\0')
        problem_set(p, 0, "%s: not understood", path);
    return -EINVAL;
}

int config_parse(cfg_t *cfg, const char *path, struct problem *p)
{
    char *text;
    size_t bytes;
    int error = config_read(path, &text, &bytes, p);

    if (error != 0)
        return error;
    error = config_parse_text(cfg, path, text, bytes, p);
    free(text);
    return error;
}
