/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fnmatch.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        return config_once(cfg, opt);
    return config_error(cfg, "%s = \"%s\": expected a size from 64K on, as \"16M\"", cfg_opt_name(opt), text);
}

static int check_group(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *text = config_string(opt);

    if (getgrnam(text) != NULL)
        return config_once(cfg, opt);
    return config_error(cfg, "%s = \"%s\": there is no such group", cfg_opt_name(opt), text);
}

static int check_names(cfg_t *cfg, cfg_opt_t *opt)
{
    uint32_t n = cfg_opt_size(opt), id;
    const char *text = cfg_opt_getnstr(opt, n - 1);
    bool user;

    if (n > ACCESS_NAMES)
        return config_error(cfg, "%s: expected %u names at most", cfg_opt_name(opt), ACCESS_NAMES);
    if (access_name_find(text, &user, &id))
        return 0;
    return config_error(cfg, "%s = \"%s\": there is no such %s", cfg_opt_name(opt), text, user ? "user" : "group");
}

static int check_audit(cfg_t *cfg, cfg_opt_t *opt)
{
    const char *text = config_string(opt);

    if (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0 || strcmp(text, "text") == 0)
        return 0;
    return config_error(cfg, "audit = \"%s\": expected yes, no or text", text);
}

static bool is_exact(const char *pattern) { return strpbrk(pattern, "*?[\\") == NULL; }

static int check_port(cfg_t *cfg, cfg_opt_t *opt)
{
    long port = cfg_opt_getnint(opt, 0);

    if (port >= 0 && port <= UINT16_MAX)
        return 0;
    return config_error(cfg, "metrics_port = %ld: expected a number from 1 to 65535, or 0 for none", port);
}

static int check_pattern(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *block = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);

    if (strlen(cfg_title(block)) < CONFIG_PATTERN_BYTES)
        return 0;
    return config_error(cfg, "%s \"%s\": the pattern is too long", cfg_opt_name(opt), cfg_title(block));
}

/* Every key of a block is checked by the line where it stands; take_console reads it once more. */
static int check_setting(cfg_t *cfg, cfg_opt_t *opt)
{
    struct console_settings scratch = {0};
    const char *text = config_string(opt), *expected = settings_set(&scratch, cfg_opt_name(opt), text);

    settings_free(&scratch);
    if (expected != NULL)
        return config_error(cfg, "%s = \"%s\": expected %s", cfg_opt_name(opt), text, expected);
    return config_once(cfg, opt);
}

static int check_console(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *block = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    struct name name;

    if (cfg_getstr(block, "source") != NULL &&
        (name_split(cfg_title(block), &name, NULL) != 0 || name.console[0] == '\0'))
        return config_error(cfg, "console \"%s\": one with a source has a name: expected \"DOMAIN/CONSOLE\"",
                            cfg_title(block));
    return check_pattern(cfg, opt);
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

static void take_names(struct access_names *names, cfg_t *block, const char *key)
{
    for (uint32_t i = 0; i < cfg_size(block, key) && names->n < ACCESS_NAMES; i++)
        if (access_name_find(cfg_getnstr(block, key, i), &names->at[names->n].user, &names->at[names->n].id))
            names->n++;
}

static void take_rule(struct access_rule *rule, cfg_t *block)
{
    snprintf(rule->pattern, sizeof rule->pattern, "%s", cfg_title(block));
    take_names(&rule->read, block, "read");
    take_names(&rule->write, block, "write");
    take_names(&rule->deny, block, "deny");
    rule->send_break = cfg_getbool(block, "break") == cfg_true;
}

static bool take_console(struct config_console *console, cfg_t *block)
{
    const char *key, *text;

    snprintf(console->pattern, sizeof console->pattern, "%s", cfg_title(block));
    for (uint32_t i = 0; (key = settings_key(i)) != NULL; i++)
        if ((text = cfg_getstr(block, key)) != NULL && settings_set(&console->settings, key, text) != NULL)
            return false; /* it was right before: no memory */
    return true;
}

static int by_pattern(const void *a, const void *b)
{
    return strcmp(((const struct config_console *)a)->pattern, ((const struct config_console *)b)->pattern);
}

static bool take_consoles(struct service_config *config, cfg_t *cfg)
{
    uint32_t n = cfg_size(cfg, "console");

    config->exact = calloc(n + 1, sizeof *config->exact);
    config->patterns = calloc(n + 1, sizeof *config->patterns);
    if (config->exact == NULL || config->patterns == NULL)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        cfg_t *block = cfg_getnsec(cfg, "console", i);
        struct config_console *console =
            is_exact(cfg_title(block)) ? &config->exact[config->n_exact++] : &config->patterns[config->n_patterns++];

        if (!take_console(console, block))
            return false;
    }
    qsort(config->exact, config->n_exact, sizeof *config->exact, by_pattern);
    return true;
}

static void take_text(struct copy_rules *text, cfg_t *block)
{
    snprintf(text->directory, sizeof text->directory, "%s", cfg_getstr(block, "directory"));
    (void)service_config_of(cfg_getstr(block, "of"), &text->guests, &text->hypervisor);
    (void)service_config_of(cfg_getstr(block, "times"), &text->times_guests, &text->times_hypervisor);
    text->replace_escape = cfg_getbool(block, "replace_escape") == cfg_true;
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
    config->limits.memory_bytes = limit_of(cfg, "memory_size");
    config->n_rules = cfg_size(cfg, "access");
    config->audit = strcmp(cfg_getstr(cfg, "audit"), "text") == 0 ? AUDIT_TEXT
                    : strcmp(cfg_getstr(cfg, "audit"), "no") == 0 ? AUDIT_NO
                                                                  : AUDIT_YES;
    config->metrics_port = (uint16_t)cfg_getint(cfg, "metrics_port");
    if (cfg_getstr(cfg, "metrics_group") != NULL)
        config->metrics_group = group_of(cfg, "metrics_group");
    config->xen = cfg_size(cfg, "xen") > 0;
    config->rules = calloc(config->n_rules + 1, sizeof *config->rules);
    if (config->rules == NULL || !take_consoles(config, cfg))
        return -ENOMEM;
    for (uint32_t i = 0; i < config->n_rules; i++)
        take_rule(&config->rules[i], cfg_getnsec(cfg, "access", i));
    if (cfg_size(cfg, "text") > 0)
        take_text(&config->text, cfg_getsec(cfg, "text"));
    return 0;
}

static void check_settings(cfg_t *cfg)
{
    char name[64];

    for (uint32_t i = 0; i < SETTINGS; i++) {
        snprintf(name, sizeof name, "console|%s", settings_key(i));
        cfg_set_validate_func(cfg, name, check_setting);
    }
}

int service_config_load(struct service_config *config, const char *path, struct problem *p)
{
    cfg_opt_t access_opts[] = {CFG_STR_LIST("read", NULL, CFGF_NONE), CFG_STR_LIST("write", NULL, CFGF_NONE),
                               CFG_STR_LIST("deny", NULL, CFGF_NONE), CFG_BOOL("break", cfg_false, CFGF_NONE),
                               CFG_END()};
    cfg_opt_t xen_opts[] = {CFG_END()};
    cfg_opt_t console_opts[SETTINGS + 1] = {[SETTINGS] = CFG_END()};
    cfg_opt_t text_opts[] = {CFG_STR("directory", NULL, CFGF_NONE), CFG_STR("of", "all", CFGF_NONE),
                             CFG_STR("times", "none", CFGF_NONE), CFG_BOOL("replace_escape", cfg_false, CFGF_NONE),
                             CFG_END()};
    cfg_opt_t opts[] = {CFG_STR("segment_size", NULL, CFGF_NONE),
                        CFG_STR("console_size", NULL, CFGF_NONE),
                        CFG_STR("total_size", NULL, CFGF_NONE),
                        CFG_STR("memory_size", NULL, CFGF_NONE),
                        CFG_STR("audit", "yes", CFGF_NONE),
                        CFG_INT("metrics_port", 0, CFGF_NONE),
                        CFG_STR("metrics_group", NULL, CFGF_NONE),
                        CFG_SEC("access", access_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                        CFG_SEC("text", text_opts, CFGF_MULTI),
                        CFG_SEC("xen", xen_opts, CFGF_MULTI), /* not there without MULTI: libconfuse makes one up */
                        CFG_SEC("console", console_opts, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
                        CFG_END()};
    cfg_t *cfg;
    int error;

    *config = (struct service_config){0};
    for (uint32_t i = 0; i < SETTINGS; i++)
        console_opts[i] = (cfg_opt_t)CFG_STR(settings_key(i), NULL, CFGF_NONE);
    cfg = cfg_init(opts, CFGF_NONE);
    if (cfg == NULL)
        return problem_set(p, -ENOMEM, "%s: out of memory", path);
    cfg_set_validate_func(cfg, "segment_size", check_size);
    cfg_set_validate_func(cfg, "console_size", check_size);
    cfg_set_validate_func(cfg, "total_size", check_size);
    cfg_set_validate_func(cfg, "memory_size", check_size);
    cfg_set_validate_func(cfg, "metrics_port", check_port);
    cfg_set_validate_func(cfg, "metrics_group", check_group);
    cfg_set_validate_func(cfg, "access", check_pattern);
    cfg_set_validate_func(cfg, "console", check_console);
    check_settings(cfg);
    cfg_set_validate_func(cfg, "text", check_text);
    cfg_set_validate_func(cfg, "text|directory", check_directory);
    cfg_set_validate_func(cfg, "text|of", check_of);
    cfg_set_validate_func(cfg, "text|times", check_of);
    cfg_set_validate_func(cfg, "audit", check_audit);
    cfg_set_validate_func(cfg, "access|deny", check_names);
    cfg_set_validate_func(cfg, "access|read", check_names);
    cfg_set_validate_func(cfg, "access|write", check_names);
    error = config_files_parse(cfg, path, p);
    if (error == 0 && (error = take(config, cfg)) != 0)
        problem_set(p, error, "%s: out of memory", path);
    if (error)
        service_config_free(config);
    cfg_free(cfg);
    return error;
}

struct console_settings config_for(const struct service_config *config, const char *domain, const char *console)
{
    struct console_settings settings = {0};
    struct config_console key;
    const struct config_console *exact;

    snprintf(key.pattern, sizeof key.pattern, "%s/%s", domain, console);
    exact = config->n_exact > 0 ? bsearch(&key, config->exact, config->n_exact, sizeof key, by_pattern) : NULL;
    if (exact != NULL)
        settings_inherit(&settings, &exact->settings);
    for (uint32_t i = 0; i < config->n_patterns; i++)
        if (fnmatch(config->patterns[i].pattern, key.pattern, 0) == 0)
            settings_inherit(&settings, &config->patterns[i].settings);
    settings_complete(&settings);
    return settings;
}

void service_config_free(struct service_config *config)
{
    for (uint32_t i = 0; i < config->n_exact; i++)
        settings_free(&config->exact[i].settings);
    for (uint32_t i = 0; i < config->n_patterns; i++)
        settings_free(&config->patterns[i].settings);
    free(config->rules);
    free(config->exact);
    free(config->patterns);
    *config = (struct service_config){0};
}
