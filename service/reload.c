/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connector.h"
#include "console.h"
#include "service.h"

#define KEPT   "sources"     /* a directory */
#define MEMORY (1024 * 1024) /* that reading a configuration may take: libconfuse crashes where it has none */

/* The configuration, read anew. */

/* What began with the service goes on as it began: directories of text files, a Xen, who may connect to its sockets at all. */
static void take_over(struct service *s, struct service_config *config)
{
    struct service_config old = s->config;

    config->text = old.text;
    config->xen = old.xen;
    pthread_mutex_lock(&s->config_lock);
    s->config = *config;
    pthread_mutex_unlock(&s->config_lock);
    service_config_free(&old);
    log_store_rules(&s->store); /* it asks us what they are now */
}

static bool has_source(const struct service *s, const struct console *c)
{
    struct console_settings settings = config_for(&s->config, c->log.domain, c->log.console);

    return settings.source != NULL;
}

static void change_or_remove(struct service *s, struct reload_counts *counts)
{
    struct connector *next;

    for (struct connector *k = s->sources.first; k != NULL; k = next) {
        struct console_settings settings;
        bool configured;

        next = k->next;
        configured = !k->going && has_source(s, k->console);
        if (k->going || (k->by_hand && !configured))
            continue;
        k->by_hand = k->by_hand && !configured; /* the file has it now, and counts */
        if (!configured) {
            connector_remove(k);
            counts->removed++;
            continue;
        }
        settings = config_for(&s->config, k->console->log.domain, k->console->log.console);
        if (connector_change(k, &settings))
            counts->changed++;
        else
            counts->same++;
    }
}

static int add_new(struct service *s, struct reload_counts *counts)
{
    struct name name;
    int error = 0;

    for (uint32_t i = 0; error == 0 && i < s->config.n_exact; i++) {
        const struct console *c;

        if (s->config.exact[i].settings.source == NULL)
            continue;
        (void)name_split(s->config.exact[i].pattern, &name, NULL);
        c = console_find(s, name.domain, name.console);
        if (c != NULL && c->connector != NULL)
            continue;
        error = sources_begin(s, &name, NULL);
        counts->added++;
    }
    return error;
}

static bool has_memory(size_t n)
{
    void *volatile memory = malloc(n); /* volatile: nobody uses it, and it is asked for all the same */

    free(memory);
    return memory != NULL;
}

int service_reload(struct service *s, struct reload_counts *counts, struct problem *p)
{
    struct service_config config = {.n_rules = 0};
    int error;

    *counts = (struct reload_counts){0};
    if (s->config_path == NULL)
        return problem_set(p, -ENOENT, "this service was started without a configuration");
    if (!has_memory(MEMORY))
        return problem_set(p, -ENOMEM, "%s: there is no memory to read it", s->config_path);
    error = service_config_load(&config, s->config_path, p);
    if (error)
        return error;
    take_over(s, &config);
    change_or_remove(s, counts);
    error = add_new(s, counts);
    for (struct console *c = s->registry.first; c != NULL; c = c->next)
        console_settle(c);
    return error ? problem_set(p, error, "%s: %s", s->config_path, strerror(-error)) : 0;
}

/* Sources by hand. */

/* A comma is in no name. */
static bool kept_path(const struct service *s, const struct console *c, const char *end, char path[PATH_MAX])
{
    return paths_format(path, "%s/" KEPT "/%s,%s%s", s->paths.state, c->log.domain, c->log.console, end) == 0;
}

static int write_kept(const struct console *c, const char *path, const char *inside)
{
    FILE *f = fopen(path, "we");
    bool failed;

    if (f == NULL)
        return -errno;
    fprintf(f, "# vcons source add --keep; vcons source remove takes it away\nconsole \"%s/%s\" {\n%s}\n",
            c->log.domain, c->log.console, inside);
    failed = fflush(f) != 0 || fdatasync(fileno(f)) != 0;
    return fclose(f) != 0 || failed ? -EIO : 0;
}

/* All of the file or none, whatever happens meanwhile. */
static int keep(struct service *s, const struct console *c, const char *inside, struct problem *p)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    int error = -ENAMETOOLONG;

    if (paths_format(path, "%s/" KEPT, s->paths.state) == 0 && mkdir(path, 0700) != 0 && errno != EEXIST)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    if (kept_path(s, c, ".conf", path) && kept_path(s, c, ".new", fresh))
        error = write_kept(c, fresh, inside);
    if (error == 0 && renameat(AT_FDCWD, fresh, AT_FDCWD, path) != 0)
        error = -errno;
    return error ? problem_set(p, error, "%s/" KEPT ": %s", s->paths.state, strerror(-error)) : 0;
}

int source_add(struct service *s, const char *text, const struct console_settings *settings, const char *kept,
               struct problem *p)
{
    struct name name;
    const struct console *c;
    int error = name_split(text, &name, p);

    if (error == 0 && name.console[0] == '\0')
        error = problem_set(p, -EINVAL, "%s: expected DOMAIN/CONSOLE", text);
    if (error)
        return error;
    c = console_find(s, name.domain, name.console);
    if (c != NULL && (c->connector != NULL || c->source != NULL))
        return problem_set(p, -EEXIST, "%s has a source", text);
    error = sources_begin(s, &name, settings);
    if (error)
        return problem_set(p, error, "%s: %s", text, strerror(-error));
    return kept != NULL ? keep(s, console_find(s, name.domain, name.console), kept, p) : 0;
}

int source_remove(struct service *s, const char *text, struct problem *p)
{
    const struct console *c = console_resolve(s, text);
    char path[PATH_MAX];

    if (c == NULL || c->connector == NULL)
        return problem_set(p, -ENOENT, "no console %s with a source of its own", text);
    if (!c->connector->by_hand)
        return problem_set(p, -EPERM, "%s is in the configuration: take it out there, then vcons reload", text);
    if (kept_path(s, c, ".conf", path) && unlink(path) != 0 && errno != ENOENT)
        return problem_set(p, -errno, "%s: %s", path, strerror(errno));
    connector_remove(c->connector);
    return 0;
}

static void begin_kept(struct service *s, const char *path)
{
    struct problem p = {.text = ""};
    struct service_config kept;

    if (service_config_load(&kept, path, &p) != 0) {
        message("%s", p.text);
        return;
    }
    for (uint32_t i = 0; i < kept.n_exact; i++)
        if (kept.exact[i].settings.source != NULL &&
            source_add(s, kept.exact[i].pattern, &kept.exact[i].settings, NULL, &p) != 0)
            message("%s: %s", path, p.text);
    service_config_free(&kept);
}

void sources_kept(struct service *s)
{
    char pattern[PATH_MAX];
    glob_t found = {0};

    if (paths_format(pattern, "%s/" KEPT "/*.conf", s->paths.state) == 0 && glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            begin_kept(s, found.gl_pathv[i]);
    globfree(&found);
}
