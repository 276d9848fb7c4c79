/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fnmatch.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/config.h"

/* "16M" and the like, in 1024s; 0: not a size, or no such number fits. */
static uint64_t size_of(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    unsigned long long n;
    const char *unit;
    unsigned shift = 0;

    errno = 0;
    n = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0)
        return 0;
    if (*end != '\0') {
        unit = strchr(units, *end);
        if (unit == NULL || end[1] != '\0')
            return 0;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    return n <= (UINT64_MAX >> shift) ? (uint64_t)n << shift : 0;
}

static int check_size(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *text = config_string(opt);

    if (size_of(text) >= 64 * 1024)
        return 0;
    return config_error(cfg, "%s = \"%s\": expected a size from 64K on, as \"16M\"", cfg_opt_name(opt), text);
}

static int check_group(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *text = config_string(opt);

    if (getgrnam(text) != NULL)
        return 0;
    return config_error(cfg, "%s = \"%s\": there is no such group", cfg_opt_name(opt), text);
}

static int check_path(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *text = config_string(opt);

    if (text[0] == '/' && strlen(text) < sizeof((struct config_socket *)0)->path)
        return 0;
    return config_error(cfg, "path = \"%s\": expected an absolute path of at most %zu bytes", text,
                        sizeof((struct config_socket *)0)->path - 1);
}

static int check_socket(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *block = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    struct name name;

    if (name_split(cfg_title(block), &name, NULL) != 0 || name.console[0] == '\0')
        return config_error(cfg, "socket \"%s\": expected \"DOMAIN/CONSOLE\"", cfg_title(block));
    if (cfg_getstr(block, "path") == NULL)
        return config_error(cfg, "socket \"%s\": expected path = \"/…\"", cfg_title(block));
    return 0;
}

static int check_pattern(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *block = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);

    if (strlen(cfg_title(block)) < CONFIG_PATTERN_BYTES)
        return 0;
    return config_error(cfg, "%s \"%s\": the pattern is too long", cfg_opt_name(opt), cfg_title(block));
}

static int check_directory(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *text = config_string(opt);

    if (text[0] == '/' && strlen(text) < sizeof((struct copy_rules *)0)->directory)
        return 0;
    return config_error(cfg, "directory = \"%s\": expected an absolute path of at most %zu bytes", text,
                        sizeof((struct copy_rules *)0)->directory - 1);
}

bool service_config_of(const char *word, bool *guests, bool *hypervisor)
{
    bool all = strcmp(word, "all") == 0;

    *guests = all || strcmp(word, "guest") == 0;
    *hypervisor = all || strcmp(word, "hv") == 0;
    return *guests || *hypervisor || strcmp(word, "none") == 0;
}

static int check_of(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *text = config_string(opt);
    bool guests, hypervisor;

    if (service_config_of(text, &guests, &hypervisor))
        return 0;
    return config_error(cfg, "%s = \"%s\": expected none, guest, hv or all", cfg_opt_name(opt), text);
}

static int check_text(cfg_t *cfg, cfg_opt_t *opt)
{
    if (cfg_getstr(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1), "directory") != NULL && cfg_opt_size(opt) == 1)
        return 0;
    return config_error(cfg, "text: expected one such block, with directory = \"/…\"");
}

static gid_t group_of(cfg_t *block, const char *key)
{
    const char *name = cfg_getstr(block, key);
    const struct group *group = name != NULL ? getgrnam(name) : NULL;

    return group != NULL ? group->gr_gid : (gid_t)-1;
}

static void take_rule(struct access_rule *rule, cfg_t *block)
{
    snprintf(rule->pattern, sizeof rule->pattern, "%s", cfg_title(block));
    rule->read = group_of(block, "read");
    rule->write = group_of(block, "write");
    rule->send_break = cfg_getbool(block, "break") == cfg_true;
}

static void take_console(struct config_console *console, cfg_t *block)
{
    snprintf(console->pattern, sizeof console->pattern, "%s", cfg_title(block));
    console->pty = cfg_getbool(block, "pty") == cfg_true;
}

static void take_text(struct copy_rules *text, cfg_t *block)
{
    snprintf(text->directory, sizeof text->directory, "%s", cfg_getstr(block, "directory"));
    (void)service_config_of(cfg_getstr(block, "of"), &text->guests, &text->hypervisor);
    (void)service_config_of(cfg_getstr(block, "times"), &text->times_guests, &text->times_hypervisor);
    text->replace_escape = cfg_getbool(block, "replace_escape") == cfg_true;
}

static void take_socket(struct config_socket *socket, cfg_t *block)
{
    (void)name_split(cfg_title(block), &socket->name, NULL);
    snprintf(socket->path, sizeof socket->path, "%s", cfg_getstr(block, "path"));
}

static uint64_t limit_of(cfg_t *cfg, const char *key)
{
    const char *text = cfg_getstr(cfg, key);

    return text != NULL ? size_of(text) : 0;
}

static int take(struct service_config *config, cfg_t *cfg)
{
    config->limits.segment_bytes = limit_of(cfg, "segment_size");
    config->limits.console_bytes = limit_of(cfg, "console_size");
    config->limits.total_bytes = limit_of(cfg, "total_size");
    config->n_rules = cfg_size(cfg, "access");
    config->n_sockets = cfg_size(cfg, "socket");
    config->xen = cfg_size(cfg, "xen") > 0;
    config->n_consoles = cfg_size(cfg, "console");
    config->rules = calloc(config->n_rules + 1, sizeof *config->rules);
    config->sockets = calloc(config->n_sockets + 1, sizeof *config->sockets);
    config->consoles = calloc(config->n_consoles + 1, sizeof *config->consoles);
    if (config->rules == NULL || config->sockets == NULL || config->consoles == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < config->n_rules; i++)
        take_rule(&config->rules[i], cfg_getnsec(cfg, "access", i));
    for (uint32_t i = 0; i < config->n_sockets; i++)
        take_socket(&config->sockets[i], cfg_getnsec(cfg, "socket", i));
    for (uint32_t i = 0; i < config->n_consoles; i++)
        take_console(&config->consoles[i], cfg_getnsec(cfg, "console", i));
    if (cfg_size(cfg, "text") > 0)
        take_text(&config->text, cfg_getsec(cfg, "text"));
    return 0;
}

int service_config_load(struct service_config *config, const char *path, struct problem *p)
{
    cfg_opt_t access_opts[] = {CFG_STR("read", NULL, CFGF_NONE), CFG_STR("write", NULL, CFGF_NONE),
                               CFG_BOOL("break", cfg_false, CFGF_NONE), CFG_END()};
    cfg_opt_t socket_opts[] = {CFG_STR("path", NULL, CFGF_NONE), CFG_END()};
    cfg_opt_t xen_opts[] = {CFG_END()};
    cfg_opt_t console_opts[] = {CFG_BOOL("pty", cfg_false, CFGF_NONE), CFG_END()};
    cfg_opt_t text_opts[] = {CFG_STR("directory", NULL, CFGF_NONE), CFG_STR("of", "all", CFGF_NONE),
                             CFG_STR("times", "none", CFGF_NONE), CFG_BOOL("replace_escape", cfg_false, CFGF_NONE),
                             CFG_END()};
    cfg_opt_t opts[] = {CFG_STR("segment_size", NULL, CFGF_NONE),
                        CFG_STR("console_size", NULL, CFGF_NONE),
                        CFG_STR("total_size", NULL, CFGF_NONE),
                        CFG_SEC("access", access_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                        CFG_SEC("socket", socket_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                        CFG_SEC("text", text_opts, CFGF_MULTI),
                        CFG_SEC("xen", xen_opts, CFGF_MULTI), /* not there without MULTI: libconfuse makes one up */
                        CFG_SEC("console", console_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                        CFG_END()};
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    int error;

    *config = (struct service_config){0};
    if (cfg == NULL)
        return problem_set(p, -ENOMEM, "%s: out of memory", path);
    cfg_set_validate_func(cfg, "segment_size", check_size);
    cfg_set_validate_func(cfg, "console_size", check_size);
    cfg_set_validate_func(cfg, "total_size", check_size);
    cfg_set_validate_func(cfg, "access", check_pattern);
    cfg_set_validate_func(cfg, "console", check_pattern);
    cfg_set_validate_func(cfg, "text", check_text);
    cfg_set_validate_func(cfg, "text|directory", check_directory);
    cfg_set_validate_func(cfg, "text|of", check_of);
    cfg_set_validate_func(cfg, "text|times", check_of);
    cfg_set_validate_func(cfg, "access|read", check_group);
    cfg_set_validate_func(cfg, "access|write", check_group);
    cfg_set_validate_func(cfg, "socket", check_socket);
    cfg_set_validate_func(cfg, "socket|path", check_path);
    error = config_parse(cfg, path, p);
    if (error == 0 && (error = take(config, cfg)) != 0)
        problem_set(p, error, "%s: out of memory", path);
    if (error)
        service_config_free(config);
    cfg_free(cfg);
    return error;
}

bool service_config_pty(const struct service_config *config, const char *domain, const char *console)
{
    char name[NAME_FULL_BYTES];

    snprintf(name, sizeof name, "%s/%s", domain, console);
    for (uint32_t i = 0; i < config->n_consoles; i++)
        if (fnmatch(config->consoles[i].pattern, name, 0) == 0)
            return config->consoles[i].pty;
    return false;
}

void service_config_free(struct service_config *config)
{
    free(config->rules);
    free(config->sockets);
    free(config->consoles);
    *config = (struct service_config){0};
}
